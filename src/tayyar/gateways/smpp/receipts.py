"""What a delivery receipt says: from its TLVs first, then from its text, and how its identifier is spelled.

SMSCs answer a message with an identifier in one base and name it in the receipt in the other, pad it or change its
case. `ReceiptIds` brings a receipt's spelling to the answer's, which is the one that is stored.
"""

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from tayyar.gateways.smpp.codec import (
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPT_TYPES,
    RECEIPTED_MESSAGE_ID,
    ShortMessage,
    parse_tlvs,
)
from tayyar.gateways.smpp.codes import NO_SUCH_NUMBER, STATE_BY_NUMBER, STATES
from tayyar.notifications.ports import ReceiptState

# The text as nearly every SMSC writes it (SMPP 3.4, appendix B), and its fields one by one for the others.
_USUAL = re.compile(
    rb"id:([^ ]{1,65}) sub:\d+ dlvrd:\d+ submit date:\d+ done date:\d+ stat:([A-Z]{7}) err:([0-9A-Za-z]+)"
)
_FIELD = re.compile(rb"(?i)\b(id|stat|err)\s*[:=]\s*([^\s,;]{1,65})")
_TEXT = re.compile(rb"(?i)\btext\s*[:=]")
_NUMBER = re.compile(r"[0-9]{1,20}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,16}")


class ReceiptText(NamedTuple):
    """What a receipt says, as it says it. Its dates are left out: they are in the SMSC's own, unstated zone."""

    message_id: str
    stat: str
    err: str


def read_receipt(message: ShortMessage) -> ReceiptText | None:
    """The receipt in a deliver_sm; None for anything else, such as a message from a phone.

    Only what the SMSC marks as a receipt, by esm_class or by TLV, is read as one: a subscriber can write "id:1
    stat:DELIVRD" too.
    """
    message_id = stat = err = ""
    if message.tlvs:
        tlvs = parse_tlvs(message.tlvs)
        if named := tlvs.get(RECEIPTED_MESSAGE_ID):
            message_id = named.partition(b"\0")[0][:65].decode("ascii", "replace")
        state = tlvs.get(MESSAGE_STATE)
        if state is not None and len(state) == 1:
            stat = STATE_BY_NUMBER.get(state[0], "")
    is_marked = message.esm_class & RECEIPT_TYPES
    if is_marked and not (message_id and stat == "DELIVRD"):  # a delivered one needs no more words
        text = _read_text(message.octets())
        message_id, stat, err = message_id or text.message_id, stat or text.stat, text.err
    if not err and message.tlvs:
        network = tlvs.get(NETWORK_ERROR_CODE)
        if network is not None and len(network) == 3:
            err = str(int.from_bytes(network[1:]))
    return ReceiptText(message_id, stat, err) if message_id and stat in STATES else None


def _read_text(text: bytes) -> ReceiptText:
    usual = _USUAL.match(text)
    if usual is not None:
        message_id, stat, err = usual.groups()
        return ReceiptText(message_id.decode("ascii", "replace"), stat.decode(), err.decode())
    text = _TEXT.split(text, maxsplit=1)[0]  # behind it stand the subscriber's words
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(text):
        fields.setdefault(name.decode().lower(), value.decode("ascii", "replace"))
    stat = fields.get("stat", "").upper()
    return ReceiptText(fields.get("id", ""), _STAT_SPELLED.get(stat, stat), fields.get("err", ""))


_STAT_SPELLED = {
    "DELIVERED": "DELIVRD",
    "UNDELIVERABLE": "UNDELIV",
    "UNDELIVERED": "UNDELIV",
    "UNDELIVRD": "UNDELIV",
    "ACCEPTED": "ACCEPTD",
    "REJECTED": "REJECTD",
}


def state_and_reason(receipt: ReceiptText, errors: dict[str, str]) -> tuple[ReceiptState, str]:
    """What the receipt means for us. `errors`: an err without leading zeros -> our reason; it tells why a message
    was not delivered, never that it was."""
    state, reason = STATES[receipt.stat]
    if state is ReceiptState.FAILED and receipt.err:
        why = errors.get(receipt.err.lstrip("0").upper(), reason)
        return (ReceiptState.BAD_CONTACT if why == NO_SUCH_NUMBER else state), why
    return state, reason


class IdSpelling(StrEnum):
    """How a receipt's identifier is brought to the spelling of the answer's."""

    AUTO = "AUTO"  # learnt from what matches
    SAME = "SAME"
    HEX_TO_DECIMAL = "HEX_TO_DECIMAL"
    DECIMAL_TO_HEX = "DECIMAL_TO_HEX"


def canonical(message_id: str) -> str:
    """The stored spelling of an identifier: hexadecimal ones in capitals without leading zeros, others untouched."""
    if message_id.isdigit() and message_id[0] != "0":  # the usual one
        return message_id
    return message_id.upper().lstrip("0") or "0" if _HEX.fullmatch(message_id) else message_id


class ReceiptIds:
    """Translates identifiers of receipts into the canonical spelling of answers.

    In AUTO it remembers the last answers until receipts have told how this SMSC spells: "0A1B" answered and "2587"
    receipted is DECIMAL_TO_HEX. A text alone cannot tell ("1000" may be either), so nothing is guessed from one:
    an identifier that is not remembered is read as those before it were, at first as SAME.
    """

    _REMEMBERED = 4096
    _DECIDED_BY = 8

    def __init__(self, spelling: IdSpelling) -> None:
        self.spelling = spelling
        self._answered: dict[str, None] = {}
        self._votes: Counter[IdSpelling] = Counter()

    def answered(self, message_id: str) -> str:
        """The canonical spelling of an identifier out of an answer."""
        stored = canonical(message_id)
        if self.spelling is IdSpelling.AUTO:
            self._answered[stored] = None
            if len(self._answered) > self._REMEMBERED:
                del self._answered[next(iter(self._answered))]
        return stored

    def learn(self, message_ids: Iterable[str]) -> None:
        """See, before any of them is translated, what identifiers out of receipts tell about their spelling."""
        for message_id in message_ids:
            if self.spelling is not IdSpelling.AUTO:
                return
            matching = self._matching(message_id)
            if len(matching) == 1:
                self._vote(next(iter(matching)))

    def receipted(self, message_id: str) -> str:
        """The canonical spelling of an identifier out of a receipt."""
        spelling = self.spelling
        if spelling is IdSpelling.AUTO:
            matching = self._matching(message_id)
            spelling = self._votes.most_common(1)[0][0] if self._votes else IdSpelling.SAME
            if matching and spelling not in matching:
                spelling = next(iter(matching))
        return _respelled(message_id, spelling)

    def _matching(self, message_id: str) -> dict[IdSpelling, None]:
        """The readings under which the identifier is one that was answered."""
        return {
            spelling: None for spelling in _LEARNABLE if _respelled(message_id, spelling) in self._answered
        }

    def _vote(self, spelling: IdSpelling) -> None:
        self._votes[spelling] += 1
        if self._votes[spelling] >= self._DECIDED_BY and len(self._votes) == 1:
            self.spelling = spelling
            self._answered.clear()
        elif self._votes.total() > self._DECIDED_BY * 4:  # a mixed lot: begin again
            self._votes.clear()


_LEARNABLE = (IdSpelling.SAME, IdSpelling.DECIMAL_TO_HEX, IdSpelling.HEX_TO_DECIMAL)


def _respelled(message_id: str, spelling: IdSpelling) -> str:
    if spelling is IdSpelling.DECIMAL_TO_HEX and _NUMBER.fullmatch(message_id):
        return f"{int(message_id):X}"
    if spelling is IdSpelling.HEX_TO_DECIMAL and _HEX.fullmatch(message_id):
        return str(int(message_id, 16))
    return canonical(message_id)
