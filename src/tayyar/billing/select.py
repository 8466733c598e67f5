"""The bill run's `select` stage: one chunk of accounts out of PostgreSQL as frames.

Every table is read by itself over a range of keys, in the order it lies on disk, and joined in Polars: so no
statistics of a freshly loaded partition can mislead the planner, and the cost of a chunk does not depend on history.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import psycopg

from tayyar.billing import numbers, shapes
from tayyar.billing.shapes import NO_END
from tayyar.core.frames import Shape, read_frame
from tayyar.core.periods import Period
from tayyar.metering.measure import MeasureRules, Ordinary, ordinary
from tayyar.metering.segments import unpack
from tayyar.profiles import Profile
from tayyar.tariffs.book import TariffBook

FURTHEST_MONTHS = 24  # how far back an unbilled reading is looked for
_DENSE = 4  # a key range is scanned whole when at most this many times wider than the keys asked for


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the stages know of a run besides the chunk's rows. Never changes while it lasts."""

    period: Period
    issue_date: dt.date
    due_date: dt.date
    limit: dt.date  # readings up to this date close bills; also the end of an open agreement
    cutoff_at: dt.datetime
    recent: tuple[Period, ...]  # billed periods in which an account due now was billed last
    older: tuple[Period, ...]  # all billed periods before those, newest first
    profile: Profile
    book: TariffBook
    rules: MeasureRules


@dataclass(frozen=True, slots=True)
class Selection:
    """A chunk's frames. `due` has a row per agreement to bill, in account and agreement order, with

    row, agreement_id, account_id, usage_point_id, category, language, entitled, breaker_a, service_centre_id,
    channels, start_date, end_limit, is_final, expected_end, carried_minor, single_minor, recent_daily_wh, year_wh,
    months_since, last_year_daily_wh, last_year_prior_daily_wh.
    `openings`, `readings` and `installations` are what metering.measure asks for; `known` is its ordinary part done.
    """

    due: pl.DataFrame
    openings: pl.DataFrame
    readings: pl.DataFrame
    installations: pl.DataFrame
    known: Ordinary


def select(
    connection: psycopg.Connection[Any], facts: RunFacts, first: int, end: int, *, only: int | None = None
) -> Selection:
    """The agreements of accounts [first, end) that are due in the run, and all that charging them needs.

    With `only`, that agreement alone, due or not: for bills made one by one.
    """
    connection.execute("SET LOCAL enable_seqscan = off")  # every read below is by key; keep it so at any size
    agreements = _agreements(connection, facts, first, end)
    if only is not None:
        agreements = agreements.filter(pl.col("agreement_id") == only)
    priors = _priors(connection, facts, first, end, agreements)
    due = _billable(facts, agreements, priors)
    if only is None:
        due = _due(facts, due, _billed_singly(connection, facts, agreements))
    due = due.with_row_index("row")
    keys = due["usage_point_id"].to_numpy()
    readings = _readings(connection, facts, keys, _months(facts.period, Period.of(facts.limit)), due)
    openings = _openings(connection, due)
    readings = _readings_further_back(connection, facts, due, readings)
    if only is None:
        due = _without_newcomers(facts, due, readings)
    openings = openings.join(due.select("row"), on="row", how="semi")
    known = ordinary(due, openings, readings)
    channels = _channels(connection, first, end)
    due = due.join(channels, on="account_id", how="left", maintain_order="left").with_columns(
        pl.col("channels").fill_null(0)
    )
    installations = _installations(connection, known.needs_installations.to_numpy())
    return Selection(due, openings, readings, installations, known)


def with_last_year(
    connection: psycopg.Connection[Any], facts: RunFacts, due: pl.DataFrame, rows: pl.Series
) -> pl.DataFrame:
    """`due` with the use per day of a year ago filled in for `rows`: wanted only where a doubt arises."""
    asked = due.filter(pl.col("row").is_in(rows.implode()))
    months = facts.profile.months_per_bill
    for column, back in (("last_year_daily_wh", 12), ("last_year_prior_daily_wh", 12 + months)):
        period = facts.period.plus(-back)
        if period not in facts.recent and period not in facts.older:
            continue
        past = _daily_use(connection, period, asked["agreement_id"].to_numpy()).rename({"daily_wh": column})
        due = due.drop(column).join(past, on="agreement_id", how="left", maintain_order="left")
    return due


def _range(column: str, keys: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str:
    """An SQL condition that holds for all `keys`, as a range where they lie close together."""
    low, high = int(keys.min()), int(keys.max())
    if high - low < _DENSE * len(keys):
        return f"{column} BETWEEN {low} AND {high}"
    return f"{column} = ANY('{{{','.join(map(str, keys.tolist()))}}}'::bigint[])"


def _empty(shape: Shape) -> pl.DataFrame:
    types = {"int2": pl.Int16, "int4": pl.Int32, "int8": pl.Int64, "date": pl.Date}
    return pl.DataFrame(schema={name: types[kind] for name, kind in shape.items()})


def _agreements(connection: psycopg.Connection[Any], facts: RunFacts, first: int, end: int) -> pl.DataFrame:
    """The chunk's agreements with their account, usage point, and what was posted to the account one by one."""
    span = f"a.account_id >= {first} AND a.account_id < {end} AND a.start_date < DATE '{facts.limit}'"
    row = connection.execute(
        f"SELECT count(*), min(usage_point_id), max(usage_point_id) FROM customers_agreement a WHERE {span}"
    ).fetchone()
    assert row is not None
    count, low, high = row
    near = f"AND u.id BETWEEN {low} AND {high}" if count and high - low < _DENSE * count else ""
    # Each side is a range of its key, as long as the others: merging them beats probing, whatever the estimates say.
    connection.execute(f"SET LOCAL enable_nestloop = {'off' if near else 'on'}")
    found = read_frame(
        connection,
        f"""SELECT a.id, a.account_id, a.usage_point_id, a.category, a.start_date, COALESCE(a.end_date, {NO_END}),
                   c.language, c.is_entitled, u.breaker_a, u.service_centre_id::int4, COALESCE(l.balance_minor, 0)
            FROM customers_agreement a
            JOIN customers_customeraccount c ON c.id = a.account_id AND c.id >= {first} AND c.id < {end}
            JOIN metering_usagepoint u ON u.id = a.usage_point_id {near}
            LEFT JOIN ledger_ledgeraccount l ON l.id = a.account_id AND l.id >= {first} AND l.id < {end}
            WHERE {span}""",
        shapes.AGREEMENTS,
    )
    connection.execute("SET LOCAL enable_nestloop = on")
    return found.sort("account_id", "agreement_id")


def _prior_query(periods: tuple[Period, ...], condition: str) -> str:
    listed = ", ".join(str(period.number) for period in periods)
    packed = ", ".join(f"COALESCE(readings[{i}], 0)" for i in range(1, 6))
    return f"""SELECT agreement_id, account_id, number, revision, period, start_date, end_date,
                      billed_to_date_minor, recent_daily_wh, year_wh, cardinality(readings) / 5, {packed}
               FROM billing_bill WHERE period IN ({listed}) AND {condition}"""


def _priors(
    connection: psycopg.Connection[Any], facts: RunFacts, first: int, end: int, agreements: pl.DataFrame
) -> pl.DataFrame:
    """The newest bill of each agreement: shapes.PRIORS and `carried_minor`, what the run billed its account so far."""
    found = _empty(shapes.PRIORS)
    if facts.recent:
        span = f"account_id >= {first} AND account_id < {end}"
        found = read_frame(connection, _prior_query(facts.recent, span), shapes.PRIORS)
    missing = agreements.join(found, on="agreement_id", how="anti")["account_id"].unique().to_numpy()
    if facts.older and missing.size:
        listed = f"account_id = ANY('{{{','.join(map(str, missing.tolist()))}}}'::bigint[])"
        found = pl.concat([found, read_frame(connection, _prior_query(facts.older, listed), shapes.PRIORS)])
    # Bills made one by one only copy what the runs had billed by then: the newest of a run says more.
    from_run = pl.col("number") // 10_000_000_000 % 10 == numbers.RUN
    carried = (
        found.sort("account_id", from_run, "period", "number")
        .group_by("account_id", maintain_order=True)
        .agg(carried_minor=pl.col("billed_to_date_minor").last())
    )
    newest = found.sort("period", "revision").unique("agreement_id", keep="last", maintain_order=True)
    return newest.join(carried, on="account_id", how="left", maintain_order="left")


def _billed_singly(
    connection: psycopg.Connection[Any], facts: RunFacts, agreements: pl.DataFrame
) -> pl.Series:
    """Agreements that have a bill in this period or a later one already: a final bill made before the run."""
    if agreements.is_empty():
        return pl.Series("agreement_id", [], dtype=pl.Int64)
    condition = _range("agreement_id", agreements["agreement_id"].to_numpy())
    query = f"SELECT agreement_id FROM billing_bill WHERE period >= {facts.period.number} AND {condition}"
    return read_frame(connection, query, {"agreement_id": "int8"})["agreement_id"]


def _billable(facts: RunFacts, agreements: pl.DataFrame, priors: pl.DataFrame) -> pl.DataFrame:
    """Agreements with days not billed yet: from which day, and to which day at the latest."""
    months = facts.profile.months_per_bill
    index = facts.period.year * 12 + facts.period.month - 1
    prior_index = pl.col("period") // 100 * 12 + pl.col("period") % 100 - 1
    cancelled = pl.col("revision") % 2 == 1
    limit = pl.lit(facts.limit)
    carried = priors.select("account_id", "carried_minor").unique("account_id")
    newest = priors.drop("account_id", "carried_minor")
    return (
        agreements.join(newest, on="agreement_id", how="left", maintain_order="left")
        .join(carried, on="account_id", how="left", maintain_order="left")
        .with_columns(
            carried_minor=pl.col("carried_minor").fill_null(0),
            start_date=pl.when(cancelled)
            .then("prior_start")
            .otherwise("prior_end")
            .fill_null(pl.col("agreement_start")),
            end_limit=pl.min_horizontal("agreement_end", limit),
            is_final=pl.col("agreement_end") <= limit,
            months_since=pl.lit(index, pl.Int32) - prior_index,
        )
        .filter(pl.col("start_date") < pl.col("end_limit"))
        .with_columns(
            expected_end=pl.when("is_final")
            .then("end_limit")
            .otherwise(pl.min_horizontal("end_limit", pl.col("start_date").dt.offset_by(f"{months}mo"))),
            # The use of the calendar year so far, for annual thresholds: it starts anew in January.
            year_wh=pl.when(pl.col("prior_end").dt.year() == facts.limit.year)
            .then("year_wh")
            .otherwise(0)
            .fill_null(0),
            last_year_daily_wh=pl.lit(None, pl.Int64),
            last_year_prior_daily_wh=pl.lit(None, pl.Int64),
        )
    )


def _due(facts: RunFacts, billable: pl.DataFrame, billed: pl.Series) -> pl.DataFrame:
    """Of these, the ones whose turn it is: a cycle has passed, or the agreement ended, or its bill was cancelled."""
    months = facts.profile.months_per_bill
    index = facts.period.year * 12 + facts.period.month - 1
    first_turn = pl.col("months_since").is_null() & (pl.col("account_id") % months == index % months)
    turn = (
        (pl.col("months_since") >= months) | pl.col("is_final") | (pl.col("revision") % 2 == 1) | first_turn
    )
    return billable.filter(turn.fill_null(False) & ~pl.col("agreement_id").is_in(billed.implode()))


def _openings(connection: psycopg.Connection[Any], due: pl.DataFrame) -> pl.DataFrame:
    """Where the previous bill closed each register (opened it, when that bill was cancelled)."""
    billed = due.filter(pl.col("segments").is_not_null())
    cancelled = pl.col("revision") % 2 == 1
    code, dates = pl.col("code"), pl.col("dates")
    single = billed.filter(pl.col("segments") == 1).select(
        "row",
        "meter_id",
        register=(code // 100 % 10).cast(pl.Int16),
        read_date=(pl.when(cancelled).then(dates // 100_000).otherwise(dates % 100_000))
        .cast(pl.Int32)
        .cast(pl.Date),
        value_wh=pl.when(cancelled).then("from_wh").otherwise("to_wh"),
        quality=pl.when(cancelled).then(code // 10 % 10).otherwise(code % 10).cast(pl.Int16),
        multiplier=(code // 1000).cast(pl.Int32),
    )
    several = billed.filter(pl.col("segments") > 1)
    if several.is_empty():
        return single
    rows = []
    with connection.cursor() as cursor:
        for row, number, period, revision in several.select(
            "row", "number", "period", "revision"
        ).iter_rows():
            cursor.execute(
                "SELECT start_date, end_date, readings FROM billing_bill WHERE period = %s AND number = %s",
                [period, number],
            )
            found = cursor.fetchone()
            if found is None:
                raise LookupError(f"bill {number} vanished")
            start_date, end_date, packed = found
            for segment in unpack(packed):
                if revision % 2 == 1 and segment.from_date == start_date:
                    rows.append(
                        (
                            row,
                            segment.meter_id,
                            segment.register,
                            segment.from_date,
                            segment.from_wh,
                            segment.from_quality,
                            segment.multiplier,
                        )
                    )
                elif revision % 2 == 0 and segment.to_date == end_date:
                    rows.append(
                        (
                            row,
                            segment.meter_id,
                            segment.register,
                            segment.to_date,
                            segment.to_wh,
                            segment.to_quality,
                            segment.multiplier,
                        )
                    )
    return pl.concat([single, pl.DataFrame(rows, schema=single.schema, orient="row")])


def _readings(
    connection: psycopg.Connection[Any],
    facts: RunFacts,
    keys: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    periods: list[Period],
    due: pl.DataFrame,
) -> pl.DataFrame:
    """Readings of the usage points in the given months, received before the run began."""
    if not keys.size or not periods:
        return _empty(shapes.READINGS)
    listed = ", ".join(str(period.number) for period in periods)
    found = read_frame(
        connection,
        f"""SELECT usage_point_id, meter_id, register, read_date, value_wh, quality FROM metering_meterreading
            WHERE period IN ({listed}) AND {_range("usage_point_id", keys)}
              AND read_date <= DATE '{facts.limit}' AND received_at <= '{facts.cutoff_at.isoformat()}'""",
        shapes.READINGS,
    )
    return found.join(due.select("usage_point_id"), on="usage_point_id", how="semi", maintain_order="left")


def _readings_further_back(
    connection: psycopg.Connection[Any], facts: RunFacts, due: pl.DataFrame, readings: pl.DataFrame
) -> pl.DataFrame:
    """Add earlier months for those without a closing reading this month, and for the opening of the never billed."""
    doubtful = due.filter(
        ~pl.col("usage_point_id").is_in(_closed(due, readings).implode()) | pl.col("segments").is_null()
    )
    if doubtful.is_empty():
        return readings
    earliest = doubtful["start_date"].min()
    assert isinstance(earliest, dt.date)
    back = max(Period.of(earliest), facts.period.plus(-FURTHEST_MONTHS))
    months = _months(back, facts.period.plus(-1))
    keys = doubtful["usage_point_id"].unique().to_numpy()
    return pl.concat([_readings(connection, facts, keys, months, due), readings])


def _months(first: Period, last: Period) -> list[Period]:
    """All months from `first` to `last`, both counted."""
    months = []
    while first <= last:
        months.append(first)
        first = first.plus(1)
    return months


def _closed(due: pl.DataFrame, readings: pl.DataFrame) -> pl.Series:
    """Usage points with a reading in the days that can be billed."""
    joined = readings.join(due.select("usage_point_id", "start_date", "end_limit"), on="usage_point_id")
    within = (pl.col("read_date") > pl.col("start_date")) & (pl.col("read_date") <= pl.col("end_limit"))
    return joined.filter(within)["usage_point_id"]


def _without_newcomers(facts: RunFacts, due: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """A new agreement that began less than a cycle ago and was not read since waits for its next run."""
    young = facts.limit - dt.timedelta(days=31 * facts.profile.months_per_bill)
    waiting = (
        pl.col("segments").is_null()
        & ~pl.col("is_final")
        & (pl.col("start_date") > young)
        & ~pl.col("usage_point_id").is_in(_closed(due, readings).implode())
    )
    return due.filter(~waiting)


def _channels(connection: psycopg.Connection[Any], first: int, end: int) -> pl.DataFrame:
    """Bit mask of the channels through which each account's holder can be reached."""
    query = f"""SELECT account_id, bit_or((1 << channel)::int2) FROM customers_contactpoint
                WHERE account_id >= {first} AND account_id < {end} AND recipient = 0 AND is_active
                  AND verified_at IS NOT NULL
                GROUP BY account_id"""
    return read_frame(connection, query, shapes.CHANNELS)


def _installations(
    connection: psycopg.Connection[Any], keys: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> pl.DataFrame:
    """Installations of the usage points that need them; `removed_on` and `closing_wh` are null while installed."""
    if not keys.size:
        return _empty(shapes.INSTALLATIONS)
    found = read_frame(
        connection,
        f"""SELECT i.usage_point_id, i.meter_id, i.installed_on, COALESCE(i.removed_on, {NO_END}), i.opening_wh,
                   COALESCE(i.closing_wh, -1), i.multiplier, m.digits
            FROM metering_meterinstallation i JOIN metering_meter m ON m.id = i.meter_id
            WHERE {_range("i.usage_point_id", keys)}""",
        shapes.INSTALLATIONS,
    )
    standing = pl.col("closing_wh") < 0
    return found.with_columns(
        removed_on=pl.when(standing).then(None).otherwise("removed_on"),
        closing_wh=pl.when(standing).then(None).otherwise("closing_wh"),
    )


def _daily_use(
    connection: psycopg.Connection[Any], period: Period, keys: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> pl.DataFrame:
    """Use per day, in Wh, of the newest standing bill of each agreement in a past period."""
    shape = {
        "agreement_id": "int8",
        "revision": "int2",
        "energy_wh": "int8",
        "start_date": "date",
        "end_date": "date",
    }
    if not keys.size:
        return pl.DataFrame(schema={"agreement_id": pl.Int64, "daily_wh": pl.Int64})
    query = f"""SELECT agreement_id, revision, energy_wh, start_date, end_date FROM billing_bill
                WHERE period = {period.number} AND {_range("agreement_id", keys)}"""
    return (
        read_frame(connection, query, shape)
        .sort("revision")
        .unique("agreement_id", keep="last")
        .filter(pl.col("revision") % 2 == 0)
        .select(
            "agreement_id",
            daily_wh=pl.col("energy_wh") // (pl.col("end_date") - pl.col("start_date")).dt.total_days(),
        )
    )


def run_series(period: Period) -> str:
    """An SQL condition for the bills of the run itself, as against those made one by one."""
    first, end = numbers.series_bounds(period, numbers.RUN)
    return f"number >= {first} AND number < {end}"
