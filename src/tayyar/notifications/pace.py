"""The permitted rate, shared by all workers on all machines: each takes slices of time from the provider's row.

A slice is some milliseconds of the provider's time, and each message in it has its moment. A message goes when its
moment comes; a moment that the worker slept past is lost, for used late it would be a second one in another's place.
Time is the database's, so that machines need not agree on theirs.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError, connection

SLICE_SECONDS = 0.010
LEAD_SECONDS = 0.010  # how far ahead a worker may reserve
# Who is urgent may always reserve: the next free moment is theirs, just behind what others hold already.
URGENT_LEAD_SECONDS = 5.0
AHEAD_SECONDS = 0.006  # before its slice ends a worker takes the next: asking takes a moment
CHUNK_SECONDS = (
    0.0025  # messages whose moments lie this close go together: waking for each would cost too much
)
# Of the permitted rate this much is used, so that messages that are this late still fit into their second.
USED_PERMILLE = 990
LATE_SECONDS = 0.008
_TURN_SECONDS = 0.010  # within which a thread that waits for its next moment is expected to ask again
# A slot further ahead than this was reserved before the database's clock was set back: it does not count.
_CLOCK_JUMP_SECONDS = 30
_DATABASE_AWAY_SECONDS = 0.5


@dataclass(slots=True)
class _Slice:
    """Messages granted: how many, the moment of the first, the time between two, how late each may be."""

    count: int
    at: float
    interval: float
    late: float

    @property
    def end(self) -> float:
        """The moment after the last."""
        return self.at + self.count * self.interval

    @property
    def worth_using_at(self) -> float:
        """When a first chunk is due."""
        together = min(self.count, max(1, int(CHUNK_SECONDS / self.interval)))
        return self.at + (together - 1) * self.interval

    def skip_missed(self, now: float) -> None:
        """Lose the messages whose moments were slept past."""
        if now - self.at > self.late:
            self._take(int((now - self.at - self.late) / self.interval) + 1)

    def use(self, now: float, *, most: int) -> int:
        """Take the messages whose moments have come."""
        return self._take(min(most, int((now - self.at) / self.interval) + 1)) if now >= self.at else 0

    def _take(self, count: int) -> int:
        count = min(count, self.count)
        self.count -= count
        self.at += count * self.interval
        return count


class ProviderPace:
    """The pace of one provider for one worker's thread. `slowdown()` is 1.0, or less while bulk sending gives way.

    `siblings` is the list that the worker's threads for this provider share. Among them whoever began a batch first
    goes first, so that batches end one after the other. Sharing every slice they would end together, and while both
    are settled and filled anew there would be nothing to send.
    """

    def __init__(
        self,
        *,
        number: int,
        permitted_per_second: int,
        slowdown: Callable[[], float] = lambda: 1.0,
        is_urgent: bool = False,
        siblings: "list[ProviderPace] | None" = None,
    ) -> None:
        self._siblings = [] if siblings is None else siblings
        self._siblings.append(self)
        self._began_at = self._hungry_until = 0.0
        self.number, self.permitted, self.slowdown = number, permitted_per_second, slowdown
        self._lead = URGENT_LEAD_SECONDS if is_urgent else LEAD_SECONDS
        self._slices: deque[_Slice] = deque()
        self._ask_at = 0.0
        self._prepared: Any = None

    def begin(self) -> None:
        """A new batch."""
        self._began_at = time.monotonic()

    def allowance(self, wanted: int) -> int:
        """How many messages may be handed over at this very moment, at most `wanted`."""
        if wanted <= 0:
            return 0
        now, slices = time.monotonic(), self._slices
        if now >= self._ask_at and (
            not slices
            or (slices[-1].end - now < AHEAD_SECONDS and sum(part.count for part in slices) < wanted)
        ):
            if not slices and self._has_hungry_elder(now):
                self._ask_at = now + CHUNK_SECONDS
                return 0
            try:
                self._reserve(wanted)
            except (OperationalError, InterfaceError):
                # Raised, it would leave in doubt what was never handed over; kept, the connection would stay broken.
                connection.close()
                self._ask_at = now + _DATABASE_AWAY_SECONDS
            now = time.monotonic()
        due = 0
        while slices and due < wanted and now >= slices[0].at:
            slices[0].skip_missed(now)
            due += slices[0].use(now, most=wanted - due)
            if slices[0].count:
                break
            slices.popleft()
        self._hungry_until = now + self.wait_seconds() + _TURN_SECONDS if due < wanted else 0.0
        return due

    def wait_seconds(self) -> float:
        """How long to wait before asking again."""
        until = self._slices[0].worth_using_at if self._slices else self._ask_at
        return max(0.0, until - time.monotonic())

    def _has_hungry_elder(self, now: float) -> bool:
        """Whether a sibling's batch began earlier and it waits for its next moment."""
        return any(other._began_at < self._began_at and now < other._hungry_until for other in self._siblings)

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
            begins = answered + float(ahead) - seconds
            self._slices.append(_Slice(count, begins, seconds / count, LATE_SECONDS - (answered - asked)))
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
