"""Addresses of the subscriber's pages."""

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from tayyar.portal import (
    delegate_views,
    front_views,
    link_views,
    push_views,
    pwa_views,
    urls_claim,
    urls_join,
    urls_login,
    urls_me,
    urls_settings,
    views,
    wishes_views,
)

app_name = "portal"
urlpatterns = [
    path("", front_views.landing, name="landing"),
    path("open", front_views.open_door, name="open"),
    path("simple", pwa_views.simple, name="simple"),
    path("offline", pwa_views.offline, name="offline"),
    path("manifest.webmanifest", pwa_views.manifest, name="manifest"),
    path("b/<str:token>", link_views.link_page, name="bill"),
    path("b/<str:token>/bill", link_views.bill_page, name="whole_bill"),
    path("b/<str:token>/bill.pdf", link_views.bill_document, name="bill_pdf"),
    path("b/<str:token>/seen.gif", link_views.seen, name="seen"),
    path("b/<str:token>/pay", link_views.pay_page, name="pay"),
    path("b/<str:token>/not-mine", link_views.not_mine, name="not_mine"),
    path("b/<str:token>/not-mine/<str:reference>", link_views.not_mine_done, name="not_mine_done"),
    path("b/<str:token>/wishes", link_views.wishes_door, name="wishes_door"),
    path("p/<str:token>", wishes_views.wishes, name="wishes"),
    path("p/<str:token>/push", push_views.subscribe, name="push"),
    path("p/<str:token>/messages", wishes_views.messages, name="messages"),
    path("p/<str:token>/bills/<int:number>", wishes_views.bill, name="message_bill"),
    path("p/<str:token>/delegates", delegate_views.invite, name="invite"),
    path("p/<str:token>/delegates/<int:recipient>/end", delegate_views.end_by_holder, name="end_delegate"),
    path("d/<str:token>", delegate_views.delegate, name="delegate"),
    path("sw.js", push_views.service_worker, name="service_worker"),
    path("favicon.ico", RedirectView.as_view(url=static("portal/icon.svg")), name="icon"),
    path("healthz", views.health, name="health"),
    *urls_claim.urlpatterns,
    *urls_join.urlpatterns,
    *urls_login.urlpatterns,
    *urls_me.urlpatterns,
    *urls_settings.urlpatterns,
]
