"""The reference: one bill at a time, day by day, in Decimal and Fraction, as a careful clerk would do it.

Owns nothing that runs in production; tests and the benchmark hold the kernel to it, to the minor unit.
It shares no arithmetic and no timeline with the kernel: only the documents and the line codes.
"""

import calendar
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from math import floor

from tayyar.tariffs import lines as codes
from tayyar.tariffs.book import TariffBook
from tayyar.tariffs.documents import Block, FixedFee, Scope, Season, Tax, Version

ONE = Decimal(1)
Line = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Bill:
    """What is asked: as a row of the kernel's accounts frame."""

    category: str
    entitled: bool
    start: dt.date
    end: dt.date
    energy_wh: int
    breaker_a: int
    months: int = 1
    year_wh: int = 0
    standard: bool = False
    registers: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """What it comes to, in minor units, with the lines of the bill."""

    energy: int = 0
    fixed: int = 0
    subsidy: int = 0
    tax: int = 0
    support: int = 0
    tariff: int = 0
    problem: str | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.energy + self.fixed + self.subsidy + self.tax


class _Stop(Exception):
    """This bill cannot be charged; the argument is the problem."""


State = tuple[Version, int, tuple[Tax, ...]]


@lru_cache(maxsize=200_000)
def state_on(book: TariffBook, category: str, entitled: bool, day: dt.date) -> State | None:
    """The version, season and taxes of one day, found by reading every document."""
    best: Version | None = None
    for version in book.versions:
        mine = any(
            scope.category == category and (scope.entitled is None or scope.entitled == entitled)
            for scope in version.applies_to
        )
        begun = version.selectable and (version.first_day is None or version.first_day <= day)
        if not mine or not begun or (version.end_day is not None and version.end_day <= day):
            continue
        if best is None or (version.first_day or dt.date.min) > (best.first_day or dt.date.min):
            best = version
    if best is None:
        return None
    season = len(best.seasons) - 1
    for at, candidate in enumerate(best.seasons):
        if (day.month, day.day) >= candidate.start:
            season = at
    taxes = tuple(
        tax
        for tax in best.taxes
        if (not tax.first_day or tax.first_day <= day) and (not tax.end_day or day < tax.end_day)
    )
    return best, season, taxes


def charge_one(book: TariffBook, bill: Bill) -> Result:
    """Charge one bill. A bill that cannot be charged has zero amounts, no lines and a problem."""
    result = Result()
    last = state_on(book, bill.category, bill.entitled, bill.end - dt.timedelta(days=1))
    category = bill.category
    if last and last[0].threshold and bill.year_wh + bill.energy_wh > last[0].threshold.limit_wh:
        category = last[0].threshold.moves_to
    try:
        clerk = _Clerk(book, bill, result)
        for state, start, end in _parts(book, category, bill):
            clerk.part(state, start, end)
    except _Stop as stop:
        return Result(problem=str(stop))
    return result


def _parts(book: TariffBook, category: str, bill: Bill) -> list[tuple[State | None, dt.date, dt.date]]:
    """Runs of days with the same state."""
    parts: list[tuple[State | None, dt.date, dt.date]] = []
    for number in range((bill.end - bill.start).days):
        day = bill.start + dt.timedelta(days=number)
        state = state_on(book, category, bill.entitled, day)
        if parts and parts[-1][0] == state:
            parts[-1] = (state, parts[-1][1], day + dt.timedelta(days=1))
        else:
            parts.append((state, day, day + dt.timedelta(days=1)))
    return parts


class _Clerk:
    """Charges the parts of one bill in order of time."""

    def __init__(self, book: TariffBook, bill: Bill, result: Result) -> None:
        self.book, self.bill, self.result = book, bill, result
        self.digits = book.profile.currency.minor_digits
        self.given_wh = 0
        self.given = dict.fromkeys(bill.registers, 0)

    def part(self, state: State | None, start: dt.date, end: dt.date) -> None:
        if state is None:
            raise _Stop("NO_TARIFF")
        version, season_at, taxes = state
        bill, result = self.bill, self.result
        self.version, self.start, self.end = version, start, end
        self.days, self.before = (end - start).days, (start - bill.start).days
        self.period = (bill.end - bill.start).days
        self.code = version.number * codes.PER_TARIFF
        result.tariff = version.number
        season = version.seasons[season_at]
        self._refuse_unknown(season, taxes)
        wh = self._my_energy()
        energy = self._energy(season, season_at, wh)
        fixed = sum(self._fee(at, fee, wh) for at, fee in enumerate(version.fixed))
        subsidy = self._subsidies(wh, energy)
        fixed += self._minimum(energy + fixed + subsidy)
        tax = sum(self._tax(one, energy, fixed, subsidy) for one in taxes)
        result.energy += energy
        result.fixed += fixed
        result.subsidy += subsidy
        result.tax += tax
        if version.compare_with:
            result.support += self._support(version.compare_with, wh, energy)

    # Time and size

    def _refuse_unknown(self, season: Season, taxes: tuple[Tax, ...]) -> None:
        version = self.version
        if any(band.amount_minor is None for fee in version.fixed for band in fee.bands):
            raise _Stop("FEE_UNKNOWN")
        if any(tax.rate_micro is None for tax in taxes):
            raise _Stop("TAX_UNKNOWN")
        sized = len(season.blocks) > 1 or any(fee.by == "CONSUMPTION" for fee in version.fixed)
        sized = sized or any(subsidy.up_to_wh is not None for subsidy in version.subsidies)
        if version.proration.rule == "UNKNOWN" and sized and not self.bill.standard:
            raise _Stop("PRORATION_UNKNOWN")

    def _my_energy(self) -> int:
        """This part's Wh: floor of its share by days; the last part takes what is left."""
        bill = self.bill

        def share(total: int, given: int) -> int:
            return total - given if self.end == bill.end else total * self.days // self.period

        self.mine = {name: share(total, self.given[name]) for name, total in bill.registers.items()}
        for name, amount in self.mine.items():
            self.given[name] += amount
        wh = share(bill.energy_wh, self.given_wh)
        self.given_wh += wh
        return wh

    def _months(self, version: Version) -> Fraction:
        """How many months of block size this part has."""
        by_months = Fraction(self.bill.months * self.days, self.period)
        rule = version.proration.rule
        if rule in ("MONTHS", "UNKNOWN") or self.bill.standard:
            return by_months
        if rule == "DAYS":
            return Fraction(self.days, version.proration.divisor_days)
        if rule == "YEAR_365":
            return Fraction(12 * self.days, 365)
        total = Fraction(0)
        for number in range(self.days):
            day = self.start + dt.timedelta(days=number)
            total += Fraction(1, calendar.monthrange(day.year, day.month)[1])
        return total

    def _size(self, size_wh: int, version: Version) -> int:
        return floor(size_wh * self._months(version) + Fraction(1, 2))

    def _rounded(self, major: Decimal) -> int:
        """Major units to minor units, half away from zero."""
        return int(major.scaleb(self.digits).quantize(ONE, ROUND_HALF_UP))

    def _price(self, wh: int, price_micro: int) -> int:
        return self._rounded(Decimal(wh) * Decimal(price_micro) / Decimal(10**9))

    def _write(self, component: int, quantity: int, price_micro: int, amount: int, show: bool) -> int:
        if show:
            self.result.lines.append((self.code + component, quantity, price_micro, amount))
        return amount

    # Energy

    def _energy(self, season: Season, season_at: int, wh: int) -> int:
        if season.registers:
            return self._registers(season, season_at)
        first = codes.BLOCK + codes.BLOCKS_PER_SEASON * season_at
        total = 0
        for at, quantity in self._split(season.blocks, wh, self.version):
            price = season.blocks[at].price_micro
            if price is None:
                raise _Stop("PRICE_UNKNOWN")
            total += self._write(first + at, quantity, price, self._price(quantity, price), True)
        return total

    def _split(self, blocks: tuple[Block, ...], wh: int, version: Version) -> list[tuple[int, int]]:
        """(block, Wh) pairs by filling from below, starting over at every repricing block that is reached."""
        pairs: list[tuple[int, int]] = []
        filled = 0
        for at, block in enumerate(blocks):
            if wh <= filled:
                break
            upper = wh if block.up_to_wh is None else min(wh, self._size(block.up_to_wh, version))
            if block.reprices_all:
                pairs = [(at, upper)]
            elif upper > filled:
                pairs.append((at, upper - filled))
            filled = upper
        return pairs

    def _registers(self, season: Season, season_at: int) -> int:
        first = codes.REGISTER + codes.REGISTERS_PER_SEASON * season_at
        total = 0
        if any(register.code not in self.mine for register in season.registers):
            raise _Stop("REGISTER_MISSING")
        if sum(self.bill.registers[register.code] for register in season.registers) != self.bill.energy_wh:
            raise _Stop("REGISTERS_DIFFER")
        for at, register in enumerate(season.registers):
            quantity, price = self.mine[register.code], register.price_micro or 0
            total += self._write(first + at, quantity, price, self._price(quantity, price), quantity > 0)
        return total

    # The rest of the bill

    def _fee(self, at: int, fee: FixedFee, wh: int) -> int:
        value = {"FLAT": 0, "BREAKER": self.bill.breaker_a, "CONSUMPTION": wh}[fee.by]
        for band in fee.bands:
            upper = band.upper
            if upper is not None and fee.by == "CONSUMPTION":
                upper = self._size(upper, self.version)
            if upper is None or value <= upper:
                break
        amount = band.amount_minor or 0
        price_micro = amount * 10 ** (6 - self.digits)
        months, whole = self.bill.months, self.days == self.period
        if fee.per == "DAY":
            days = 30 * months if self.bill.standard else self.days
            return self._write(codes.FIXED + at, days, price_micro, amount * days, amount > 0)
        if whole:
            return self._write(codes.FIXED + at, months, price_micro, amount * months, amount > 0)
        share = self._shared(amount * months)
        return self._write(codes.FIXED_SHARE + at, self.days, price_micro, share, share != 0)

    def _shared(self, amount: int) -> int:
        """A part's share of a period's amount: rounded running total less what went before."""

        def up_to(days: int) -> int:
            return int((Decimal(amount * days) / Decimal(self.period)).quantize(ONE, ROUND_HALF_UP))

        return up_to(self.before + self.days) - up_to(self.before)

    def _subsidies(self, wh: int, energy: int) -> int:
        total = 0
        for at, subsidy in enumerate(self.version.subsidies):
            if subsidy.percent_micro is not None:
                rate, quantity = subsidy.percent_micro, energy
                amount = self._rounded(Decimal(energy).scaleb(-self.digits) * Decimal(rate).scaleb(-6))
            else:
                rate = subsidy.per_kwh_micro or 0
                limit = subsidy.up_to_wh
                quantity = wh if limit is None else min(wh, self._size(limit, self.version))
                amount = self._price(quantity, rate)
            total += self._write(codes.SUBSIDY + at, quantity, -rate, -amount, amount != 0)
        return total

    def _minimum(self, so_far: int) -> int:
        minimum = self.version.minimum
        if minimum is None:
            return 0
        missing = max(0, self._shared(minimum.amount_minor * self.bill.months) - so_far)
        price_micro = minimum.amount_minor * 10 ** (6 - self.digits)
        return self._write(codes.MINIMUM, self.bill.months, price_micro, missing, missing != 0)

    def _tax(self, tax: Tax, energy: int, fixed: int, subsidy: int) -> int:
        parts = {"ENERGY": energy, "FIXED": fixed, "SUBSIDY": subsidy}
        base = sum(parts[name] for name in tax.base)
        rate = tax.rate_micro or 0
        amount = self._rounded(Decimal(base).scaleb(-self.digits) * Decimal(rate).scaleb(-6))
        at = codes.TAX + self.version.taxes.index(tax)
        return self._write(at, base, rate, amount, amount != 0)

    def _support(self, scope: Scope, wh: int, energy: int) -> int:
        """What the compared tariff would charge for this part's energy, less what was charged."""
        state = state_on(self.book, scope.category, bool(scope.entitled), self.end - dt.timedelta(days=1))
        if state is None or not state[0].seasons[state[1]].blocks:
            return 0
        blocks, compared = state[0].seasons[state[1]].blocks, 0
        for at, quantity in self._split(blocks, wh, state[0]):
            price = blocks[at].price_micro
            if price is None:
                return 0
            compared += self._price(quantity, price)
        return compared - energy
