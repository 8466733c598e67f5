"""Bills and payments of an account: lists, one bill with everything it says, its PDF.

Holds no rule: who may see from claims (`sees_days`, by the bill's own days), the bill from billing/showing.py. Reading
a bill here proves nothing; an app that showed it to its person says so (`seen`). Next: use.py.
"""

import datetime as dt
from typing import Annotated, Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Schema, Status

from tayyar.api.accounts import NO_ACCOUNT, AccountPath, held_of
from tayyar.api.door import Caller
from tayyar.api.paging import Cursor, Limit, page
from tayyar.api.problems import not_found
from tayyar.api.shapes import PROBLEMS, AccountNumber, Money, maybe_money, money, money_days
from tayyar.billing.account_queries import BillRow, bills_of, payments_of
from tayyar.billing.documents.view import BillView, Text
from tayyar.billing.models import Bill as StoredBill
from tayyar.billing.numbers import bill_period
from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.showing import bill_view
from tayyar.billing.telling import bill_url
from tayyar.claims.queries import held as held_account
from tayyar.core.errors import UserError
from tayyar.notifications.models import ReachHow
from tayyar.notifications.proof import record_reach
from tayyar.profiles.installation import installed_profile

router = Router(tags=["Bills and payments"])
EVERY = 10_000
BillPath = Annotated[str, Path(description="The bill's fifteen digits.", examples=["261100000000168"])]


class BillSummary(Schema):
    """A bill in a list. `kind`: BILL, FINAL, REBILL, CREDIT_NOTE; `state`: PAID, DUE, OVERDUE, CANCELLED, CREDIT_NOTE.
    Its days are [start_date, end_date)."""

    number: str
    kind: str
    period: str
    start_date: dt.date
    end_date: dt.date
    issue_date: dt.date
    due_date: dt.date
    energy_wh: int
    total: Money
    state: str


class Bills(Schema):
    """A page of bills, the newest first."""

    items: list[BillSummary]
    next_cursor: str | None


class Line(Schema):
    """A line of a bill. `quantity_milli`: thousandths of `unit`; `price_micro`: millionths of the currency for one."""

    kind: str
    label: str
    amount: Money
    quantity_milli: int | None
    unit: str | None
    price_micro: int | None
    from_kwh: int | None
    to_kwh: int | None


class BillReading(Schema):
    """A register over the bill's days. Quality: ACTUAL, ESTIMATED or CUSTOMER."""

    meter_serial: str
    register_name: str
    from_date: dt.date
    from_wh: int
    from_quality: str
    to_date: dt.date
    to_wh: int
    to_quality: str
    energy_wh: int
    multiplier: int


class Change(Schema):
    """A cause of the difference to the bill before: DAYS, CONSUMPTION, TARIFF, SUBSIDY or OTHER."""

    kind: str
    amount: Money
    facts: dict[str, int]


class Bill(Schema):
    """A whole bill. amount_due = balance_before + total, total is the sum of the lines."""

    number: str
    kind: str
    account_number: AccountNumber
    holder_name: str
    service_address: str
    service_centre: str
    category: str
    start_date: dt.date
    end_date: dt.date
    issue_date: dt.date
    due_date: dt.date
    energy_wh: int
    same_month_last_year_wh: int | None
    energy_amount: Money
    fixed_amount: Money
    subsidy_amount: Money
    tax_amount: Money
    total: Money
    balance_before: Money
    amount_due: Money
    previous_total: Money | None
    lines: list[Line]
    readings: list[BillReading]
    changes: list[Change]
    cancelled_by: str | None
    corrects: str | None
    link: str


class Payment(Schema):
    """Money that was received (above zero) or given back. `kind`: PAYMENT or ADJUSTMENT."""

    reference: str
    kind: str
    posted_at: dt.datetime
    amount: Money


class Payments(Schema):
    """A page of payments, the newest first."""

    items: list[Payment]
    next_cursor: str | None


@router.get(
    "/accounts/{number}/bills",
    response={200: Bills, **PROBLEMS},
    operation_id="listBills",
    summary="Bills of an account",
)
def list_bills(request: HttpRequest, number: AccountPath, limit: Limit, cursor: Cursor = None) -> Bills:
    """Those that the person may see, the newest first."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = held_of(caller, number)
    every = bills_of(held.account.pk, 0, EVERY, sees=held.sees_days)
    shown, following = page(every, lambda row: row.number, limit=limit, cursor=cursor)
    return Bills(items=[_row(row, caller.today) for row in shown], next_cursor=following)


def _row(row: BillRow, today: dt.date) -> BillSummary:
    return BillSummary(
        number=f"{row.number:015d}",
        kind=row.kind.name,
        period=str(row.period),
        start_date=row.start_date,
        end_date=row.end_date,
        issue_date=row.issue_date,
        due_date=row.due_date,
        energy_wh=row.energy_wh,
        total=money(row.total_minor),
        state=row.state(today),
    )


class _Own(NamedTuple):
    """A bill that the person may see."""

    number: int
    account_id: int
    due_date: dt.date


@router.get(
    "/bills/{bill_number}", response={200: Bill, **PROBLEMS}, operation_id="getBill", summary="One bill"
)
def get_bill(request: HttpRequest, bill_number: BillPath) -> Bill:
    """Everything that the bill says, words in the caller's language."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _bill(_view(_own(caller, bill_number)), caller.lang)


@router.get(
    "/bills/{bill_number}/pdf",
    response={200: None, **PROBLEMS},
    operation_id="getBillPdf",
    summary="One bill as a PDF",
    openapi_extra={
        "responses": {
            200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
        }
    },
)
def get_bill_pdf(request: HttpRequest, bill_number: BillPath) -> HttpResponse:
    """PDF/A-3 in the caller's language; the same bytes each time."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    own = _own(caller, bill_number)
    return file_answer(bill_pdf(_view(own), caller.lang), "application/pdf", f"bill-{own.number:015d}.pdf")


@router.post(
    "/bills/{bill_number}/seen",
    response={204: None, **PROBLEMS},
    operation_id="markBillSeen",
    summary="The bill was shown to its person",
)
def mark_seen(request: HttpRequest, bill_number: BillPath) -> Status:
    """Evidence that the bill reached its person: call it when they opened the bill, never when an app fetched it to
    keep. Sent again, it changes nothing."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    own = _own(caller, bill_number)
    record_reach(
        period=bill_period(own.number),
        ref=own.number,
        how=ReachHow.PORTAL_VIEW,
        witness="app",
        now=caller.now,
    )
    return Status(204, None)


@router.get(
    "/accounts/{number}/payments",
    response={200: Payments, **PROBLEMS},
    operation_id="listPayments",
    summary="Payments of an account",
)
def list_payments(request: HttpRequest, number: AccountPath, limit: Limit, cursor: Cursor = None) -> Payments:
    """What was received and given back, the newest first; a former holder sees those of their own time."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = held_of(caller, number)
    first, end = money_days(held)
    every = [
        Payment(
            reference=f"{row.period.number}-{row.kind.value}-{row.ref}",
            kind=row.kind.name,
            posted_at=row.posted_at,
            amount=money(row.amount_minor),
        )
        for row in payments_of(held.account.pk, first=first, end=end)
    ]
    shown, following = page(every, lambda row: row.reference, limit=limit, cursor=cursor)
    return Payments(items=shown, next_cursor=following)


def file_answer(data: bytes, media_type: str, name: str) -> HttpResponse:
    """A file to keep, under `name`."""
    response = HttpResponse(data, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _own(caller: Caller, typed: str) -> _Own:
    """The bill of that number, if the person may see it. One that does not exist is asked for at claims as well."""
    found: Any = None
    if typed.isascii() and typed.isdecimal() and len(typed) == 15:
        try:
            period = bill_period(int(typed)).number
        except UserError:
            period = 0
        rows = StoredBill.objects.filter(period=period, number=int(typed))
        found = rows.values_list("account_id", "start_date", "end_date", "due_date").first()
    held = held_account(caller.person, found[0] if found else NO_ACCOUNT, today=caller.today)
    if held is None or found is None or not held.sees_days(found[1], found[2]):
        raise not_found()
    return _Own(int(typed), found[0], found[3])


def _view(own: _Own) -> BillView:
    return bill_view(
        number=own.number, profile=installed_profile(), page_url=bill_url(own.number, due_date=own.due_date)
    )


def _bill(view: BillView, lang: str) -> Bill:
    return Bill(
        number=f"{view.bill_number:015d}",
        kind=view.kind.value,
        account_number=view.account_number,
        holder_name=view.holder_name,
        service_address=_in(view.service_address, lang),
        service_centre=_in(view.service_centre, lang),
        category=_in(view.category, lang),
        start_date=view.period_start,
        end_date=view.period_end,
        issue_date=view.issue_date,
        due_date=view.due_date,
        energy_wh=view.energy_wh,
        same_month_last_year_wh=view.same_month_last_year_wh,
        energy_amount=money(view.energy_minor),
        fixed_amount=money(view.fixed_minor),
        subsidy_amount=money(view.subsidy_minor),
        tax_amount=money(view.tax_minor),
        total=money(view.total_minor),
        balance_before=money(view.balance_before_minor),
        amount_due=money(view.amount_due_minor),
        previous_total=maybe_money(view.previous_total_minor),
        lines=[
            Line(
                kind=line.kind.value,
                label=_in(line.label, lang),
                amount=money(line.amount_minor),
                quantity_milli=line.quantity_milli,
                unit=line.unit.value if line.unit else None,
                price_micro=line.price_micro,
                from_kwh=line.from_kwh,
                to_kwh=line.to_kwh,
            )
            for line in view.lines
        ],
        readings=[
            BillReading(
                meter_serial=one.meter_serial,
                register_name=one.register,
                from_date=one.from_date,
                from_wh=one.from_wh,
                from_quality=one.from_quality.value,
                to_date=one.to_date,
                to_wh=one.to_wh,
                to_quality=one.to_quality.value,
                energy_wh=one.energy_wh,
                multiplier=one.multiplier,
            )
            for one in view.readings
        ],
        changes=[
            Change(kind=one.kind.value, amount=money(one.amount_minor), facts=dict(one.facts))
            for one in view.explanation
        ],
        cancelled_by=_bill_number(view.cancelled_by),
        corrects=_bill_number(view.corrects),
        link=view.page_url,
    )


def _in(text: Text, lang: str) -> str:
    """A text of several languages in one of them."""
    return text if isinstance(text, str) else text.get(lang, "")


def _bill_number(number: int | None) -> str | None:
    return None if number is None else f"{number:015d}"
