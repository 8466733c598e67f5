"""Every address of the site."""

from django.urls import include, path

urlpatterns = [
    path("", include("tayyar.portal.urls")),
    path("console/", include("tayyar.console.urls")),
    path("", include("tayyar.gateways.urls")),
]
handler404 = "tayyar.portal.views.not_found"
handler500 = "tayyar.portal.views.server_error"
