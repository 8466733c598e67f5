"""The link that proves an e-mail address: which change it confirms, until which second, and a keyed MAC over both.

40 letters, kept nowhere; the domain of core/links.py's tokens, to the second instead of the day. That it opens once is
the change's affair (contacts.py): one that was confirmed or replaced waits for nothing.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac

from tayyar.core.crypto import keys

TOKEN_LENGTH = 40
_DOMAIN = b"tayyar email"


def email_token(change_id: int, *, expires: dt.datetime) -> str:
    """The token that confirms a change until `expires`: 40 characters of [A-Za-z0-9_-]."""
    payload = change_id.to_bytes(8, "big") + int(expires.timestamp()).to_bytes(6, "big")
    mac = hashlib.blake2b(payload, key=keys().links, digest_size=16, person=_DOMAIN).digest()
    return base64.urlsafe_b64encode(payload + mac).decode()


def open_email_token(token: str, *, now: dt.datetime) -> int | None:
    """The change that `token` confirms; None when it was altered, never given, or has expired."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token)
        change_id = int.from_bytes(raw[:8], "big")
        expires = dt.datetime.fromtimestamp(int.from_bytes(raw[8:14], "big"), dt.UTC)
    except (binascii.Error, ValueError, OverflowError, OSError):
        return None
    genuine = hmac.compare_digest(email_token(change_id, expires=expires), token)
    return change_id if genuine and now < expires else None
