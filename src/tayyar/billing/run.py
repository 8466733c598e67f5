"""The bill run: one issue day for one period, from readings to bills, ledger and messages.

Reads top to bottom like a recipe. Each stage is a function from frame to frame whose columns are declared beside
it; nothing here goes row by row, and nothing here edits what was written. chunks.py leases the slices to workers,
certificate.py counts and signs what came out.

    plan      who is due; slices them into chunks                              once
     select   agreements, last billed and newest reading, balance              select.py
     measure  consumption, estimates, high/low check -> held with a reason
     charge   the tariff kernel
     number   the chunk's place in the gapless series
     bill     dates, balance, lines, totals
     post     ledger transfers
     queue    one message per bill, at the first step of its plan
     write    COPY everything; mark the chunk done with counts, money and a hash
    certify   indexes, totals, signature                                       certificate.py
"""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import psycopg

from tayyar.billing import chunks, numbers, shapes
from tayyar.billing.models import BillKind
from tayyar.billing.select import RunFacts, Selection, select, with_last_year
from tayyar.core.errors import UserError
from tayyar.core.frames import array_order, encode, write_blocks, write_frame
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.ledger.models import SystemAccount, TransferKind
from tayyar.metering.measure import MeasureRules, measure
from tayyar.notifications.models import MessageKind, MessageState
from tayyar.notifications.people import delivery_rules
from tayyar.notifications.plans import first_channels
from tayyar.profiles import Profile
from tayyar.tariffs.book import TariffBook, load_book
from tayyar.tariffs.kernel import charge

CHUNK_ACCOUNTS = 60_000
SEASONAL_DOUBTS = ["HIGH_USE", "LOW_USE", "ZERO_USE", "NO_HISTORY"]  # last year may explain these
WEIGHTS = ("energy_minor", "fixed_minor", "subsidy_minor", "tax_minor", "total_minor")


# ------------------------------------------------------------------------------------------------ plan


def plan(
    connection: psycopg.Connection[Any],
    *,
    period: Period,
    profile: Profile,
    now: dt.datetime,
    chunk_accounts: int = CHUNK_ACCOUNTS,
) -> int:
    """Create the run of `period` with chunks of `chunk_accounts` accounts, or find it. Returns its id.

    One transaction under a lock: two coordinators get the same run. UserError when the profile still has open
    questions, when the issue day has not come, when a later period was billed already, or when no reading came.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('billing_billrun'))")
        found = connection.execute(
            "SELECT id FROM billing_billrun WHERE period = %s", [period.number]
        ).fetchone()
        if found:
            return int(found[0])
        _refuse_wrong_time(connection, period=period, profile=profile, now=now)
        refuse_without_readings(connection, period=period, profile=profile, now=now)
        issue_date = issue_date_of(profile, period)
        previous = connection.execute(
            "SELECT id FROM billing_billrun ORDER BY period DESC LIMIT 1"
        ).fetchone()
        run_id = connection.execute(
            """INSERT INTO billing_billrun
                   (period, profile, state, previous_id, cutoff_at, issue_date, due_date, tariff_hash)
               VALUES (%s, %s, 'RUNNING', %s, %s, %s, %s, %s) RETURNING id""",
            [
                period.number,
                profile.code,
                previous and previous[0],
                now,
                issue_date,
                profile.due_date(issue_date),
                tariff_hash(load_book(profile)),
            ],
        ).fetchone()
        assert run_id is not None
        for table in ("billing_bill", "ledger_transfer", "notifications_message", "metering_meterreading"):
            ensure_partition(connection, table=table, period=period, indexed=False)
        connection.execute(
            """INSERT INTO billing_billrunchunk
                   (run_id, index, first_account_id, end_account_id, state, token, error,
                    eligible, billed, held, rejected, messages, energy_wh, totals, sha256)
               SELECT %(run)s, (row_number() OVER (ORDER BY id)) - 1, id,
                      COALESCE(lead(id) OVER (ORDER BY id), 9223372036854775807),
                      'PENDING', 0, '', 0, 0, 0, 0, 0, 0, '{}', ''
               FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM customers_customeraccount) AS ranked
               WHERE (place - 1) %% %(size)s = 0""",
            {"run": run_id[0], "size": chunk_accounts},
        )
        return int(run_id[0])


def issue_date_of(profile: Profile, period: Period) -> dt.date:
    """The profile's issue day in the period, moved off weekends and holidays by its rule."""
    return profile.issue_date(period.year, period.month)


def tariff_hash(book: TariffBook) -> str:
    """One hash of all tariff documents: a run is charged by one state of them."""
    return hashlib.sha256("".join(version.content_hash for version in book.versions).encode()).hexdigest()


def _refuse_wrong_time(
    connection: psycopg.Connection[Any], *, period: Period, profile: Profile, now: dt.datetime
) -> None:
    if open_questions := profile.unanswered():
        listed = "\n".join(f"  {question.key}: {question.question['en']}" for question in open_questions)
        raise UserError(
            f"Profile {profile.code} still has open questions that bills depend on:\n{listed}\n"
            f"Answer them in profile-{profile.code}.yaml in the data folder, then run again."
        )
    if issue_date_of(profile, period) > now.date():
        raise UserError(
            f"Bills of {period} are issued on {issue_date_of(profile, period)}; that day has not come."
        )
    later = connection.execute(
        "SELECT max(period) FROM billing_billrun WHERE period > %s", [period.number]
    ).fetchone()
    if later and later[0]:
        raise UserError(
            f"{Period.from_number(later[0])} is billed already, so {period} cannot be run any more. "
            "Bill single accounts with `tayyar review`."
        )


def refuse_without_readings(
    connection: psycopg.Connection[Any], *, period: Period, profile: Profile, now: dt.datetime
) -> None:
    """UserError when not one reading came since the last issue day: nobody meant to estimate everybody."""
    limit = min(issue_date_of(profile, period), period.end)
    before = period.plus(-1)
    for month, after in ((period, before.start), (before, issue_date_of(profile, before))):
        if connection.execute(
            """SELECT 1 FROM metering_meterreading
               WHERE period = %s AND read_date > %s AND read_date <= %s AND received_at <= %s LIMIT 1""",
            [month.number, after, limit, now],
        ).fetchone():
            return
    raise UserError(
        f"No reading of {period} has come, so every bill would be an estimate. "
        "Bring the readings in first: `tayyar readings import FILE`."
    )


def facts_of(connection: psycopg.Connection[Any], run_id: int, profile: Profile) -> RunFacts:
    """What the stages need to know of the run. Refuses tariffs that changed since it was planned."""
    row = connection.execute(
        "SELECT period, issue_date, due_date, cutoff_at, tariff_hash FROM billing_billrun WHERE id = %s",
        [run_id],
    ).fetchone()
    if row is None:
        raise UserError(f"There is no bill run {run_id}.")
    facts = facts_of_period(connection, Period.from_number(row[0]), profile, row[3])
    if tariff_hash(facts.book) != row[4]:
        raise UserError(
            f"The tariff documents of {profile.code} changed after the run of {facts.period} was planned. "
            "Put them back as they were, and bring the change in after the run."
        )
    return replace(facts, issue_date=row[1], due_date=row[2], limit=min(row[1], facts.period.end))


def facts_of_period(
    connection: psycopg.Connection[Any], period: Period, profile: Profile, cutoff_at: dt.datetime
) -> RunFacts:
    """The same for a period by itself, whether it has a run or not: for single bills and dry runs."""
    recent, older = _billed_periods(connection, period, profile.months_per_bill)
    issue_date = issue_date_of(profile, period)
    return RunFacts(
        period=period,
        issue_date=issue_date,
        due_date=profile.due_date(issue_date),
        limit=min(issue_date, period.end),
        cutoff_at=cutoff_at,
        recent=recent,
        older=older,
        profile=profile,
        book=load_book(profile),
        rules=MeasureRules.from_profile(profile),
    )


def _billed_periods(
    connection: psycopg.Connection[Any], period: Period, months: int
) -> tuple[tuple[Period, ...], tuple[Period, ...]]:
    """Periods before this one that hold bills, newest first: those of the last `months` runs and since, and older.

    Not only runs make bills: whoever moved out in a month that was never run has his final bill there.
    """
    rows = connection.execute(
        """SELECT period, bool_or(has_run) FROM (
               SELECT period, true AS has_run FROM billing_billrun
               UNION ALL SELECT replace(left(name, 7), '-', '')::int, false FROM billing_numberseries) AS known
           WHERE period < %s GROUP BY period ORDER BY period DESC""",
        [period.number],
    ).fetchall()
    runs = [number for number, has_run in rows if has_run][:months]
    oldest = runs[-1] if len(runs) == months else 0
    recent = tuple(Period.from_number(number) for number, _ in rows if number >= oldest)
    return recent, tuple(Period.from_number(number) for number, _ in rows if number < oldest)


# ------------------------------------------------------------------------------- the stages of a chunk


def measured(connection: psycopg.Connection[Any], facts: RunFacts, selection: Selection) -> pl.DataFrame:
    """`due` with start_date, end_date, energy_wh (and per register), is_estimated, hold, readings.

    Where a reading is missing or looks wrong, the same period last year is asked before anything is estimated or held.
    """
    due = selection.due
    frames = (selection.openings, selection.readings, selection.installations)
    result = measure(due, *frames, facts.rules, known=selection.known)
    doubtful = result.filter(pl.col("is_estimated") | pl.col("hold").is_in(SEASONAL_DOUBTS))["row"]
    if not doubtful.is_empty():
        informed = with_last_year(connection, facts, due, doubtful)
        if informed is not due:
            due = informed
            result = measure(due, *frames, facts.rules)
    return due.drop("start_date", "recent_daily_wh").join(result, on="row", how="left", maintain_order="left")


def whole_months(days: int) -> int:
    """How many months a bill over `days` counts as, for what is charged by whole months: 31 -> 1, 61 -> 2."""
    return max(1, (days + 15) // 30)


def charged(facts: RunFacts, bills: pl.DataFrame) -> pl.DataFrame:
    """Adds energy_minor .. total_minor, support_minor, tariff, lines and problem: the tariff kernel's answer."""
    days = (pl.col("end_date") - pl.col("start_date")).dt.total_days()
    registers = [name for name in bills.columns if name.startswith("energy_wh_")]
    accounts = bills.select(
        "row",
        "category",
        "start_date",
        "end_date",
        "energy_wh",
        "breaker_a",
        "entitled",
        "year_wh",
        *registers,
        months=pl.max_horizontal(pl.lit(1), (days + 15) // 30).cast(pl.Int32),  # whole_months, for a column
    )
    charges = charge(accounts, facts.book)
    ends = np.cumsum(charges.lines.line_counts) * 4
    lines = _ragged(charges.lines.line_values.reshape(-1), np.concatenate([[0], ends]))
    return bills.hstack(charges.totals.drop("row")).with_columns(lines=lines)


def _ragged(values: "np.ndarray[Any, np.dtype[np.int64]]", offsets: "np.ndarray[Any, Any]") -> pl.Series:
    import pyarrow as pa

    array = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(values))
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series


def sorted_out(bills: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits into bills to issue and exceptions (account_id, agreement_id, outcome, reason, detail)."""
    exceptions = bills.filter(pl.col("hold").is_not_null() | pl.col("problem").is_not_null())
    detail = pl.struct("energy_wh", "expected_low_wh", "expected_high_wh", "start_date", "end_date")
    return (
        bills.filter(pl.col("hold").is_null() & pl.col("problem").is_null()),
        exceptions.select(
            "account_id",
            "agreement_id",
            outcome=pl.when(pl.col("hold").is_not_null()).then(pl.lit("HELD")).otherwise(pl.lit("REJECTED")),
            reason=pl.coalesce("hold", "problem"),
            detail=detail.struct.with_fields(
                pl.field("start_date").cast(pl.String), pl.field("end_date").cast(pl.String)
            ).struct.json_encode(),
        ),
    )


def billed(facts: RunFacts, bills: pl.DataFrame, first_serial: int) -> pl.DataFrame:
    """shapes.BILLS (and language, channels): numbered in account order, with the account's balance before each."""
    serials = np.arange(first_serial, first_serial + bills.height, dtype=np.int64)
    totals, account = bills["total_minor"].to_numpy(), bills["account_id"].to_numpy()
    run_total = totals
    if (
        account[1:] == account[:-1]
    ).any():  # an account with several agreements: each bill stands on the ones before
        run_total = bills.select(pl.col("total_minor").cum_sum().over("account_id")).to_series().to_numpy()
    to_date = bills["carried_minor"].to_numpy() + run_total
    return bills.with_columns(
        number=pl.Series(numbers.bill_number(facts.period, numbers.RUN, serials), dtype=pl.Int64),
        period=pl.lit(facts.period.number, pl.Int32),
        issue_date=pl.lit(facts.issue_date),
        due_date=pl.lit(facts.due_date),
        billed_to_date_minor=pl.Series(to_date),
        balance_before_minor=pl.Series(to_date - totals) + pl.col("single_minor"),
        year_wh=pl.col("year_wh") + pl.col("energy_wh"),
        revision=pl.lit(0, pl.Int16),
        kind=pl.when("is_final")
        .then(pl.lit(BillKind.FINAL.value))
        .otherwise(pl.lit(BillKind.BILL.value))
        .cast(pl.Int16),
    ).select(*shapes.BILLS, "language", "channels")


def posted(facts: RunFacts, bills: pl.DataFrame, chunk_index: int, now: dt.datetime) -> pl.DataFrame:
    """shapes.TRANSFERS: each bill from clearing to its account, then the chunk's revenue, subsidy and tax."""
    owed = pl.col("total_minor") > 0
    clearing = pl.lit(SystemAccount.BILLING_CLEARING.value, pl.Int64)
    receivables = bills.filter(pl.col("total_minor") != 0).select(
        "period",
        pl.lit(TransferKind.BILL.value, pl.Int16).alias("kind"),
        ref="number",
        debit_account_id=pl.when(owed).then("account_id").otherwise(clearing),
        credit_account_id=pl.when(owed).then(clearing).otherwise("account_id"),
        amount_minor=pl.col("total_minor").abs(),
        posted_at=pl.lit(now, pl.Datetime("us", "UTC")),
    )
    sides = (
        (TransferKind.REVENUE_ENERGY, SystemAccount.REVENUE_ENERGY, "energy_minor"),
        (TransferKind.REVENUE_FIXED, SystemAccount.REVENUE_FIXED, "fixed_minor"),
        (TransferKind.SUBSIDY, SystemAccount.SUBSIDY, "subsidy_minor"),
        (TransferKind.TAX, SystemAccount.TAX_PAYABLE, "tax_minor"),
    )
    rows = []
    for kind, account, column in sides:
        amount = int(bills[column].sum())
        if amount:
            debit, credit = (10, account.value) if amount > 0 else (account.value, 10)
            rows.append((facts.period.number, kind.value, chunk_index + 1, debit, credit, abs(amount), now))
    return pl.concat([receivables, pl.DataFrame(rows, schema=receivables.schema, orient="row")])


def queued(
    bills: pl.DataFrame, now: dt.datetime, kind: MessageKind = MessageKind.BILL_ISSUED
) -> pl.DataFrame:
    """shapes.MESSAGES: one per bill, at the first step of its plan that the account has a contact point for."""
    firsts = first_channels(delivery_rules().plan(kind))
    steps, channels = (np.array(column, np.int16) for column in zip(*firsts, strict=True))
    masks = bills["channels"].to_numpy()
    return bills.select(
        "period",
        pl.lit(kind.value, pl.Int16).alias("kind"),
        pl.col("number").alias("ref"),
        pl.lit(0, pl.Int16).alias("recipient"),
        "account_id",
        "language",
        pl.Series("step", steps[masks]),
        pl.Series("channel", channels[masks]),
        pl.lit(MessageState.QUEUED.value, pl.Int16).alias("state"),
        pl.lit(now, pl.Datetime("us", "UTC")).alias("created_at"),
    )


# -------------------------------------------------------------------------------------- chunk by chunk


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of a chunk before it has numbers: bills to issue and exceptions."""

    bills: pl.DataFrame
    exceptions: pl.DataFrame
    eligible: int


def compute(connection: psycopg.Connection[Any], facts: RunFacts, first: int, end: int) -> Result:
    """select, measure, charge and sort out accounts [first, end). Writes nothing; the same inputs, the same result."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        selection = select(connection, facts, first, end)
        bills = measured(connection, facts, selection)
    finally:
        connection.execute("ROLLBACK")
    issued, exceptions = sorted_out(charged(facts, bills))
    return Result(issued, exceptions, bills.height)


def write(
    connection: psycopg.Connection[Any],
    facts: RunFacts,
    lease: chunks.Lease,
    result: Result,
    first_serial: int,
    now: dt.datetime,
) -> None:
    """number, bill, post, queue, and COPY it all in one transaction that only the holder of the lease can commit."""
    bills = billed(facts, result.bills, first_serial)
    transfers = posted(facts, bills, lease.index, now)
    messages = queued(bills, now)
    order = [*array_order(shapes.BILLS), pl.col("agreement_id")]
    blocks = encode(bills.sort(order), shapes.BILLS)
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    with connection.transaction():
        chunks.lock(connection, lease)
        write_blocks(connection, "billing_bill", shapes.BILLS, blocks)
        write_frame(connection, "ledger_transfer", shapes.TRANSFERS, transfers)
        write_frame(connection, "notifications_message", shapes.MESSAGES, messages)
        _write_exceptions(connection, facts, lease.run_id, result.exceptions)
        chunks.done(
            connection,
            lease,
            chunks.Outcome(
                eligible=result.eligible,
                billed=bills.height,
                held=result.exceptions.filter(pl.col("outcome") == "HELD").height,
                rejected=result.exceptions.filter(pl.col("outcome") == "REJECTED").height,
                messages=messages.height,
                energy_wh=int(bills["energy_wh"].sum()),
                totals=totals_by_tariff(bills),
                sha256=digest.hexdigest(),
            ),
            now=now,
        )


def totals_by_tariff(bills: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Per tariff number: bills, energy_wh and each kind of money in minor units."""
    grouped = bills.group_by("tariff").agg(
        pl.len().cast(pl.Int64).alias("bills"),
        pl.col("energy_wh").sum(),
        *(pl.col(name).sum() for name in WEIGHTS),
    )
    return {str(row.pop("tariff")): row for row in grouped.sort("tariff").to_dicts()}


def _write_exceptions(
    connection: psycopg.Connection[Any], facts: RunFacts, run_id: int, exceptions: pl.DataFrame
) -> None:
    if exceptions.is_empty():
        return
    columns = "run_id, period, agreement_id, account_id, outcome, reason, detail, resolution, resolved_by"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY billing_billexception ({columns}) FROM STDIN") as copy,
    ):
        for row in exceptions.iter_rows(named=True):
            copy.write_row(
                (
                    run_id,
                    facts.period.number,
                    row["agreement_id"],
                    row["account_id"],
                    row["outcome"],
                    row["reason"],
                    json.dumps(json.loads(row["detail"])),
                    "",
                    "",
                )
            )


def process(
    connection: psycopg.Connection[Any], facts: RunFacts, lease: chunks.Lease, now: dt.datetime
) -> bool:
    """Do one chunk. False when it had to be put back because an earlier chunk is not counted yet."""
    result = compute(connection, facts, lease.first_account_id, lease.end_account_id)
    result = _fit_to_count(result, chunks.publish_count(connection, lease, result.bills.height))
    first_serial = chunks.first_serial(connection, lease)
    if first_serial is None:
        chunks.put_back(connection, lease)
        return False
    write(connection, facts, lease, result, first_serial, now)
    return True


def _fit_to_count(result: Result, counted: int) -> Result:
    """Keep to the count that an earlier try published, on which the numbers of later chunks stand.

    Only a change made by hand between two tries can add bills: those wait for a reviewer. Fewer bills leave serials
    unused, which the certificate lists as void.
    """
    extra = result.bills.height - counted
    if extra <= 0:
        return result
    late = result.bills.tail(extra).select(
        "account_id",
        "agreement_id",
        outcome=pl.lit("HELD"),
        reason=pl.lit("CHANGED_DURING_RUN"),
        detail=pl.lit("{}"),
    )
    return Result(result.bills.head(counted), pl.concat([result.exceptions, late]), result.eligible)
