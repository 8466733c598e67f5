"""What notifications asks of a channel's gateway, which lives above and is plugged in by config.

A gateway sends what it is given and says of each mail how that ended; it decides nothing and retries nothing.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class DeliveryKey(NamedTuple):
    """Names one attempt; the primary key of Delivery."""

    period: int
    kind: int
    ref: int
    recipient: int
    channel: int
    attempt: int


class Outcome(StrEnum):
    """How one attempt ended, as far as the gateway can tell."""

    SENT = "SENT"  # the provider took it
    REFUSED = "REFUSED"  # the provider will never take it
    TRY_LATER = "TRY_LATER"  # the provider did not take it, and may later
    IN_DOUBT = "IN_DOUBT"  # it was handed over and no answer came
    NOT_TRIED = "NOT_TRIED"  # nothing was handed over: as if it had never been claimed


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """One mail, ready but for its address, which stays sealed until it is sent."""

    key: DeliveryKey
    address_sealed: bytes
    sender_name: str
    language: str
    subject: str
    text: str
    html: str
    message_id: (
        str  # what stands before the @; the same for every attempt, so that mailboxes can drop a repeat
    )
    dated: dt.datetime


@dataclass(frozen=True, slots=True)
class SendResult:
    """How one mail's attempt ended. `reason` is an upper-case code, never text that could hold an address."""

    key: DeliveryKey
    outcome: Outcome
    reason: str = ""
    provider_ref: str = ""


class EmailGateway(Protocol):
    """Something that sends e-mail."""

    def send_batch(self, mails: Sequence[OutgoingEmail], *, stop_at: float) -> list[SendResult]:
        """Send the mails; one result for each, in any order. Begins no mail after `stop_at` (time.monotonic())."""

    def close(self) -> None:
        """Let go of connections. The gateway may be used again."""
