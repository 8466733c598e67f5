"""Every address of the site."""

from django.urls import include, path

from tayyar.portal import urls_login

urlpatterns = [
    path("", include("tayyar.portal.urls")),
    path("console/", include("tayyar.console.urls")),
    path("kiosk/", include("tayyar.kiosk.urls")),
    path("api/v1/", include("tayyar.api.app")),
    path("", include("tayyar.gateways.urls")),
    *urls_login.allauth_names,
    *urls_login.app_api,
]
handler404 = "tayyar.portal.views.not_found"
handler500 = "tayyar.portal.views.server_error"
