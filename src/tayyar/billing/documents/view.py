"""`BillView`: everything a bill shows, as exact integers and dates, ready for any face and any language.

Owns the shape of a bill on its way to a reader. Never looks anything up and never formats.
Next: present.py puts it into words; pdf.py and the portal's bill page show it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from tayyar.core.errors import UserError
from tayyar.core.money import Currency
from tayyar.core.text import Formats

TEMPLATE_VERSION = 1

# Text that exists in several languages ({"ar": ..., "en": ..., "fr": ...}), or one text for all of them.
Text = str | Mapping[str, str]


class BillKind(StrEnum):
    """What kind of tax document this is."""

    BILL = "BILL"
    FINAL = "FINAL"
    CREDIT_NOTE = "CREDIT_NOTE"
    REBILL = "REBILL"


class LineKind(StrEnum):
    """What a line of a bill charges or credits."""

    ENERGY = "ENERGY"
    FIXED = "FIXED"
    SUBSIDY = "SUBSIDY"
    MINIMUM = "MINIMUM"
    TAX = "TAX"
    ADJUSTMENT = "ADJUSTMENT"


class Unit(StrEnum):
    """What a line's quantity counts."""

    KWH = "KWH"
    DAY = "DAY"
    MONTH = "MONTH"
    PERCENT = "PERCENT"


class Quality(StrEnum):
    """Who made a reading."""

    ACTUAL = "ACTUAL"
    ESTIMATED = "ESTIMATED"
    CUSTOMER = "CUSTOMER"


class ChangeKind(StrEnum):
    """A cause of the difference between two bills (explain.py)."""

    DAYS = "DAYS"
    CONSUMPTION = "CONSUMPTION"
    TARIFF = "TARIFF"
    SUBSIDY = "SUBSIDY"
    OTHER = "OTHER"


class ContactKind(StrEnum):
    """A way to reach the utility about a bill."""

    PHONE = "PHONE"
    EMAIL = "EMAIL"
    WEB = "WEB"
    OFFICE = "OFFICE"


@dataclass(frozen=True, slots=True)
class BillLineView:
    """One line. `quantity_milli` is thousandths of `unit` (so Wh for KWH, 15000 for 15 PERCENT).

    `price_micro` is millionths of the major unit per `unit`; None where no unit price makes sense.
    `from_kwh`/`to_kwh` are the half-open block [from, to) of an ENERGY line; `to_kwh` None is open above.
    An empty `label` on an ENERGY line is filled with the block's bounds.
    """

    kind: LineKind
    amount_minor: int
    label: Text = ""
    quantity_milli: int | None = None
    unit: Unit | None = None
    price_micro: int | None = None
    from_kwh: int | None = None
    to_kwh: int | None = None


@dataclass(frozen=True, slots=True)
class ReadingView:
    """A meter register over the period: its first and last value in Wh as the register shows them.

    `energy_wh` is what the period used through this register, rollover and `multiplier` applied.
    """

    meter_serial: str
    register: str
    from_date: date
    from_wh: int
    from_quality: Quality
    to_date: date
    to_wh: int
    to_quality: Quality
    energy_wh: int
    multiplier: int = 1


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Consumption of one billed month (`month` is its first day); None when nothing was billed."""

    month: date
    energy_wh: int | None


@dataclass(frozen=True, slots=True)
class PaymentView:
    """Money received since the previous bill; `amount_minor` is positive."""

    paid_on: date
    amount_minor: int
    label: Text = ""


@dataclass(frozen=True, slots=True)
class ChangeShare:
    """One cause's share of the difference to the previous bill; `facts` hold the integers its sentence needs."""

    kind: ChangeKind
    amount_minor: int
    facts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a complaint goes: a phone number, an e-mail or web address, or an office."""

    kind: ContactKind
    value: Text


@dataclass(frozen=True, slots=True)
class PayWay:
    """One way to pay, from the profile: its name and what to do."""

    name: Text
    how: Text = ""


@dataclass(frozen=True, slots=True)
class BillHead:
    """What the first screen behind a bill's link says of it; named and meant as in `BillView`."""

    bill_number: int
    account_number: str
    kind: BillKind
    last_day: date
    due_date: date
    currency: Currency
    formats: Formats
    total_minor: int
    amount_due_minor: int
    cancelled_by: int | None


@dataclass(frozen=True, slots=True)
class BillView:
    """A bill (module docstring). Periods are half-open [period_start, period_end); amounts are minor units.

    amount_due_minor = balance_before_minor + total_minor, and total_minor is the sum of the lines; anything
    else raises UserError. `balance_before_minor` already counts `payments` (those since the previous bill).
    """

    bill_number: int
    kind: BillKind
    utility_name: Text
    account_number: str
    holder_name: str
    service_address: Text
    service_centre: Text
    category: Text
    period_start: date
    period_end: date
    issue_date: date
    due_date: date
    currency: Currency
    formats: Formats
    total_minor: int
    energy_minor: int
    fixed_minor: int
    subsidy_minor: int
    tax_minor: int
    balance_before_minor: int
    amount_due_minor: int
    energy_wh: int
    lines: tuple[BillLineView, ...]
    readings: tuple[ReadingView, ...]
    page_url: str
    support_minor: int = 0
    history: tuple[HistoryView, ...] = ()
    same_month_last_year_wh: int | None = None
    previous_total_minor: int | None = None
    payments: tuple[PaymentView, ...] = ()
    explanation: tuple[ChangeShare, ...] = ()
    contacts: tuple[Contact, ...] = ()
    ways_to_pay: tuple[PayWay, ...] = ()
    pdf_url: str = ""
    issuer_vat_number: str = ""
    cancelled_by: int | None = None
    corrects: int | None = None
    mask_holder: bool = False
    template_version: int = TEMPLATE_VERSION

    def __post_init__(self) -> None:
        """Refuse a bill whose figures do not add up: a wrong total must never reach a reader."""
        if sum(line.amount_minor for line in self.lines) != self.total_minor:
            raise self._refusal("its lines do not add up to its total")
        if self.balance_before_minor + self.total_minor != self.amount_due_minor:
            raise self._refusal("balance and total do not add up to the amount due")
        if self.explanation and self.previous_total_minor is not None:
            difference = self.total_minor - self.previous_total_minor
            if sum(share.amount_minor for share in self.explanation) != difference:
                raise self._refusal("the causes do not add up to the change")
        if self.period_end <= self.period_start:
            raise self._refusal("its period has no day")
        if self.template_version != TEMPLATE_VERSION:
            raise self._refusal(f"template version {self.template_version} is not part of this release")

    def _refusal(self, why: str) -> UserError:
        return UserError(f"Bill {self.bill_number} cannot be shown: {why}. Run `tayyar check`.")

    @property
    def days(self) -> int:
        """Days in the period."""
        return (self.period_end - self.period_start).days

    @property
    def last_day(self) -> date:
        """The last day that the period includes."""
        return self.period_end - timedelta(days=1)

    @property
    def number_text(self) -> str:
        """The bill number in five groups of three digits: 202 511 000 000 017."""
        digits = f"{self.bill_number:015d}"
        return " ".join(digits[i : i + 3] for i in range(0, len(digits), 3))
