"""From a stored bill to the `BillView` that every face shows: labels, readings, history, and why it changed.

Reads only. What the bill charges comes from the bill alone; around it stand its neighbours in time.
"""

import datetime as dt
import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import polars as pl
from django.db import connection

from tayyar.billing import numbers, run
from tayyar.billing.documents.explain import Imagined, PricedPeriod, explain_change, steps
from tayyar.billing.documents.view import (
    BillHead,
    BillKind,
    BillLineView,
    BillView,
    ChangeShare,
    Contact,
    ContactKind,
    HistoryView,
    LineKind,
    PaymentView,
    Quality,
    ReadingView,
    Unit,
)
from tayyar.billing.models import Bill
from tayyar.billing.models import BillKind as StoredKind
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Agreement, CustomerAccount, Language
from tayyar.ledger.models import Transfer, TransferKind
from tayyar.metering.models import Meter, ServiceCentre
from tayyar.metering.segments import unpack
from tayyar.profiles import Profile
from tayyar.tariffs.book import TariffBook, load_book
from tayyar.tariffs.kernel import charge
from tayyar.tariffs.lines import decode

HISTORY_MONTHS = 13
_UNITS = {"WH": Unit.KWH, "MONTH": Unit.MONTH, "DAY": Unit.DAY, "DAY_SHARE": Unit.DAY}
_OBIS = (
    "1.8.0",
    "1.8.1",
    "1.8.2",
    "1.8.3",
)  # active energy: total and rates, as the meter's display names them
_PRICED = 10_000  # explanations kept in one process, some 300 bytes each
_QUALITIES = {1: Quality.ACTUAL, 2: Quality.ESTIMATED, 3: Quality.CUSTOMER}


class FirstScreen(NamedTuple):
    """What the first screen behind a bill's link needs, and the language of the account: "ar", "en" or "fr"."""

    head: BillHead
    account_id: int
    lang: str


def first_screen(*, number: int, profile: Profile) -> FirstScreen:
    """The head of a bill by one query along its indexes.

    UserError when there is none, and when its lines do not add up: a wrong total must never reach a reader.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SCREEN, [numbers.bill_period(number).number, number])
        row = cursor.fetchone()
    if row is None:
        raise UserError(f"There is no bill {number}.")
    account_id, kind, end_date, due_date, total_minor, before_minor, lines, language, next_number = row
    if sum(lines[3::4]) != total_minor:
        raise UserError(
            f"Bill {number} cannot be shown: its lines do not add up to its total. Run `tayyar check`."
        )
    head = BillHead(
        bill_number=number,
        account_number=str(with_check(account_id)),
        kind=BillKind(StoredKind(kind).name),
        last_day=end_date - dt.timedelta(days=1),
        due_date=due_date,
        currency=profile.currency,
        formats=profile.formats,
        total_minor=total_minor,
        amount_due_minor=before_minor + total_minor,
        cancelled_by=None if kind == StoredKind.CREDIT_NOTE else next_number,
    )
    return FirstScreen(head, account_id, Language(language).name)


_FIRST_SCREEN = """
    SELECT b.account_id, b.kind, b.end_date, b.due_date, b.total_minor, b.balance_before_minor, b.lines,
           a.language,
           (SELECT n.number FROM billing_bill n
             WHERE n.period = b.period AND n.agreement_id = b.agreement_id AND n.revision = b.revision + 1)
      FROM billing_bill b JOIN customers_customeraccount a ON a.id = b.account_id
     WHERE b.period = %s AND b.number = %s"""


def bill_view(
    *, number: int, profile: Profile, page_url: str, pdf_url: str = "", mask_holder: bool = False
) -> BillView:
    """Everything a reader sees of the bill with that number. UserError when there is none.

    `page_url` goes into the QR code; `mask_holder` hides most of the name, for pages opened by a link.
    """
    bill = Bill.objects.filter(period=numbers.bill_period(number).number, number=number).first()
    if bill is None:
        raise UserError(f"There is no bill {number}.")
    book = load_book(profile)
    agreement = Agreement.objects.select_related("usage_point", "account__customer").get(id=bill.agreement_id)
    account = agreement.account
    centre = ServiceCentre.objects.get(id=bill.service_centre_id)
    around = _bills_around(bill)
    standing = _standing_bills(around)
    previous = _previous(bill, standing)
    names = {category.number: category.names for category in profile.categories}
    is_credit = bill.kind == StoredKind.CREDIT_NOTE
    return BillView(
        bill_number=bill.number,
        kind=BillKind(StoredKind(bill.kind).name),
        utility_name=profile.utility_names,
        account_number=str(account.number),
        holder_name=account.customer.name,
        service_address=agreement.usage_point.address,
        service_centre={"ar": centre.name_ar, "en": centre.name_en, "fr": centre.name_fr},
        category=names[bill.category],
        period_start=bill.start_date,
        period_end=bill.end_date,
        issue_date=bill.issue_date,
        due_date=bill.due_date,
        currency=profile.currency,
        formats=profile.formats,
        total_minor=bill.total_minor,
        energy_minor=bill.energy_minor,
        fixed_minor=bill.fixed_minor,
        subsidy_minor=bill.subsidy_minor,
        tax_minor=bill.tax_minor,
        support_minor=bill.support_minor,
        balance_before_minor=bill.balance_before_minor,
        amount_due_minor=bill.balance_before_minor + bill.total_minor,
        energy_wh=bill.energy_wh,
        lines=tuple(_lines(book, bill.lines)),
        readings=tuple(_readings(bill.readings)),
        history=_history(bill, standing),
        same_month_last_year_wh=_energy_of(standing, _month_of(bill.period, -12)),
        previous_total_minor=previous.total_minor if previous and not is_credit else None,
        payments=tuple(_payments(bill, previous)),
        explanation=_explanation(book, agreement, account, bill, previous) if not is_credit else (),
        contacts=tuple(_contacts(profile)),
        page_url=page_url,
        pdf_url=pdf_url,
        mask_holder=mask_holder,
        cancelled_by=_neighbour(around, bill, 1) if not is_credit else None,
        corrects=_neighbour(around, bill, -1),
    )


def _month_of(period: int, back: int) -> int:
    return Period.from_number(period).plus(back).number


def _bills_around(bill: Bill) -> list[Bill]:
    """Every document of the agreement over the months that a bill shows and one more, without lines and readings."""
    months = [_month_of(bill.period, -back) for back in range(HISTORY_MONTHS + 1)]
    found = Bill.objects.filter(period__in=months, agreement_id=bill.agreement_id)
    return list(found.defer("lines", "readings").order_by("revision"))


def _standing_bills(around: list[Bill]) -> dict[int, Bill]:
    """Of these, the bills that stand, by period."""
    newest = {other.period: other for other in around}
    return {period: other for period, other in newest.items() if other.kind != StoredKind.CREDIT_NOTE}


def _previous(bill: Bill, standing: dict[int, Bill]) -> Bill | None:
    """The bill whose days end where this one's begin."""
    ended = [
        other
        for period, other in standing.items()
        if period < bill.period and other.end_date == bill.start_date
    ]
    return ended[0] if ended else None


def _energy_of(standing: dict[int, Bill], period: int) -> int | None:
    return standing[period].energy_wh if period in standing else None


def _history(bill: Bill, standing: dict[int, Bill]) -> tuple[HistoryView, ...]:
    months = [Period.from_number(bill.period).plus(-back) for back in range(HISTORY_MONTHS - 1, -1, -1)]
    return tuple(
        HistoryView(
            month.start,
            bill.energy_wh if month.number == bill.period else _energy_of(standing, month.number),
        )
        for month in months
    )


def _lines(book: TariffBook, packed: list[int]) -> Iterable[BillLineView]:
    for start in range(0, len(packed), 4):
        code, quantity, price_micro, amount_minor = packed[start : start + 4]
        label = decode(book, code)
        kind = LineKind(label.kind)
        bounds: dict[str, Any] = {}
        if kind is LineKind.ENERGY and label.from_kwh is not None and _whole(label.from_kwh, label.to_kwh):
            bounds = {"from_kwh": int(label.from_kwh), "to_kwh": int(label.to_kwh) if label.to_kwh else None}
        plain_block = bool(bounds) and not label.reprices_all and label.code.startswith("BLOCK_")
        several = label.to_kwh is not None or label.from_kwh != "0"
        # Plain blocks are named where they are shown, with the separators of the language.
        text = "" if plain_block and several else label.names
        if kind is LineKind.TAX:
            yield BillLineView(kind, amount_minor, label.names, price_micro // 10, Unit.PERCENT)
        elif label.unit == "MINOR":
            yield BillLineView(kind, amount_minor, label.names)
        else:
            quantity_milli = quantity if label.unit == "WH" else quantity * 1000
            unit = _UNITS[label.unit]
            yield BillLineView(kind, amount_minor, text, quantity_milli, unit, price_micro, **bounds)


def _whole(*bounds: str | None) -> bool:
    return all(bound is None or bound.isdecimal() for bound in bounds)


def _readings(packed: list[int]) -> Iterable[ReadingView]:
    segments = unpack(packed)
    serials = dict(Meter.objects.filter(id__in={s.meter_id for s in segments}).values_list("id", "serial"))
    for segment in segments:
        yield ReadingView(
            meter_serial=serials[segment.meter_id],
            register=_OBIS[segment.register],
            from_date=segment.from_date,
            from_wh=segment.from_wh,
            from_quality=_QUALITIES[segment.from_quality],
            to_date=segment.to_date,
            to_wh=segment.to_wh,
            to_quality=_QUALITIES[segment.to_quality],
            energy_wh=segment.energy_wh,
            multiplier=segment.multiplier,
        )


def _payments(bill: Bill, previous: Bill | None) -> Iterable[PaymentView]:
    """Money received between the previous bill and this one."""
    since = previous.issue_date if previous else bill.start_date
    months = [Period.of(since).number, bill.period]
    for transfer in Transfer.objects.filter(
        period__gte=min(months),
        period__lte=max(months),
        kind=TransferKind.PAYMENT,
        credit_account_id=bill.account_id,
        posted_at__date__gte=since,
        posted_at__date__lt=bill.issue_date,
    ).order_by("posted_at"):
        yield PaymentView(transfer.posted_at.date(), transfer.amount_minor)


def _explanation(
    book: TariffBook, agreement: Agreement, account: CustomerAccount, bill: Bill, previous: Bill | None
) -> tuple[ChangeShare, ...]:
    if previous is None:
        return ()
    year_wh = {b.end_date: max(b.year_wh - b.energy_wh, 0) for b in (previous, bill)}

    def priced(b: Bill) -> PricedPeriod:
        return PricedPeriod((b.end_date - b.start_date).days, b.energy_wh, b.end_date, b.total_minor)

    before, now = priced(previous), priced(bill)
    asked = steps(previous=before, current=now)
    supply = _Supply(bill.category, agreement.usage_point.breaker_a, account.is_entitled)
    answers = _price(book, supply, tuple((one, year_wh[one.tariff_as_of]) for one in asked))
    prices = dict(zip(asked, answers, strict=True))

    def price(*, days: int, energy_wh: int, tariff_as_of: dt.date) -> tuple[int, int]:
        return prices[Imagined(days, energy_wh, tariff_as_of)]

    return explain_change(previous=before, current=now, price=price)


class _Supply(NamedTuple):
    """What a tariff asks of the account besides its use."""

    category: int
    breaker_a: int
    is_entitled: bool


@functools.lru_cache(maxsize=_PRICED)
def _price(
    book: TariffBook, supply: _Supply, asked: tuple[tuple[Imagined, int], ...]
) -> tuple[tuple[int, int], ...]:
    """(total_minor, subsidy_minor) of imagined bills, each with the use of the year before it, by the tariffs in force
    on its last day. Kept by all that it depends on, so that what is kept is never old."""
    count = len(asked)
    frame = pl.DataFrame(
        {
            "row": range(count),
            "category": pl.Series([supply.category] * count, dtype=pl.Int16),
            "start_date": [one.tariff_as_of - dt.timedelta(days=one.days) for one, _ in asked],
            "end_date": [one.tariff_as_of for one, _ in asked],
            "energy_wh": pl.Series([max(one.energy_wh, 0) for one, _ in asked], dtype=pl.Int64),
            "breaker_a": pl.Series([supply.breaker_a] * count, dtype=pl.Int32),
            "entitled": [supply.is_entitled] * count,
            "months": pl.Series([run.whole_months(one.days) for one, _ in asked], dtype=pl.Int32),
            "year_wh": pl.Series([year_wh for _, year_wh in asked], dtype=pl.Int64),
        }
    )
    totals = charge(frame, book).totals
    return tuple(zip(totals["total_minor"].to_list(), totals["subsidy_minor"].to_list(), strict=True))


def _contacts(profile: Profile) -> Iterable[Contact]:
    for contact in profile.complaint_contacts:
        if contact["kind"] in ContactKind.__members__:
            yield Contact(ContactKind(contact["kind"]), contact["value"])


def _neighbour(around: list[Bill], bill: Bill, step: int) -> int | None:
    """Number of the next or previous document of the same agreement and period."""
    wanted = (bill.period, bill.revision + step)
    return next((other.number for other in around if (other.period, other.revision) == wanted), None)
