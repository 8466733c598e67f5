"""Links that open one thing without a login: unguessable, expiring, and kept nowhere.

A token is what it opens (8 bytes), the day it stops working (3) and a keyed 128-bit MAC over both (16), as 36 letters
that survive an SMS. Never says why a token does not open. Next: the portal's pages.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac

from tayyar.core.crypto import keys

TOKEN_LENGTH = 36
# The links key serves several purposes: a token of one domain fits no other.
_BILL = b"tayyar bill link"
_WISHES = b"tayyar wishes"
_DELEGATE = b"tayyar delegate"
_CLAIM = b"tayyar claim"


def bill_token(number: int, *, expires: dt.date) -> str:
    """The token that opens bill `number` on every day before `expires`: 36 characters of [A-Za-z0-9_-]."""
    return _token(_BILL, number, expires)


def open_bill_token(token: str, *, today: dt.date) -> int | None:
    """The number of the bill that `token` opens; None when it was altered, never given, or has expired."""
    return _open(_BILL, token, today)


def preference_token(account_id: int, recipient: int, *, expires: dt.date) -> str:
    """The token that opens how one person of an account wants to be told, on every day before `expires`."""
    return _token(_WISHES, account_id << 16 | recipient, expires)


def open_preference_token(token: str, *, today: dt.date) -> tuple[int, int] | None:
    """(account_id, recipient) of a wishes token; None when it does not open."""
    found = _open(_WISHES, token, today)
    return None if found is None else (found >> 16, found & 0xFFFF)


def delegate_token(delegate_id: int, *, expires: dt.date) -> str:
    """The token with which the invited person accepts, declines or ends a delegation, before `expires`."""
    return _token(_DELEGATE, delegate_id, expires)


def open_delegate_token(token: str, *, today: dt.date) -> int | None:
    """The delegation that `token` opens; None when it does not open."""
    return _open(_DELEGATE, token, today)


def claim_token(claim_id: int, *, expires: dt.date) -> str:
    """The token with which the present holder answers a claim against their account, before `expires`."""
    return _token(_CLAIM, claim_id, expires)


def open_claim_token(token: str, *, today: dt.date) -> int | None:
    """The claim that `token` lets its reader answer; None when it does not open."""
    return _open(_CLAIM, token, today)


def _token(domain: bytes, thing: int, expires: dt.date) -> str:
    payload = thing.to_bytes(8, "big") + expires.toordinal().to_bytes(3, "big")
    mac = hashlib.blake2b(payload, key=keys().links, digest_size=16, person=domain).digest()
    return base64.urlsafe_b64encode(payload + mac).decode()


def _open(domain: bytes, token: str, today: dt.date) -> int | None:
    """The token is rebuilt and compared as text in constant time, so base64's other spellings do not open either."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token)
        thing = int.from_bytes(raw[:8], "big")
        expires = dt.date.fromordinal(int.from_bytes(raw[8:11], "big"))
    except (binascii.Error, ValueError, OverflowError):
        return None
    genuine = hmac.compare_digest(_token(domain, thing, expires), token)
    return thing if genuine and today < expires else None
