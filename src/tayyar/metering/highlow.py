"""The high/low check: is a measured use believable beside the account's own past and its peers?

Owns the band of expected use and the reasons ZERO_USE, HIGH_USE, LOW_USE and PERIOD_TOO_LONG. Never changes a
measured value. Next: billing holds what falls outside for a reviewer.
"""

import polars as pl

from tayyar.metering.limits import MeasureRules
from tayyar.metering.segments import CUSTOMER

_MOST_DAILY_WH = 90_000_000_000_000  # keeps every product below 2^63


def check(measured: pl.DataFrame, rules: MeasureRules) -> pl.DataFrame:
    """Per row of `measured` (at, category, days, energy_wh, recent_daily_wh, last_year_daily_wh, real, by_customer):
    expected_low_wh, expected_high_wh (null: nothing to compare with) and unusual (the reason, or null).

    `real`: at least one closing value is not our own estimate; other rows are not checked.
    """
    now = (pl.col("energy_wh") // pl.col("days")).clip(0, _MOST_DAILY_WH)
    frame = measured.with_columns(
        now=now,
        recent=pl.col("recent_daily_wh").clip(0, _MOST_DAILY_WH),
        last_year=pl.col("last_year_daily_wh").clip(0, _MOST_DAILY_WH),
    )
    frame = frame.join(_peers(frame, rules), on="category", how="left", maintain_order="left")
    by_peers = (pl.col("recent") * pl.col("peer_change").fill_null(1000) // 1000).clip(0, _MOST_DAILY_WH)
    expected, last_year = by_peers * pl.col("days"), pl.col("last_year") * pl.col("days")
    by_customer = pl.col("by_customer")
    low = pl.when(by_customer).then(rules.customer_low_permille).otherwise(rules.low_permille)
    high = pl.when(by_customer).then(rules.customer_high_permille).otherwise(rules.high_permille)
    ceiling = ceiling_daily(rules)
    without_history = pl.max_horizontal(
        ceiling * pl.col("days"), pl.col("peer_daily") * rules.peer_high_permille // 1000 * pl.col("days")
    )
    has_history = pl.col("recent").is_not_null() | pl.col("last_year").is_not_null()
    frame = frame.with_columns(
        expected_low_wh=pl.when(has_history).then(
            pl.min_horizontal(_lower(expected, low, rules), _lower(last_year, low, rules))
        ),
        expected_high_wh=pl.when(has_history)
        .then(pl.max_horizontal(_upper(expected, high, rules), _upper(last_year, high, rules)))
        .otherwise(without_history),
    )
    was_used = pl.coalesce(pl.col("recent"), pl.col("last_year")) * pl.col("days") > rules.min_difference_wh
    return frame.select(
        "at",
        "expected_low_wh",
        "expected_high_wh",
        unusual=pl.when(pl.col("days") > rules.max_days)
        .then(pl.lit("PERIOD_TOO_LONG"))
        .when(~pl.col("real"))
        .then(None)
        .when((pl.col("energy_wh") == 0) & was_used)
        .then(pl.lit("ZERO_USE"))
        .when(pl.col("energy_wh") > pl.col("expected_high_wh"))
        .then(pl.lit("HIGH_USE"))
        .when(pl.col("energy_wh") < pl.col("expected_low_wh"))
        .then(pl.lit("LOW_USE")),
    )


def ceiling_daily(rules: MeasureRules) -> pl.Expr:
    """The most a point of its category may use in a day (Wh) when nothing else is known of it."""
    ceiling = pl.lit(rules.default_ceiling_daily_wh, pl.Int64)
    if not rules.ceiling_daily_wh:
        return ceiling
    by_category = dict(rules.ceiling_daily_wh)
    return pl.col("category").replace_strict(by_category, default=ceiling, return_dtype=pl.Int64)


def is_by_customer() -> pl.Expr:
    """Whether a segment closes with a reading the customer sent."""
    return pl.col("to_quality") == CUSTOMER


def _peers(frame: pl.DataFrame, rules: MeasureRules) -> pl.DataFrame:
    """Per category: the median change of use per day in permille, and the median use per day (lower medians).

    A median of fewer than `min_peers` is null.
    """
    change = pl.col("now") * 1000 // pl.col("recent")
    seen = frame.filter("real").select(
        "category", "now", change=pl.when(pl.col("recent") > 0).then(change).clip(0, 100_000)
    )
    changes = pl.col("change").drop_nulls()
    middle = pl.col("change").sort(nulls_last=True).get((changes.len() - 1) // 2, null_on_oob=True)
    return seen.group_by("category").agg(
        peer_change=pl.when(changes.len() >= rules.min_peers).then(middle),
        peer_daily=pl.when(pl.len() >= rules.min_peers).then(pl.col("now").sort().get((pl.len() - 1) // 2)),
    )


def _lower(expected: pl.Expr, permille: pl.Expr, rules: MeasureRules) -> pl.Expr:
    share = expected // 1000 * permille + expected % 1000 * permille // 1000
    return pl.min_horizontal(share, expected - rules.min_difference_wh).clip(0)


def _upper(expected: pl.Expr, permille: pl.Expr, rules: MeasureRules) -> pl.Expr:
    share = expected // 1000 * permille + expected % 1000 * permille // 1000
    return pl.max_horizontal(share, expected + rules.min_difference_wh)
