"""How much an account uses, by month and by day, the next bill, and the files to take along.

Holds no rule: figures from billing/consumption.py, files from billing/exports. Next: readings.py.
"""

import datetime as dt
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from tayyar.api.accounts import AccountPath, held_of
from tayyar.api.bills import file_answer
from tayyar.api.door import Caller
from tayyar.api.problems import not_found
from tayyar.api.shapes import PROBLEMS, Money, maybe_money, money, money_days
from tayyar.billing import consumption
from tayyar.billing.exports.csv_ import csv_bytes
from tayyar.billing.exports.greenbutton import greenbutton
from tayyar.billing.exports.tables import Table, bills_table, days_table, payments_table
from tayyar.billing.exports.xlsx import xlsx_bytes
from tayyar.claims.queries import Held
from tayyar.core.periods import Period
from tayyar.profiles.installation import installed_profile

router = Router(tags=["Use and exports"])
GREEN_BUTTON_MONTHS = 25
CSV, ATOM = "text/csv; charset=utf-8", "application/atom+xml"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Month(Schema):
    """What the bills of one month add up to."""

    period: str
    energy_wh: int
    amount: Money
    days: int


class Months(Schema):
    """Billed months, the oldest first; one without a bill is not among them."""

    items: list[Month]


class DayUse(Schema):
    """One day. `amount` is its share of the bill, null while there is none; `is_actual`: read, not estimated."""

    day: dt.date
    energy_wh: int
    amount: Money | None
    is_actual: bool


class Days(Schema):
    """Days, the oldest first; none where the meter is not read every day."""

    items: list[DayUse]


class NextBill(Schema):
    """The next bill over [start_date, end_date) as expected, between low and high. `method`: LAST_YEAR, RECENT."""

    start_date: dt.date
    end_date: dt.date
    known_until: dt.date | None
    method: str
    energy_wh: int
    low_wh: int
    high_wh: int
    amount: Money
    low_amount: Money
    high_amount: Money


class Forecast(Schema):
    """The next bill; null where nothing can be said."""

    next_bill: NextBill | None = Field(description="null: nothing was billed yet, or nothing goes on.")


MonthCount = Annotated[int, Query(25, ge=1, le=60)]
DayCount = Annotated[int, Query(60, ge=1, le=400)]


@router.get(
    "/accounts/{number}/use/months",
    response={200: Months, **PROBLEMS},
    operation_id="listMonths",
    summary="Use by month",
)
def list_months(request: HttpRequest, number: AccountPath, months: MonthCount) -> Months:
    """The last months in energy and money."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = held_of(caller, number)
    found = consumption.monthly(held.account.pk, months, today=caller.today, sees=held.sees_days)
    return Months(
        items=[
            Month(
                period=str(one.period),
                energy_wh=one.energy_wh,
                amount=money(one.amount_minor),
                days=one.days,
            )
            for one in found
        ]
    )


@router.get(
    "/accounts/{number}/use/days",
    response={200: Days, **PROBLEMS},
    operation_id="listDays",
    summary="Use by day",
)
def list_days(request: HttpRequest, number: AccountPath, days: DayCount) -> Days:
    """The last days that the meter gives."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = held_of(caller, number)
    found = consumption.daily(held.account.pk, days, today=caller.today, sees=held.sees_days)
    return Days(
        items=[
            DayUse(
                day=one.day,
                energy_wh=one.energy_wh,
                amount=maybe_money(one.amount_minor),
                is_actual=one.is_actual,
            )
            for one in found
        ]
    )


@router.get(
    "/accounts/{number}/use/forecast",
    response={200: Forecast, **PROBLEMS},
    operation_id="getForecast",
    summary="The next bill as expected",
)
def get_forecast(request: HttpRequest, number: AccountPath) -> Forecast:
    """Priced by the tariffs in force."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = held_of(caller, number)
    ahead = consumption.forecast(held.account.pk, caller.today) if held.is_open else None
    if ahead is None:
        return Forecast(next_bill=None)
    return Forecast(
        next_bill=NextBill(
            start_date=ahead.start,
            end_date=ahead.until,
            known_until=ahead.known_until,
            method=ahead.method,
            energy_wh=ahead.energy_wh,
            low_wh=ahead.low_wh,
            high_wh=ahead.high_wh,
            amount=money(ahead.amount_minor),
            low_amount=money(ahead.low_minor),
            high_amount=money(ahead.high_minor),
        )
    )


@router.get(
    "/accounts/{number}/exports/{name}",
    response={200: None, **PROBLEMS},
    operation_id="exportAccount",
    summary="An account as a file",
    openapi_extra={
        "responses": {200: {"content": {"text/csv": _BINARY, XLSX: _BINARY, ATOM: _BINARY}}},
    },
)
def export_account(
    request: HttpRequest,
    number: AccountPath,
    name: Annotated[
        str,
        Path(
            description="bills.csv, payments.csv, days.csv, all.xlsx or greenbutton.xml (ESPI 4.0).",
            examples=["bills.csv"],
        ),
    ],
) -> HttpResponse:
    """CSV and Excel in the caller's language; Green Button of the last 25 months."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held, currency = held_of(caller, number), installed_profile().currency
    file = f"{held.account.number}-{name}"
    if name == "greenbutton.xml":
        last = Period.of(caller.today)
        first = last.plus(1 - GREEN_BUTTON_MONTHS)
        data = greenbutton(held.account.pk, first, last, now=caller.now, sees=held.sees_days)
        return file_answer(data, ATOM, file)
    if name == "all.xlsx":
        tables = [_table(caller, held, key) for key in ("bills", "payments", "days")]
        return file_answer(xlsx_bytes(tables, currency, caller.lang, now=caller.now), XLSX, file)
    key = name.removesuffix(".csv")
    if key == name or key not in ("bills", "payments", "days"):
        raise not_found()
    return file_answer(csv_bytes(_table(caller, held, key), currency), CSV, file)


def _table(caller: Caller, held: Held, key: str) -> Table:
    id = held.account.pk
    if key == "bills":
        return bills_table(id, caller.lang, sees=held.sees_days)
    if key == "days":
        return days_table(id, caller.lang, today=caller.today, sees=held.sees_days)
    first, end = money_days(held)
    return payments_table(id, caller.lang, first=first, end=end)
