"""Every address of the site."""

from django.urls import include, path

urlpatterns = [
    path("", include("tayyar.portal.urls")),
    path("console/", include("tayyar.console.urls")),
]
