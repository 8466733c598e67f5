"""What a push service's answer means: codes as data (RFC 8030, and what the large services say in their manuals)."""

from tayyar.notifications.ports import Outcome

THROTTLED = frozenset({406, 429})  # 406 is how Windows' service says it

# Status -> (outcome, our reason). What is not here: 2xx is taken, 5xx may be tried later, the rest is refused.
MEANINGS: dict[int, tuple[Outcome, str]] = {
    400: (Outcome.REFUSED, "BAD_REQUEST"),
    401: (Outcome.REFUSED, "KEY_REFUSED"),
    403: (Outcome.REFUSED, "KEY_REFUSED"),  # e.g. the browser subscribed under another key of ours
    404: (Outcome.BAD_CONTACT, "SUBSCRIPTION_GONE"),
    408: (Outcome.TRY_LATER, "SERVER_ERROR"),
    410: (Outcome.BAD_CONTACT, "SUBSCRIPTION_GONE"),
    413: (Outcome.REFUSED, "TOO_LARGE"),
}


def meaning(status: int) -> tuple[Outcome, str]:
    """(outcome, reason) of an HTTP status: 201 -> (SENT, ""), 410 -> (BAD_CONTACT, "SUBSCRIPTION_GONE")."""
    if status in MEANINGS:
        return MEANINGS[status]
    if status // 100 == 2:
        return Outcome.SENT, ""
    if status // 100 == 5:
        return Outcome.TRY_LATER, "SERVER_ERROR"
    return Outcome.REFUSED, "REDIRECTED" if status // 100 == 3 else "REFUSED"
