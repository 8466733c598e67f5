"""The chain of meters of a usage point through a period: first bills, exchanges, rollovers, missing readings.

Owns every case that needs the installations. Never judges whether the use is believable (highlow.py).
Next: measure.py turns the segments into energy. The ordinary case is plain.py's.

Frames carry `at`, the position of the point; days are integers since 1970-01-01; a reading of day d is the register
at the start of d, so it closes [.., d) and opens [d, ..).
"""

import polars as pl

from tayyar.metering.highlow import ceiling_daily
from tayyar.metering.limits import MeasureRules
from tayyar.metering.plain import SEGMENT
from tayyar.metering.segments import ACTUAL, ESTIMATED

FAR = 2_000_000  # a day after every date: "still installed"

HOLD: dict[str, type[pl.DataType]] = {"at": pl.UInt32, "hold": pl.Utf8}
_METER = ["at", "meter_id"]
_KEY = ["at", "meter_id", "register"]


def chained_segments(
    points: pl.DataFrame,
    openings: pl.DataFrame,
    readings: pl.DataFrame,
    installations: pl.DataFrame,
    rules: MeasureRules,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Segments of points whose meters must be followed through their installations, and holds (at, hold).

    `points` also has estimate_daily_milli_wh (measure.estimate_daily); `readings` are those up to the limit, also
    before the start for points without openings. Third comes where each bill ends (at, end_day).
    """
    reads = readings.join(
        points.select("at", "usage_point_id", "start_day", "limit_day"), on="usage_point_id"
    ).filter(pl.col("read_day") <= pl.col("limit_day"))
    window = reads.filter(pl.col("read_day") > pl.col("start_day"))
    installs = _installs(points, openings, installations)
    registers = _registers(openings, reads, installs)
    first, opened, holds = _openings(points, openings, reads, installs, registers)

    covered = window.join(installs, on=_METER).filter(
        (pl.col("installed_day") <= pl.col("read_day")) & (pl.col("read_day") <= pl.col("removed_day"))
    )
    stray = window.join(
        covered.select("at", "meter_id", "read_day"), on=["at", "meter_id", "read_day"], how="anti"
    )
    holds.append(_hold(stray, "METER_MISMATCH"))

    closing = (
        # On the day a meter is installed its reading is the installation's opening, not a closing.
        covered.filter(pl.col("installed_day") < pl.col("read_day"))
        .join(registers, on=_KEY)
        .group_by("at", "meter_id", "read_day", "registers")
        .agg(read=pl.col("register").n_unique())
        .filter(pl.col("read") == pl.col("registers"))
        .filter(pl.col("read_day") == pl.col("read_day").max().over("at"))
        .select("at", close_day="read_day", close_meter="meter_id")
    )
    ends = points.join(closing, on="at", how="left", maintain_order="left").with_columns(
        end_day=pl.when("is_final")
        .then("limit_day")
        .otherwise(pl.coalesce("close_day", pl.min_horizontal("expected_day", "limit_day")))
    )
    holds.append(_hold(ends.filter(pl.col("end_day") <= pl.col("start_day")), "EMPTY_PERIOD"))

    known, open_ends, more = _known_segments(ends, installs, first, opened, registers, window)
    holds += more
    known, more = _rollovers(known, points, rules)
    holds += more
    made, more = _estimated_segments(open_ends, known)
    holds += more
    segments = pl.concat([known, made])
    # A meter replaced on the very day of the last bill adds nothing.
    idle = (pl.col("from_day") == pl.col("to_day")) & (pl.col("from_wh") == pl.col("to_wh"))
    return segments.filter(~idle), pl.concat(holds), ends.select("at", "end_day")


def _hold(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    return rows.select("at", pl.lit(reason).alias("hold")).cast(HOLD)  # type: ignore[arg-type]


def _installs(points: pl.DataFrame, openings: pl.DataFrame, installations: pl.DataFrame) -> pl.DataFrame:
    """Installations that touch the period, with `at`. An opened point that came without any keeps its meter."""
    given = installations.select(
        "usage_point_id",
        "meter_id",
        "installed_day",
        pl.col("removed_day").fill_null(FAR),
        "opening_wh",
        "closing_wh",
        "multiplier",
        "digits",
    )
    known = given.join(points.select("at", "usage_point_id", "start_day", "limit_day"), on="usage_point_id")
    kept = (
        openings.join(known.select("at").unique(), on="at", how="anti")
        .unique(_METER, maintain_order=True)
        .select(
            *_METER,
            pl.col("read_day").alias("installed_day"),
            pl.lit(FAR, pl.Int32).alias("removed_day"),
            pl.lit(0, pl.Int64).alias("opening_wh"),
            pl.lit(None, pl.Int64).alias("closing_wh"),
            "multiplier",
            pl.lit(None, pl.Int16).alias("digits"),
        )
    )
    return pl.concat([known.select(kept.columns), kept])


def _registers(openings: pl.DataFrame, reads: pl.DataFrame, installs: pl.DataFrame) -> pl.DataFrame:
    """The registers of each meter: those open; else those ever read (time-of-use before TOTAL); else TOTAL."""
    opened = openings.select(_KEY)
    read = reads.select(_KEY).unique().join(opened, on=_METER, how="anti")
    if read["register"].max():
        of_use = read.filter(pl.col("register") > 0)
        read = pl.concat([of_use, read.join(of_use, on=_METER, how="anti")])
    both = pl.concat([opened, read])
    rest = installs.select(_METER).unique().join(both, on=_METER, how="anti")
    both = pl.concat([both, rest.with_columns(register=pl.lit(0, pl.Int16))])
    return both.with_columns(registers=pl.len().over(_METER))


def _openings(
    points: pl.DataFrame,
    openings: pl.DataFrame,
    reads: pl.DataFrame,
    installs: pl.DataFrame,
    registers: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame, list[pl.DataFrame]]:
    """The installation each point starts from (at, meter_id, installed_day), its open registers, and holds."""
    billed = openings.select(*_KEY, from_day="read_day", from_wh="value_wh", from_quality="quality")
    meters = billed.group_by(_METER).agg(
        pl.col("from_day").max(), guessed=(pl.col("from_quality") == ESTIMATED).any()
    )
    first = (
        meters.join(installs, on=_METER)
        .filter(pl.col("installed_day") <= pl.col("from_day"))
        .sort("installed_day")
        .unique(_METER, keep="last", maintain_order=True)
    )
    gone = first.filter(pl.col("removed_day") < pl.col("from_day"))
    holds = [
        _hold(meters.join(first, on=_METER, how="anti"), "METER_MISMATCH"),
        # The last bill guessed past the day the meter went: cancel it and bill again.
        _hold(gone.filter("guessed"), "ESTIMATE_ABOVE_ACTUAL"),
        _hold(gone.filter(~pl.col("guessed")), "METER_MISMATCH"),
    ]

    new = points.select("at", "start_day", "limit_day").join(openings.select("at"), on="at", how="anti")
    at_new = installs.join(new, on="at")
    standing = at_new.filter(
        (pl.col("installed_day") <= pl.col("start_day")) & (pl.col("start_day") < pl.col("removed_day"))
    )
    later = at_new.filter(
        (pl.col("installed_day") > pl.col("start_day")) & (pl.col("installed_day") < pl.col("limit_day"))
    )
    unmetered = new.join(standing, on="at", how="anti").join(later, on="at", how="anti")
    holds.append(_hold(unmetered, "NO_OPENING_READING"))

    fresh = standing.filter(pl.col("installed_day") == pl.col("start_day")).join(registers, on=_METER)
    fresh = fresh.filter((pl.col("register") == 0) | (pl.col("opening_wh") == 0))
    older = standing.filter(pl.col("installed_day") < pl.col("start_day")).select(
        *_METER, "installed_day", "start_day"
    )
    before = (
        reads.select(*_KEY, "read_day", "value_wh", "quality")
        .join(older, on=_METER)
        .join(registers, on=_KEY)
        .filter((pl.col("read_day") <= pl.col("start_day")) & (pl.col("read_day") >= pl.col("installed_day")))
        .filter(pl.len().over("at", "meter_id", "read_day") == pl.col("registers"))
        .filter(pl.col("read_day") == pl.col("read_day").max().over("at"))
    )
    opened = pl.concat(
        [
            billed,
            fresh.select(
                *_KEY,
                from_day="start_day",
                from_wh="opening_wh",
                from_quality=pl.lit(ACTUAL, pl.Int16),
            ),
            before.select(
                *_KEY,
                from_day="start_day",
                from_wh="value_wh",
                # An older reading stands for the start day: nobody read the register then.
                from_quality=pl.when(pl.col("read_day") == pl.col("start_day"))
                .then("quality")
                .otherwise(pl.lit(ESTIMATED, pl.Int16)),
            ),
        ]
    )
    holds.append(_hold(standing.join(opened, on="at", how="anti"), "NO_OPENING_READING"))
    starts = pl.concat([first.select(*_METER, "installed_day"), standing.select(*_METER, "installed_day")])
    return starts, opened, holds


def _known_segments(
    ends: pl.DataFrame,
    installs: pl.DataFrame,
    first: pl.DataFrame,
    opened: pl.DataFrame,
    registers: pl.DataFrame,
    window: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame, list[pl.DataFrame]]:
    """Segments between known values; where a value is still wanted (at, ..., known_day, known_wh, end_day, ...)."""
    chain = (
        installs.join(first.with_columns(first=pl.lit(True)), on=[*_METER, "installed_day"], how="left")
        .with_columns(pl.col("first").fill_null(False))
        .join(
            ends.select("at", "start_day", "end_day", "close_day", "close_meter", "estimate_daily_milli_wh"),
            on="at",
        )
        .filter(
            pl.col("first")
            | (
                (pl.col("installed_day") >= pl.col("start_day"))
                & (pl.col("installed_day") < pl.col("end_day"))
            )
        )
        .join(registers.select(_KEY), on=_METER)
        .join(opened, on=_KEY, how="left")
    )
    is_total = pl.col("register") == 0
    removed = pl.col("removed_day") <= pl.col("end_day")
    chain = chain.with_columns(
        from_day=pl.when("first").then("from_day").otherwise("installed_day"),
        from_wh=pl.when("first")
        .then("from_wh")
        .when(is_total | (pl.col("opening_wh") == 0))
        .then("opening_wh"),
        from_quality=pl.when("first").then("from_quality").otherwise(pl.lit(ACTUAL, pl.Int16)),
        removed=removed,
        to_day=pl.when(removed)
        .then("removed_day")
        .when(pl.col("meter_id") == pl.col("close_meter"))
        .then("close_day"),
    ).join(
        window.select(*_KEY, to_day="read_day", read_wh="value_wh", read_quality="quality"),
        on=[*_KEY, "to_day"],
        how="left",
    )
    by_record = pl.col("removed") & is_total
    chain = chain.with_columns(
        to_wh=pl.when(by_record).then("closing_wh").otherwise("read_wh"),
        to_quality=pl.when(by_record).then(pl.lit(ACTUAL, pl.Int16)).otherwise("read_quality"),
    )
    unread = chain.filter(
        (pl.col("from_wh").is_null() & (pl.col("register") > 0))
        | (pl.col("to_wh").is_null() & pl.col("removed"))
        | (
            ~pl.col("removed")
            & (pl.col("register") > 0)
            & (pl.col("to_day").is_null() | (pl.col("to_day") < pl.col("end_day")))
        )
    )
    chain = chain.filter(
        pl.col("from_wh").is_not_null() & (pl.col("from_day") <= pl.coalesce("to_day", "end_day"))
    )
    known = chain.filter(pl.col("to_wh").is_not_null()).with_columns(rolled=pl.lit(False), made=pl.lit(False))
    wanted = chain.filter(
        ~pl.col("removed") & is_total & (pl.coalesce("to_day", "from_day") < pl.col("end_day"))
    ).select(
        *_KEY,
        "multiplier",
        "digits",
        "estimate_daily_milli_wh",
        known_day=pl.coalesce("to_day", "from_day"),
        known_wh=pl.coalesce("to_wh", "from_wh"),
        known_quality=pl.coalesce("to_quality", "from_quality"),
        to_day="end_day",
    )
    return known.select(list(SEGMENT)), wanted, [_hold(unread, "TOU_NO_READING")]


def _rollovers(
    known: pl.DataFrame, points: pl.DataFrame, rules: MeasureRules
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Mark the registers that passed their end; hold the other values below the last one."""
    lower = known.filter(pl.col("to_wh") < pl.col("from_wh"))
    if lower.is_empty():
        return known, []
    size = pl.lit(10, pl.Int64).pow(pl.col("digits").cast(pl.Int64) + 3)
    ceiling = ceiling_daily(rules)
    most = pl.max_horizontal(
        pl.col("recent_daily_wh") * rules.high_permille // 1000 * pl.col("days"),
        pl.col("recent_daily_wh") * pl.col("days") + rules.min_difference_wh,
    )
    lower = (
        lower.join(points.select("at", "category", "recent_daily_wh"), on="at")
        .with_columns(
            size=size,
            days=(pl.col("to_day") - pl.col("from_day")).clip(1).cast(pl.Int64),
        )
        .with_columns(
            used=(pl.col("to_wh") - pl.col("from_wh") + pl.col("size")) * pl.col("multiplier"),
            most=pl.coalesce(most, ceiling * pl.col("days")),
        )
        .with_columns(
            rolls=(
                (pl.col("from_wh") < pl.col("size"))
                & (pl.col("from_wh") * 10 >= pl.col("size") * 9)
                & (pl.col("used") <= pl.col("most"))
            ).fill_null(False)
        )
    )
    guessed = pl.col("from_quality") == ESTIMATED
    holds = [
        _hold(lower.filter(~pl.col("rolls") & guessed), "ESTIMATE_ABOVE_ACTUAL"),
        _hold(lower.filter(~pl.col("rolls") & ~guessed), "NEGATIVE_ADVANCE"),
    ]
    marked = known.join(
        lower.select(*_KEY, "from_day", "rolls"), on=[*_KEY, "from_day"], how="left", maintain_order="left"
    )
    return marked.with_columns(rolled=pl.col("rolls").fill_null(False)).select(list(SEGMENT)), holds


def _estimated_segments(wanted: pl.DataFrame, known: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Close the registers that nobody read by an estimate, in whole kWh of the register, rounded down.

    A point without history is estimated by what this very period has shown so far, if any of it was read.
    """
    days = (pl.col("to_day") - pl.col("from_day")).cast(pl.Int64)
    shown = (
        known.filter((pl.col("to_day") > pl.col("from_day")) & (pl.col("to_wh") >= pl.col("from_wh")))
        .group_by("at")
        .agg(shown=((pl.col("to_wh") - pl.col("from_wh")) * pl.col("multiplier")).sum() * 1000 // days.sum())
    )
    used = (
        wanted.join(shown, on="at", how="left", maintain_order="left")
        .with_columns(mille=pl.coalesce("estimate_daily_milli_wh", "shown"))
        .with_columns(
            advance=pl.col("mille")
            * (pl.col("to_day") - pl.col("known_day"))
            // 1000
            // pl.col("multiplier")
            // 1000
            * 1000
        )
        .with_columns(value=pl.col("known_wh") + pl.col("advance"))
        .with_columns(
            to_wh=pl.when(pl.col("digits").is_null())
            .then("value")
            .otherwise(pl.col("value") % pl.lit(10, pl.Int64).pow(pl.col("digits").cast(pl.Int64) + 3))
        )
    )
    made = used.filter(pl.col("mille").is_not_null()).select(
        *_KEY,
        "multiplier",
        "digits",
        from_day="known_day",
        to_day="to_day",
        from_wh="known_wh",
        to_wh="to_wh",
        from_quality="known_quality",
        to_quality=pl.lit(ESTIMATED, pl.Int16),
        rolled=pl.col("to_wh") < pl.col("known_wh"),
        made=pl.lit(True),
    )
    return made.select(list(SEGMENT)), [_hold(used.filter(pl.col("mille").is_null()), "NO_HISTORY")]
