"""What all workers share about a provider, in its row: its number, its weight at this moment, whether it is paused.

Weights fall by ten points when a provider errs or its receipts come late, and drift back by ten when it does not, each
at most once in a window. A weight never falls below LEAST: only by being asked can a provider show that it is well.
"""

import datetime as dt
import functools
import threading
import time
from collections import Counter
from collections.abc import Iterable

from django.db import transaction

from tayyar.notifications.models import Provider, ProviderSlot
from tayyar.notifications.providers import ProviderConfig, configured

WINDOW = dt.timedelta(seconds=10)
STEP, LEAST = 10, 1
FAILED_PERCENT, SLOW_PERCENT, FEW = 10, 50, 20
SLOW = dt.timedelta(minutes=5)  # a receipt later than this after its answer is slow


@functools.cache
def number_of(code: str) -> int:
    """The number under which deliveries name the provider. Provider.DoesNotExist for one never configured."""
    found = Provider.objects.filter(code=code).first()
    if found is None:
        enrol(configured().values())  # a webhook may come before the first worker
        found = Provider.objects.get(code=code)
    return int(found.number)


def enrol(configs: Iterable[ProviderConfig]) -> None:
    """Give each provider its row. One that is there keeps its weight, within what the file now says."""
    number_of.cache_clear()
    for config in configs:
        row, made = Provider.objects.get_or_create(
            code=config.code,
            defaults={"channel": config.channel, "weight": config.weight, "most_weight": config.weight},
        )
        if not made and (row.most_weight != config.weight or row.channel != config.channel):
            Provider.objects.filter(number=row.number).update(
                weight=min(row.weight, config.weight) if row.weight < row.most_weight else config.weight,
                most_weight=config.weight,
                channel=config.channel,
            )
        ProviderSlot.objects.get_or_create(provider_id=row.number)


def note(
    *, provider: int, now: dt.datetime, sent: int = 0, failed: int = 0, received: int = 0, slow: int = 0
) -> None:
    """Count what became of messages and, at the end of a window, shift the provider's weight.

    `failed` are those it did not take or answer; a recipient that does not exist is no fault of it.
    """
    with transaction.atomic():
        row = Provider.objects.select_for_update().get(number=provider)
        row.window_sent += sent
        row.window_failed += failed
        row.window_received += received
        row.window_slow += slow
        began = row.window_began_at or now
        row.window_began_at = began
        if now - began >= WINDOW or now < began:
            row.weight = shifted(row)
            row.window_began_at = now
            row.window_sent = row.window_failed = row.window_received = row.window_slow = 0
        row.save(update_fields=_WINDOW_FIELDS)


def tally(*, provider: int, now: dt.datetime, **counts: int) -> None:
    """As `note`, but gathered in this process and written every TALLY_SECONDS: for the busy."""
    with _lock:
        gathered = _gathered.setdefault(provider, Counter())
        gathered.update(counts)
        if time.monotonic() - _written_at.get(provider, 0.0) < TALLY_SECONDS:
            return
        _written_at[provider], counts = time.monotonic(), dict(gathered)
        gathered.clear()
    note(provider=provider, now=now, **counts)


TALLY_SECONDS = 2.0
_lock = threading.Lock()
_gathered: dict[int, Counter[str]] = {}
_written_at: dict[int, float] = {}
_WINDOW_FIELDS = [
    "weight",
    "window_began_at",
    "window_sent",
    "window_failed",
    "window_received",
    "window_slow",
]


def shifted(row: Provider) -> int:
    """The weight after a window: less when it went badly, more when it went well."""
    tried = row.window_sent + row.window_failed
    errs = row.window_failed * 100 >= FAILED_PERCENT * tried and row.window_failed > 0
    is_late = row.window_received >= FEW and row.window_slow * 100 >= SLOW_PERCENT * row.window_received
    if errs or is_late:
        return max(min(LEAST, row.most_weight), row.weight - STEP)
    return min(row.most_weight, row.weight + STEP) if tried or row.window_received else row.weight


def set_paused(*, number: int, is_paused: bool) -> None:
    """Staff take a provider out of use, or back into it."""
    Provider.objects.filter(number=number).update(is_paused=is_paused)
