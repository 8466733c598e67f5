"""Addresses of the staff screens about paper and calls."""

from django.urls import URLPattern, path, re_path

from tayyar.console import calls, counter, sheets

_SHEET = "sheets/<int:sheet_id>"

urlpatterns: list[URLPattern] = [
    path("sheets", sheets.overview, name="sheets"),
    path("sheets/paper", sheets.make_paper, name="sheet_make_paper"),
    path("sheets/calls", calls.make, name="sheet_make_calls"),
    path(_SHEET, sheets.sheet_page, name="sheet"),
    path(f"{_SHEET}/print", sheets.print_sheet, name="sheet_print"),
    path(f"{_SHEET}/printing", sheets.printing, name="sheet_printing"),
    re_path(r"^sheets/(?P<sheet_id>\d+)/(?P<part>bills|list)\.pdf$", sheets.document, name="sheet_pdf"),
    path(f"{_SHEET}/send", sheets.send, name="sheet_send"),
    path(f"{_SHEET}/returned", sheets.returned, name="sheet_returned"),
    path(f"{_SHEET}/give-back", sheets.give_back, name="sheet_give_back"),
    path(f"{_SHEET}/calls.csv", calls.calls_csv, name="sheet_calls_csv"),
    path(f"{_SHEET}/calls/<int:kind>/<int:ref>/<int:recipient>", calls.outcome, name="sheet_call"),
    path("bills/<int:number>/print", counter.counter_print, name="counter_print"),
    path("bills/<int:number>/print.pdf", counter.counter_pdf, name="counter_pdf"),
]
