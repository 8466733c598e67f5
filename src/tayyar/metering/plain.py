"""The ordinary case of measuring: billed before, and the same meter read again, not lower than the last time.

Owns the segments of those points, which are nearly all. Never follows installations (chain.py).
Next: measure.py turns the segments into energy.
"""

import numpy as np
import polars as pl

SEGMENT: dict[str, type[pl.DataType]] = {
    "at": pl.UInt32,
    "meter_id": pl.Int64,
    "register": pl.Int16,
    "multiplier": pl.Int32,
    "digits": pl.Int16,
    "from_day": pl.Int32,
    "to_day": pl.Int32,
    "from_wh": pl.Int64,
    "to_wh": pl.Int64,
    "from_quality": pl.Int16,
    "to_quality": pl.Int16,
    "rolled": pl.Boolean,  # the register passed its end
    "made": pl.Boolean,  # the closing value is our estimate
}
_KEY = ["at", "meter_id", "register"]


def window_readings(points: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """The readings that may close each point: read_date in (start_date, end_limit], with `at`."""
    return readings.join(
        points.select("at", "usage_point_id", "start_day", "limit_day"), on="usage_point_id"
    ).filter((pl.col("read_day") > pl.col("start_day")) & (pl.col("read_day") <= pl.col("limit_day")))


def plain_segments(points: pl.DataFrame, openings: pl.DataFrame, window: pl.DataFrame) -> pl.DataFrame:
    """Segments of the ordinary points: billed before, and every register of the same meter read again, not lower.

    Points with anything else (another meter, a missing register, a lower value, a final bill not read on its last
    day) are left out whole.
    """
    slots = np.bincount(openings["at"].to_numpy(), minlength=points.height)
    if slots.max(initial=0) <= 1:
        return _one_register(points, openings, window)
    several = pl.Series(np.flatnonzero(slots > 1).astype(np.uint32)).to_frame("at")
    one = [frame.join(several, on="at", how="anti") for frame in (openings, window)]
    more = [frame.join(several, on="at", how="semi") for frame in (openings, window)]
    return pl.concat([_one_register(points, *one), _several_registers(points, *more)])


def _one_register(points: pl.DataFrame, openings: pl.DataFrame, window: pl.DataFrame) -> pl.DataFrame:
    """Points with a single open register: the newest reading closes it. Arrays by position, as `at` is dense."""
    slot = np.full(points.height, -1, np.int64)
    slot[openings["at"].to_numpy()] = np.arange(openings.height)
    at, day = window["at"].to_numpy().astype(np.int64), window["read_day"].to_numpy()
    opening = slot[at]
    other = (opening < 0) | (window["register"].to_numpy() != _at(openings, "register", opening))
    other |= window["meter_id"].to_numpy() != _at(openings, "meter_id", opening)
    odd = np.zeros(points.height, bool)
    odd[at[other]] = True
    order = np.argsort((at << 32) | day)
    newest = order[np.append(at[order][1:] != at[order][:-1], True)] if order.size else order
    newest = newest[~odd[at[newest]]]
    closing, opening = window[newest], openings[opening[newest]]
    position = at[newest]
    pair = pl.DataFrame(
        {
            "at": closing["at"],
            "meter_id": closing["meter_id"],
            "register": closing["register"],
            "multiplier": opening["multiplier"],
            "from_day": opening["read_day"],
            "read_day": closing["read_day"],
            "from_wh": opening["value_wh"],
            "value_wh": closing["value_wh"],
            "from_quality": opening["quality"],
            "quality": closing["quality"],
            "is_final": points["is_final"][position],
            "limit_day": points["limit_day"][position],
        }
    )
    read_to_the_end = ~pl.col("is_final") | (pl.col("read_day") == pl.col("limit_day"))
    return _as_segments(pair.filter((pl.col("value_wh") >= pl.col("from_wh")) & read_to_the_end))


def _at(frame: pl.DataFrame, name: str, index: np.ndarray) -> np.ndarray:
    """A column's values at positions; position -1 gives whatever, for the caller to mask."""
    values = frame[name].to_numpy()
    return values[index] if values.size else np.zeros(index.size, values.dtype)


def _several_registers(points: pl.DataFrame, openings: pl.DataFrame, window: pl.DataFrame) -> pl.DataFrame:
    """Time-of-use points: the newest day on which every open register was read closes them."""
    opened = openings.group_by("at").agg(
        registers=pl.len(), meters=pl.col("meter_id").max() - pl.col("meter_id").min()
    )
    matched = window.select("at", "meter_id", "register", "read_day", "value_wh", "quality").join(
        openings.select(*_KEY, "multiplier", from_day="read_day", from_wh="value_wh", from_quality="quality"),
        on=_KEY,
        how="left",
    )
    closing = (
        matched.group_by("at", "read_day")
        .agg(read=pl.len(), foreign=pl.col("from_wh").is_null().any())
        .join(opened, on="at")
        .group_by("at")
        .agg(
            close_day=pl.col("read_day").filter(pl.col("read") == pl.col("registers")).max(),
            odd=pl.col("foreign").any() | (pl.col("meters").max() > 0),
        )
        .filter(~pl.col("odd") & pl.col("close_day").is_not_null())
        .join(points.select("at", "limit_day", "is_final"), on="at")
        .filter(~pl.col("is_final") | (pl.col("close_day") == pl.col("limit_day")))
    )
    segments = matched.join(
        closing.select("at", read_day="close_day"), on=["at", "read_day"], how="inner"
    ).with_columns(lower=pl.col("value_wh") < pl.col("from_wh"))
    if segments["lower"].any():
        segments = segments.join(segments.filter("lower").select("at"), on="at", how="anti")
    return _as_segments(segments)


def _as_segments(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of opening and closing values in the form of SEGMENT."""
    return pairs.select(
        *_KEY,
        "multiplier",
        pl.lit(None, pl.Int16).alias("digits"),
        "from_day",
        pl.col("read_day").alias("to_day"),
        "from_wh",
        pl.col("value_wh").alias("to_wh"),
        "from_quality",
        pl.col("quality").alias("to_quality"),
        pl.lit(False).alias("rolled"),
        pl.lit(False).alias("made"),
    )
