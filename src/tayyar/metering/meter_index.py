"""From a meter's serial and a day to the meter and the usage point it stood at, for millions of rows.

Owns the compact index in memory: about 60 bytes a meter, binary search on hashed serials. Never writes.
Next: services.py stores readings under the numbers found here.
"""

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
    """Meters sorted by the hash of their serial, each with its installations in order of date."""

    def __init__(self, meters: pl.DataFrame, installs: pl.DataFrame) -> None:
        """meters: serial, meter_id, digits; installs: meter_id, usage_point_id, installed_day, removed_day."""
        self._seed = 0
        while (hashes := meters["serial"].hash(self._seed)).n_unique() < meters.height:
            self._seed += 1
        order = hashes.arg_sort()
        self._hash = hashes[order].to_numpy()
        self._serial = meters["serial"][order]
        self._meter = meters["meter_id"][order].to_numpy()
        self._digits = meters["digits"][order].to_numpy()

        by_id = np.argsort(self._meter)
        place = np.searchsorted(self._meter, installs["meter_id"].to_numpy(), sorter=by_id)
        rank = by_id[place] if by_id.size else place
        key = (rank.astype(np.int64) << 32) | installs["installed_day"].to_numpy().astype(np.int64)
        order_by_key = np.argsort(key)
        self._key = key[order_by_key]
        self._removed = installs["removed_day"].to_numpy()[order_by_key]
        self._point = installs["usage_point_id"].to_numpy()[order_by_key]

    def find(self, serials: pl.Series, days: np.ndarray) -> Found:
        """Look up each (serial, day). On the day a meter moves, the reading belongs to where it was removed."""
        size = len(serials)
        if not self._hash.size or not self._key.size:
            nothing = np.zeros(size, np.int64)
            return Found(nothing > 0, nothing > 0, nothing, nothing, nothing)
        place = np.minimum(
            np.searchsorted(self._hash, serials.hash(self._seed).to_numpy()), self._hash.size - 1
        )
        known = (self._serial[place] == serials).fill_null(False).to_numpy()
        rank, day = place.astype(np.int64) << 32, days.astype(np.int64)
        # The last installation that began before the day and had not ended, else one that began on it.
        before = np.searchsorted(self._key, rank | (day - 1).clip(0), side="right") - 1
        stands = self._covers(before, place, day)
        install = np.where(stands, before, np.minimum(before + 1, self._key.size - 1))
        installed = known & (stands | self._covers(install, place, day))
        return Found(known, installed, self._meter[place], self._point[install], self._digits[place])

    def _covers(self, install: np.ndarray, place: np.ndarray, day: np.ndarray) -> np.ndarray:
        key = self._key[install]
        begun = (key & 0xFFFFFFFF) <= day
        return (install >= 0) & (key >> 32 == place) & begun & (day <= self._removed[install])


def load_all(connection: psycopg.Connection[Any]) -> MeterIndex:
    """Every meter of the utility: worth it for a file about as long as the list of meters."""
    meters = _pages(connection, _METERS, ["serial", "meter_id", "digits"])
    installs = _pages(
        connection, _INSTALLATIONS, ["meter_id", "usage_point_id", "installed_day", "removed_day"]
    )
    return MeterIndex(meters, installs)


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
    return MeterIndex(frame.select("serial", "meter_id", "digits").unique("meter_id"), installs)


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
