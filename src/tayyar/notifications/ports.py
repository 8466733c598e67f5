"""What notifications asks of a provider's gateway, which lives above and is plugged in by config.

A gateway hands over what it is given and says of each message how that ended; it decides nothing about other
channels and writes nothing. What the provider tells later comes back as a Receipt. Next: delivery.py, receipts.py.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

ADDRESS_FIELD = "customers.contact_point.address"  # under which contact points' addresses are sealed


class DeliveryKey(NamedTuple):
    """Names one attempt; the primary key of Delivery. Its text travels with the message where a provider echoes it."""

    period: int
    kind: int
    ref: int
    recipient: int
    channel: int
    attempt: int

    def text(self) -> str:
        """ "202611.1.123.0.1.1": for an echo, a VERP address, a log."""
        return ".".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> "DeliveryKey | None":
        """The key that `text` spells; None when it spells none. It comes from outside and proves nothing."""
        parts = text.split(".")
        if len(parts) != 6 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            return None
        key = cls(*map(int, parts))
        return (
            key if max(key.kind, key.recipient, key.channel, key.attempt) < 1 << 15 else None
        )  # as they are stored


class Outcome(StrEnum):
    """How one attempt ended, as far as the gateway can tell."""

    SENT = "SENT"  # the provider took it
    REFUSED = "REFUSED"  # the provider will never take this message
    BAD_CONTACT = "BAD_CONTACT"  # nor any other for this address: it does not exist, or wants none
    TRY_LATER = "TRY_LATER"  # the provider did not take it, and may later
    IN_DOUBT = "IN_DOUBT"  # it was handed over and no answer came
    NOT_TRIED = "NOT_TRIED"  # nothing was handed over: as if it had never been claimed


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message, made only when it is needed."""

    filename: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SmsContent:
    """The text of a short message; the gateway chooses the alphabet and splits it."""

    text: str


@dataclass(frozen=True, slots=True)
class EmailContent:
    """The words of a mail. `preferences_url` is where its reader chooses how to be told (RFC 8058), "" for none."""

    sender_name: str
    subject: str
    text: str
    html: str
    preferences_url: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class WhatsAppContent:
    """A template approved by WhatsApp and what fills it in.

    `document_url` is the header's PDF (with `document_name`), "" for a template without header; `button_suffix` is
    what its first URL button appends to the address registered with it, "" for none.
    """

    template: str
    parameters: tuple[str, ...]
    document_url: str = ""
    document_name: str = ""
    button_suffix: str = ""


@dataclass(frozen=True, slots=True)
class PushContent:
    """What a browser shows; `url` opens when it is tapped, a later push of the same `tag` replaces it."""

    title: str
    body: str
    url: str
    tag: str


Content = SmsContent | EmailContent | WhatsAppContent | PushContent


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready but for its address, which stays sealed (`ADDRESS_FIELD`) until it is handed over.

    Sealed are: an e-mail address; a phone number in E.164 ("+9665..."); for push the browser's subscription as JSON
    {"endpoint", "keys": {"p256dh", "auth"}}.
    """

    key: DeliveryKey
    address_sealed: bytes
    language: str
    content: Content
    message_id: str  # the same for every attempt at one message, so that a receiver can drop a repeat
    dated: dt.datetime
    is_urgent: bool = False  # a one-time code: worth nothing in ten minutes


@dataclass(frozen=True, slots=True)
class SendResult:
    """How one attempt ended. `reason` is an upper-case code of ours ("MAILBOX_FULL"), never text that could hold an
    address; `provider_ref` what the provider calls the message, as its receipts will; `segments` what is charged."""

    key: DeliveryKey
    outcome: Outcome
    reason: str = ""
    provider_ref: str = ""
    segments: int = 1


class ReceiptState(StrEnum):
    """What a provider tells about a message after it took it."""

    SENT = "SENT"  # on its way; also settles an attempt in doubt
    DELIVERED = "DELIVERED"
    READ = "READ"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    BAD_CONTACT = "BAD_CONTACT"  # undeliverable now and ever: a hard bounce, a number not in use
    COMPLAINED = "COMPLAINED"  # the reader reported it as unwanted


@dataclass(frozen=True, slots=True)
class Receipt:
    """Word from a provider. It is matched by `key` where the provider echoes it, else by `provider_ref`, else, for an
    attempt in doubt, by `address`. May come twice, late, early and out of order.

    `cost_micro`: what the provider says it charges, in millionths of the currency's major unit; `pricing`: how, in its
    own words, where it names no amount ("utility PMP billable"). `token` is the
    gateway's own, by which it knows the receipt again in `confirm`.
    """

    state: ReceiptState
    key: DeliveryKey | None = None
    provider_ref: str = ""
    address: str = ""
    reason: str = ""
    at: dt.datetime | None = None
    cost_micro: int | None = None
    pricing: str = ""
    token: object = field(default=None, compare=False)


class Pace(Protocol):
    """How fast the provider permits us to be, shared with every other worker on every machine."""

    def allowance(self, wanted: int) -> int:
        """How many messages (segments, where the provider counts those) may be handed over at this very moment, at
        most `wanted`. They are taken: hand them over at once. 0: not now; ask again after `wait_seconds()`."""

    def wait_seconds(self) -> float:
        """How long to wait before asking again."""


class BatchPace(Pace, Protocol):
    """A pace that its thread tells of each batch."""

    def begin(self) -> None:
        """A new batch."""


class Unpaced:
    """No limit."""

    def begin(self) -> None:
        """No matter."""

    def allowance(self, wanted: int) -> int:
        """All of it."""
        return wanted

    def wait_seconds(self) -> float:
        """Not at all."""
        return 0.0


class Gateway(Protocol):
    """One provider of one channel. Used by one thread; holds its connections from batch to batch."""

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """Hand the messages over; one result for each, in any order. Begins none after `stop_at` (time.monotonic()).

        A provider that says "too fast" is obeyed within the call; what could not be handed over is NOT_TRIED, with
        the reason THROTTLED, SERVER_UNREACHABLE, ... Raises nothing that a provider can cause.
        """

    def receipts(self) -> list[Receipt]:
        """Receipts that came since the last call, over connections or from a mailbox; waits for none. Called after
        each batch and several times a second between batches, so it is also where connections are kept alive."""

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """These receipts are stored: tell the provider so. What is not confirmed comes again."""

    def close(self) -> None:
        """Let go of connections. The gateway may be used again."""
