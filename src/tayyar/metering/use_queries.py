"""What the meters of a usage point measured day by day, where they are read every day; and since a bill closed.

Reads only. Owns the step from two readings of one register to the energy between them, with rollover and transformer
ratio. A day without a reading at each end has no energy here: nothing is interpolated. Next: billing/consumption.py.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db import connection

from tayyar.core.periods import Period
from tayyar.metering.segments import RegisterSegment

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DayReading:
    """What one usage point used on one day, in Wh; `is_actual` when both readings were taken from the meter."""

    usage_point_id: int
    day: dt.date
    energy_wh: int
    is_actual: bool


@dataclass(frozen=True, slots=True)
class Since:
    """What a usage point used since its last bill closed, in Wh, up to `until` (its day is not included)."""

    energy_wh: int
    until: dt.date


def advance_wh(from_wh: int, to_wh: int, digits: int) -> int | None:
    """How far a register of `digits` whole kWh went. A lower value is a rollover only from its top tenth, as for
    bills (docs/metering.md); else it says nothing: None."""
    if to_wh >= from_wh:
        return to_wh - from_wh
    whole = 1000 * 10**digits
    return to_wh - from_wh + whole if from_wh * 10 >= whole * 9 else None


def daily_use(usage_point_ids: Sequence[int], *, first: dt.date, end: dt.date) -> list[DayReading]:
    """The days of [first, end) that begin and end with a reading of every register that the meter was read by, by
    usage point and day. One query."""
    series: dict[tuple[int, int, int], list[tuple[dt.date, int, int, int, int]]] = {}
    for point, meter, register, *values in _readings(usage_point_ids, first=first, end=end + _DAY):
        series.setdefault((point, meter, register), []).append(tuple(values))
    days: dict[tuple[int, int, dt.date], list[tuple[int, bool]]] = {}
    registers: dict[tuple[int, int], int] = {}
    for (point, meter, _), readings in series.items():
        registers[point, meter] = registers.get((point, meter), 0) + 1
        for (day, value, quality, digits, ratio), (next_day, next_value, next_quality, _, _) in pairwise(
            readings
        ):
            advance = advance_wh(value, next_value, digits) if next_day - day == _DAY else None
            if advance is not None:
                both = quality == next_quality == 1
                days.setdefault((point, meter, day), []).append((advance * ratio, both))
    return [
        DayReading(point, day, sum(energy for energy, _ in parts), all(actual for _, actual in parts))
        for (point, meter, day), parts in sorted(days.items(), key=lambda item: (item[0][0], item[0][2]))
        if len(parts) == registers[point, meter]
    ]


def use_since(usage_point_id: int, closings: Iterable[RegisterSegment], *, end: dt.date) -> Since | None:
    """What was used after a bill whose register segments are `closings`, by the newest day before `end` on which
    every one of its registers was read. None when there is no such day, or another meter stands there."""
    closed = list(closings)
    last = max(segment.to_date for segment in closed)
    open_at = {(s.meter_id, s.register): s for s in closed if s.to_date == last}
    by_day: dict[dt.date, int] = {}
    complete: dict[dt.date, int] = {}
    for _, meter, register, day, value, _, digits, _ in _readings(
        [usage_point_id], first=last + _DAY, end=end
    ):
        segment = open_at.get((meter, register))
        if segment is None:
            return None
        advance = advance_wh(segment.to_wh, value, digits)
        if advance is not None:
            by_day[day] = by_day.get(day, 0) + advance * segment.multiplier
            complete[day] = complete.get(day, 0) + 1
    whole = [day for day, count in complete.items() if count == len(open_at)]
    return Since(by_day[max(whole)], max(whole)) if whole else None


def _readings(usage_point_ids: Sequence[int], *, first: dt.date, end: dt.date) -> list[tuple[Any, ...]]:
    """(usage point, meter, register, day, value, quality, digits, ratio) by point, meter, register and day."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.usage_point_id, r.meter_id, r.register, r.read_date, r.value_wh, r.quality, m.digits,
                      i.multiplier
               FROM metering_meterreading r
               JOIN metering_meter m ON m.id = r.meter_id
               JOIN metering_meterinstallation i ON i.usage_point_id = r.usage_point_id
                    AND i.meter_id = r.meter_id AND i.installed_on <= r.read_date
                    AND (i.removed_on IS NULL OR r.read_date <= i.removed_on)
               WHERE r.period BETWEEN %s AND %s AND r.usage_point_id = ANY(%s)
                 AND r.read_date >= %s AND r.read_date < %s
               ORDER BY r.usage_point_id, r.meter_id, r.register, r.read_date""",
            [Period.of(first).number, Period.of(end).number, list(usage_point_ids), first, end],
        )
        return cursor.fetchall()
