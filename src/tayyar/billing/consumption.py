"""How much an account uses and what it costs: by month, by day where the meter is read every day, and ahead.

Owns the reads behind the consumption page and the exports, and the pricing of a forecast by the tariff kernel. Never
writes; the forecast's method is forecast.py's, the daily differences are metering/use_queries.py's.
Next: the subscriber's pages, exports, api.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from tayyar.billing.account_queries import BillRow, Sees, standing_bills
from tayyar.billing.forecast import Billed, Coming, Expected, coming_period, expected_use, priced
from tayyar.billing.models import Bill
from tayyar.billing.run import whole_months
from tayyar.core.money import divide_half_up
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement
from tayyar.metering.segments import REGISTERS, unpack
from tayyar.metering.use_queries import daily_use, use_since
from tayyar.profiles.installation import installed_profile
from tayyar.tariffs.book import load_book
from tayyar.tariffs.kernel import charge

HISTORY_MONTHS = 26
LATE_DAYS = 31  # a bill that is later than this has a reason that no forecast knows


@dataclass(frozen=True, slots=True)
class MonthUse:
    """What the bills of one period that stand add up to."""

    period: Period
    energy_wh: int
    amount_minor: int
    days: int


@dataclass(frozen=True, slots=True)
class DayUse:
    """One day's energy. `amount_minor` is its share, by energy, of the bill it belongs to; None while not billed."""

    day: dt.date
    energy_wh: int
    amount_minor: int | None
    is_actual: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next bill: its days [start, until), energy in Wh and amount in minor units, each with its band.

    `known_until` is the day up to which the meter was read, None when not since the last bill. `method` is LAST_YEAR
    or RECENT (forecast.py), RECENT when any agreement of the account has no year behind it.
    """

    start: dt.date
    until: dt.date
    known_until: dt.date | None
    method: str
    energy_wh: int
    low_wh: int
    high_wh: int
    amount_minor: int
    low_minor: int
    high_minor: int


def monthly(account_id: int, months: int = 25, *, today: dt.date, sees: Sees | None = None) -> list[MonthUse]:
    """The billed periods of the last `months`, oldest first; a period without a bill is not among them."""
    return months_of(standing_bills(account_id, months=months, today=today, sees=sees))


def months_of(bills: Iterable[BillRow]) -> list[MonthUse]:
    """Bills that stand, in any order, added up by period, oldest first."""
    found: dict[Period, MonthUse] = {}
    for bill in bills:
        if bill.stands:
            old = found.get(bill.period, MonthUse(bill.period, 0, 0, 0))
            found[bill.period] = MonthUse(
                bill.period,
                old.energy_wh + bill.energy_wh,
                old.amount_minor + bill.total_minor,
                max(old.days, bill.days),
            )
    return [found[period] for period in sorted(found)]


def daily(account_id: int, days: int = 60, *, today: dt.date, sees: Sees | None = None) -> list[DayUse]:
    """The last `days` days that the meters give, oldest first; empty where meters are not read every day.

    A day of several usage points is there when each of them was read.
    """
    first, end = today - dt.timedelta(days=days), today + dt.timedelta(days=1)
    supplied = _supplied(account_id, first=first, end=end)
    read = daily_use(sorted({agreement.usage_point_id for agreement in supplied}), first=first, end=end)
    if not read:
        return []
    bills = standing_bills(account_id, months=days // 28 + 3, today=today)
    point_of = {agreement.pk: agreement.usage_point_id for agreement in supplied}
    parts: dict[dt.date, list[tuple[int, int | None, bool]]] = {}
    for row in read:
        if not any(_supplies(a, row.usage_point_id, row.day) for a in supplied):
            continue
        bill = next(
            (
                bill
                for bill in bills
                if bill.start_date <= row.day < bill.end_date
                and point_of.get(bill.agreement_id) == row.usage_point_id
            ),
            None,
        )
        if sees is None or sees(row.day, row.day + dt.timedelta(days=1)):
            share = _share(bill, row.energy_wh) if bill else None
            parts.setdefault(row.day, []).append((row.energy_wh, share, row.is_actual))
    out = []
    for day, found in sorted(parts.items()):
        if len(found) == sum(agreement_covers(agreement, day) for agreement in supplied):
            shares = [share for _, share, _ in found if share is not None]
            amount = sum(shares) if len(shares) == len(found) else None
            out.append(DayUse(day, sum(e for e, _, _ in found), amount, all(a for _, _, a in found)))
    return out


def forecast(account_id: int, today: dt.date) -> Forecast | None:
    """The next bill of the account: of all its agreements that go on. None where nothing was billed, nothing goes
    on, a bill is overdue by a month, or no tariff is known for its days."""
    rows = standing_bills(account_id, months=HISTORY_MONTHS, today=today)
    newest: dict[int, BillRow] = {}
    for row in rows:
        newest.setdefault(row.agreement_id, row)
    going_on = [
        a
        for a in Agreement.objects.filter(id__in=newest).select_related("usage_point", "account")
        if a.end_date is None or a.end_date > newest[a.pk].end_date
    ]
    parts = []
    for agreement in going_on:
        history = [
            Billed(r.start_date, r.end_date, r.energy_wh) for r in rows if r.agreement_id == agreement.pk
        ]
        part = _agreement_forecast(agreement, newest[agreement.pk], history, today)
        if part is None:
            return None
        parts.append(part)
    return _together(parts) if parts else None


def agreement_covers(agreement: Agreement, day: dt.date) -> bool:
    """Whether the account is supplied under the agreement on that day."""
    return agreement.start_date <= day and (agreement.end_date is None or day < agreement.end_date)


def _supplied(account_id: int, *, first: dt.date, end: dt.date) -> list[Agreement]:
    """The account's agreements that touch [first, end)."""
    found = Agreement.objects.filter(account_id=account_id, start_date__lt=end).exclude(end_date__lte=first)
    return list(found)


def _supplies(agreement: Agreement, usage_point_id: int, day: dt.date) -> bool:
    return agreement.usage_point_id == usage_point_id and agreement_covers(agreement, day)


def _share(bill: BillRow, energy_wh: int) -> int:
    return divide_half_up(bill.total_minor * energy_wh, bill.energy_wh) if bill.energy_wh > 0 else 0


def _agreement_forecast(
    agreement: Agreement, last: BillRow, history: Sequence[Billed], today: dt.date
) -> Forecast | None:
    start, until = coming_period(last.end_date, installed_profile().months_per_bill)
    if agreement.end_date is not None:
        until = min(until, agreement.end_date)
    if until + dt.timedelta(days=LATE_DAYS) < today:
        return None
    stored = Bill.objects.get(period=last.period.number, number=last.number)
    since = use_since(
        agreement.usage_point_id, unpack(stored.readings), end=min(today, until) + dt.timedelta(days=1)
    )
    known = (since.energy_wh, (since.until - start).days) if since else (0, 0)
    expected = expected_use(Coming(start, until, *known), history)
    if expected is None:
        return None
    amounts = _amounts(agreement, stored, expected, start, until)
    if amounts is None:
        return None
    result = priced(expected, lambda energy_wh: amounts[energy_wh])
    return Forecast(
        start=start,
        until=until,
        known_until=since.until if since else None,
        method=expected.method,
        energy_wh=expected.energy_wh,
        low_wh=expected.low_wh,
        high_wh=expected.high_wh,
        amount_minor=result.amount_minor,
        low_minor=result.low_minor,
        high_minor=result.high_minor,
    )


def _amounts(
    agreement: Agreement, last: Bill, expected: Expected, start: dt.date, until: dt.date
) -> dict[int, int] | None:
    """What the bill costs at each of the expected energies, by the tariffs in force; None when one is not known.

    A time-of-use bill is priced as if the registers shared the energy as on the last bill.
    """
    energies = sorted({expected.low_wh, expected.energy_wh, expected.high_wh})
    n = len(energies)
    frame = pl.DataFrame(
        {
            "row": range(n),
            "category": pl.Series([agreement.category] * n, dtype=pl.Int16),
            "start_date": [start] * n,
            "end_date": [until] * n,
            "energy_wh": pl.Series(energies, dtype=pl.Int64),
            "breaker_a": pl.Series([agreement.usage_point.breaker_a] * n, dtype=pl.Int32),
            "entitled": [agreement.account.is_entitled] * n,
            "months": pl.Series([whole_months((until - start).days)] * n, dtype=pl.Int32),
            "year_wh": pl.Series([last.year_wh] * n, dtype=pl.Int64),
        }
    )
    shares = _register_shares(last)
    if shares:
        frame = frame.with_columns(
            [pl.Series(name, [split(energy, shares)[name] for energy in energies]) for name in shares]
        )
    totals = charge(frame, load_book(installed_profile())).totals
    if totals["problem"].null_count() < n:
        return None
    return dict(zip(energies, totals["total_minor"].to_list(), strict=True))


def _register_shares(last: Bill) -> dict[str, int]:
    """Energy of each time-of-use register on a bill, under its column's name; empty for a meter with one total."""
    shares: dict[str, int] = {}
    for segment in unpack(last.readings):
        if segment.register:
            name = f"energy_wh_{REGISTERS[segment.register]}"
            shares[name] = shares.get(name, 0) + segment.energy_wh
    return shares


def split(energy_wh: int, shares: dict[str, int]) -> dict[str, int]:
    """`energy_wh` among registers in proportion to `shares` (equal when all are zero); the parts add up exactly."""
    weights = shares if sum(shares.values()) > 0 else dict.fromkeys(shares, 1)
    whole, given, cumulated = sum(weights.values()), 0, 0
    parts = {}
    for name, weight in weights.items():
        cumulated += weight
        upto = divide_half_up(energy_wh * cumulated, whole)
        parts[name], given = upto - given, upto
    return parts


def _together(parts: list[Forecast]) -> Forecast:
    """One account's agreements, added up."""
    if len(parts) == 1:
        return parts[0]
    known = [part.known_until for part in parts]
    return Forecast(
        start=min(part.start for part in parts),
        until=max(part.until for part in parts),
        known_until=min(day for day in known if day) if all(known) else None,
        method="LAST_YEAR" if all(part.method == "LAST_YEAR" for part in parts) else "RECENT",
        energy_wh=sum(part.energy_wh for part in parts),
        low_wh=sum(part.low_wh for part in parts),
        high_wh=sum(part.high_wh for part in parts),
        amount_minor=sum(part.amount_minor for part in parts),
        low_minor=sum(part.low_minor for part in parts),
        high_minor=sum(part.high_minor for part in parts),
    )
