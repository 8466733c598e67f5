"""Addresses of the subscriber's pages."""

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from tayyar.portal import push_views, views

app_name = "portal"
urlpatterns = [
    path("", views.landing, name="landing"),
    path("b/<str:token>", views.bill_page, name="bill"),
    path("b/<str:token>/bill.pdf", views.bill_document, name="bill_pdf"),
    path("b/<str:token>/push", push_views.subscribe, name="push"),
    path("sw.js", push_views.service_worker, name="service_worker"),
    path("favicon.ico", RedirectView.as_view(url=static("portal/icon.svg")), name="icon"),
    path("healthz", views.health, name="health"),
]
