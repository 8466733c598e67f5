"""Figures of a period, counted once for many readers.

Owns the snapshot table and the question whether a snapshot is too old; what is counted is the caller's.
Never serves what a caller did not ask to be counted the same way before: a name is one way of counting.
"""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from tayyar.core.periods import Period
from tayyar.notifications.models import Snapshot

LEAST_AGE = dt.timedelta(seconds=5)
AGE_PER_COST = 10  # readers may take a tenth of one session's time, however many they are

Data = dict[str, Any]


def snapshot(*, period: Period, name: str, count: Callable[[], Data], now: dt.datetime) -> Snapshot:
    """The period's figures of that name, counted now when the stored ones are too old: older than LEAST_AGE and than
    AGE_PER_COST times what counting took. While one session counts, the others get what is stored; only when nothing
    is stored yet do they wait for it."""
    found = _stored(period, name)
    if found and not _is_old(found, now):
        return found
    with transaction.atomic(), connection.cursor() as cursor:
        lock = (period.number, f"snapshot:{name}")
        if found:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", lock)
            if not cursor.fetchone()[0]:
                return found
        else:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", lock)
        newer = _stored(period, name)  # another session may have counted while this one waited
        if newer and not _is_old(newer, now):
            return newer
        began = time.monotonic()
        data = count()
        cost_ms = int((time.monotonic() - began) * 1000)
        Snapshot.objects.update_or_create(
            period=period.number,
            name=name,
            defaults={"computed_at": now, "cost_ms": cost_ms, "data": data},
        )
        return Snapshot(period=period.number, name=name, computed_at=now, cost_ms=cost_ms, data=data)


def _stored(period: Period, name: str) -> Snapshot | None:
    return Snapshot.objects.filter(period=period.number, name=name).first()


def _is_old(found: Snapshot, now: dt.datetime) -> bool:
    """Whether to count again; also when it was counted in a future that a moved clock went back from."""
    lasts = max(LEAST_AGE, AGE_PER_COST * dt.timedelta(milliseconds=found.cost_ms))
    return not found.computed_at <= now <= found.computed_at + lasts
