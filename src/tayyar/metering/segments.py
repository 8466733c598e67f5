"""The register segments of a bill: which meter went from which value to which, packed as five integers each.

Owns the packed form that a bill stores in `readings` and its meaning. Never decides what is billed (measure.py).
Next: billing stores the list, documents unpack it, and the next bill opens where the segments close.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

ACTUAL, ESTIMATED, CUSTOMER = 1, 2, 3  # the numbers of models.ReadingQuality
REGISTERS = ("TOTAL", "PEAK", "OFF_PEAK", "SHOULDER")  # at the numbers of models.Register
FIELDS = 5

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class RegisterSegment:
    """One register of one meter over [from_date, to_date), values in Wh as the register shows them."""

    meter_id: int
    register: int
    multiplier: int
    from_date: dt.date
    to_date: dt.date
    from_wh: int
    to_wh: int
    from_quality: int
    to_quality: int

    @property
    def advance_wh(self) -> int:
        """How far the register went. A value below the first one is a rollover (docs/metering.md, "Rollover").

        The register's range needs no storing: a rollover starts in the top tenth of 10^digits kWh, so the range
        is the smallest power of ten above `from_wh`.
        """
        if self.to_wh >= self.from_wh:
            return self.to_wh - self.from_wh
        return self.to_wh - self.from_wh + 10 ** len(str(self.from_wh))

    @property
    def energy_wh(self) -> int:
        """What was used: the advance times the transformer ratio."""
        return self.advance_wh * self.multiplier


def pack(segments: Iterable[RegisterSegment]) -> list[int]:
    """Segments as [meter_id, code, dates, from_wh, to_wh, ...].

    code = multiplier*1000 + register*100 + from_quality*10 + to_quality;
    dates = from_days*100_000 + to_days, in days since 1970-01-01.
    """
    packed: list[int] = []
    for s in segments:
        code = s.multiplier * 1000 + s.register * 100 + s.from_quality * 10 + s.to_quality
        dates = (s.from_date - _EPOCH).days * 100_000 + (s.to_date - _EPOCH).days
        packed += [s.meter_id, code, dates, s.from_wh, s.to_wh]
    return packed


def unpack(packed: Sequence[int]) -> list[RegisterSegment]:
    """The segments of a bill's `readings`. Raises ValueError when the length is not a multiple of five."""
    if len(packed) % FIELDS:
        raise ValueError(f"{len(packed)} integers are not whole segments of {FIELDS}")
    segments = []
    for start in range(0, len(packed), FIELDS):
        meter_id, code, dates, from_wh, to_wh = packed[start : start + FIELDS]
        multiplier, code = divmod(code, 1000)
        register, code = divmod(code, 100)
        from_quality, to_quality = divmod(code, 10)
        from_days, to_days = divmod(dates, 100_000)
        days = (_EPOCH + dt.timedelta(from_days), _EPOCH + dt.timedelta(to_days))
        segments.append(
            RegisterSegment(meter_id, register, multiplier, *days, from_wh, to_wh, from_quality, to_quality)
        )
    return segments


def pack_frame(segments: pl.DataFrame, height: int) -> pl.Series:
    """The packed lists of rows 0 to `height`, from segments with columns at, meter_id, register, multiplier,
    from_day, to_day, from_wh, to_wh, from_quality, to_quality; in each row sorted by date, meter and register."""
    positions = segments["at"].to_numpy()
    one_each = bool(
        (positions[1:] > positions[:-1]).all()
    )  # as ordinary points come: in order, a segment each
    ordered = segments if one_each else segments.sort("at", "from_day", "to_day", "meter_id", "register")
    code = (
        pl.col("multiplier").cast(pl.Int64) * 1000
        + pl.col("register").cast(pl.Int64) * 100
        + pl.col("from_quality").cast(pl.Int64) * 10
        + pl.col("to_quality")
    )
    dates = pl.col("from_day").cast(pl.Int64) * 100_000 + pl.col("to_day")
    packed = ordered.select("meter_id", code.alias("code"), dates.alias("dates"), "from_wh", "to_wh")
    values = packed.to_numpy(order="c").astype(np.int64, copy=False).reshape(-1)
    counts = np.bincount(ordered["at"].to_numpy(), minlength=height)
    offsets = np.concatenate([[0], np.cumsum(counts)]) * FIELDS
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(values, pa.int64()))
    return pl.Series("readings", lists)
