"""How an attempt's outcome moves its delivery and its message on: pure, no database.

Owns the limits of patience: lease, doubt, attempts and waits between them. Next: services.py writes what it says.
"""

import datetime as dt
from dataclasses import dataclass

from tayyar.notifications.models import MessageState
from tayyar.notifications.ports import Outcome, SendResult

MAX_ATTEMPTS = 6
# After the first failed attempt, the second, ...: a greylisting server wants minutes, a full mailbox hours.
WAITS = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 240))
# A worker begins no mail after SENDING_WINDOW; its last one is over (time-outs included) well before LEASE ends.
SENDING_WINDOW = dt.timedelta(minutes=5)
LEASE = dt.timedelta(minutes=20)
# From the claim on, how long evidence may come in for an attempt of unknown outcome before it is made again.
DOUBT_LIMIT = dt.timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to write for one result: the delivery's new state, the message's, and when to try again."""

    delivery: MessageState
    message: MessageState
    retry_at: dt.datetime | None


def settlement(result: SendResult, *, now: dt.datetime) -> Settlement:
    """The states that follow from a result other than NOT_TRIED, which leaves no trace."""
    match result.outcome:
        case Outcome.SENT:
            return Settlement(MessageState.SENT, MessageState.SENT, None)
        case Outcome.IN_DOUBT:
            return Settlement(MessageState.IN_DOUBT, MessageState.IN_DOUBT, None)
        case Outcome.TRY_LATER if result.key.attempt < MAX_ATTEMPTS:
            wait = WAITS[min(result.key.attempt, len(WAITS)) - 1]
            return Settlement(MessageState.FAILED, MessageState.DEFERRED, now + wait)
        case Outcome.TRY_LATER | Outcome.REFUSED:
            return Settlement(MessageState.FAILED, MessageState.FAILED, None)
        case _:
            raise ValueError(f"{result.outcome} settles nothing")
