"""What Meta's webhook says about our messages. Pure: bytes and values in, receipts out; garbage gives none.

Statuses come late, twice and out of order; telling that apart is the store's work. Next: webhook_views.py stores.
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Any

from tayyar.gateways.whatsapp.codes import meaning
from tayyar.notifications.ports import DeliveryKey, Outcome, Receipt, ReceiptState

_STATES = {
    "sent": ReceiptState.SENT,
    "delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.READ,
    "played": ReceiptState.READ,
    "failed": ReceiptState.FAILED,
}
_DIGITS = re.compile(r"[0-9]{1,15}")
_PRICING = ("billable", "category", "pricing_model", "type")
_LATEST_SECONDS = 32_503_680_000  # the year 3000
_REFERENCE_LENGTH = 200


def verify_signature(raw_body: bytes, header: str, app_secret: str) -> bool:
    """Whether `header` (X-Hub-Signature-256: "sha256=<hex>") signs the body as it came, byte by byte."""
    expected = "sha256=" + hmac.new(app_secret.encode(), raw_body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), header.encode("utf-8", "replace"))


def parse_statuses(payload: Any) -> list[Receipt]:
    """The receipts in one webhook's JSON, in its order. Anything else in it, and any shape unknown, is passed over.

    `token` holds the status's `pricing` ({"billable", "category", "pricing_model", "type"}, what of them was told);
    it names no amount, so `cost_micro` stays None.
    """
    receipts = (_receipt(status) for status in _statuses(payload))
    return [receipt for receipt in receipts if receipt is not None]


def _statuses(payload: Any) -> Iterator[dict[str, Any]]:
    for entry in _dicts(payload, "entry"):
        for change in _dicts(entry, "changes"):
            yield from _dicts(change.get("value"), "statuses")


def _dicts(parent: Any, name: str) -> list[dict[str, Any]]:
    children = parent.get(name) if isinstance(parent, dict) else None
    return [child for child in children if isinstance(child, dict)] if isinstance(children, list) else []


def _receipt(status: dict[str, Any]) -> Receipt | None:
    state = _STATES.get(_text(status.get("status")))
    key = DeliveryKey.parse(_text(status.get("biz_opaque_callback_data")))
    reference = _text(status.get("id"))
    if state is None or (key is None and not reference):
        return None
    reason = ""
    if state is ReceiptState.FAILED:
        reason, outcome = _failure(status)
        if outcome is Outcome.BAD_CONTACT:
            state = ReceiptState.BAD_CONTACT
    recipient = _text(status.get("recipient_id"))
    return Receipt(
        state=state,
        key=key,
        provider_ref=reference,
        address=f"+{recipient}" if _DIGITS.fullmatch(recipient) else "",
        reason=reason,
        at=_moment(status.get("timestamp")),
        pricing=_pricing(status.get("pricing")),
    )


def _failure(status: dict[str, Any]) -> tuple[str, Outcome]:
    for error in _dicts(status, "errors"):
        code = error.get("code")
        if isinstance(code, int) and not isinstance(code, bool):
            return meaning(code)
    return "FAILED", Outcome.REFUSED


def _text(value: Any) -> str:
    """The text; "" for anything else, for what is too long to be ours and for what a database would not hold."""
    return value if isinstance(value, str) and len(value) <= _REFERENCE_LENGTH and "\0" not in value else ""


def _moment(value: Any) -> dt.datetime | None:
    digits = str(value) if isinstance(value, int | str) else ""
    if not _DIGITS.fullmatch(digits) or int(digits) >= _LATEST_SECONDS:
        return None
    return dt.datetime.fromtimestamp(int(digits), dt.UTC)


def _pricing(value: Any) -> str:
    """ "service CBP billable": category, model, type and whether it is charged, as far as Meta tells."""
    if not isinstance(value, dict):
        return ""
    words = [_text(value.get(name)) for name in ("category", "pricing_model", "type")]
    if isinstance(value.get("billable"), bool):
        words.append("billable" if value["billable"] else "free")
    return " ".join(word for word in words if word)[:60]
