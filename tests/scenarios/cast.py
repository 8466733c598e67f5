"""The fixed cast of the scenario tests: a handful of customers at one Saudi service centre.

Salma (house), Nasser (shop), Huda (villa, second account of Nasser). Each helper writes what its name says and no more.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import connection

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
from tayyar.profiles import Profile

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


def empty_big_tables() -> None:
    """Drop the partitions that Django's flush does not know of."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ANY(ARRAY[
                   'billing_bill', 'ledger_transfer', 'notifications_message', 'notifications_delivery',
                   'notifications_reach',
                   'metering_meterreading']::regclass[])"""
        )
        for (partition,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {partition}")


def bill(period: str) -> dict[str, Any]:
    """Run a period on its last day, in this process, as one worker, and certify it."""
    from tayyar.billing import certificate, run
    from tayyar.billing.worker import connect, work
    from tayyar.core import clock

    profile, wanted = saudi(), Period.parse(period)
    last_day = dt.datetime.combine(wanted.end - dt.timedelta(days=1), dt.time(12), dt.UTC)
    with connect(database_url()) as raw, clock.at(last_day):
        run_id = run.plan(raw, period=wanted, profile=profile, now=clock.now())
        work(run_id, url=database_url(), profile=profile)
        failed = raw.execute("SELECT error FROM billing_billrunchunk WHERE state = 'FAILED'").fetchall()
        assert not failed, failed[0][0]
        return certificate.certify(raw, run_id, profile=profile, now=clock.now())


def saudi() -> Profile:
    """The profile of the books."""
    from tayyar.profiles.installation import installed_profile

    return installed_profile()


def database_url() -> str:
    """libpq address of the test database that Django made."""
    name = connection.settings_dict["NAME"]
    url = settings.DATABASE_URL
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


def broken_invariants() -> list[str]:
    """What `tayyar check` would complain of."""
    from tayyar.billing.invariants import INVARIANTS, broken
    from tayyar.billing.worker import connect

    with connect(database_url()) as raw:
        return [f"{invariant.says}: {found}" for invariant in INVARIANTS for found in broken(raw, invariant)]


def the_bill(person: int, period: str, revision: int = 0) -> Any:
    """The stored bill of a person's agreement in a period."""
    from tayyar.billing.models import Bill

    return Bill.objects.get(period=Period.parse(period).number, agreement_id=person, revision=revision)


def day(text: str) -> dt.date:
    """2026-09-15."""
    return dt.date.fromisoformat(text)


def noon(text: str) -> dt.datetime:
    """The moment at noon of a day."""
    return dt.datetime.combine(day(text), dt.time(12), dt.UTC)
