"""Reads of the console: runs with their figures and their jobs, one held account with its history.

Never writes; who read what is recorded by the views. Next: runs.py and held.py put it into words.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Sum
from procrastinate.contrib.django.models import ProcrastinateJob

from tayyar.billing.models import Bill, BillException, BillKind, BillRun, BillRunChunk
from tayyar.core.errors import UserError
from tayyar.core.models import AuditEntry
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement, CustomerAccount
from tayyar.metering.models import MeterInstallation, MeterReading
from tayyar.profiles import Profile
from tayyar.tariffs.book import load_book

RATE_SECONDS = 30
HISTORY_MONTHS = 13
MONEY = "total_minor"


@dataclass(frozen=True, slots=True)
class RunJob:
    """A bill run, or its verification, that was asked for: waiting for a worker, or in work."""

    is_running: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a run goes, or went: accounts a second and minor units a minute."""

    accounts_per_second: int
    minor_per_minute: int


def all_runs() -> list[BillRun]:
    """The newest run first."""
    return list(BillRun.objects.order_by("-period"))


def next_period(profile: Profile, *, today: dt.date) -> Period:
    """The period that is billed next: after the newest run, else the newest whose issue day has come."""
    newest = BillRun.objects.order_by("-period").first()
    if newest:
        return Period.from_number(newest.period).plus(1)
    period = Period.of(today)
    return period if profile.issue_date(period.year, period.month) <= today else period.plus(-1)


def open_job(*, task: str, period: Period) -> RunJob | None:
    """The job of that task for a period that is not finished."""
    states = ProcrastinateJob.objects.filter(
        task_name=task, args__period=str(period), status__in=("todo", "doing")
    ).values_list("status", flat=True)
    found = set(states)
    return RunJob("doing" in found) if found else None


def last_entry(*, action: str, period: Period, since: dt.datetime | None = None) -> AuditEntry | None:
    """The newest audit entry of that action about a run."""
    found = AuditEntry.objects.filter(subject=f"run:{period}", action=action)
    return (found.filter(at__gte=since) if since else found).order_by("-id").first()


def account_estimate() -> int:
    """About how many accounts there are, without counting them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = 'customers_customeraccount'::regclass"
        )
        return max(int(cursor.fetchone()[0]), 0)


def rate(run: BillRun, *, now: dt.datetime) -> Rate | None:
    """Of the last half minute while a run lasts, of the whole run once certified; None before anything is done."""
    done = BillRunChunk.objects.filter(run=run, state="DONE")
    began, ended = run.cutoff_at, run.certified_at or now
    if run.certified_at is None:
        began = max(began, now - dt.timedelta(seconds=RATE_SECONDS))
        done = done.filter(done_at__gte=began)
    milliseconds = (ended - began) // dt.timedelta(milliseconds=1)
    accounts = done.aggregate(sum=Sum("eligible"))["sum"] or 0
    if milliseconds <= 0 or not accounts:
        return None
    money = sum(
        figures[MONEY] for totals in done.values_list("totals", flat=True) for figures in totals.values()
    )
    return Rate(accounts * 1000 // milliseconds, money * 60_000 // milliseconds)


def tariff_totals(run: BillRun, profile: Profile) -> dict[str, dict[str, int]]:
    """Per tariff id: bills, energy_wh and money; from the certificate, or from the chunks done so far."""
    if run.certificate:
        return dict(run.certificate["tariffs"])
    book, into = load_book(profile), dict[str, dict[str, int]]()
    for totals in BillRunChunk.objects.filter(run=run, state="DONE").values_list("totals", flat=True):
        for number, figures in totals.items():
            row = into.setdefault(book.version(int(number)).id, dict.fromkeys(figures, 0))
            for name, value in figures.items():
                row[name] += value
    return dict(sorted(into.items()))


# ---------------------------------------------------------------------------------------------------- one held account


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """An exception of a run with all a reviewer looks at. `history`: (period, Wh or None), oldest first, 13 months
    before the period; `readings` newest first; `bill_number` of the bill made since, if any."""

    exception: BillException
    account: CustomerAccount
    agreement: Agreement
    history: list[tuple[Period, int | None]]
    readings: list[MeterReading]
    installations: list[MeterInstallation]
    bill_number: int | None


def held_account(*, period: Period, agreement_id: int) -> HeldAccount:
    """The held or rejected agreement of a period; UserError when the run did not hold it."""
    exception = BillException.objects.filter(period=period.number, agreement_id=agreement_id).first()
    if exception is None:
        raise UserError(f"Agreement {agreement_id} was not held in {period}.")
    agreement = Agreement.objects.select_related("usage_point", "account__customer").get(id=agreement_id)
    bills = _standing_bills(agreement_id, period)
    months = [period.plus(-back) for back in range(HISTORY_MONTHS, 0, -1)]
    readings = MeterReading.objects.filter(
        usage_point_id=agreement.usage_point_id,
        period__gte=months[0].number,
        period__lte=period.plus(1).number,
    ).order_by("-read_date", "register")
    installations = MeterInstallation.objects.filter(usage_point=agreement.usage_point).select_related(
        "meter"
    )
    made = bills.get(period.number)
    return HeldAccount(
        exception=exception,
        account=agreement.account,
        agreement=agreement,
        history=[
            (month, bills[month.number].energy_wh if month.number in bills else None) for month in months
        ],
        readings=list(readings[: HISTORY_MONTHS * 4]),
        installations=list(installations.order_by("-installed_on")),
        bill_number=made.number if made and exception.resolution else None,
    )


def _standing_bills(agreement_id: int, period: Period) -> dict[int, Bill]:
    """The bill that stands in each of the last months; none where a credit note cancelled it."""
    first = period.plus(-HISTORY_MONTHS).number
    newest: dict[int, Bill] = {}
    for bill in Bill.objects.filter(
        period__gte=first, period__lte=period.number, agreement_id=agreement_id
    ).order_by("revision"):
        newest[bill.period] = bill
    return {number: bill for number, bill in newest.items() if bill.kind != BillKind.CREDIT_NOTE}


def exception_counts(run: BillRun) -> list[dict[str, Any]]:
    """Held and rejected accounts by reason, and how many of each wait for a decision; the largest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT outcome, reason, count(*), count(*) FILTER (WHERE resolution = '')
               FROM billing_billexception WHERE run_id = %s GROUP BY 1, 2 ORDER BY 3 DESC, 2""",
            [run.pk],
        )
        names = ("outcome", "reason", "accounts", "waiting")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
