"""For one category and entitlement: the days at which prices, seasons or taxes change, as one sorted line.

Owns the cutting of time into segments in which nothing changes. Never prices.
The flow goes next to `kernel`, which looks up each bill's first and last segment.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tayyar.tariffs.book import TariffBook
from tayyar.tariffs.documents import Season, Tax, Version

EPOCH = dt.date(1970, 1, 1)
FIRST_DAY, LAST_DAY = dt.date(1950, 1, 1), dt.date(2150, 1, 1)  # seasons are laid out between these
BEFORE_ALL, AFTER_ALL = -(2**31), 2**31


@dataclass(frozen=True, eq=False, slots=True)
class Segment:
    """Days in which one version, one season of it and one set of its taxes hold (indexes into the version)."""

    version: Version
    season_at: int
    taxes_at: tuple[int, ...]

    @property
    def season(self) -> Season:
        return self.version.seasons[self.season_at]


@dataclass(frozen=True, eq=False, slots=True)
class Timeline:
    """`starts[i]` is the epoch day segment i begins, one more at the end; a None segment has no tariff."""

    starts: npt.NDArray[np.int64]
    segments: tuple[Segment | None, ...]
    has_threshold: bool

    def at(self, days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The segment index of each epoch day."""
        return self.starts.searchsorted(days, side="right") - 1


def epoch_day(day: dt.date) -> int:
    """Days since 1970-01-01, as in a Polars Date."""
    return (day - EPOCH).days


@lru_cache(maxsize=512)
def timeline(book: TariffBook, category: str, entitled: bool) -> Timeline:
    """The timeline of a category code, cached for the life of the book."""
    versions = book.candidates(category, entitled)
    changes = sorted({day for version in versions for day in _changes(version)})
    starts, segments = [BEFORE_ALL], [_segment(book, category, entitled, dt.date.min)]
    for day in changes:
        segment = _segment(book, category, entitled, day)
        if not _same(segment, segments[-1]):
            starts.append(epoch_day(day))
            segments.append(segment)
    starts.append(AFTER_ALL)
    has_threshold = any(segment is not None and segment.version.threshold for segment in segments)
    return Timeline(np.array(starts, dtype=np.int64), tuple(segments), has_threshold)


def _changes(version: Version) -> Iterator[dt.date]:
    """Every day on which something of this version may change."""
    days = [version.first_day, version.end_day]
    for tax in version.taxes:
        days += [tax.first_day, tax.end_day]
    yield from (day for day in days if day is not None)
    if len(version.seasons) > 1:
        for year in range(FIRST_DAY.year, LAST_DAY.year):
            yield from (dt.date(year, *season.start) for season in version.seasons)


def _segment(book: TariffBook, category: str, entitled: bool, day: dt.date) -> Segment | None:
    version = book.in_force(category, day, entitled)
    if version is None:
        return None
    taxes_at = tuple(at for at, tax in enumerate(version.taxes) if _holds(tax, day))
    return Segment(version, season_on(version, day), taxes_at)


def season_on(version: Version, day: dt.date) -> int:
    """The index of the season that holds on a day: the last one begun, or the year's last before the first."""
    begun = [at for at, season in enumerate(version.seasons) if season.start <= (day.month, day.day)]
    return begun[-1] if begun else len(version.seasons) - 1


def _holds(tax: Tax, day: dt.date) -> bool:
    return (tax.first_day is None or tax.first_day <= day) and (tax.end_day is None or day < tax.end_day)


def _same(one: Segment | None, other: Segment | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.version, one.season_at, one.taxes_at) == (other.version, other.season_at, other.taxes_at)
