"""What a profile is: frozen values, each from a profile folder, and the few questions one can ask of them.

Owns the shapes. Never reads a file (`loader`) and never knows prices (`tayyar.tariffs`).
Every other module receives a Profile and asks it.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tayyar.core.errors import UserError
from tayyar.core.money import Currency, divide_half_up
from tayyar.core.text import Formats
from tayyar.profiles.calendar import WorkingCalendar

Names = Mapping[str, str]  # {"ar": ..., "en": ..., "fr": ...}
Answer = Decimal | int | str | dt.date


@dataclass(frozen=True, slots=True)
class Alias:
    """Another word for a category. `entitled` is not None when the word itself says who is entitled."""

    text: str
    entitled: bool | None


@dataclass(frozen=True, slots=True)
class Category:
    """A tariff category. `number` is small, stable and stored; `code` is for people and files."""

    number: int
    code: str
    names: Names
    aliases: tuple[Alias, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Something the published sources leave open. `kind` says what an answer looks like.

    A `blocking` question must be answered before a bill run starts. `demo_value` is for demonstrations only.
    """

    key: str
    question: Names
    kind: str  # RATE, PRICE, AMOUNT, DATE, DIVISOR
    candidates: tuple[str, ...]
    why: str
    source: tuple[str, ...]
    demo_value: str | None
    blocking: bool


@dataclass(frozen=True, slots=True)
class Unverified:
    """Prices that someone remembers and no source confirms: named in refusals, never used."""

    category: str
    first_day: dt.date
    last_day: dt.date
    remembered: str


@dataclass(frozen=True, slots=True)
class Estimation:
    """Parameters of the estimate for a missing reading. Counts of bills, percents, days."""

    same_period_window_days: int
    trend_bills: int
    trend_low_percent: int
    trend_high_percent: int
    recent_average_bills: int
    max_consecutive_estimates: int
    confidence: str


@dataclass(frozen=True, slots=True)
class HighLow:
    """Outside these limits a bill is held for review. Percents of the expected consumption, and Wh."""

    own_low_percent: int
    own_high_percent: int
    peer_low_percent: int
    peer_high_percent: int
    ignore_below_wh: int
    confidence: str


@dataclass(frozen=True, slots=True)
class Rounding:
    """Names of the rounding rules (docs/rounding.md). `cash_step_minor` 0: cash is not rounded."""

    line: str
    tax: str
    block_size: str
    cash_step_minor: int

    def cash(self, amount_minor: int) -> int:
        """What is taken at a counter for an amount: the nearest multiple of the cash step, halves up."""
        if self.cash_step_minor == 0:
            return amount_minor
        return divide_half_up(amount_minor, self.cash_step_minor) * self.cash_step_minor


@dataclass(frozen=True, slots=True)
class PaymentWay:
    """One way to pay: its name and what to do. `example`: no source says that this utility takes it."""

    names: Names
    how: Names
    example: bool


@dataclass(frozen=True, slots=True)
class IdentityType:
    """A document that people (PERSON) or companies (BUSINESS) prove themselves by. `code` is one of identity.IdType.

    Its number has `least` to `most` digits, or letters too, and begins with one of `prefixes`, where there are any.
    `check`: LUHN, MOD97, EGYPT or "". `nationalities`: ISO 3166-1 codes of who may hold one; empty: anybody.
    """

    code: str
    kind: str
    names: Names
    least: int
    most: int
    has_letters: bool
    prefixes: tuple[str, ...]
    check: str
    nationalities: tuple[str, ...]
    confidence: str

    @property
    def nationality(self) -> str:
        """The one that such a document proves by itself; "" where it must be asked."""
        return self.nationalities[0] if len(self.nationalities) == 1 else ""


@dataclass(frozen=True, eq=False)
class Profile:
    """One country. `tariff_documents` are (file, raw values), read further by `tayyar.tariffs`."""

    code: str
    folder: Path
    names: Names
    utility_names: Names
    currency: Currency
    languages: tuple[str, ...]
    default_language: str
    formats: Formats
    timezone: str
    calling_code: str  # "966"; empty: telephone numbers are typed with theirs
    calendar: WorkingCalendar
    issue_day: int
    issue_day_move: str  # NEXT_WORKING_DAY, PREVIOUS, NONE
    issue_day_confidence: str
    days_to_due: int
    months_per_bill: int
    rounding: Rounding
    default_proration: Mapping[str, Any]
    default_breaker_a: int
    estimation: Estimation
    high_low: HighLow
    categories: tuple[Category, ...]
    consumer_rules: Mapping[str, Any]
    delivery: Mapping[str, Any]  # delivery.yaml as it is; read further by `tayyar.notifications.plans`
    complaint_contacts: tuple[Mapping[str, Any], ...]
    payment_ways: tuple[PaymentWay, ...]
    identity_types: tuple[IdentityType, ...]
    terms_version: str  # of the portal's terms, "2026-11": whoever signs up accepts these
    open_questions: tuple[Question, ...]
    answers: Mapping[str, Answer]
    unverified: tuple[Unverified, ...]
    shared_charges: tuple[str, Mapping[str, Any]]
    tariff_documents: tuple[tuple[str, Any], ...]

    @property
    def symbols(self) -> dict[str, str]:
        """The currency's word in each language."""
        return {
            language: self.formats.currency_words.get(language, self.currency.code)
            for language in self.languages
        }

    @property
    def weekend(self) -> frozenset[int]:
        """Weekend days as `date.weekday()` numbers, Monday 0."""
        return self.calendar.weekend

    def unanswered(self) -> tuple[Question, ...]:
        """Blocking questions without an answer. While there is one, no bill run may start."""
        return tuple(q for q in self.open_questions if q.blocking and q.key not in self.answers)

    def question(self, key: str) -> Question:
        """The open question of that key. Raises KeyError."""
        return next(q for q in self.open_questions if q.key == key)

    def identity_type(self, code: str) -> IdentityType | None:
        """The document of that code; None where it proves nobody here."""
        return next((found for found in self.identity_types if found.code == code), None)

    def category(self, code: str) -> Category:
        """The category of that code. Raises KeyError."""
        for category in self.categories:
            if category.code == code:
                return category
        raise KeyError(code)

    def resolve_category(self, text: str) -> tuple[Category, bool | None]:
        """A code or alias, in any case, as (category, entitled or None when the word does not say).

        Raises UserError that lists the known words.
        """
        wanted = " ".join(text.casefold().split())
        for category in self.categories:
            if wanted == category.code.casefold():
                return category, None
            for alias in category.aliases:
                if wanted == alias.text.casefold():
                    return category, alias.entitled
        known = "; ".join(
            f"{c.code} ({', '.join(a.text for a in c.aliases)})" if c.aliases else c.code
            for c in self.categories
        )
        raise UserError(
            f"{self.code.upper()} has no category {text!r}. Use one of: {known}; or the id of a tariff."
        )

    def issue_date(self, year: int, month: int) -> dt.date:
        """The day bills of that month are issued: `issue_day`, moved by the profile's rule."""
        return self.calendar.move(dt.date(year, month, self.issue_day), self.issue_day_move)

    def due_date(self, issued: dt.date) -> dt.date:
        """The last day to pay: `days_to_due` after issue, moved on to a working day."""
        return self.calendar.move(issued + dt.timedelta(days=self.days_to_due), "NEXT_WORKING_DAY")
