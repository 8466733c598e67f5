"""What a tariff document says, as frozen values in integer units. docs/tariff-documents.md explains each.

Owns the shapes; `parse` makes them from YAML, `book` chooses among them, `kernel` computes with them.
Units: energy in Wh, prices in millionths of the major unit (micro), amounts in minor units, days half-open.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

Names = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """Energy above the previous block up to and including `up_to_wh` (None: no end).

    `price_micro` is per kWh; None is unknown. `reprices_all`: once consumption falls in this block, every
    kWh from zero is charged at its price.
    """

    up_to_wh: int | None
    price_micro: int | None
    reprices_all: bool
    question: str | None


@dataclass(frozen=True, slots=True)
class Register:
    """A time-of-use register: `code` names the column energy_wh_<code>; price per kWh, None unknown."""

    code: str
    names: Names
    price_micro: int | None
    question: str | None


@dataclass(frozen=True, slots=True)
class Season:
    """A price table with the day of the year it starts, (month, day). One season: the whole year."""

    code: str | None
    names: Names
    start: tuple[int, int]
    blocks: tuple[Block, ...]
    registers: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """One step of a fixed fee: up to and including `upper` (ampere or Wh; None: no end)."""

    upper: int | None
    amount_minor: int | None
    confidence: str | None


@dataclass(frozen=True, slots=True)
class FixedFee:
    """A fee per MONTH or per DAY; `by` FLAT, BREAKER (ampere) or CONSUMPTION (Wh of the period)."""

    code: str
    names: Names
    per: str
    by: str
    bands: tuple[Band, ...]
    question: str | None


@dataclass(frozen=True, slots=True)
class Subsidy:
    """A visible deduction: `percent_micro` of the energy charge, or `per_kwh_micro` on the first `up_to_wh`."""

    code: str
    names: Names
    percent_micro: int | None
    per_kwh_micro: int | None
    up_to_wh: int | None


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least that energy, fees and subsidy come to per month."""

    names: Names
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Tax:
    """A dated tax: `rate_micro` (150000 is 15 %, None unknown) on the parts named in `base`."""

    code: str
    names: Names
    rate_micro: int | None
    question: str | None
    base: frozenset[str]  # ENERGY, FIXED, SUBSIDY
    first_day: dt.date | None
    end_day: dt.date | None


@dataclass(frozen=True, slots=True)
class Proration:
    """How block sizes follow the time billed. `rule` MONTHS, DAYS (with `divisor_days`), DAYS_IN_MONTH,
    YEAR_365, or UNKNOWN when an open question decides."""

    rule: str
    divisor_days: int
    question: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Who a tariff is for: a category code, and only the entitled (True), the others (False) or all (None)."""

    category: str
    entitled: bool | None


@dataclass(frozen=True, slots=True)
class AnnualThreshold:
    """Above `limit_wh` in a rolling year, this bill included, the bill is charged as `moves_to`."""

    limit_wh: int
    moves_to: str


@dataclass(frozen=True, eq=False)
class Version:
    """One tariff document: the prices of some categories from `first_day` to before `end_day`.

    `first_day` None: since an unknown day (`selectable`), or not in force at all until a question is answered.
    `number` is unique and stable in the profile; `content_hash` is the SHA-256 of what the document means.
    """

    id: str
    number: int
    names: Names
    published_category: str | None
    applies_to: tuple[Scope, ...]
    first_day: dt.date | None
    end_day: dt.date | None
    selectable: bool
    question: str | None
    proration: Proration
    seasons: tuple[Season, ...]
    fixed: tuple[FixedFee, ...]
    subsidies: tuple[Subsidy, ...]
    minimum: Minimum | None
    taxes: tuple[Tax, ...]
    compare_with: Scope | None
    threshold: AnnualThreshold | None
    source: tuple[str, ...]
    confidence: str
    note: str
    content_hash: str
    file: str
