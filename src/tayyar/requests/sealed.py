"""What requests keep sealed: forms, texts and papers, each bound to its column."""

import base64
import json
from typing import Any

from tayyar.core.crypto import seal, unseal

Sealed = bytes | memoryview  # as PostgreSQL's driver gives it
_FORM, _TEXT, _PAPER = "requests.request.form", "requests.event.text", "requests.document.content"


def seal_form(form: dict[str, Any]) -> bytes:
    """For ServiceRequest.form_sealed."""
    return seal(json.dumps(form, ensure_ascii=False, sort_keys=True), field=_FORM)


def open_form(sealed: Sealed) -> dict[str, Any]:
    """The form as JSON values."""
    return dict(json.loads(unseal(bytes(sealed), field=_FORM)))


def seal_text(text: str) -> bytes | None:
    """For RequestEvent.text_sealed; None for no text."""
    return seal(text, field=_TEXT) if text else None


def open_text(sealed: Sealed | None) -> str:
    """The text; empty for none."""
    return unseal(bytes(sealed), field=_TEXT) if sealed is not None else ""


def seal_paper(content: bytes) -> bytes:
    """For RequestDocument.content_sealed."""
    return seal(base64.b64encode(content).decode(), field=_PAPER)


def open_paper(sealed: Sealed) -> bytes:
    """The picture or PDF."""
    return base64.b64decode(unseal(bytes(sealed), field=_PAPER))
