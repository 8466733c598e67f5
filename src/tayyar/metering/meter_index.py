"""From a meter's serial and a day to the meter and the usage point it stood at, for millions of rows.

Owns the compact index in memory, about 70 bytes a meter. Never writes.
Next: services.py stores readings under the numbers found here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import psycopg

_PAGE = 1 << 18
_FAR = 2_000_000  # a day after every date: still installed
_UNIT = "\x1f"

_METERS = """
    SELECT max(id), string_agg(serial || E'\\x1f' || id || E'\\x1f' || digits, E'\\n') FROM (
        SELECT serial, id, digits FROM metering_meter WHERE {where} ORDER BY id LIMIT {limit}) page"""
_INSTALLATIONS = """
    SELECT max(id), string_agg(meter_id || E'\\x1f' || usage_point_id || E'\\x1f' || (installed_on - '1970-01-01'::date)
        || E'\\x1f' || coalesce(removed_on - '1970-01-01'::date, {far}), E'\\n') FROM (
        SELECT * FROM metering_meterinstallation WHERE {where} ORDER BY id LIMIT {limit}) page"""


@dataclass(frozen=True, slots=True)
class Found:
    """Per row: whether the serial is known, whether the meter was installed that day, and what was found."""

    known: np.ndarray
    installed: np.ndarray
    meter_id: np.ndarray
    usage_point_id: np.ndarray
    digits: np.ndarray


class MeterIndex:
    """Meters as they come, by number, with the order of their serials' hashes, and their installations by date.

    `_start` leads from the first bits of a hash to its place, give or take a few: no binary search, no Python loop.
    """

    def __init__(self, meters: pl.DataFrame, installs: pl.DataFrame) -> None:
        """meters: serial, meter_id (ascending), digits; installs: meter_id, usage_point_id, installed_day,
        removed_day, of these meters only."""
        self._serial = meters["serial"]
        self._meter = meters["meter_id"].to_numpy()
        self._digits = meters["digits"].to_numpy()
        self._seed = 0
        while True:
            hashes = self._serial.hash(self._seed).to_numpy()
            self._order = np.argsort(hashes).astype(np.int32)
            self._hash = hashes[self._order]
            if not (self._hash[1:] == self._hash[:-1]).any():
                break
            self._seed += 1
        del hashes
        bits = max(1, meters.height.bit_length())
        self._shift = np.uint64(64 - bits)
        firsts = np.arange(1 << bits, dtype=np.uint64) << self._shift
        self._start = np.searchsorted(self._hash, firsts).astype(np.int32)
        del firsts

        place = np.searchsorted(self._meter, installs["meter_id"].to_numpy())
        counts = np.bincount(place, minlength=meters.height)
        self._first = np.append(0, np.cumsum(counts))
        by_date = np.argsort((place << 32) | installs["installed_day"].to_numpy())
        del place, counts
        self._installed = installs["installed_day"].to_numpy()[by_date]
        self._removed = installs["removed_day"].to_numpy()[by_date]
        self._point = installs["usage_point_id"].to_numpy()[by_date]

    def find(self, serials: pl.Series, days: np.ndarray) -> Found:
        """Look up each (serial, day). On the day a meter moves, the reading belongs to where it was removed."""
        if not self._hash.size or not self._point.size:
            nothing = np.zeros(len(serials), np.int64)
            return Found(nothing > 0, nothing > 0, nothing, nothing, nothing)
        place = self._order[self._places(serials.hash(self._seed).to_numpy())]
        known = (self._serial[place] == serials).fill_null(False).to_numpy()
        # The last installation that began before the day, and if that had ended, one that began on it.
        install, end = self._first[place], self._first[place + 1]
        has_any = install < end
        install = np.minimum(install, self._point.size - 1)
        last = end - 1
        later = np.flatnonzero(install < last)
        while later.size:
            later = later[self._installed[install[later] + 1] < days[later]]
            install[later] += 1
            later = later[install[later] < last[later]]
        gone = np.flatnonzero((self._removed[install] < days) & (install < last))
        install[gone] += 1
        stands = (self._installed[install] <= days) & (days <= self._removed[install])
        return Found(
            known, known & has_any & stands, self._meter[place], self._point[install], self._digits[place]
        )

    def _places(self, hashes: np.ndarray) -> np.ndarray:
        """Where each hash stands among the sorted ones, or would."""
        last = self._hash.size - 1
        place = np.minimum(self._start[hashes >> self._shift], last).astype(np.int64)
        below = np.flatnonzero(self._hash[place] < hashes)
        while below.size:
            below = below[place[below] < last]
            place[below] += 1
            below = below[self._hash[place[below]] < hashes[below]]
        return place


def load_all(connect: Callable[[], psycopg.Connection[Any]]) -> MeterIndex:
    """Every meter of the utility, the two tables side by side: worth it for a file about as long as they are."""
    columns = ["meter_id", "usage_point_id", "installed_day", "removed_day"]
    with ThreadPoolExecutor(2) as pool, connect() as one, connect() as other:
        meters = pool.submit(_pages, one, _METERS, ["serial", "meter_id", "digits"])
        installs = pool.submit(_pages, other, _INSTALLATIONS, columns)
        return MeterIndex(meters.result(), installs.result())


def load_some(connection: psycopg.Connection[Any], serials: pl.Series) -> MeterIndex:
    """The meters of these serials only."""
    rows = connection.execute(
        """SELECT m.serial, m.id, m.digits, i.usage_point_id, i.installed_on - '1970-01-01'::date,
                  coalesce(i.removed_on - '1970-01-01'::date, %s)
             FROM metering_meter m LEFT JOIN metering_meterinstallation i ON i.meter_id = m.id
            WHERE m.serial = ANY(%s)""",
        (_FAR, serials.unique().drop_nulls().to_list()),
    ).fetchall()
    schema = {"serial": pl.Utf8, "meter_id": pl.Int64, "digits": pl.Int16, "usage_point_id": pl.Int64}
    frame = pl.DataFrame(rows, schema | {"installed_day": pl.Int32, "removed_day": pl.Int32}, orient="row")
    installs = frame.select("meter_id", "usage_point_id", "installed_day", "removed_day").drop_nulls()
    return MeterIndex(
        frame.select("serial", "meter_id", "digits").unique("meter_id").sort("meter_id"), installs
    )


def _pages(connection: psycopg.Connection[Any], query: str, names: list[str]) -> pl.DataFrame:
    """A whole table by pages of its key: bounded memory on both sides, and hardly a Python object."""
    schema: dict[str, Any] = dict.fromkeys(names, pl.Int64)
    schema |= {name: kind for name, kind in {"serial": pl.Utf8, "digits": pl.Int16}.items() if name in schema}
    schema |= {name: pl.Int32 for name in ("installed_day", "removed_day") if name in schema}
    parts, where = [pl.DataFrame(schema=schema)], "true"
    while True:
        row = connection.execute(query.format(where=where, limit=_PAGE, far=_FAR)).fetchone()
        if row is None or row[0] is None:
            return pl.concat(parts, rechunk=True)
        text = row[1].encode()
        parts.append(pl.read_csv(text, has_header=False, separator=_UNIT, quote_char=None, schema=schema))
        where = f"id > {row[0]}"
