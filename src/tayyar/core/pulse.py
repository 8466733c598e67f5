"""How quickly the portal answers just now: each web process measures itself and shows it to all in one small row.

It never opens a connection, never writes before an answer is out, and a pulse that cannot be written is no error.
Next: the delivery engine asks `portal_p95_ms` and slows bulk messages when readers wait.
"""

import datetime as dt
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from django.core.signals import request_finished
from django.db import connection
from django.http import HttpRequest, HttpResponse

from tayyar.core import clock
from tayyar.core.models import Pulse

WRITE_EVERY_SECONDS = 3.0
FRESH = dt.timedelta(seconds=15)
_FORGOTTEN = dt.timedelta(hours=1)
_MOST_SAMPLES = 20_000  # of one window; more are counted, not measured


class Samples:
    """Response times of this process since its last pulse. For many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times_ms: list[int] = []
        self._requests = 0
        self._since = time.monotonic()

    def add(self, milliseconds: int) -> None:
        """One request was answered."""
        with self._lock:
            self._requests += 1
            if len(self._times_ms) < _MOST_SAMPLES:
                self._times_ms.append(milliseconds)

    def take(self) -> tuple[int, int] | None:
        """(requests, their p95 in ms) when a pulse is due, and a new window begins; else None."""
        now = time.monotonic()
        with self._lock:
            if not self._times_ms or now - self._since < WRITE_EVERY_SECONDS:
                return None
            times, requests = self._times_ms, self._requests
            self._times_ms, self._requests, self._since = [], 0, now
        return requests, p95(times)


def p95(times_ms: list[int]) -> int:
    """The time that 95 of 100 requests did not exceed: nearest rank, so of few requests the slowest."""
    ranked = sorted(times_ms)
    return ranked[-(-len(ranked) * 95 // 100) - 1]


_samples = Samples()


def measure_portal(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: times what subscribers ask for; not files, the console or the load balancer's question."""

    def answer(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        match = request.resolver_match
        if match is not None and match.app_name == "portal" and match.url_name != "health":
            _samples.add(int((time.perf_counter() - started) * 1000))
        return response

    return answer


def write_pulse(**_: Any) -> None:
    """Write this process's row when it is due. Called when an answer is out, on the connection it used, if any.

    Inside somebody's transaction it waits for a later request: the row must not be rolled back, nor hold locks.
    """
    if connection.connection is None or connection.in_atomic_block:
        return
    taken = _samples.take()
    if taken is None:
        return
    requests, slow_ms = taken
    now = clock.now()
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                """WITH gone AS (DELETE FROM core_pulse WHERE at < %(forgotten)s AND process <> %(process)s)
                   INSERT INTO core_pulse (process, at, requests, p95_ms)
                   VALUES (%(process)s, %(now)s, %(requests)s, %(p95_ms)s)
                   ON CONFLICT (process) DO UPDATE
                   SET at = excluded.at, requests = excluded.requests, p95_ms = excluded.p95_ms""",
                {
                    "process": f"{socket.gethostname()[:60]}-{os.getpid()}",
                    "now": now,
                    "forgotten": now - _FORGOTTEN,
                    "requests": requests,
                    "p95_ms": slow_ms,
                },
            )
    except (
        Exception
    ):  # whatever it is, the next request meets it too and says so; a pulse is not worth a word
        connection.close()


request_finished.connect(write_pulse, dispatch_uid="tayyar.core.pulse")


def portal_p95_ms(now: dt.datetime) -> int | None:
    """The worst p95 in milliseconds that a web process showed in the last 15 seconds; None when none did."""
    fresh = Pulse.objects.filter(at__gt=now - FRESH, at__lt=now + FRESH)
    return fresh.order_by("-p95_ms").values_list("p95_ms", flat=True).first()
