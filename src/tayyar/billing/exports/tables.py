"""What the CSV and Excel files hold: tables of exact values, before any form.

Owns the columns. Amounts are minor units and energy is Wh until a writer prints them. Next: csv_.py, xlsx.py.
"""

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tayyar.billing.account_queries import Sees, payments_of
from tayyar.billing.consumption import daily
from tayyar.billing.exports.words import WORDS
from tayyar.billing.models import Bill, BillKind
from tayyar.core.periods import Period
from tayyar.profiles.installation import installed_profile

DAYS = 400  # of daily use: a year and the month before it
_DAY = dt.timedelta(days=1)


class Kind(StrEnum):
    """How a column's values are written: TEXT as it is, DATE, COUNT, ENERGY in Wh, MONEY in minor units."""

    TEXT = "TEXT"
    DATE = "DATE"
    COUNT = "COUNT"
    ENERGY = "ENERGY"
    MONEY = "MONEY"


Value = str | int | dt.date | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `name` BILLS, DAYS or PAYMENTS; a title and a kind for every column."""

    name: str
    title: str
    columns: tuple[tuple[str, Kind], ...]
    rows: Sequence[tuple[Value, ...]]


def bills_table(account_id: int, lang: str, *, sees: Sees | None = None) -> Table:
    """Every document of the account, newest first; a cancelled bill and its credit note add up to zero."""
    words, code = WORDS[lang], installed_profile().currency.code
    columns = (
        ("month", Kind.TEXT),
        ("number", Kind.TEXT),
        ("kind", Kind.TEXT),
        ("first_day", Kind.DATE),
        ("last_day", Kind.DATE),
        ("days", Kind.COUNT),
        ("energy", Kind.ENERGY),
        ("energy_amount", Kind.MONEY),
        ("fixed_amount", Kind.MONEY),
        ("subsidy_amount", Kind.MONEY),
        ("tax_amount", Kind.MONEY),
        ("total_amount", Kind.MONEY),
        ("currency", Kind.TEXT),
        ("issued", Kind.DATE),
        ("due", Kind.DATE),
    )
    found = list(
        Bill.objects.filter(account_id=account_id).order_by("-period", "-number").defer("lines", "readings")
    )
    cancelled = {(b.period, b.agreement_id, b.revision - 1) for b in found if b.kind == BillKind.CREDIT_NOTE}
    rows = [
        (
            str(Period.from_number(bill.period)),
            f"{bill.number:015d}",
            words[
                "KIND_CANCELLED"
                if (bill.period, bill.agreement_id, bill.revision) in cancelled
                else f"KIND_{BillKind(bill.kind).name}"
            ],
            bill.start_date,
            bill.end_date - _DAY,
            (bill.end_date - bill.start_date).days,
            bill.energy_wh,
            bill.energy_minor,
            bill.fixed_minor,
            bill.subsidy_minor,
            bill.tax_minor,
            bill.total_minor,
            code,
            bill.issue_date,
            bill.due_date,
        )
        for bill in found
        if sees is None or sees(bill.start_date, bill.end_date)
    ]
    return _table("BILLS", columns, rows, lang)


def days_table(account_id: int, lang: str, *, today: dt.date, sees: Sees | None = None) -> Table:
    """The days that the meters give, oldest first; empty where they are not read every day."""
    words = WORDS[lang]
    columns = (
        ("day", Kind.DATE),
        ("energy", Kind.ENERGY),
        ("amount_share", Kind.MONEY),
        ("quality", Kind.TEXT),
    )
    rows = [
        (use.day, use.energy_wh, use.amount_minor, words["ACTUAL" if use.is_actual else "OTHER"])
        for use in daily(account_id, DAYS, today=today, sees=sees)
    ]
    return _table("DAYS", columns, rows, lang)


def payments_table(
    account_id: int, lang: str, *, first: dt.date | None = None, end: dt.date | None = None
) -> Table:
    """Payments and adjustments of [first, end) that the ledger knows, newest first; < 0 was given back."""
    profile = installed_profile()
    zone = zoneinfo.ZoneInfo(profile.timezone)
    columns = (
        ("day", Kind.DATE),
        ("kind", Kind.TEXT),
        ("reference", Kind.TEXT),
        ("amount", Kind.MONEY),
        ("currency", Kind.TEXT),
    )
    rows = [
        (
            row.posted_at.astimezone(zone).date(),
            WORDS[lang][f"KIND_{row.kind.name}"],
            str(row.ref),
            row.amount_minor,
            profile.currency.code,
        )
        for row in payments_of(account_id, first=first, end=end)
    ]
    return _table("PAYMENTS", columns, rows, lang)


def _table(
    name: str, columns: tuple[tuple[str, Kind], ...], rows: Sequence[tuple[Value, ...]], lang: str
) -> Table:
    words = WORDS[lang]
    return Table(name, words[name], tuple((words[key], kind) for key, kind in columns), rows)
