"""What an HTTP SMS provider tells of its messages later. Pure: a request's parts in, receipts out; garbage gives none.

The sender proves itself by a secret it was given, or by an HMAC-SHA-256 with it. Next: callback_views.py stores.
"""

import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from tayyar.gateways.http_sms.codes import Meaning, kept_code
from tayyar.gateways.http_sms.filling import text_at, value_at
from tayyar.notifications.ports import DeliveryKey, Outcome, Receipt, ReceiptState

_MOST_FIELDS = 200
_MILLISECONDS_FROM = 10**11  # as seconds this would be the year 5138
_NUMBER = re.compile(r"\+?([1-9][0-9]{6,14})")

DEFAULT_STATES: Mapping[str, ReceiptState] = {
    **dict.fromkeys(("SENT", "SUBMITTED", "ACCEPTED", "ENROUTE", "BUFFERED", "QUEUED"), ReceiptState.SENT),
    **dict.fromkeys(("DELIVERED", "DELIVRD"), ReceiptState.DELIVERED),
    **dict.fromkeys(("READ", "SEEN"), ReceiptState.READ),
    **dict.fromkeys(
        ("FAILED", "UNDELIVERED", "UNDELIV", "UNDELIVERABLE", "REJECTED", "REJECTD", "DELETED"),
        ReceiptState.FAILED,
    ),
    "EXPIRED": ReceiptState.EXPIRED,
    "INVALID_NUMBER": ReceiptState.BAD_CONTACT,
}


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """How to prove and read a callback; paths like "results.0.status", within one item where `items` names a list.

    `check`: "header" or "query", whose field `name` holds the secret, or "hmac", whose header `name` holds the hex
    HMAC-SHA-256 of the raw body (of the raw query for GET). `at` is a moment in ISO 8601 or Unix seconds or
    milliseconds, `cost` an amount in the account's currency. `errors` gives a meaning to what lies at `reason`.
    """

    secret: str = field(repr=False)
    check: str = "header"
    name: str = "X-Callback-Secret"
    items: str = ""
    key: str = "reference"
    id: str = "id"
    state: str = "status"
    to: str = "to"
    at: str = "at"
    reason: str = "error"
    cost: str = ""
    states: Mapping[str, ReceiptState] = field(default_factory=lambda: DEFAULT_STATES)
    errors: Mapping[str, Meaning] = field(default_factory=dict)

    def is_genuine(self, *, headers: Mapping[str, str], query: Mapping[str, str], signed: bytes) -> bool:
        """Whether the caller knows the secret; `signed` is what an HMAC would be of."""
        given = (query if self.check == "query" else headers).get(self.name, "")
        expected = self.secret
        if self.check == "hmac":
            given = given.removeprefix("sha256=").lower()
            expected = hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())

    def receipts(self, content: Any) -> list[Receipt]:
        """The receipts in a callback's content, in its order."""
        items = value_at(content, self.items) if self.items else content
        if not isinstance(items, list):
            items = [items]
        found = (self._receipt(item) for item in items if isinstance(item, dict))
        return [receipt for receipt in found if receipt is not None]

    def _receipt(self, item: dict[str, Any]) -> Receipt | None:
        word = text_at(item, self.state).strip().upper()
        state = self.states.get(word)
        key = DeliveryKey.parse(text_at(item, self.key))
        reference = text_at(item, self.id)
        if state is None or (key is None and not reference):
            return None
        reason = ""
        if state not in (ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.READ):
            code = text_at(item, self.reason)
            known = self.errors.get(code)
            reason = known.reason if known else kept_code(code) or kept_code(word) or state.value
            if known and known.outcome is Outcome.BAD_CONTACT:
                state = ReceiptState.BAD_CONTACT
        number = _NUMBER.fullmatch(text_at(item, self.to).strip())
        return Receipt(
            state=state,
            key=key,
            provider_ref=reference,
            address=f"+{number[1]}" if number else "",
            reason=reason,
            at=_moment(text_at(item, self.at)),
            cost_micro=_micro(value_at(item, self.cost)) if self.cost else None,
        )


def parse_body(body: bytes, content_type: str) -> Any:
    """A callback's body as JSON or as a form; None when it is neither."""
    if "json" in content_type.lower() or body.lstrip()[:1] in (b"{", b"["):
        try:
            return json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return None


def _moment(text: str) -> dt.datetime | None:
    try:
        if text.isascii() and text.isdigit():
            seconds = int(text) // 1000 if int(text) >= _MILLISECONDS_FROM else int(text)
            return dt.datetime.fromtimestamp(seconds, dt.UTC)
        moment = dt.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _micro(value: Any) -> int | None:
    """An amount ("0.0421") in millionths, exactly; None for what is no amount."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        micro = Decimal(value).scaleb(6)
        if not micro.is_finite() or not 0 <= micro < 10**15:
            return None
    except (ArithmeticError, ValueError):
        return None
    return int(micro.to_integral_value())
