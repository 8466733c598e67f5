"""What the SMSC tells unasked: receipts, kept until they are asked for and confirmed, and messages from phones.

It answers a receipt only when that is stored, and everything else at once, or it would come again and again.
Identifiers are spelled our way when receipts are asked for: by then the answers they belong to are in.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from tayyar.gateways.smpp.codec import RECEIPT_TYPES, CodecError, ShortMessage, parse_short_message
from tayyar.gateways.smpp.connection import Connection
from tayyar.gateways.smpp.options import Options
from tayyar.gateways.smpp.receipts import ReceiptIds, read_receipt, state_and_reason
from tayyar.notifications.ports import Receipt, ReceiptState

_MOST_UNCONFIRMED: Final = 50_000  # receipts of a bind; beyond it the SMSC is left to send them again


class _Token(NamedTuple):
    """By which a receipt is confirmed."""

    connection: Connection
    sequence: int


class _Came(NamedTuple):
    """A receipt as it came."""

    state: ReceiptState
    message_id: str
    address: str
    reason: str
    token: _Token


class Inbox:
    """Receipts of one account. `counters`: FROM_PHONES (messages from subscribers), UNREADABLE (receipts that say
    nothing), OVERFLOWED (receipts left for later)."""

    def __init__(self, options: Options) -> None:
        self.counters: Counter[str] = Counter()
        self.ids = ReceiptIds(options.receipt_id)
        self._errors = options.receipt_errors
        self._came: list[_Came] = []
        self._settled: list[Receipt] = []

    def delivered(self, connection: Connection, sequence: int, body: bytes) -> None:
        """A deliver_sm came."""
        message: ShortMessage | None = None
        with contextlib.suppress(CodecError):
            message = parse_short_message(body)
        receipt = read_receipt(message) if message else None
        if message is None or receipt is None:
            is_from_phone = message is not None and not message.esm_class & RECEIPT_TYPES
            self.counters["FROM_PHONES" if is_from_phone else "UNREADABLE"] += 1
            connection.answer_delivery(sequence)
            return
        if len(connection.unconfirmed) >= _MOST_UNCONFIRMED:
            self.counters["OVERFLOWED"] += 1
            return
        connection.unconfirmed.add(sequence)
        state, reason = state_and_reason(receipt, self._errors)
        token = _Token(connection, sequence)
        self._came.append(_Came(state, receipt.message_id, _e164(message.source), reason, token))

    def settled(self, receipt: Receipt) -> None:
        """A doubt ended after it was reported."""
        self._settled.append(receipt)

    def take(self) -> list[Receipt]:
        """All that came since the last time."""
        came, self._came = self._came, []
        found, self._settled = self._settled, []
        ids = self.ids
        ids.learn(receipt.message_id for receipt in came)
        for state, message_id, address, reason, token in came:
            found.append(Receipt(state, None, ids.receipted(message_id), address, reason, token=token))
        return found

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """Answer these. Those of binds that are gone are left alone: the SMSC sends them again."""
        touched = set()
        for receipt in receipts:
            if isinstance(receipt.token, _Token):
                connection, sequence = receipt.token
                connection.answer_delivery(sequence)
                touched.add(connection)
        for connection in touched:
            connection.flush()

    def clear(self) -> None:
        """Forget what was not asked for: it was not confirmed, so it comes again."""
        self._came.clear()
        self._settled.clear()


def _e164(source: str) -> str:
    """The number a receipt came from, "" when it is none or a national one."""
    digits = source.removeprefix("+").removeprefix("00")
    return f"+{digits}" if digits.isascii() and digits.isdigit() and digits[0] != "0" else ""
