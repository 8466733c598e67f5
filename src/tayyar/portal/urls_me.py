"""Addresses of a signed-in person's home, bills, use, payments and readings."""

from django.urls import path

from tayyar.portal import bills_views, home_views, readings_views, use_views

urlpatterns = [
    path("me", home_views.home, name="home"),
    path("me/accounts/<str:number>", home_views.account, name="account"),
    path("me/bills", bills_views.bills, name="my_bills"),
    path("me/bills/archive.zip", bills_views.archive, name="my_archive"),
    path("me/bills/<str:number>", bills_views.bill, name="my_bill"),
    path("me/bills/<str:number>/bill.pdf", bills_views.bill_document, name="my_bill_pdf"),
    path("me/payments", bills_views.payments, name="my_payments"),
    path(
        "me/payments/<str:number>/<int:period>-<int:kind>-<int:ref>", bills_views.receipt, name="my_receipt"
    ),
    path("me/use", use_views.use, name="my_use"),
    path("me/use/budget", use_views.budget, name="my_budget"),
    path("me/use/<str:form>", use_views.export, name="my_export"),
    path("me/readings", readings_views.reading, name="my_reading"),
]
