"""What the next bill will probably come to: exact integers in, a middle and a low and high end out.

Owns the method, in plain arithmetic that a reader can be told in one sentence:
    known     what the meter has already shown since the last bill is taken as it is
    LAST_YEAR the days that remain use as much a day as the same bill a year ago, times how the last three bills
              compare with theirs a year before (never less than half, never more than double)
    RECENT    without a bill of a year ago: as much a day as the last three bills did
    band      the remaining days, less and more by the largest miss of the method among those bills: 10 to 50 percent;
              30 percent where there was only one bill to judge by
Never knows a tariff: the caller gives a `price` function. Next: billing/consumption.py.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tayyar.core.money import divide_half_up
from tayyar.core.periods import Period

RECENT_BILLS = 3
NEAR_DAYS = 15  # a bill is "the same a year ago" when it ended at most this far from the day
LEAST_PERMILLE, MOST_PERMILLE, UNJUDGED_PERMILLE = 100, 500, 300


@dataclass(frozen=True, slots=True)
class Billed:
    """A bill that stands: its days [start, end) and its energy in Wh."""

    start: dt.date
    end: dt.date
    energy_wh: int

    @property
    def days(self) -> int:
        """How many."""
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Coming:
    """The bill to come: its days [start, end), and what the first `known_days` of them used, in Wh."""

    start: dt.date
    end: dt.date
    known_wh: int = 0
    known_days: int = 0

    @property
    def rest_days(self) -> int:
        """Days of which nothing is known yet."""
        return max(0, (self.end - self.start).days - self.known_days)


@dataclass(frozen=True, slots=True)
class Expected:
    """Energy of the bill to come, in Wh, with its band. `method` is LAST_YEAR or RECENT."""

    method: str
    energy_wh: int
    low_wh: int
    high_wh: int


@dataclass(frozen=True, slots=True)
class Priced:
    """Expected energy and what it costs, in minor units; low <= amount <= high."""

    amount_minor: int
    low_minor: int
    high_minor: int


class Price(Protocol):
    """What a bill over the coming days costs at some energy, in minor units."""

    def __call__(self, energy_wh: int) -> int: ...


def coming_period(last_end: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """The days of the bill after one that ended on `last_end`: to the same day, `months` later."""
    return last_end, Period.of(last_end).plus(months).day(last_end.day)


def expected_use(coming: Coming, history: Sequence[Billed]) -> Expected | None:
    """The energy of the bill to come, from the bills that stand, newest first; None without a bill."""
    recent = [bill for bill in history[:RECENT_BILLS] if bill.days > 0]
    if not recent:
        return None
    model = a_year_before(coming.end, history)
    pairs = [(bill, before) for bill in recent if (before := a_year_before(bill.end, history))]
    energy, days = sum(bill.energy_wh for bill in recent), sum(bill.days for bill in recent)
    if model is None:
        rest_wh = divide_half_up(coming.rest_days * energy, days)
        spread = _spread([(bill.energy_wh * days, energy * bill.days) for bill in recent])
        return _banded("RECENT", coming, rest_wh, spread)
    up, down = _growth(pairs)
    rest_wh = divide_half_up(coming.rest_days * model.energy_wh * up, model.days * down)
    misses = [
        (bill.energy_wh * before.days * down, before.energy_wh * bill.days * up) for bill, before in pairs
    ]
    return _banded("LAST_YEAR", coming, rest_wh, _spread(misses))


def a_year_before(end: dt.date, history: Sequence[Billed]) -> Billed | None:
    """The bill that ended nearest to a year before `end`, at most NEAR_DAYS away; the newer of two as near."""
    wanted = Period.of(end).plus(-12).day(end.day)
    near = [bill for bill in history if bill.days > 0 and abs((bill.end - wanted).days) <= NEAR_DAYS]
    return min(near, key=lambda bill: abs((bill.end - wanted).days), default=None)


def priced(expected: Expected, price: Price) -> Priced:
    """The amounts. A tariff may charge less for more (a subsidy that begins, say), so the ends are sorted."""
    amount = price(expected.energy_wh)
    ends = (amount, price(expected.low_wh), price(expected.high_wh))
    return Priced(amount, min(ends), max(ends))


def _growth(pairs: Sequence[tuple[Billed, Billed]]) -> tuple[int, int]:
    """How the recent bills compare with a year before, per day, as a fraction within [1/2, 2]."""
    up = sum(bill.energy_wh for bill, _ in pairs) * sum(before.days for _, before in pairs)
    down = sum(before.energy_wh for _, before in pairs) * sum(bill.days for bill, _ in pairs)
    if up <= 0 or down <= 0:
        return 1, 1
    if 2 * up < down:
        return 1, 2
    return (2, 1) if up > 2 * down else (up, down)


def _spread(misses: Sequence[tuple[int, int]]) -> int:
    """The largest relative miss of (was, expected) in thousandths, rounded up, within its bounds."""
    if len(misses) < 2:
        return UNJUDGED_PERMILLE
    largest = max(
        -(-abs(was - expected) * 1000 // expected) if expected > 0 else MOST_PERMILLE
        for was, expected in misses
    )
    return min(max(largest, LEAST_PERMILLE), MOST_PERMILLE)


def _banded(method: str, coming: Coming, rest_wh: int, permille: int) -> Expected:
    known = coming.known_wh
    return Expected(
        method,
        known + rest_wh,
        known + divide_half_up(rest_wh * (1000 - permille), 1000),
        known + divide_half_up(rest_wh * (1000 + permille), 1000),
    )
