"""The permitted rate, shared by all workers on all machines: each takes slices of time from the provider's row.

A slice is a few milliseconds of the provider's time and the messages that fit into it. It is sent when its moment
comes or, if the worker slept past it, not at all: a slice used late would be a second one in somebody else's moment.
Time is the database's, so that machines need not agree on theirs.
"""

import time
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection

SLICE_SECONDS = 0.005
LEAD_SECONDS = 0.010  # how far ahead a worker may reserve
# Who is urgent may always reserve: the next free moment is theirs, just behind what others hold already. And they use
# it when they are late for it: they are few, and what is left free of the permitted rate covers them.
URGENT_LEAD_SECONDS = 5.0
URGENT_SLICE_SECONDS = 0.1  # taken in one go, used message by message as their moments come
LATE_SECONDS = 0.008
# Of the permitted rate this much is used, so that a slice sent some milliseconds late still fits into its second.
USED_PERMILLE = 990
# A slot further ahead than this was reserved before the database's clock was set back: it does not count.
_CLOCK_JUMP_SECONDS = 30
_DATABASE_AWAY_SECONDS = 0.5


class ProviderPace:
    """The pace of one provider for one worker's thread. `slowdown()` is 1.0, or less while bulk sending gives way."""

    def __init__(
        self,
        *,
        number: int,
        permitted_per_second: int,
        slowdown: Callable[[], float] = lambda: 1.0,
        is_urgent: bool = False,
    ) -> None:
        self._is_urgent, self._interval = is_urgent, 0.0
        self._lead = URGENT_LEAD_SECONDS if is_urgent else LEAD_SECONDS
        self._late = URGENT_LEAD_SECONDS if is_urgent else LATE_SECONDS
        self.number, self.permitted, self.slowdown = number, permitted_per_second, slowdown
        self._granted, self._at, self._ask_at = 0, 0.0, 0.0
        self._prepared: Any = None

    def allowance(self, wanted: int) -> int:
        """How many messages may be handed over at this very moment, at most `wanted`."""
        if wanted <= 0:
            return 0
        now = time.monotonic()
        if not self._granted and now >= self._ask_at:
            try:
                self._reserve(wanted)
            except (OperationalError, InterfaceError):
                # Raised, it would leave in doubt what was never handed over; kept, the connection would stay broken.
                connection.close()
                self._ask_at = now + _DATABASE_AWAY_SECONDS
            now = time.monotonic()
        if not self._granted or now < self._at:
            return 0
        if now - self._at > self._late:
            self._granted = 0
            return 0
        due = min(
            self._granted, wanted, int((now - self._at) / self._interval) + 1 if self._interval else wanted
        )
        self._granted -= due
        self._at += due * self._interval
        if not self._interval:
            self._granted = 0
        return due

    def wait_seconds(self) -> float:
        """How long to wait before asking again."""
        return max(0.0, (self._at if self._granted else self._ask_at) - time.monotonic())

    def _reserve(self, wanted: int) -> None:
        slice_seconds = URGENT_SLICE_SECONDS if self._is_urgent else SLICE_SECONDS
        count = max(1, min(wanted, int(self.permitted * slice_seconds)))
        seconds = count / (self.permitted * USED_PERMILLE / 1000 * self.slowdown())
        with connection.cursor() as cursor:
            if connection.connection is not self._prepared:  # also after a reconnection
                cursor.execute("SET synchronous_commit = off")
                self._prepared = connection.connection
            cursor.execute(
                _RESERVE,
                {
                    "number": self.number,
                    "length": seconds,
                    "lead": self._lead,
                    "jump": _CLOCK_JUMP_SECONDS,
                },
            )
            row = cursor.fetchone()
        asked = time.monotonic()
        if row is None:
            self._ask_at = asked + LEAD_SECONDS / 2
        else:
            self._granted, self._at = count, asked + float(row[0]) - seconds
            self._interval = seconds / count if self._is_urgent else 0.0


# Conditions and values are worked out again once a worker that came first has let go of the row, clock included.
# Nothing is lost with an unflushed commit: after a crash of the database the provider has had a pause anyway.
_RESERVE = """
    UPDATE notifications_provider
       SET next_free_at = make_interval(secs => %(length)s)
           + CASE WHEN next_free_at BETWEEN clock_timestamp() AND clock_timestamp() + make_interval(secs => %(jump)s)
                  THEN next_free_at ELSE clock_timestamp() END
     WHERE number = %(number)s
       AND (next_free_at IS NULL
            OR next_free_at NOT BETWEEN clock_timestamp() + make_interval(secs => %(lead)s)
                                    AND clock_timestamp() + make_interval(secs => %(jump)s))
    RETURNING extract(epoch FROM next_free_at - clock_timestamp())
"""
