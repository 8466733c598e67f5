"""Bills made one by one: what the run held, final bills, cancellations and rebills. No bill is ever edited.

Every call is one transaction with its audit entry. It uses the stages of the run, so a bill made here is charged as
the run would have charged it; it takes its number from a series of its own and is posted singly.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import psycopg
from django.db import connection, transaction

from tayyar.billing import numbers, run, shapes
from tayyar.billing.models import Bill, BillException, BillKind, BillRun, NumberSeries
from tayyar.billing.select import RunFacts, Selection, select, with_last_year
from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.core.frames import write_frame
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement
from tayyar.ledger import services as ledger
from tayyar.ledger.models import LedgerAccount, SystemAccount, TransferKind
from tayyar.metering.corrections import correct_reading
from tayyar.metering.measure import RELEASABLE, measure
from tayyar.metering.models import MeterReading, ReadingQuality
from tayyar.metering.segments import unpack
from tayyar.notifications.models import MessageKind
from tayyar.notifications.services import release_messages
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile

LEGS = (
    (TransferKind.REVENUE_ENERGY, SystemAccount.REVENUE_ENERGY, "energy_minor"),
    (TransferKind.REVENUE_FIXED, SystemAccount.REVENUE_FIXED, "fixed_minor"),
    (TransferKind.SUBSIDY, SystemAccount.SUBSIDY, "subsidy_minor"),
    (TransferKind.TAX, SystemAccount.TAX_PAYABLE, "tax_minor"),
)


class RunUnderWay(UserError):
    """A run has not billed this account yet: the same call succeeds when it is finished."""


@dataclass(frozen=True, slots=True)
class _Decision:
    """How one agreement is billed: its document's kind and revision, and what to do about readings and doubts."""

    kind: BillKind
    revision: int = 0
    without_reading: bool = False
    only_reading_on: dt.date | None = None
    despite_doubt: bool = False


# -------------------------------------------------------------------------- what a run held for review


@transaction.atomic
def release(*, period: Period, agreement_id: int, actor: str, now: dt.datetime) -> int:
    """Bill a held agreement as it was measured. Returns the bill's number."""
    held = _held(period, agreement_id)
    if held.reason == "ESTIMATE_ABOVE_ACTUAL":
        raise UserError(
            f"{held.reason}: the last bill was estimated too high. Cancel that bill, then enter this month's reading."
        )
    if not can_release(held):
        raise UserError(
            f"{held.reason}: there is nothing measured to release. Enter a reading, or bill an estimate."
        )
    number = _bill_one(period, agreement_id, _Decision(BillKind.BILL, despite_doubt=True), now)
    return _resolve(held, "RELEASED", number, actor, now)


def can_release(held: BillException) -> bool:
    """Whether there is something to bill as it stands: odd use, or what was refused and may be mended by now."""
    return held.outcome == "REJECTED" or held.reason in RELEASABLE | {"CHANGED_DURING_RUN"}


@transaction.atomic
def estimate(*, period: Period, agreement_id: int, actor: str, now: dt.datetime) -> int:
    """Bill a held agreement by an estimate, as if it had not been read. Returns the bill's number."""
    held = _held(period, agreement_id)
    decision = _Decision(BillKind.BILL, without_reading=True, despite_doubt=True)
    return _resolve(held, "ESTIMATED", _bill_one(period, agreement_id, decision, now), actor, now)


@transaction.atomic
def correct(
    *, period: Period, agreement_id: int, value_wh: int, read_date: dt.date, actor: str, now: dt.datetime
) -> int:
    """Put a right reading in place of those in doubt and bill up to its day. Returns the bill's number."""
    held = _held(period, agreement_id)
    agreement = hold_still(agreement_id)
    _open_books(period)
    correct_reading(
        usage_point_id=agreement.usage_point_id, value_wh=value_wh, read_date=read_date, actor=actor, now=now
    )
    decision = _Decision(BillKind.BILL, only_reading_on=read_date, despite_doubt=True)
    limit = max(read_date, run.facts_of_period(_raw(), period, installed_profile(), now).limit)
    number = _bill_one(period, agreement_id, decision, now, limit=limit)
    return _resolve(held, "CORRECTED", number, actor, now)


@transaction.atomic
def dismiss(*, period: Period, agreement_id: int, why: str, actor: str, now: dt.datetime) -> None:
    """Leave a held or rejected agreement unbilled in this period: its days are billed with the next."""
    if not why.strip():
        raise UserError("Say why this account is not billed this month.")
    _resolve(_held(period, agreement_id), "DISMISSED", None, actor, now, why=why.strip())


def _held(period: Period, agreement_id: int) -> BillException:
    held = (
        BillException.objects.select_for_update()
        .filter(period=period.number, agreement_id=agreement_id)
        .first()
    )
    if held is None:
        raise UserError(f"Agreement {agreement_id} was not held in {period}.")
    if held.resolution:
        raise UserError(
            f"Agreement {agreement_id} was decided already: {held.resolution}, by {held.resolved_by}."
        )
    return held


def _resolve(
    held: BillException, resolution: str, number: int | None, actor: str, now: dt.datetime, **detail: Any
) -> Any:
    held.resolution, held.resolved_at, held.resolved_by = resolution, now, actor
    held.save(update_fields=["resolution", "resolved_at", "resolved_by"])
    audit.record(
        actor=actor,
        action=f"HELD_BILL_{resolution}",
        subject=f"agreement:{held.agreement_id}",
        now=now,
        period=held.period,
        reason=held.reason,
        bill=number,
        **detail,
    )
    return number


# -------------------------------------------------------------------------- final bills, cancellations


@transaction.atomic
def move_out(
    *, agreement_id: int, end_date: dt.date, value_wh: int | None, actor: str, now: dt.datetime
) -> int:
    """End an agreement on `end_date` (its first day without supply) and bill the rest at once. Returns the number.

    `value_wh` is the register on that day; without it the rest is estimated.
    """
    agreement = hold_still(agreement_id)
    if end_date > now.date():
        raise UserError(f"{end_date} has not come yet; end the agreement on that day.")
    if agreement.end_date:
        raise UserError(f"Agreement {agreement_id} ended already, on {agreement.end_date}.")
    if end_date <= agreement.start_date:
        raise UserError(
            f"Agreement {agreement_id} began on {agreement.start_date}; it cannot end on {end_date}."
        )
    newest = newest_bill(agreement_id)
    if newest and newest.kind != BillKind.CREDIT_NOTE and newest.end_date >= end_date:
        raise UserError(
            f"Agreement {agreement_id} is billed to {newest.end_date} already. Cancel bill {newest.number} first."
        )
    agreement.end_date = end_date
    agreement.save(update_fields=["end_date"])
    period = _period_of_final(end_date, newest)
    _open_books(period)
    if value_wh is not None:
        correct_reading(
            usage_point_id=agreement.usage_point_id,
            value_wh=value_wh,
            read_date=end_date,
            actor=actor,
            now=now,
        )
    decision = _Decision(
        BillKind.FINAL, only_reading_on=end_date if value_wh is not None else None, despite_doubt=True
    )
    number = _bill_one(period, agreement_id, decision, now, limit=end_date)
    if value_wh is None:
        store_estimated_closing(number, agreement.usage_point_id, now)
    audit.record(
        actor=actor,
        action="MOVED_OUT",
        subject=f"agreement:{agreement_id}",
        now=now,
        end=str(end_date),
        bill=number,
    )
    return number


def _period_of_final(end_date: dt.date, newest: Bill | None) -> Period:
    """The month of the last day, but not beyond the month that is run next, and always after the newest bill."""
    period = Period.of(end_date)
    last_run = BillRun.objects.order_by("-period").values_list("period", flat=True).first()
    if last_run:
        period = min(period, Period.from_number(last_run).plus(1))
    if newest and newest.period >= period.number:
        period = Period.from_number(newest.period).plus(1)
    return period


def store_estimated_closing(number: int, usage_point_id: int, now: dt.datetime) -> None:
    """Whoever moves in next opens where the final bill closed: its estimate becomes a reading."""
    bill = Bill.objects.get(period=numbers.bill_period(number).number, number=number)
    for segment in unpack(bill.readings):
        if segment.to_date == bill.end_date and segment.to_quality == ReadingQuality.ESTIMATED:
            period = Period.of(bill.end_date)
            ensure_partition(_raw(), table="metering_meterreading", period=period)
            MeterReading.objects.get_or_create(
                period=period.number,
                usage_point_id=usage_point_id,
                meter_id=segment.meter_id,
                read_date=bill.end_date,
                register=segment.register,
                defaults={
                    "value_wh": segment.to_wh,
                    "quality": ReadingQuality.ESTIMATED,
                    "received_at": now,
                },
            )


@transaction.atomic
def cancel(*, number: int, why: str, actor: str, now: dt.datetime) -> int:
    """Cancel a bill by a credit note over all its lines. Returns the credit note's number.

    Only the newest bill of an agreement can be cancelled: later ones stand on its readings.
    """
    if not why.strip():
        raise UserError("Say why the bill is cancelled; the credit note and the audit log carry it.")
    period = numbers.bill_period(number)
    bill = Bill.objects.filter(period=period.number, number=number).first()
    if bill is None:
        raise UserError(f"There is no bill {number}.")
    if bill.kind == BillKind.CREDIT_NOTE:
        raise UserError(f"{number} is a credit note; only bills are cancelled.")
    hold_still(bill.agreement_id)
    _open_books(period)
    newest = newest_bill(bill.agreement_id)
    assert newest is not None
    if (newest.period, newest.revision) == (bill.period, bill.revision + 1):
        raise UserError(f"Bill {number} is cancelled already, by credit note {newest.number}.")
    if newest.number != number:
        raise UserError(f"Bill {number} is not the newest of its agreement: {newest.number} stands on it.")
    credit = _next_number(period, numbers.CREDIT)
    lines = [-value if place % 4 in (1, 3) else value for place, value in enumerate(bill.lines)]
    amounts = {name: -getattr(bill, name) for name in run.WEIGHTS}
    frame = pl.DataFrame(
        [
            {
                **{name: getattr(bill, name) for name in shapes.BILLS},
                **amounts,
                "number": credit,
                "revision": bill.revision + 1,
                "kind": BillKind.CREDIT_NOTE.value,
                "energy_wh": -bill.energy_wh,
                "support_minor": -bill.support_minor,
                "year_wh": bill.year_wh - bill.energy_wh,
                "issue_date": now.date(),
                "due_date": now.date(),
                "balance_before_minor": balance_of(account_id=bill.account_id),
                "lines": lines,
            }
        ],
        schema_overrides={"lines": pl.List(pl.Int64), "readings": pl.List(pl.Int64)},
    )
    write_frame(_raw(), "billing_bill", shapes.BILLS, frame)
    _post(period, credit, bill.account_id, amounts, TransferKind.CREDIT_NOTE, now)
    audit.record(
        actor=actor,
        action="BILL_CANCELLED",
        subject=f"bill:{number}",
        now=now,
        why=why.strip(),
        credit_note=credit,
    )
    return credit


@transaction.atomic
def rebill(*, number: int, why: str, actor: str, now: dt.datetime) -> tuple[int, int]:
    """Cancel a bill and bill its period again by the readings and tariffs as they are known now.

    Returns (credit note, new bill).
    """
    credit = cancel(number=number, why=why, actor=actor, now=now)
    bill = Bill.objects.get(period=numbers.bill_period(number).number, number=number)
    again = _bill_one(
        Period.from_number(bill.period),
        bill.agreement_id,
        _Decision(BillKind.REBILL, revision=bill.revision + 2, despite_doubt=True),
        now,
    )
    audit.record(actor=actor, action="BILL_REBILLED", subject=f"bill:{number}", now=now, bill=again)
    return credit, again


# -------------------------------------------------------------------------------------------- one bill


def balance_of(*, account_id: int) -> int:
    """What the account owes now, in minor units: what the runs billed to date, and all that was posted singly."""
    singly = LedgerAccount.objects.filter(id=account_id).values_list("balance_minor", flat=True).first()
    return _billed_to_date(account_id) + (singly or 0)


def _bill_one(
    period: Period, agreement_id: int, decision: _Decision, now: dt.datetime, limit: dt.date | None = None
) -> int:
    agreement = hold_still(agreement_id)
    _open_books(period)
    _refuse_billed_since(period, agreement_id, decision.revision)
    profile = installed_profile()
    facts = _facts(period, profile, now, limit)
    raw = _raw()
    selection = select(raw, facts, agreement.account_id, agreement.account_id + 1, only=agreement_id)
    if selection.due.is_empty():
        raise UserError(f"Agreement {agreement_id} has no day left to bill in {period}.")
    start = selection.due["start_date"][0]
    if decision.only_reading_on and decision.only_reading_on <= start:
        raise UserError(
            f"Agreement {agreement_id} is billed to {start}; a reading of {decision.only_reading_on} closes no bill. "
            f"Enter one of a day between {start} and today."
        )
    measured = _measured(raw, facts, selection, decision)
    charged = run.charged(facts, measured)
    problem = charged["problem"][0] or charged["hold"][0]
    if problem:
        raise UserError(
            f"Agreement {agreement_id} cannot be billed: {problem}. Enter a reading, or bill an estimate."
        )
    number = _next_number(period, numbers.SINGLE)
    bills = run.billed(facts, charged, 1).with_columns(
        number=pl.lit(number, pl.Int64),
        kind=pl.lit(decision.kind.value, pl.Int16),
        revision=pl.lit(decision.revision, pl.Int16),
        issue_date=pl.lit(now.date()),
        due_date=pl.lit(profile.due_date(now.date())),
        balance_before_minor=pl.lit(balance_of(account_id=agreement.account_id), pl.Int64),
        billed_to_date_minor=pl.lit(_billed_to_date(agreement.account_id), pl.Int64),
    )
    write_frame(raw, "billing_bill", shapes.BILLS, bills)
    amounts = bills.select(run.WEIGHTS).to_dicts()[0]
    _post(period, number, agreement.account_id, amounts, TransferKind.BILL, now)
    told = run.queued(bills, now, MessageKind.SINGLE_BILL_ISSUED)
    write_frame(raw, "notifications_message", shapes.MESSAGES, told)
    release_messages(period=period, kind=MessageKind.SINGLE_BILL_ISSUED, now=now)
    return number


def hold_still(agreement_id: int) -> Agreement:
    """Lock an agreement before its bills are looked at. UserError when there is none; RunUnderWay at its account.

    A run that is planned from now on waits for this transaction and sees what it wrote.
    """
    raw = _raw()
    raw.execute("SELECT pg_advisory_xact_lock_shared(hashtext('billing_billrun'))")
    agreement = Agreement.objects.select_for_update().filter(id=agreement_id).first()
    if agreement is None:
        raise UserError(f"There is no agreement {agreement_id}.")
    under_way = raw.execute(
        """SELECT r.period FROM billing_billrun r JOIN billing_billrunchunk c ON c.run_id = r.id
           WHERE r.state = 'RUNNING' AND c.state <> 'DONE' AND %(account)s >= c.first_account_id
             AND %(account)s < c.end_account_id""",
        {"account": agreement.account_id},
    ).fetchone()
    if under_way:
        raise RunUnderWay(
            f"The run of {Period.from_number(under_way[0])} is under way and has not billed this account yet. "
            "Try again when it is finished."
        )
    return agreement


def _open_books(period: Period) -> None:
    """The month's partitions, locked in one order by everyone, so that no two wait for each other in a circle."""
    for table in ("billing_bill", "ledger_transfer", "notifications_message", "metering_meterreading"):
        ensure_partition(_raw(), table=table, period=period)


def _refuse_billed_since(period: Period, agreement_id: int, revision: int) -> None:
    """UserError when a later bill, or for a first revision one of this period, has these days."""
    newest = newest_bill(agreement_id)
    if newest and (newest.period > period.number or (newest.period == period.number and not revision)):
        raise UserError(
            f"Agreement {agreement_id} is billed to {newest.end_date} already, by {newest.number}. "
            f"Dismiss what was held in {period}, or cancel the later bill and let the next run bill its days."
        )


def _measured(
    raw: psycopg.Connection[Any], facts: RunFacts, selection: Selection, decision: _Decision
) -> pl.DataFrame:
    readings, due = selection.readings, selection.due
    after = pl.col("read_date") > due["start_date"][0]
    if decision.without_reading:
        readings = readings.filter(~after)
    elif decision.only_reading_on:
        readings = readings.filter(~after | (pl.col("read_date") == decision.only_reading_on))
    due = with_last_year(raw, facts, due, due["row"])
    result = measure(due, selection.openings, readings, selection.installations, facts.rules)
    if decision.despite_doubt:
        releasable = pl.col("hold").is_in(list(RELEASABLE))
        result = result.with_columns(hold=pl.when(releasable).then(None).otherwise("hold"))
    return due.drop("start_date", "recent_daily_wh").join(result, on="row", how="left")


def _facts(period: Period, profile: Profile, now: dt.datetime, limit: dt.date | None) -> RunFacts:
    """As the period's run has them, but with what was received since."""
    facts = run.facts_of_period(_raw(), period, profile, now)
    return replace(facts, cutoff_at=now, limit=limit or facts.limit)


def _raw() -> psycopg.Connection[Any]:
    """Django's own connection as psycopg knows it: the frames are written in the same transaction."""
    connection.ensure_connection()
    raw = connection.connection
    assert isinstance(raw, psycopg.Connection)
    return raw


def newest_bill(agreement_id: int) -> Bill | None:
    """The document that says to which day an agreement is billed: its newest bill, or the credit note over it."""
    return Bill.objects.filter(agreement_id=agreement_id).order_by("-period", "-revision").first()


def _billed_to_date(account_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT billed_to_date_minor FROM billing_bill
               WHERE account_id = %s AND number / 10000000000 %% 10 = 0
               ORDER BY period DESC, number DESC LIMIT 1""",
            [account_id],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _next_number(period: Period, series: int) -> int:
    name = f"{period}-{series}"
    NumberSeries.objects.get_or_create(name=name)
    counter = NumberSeries.objects.select_for_update().get(name=name)
    counter.last += 1
    counter.save(update_fields=["last"])
    return numbers.bill_number(period, series, counter.last)


def _post(
    period: Period, ref: int, account_id: int, amounts: dict[str, int], kind: TransferKind, now: dt.datetime
) -> None:
    """The document's total between its account and clearing, and each part between clearing and its own account."""
    clearing = SystemAccount.BILLING_CLEARING.value

    def posting(leg: TransferKind, debit: int, credit: int, amount_minor: int) -> ledger.Posting:
        if amount_minor < 0:
            debit, credit = credit, debit
        return ledger.Posting(period, leg, ref, debit, credit, abs(amount_minor))

    wanted = [posting(kind, account_id, clearing, amounts["total_minor"])] if amounts["total_minor"] else []
    wanted += [
        posting(leg, clearing, account.value, amounts[name]) for leg, account, name in LEGS if amounts[name]
    ]
    ledger.post(postings=wanted, now=now)
