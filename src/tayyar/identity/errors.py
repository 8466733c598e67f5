"""Why identity refuses, by a reason that pages put into words. The English messages are for logs and the API."""

from typing import Any

from tayyar.core.errors import UserError


class SignUpRefused(UserError):
    """A sign-up, or the proof of a business, that cannot go on. `detail` holds what a page needs beside the reason.

    What was typed: NOT_ACCEPTED (no such document here), FORMAT (the number; `detail["cause"]` is rules.IdRefused),
    NATIONALITY (does not go with the document), BIRTH_DATE (to come, or too long ago), TOO_YOUNG, NAME, MOBILE, EMAIL,
    PASSWORD (`detail["problems"]`: Django's codes), TERMS (`detail["version"]`: the one to accept).
    What the authority says: MISMATCH, REJECTED, DOWN (ask again), NOT_COVERED, NO_PHONE (none on record: a service
    centre helps). The rest: BUDGET (tried too often today), CODE (another number than was sent), EXPIRED (over, or
    never begun), ORDER (another step comes first), HAS_LOGIN (said only after the identity is proven).
    """

    def __init__(self, reason: str, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.reason, self.detail = reason, detail


class ContactRefused(UserError):
    """A change of contact or address that cannot be. `reason`: ADDRESS (mistyped), SAME (it is the present one),
    BUDGET, CODE, EXPIRED, UNKNOWN (the authority lists no such address)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BusinessRefused(UserError):
    """`reason`: NOT_ADMIN, LAST_ADMIN, MEMBER (already one), ENDED, EXPIRED (the invitation), FORMAT."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
