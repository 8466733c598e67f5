"""Addresses of the kiosk's pages."""

from django.urls import path, re_path

from tayyar.kiosk import asks, bills, entry, views

app_name = "kiosk"
urlpatterns = [
    path("", views.start, name="start"),
    path("enrol", views.enrol, name="enrol"),
    path("begin", views.begin, name="begin"),
    path("language", views.language, name="language"),
    path("touch", views.touch, name="touch"),
    path("leave", views.leave, name="leave"),
    path("offline", views.offline, name="offline"),
    path("alive", views.alive, name="alive"),
    path("sw.js", views.service_worker, name="service_worker"),
    path("ways", entry.ways, name="ways"),
    path("account", entry.account, name="account"),
    path("identity", entry.identities, name="identities"),
    path("identity/<str:id_type>", entry.identity, name="identity"),
    path("scan", entry.scan, name="scan"),
    path("code", entry.code, name="code"),
    path("bills", bills.bills, name="bills"),
    path("bills/<int:number>", bills.bill, name="bill"),
    path("bills/<int:number>/print", bills.print_bill, name="print_bill"),
    path("bills/<int:number>/bill.pdf", bills.bill_file, name="bill_file"),
    path("bills/<int:number>/slip", bills.slip_file, name="slip_file"),
    path("requests", asks.requests, name="requests"),
    path("requests/done", asks.asked, name="asked"),
    path("requests/done/print", asks.print_slip, name="print_slip"),
    path("requests/done/slip", asks.request_file, name="request_file"),
    path("requests/<str:type_code>", asks.ask, name="ask"),
    re_path(r".*", views.missing, name="missing"),
]
