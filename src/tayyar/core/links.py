"""Links that open one bill without a login: unguessable, expiring, and kept nowhere.

A token is the bill's number (8 bytes), the day it stops working (3) and a keyed 128-bit MAC over both (16),
as 36 letters that survive an SMS. Never says why a token does not open. Next: the portal's link page.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac

from tayyar.core.crypto import keys

TOKEN_LENGTH = 36
_DOMAIN = b"tayyar bill link"  # the links key serves other purposes too: no MAC of theirs fits here


def bill_token(number: int, *, expires: dt.date) -> str:
    """The token that opens bill `number` on every day before `expires`: 36 characters of [A-Za-z0-9_-]."""
    payload = number.to_bytes(8, "big") + expires.toordinal().to_bytes(3, "big")
    mac = hashlib.blake2b(payload, key=keys().links, digest_size=16, person=_DOMAIN).digest()
    return base64.urlsafe_b64encode(payload + mac).decode()


def open_bill_token(token: str, *, today: dt.date) -> int | None:
    """The number of the bill that `token` opens; None when it was altered, never given, or has expired.

    The token is rebuilt and compared as text in constant time, so base64's other spellings do not open either.
    """
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token)
        number = int.from_bytes(raw[:8], "big")
        expires = dt.date.fromordinal(int.from_bytes(raw[8:11], "big"))
    except (binascii.Error, ValueError, OverflowError):
        return None
    genuine = hmac.compare_digest(bill_token(number, expires=expires), token)
    return number if genuine and today < expires else None
