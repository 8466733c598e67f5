"""What a mail that came back says: delivery status (RFC 3464), complaint (RFC 5965), or an old-fashioned bounce.

Pure, and made for hostile input: bounded in size and nesting, and nothing is believed without a token of ours
(verp.py), because anyone may write to the bounce address. Next: bounce_box.py, webhook_views.py.
"""

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser

from tayyar.gateways.smtp import codes, verp
from tayyar.notifications.ports import DeliveryKey, Receipt, ReceiptState

MAX_BYTES = 256 * 1024  # the status stands before the returned mail, which may be as large as it likes
_MOST_NESTED = 40
_NESTING = re.compile(rb"boundary|message/", re.IGNORECASE)
_DEEPEST = 3
_TEXT_LETTERS = 20_000  # of a bounce in plain words
_ENVELOPE_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To")
_SENDER_FIELDS = ("Original-Mail-From", "Return-Path", verp.HEADER)
_STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_DIAGNOSTIC = re.compile(r"\b([245]\d\d)[ -]+(?:#?([245]\.\d{1,3}\.\d{1,3})\b)?", re.ASCII)
_COMPLAINTS = {"abuse", "fraud", "opt-out", "opt-out-list"}
_DELIVERED, _ON_ITS_WAY = "delivered", {"relayed", "expanded"}


def receipts_from_message(raw: bytes) -> list[Receipt]:
    """What `raw`, a mail to the bounce address as it was delivered, tells of one attempt of ours; [] for nothing."""
    return understand(raw) or []


def understand(raw: bytes) -> list[Receipt] | None:
    """The same; None when it is no notice at all, or not about a mail that is proven to be ours."""
    raw = raw[:MAX_BYTES]
    if len(_NESTING.findall(raw)) > _MOST_NESTED:
        return None
    try:
        message = BytesParser().parsebytes(raw)
        parts = list(_parts(message, _DEEPEST))
        key = _key(message, parts)
        return None if key is None else _read(message, parts, key)
    except Exception:  # whatever the parser makes of hostile bytes, the next mail must be read
        return None


def _read(message: Message, parts: list[Message], key: DeliveryKey) -> list[Receipt] | None:
    kinds = {part.get_content_type(): part for part in reversed(parts)}
    if (report := kinds.get("message/feedback-report")) is not None:
        return _complaint(_block(report), key)
    if (status := kinds.get("message/delivery-status")) is not None:
        return _delivery_status(status, key)
    return _plain_bounce(message, parts, key)


def _complaint(fields: Message, key: DeliveryKey) -> list[Receipt]:
    kind = _field(fields, "Feedback-Type").strip().lower()
    if kind not in _COMPLAINTS:
        return []
    return [Receipt(ReceiptState.COMPLAINED, key=key, reason=kind.upper().replace("-", "_"))]


def _delivery_status(status: Message, key: DeliveryKey) -> list[Receipt]:
    """Of one recipient, ours; where an alias had several, that it reached one of them is what counts."""
    blocks = status.get_payload()
    found: dict[str, Message] = {}
    for block in blocks if isinstance(blocks, list) else []:
        assert isinstance(block, Message)
        if action := _field(block, "Action").split("(")[0].strip().lower():
            found.setdefault(action, block)
    if _DELIVERED in found:
        return [Receipt(ReceiptState.DELIVERED, key=key)]
    if _ON_ITS_WAY & found.keys():
        return [Receipt(ReceiptState.SENT, key=key)]
    if "failed" not in found:
        return []
    given = _STATUS.match(_field(found["failed"], "Status"))
    kind, subject = (given[1], f"{given[2]}.{given[3]}") if given else ("5", "0.0")
    reply = None
    if diagnostic := _DIAGNOSTIC.search(_field(found["failed"], "Diagnostic-Code")[:1000]):
        reply = int(diagnostic[1])
        if diagnostic[2] and subject == "0.0":  # the reporter was vague, the server it asked was not
            kind, _, subject = diagnostic[2].partition(".")
    return [_failure(f"{kind}.{subject}", reply, key)]


def _plain_bounce(message: Message, parts: list[Message], key: DeliveryKey) -> list[Receipt] | None:
    """From a server that knows no RFC 3464: a mailer's words with a code in them. A holiday notice has none."""
    if not re.search(r"\b(mailer-daemon|postmaster)\b", _field(message, "From"), re.IGNORECASE):
        return None
    text = next(
        (part.get_payload(decode=True) for part in parts if part.get_content_type() == "text/plain"), b""
    )
    words = text[:_TEXT_LETTERS].decode("ascii", "replace") if isinstance(text, bytes) else ""
    for found in _DIAGNOSTIC.finditer(words):
        if found[1][0] == "5" and found[2]:
            return [_failure(found[2], int(found[1]), key)]
    return None


def _failure(status: str, reply: int | None, key: DeliveryKey) -> Receipt:
    state, reason = codes.bounced(status, reply)
    return Receipt(state, key=key, reason=reason)


def _parts(message: Message, depth: int) -> Iterator[Message]:
    """The message's leaves and reports; never into a mail that it encloses."""
    payload = message.get_payload()
    if message.get_content_maintype() == "multipart" and isinstance(payload, list):
        for part in payload if depth else ():
            assert isinstance(part, Message)
            yield from _parts(part, depth - 1)
    else:
        yield message


def _key(message: Message, parts: list[Message]) -> DeliveryKey | None:
    """The attempt it is about: by the address it came to, else by the report, else by the mail it returns."""
    texts = [value for name in _ENVELOPE_HEADERS for value in _fields(message, name)]
    for part in parts:
        if part.get_content_type() in ("message/feedback-report", "message/rfc822", "text/rfc822-headers"):
            block = _block(part)
            texts += [value for name in _SENDER_FIELDS for value in _fields(block, name)]
    return next((key for text in texts for key in verp.proven_keys(text[:2000])), None)


def _block(part: Message) -> Message:
    """The fields inside a part: parsed already for message/*, as text for text/rfc822-headers."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return next((inner for inner in payload if isinstance(inner, Message)), Message())
    decoded = part.get_payload(decode=True)
    return BytesParser().parsebytes(decoded if isinstance(decoded, bytes) else b"", headersonly=True)


def _fields(message: Message, name: str) -> list[str]:
    return [str(value) for value in message.get_all(name, [])[:20]]


def _field(message: Message, name: str) -> str:
    return next(iter(_fields(message, name)), "")
