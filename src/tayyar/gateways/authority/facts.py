"""Values as authorities write them, read strictly: what cannot be read is empty, never a guess."""

import datetime as dt
import hmac
import re
from typing import Any

_DATES = (
    (re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T.*)?"), (1, 2, 3)),
    (re.compile(r"([0-9]{2})[-/]([0-9]{2})[-/]([0-9]{4})"), (3, 2, 1)),
    (re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})"), (1, 2, 3)),
)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def as_date(value: Any) -> dt.date | None:
    """A Gregorian date from "1990-05-21", "1990-05-21T00:00:00", "21/05/1990" or "21-05-1990"; None for others."""
    text = value.strip() if isinstance(value, str) else ""
    for pattern, (year, month, day) in _DATES:
        if match := pattern.fullmatch(text):
            try:
                return dt.date(int(match[year]), int(match[month]), int(match[day]))
            except ValueError:
                return None
    return None


def as_text(value: Any) -> str:
    """A text or a whole number as text, without spaces around; "" for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def as_phone(value: Any, *, calling_code: str = "") -> str:
    """E.164, from "+966512345678", "00966512345678", "966512345678" or "0512345678" with that calling code; else ""."""
    text = re.sub(r"[ ()./-]", "", as_text(value))
    if text.startswith("00"):
        text = "+" + text[2:]
    elif calling_code and text.startswith(calling_code) and len(text) > len(calling_code) + 6:
        text = "+" + text
    elif calling_code and text and not text.startswith("+"):
        text = f"+{calling_code}{text.removeprefix('0')}"
    return text if _PHONE.fullmatch(text) else ""


def is_same(ours: str, theirs: str) -> bool:
    """Whether two texts are the same, compared in a time that does not tell where they differ."""
    return hmac.compare_digest(ours.encode(), theirs.encode())
