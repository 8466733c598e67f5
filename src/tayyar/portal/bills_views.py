"""A person's bills: the list by account, one bill's page and PDF, a year's PDFs in one ZIP; payments and receipts.

Owns /me/bills and /me/payments. Holds no rule: who may see from claims (`sees_days`, by the bill's own days), the page
from billing/documents. A foreign, unknown or malformed bill or receipt is the same 404, reached by the same queries.
Next: templates/portal/me_bills.html, me_bill.html, me_payments.html.
"""

import datetime as dt
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from tayyar.billing.account_queries import BillRow, PaymentRow, bills_of, payments_of
from tayyar.billing.documents.page import bill_context
from tayyar.billing.documents.view import BillView
from tayyar.billing.exports.archive import MOST, zip_of_bills
from tayyar.billing.models import Bill
from tayyar.billing.numbers import bill_period
from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.showing import bill_view
from tayyar.billing.telling import bill_url
from tayyar.claims.queries import held as held_account
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.notifications.models import ReachHow
from tayyar.portal import evidence
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import Chosen, bill_state, choose, local_now, money_days, words_of
from tayyar.portal.parts import Fact
from tayyar.portal.pwa_views import keep_offline

PAGE = 13
NO_ACCOUNT = 0


class _Own(NamedTuple):
    """A bill that the person may see: its number, account and the day that its link is made from."""

    number: int
    account_id: int
    due_date: dt.date


@require_safe
@signed_in
def bills(screen: MyScreen) -> HttpResponse:
    """All bills of one account, newest first."""
    typed = screen.request.GET.get("account")
    chosen = choose(screen, typed)
    words = words_of(screen)
    if chosen is None:
        if typed is not None:
            return screen.gone()
        return screen.page("portal/me_bills.html", {"title": words["bills_title"], "m": words})
    first = _whole(screen.request.GET.get("from", "0"))
    every = bills_of(chosen.held.account.pk, 0, 10_000, sees=chosen.held.sees_days)
    shown, today = every[first : first + PAGE], local_now(screen).date()
    number = chosen.held.account.number
    return screen.page(
        "portal/me_bills.html",
        {
            "title": words["bills_title"],
            "m": words,
            "choose": chosen.field(words),
            "number": number,
            "bills": [_row(screen, row, today) for row in shown],
            "newer": max(0, first - PAGE) if first else None,
            "older": first + PAGE if len(every) > first + PAGE else None,
            "archives": _archives(screen, chosen, every),
            "files": _files(screen, number),
        },
    )


def _row(screen: MyScreen, row: BillRow, today: dt.date) -> dict[str, Any]:
    state, tone = bill_state(screen, row, today)
    return {
        "href": reverse("portal:my_bill", args=[f"{row.number:015d}"]),
        "month": screen.month(row.period),
        "amount": screen.money(row.total_minor),
        "energy": screen.energy(row.energy_wh),
        "state": state,
        "tone": tone,
    }


def _archives(screen: MyScreen, chosen: Chosen, every: list[BillRow]) -> list[dict[str, str]]:
    """A link for each year, and further ones where a year has more bills than go into one file."""
    words, links = words_of(screen), []
    for year in sorted({row.period.year for row in every}, reverse=True):
        rows = _of_year(every, year)
        for first in range(0, len(rows), MOST):
            key = "archive_year_from" if first else "archive_year"
            month = screen.month(rows[first : first + MOST][-1].period)
            query = urlencode({"account": chosen.held.account.number, "year": year, "from": first})
            href = f"{reverse('portal:my_archive')}?{query}"
            links.append({"name": words[key].format(year=year, month=month), "href": href})
    return links


def _of_year(every: list[BillRow], year: int) -> list[BillRow]:
    return [row for row in every if row.period.year == year]


def _files(screen: MyScreen, number: int) -> list[dict[str, str]]:
    words = words_of(screen)
    return [
        {"name": words[f"file_{key}"], "href": f"{reverse('portal:my_export', args=[form])}?account={number}"}
        for key, form in (
            ("xlsx", "all.xlsx"),
            ("csv_bills", "bills.csv"),
            ("csv_payments", "payments.csv"),
            ("csv_days", "days.csv"),
            ("greenbutton", "greenbutton.xml"),
        )
    ]


@require_safe
@signed_in
def bill(screen: MyScreen, number: str) -> HttpResponse:
    """The whole bill, as the link's page shows it."""
    own = _own(screen, number)
    if own is None:
        return screen.gone()
    view = _view(screen, own)
    _count(screen, own)
    context = bill_context(view, screen.lang)
    context.pop("languages")  # the frame has its own, in its menu
    context["m"] = words_of(screen)
    context["account_number"] = view.account_number
    response = screen.page("portal/me_bill.html", context)
    return keep_offline(response, person=screen.person, title=context["title"])


@require_safe
@signed_in
def bill_document(screen: MyScreen, number: str) -> HttpResponse:
    """The same bill as a PDF to keep."""
    own = _own(screen, number)
    if own is None:
        return screen.gone()
    data = bill_pdf(_view(screen, own), screen.lang)
    _count(screen, own)
    return file_answer(screen, data, "application/pdf", f"bill-{own.number:015d}.pdf")


@require_safe
@signed_in
def archive(screen: MyScreen) -> HttpResponse:
    """At most 13 bills of a year as a ZIP of PDFs, sent while it is made."""
    asked = screen.request.GET
    chosen = choose(screen, asked.get("account", ""))
    if chosen is None:
        return screen.gone()
    every = bills_of(chosen.held.account.pk, 0, 10_000, sees=chosen.held.sees_days)
    first = _whole(asked.get("from", "0"))
    numbers = [row.number for row in _of_year(every, _whole(asked.get("year", "")))[first : first + MOST]]
    if not numbers:
        return screen.gone()
    response = StreamingHttpResponse(zip_of_bills(numbers, screen.lang), content_type="application/zip")
    _named(response, screen, f"bills-{chosen.held.account.number}-{asked['year']}.zip")
    return cast(HttpResponse, response)  # Django has one base for both, and views may return either


@require_safe
@signed_in
def payments(screen: MyScreen) -> HttpResponse:
    """What was paid, newest first, each with its receipt."""
    typed = screen.request.GET.get("account")
    chosen = choose(screen, typed)
    words = words_of(screen)
    if chosen is None:
        if typed is not None:
            return screen.gone()
        return screen.page("portal/me_payments.html", {"title": words["payments_title"], "m": words})
    first, end = money_days(chosen.held)
    rows = payments_of(chosen.held.account.pk, first=first, end=end)
    since = local_now(screen) - dt.timedelta(days=365)
    total = sum(row.amount_minor for row in rows if row.posted_at >= since)
    number = chosen.held.account.number
    return screen.page(
        "portal/me_payments.html",
        {
            "title": words["payments_title"],
            "m": words,
            "choose": chosen.field(words),
            "number": number,
            "total": screen.money(total) if rows else "",
            "payments": [
                {
                    "kind": words[f"kind_{row.kind.name}"],
                    "day": screen.moment(row.posted_at),
                    "amount": screen.money(row.amount_minor),
                    "href": reverse(
                        "portal:my_receipt", args=[number, row.period.number, row.kind.value, row.ref]
                    ),
                }
                for row in rows
            ],
        },
    )


@require_safe
@signed_in
def receipt(screen: MyScreen, number: str, period: int, kind: int, ref: int) -> HttpResponse:
    """One payment as a page to print."""
    chosen = choose(screen, number)
    if chosen is None:
        return screen.gone()
    first, end = money_days(chosen.held)
    key = (period, kind, ref)
    found = next(
        (
            row
            for row in payments_of(chosen.held.account.pk, first=first, end=end)
            if (row.period.number, row.kind.value, row.ref) == key
        ),
        None,
    )
    if found is None:
        return screen.gone()
    words = words_of(screen)
    context = {"title": words["receipt_title"], "m": words, "number": chosen.held.account.number}
    return screen.page("portal/me_payments.html", {**context, "receipt": _receipt(screen, chosen, found)})


def _receipt(screen: MyScreen, chosen: Chosen, row: PaymentRow) -> list[Fact]:
    words = words_of(screen)
    return [
        Fact(words["amount"], screen.money(row.amount_minor)),
        Fact(words["account_number"], str(chosen.held.account.number), is_code=True),
        Fact(words["posted"], screen.moment(row.posted_at)),
        Fact(words["reference"], f"{row.period.number}-{row.kind.value}-{row.ref}", is_code=True),
    ]


def _own(screen: MyScreen, typed: str) -> _Own | None:
    """The bill of that number, if the person may see it. One that does not exist is asked for at claims as well."""
    found = None
    if typed.isascii() and typed.isdecimal() and len(typed) <= 15:
        try:
            period: Period | None = bill_period(int(typed))
        except UserError:
            period = None
        if period is not None:
            found = (
                Bill.objects.filter(period=period.number, number=int(typed))
                .values_list("account_id", "start_date", "end_date", "due_date")
                .first()
            )
    held = held_account(screen.person, found[0] if found else NO_ACCOUNT, today=local_now(screen).date())
    if held is None or found is None or not held.sees_days(found[1], found[2]):
        return None
    return _Own(int(typed), found[0], found[3])


def _view(screen: MyScreen, own: _Own) -> BillView:
    return bill_view(
        number=own.number,
        profile=screen.profile,
        page_url=bill_url(own.number, due_date=own.due_date),
        pdf_url=reverse("portal:my_bill_pdf", args=[f"{own.number:015d}"]),
    )


def _count(screen: MyScreen, own: _Own) -> None:
    """A holder who opens a bill has been reached."""
    evidence.record_view(
        screen.request, bill_number=own.number, account_id=own.account_id, how=ReachHow.PORTAL_VIEW
    )


def file_answer(screen: MyScreen, data: bytes, media_type: str, name: str) -> HttpResponse:
    """A file to keep, under `name`."""
    response = HttpResponse(data, content_type=media_type)
    _named(response, screen, name)
    return response


def _named(response: HttpResponseBase, screen: MyScreen, name: str) -> None:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    response["Content-Language"] = screen.lang


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
