"""The fixed cast of the scenario tests: a handful of customers at one Saudi service centre.

Salma (house), Nasser (shop), Huda (villa, second account of Nasser). Each helper writes what its name says and no more.
"""

import datetime as dt

from tayyar.core.models import Setting
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import FIRST_ACCOUNT_ID, Agreement, Customer, CustomerAccount
from tayyar.ledger.models import LedgerAccount
from tayyar.metering.models import (
    Meter,
    MeterInstallation,
    MeterReading,
    ReadingQuality,
    ServiceCentre,
    UsagePoint,
)

RESIDENTIAL, COMMERCIAL = 1, 2
SALMA, NASSER, HUDA = 1, 2, 3
NAMES = {SALMA: "سلمى العتيبي", NASSER: "ناصر القحطاني", HUDA: "هدى القحطاني"}


def answer_profile() -> None:
    """Choose the Saudi profile, its open questions answered as for the demo."""
    from tayyar.demo.answers import answer_for_demo

    answer_for_demo("sa")
    Setting.objects.get_or_create(key="PROFILE", defaults={"value": "sa"})


def account_id(person: int) -> int:
    """The account of a member of the cast."""
    return FIRST_ACCOUNT_ID + person - 1


def settle(
    person: int,
    *,
    start: dt.date,
    category: int = RESIDENTIAL,
    breaker_a: int = 60,
    opening_kwh: int = 1000,
    end: dt.date | None = None,
) -> Agreement:
    """A customer with an account, an agreement and a meter installed on `start` at `opening_kwh`."""
    centre, _ = ServiceCentre.objects.get_or_create(
        code="C01", defaults={"name_ar": "الرياض", "name_en": "Riyadh", "name_fr": "Riyad"}
    )
    customer, _ = Customer.objects.get_or_create(
        id=person, defaults={"kind": "PERSON", "name": NAMES[person]}
    )
    account, _ = CustomerAccount.objects.get_or_create(
        id=account_id(person), defaults={"customer": customer, "opened_on": start}
    )
    LedgerAccount.objects.get_or_create(id=account.id)
    point = UsagePoint.objects.create(
        id=person, service_centre=centre, breaker_a=breaker_a, address="شارع التحلية 12"
    )
    meter = Meter.objects.create(id=person, serial=f"M{person:010d}", digits=6)
    MeterInstallation.objects.create(
        id=person, usage_point=point, meter=meter, installed_on=start, opening_wh=opening_kwh * 1000
    )
    return Agreement.objects.create(
        id=person, account=account, usage_point=point, category=category, start_date=start, end_date=end
    )


def read(
    person: int,
    day: dt.date,
    kwh: int,
    *,
    quality: ReadingQuality = ReadingQuality.ACTUAL,
    meter: int | None = None,
) -> None:
    """A reading of the person's meter on `day`."""
    from django.db import connection, transaction

    period = Period.of(day)
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partition(cursor, table="metering_meterreading", period=period)
        MeterReading.objects.create(
            period=period.number,
            usage_point_id=person,
            meter_id=meter or person,
            read_date=day,
            register=0,
            value_wh=kwh * 1000,
            quality=quality,
            received_at=dt.datetime.combine(day, dt.time(12), dt.UTC),
        )
