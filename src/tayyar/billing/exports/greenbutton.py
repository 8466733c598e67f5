"""An account's use and bills as Green Button data: an Atom feed of ESPI 4.0 resources (NAESB REQ.21).

Owns the mapping (docs/exports.md): a UsagePoint for each agreement, its billed energy and, where the meter is read
every day, its days as IntervalBlocks, a UsageSummary for each bill that stands, the zone as LocalTimeParameters.
It names no person: who asked for the file knows whose it is. Never writes. Next: portal, api, `tayyar greenbutton`.

Times are seconds since 1970 UTC of the local midnight that begins a day; money is in hundred-thousandths of the
currency; energy is Wh.
"""

import datetime as dt
import uuid
import zoneinfo
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from tayyar.billing.account_queries import Sees
from tayyar.billing.models import Bill, BillKind
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Agreement
from tayyar.metering.segments import ACTUAL, CUSTOMER, ESTIMATED, unpack
from tayyar.metering.use_queries import DayReading, daily_use
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile
from tayyar.tariffs.book import load_book

ATOM, ESPI = "http://www.w3.org/2005/Atom", "http://naesb.org/espi"
ROOT = "/espi/1_1/resource"
ET.register_namespace("", ATOM)
ET.register_namespace("espi", ESPI)

# ISO 4217 numbers of the currencies that profiles use; 0 is "another currency" (ESPI, Currency).
CURRENCY_NUMBERS = {"SAR": 682, "EGP": 818, "BHD": 48, "MRU": 929}
# ESPI QualityOfReading: validated, estimated by analysis of history, raw.
QUALITIES = {ACTUAL: 17, ESTIMATED: 8, CUSTOMER: 14}
WH, ENERGY, ELECTRICITY, FORWARD, DELTA, NORMAL = 72, 12, 1, 1, 4, 12
BILLING_PERIOD, DAILY = 8, 11  # TimePeriodOfInterest
FEE, TAX, CREDIT = 4, 5, 8  # ItemKind
DAY_SECONDS = 86_400

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tayyar:espi")


def greenbutton(
    account_id: int, first: Period, last: Period, *, now: dt.datetime, sees: Sees | None = None
) -> bytes:
    """The feed of the periods `first` to `last`, both included, as UTF-8 XML."""
    profile = installed_profile()
    found = Bill.objects.filter(
        account_id=account_id, period__gte=first.number, period__lte=last.number
    ).order_by("agreement_id", "period", "revision")
    newest = {(bill.agreement_id, bill.period): bill for bill in found}
    bills = [
        bill
        for bill in newest.values()
        if bill.kind != BillKind.CREDIT_NOTE and (sees is None or sees(bill.start_date, bill.end_date))
    ]
    agreements = Agreement.objects.in_bulk({bill.agreement_id for bill in bills})
    feed = _Feed(account_id, profile, now)
    feed.local_time()
    for agreement_id, group in groupby(bills, key=lambda bill: bill.agreement_id):
        own = list(group)
        days = daily_use(
            [agreements[agreement_id].usage_point_id], first=own[0].start_date, end=own[-1].end_date
        )
        billed = [day for day in days if any(bill.start_date <= day.day < bill.end_date for bill in own)]
        feed.usage_point(agreements[agreement_id], own, billed)
    return feed.xml()


class _Feed:
    """One feed under construction; each method adds entries."""

    def __init__(self, account_id: int, profile: Profile, now: dt.datetime) -> None:
        self.profile, self.now = profile, now
        self.zone = zoneinfo.ZoneInfo(profile.timezone)
        self.book = load_book(profile)
        number = with_check(account_id)
        self.customer = f"{ROOT}/RetailCustomer/{_id(f'customer/{number}')}"
        self.feed = ET.Element(f"{{{ATOM}}}feed")
        self._text(self.feed, "id", f"urn:uuid:{_id(f'feed/{number}/{now.isoformat()}')}")
        self._text(self.feed, "title", f"{number}")
        self._text(self.feed, "updated", _moment(now))
        self._link(self.feed, "self", f"{ROOT}/Subscription/{_id(f'subscription/{number}')}")

    def xml(self) -> bytes:
        """The document."""
        ET.indent(self.feed)
        return ET.tostring(self.feed, encoding="utf-8", xml_declaration=True)

    def local_time(self) -> None:
        """The utility's zone, with this year's daylight saving."""
        end, offset, start, zone_offset = dst_rules(self.zone, self.now.astimezone(self.zone).year)
        content = self._entry(
            "LocalTimeParameters", f"{ROOT}/LocalTimeParameters/01", self.profile.timezone, []
        )
        self._espi(content, "dstEndRule", end)
        self._espi(content, "dstOffset", offset)
        self._espi(content, "dstStartRule", start)
        self._espi(content, "tzOffset", zone_offset)

    def usage_point(self, agreement: Agreement, bills: Sequence[Bill], days: Sequence[DayReading]) -> None:
        """A usage point, its billed and daily energy, and a summary of each bill."""
        at = f"{self.customer}/UsagePoint/{agreement.pk}"
        related = [f"{at}/MeterReading", f"{at}/UsageSummary", f"{ROOT}/LocalTimeParameters/01"]
        names = {category.number: category.names["en"] for category in self.profile.categories}
        content = self._entry("UsagePoint", at, names[agreement.category], related)
        self._espi(self._espi(content, "ServiceCategory"), "kind", 0)
        self._reading_type(BILLING_PERIOD)
        block = self._series(at, "01", BILLING_PERIOD, bills[0].start_date, bills[-1].end_date)
        for bill in bills:
            quality = QUALITIES[_weakest(bill)]
            self._interval(block, bill.start_date, bill.end_date, bill.energy_wh, quality, bill.total_minor)
        if days:
            self._reading_type(DAILY)
            block = self._series(at, "02", DAILY, days[0].day, days[-1].day + dt.timedelta(days=1))
            for day in days:
                end = day.day + dt.timedelta(days=1)
                self._interval(
                    block, day.day, end, day.energy_wh, QUALITIES[ACTUAL if day.is_actual else ESTIMATED]
                )
        for bill in bills:
            self._summary(at, bill)

    def _reading_type(self, period: int) -> None:
        at = f"{ROOT}/ReadingType/{period}"
        if any(
            link.get("href") == at and link.get("rel") == "self" for link in self.feed.iter(f"{{{ATOM}}}link")
        ):
            return
        content = self._entry("ReadingType", at, "kWh by day" if period == DAILY else "kWh by bill", [])
        self._espi(content, "accumulationBehaviour", DELTA)
        self._espi(content, "commodity", ELECTRICITY)
        self._espi(content, "currency", self._currency())
        self._espi(content, "dataQualifier", NORMAL)
        self._espi(content, "flowDirection", FORWARD)
        if period == DAILY:  # bills are of unequal length
            self._espi(content, "intervalLength", DAY_SECONDS)
        self._espi(content, "kind", ENERGY)
        self._espi(content, "powerOfTenMultiplier", 0)
        self._espi(content, "timeAttribute", period)
        self._espi(content, "uom", WH)

    def _series(self, point: str, name: str, period: int, start: dt.date, end: dt.date) -> ET.Element:
        """A MeterReading and the IntervalBlock that will hold its readings."""
        at = f"{point}/MeterReading/{name}"
        related = [f"{at}/IntervalBlock", f"{ROOT}/ReadingType/{period}"]
        self._entry("MeterReading", at, "By day" if period == DAILY else "By bill", related)
        block = self._entry("IntervalBlock", f"{at}/IntervalBlock/01", "", [])
        self._span(self._espi(block, "interval"), start, end)
        return block

    def _interval(
        self,
        block: ET.Element,
        start: dt.date,
        end: dt.date,
        energy_wh: int,
        quality: int,
        amount_minor: int | None = None,
    ) -> None:
        reading = self._espi(block, "IntervalReading")
        if amount_minor is not None:
            self._espi(reading, "cost", self._money(amount_minor))
        self._espi(self._espi(reading, "ReadingQuality"), "quality", quality)
        self._span(self._espi(reading, "timePeriod"), start, end)
        self._espi(reading, "value", energy_wh)

    def _summary(self, point: str, bill: Bill) -> None:
        content = self._entry("UsageSummary", f"{point}/UsageSummary/{bill.number}", str(bill.number), [])
        self._span(self._espi(content, "billingPeriod"), bill.start_date, bill.end_date)
        self._espi(content, "billLastPeriod", self._money(bill.total_minor))
        self._espi(content, "costAdditionalLastPeriod", self._money(bill.total_minor - bill.energy_minor))
        for note, amount_minor, kind in (
            ("Fixed charges", bill.fixed_minor, FEE),
            ("Subsidy", bill.subsidy_minor, CREDIT),
            ("Tax", bill.tax_minor, TAX),
        ):
            if amount_minor:
                item = self._espi(content, "costAdditionalDetailLastPeriod")
                self._espi(item, "amount", self._money(amount_minor))
                self._espi(item, "note", note)
                self._espi(item, "itemKind", kind)
        self._espi(content, "currency", self._currency())
        used = self._espi(content, "overallConsumptionLastPeriod")
        self._espi(used, "powerOfTenMultiplier", 0)
        self._espi(used, "uom", WH)
        self._espi(used, "value", bill.energy_wh)
        self._espi(content, "qualityOfReading", QUALITIES[_weakest(bill)])
        self._espi(content, "statusTimeStamp", self._midnight(bill.issue_date))
        self._espi(content, "commodity", ELECTRICITY)
        self._espi(content, "tariffProfile", self.book.version(bill.tariff).id)

    # What every entry shares

    def _entry(self, resource: str, at: str, title: str, related: Sequence[str]) -> ET.Element:
        """An Atom entry around one resource; returns the resource's element."""
        entry = ET.SubElement(self.feed, f"{{{ATOM}}}entry")
        self._text(entry, "id", f"urn:uuid:{_id(at)}")
        self._link(entry, "self", at)
        self._link(entry, "up", at.rsplit("/", 1)[0])
        for href in related:
            self._link(entry, "related", href)
        self._text(entry, "title", title)
        content = ET.SubElement(ET.SubElement(entry, f"{{{ATOM}}}content"), f"{{{ESPI}}}{resource}")
        self._text(entry, "published", _moment(self.now))
        self._text(entry, "updated", _moment(self.now))
        return content

    def _text(self, parent: ET.Element, name: str, text: str) -> None:
        ET.SubElement(parent, f"{{{ATOM}}}{name}").text = text

    def _link(self, parent: ET.Element, rel: str, href: str) -> None:
        ET.SubElement(parent, f"{{{ATOM}}}link", rel=rel, href=href)

    def _espi(self, parent: ET.Element, name: str, value: int | str | None = None) -> ET.Element:
        child = ET.SubElement(parent, f"{{{ESPI}}}{name}")
        if value is not None:
            child.text = str(value)
        return child

    def _span(self, parent: ET.Element, start: dt.date, end: dt.date) -> None:
        begins = self._midnight(start)
        self._espi(parent, "duration", self._midnight(end) - begins)
        self._espi(parent, "start", begins)

    def _midnight(self, day: dt.date) -> int:
        return int(dt.datetime.combine(day, dt.time(), self.zone).timestamp())

    def _money(self, amount_minor: int) -> int:
        """Minor units as hundred-thousandths of the currency."""
        return int(amount_minor * 10 ** (5 - self.profile.currency.minor_digits))

    def _currency(self) -> int:
        return CURRENCY_NUMBERS.get(self.profile.currency.code, 0)


def dst_rules(zone: dt.tzinfo, year: int) -> tuple[str, int, str, int]:
    """(end rule, DST offset, start rule, standard offset) of a year, rules as ESPI's bit maps of the very days (its
    operator 0), offsets in seconds. FFFFFFFF twice where the clocks do not change."""
    start_of_year = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    hours = [start_of_year + dt.timedelta(hours=at) for at in range(366 * 24)]
    offsets = [_seconds(hour.astimezone(zone).utcoffset()) for hour in hours]
    standard = min(offsets)
    rules = {"start": "FFFFFFFF", "end": "FFFFFFFF"}
    for at in range(1, len(hours)):
        before, after = offsets[at - 1], offsets[at]
        if before != after and hours[at].year == year:
            wall = hours[at] + dt.timedelta(seconds=before)  # the clock as it stood until then
            rules["start" if after > before else "end"] = (
                f"{wall.month << 28 | wall.day << 20 | wall.hour << 12 | wall.minute * 60:08X}"
            )
    return rules["end"], max(offsets) - standard, rules["start"], standard


def _seconds(offset: dt.timedelta | None) -> int:
    return int(offset.total_seconds()) if offset else 0


def _weakest(bill: Bill) -> int:
    """How the least certain of a bill's readings came to be."""
    qualities = {
        quality for segment in unpack(bill.readings) for quality in (segment.from_quality, segment.to_quality)
    }
    return next((quality for quality in (ESTIMATED, CUSTOMER) if quality in qualities), ACTUAL)


def _id(name: str) -> uuid.UUID:
    """The same resource has the same id in every feed."""
    return uuid.uuid5(_NAMESPACE, name)


def _moment(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
