"""What each agreement used: from register values to energy, estimated where nobody read, held where in doubt.

Owns the whole of measuring, for frames of any size; pure, exact integers; docs/metering.md holds the rules.
Never reads or writes the database. Next: billing/run.py charges what is measured and holds the rest.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tayyar.metering.chain import HOLD, chained_segments
from tayyar.metering.highlow import check, is_by_customer
from tayyar.metering.limits import MeasureRules
from tayyar.metering.plain import SEGMENT, plain_segments, window_readings
from tayyar.metering.segments import ESTIMATED, REGISTERS, pack_frame

__all__ = [
    "HOLD_REASONS",
    "RELEASABLE",
    "MeasureRules",
    "Ordinary",
    "measure",
    "ordinary",
]

# In order of precedence: a point with several reasons shows the first.
HOLD_REASONS = (
    "EMPTY_PERIOD",
    "NO_OPENING_READING",
    "METER_MISMATCH",
    "ESTIMATE_ABOVE_ACTUAL",
    "NEGATIVE_ADVANCE",
    "TOU_NO_READING",
    "NO_HISTORY",
    "PERIOD_TOO_LONG",
    "ZERO_USE",
    "HIGH_USE",
    "LOW_USE",
)
# Held only because it looks odd: a reviewer may release the bill as measured. The others have no energy to bill.
RELEASABLE = frozenset({"PERIOD_TOO_LONG", "ZERO_USE", "HIGH_USE", "LOW_USE"})

_SMALL_DAILY_WH = 9_000_000_000_000  # keeps the product with permille and days below 2^63


@dataclass(frozen=True, slots=True)
class Ordinary:
    """The ordinary points of a frame, measured already; `needs_installations` are the usage points of the others:
    first bills, another meter, a missing or partial reading, a value below the last one, a final bill not read on its
    last day."""

    points: pl.DataFrame
    openings: pl.DataFrame
    readings: pl.DataFrame
    segments: pl.DataFrame

    @property
    def needs_installations(self) -> pl.Series:
        """Usage points whose installations `measure` must be given."""
        others = self.points.join(self.segments, on="at", how="anti")
        return others["usage_point_id"].unique(maintain_order=True)


def ordinary(points: pl.DataFrame, openings: pl.DataFrame, readings: pl.DataFrame) -> Ordinary:
    """Measure the ordinary points. The frames are those of `measure`."""
    points, openings, readings = _positions(points, openings, readings)
    return Ordinary(
        points, openings, readings, plain_segments(points, openings, window_readings(points, readings))
    )


def measure(
    points: pl.DataFrame,
    openings: pl.DataFrame,
    readings: pl.DataFrame,
    installations: pl.DataFrame,
    rules: MeasureRules,
    *,
    known: Ordinary | None = None,
) -> pl.DataFrame:
    """One row per point, in the points' order. `known` saves measuring the ordinary ones of the same frames again.

    points: row UInt32; usage_point_id Int64; category Int16; start_date, end_limit, expected_end Date; is_final
        Boolean; recent_daily_wh, last_year_daily_wh, last_year_prior_daily_wh Int64, nullable.
    openings: row, meter_id Int64, register Int16, read_date Date, value_wh Int64, quality Int16, multiplier Int32.
        None for a point that was never billed; it opens from its installation.
    readings: usage_point_id, meter_id, register, read_date, value_wh, quality; up to end_limit. For points without
        openings also those at or before start_date.
    installations: usage_point_id, meter_id, installed_on Date, removed_on Date nullable, opening_wh Int64,
        closing_wh Int64 nullable, multiplier Int32, digits Int16, of at least `Ordinary.needs_installations`.

    Result: row, start_date, end_date, energy_wh, energy_wh_PEAK / _OFF_PEAK / _SHOULDER when any such register is
    present, is_estimated, hold (one of HOLD_REASONS or null), expected_low_wh and expected_high_wh (nullable),
    recent_daily_wh, readings List(Int64) (segments.py). With a hold outside RELEASABLE energy_wh is 0.
    """
    known = known or ordinary(points, openings, readings)
    points, openings, readings, segments = known.points, known.openings, known.readings, known.segments
    installations = installations.with_columns(
        installed_day=_day("installed_on"), removed_day=_day("removed_on")
    )
    if installations.height:  # where installations are given they are followed, also for ordinary points
        given = points.join(installations.select("usage_point_id").unique(), on="usage_point_id", how="semi")
        segments = segments.join(given, on="at", how="anti")
    holds, ends = pl.DataFrame(schema=HOLD), pl.DataFrame(schema={"at": pl.UInt32, "end_day": pl.Int32})
    rest = points.join(segments, on="at", how="anti")
    if rest.height:
        few = rest.with_columns(estimate_daily_milli_wh=estimate_daily(rules))
        own = readings.join(rest, on="usage_point_id", how="semi")
        chained, holds, ends = chained_segments(
            few, openings.join(rest, on="at", how="semi"), own, installations, rules
        )
        segments = pl.concat([segments, chained.select(list(SEGMENT))])
    return _assemble(points, segments, ends, holds, rules)


def estimate_daily(rules: MeasureRules) -> pl.Expr:
    """Estimated use per day in thousandths of a Wh: the same period last year scaled by the trend, else recent use,
    else last year's alone, else null."""
    recent, last_year, prior = (
        pl.col(name).clip(0, _SMALL_DAILY_WH)
        for name in ("recent_daily_wh", "last_year_daily_wh", "last_year_prior_daily_wh")
    )
    trend = (recent * 1000 // pl.when(prior > 0).then(prior)).clip(rules.trend_min, rules.trend_max)
    return pl.coalesce(last_year * trend, recent * 1000, last_year * 1000)


def _positions(
    points: pl.DataFrame, openings: pl.DataFrame, readings: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The same frames with `at` (position of the point) for row and days as integers for dates."""
    points = points.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"),
        pl.exclude("start_date", "end_limit", "expected_end"),
        start_day=_day("start_date"),
        limit_day=_day("end_limit"),
        expected_day=_day("expected_end"),
    )
    openings = openings.select(pl.exclude("read_date"), read_day=_day("read_date")).join(
        points.select("row", "at"), on="row"
    )
    return points, openings, readings.select(pl.exclude("read_date"), read_day=_day("read_date"))


def _day(name: str) -> pl.Expr:
    return pl.col(name).to_physical().cast(pl.Int32)


def _assemble(
    points: pl.DataFrame,
    segments: pl.DataFrame,
    ends: pl.DataFrame,
    holds: pl.DataFrame,
    rules: MeasureRules,
) -> pl.DataFrame:
    """Energy, checks and packed segments, one row per point."""
    advance = pl.col("to_wh") - pl.col("from_wh")
    size = pl.lit(10, pl.Int64).pow(pl.col("digits").cast(pl.Int64) + 3)
    energy = pl.when("rolled").then(advance + size).otherwise(advance) * pl.col("multiplier")
    used = segments.with_columns(energy_wh=energy)
    by_use = sorted(set(segments["register"].unique().to_list()) - {0})
    sums = _per_point(used, by_use)
    energies = ["energy_wh", *(f"energy_wh_{REGISTERS[number]}" for number in by_use)]
    reasons = pl.Enum(HOLD_REASONS)
    frame = points.join(sums, on="at", how="left", maintain_order="left")
    frame = frame.join(ends, on="at", how="left", maintain_order="left")
    if holds.height:
        first = holds.group_by("at").agg(pl.col("hold").cast(reasons).to_physical().min().alias("rank"))
        frame = frame.join(first, on="at", how="left", maintain_order="left")
    else:
        frame = frame.with_columns(rank=pl.lit(None, pl.UInt8))
    measured = pl.col("rank").is_null()
    frame = frame.with_columns(
        *(pl.when(measured).then(name).otherwise(0).alias(name) for name in energies),
        end_day=pl.coalesce("end_day", "close_day"),
        is_estimated=pl.col("is_estimated").fill_null(False),
        real=measured & pl.col("real").fill_null(False),
        by_customer=pl.col("by_customer").fill_null(False),
    ).with_columns(days=(pl.col("end_day") - pl.col("start_day")).clip(1).cast(pl.Int64))
    checked = check(frame, rules)
    now = pl.col("energy_wh") // pl.col("days")
    rolling = (pl.col("recent_daily_wh") * (rules.recent_bills - 1) + now) // rules.recent_bills
    hold = pl.coalesce(
        pl.col("rank").replace_strict(dict(enumerate(HOLD_REASONS)), default=None, return_dtype=pl.Utf8),
        checked["unusual"],
    )
    return frame.select(
        "row",
        pl.col("start_day").cast(pl.Date).alias("start_date"),
        pl.col("end_day").cast(pl.Date).alias("end_date"),
        *(pl.col(name).cast(pl.Int64) for name in energies),
        "is_estimated",
        hold.alias("hold"),
        checked["expected_low_wh"],
        checked["expected_high_wh"],
        # An estimate comes from this average: it must not feed it.
        recent_daily_wh=pl.when("real")
        .then(pl.coalesce(rolling, now))
        .otherwise(pl.coalesce("recent_daily_wh", now)),
        readings=pack_frame(segments, points.height),
    )


def _per_point(used: pl.DataFrame, by_use: list[int]) -> pl.DataFrame:
    """The segments of each point added up. Nearly all points have a single segment, which need not be grouped."""
    positions = used["at"].to_numpy()
    several = np.bincount(positions, minlength=1) > 1
    alone = used.filter(pl.Series(~several[positions])) if used.height else used
    energies = {
        f"energy_wh_{REGISTERS[number]}": pl.when(pl.col("register") == number).then("energy_wh").otherwise(0)
        for number in by_use
    }
    single = alone.select(
        "at",
        "energy_wh",
        **energies,
        close_day="to_day",
        is_estimated=pl.col("to_quality") == ESTIMATED,
        real=~pl.col("made"),
        by_customer=is_by_customer(),
    )
    if alone.height == used.height:
        return single
    grouped = (
        used.filter(pl.Series(several[positions]))
        .group_by("at")
        .agg(
            pl.col("energy_wh").sum(),
            *(
                pl.col("energy_wh")
                .filter(pl.col("register") == number)
                .sum()
                .alias(f"energy_wh_{REGISTERS[number]}")
                for number in by_use
            ),
            close_day=pl.col("to_day").max(),
            is_estimated=(pl.col("to_quality") == ESTIMATED).any(),
            real=~pl.col("made").all(),
            by_customer=is_by_customer().any(),
        )
    )
    return pl.concat([single, grouped])
