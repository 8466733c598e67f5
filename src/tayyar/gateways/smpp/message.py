"""One message on its way through the gateway: its parts as PDU bodies, and what became of each.

Only the last part asks for a receipt and its identifier is the message's: an SMSC sends the parts to a phone in
order, so the last one is the best witness, and a receipt for each would have to be gathered by whoever happens to
get them, on any machine, after any restart. Next: gateway.py hands the parts over.
"""

import random
import re

from tayyar.core.crypto import unseal
from tayyar.core.errors import UserError
from tayyar.core.sms_text import encode_sms, with_headers
from tayyar.gateways.smpp.codec import UDHI, message_head, message_middle
from tayyar.gateways.smpp.options import Options
from tayyar.notifications.ports import ADDRESS_FIELD, DeliveryKey, Outcome, Outgoing, SendResult, SmsContent

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# What is known of one part decides for the whole: with one part surely not taken no phone will show the message,
# whatever became of the others. The heavier tells more.
_WEIGHT = {Outcome.TRY_LATER: 1, Outcome.REFUSED: 2, Outcome.BAD_CONTACT: 3}


class Message:
    """State of one message. `todo` holds the numbers of parts to hand over, the next one last; `doubtful` counts
    parts handed over whose answer is given up; `is_begun` that its other parts wait for their turn."""

    __slots__ = (
        "bodies", "doubt", "doubtful", "in_flight", "is_begun", "key", "outcome", "reason", "ref", "reported", "taken",
        "todo",
    )  # fmt: skip

    def __init__(self, key: DeliveryKey, bodies: tuple[bytes, ...]) -> None:
        self.key, self.bodies = key, bodies
        self.todo = [0] if len(bodies) == 1 else list(range(len(bodies) - 1, -1, -1))
        self.in_flight = self.taken = self.doubtful = 0
        self.outcome: Outcome | None = None  # the worst that is known of a part
        self.reason = self.doubt = self.ref = ""
        self.is_begun = False
        self.reported: Outcome | None = None

    @property
    def is_untouched(self) -> bool:
        """Nothing of it was taken, nor may have been."""
        return not (self.taken or self.in_flight or self.doubtful or self.outcome)

    def restart(self) -> None:
        """As if it had never been begun; only for an untouched one."""
        self.todo = list(range(len(self.bodies) - 1, -1, -1))
        self.is_begun = False

    def worsen(self, outcome: Outcome, reason: str) -> None:
        """A part was surely not taken."""
        if self.outcome is None or _WEIGHT[outcome] > _WEIGHT[self.outcome]:
            self.outcome, self.reason = outcome, reason

    def doubt_part(self, reason: str) -> None:
        """The answer to a part is given up."""
        self.doubtful += 1
        self.doubt = reason

    def result(self) -> SendResult:
        """How it ended, as far as is known by now."""
        if self.outcome is not None:
            outcome, reason = self.outcome, self.reason
        elif self.doubtful:
            outcome, reason = Outcome.IN_DOUBT, self.doubt
        else:
            outcome, reason = Outcome.SENT, ""
        self.reported = outcome
        return SendResult(self.key, outcome, reason, self.ref, len(self.bodies))


class Composer:
    """Makes messages for one provider."""

    def __init__(self, options: Options) -> None:
        self._head = message_head(options.source_digits, *options.source_type, 1, 1)
        self._middles = {
            (urgent, encoding, parted, last): message_middle(
                UDHI if parted else 0, validity, int(last), 8 if encoding == "UCS2" else 0
            )
            for urgent, validity in (
                (False, _relative_time(options.validity_minutes)),
                (True, _relative_time(options.urgent_validity_minutes)),
            )
            for encoding in ("GSM7", "UCS2")
            for parted in (False, True)
            for last in (False, True)
        }
        self._reference = random.randrange(256)  # noqa: S311 - two workers' messages are to differ, no more

    def compose(self, outgoing: Outgoing) -> Message | SendResult:
        """The message, or why it can never be one."""
        try:
            address = unseal(outgoing.address_sealed, field=ADDRESS_FIELD)
        except UserError:
            return SendResult(outgoing.key, Outcome.TRY_LATER, "ADDRESS_SEALED")
        if not _E164.fullmatch(address):
            return SendResult(outgoing.key, Outcome.BAD_CONTACT, "BAD_ADDRESS")
        if not isinstance(outgoing.content, SmsContent):
            return SendResult(outgoing.key, Outcome.REFUSED, "BAD_CONTENT")
        try:
            encoding, parts = encode_sms(outgoing.content.text)
        except UserError:
            return SendResult(outgoing.key, Outcome.REFUSED, "BAD_CONTENT")
        urgent, start = outgoing.is_urgent, self._head + address[1:].encode()
        if len(parts) == 1:
            middle = self._middles[urgent, encoding, False, True]
            return Message(outgoing.key, (b"%b%b%c%b" % (start, middle, len(parts[0]), parts[0]),))
        self._reference = (self._reference + 1) % 256
        parted = with_headers(parts, reference=self._reference)
        inner = self._middles[urgent, encoding, True, False]
        final = self._middles[urgent, encoding, True, True]
        return Message(
            outgoing.key,
            tuple(
                b"%b%b%c%b" % (start, final if number == len(parted) else inner, len(part), part)
                for number, part in enumerate(parted, 1)
            ),
        )


def _relative_time(minutes: int) -> str:
    """A validity period as SMPP 3.4, 7.1.1.2 spells it: years, months, days, hours, minutes, "R" for relative."""
    days, rest = divmod(minutes, 1440)
    return f"0000{days:02}{rest // 60:02}{rest % 60:02}00000R"
