"""How an attempt's outcome, and later a receipt, moves a delivery and its message on: pure, no database.

Owns the limits of patience: lease, doubt, attempts and the waits between them. Next: outbox.py and receipts.py write
what it says.
"""

import datetime as dt
from dataclasses import dataclass

from tayyar.notifications.kinds import SPECS, Lane, MessageKind
from tayyar.notifications.models import MessageState
from tayyar.notifications.plans import Until
from tayyar.notifications.ports import Outcome, ReceiptState, SendResult

MAX_ATTEMPTS = 6
# After the first failed attempt, the second, ...: a greylisting server wants minutes, a full mailbox hours.
WAITS = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 240))
# A worker begins no message after SENDING_WINDOW; its last one is over (time-outs included) well before LEASE ends.
SENDING_WINDOW = dt.timedelta(minutes=5)
LEASE = dt.timedelta(minutes=20)
# From the claim on, how long evidence may come in for an attempt of unknown outcome before it is made again. Nobody
# waits an hour for a one-time code.
DOUBT_LIMIT = {
    Lane.URGENT: dt.timedelta(minutes=2),
    Lane.SERVICE: dt.timedelta(hours=1),
    Lane.BULK: dt.timedelta(hours=1),
}
# Reasons to try later that say nothing about the provider.
RECIPIENTS_FAULT = frozenset({"MAILBOX_FULL", "MAILBOX_BUSY", "PAIR_RATE", "ADDRESS_SEALED"})
# Reasons given by wording.py, not by a provider.
BAD_CONTENT, NO_CONTENT, CONTENT_ERROR = "BAD_CONTENT", "NO_CONTENT", "CONTENT_ERROR"
TOO_LATE = "TOO_LATE"

S = MessageState


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to write for one result. `message` None: the plan goes on to its next step. `next_at`: when the message
    is looked at again."""

    delivery: MessageState
    message: MessageState | None
    next_at: dt.datetime | None = None
    contact_is_bad: bool = False


def settlement(result: SendResult, *, until: Until, wait: dt.timedelta, now: dt.datetime) -> Settlement:
    """The states that follow from a result other than NOT_TRIED, which leaves no trace.

    `until` and `wait` are those of the plan's step that the attempt belongs to.
    """
    match result.outcome:
        case Outcome.SENT:
            return Settlement(S.SENT, S.SENT, None if until <= Until.SENT else now + wait)
        case Outcome.IN_DOUBT:
            return Settlement(S.IN_DOUBT, S.IN_DOUBT)
        case Outcome.TRY_LATER if result.key.attempt < MAX_ATTEMPTS:
            return Settlement(S.FAILED, S.DEFERRED, now + WAITS[min(result.key.attempt, len(WAITS)) - 1])
        case Outcome.TRY_LATER if result.reason == CONTENT_ERROR:
            return Settlement(S.FAILED, S.PARKED)
        case Outcome.REFUSED if result.reason == BAD_CONTENT:
            return Settlement(S.FAILED, S.PARKED)
        case Outcome.REFUSED if result.reason == NO_CONTENT:
            return Settlement(S.FAILED, S.CANCELLED)
        case Outcome.REFUSED if result.reason == TOO_LATE:
            return Settlement(S.FAILED, S.EXPIRED)
        case Outcome.BAD_CONTACT:  # the same step once more: there may be another contact point
            return Settlement(S.FAILED, S.QUEUED, contact_is_bad=True)
        case Outcome.TRY_LATER | Outcome.REFUSED:
            return Settlement(S.FAILED, None)
        case _:
            raise ValueError(f"{result.outcome} settles nothing")


def doubt_limit(kind: int) -> dt.timedelta:
    """How long an attempt of this kind may be in doubt."""
    return DOUBT_LIMIT[SPECS[MessageKind(kind)].lane]


# How far an attempt has come; a receipt never takes it back, so their order does not matter.
_RANK = {S.SENDING: 0, S.IN_DOUBT: 0, S.SENT: 1, S.FAILED: 2, S.EXPIRED: 2, S.DELIVERED: 3, S.READ: 4}
_TOLD = {
    ReceiptState.SENT: S.SENT,
    ReceiptState.DELIVERED: S.DELIVERED,
    ReceiptState.READ: S.READ,
    ReceiptState.FAILED: S.FAILED,
    ReceiptState.EXPIRED: S.EXPIRED,
    ReceiptState.BAD_CONTACT: S.FAILED,
    ReceiptState.COMPLAINED: S.DELIVERED,
}


def received(state: MessageState, told: ReceiptState) -> MessageState | None:
    """The state of an attempt after a receipt; None when the receipt says nothing new.

    An attempt given up as EXPIRED or FAILED may still turn out to be delivered; nothing delivered ever fails.
    """
    after = _TOLD[told]
    return after if _RANK[after] > _RANK[state] else None


# A message in these states has a step before it, or is at one.
UNDER_WAY = frozenset({S.QUEUED, S.DEFERRED, S.SENDING, S.IN_DOUBT, S.SENT})
# A message in these states is over, or must not be disturbed by what becomes of one attempt.
CLOSED = frozenset({S.READ, S.CANCELLED, S.MERGED})


def message_after(
    state: MessageState, delivery: MessageState, *, is_over: bool, is_here: bool
) -> MessageState | None:
    """The message's state once an attempt turned out DELIVERED or READ; None: it stays as it is.

    A message that is being sent is moved, too: the answer still to come then changes only the attempt it belongs to.
    Where the plan wants more (not `is_over`) and stands at another step already (not `is_here`), it goes on.
    """
    if state in CLOSED or (state in UNDER_WAY and not (is_over or is_here)):
        return None
    if delivery == S.READ or state != S.DELIVERED:
        return delivery
    return None


def ends_plan(delivery: MessageState, *, until: Until) -> bool:
    """Whether an attempt that came this far is all that the plan wanted."""
    return delivery in (S.SENT, S.DELIVERED, S.READ) and delivery >= until
