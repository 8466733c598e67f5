"""Addresses of the staff screens."""

from django.urls import path

from tayyar.console import (
    account,
    held,
    runs,
    urls_contacts,
    urls_delivery,
    urls_devices,
    urls_requests,
    urls_sheets,
    urls_templates,
)

app_name = "console"
urlpatterns = [
    path("", runs.home, name="home"),
    path("login", account.sign_in, name="login"),
    path("logout", account.sign_out, name="logout"),
    path("runs/<str:period>", runs.run_page, name="run"),
    path("runs/<str:period>/live", runs.live, name="live"),
    path("runs/<str:period>/start", runs.start, name="start"),
    path("runs/<str:period>/verify", runs.verify, name="verify"),
    path("runs/<str:period>/verification", runs.verification, name="verification"),
    path("runs/<str:period>/certificate.json", runs.certificate_json, name="certificate_json"),
    path("runs/<str:period>/certificate.pdf", runs.certificate_document, name="certificate_pdf"),
    path("runs/<str:period>/held", held.held_list, name="held_list"),
    path("runs/<str:period>/held/<int:agreement_id>", held.held_account, name="held"),
    path("runs/<str:period>/held/<int:agreement_id>/<str:action>", held.decide, name="decide"),
    path("bills/<int:number>", held.bill, name="bill"),
    *urls_delivery.urlpatterns,
    *urls_contacts.urlpatterns,
    *urls_templates.urlpatterns,
    *urls_sheets.urlpatterns,
    *urls_requests.urlpatterns,
    *urls_devices.urlpatterns,
]
