"""The permitted rate, shared by all workers on all machines: each takes slices of time from the provider's row.

A slice is some milliseconds of the provider's time, and each message in it has its moment. A message goes when its
moment comes; a moment that the worker slept past is lost, for used late it would be a second one in another's place.
Time is the database's, so that machines need not agree on theirs.
"""

import random
import time
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, connection

SLICE_SECONDS = 0.020
LEAD_SECONDS = 0.020  # how far ahead a worker may reserve
# Who is urgent may always reserve: the next free moment is theirs, just behind what others hold already.
URGENT_LEAD_SECONDS = 5.0
CHUNK_SECONDS = (
    0.0025  # messages whose moments lie this close go together: waking for each would cost too much
)
# Of the permitted rate this much is used, so that messages that are this late still fit into their second.
USED_PERMILLE = 990
LATE_SECONDS = 0.010
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
        self.number, self.permitted, self.slowdown = number, permitted_per_second, slowdown
        self._lead = URGENT_LEAD_SECONDS if is_urgent else LEAD_SECONDS
        # Messages still granted, the moment of the first, the time between two, and how late each may be.
        self._granted, self._at, self._interval, self._late = 0, 0.0, 1.0, 0.0
        self._ask_at = 0.0
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
        if self._granted and now - self._at > self._late:
            self._use(min(self._granted, int((now - self._at - self._late) / self._interval) + 1))
        if not self._granted or now < self._at:
            return 0
        return self._use(min(self._granted, wanted, int((now - self._at) / self._interval) + 1))

    def wait_seconds(self) -> float:
        """How long to wait before asking again."""
        until = self._ask_at
        if self._granted:
            together = min(self._granted, max(1, int(CHUNK_SECONDS / self._interval)))
            until = self._at + (together - 1) * self._interval
        return max(0.0, until - time.monotonic())

    def _use(self, count: int) -> int:
        self._granted -= count
        self._at += count * self._interval
        return count

    def _reserve(self, wanted: int) -> None:
        count = max(1, min(wanted, int(self.permitted * SLICE_SECONDS)))
        seconds = count / (self.permitted * USED_PERMILLE / 1000 * self.slowdown())
        values = {"number": self.number, "length": seconds, "lead": self._lead, "jump": _CLOCK_JUMP_SECONDS}
        with connection.cursor() as cursor:
            if connection.connection is not self._prepared:  # also after a reconnection
                cursor.execute("SET synchronous_commit = off")
                self._prepared = connection.connection
            asked = time.monotonic()
            cursor.execute(_RESERVE, values)
            is_granted, ahead = cursor.fetchone()
        answered = time.monotonic()
        if is_granted:
            # The database named the moment somewhere between our question and its answer: no message goes before the
            # later reading of it, and none is late by the earlier.
            self._granted, self._interval = count, seconds / count
            self._at = answered + float(ahead) - seconds
            self._late = LATE_SECONDS - (answered - asked)
        else:  # those that wait should not all ask at once; half of the lead is left for it
            self._ask_at = answered + max(0.001, float(ahead) - self._lead * random.uniform(0.5, 1.0))  # noqa: S311


# Conditions and values are worked out again once a worker that came first has let go of the row, clock included.
# Nothing is lost with an unflushed commit: after a crash of the database the provider has had a pause anyway.
_RESERVE = """
    WITH taken AS (
        UPDATE notifications_providerslot
           SET next_free_at = make_interval(secs => %(length)s)
               + CASE WHEN next_free_at BETWEEN clock_timestamp()
                                            AND clock_timestamp() + make_interval(secs => %(jump)s)
                      THEN next_free_at ELSE clock_timestamp() END
         WHERE provider_id = %(number)s
           AND (next_free_at IS NULL
                OR next_free_at NOT BETWEEN clock_timestamp() + make_interval(secs => %(lead)s)
                                        AND clock_timestamp() + make_interval(secs => %(jump)s))
        RETURNING next_free_at - clock_timestamp() AS ahead
    )
    SELECT true, extract(epoch FROM ahead) FROM taken
    UNION ALL
    SELECT false, coalesce(extract(epoch FROM next_free_at - clock_timestamp()), 0)
      FROM notifications_providerslot WHERE provider_id = %(number)s AND NOT EXISTS (SELECT FROM taken)
"""
