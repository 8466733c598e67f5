"""Prices many bills at once under one segment of a tariff: int64 vectors in, int64 vectors out.

Owns the arithmetic of blocks, registers, fees, subsidies, minimum and taxes, and its rounding
(docs/rounding.md). Never chooses a tariff. The flow goes back to `kernel`, which gathers the lines.

A value that is the same for every bill is a plain int (`Ints`), so the common case, one period for all,
costs nothing extra. Bounds that keep int64 safe: energy at most `energy_limit_wh`, block edges 1e11 Wh,
1100 days, 36 months, prices 9000 per kWh (checked when the document is read).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tayyar.tariffs.documents import Band, FixedFee, Proration, Season, Version
from tayyar.tariffs.lines import (
    BLOCK,
    BLOCKS_PER_SEASON,
    FIXED,
    FIXED_SHARE,
    MINIMUM,
    PER_TARIFF,
    REGISTER,
    REGISTERS_PER_SEASON,
    SUBSIDY,
    TAX,
)
from tayyar.tariffs.timeline import FIRST_DAY, LAST_DAY, Segment, epoch_day

Vector = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Ints = int | Vector
Component = tuple[int, Ints, Ints, Ints]  # line code, quantity, price_micro, amount

MICRO = 1_000_000
MAX_ENERGY_WH = 10**12  # 1e9 kWh: more than that is a mistake, not a bill
STANDARD_MONTH_DAYS = 30
MONTH_UNITS = 377_580  # least common multiple of 28, 29, 30, 31: one month is this many exact units

PRICE_UNKNOWN, FEE_UNKNOWN, TAX_UNKNOWN, PRORATION_UNKNOWN = 2, 3, 4, 5
ENERGY_TOO_LARGE, REGISTER_MISSING, REGISTERS_DIFFER = 7, 9, 10


@dataclass(slots=True)
class Parts:
    """Bills, or parts of bills, of one segment. All vectors have one value per part, n of them.

    `whole`: every part is its whole bill. `before_days`: days of the bill before this part.
    `standard`: the period counts as exactly `months` standard months, whatever its days.
    `bill_energy_wh`, `bill_registers`: of the whole bill, to check that its registers are its total.
    """

    n: int
    energy_wh: Vector
    start: Ints
    days: Ints
    before_days: Ints
    period_days: Ints
    months: Ints
    standard: bool | Flags
    breaker_a: Ints
    registers: Mapping[str, Vector]
    whole: bool
    bill_energy_wh: Vector
    bill_registers: Mapping[str, Vector]


@dataclass(slots=True)
class Priced:
    """What the parts come to. `components` are (line code, quantity, price_micro, amount), in bill order."""

    n: int
    energy: Vector
    fixed: Ints = 0
    subsidy: Ints = 0
    tax: Ints = 0
    components: list[Component] = field(default_factory=list)
    problem: npt.NDArray[np.int8] | None = None

    def flag(self, where: Flags | bool, problem: int) -> None:
        """Mark parts that cannot be charged; the first reason stays."""
        if not np.any(where):
            return
        if self.problem is None:
            self.problem = np.zeros(self.n, dtype=np.int8)
        self.problem[(self.problem == 0) & where] = problem


def price(segment: Segment, parts: Parts, minor_digits: int) -> Priced:
    """Charge every part under one segment. Amounts in minor units of a currency of `minor_digits`."""
    version, season = segment.version, segment.season
    first_code = version.number * PER_TARIFF
    scale = block_scale(version.proration, parts)
    priced = Priced(parts.n, np.zeros(0, dtype=np.int64))
    _flag_unknown(segment, parts, priced)
    limit_wh = energy_limit_wh(season)
    if limit_wh < MAX_ENERGY_WH:
        priced.flag(parts.energy_wh > limit_wh, ENERGY_TOO_LARGE)
    if season.registers:
        _price_registers(season, segment.season_at, parts, first_code, minor_digits, priced)
    else:
        code = first_code + BLOCK + BLOCKS_PER_SEASON * segment.season_at
        _price_blocks(season, code, parts.energy_wh, scale, minor_digits, priced)
    for at, fee in enumerate(version.fixed):
        _price_fee(fee, at, parts, scale, first_code, minor_digits, priced)
    if version.subsidies:
        _price_subsidies(version, parts, scale, first_code, minor_digits, priced)
    if version.minimum:
        _price_minimum(version.minimum.amount_minor, parts, first_code, minor_digits, priced)
    for at in segment.taxes_at:
        _price_tax(segment, at, first_code, priced)
    return priced


def energy_charge(season: Season, proration: Proration, parts: Parts, minor_digits: int) -> Priced:
    """The energy charge alone, for comparison with another tariff (blocks only)."""
    priced = Priced(parts.n, np.zeros(0, dtype=np.int64))
    _price_blocks(season, 0, parts.energy_wh, block_scale(proration, parts), minor_digits, priced)
    return priced


def _flag_unknown(segment: Segment, parts: Parts, priced: Priced) -> None:
    """Unknown things that touch every bill: a fee, a tax, the rule that sizes the blocks."""
    version = segment.version
    if any(band.amount_minor is None for fee in version.fixed for band in fee.bands):
        priced.flag(True, FEE_UNKNOWN)
    if any(version.taxes[at].rate_micro is None for at in segment.taxes_at):
        priced.flag(True, TAX_UNKNOWN)
    if version.proration.rule == "UNKNOWN" and depends_on_days(version, segment.season):
        priced.flag(np.logical_not(parts.standard), PRORATION_UNKNOWN)


def depends_on_days(version: Version, season: Season) -> bool:
    """Whether the size of anything follows the days billed: more than one block, fee band or subsidy limit."""
    return (
        len(season.blocks) > 1
        or any(fee.by == "CONSUMPTION" for fee in version.fixed)
        or any(subsidy.up_to_wh is not None for subsidy in version.subsidies)
    )


# Block sizes


def block_scale(proration: Proration, parts: Parts) -> tuple[Ints, Ints]:
    """How many months' worth of block size each part has, as an exact fraction (numerator, denominator)."""
    by_month: tuple[Ints, Ints] = (
        (parts.months, 1) if parts.whole else (parts.months * parts.days, parts.period_days)
    )
    by_days = _scale_by_days(proration, parts)
    if by_days is None or parts.standard is True:
        return by_month
    if parts.standard is False:
        return by_days
    return (
        np.where(parts.standard, by_month[0], by_days[0]),
        np.where(parts.standard, by_month[1], by_days[1]),
    )


def _scale_by_days(proration: Proration, parts: Parts) -> tuple[Ints, Ints] | None:
    if proration.rule == "DAYS":
        return parts.days, proration.divisor_days
    if proration.rule == "DAYS_IN_MONTH":
        units, offset = _month_units(), epoch_day(FIRST_DAY)
        return units[parts.start + parts.days - offset] - units[parts.start - offset], MONTH_UNITS
    if proration.rule == "YEAR_365":
        return 12 * parts.days, 365
    return None


@lru_cache(maxsize=1)
def _month_units() -> Vector:
    """For each day from FIRST_DAY: units before it, each day of a month of n days carrying MONTH_UNITS / n."""
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + 1)
    months = days.astype("datetime64[M]")
    lengths = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    total = np.cumsum(MONTH_UNITS // lengths)
    return np.concatenate([np.zeros(1, dtype=np.int64), total[:-1]])


def block_size(size_wh: int, scale: tuple[Ints, Ints]) -> Ints:
    """A block size for the time billed: size x numerator / denominator, HALF_UP to the Wh."""
    numerator, denominator = scale
    if isinstance(denominator, int) and denominator == 1:
        return size_wh * numerator
    return (2 * size_wh * numerator + denominator) // (2 * denominator)


# Energy


def energy_limit_wh(season: Season) -> int:
    """The most energy whose product with the dearest price stays well inside int64."""
    prices = [block.price_micro or 0 for block in season.blocks]
    prices += [register.price_micro or 0 for register in season.registers]
    return min(MAX_ENERGY_WH, 4 * 10**18 // max(1, *prices))


def line_amount(quantity_wh: Vector, price_micro: int, minor_digits: int) -> Vector:
    """Wh x price per kWh, HALF_UP to the minor unit. Wh x micro / 1e9 is the major unit."""
    divisor = int(10 ** (9 - minor_digits))
    product = quantity_wh * price_micro
    product += divisor // 2
    product //= divisor
    return product


def _price_blocks(
    season: Season, code: int, energy_wh: Vector, scale: tuple[Ints, Ints], minor_digits: int, priced: Priced
) -> None:
    """One component per block; the energy charge is the sum of the rounded block amounts."""
    quantities = _block_quantities(season, energy_wh, scale)
    amounts = []
    for at, (block, quantity) in enumerate(zip(season.blocks, quantities, strict=True)):
        if block.price_micro is None:
            priced.flag(quantity > 0, PRICE_UNKNOWN)
        amount = line_amount(quantity, block.price_micro or 0, minor_digits)
        amounts.append(amount)
        priced.components.append((code + at, quantity, block.price_micro or 0, amount))
    energy = amounts[0]
    for amount in amounts[1:]:
        energy = energy + amount
    priced.energy = energy


def _block_quantities(season: Season, energy_wh: Vector, scale: tuple[Ints, Ints]) -> list[Vector]:
    """Wh charged in each block. Blocks are (from, to]: exactly the edge still belongs below it."""
    if len(season.blocks) == 1:
        return [energy_wh]
    edges = [block_size(block.up_to_wh, scale) for block in season.blocks if block.up_to_wh is not None]
    filled = [np.minimum(energy_wh, edge) for edge in edges]
    filled.append(energy_wh)
    quantities = [filled[0], *(upper - lower for lower, upper in pairwise(filled))]
    repricing = [at for at, block in enumerate(season.blocks) if block.reprices_all and at > 0]
    if not repricing:
        return quantities
    # `base`: the last repricing block that the consumption reached. It takes all energy up to its edge; the
    # blocks before it take none; the blocks after it add their own share on top.
    base = np.zeros(len(energy_wh), dtype=np.int8)
    for at in repricing:
        base[energy_wh > edges[at - 1]] = at
    for at in range(repricing[-1] + 1):
        quantity = quantities[at] * (base <= at)
        if at in repricing:
            quantity += filled[at - 1] * (base == at)
        quantities[at] = quantity
    return quantities


def _price_registers(
    season: Season, season_at: int, parts: Parts, first_code: int, minor_digits: int, priced: Priced
) -> None:
    """One component per time-of-use register; together a bill's registers must be its total."""
    code = first_code + REGISTER + REGISTERS_PER_SEASON * season_at
    energy = np.zeros(parts.n, dtype=np.int64)
    total = np.zeros(parts.n, dtype=np.int64)
    for at, register in enumerate(season.registers):
        quantity = parts.registers.get(register.code)
        if quantity is None:
            priced.flag(True, REGISTER_MISSING)
            continue
        if register.price_micro is None:
            priced.flag(quantity > 0, PRICE_UNKNOWN)
        amount = line_amount(quantity, register.price_micro or 0, minor_digits)
        energy += amount
        total += parts.bill_registers[register.code]
        priced.components.append((code + at, quantity, register.price_micro or 0, amount))
    priced.flag(total != parts.bill_energy_wh, REGISTERS_DIFFER)
    priced.energy = energy


# Fees, subsidies, minimum


def _micro(amount_minor: Ints, minor_digits: int) -> Ints:
    return amount_minor * int(10 ** (6 - minor_digits))


def _share(amount_minor: Ints, parts: Parts) -> Ints:
    """A period's amount shared out by days: each part gets the rounded running total less what went before.

    The shares of equal amounts add up to the amount exactly.
    """
    if parts.whole:
        return amount_minor
    after = parts.before_days + parts.days

    def up_to(days: Ints) -> Ints:
        return (2 * amount_minor * days + parts.period_days) // (2 * parts.period_days)

    return up_to(after) - up_to(parts.before_days)


def _price_fee(
    fee: FixedFee,
    at: int,
    parts: Parts,
    scale: tuple[Ints, Ints],
    first_code: int,
    minor_digits: int,
    priced: Priced,
) -> None:
    fee_minor = _fee_amount(fee, parts, scale)
    price_micro = _micro(fee_minor, minor_digits)
    if fee.per == "DAY":
        days = _billed_days(parts)
        code, quantity, amount = first_code + FIXED + at, days, fee_minor * days
    elif parts.whole:
        code, quantity, amount = first_code + FIXED + at, parts.months, fee_minor * parts.months
    else:
        amount = _share(fee_minor * parts.months, parts)
        code, quantity = first_code + FIXED_SHARE + at, parts.days
    priced.components.append((code, quantity, price_micro, amount))
    priced.fixed = priced.fixed + amount


def _fee_amount(fee: FixedFee, parts: Parts, scale: tuple[Ints, Ints]) -> Ints:
    """The fee of each part, from its band: by breaker rating, or by the consumption (sized like blocks)."""
    if fee.by == "FLAT":
        return fee.bands[0].amount_minor or 0
    if fee.by == "BREAKER":
        table = _amounts_by_ampere(fee.bands)
        return table[np.minimum(parts.breaker_a, len(table) - 1)]
    amounts = np.array([band.amount_minor or 0 for band in fee.bands], dtype=np.int64)
    edges = [block_size(band.upper, scale) for band in fee.bands if band.upper is not None]
    if all(isinstance(edge, int) for edge in edges):
        return amounts[np.searchsorted(np.array(edges), parts.energy_wh, side="left")]
    band_at = np.zeros(parts.n, dtype=np.int64)
    for edge in edges:
        band_at += parts.energy_wh > edge
    return amounts[band_at]


@lru_cache(maxsize=256)
def _amounts_by_ampere(bands: tuple[Band, ...]) -> Vector:
    """The fee for each whole ampere, the last entry for all above: looking up beats searching bands."""
    uppers = [band.upper for band in bands if band.upper is not None]
    amounts = np.array([band.amount_minor or 0 for band in bands], dtype=np.int64)
    ampere = np.arange(uppers[-1] + 2 if uppers else 1)
    return amounts[np.searchsorted(np.array(uppers, dtype=np.int64), ampere, side="left")]


def _billed_days(parts: Parts) -> Ints:
    if parts.standard is False:
        return parts.days
    if parts.standard is True:
        return STANDARD_MONTH_DAYS * parts.months
    return np.where(parts.standard, STANDARD_MONTH_DAYS * parts.months, parts.days)


def _price_subsidies(
    version: Version,
    parts: Parts,
    scale: tuple[Ints, Ints],
    first_code: int,
    minor_digits: int,
    priced: Priced,
) -> None:
    for at, subsidy in enumerate(version.subsidies):
        quantity: Vector
        if subsidy.percent_micro is not None:
            rate, quantity = subsidy.percent_micro, priced.energy
            amount = (quantity * rate + MICRO // 2) // MICRO
        else:
            rate, quantity = subsidy.per_kwh_micro or 0, parts.energy_wh
            if subsidy.up_to_wh is not None:
                quantity = np.minimum(quantity, block_size(subsidy.up_to_wh, scale))
            amount = line_amount(quantity, rate, minor_digits)
        priced.components.append((first_code + SUBSIDY + at, quantity, -rate, -amount))
        priced.subsidy = priced.subsidy - amount


def _price_minimum(
    minimum_minor: int, parts: Parts, first_code: int, minor_digits: int, priced: Priced
) -> None:
    """A line for what is missing to the minimum; it counts as a fixed charge."""
    least = _share(minimum_minor * parts.months, parts)
    missing = np.maximum(least - (priced.energy + priced.fixed + priced.subsidy), 0)
    price_micro = _micro(minimum_minor, minor_digits)
    priced.components.append((first_code + MINIMUM, parts.months, price_micro, missing))
    priced.fixed = priced.fixed + missing


def _price_tax(segment: Segment, at: int, first_code: int, priced: Priced) -> None:
    """A tax on the sum of its base parts."""
    tax = segment.version.taxes[at]
    rate = tax.rate_micro or 0
    base: Ints = 0
    for name, amount in (("ENERGY", priced.energy), ("FIXED", priced.fixed), ("SUBSIDY", priced.subsidy)):
        if name in tax.base:
            base = base + amount
    can_be_negative = "SUBSIDY" in tax.base and bool(segment.version.subsidies)
    amount = tax_amount(base, rate, can_be_negative)
    priced.components.append((first_code + TAX + at, base, rate, amount))
    priced.tax = priced.tax + amount


def tax_amount(base_minor: Ints, rate_micro: int, can_be_negative: bool = True) -> Ints:
    """Base x rate, HALF_UP away from zero to the minor unit; the sign costs extra, so say when there is none."""
    if not can_be_negative:
        return (base_minor * rate_micro + MICRO // 2) // MICRO
    return np.sign(base_minor) * ((np.abs(base_minor) * rate_micro + MICRO // 2) // MICRO)
