"""What Meta's error codes mean: codes as data. Source: the Cloud API's list of error codes.

The same code may come as an answer or later in a "failed" status, where only the reason and BAD_CONTACT matter.
"""

from typing import Any

from tayyar.gateways.handover import Verdict
from tayyar.gateways.http import Answer
from tayyar.notifications.ports import Outcome

_LATER, _REFUSED, _GONE, _PROVIDER = (
    Outcome.TRY_LATER,
    Outcome.REFUSED,
    Outcome.BAD_CONTACT,
    Outcome.NOT_TRIED,
)
THROTTLED = frozenset(
    {4, 80007, 130429}
)  # of the app, of the account, of the number: all sending must slow down

BY_CODE: dict[int, tuple[str, Outcome]] = {
    # their trouble, which passes
    1: ("SERVER_ERROR", _LATER),
    2: ("SERVER_UNAVAILABLE", _LATER),
    4: ("THROTTLED", _LATER),
    80007: ("THROTTLED", _LATER),
    130429: ("THROTTLED", _LATER),
    131000: ("SERVER_ERROR", _LATER),
    131016: ("SERVER_UNAVAILABLE", _LATER),
    131052: ("DOCUMENT_NOT_FETCHED", _LATER),
    131053: ("DOCUMENT_NOT_FETCHED", _LATER),
    131056: ("PAIR_RATE", _LATER),  # this reader was written to a moment ago; others may be
    131057: ("SERVER_MAINTENANCE", _LATER),
    133004: ("SERVER_UNAVAILABLE", _LATER),
    # our number or account: nothing goes through it until someone mends that
    0: ("TOKEN_INVALID", _PROVIDER),
    3: ("NO_PERMISSION", _PROVIDER),
    10: ("NO_PERMISSION", _PROVIDER),
    33: ("SENDER_UNKNOWN", _PROVIDER),
    190: ("TOKEN_INVALID", _PROVIDER),
    368: ("ACCOUNT_LOCKED", _PROVIDER),
    131005: ("NO_PERMISSION", _PROVIDER),
    131031: ("ACCOUNT_LOCKED", _PROVIDER),
    131037: ("SENDER_NAME_NOT_APPROVED", _PROVIDER),
    131042: ("ACCOUNT_UNPAID", _PROVIDER),
    131045: ("SENDER_NOT_REGISTERED", _PROVIDER),
    131048: ("SPAM_RATE", _PROVIDER),  # too many readers blocked us: more would make it worse
    133010: ("SENDER_NOT_REGISTERED", _PROVIDER),
    # this reader
    131026: ("NOT_ON_WHATSAPP", _GONE),
    131021: ("RECIPIENT_IS_SENDER", _REFUSED),
    130472: ("EXPERIMENT", _REFUSED),
    130497: ("COUNTRY_RESTRICTED", _REFUSED),
    131047: ("TEMPLATE_NEEDED", _REFUSED),
    131049: ("KEPT_BACK", _REFUSED),
    131050: ("MARKETING_STOPPED", _REFUSED),
    # this message
    100: ("BAD_PARAMETER", _REFUSED),
    131008: ("PARAMETER_MISSING", _REFUSED),
    131009: ("BAD_PARAMETER", _REFUSED),
    131051: ("BAD_TYPE", _REFUSED),
    132000: ("TEMPLATE_PARAMETER_COUNT", _REFUSED),
    132001: ("TEMPLATE_UNKNOWN", _REFUSED),
    132005: ("TEMPLATE_TOO_LONG", _REFUSED),
    132007: ("TEMPLATE_POLICY", _REFUSED),
    132012: ("TEMPLATE_PARAMETER_FORMAT", _REFUSED),
    132015: ("TEMPLATE_PAUSED", _REFUSED),
    132018: ("TEMPLATE_PARAMETER_FORMAT", _REFUSED),
    132016: ("TEMPLATE_DISABLED", _REFUSED),
}
_OBJECT_UNKNOWN = (100, 33)  # code and subcode of an address that names no phone number of ours
# An answer without Meta's error in it comes from something that stands before the API. A bad gateway or a time-out
# there says nothing about what happened behind it.
_BY_STATUS: dict[int, tuple[str, Outcome]] = {
    401: ("TOKEN_INVALID", _PROVIDER),
    403: ("NO_PERMISSION", _PROVIDER),
    404: ("SENDER_UNKNOWN", _PROVIDER),
    408: ("SERVER_UNAVAILABLE", _LATER),
    500: ("SERVER_ERROR", _LATER),
    502: ("NO_ANSWER", Outcome.IN_DOUBT),
    503: ("SERVER_UNAVAILABLE", _LATER),
    504: ("NO_ANSWER", Outcome.IN_DOUBT),
}


def meaning(code: int, subcode: int = 0) -> tuple[str, Outcome]:
    """(reason, outcome) of a code: 131026 -> ("NOT_ON_WHATSAPP", BAD_CONTACT). An unknown one is refused."""
    if (code, subcode) == _OBJECT_UNKNOWN:
        return "SENDER_UNKNOWN", _PROVIDER
    if known := BY_CODE.get(code):
        return known
    if 200 <= code <= 299:
        return "NO_PERMISSION", _PROVIDER
    return f"WHATSAPP_{code}", _REFUSED


def judge(answer: Answer) -> Verdict:
    """What the answer to POST /<number>/messages says of its message."""
    content = answer.json()
    if 200 <= answer.status <= 299:
        return _taken(content)
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict) and isinstance(code := error.get("code"), int):
        subcode = error.get("error_subcode")
        reason, outcome = meaning(code, subcode if isinstance(subcode, int) else 0)
        return Verdict(outcome, reason, is_throttled=code in THROTTLED)
    if answer.status == 429:
        return Verdict(_LATER, "THROTTLED", is_throttled=True)
    fallback = _PROVIDER if answer.status < 400 else _LATER if answer.status >= 500 else _REFUSED
    reason, outcome = _BY_STATUS.get(answer.status, (f"HTTP_{answer.status}", fallback))
    return Verdict(outcome, reason)


def _taken(content: Any) -> Verdict:
    try:
        reference = content["messages"][0]["id"]
    except (KeyError, IndexError, TypeError):
        reference = None
    if not isinstance(reference, str) or not reference:
        return Verdict(Outcome.IN_DOUBT, "ANSWER_UNREADABLE")
    return Verdict(Outcome.SENT, provider_ref=reference)
