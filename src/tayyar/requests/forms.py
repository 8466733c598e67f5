"""What was filled in, checked field by field against its type. Pure: no database.

Values come as text from pages or as JSON values from programs, and leave as JSON: text, whole numbers, true and false,
dates as "2026-11-02". Next: opening.py seals them.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tayyar.requests.catalogue import Field, RequestType
from tayyar.requests.errors import FormRefused

Form = dict[str, Any]
_YES, _NO = ("YES", "TRUE", "ON", "1"), ("NO", "FALSE", "0")


def check_form(kind: RequestType, form: Mapping[str, Any]) -> Form:
    """The form's values as they are stored; fields left empty are absent. FormRefused names each field and reason."""
    found: Form = {}
    errors = {name: "UNKNOWN" for name in form if kind.field(name) is None}
    for field in kind.fields:
        raw = form.get(field.code)
        if raw is None or (isinstance(raw, str) and not raw.strip()):
            if field.is_required:
                errors[field.code] = "MISSING"
            continue
        try:
            found[field.code] = _value(field, raw)
        except _Unreadable as unreadable:
            errors[field.code] = str(unreadable)
    if errors:
        raise FormRefused(errors)
    return found


def is_storable(text: str) -> bool:
    """Without what no text holds: the zero character, and half characters as JSON can write them."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


class _Unreadable(Exception):
    """The argument is the reason."""


def _value(field: Field, raw: Any) -> str | int | bool:
    if field.kind in ("TEXT", "LONG"):
        return _text(field, raw)
    if field.kind == "DATE":
        return _date(raw)
    if field.kind == "NUMBER":
        return _number(field, raw)
    if field.kind == "CHOICE":
        if raw not in [choice.code for choice in field.choices]:
            raise _Unreadable("CHOICE")
        return str(raw)
    return _yes_no(raw)


def _text(field: Field, raw: Any) -> str:
    if not isinstance(raw, str):
        raise _Unreadable("LENGTH")
    text = raw.strip().replace("\r\n", "\n")
    if len(text) > field.max or not is_storable(text):
        raise _Unreadable("LENGTH")
    return text if field.kind == "LONG" else " ".join(text.split())


def _date(raw: Any) -> str:
    try:
        day = raw if isinstance(raw, dt.date) else dt.date.fromisoformat(_latin(str(raw)))
    except ValueError:
        raise _Unreadable("DATE") from None
    return f"{day:%Y-%m-%d}"


def _number(field: Field, raw: Any) -> int:
    digits = _latin(str(raw))
    if isinstance(raw, bool) or not digits.isdecimal() or len(digits) > 18 or int(digits) > field.max:
        raise _Unreadable("NUMBER")
    return int(digits)


def _yes_no(raw: Any) -> bool:
    word = str(raw).strip().upper()
    if word not in (*_YES, *_NO):
        raise _Unreadable("YES_NO")
    return word in _YES


def _latin(text: str) -> str:
    """Digits of any script as 0-9, without spaces and marks of direction."""
    return "".join(
        str(int(c)) if c.isdecimal() else c for c in text if not c.isspace() and c not in "\u200e\u200f"
    )
