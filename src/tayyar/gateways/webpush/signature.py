"""Who sends, told to a push service: a signed token for each of them, made once and used for hours (RFC 8292)."""

import json
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tayyar.core.vapid import vapid_key, vapid_public_key
from tayyar.customers.push_address import encoded

_VALID_SECONDS = 12 * 3600  # a service may refuse more than 24 hours
_RENEWED_SECONDS = 3600  # before its end: their clock is not ours
_MOST_ORIGINS = 10_000


class Signatures:
    """The Authorization header for each push service. `contact` is whom its operator may ask ("mailto:...").

    The clock is the world's, not the application's: a push service does not know that a demo is set in November.
    """

    def __init__(self, *, contact: str, clock: Callable[[], float] = time.time) -> None:
        self._contact, self._clock = contact, clock
        self._made: dict[str, tuple[str, float]] = {}

    def header(self, origin: str) -> str:
        """ "vapid t=<token>,k=<public key>" for "https://push.example"."""
        now = self._clock()
        header, until = self._made.get(origin, ("", 0.0))
        if not until - _VALID_SECONDS <= now < until - _RENEWED_SECONDS:  # also when the clock went back
            until = now + _VALID_SECONDS
            header = f"vapid t={self._token(origin, int(until))},k={vapid_public_key()}"
            if len(self._made) >= _MOST_ORIGINS:
                self._made.clear()
            self._made[origin] = header, until
        return header

    def _token(self, origin: str, expires: int) -> str:
        claims = {"aud": origin, "exp": expires, "sub": self._contact}
        parts = ({"typ": "JWT", "alg": "ES256"}, claims)
        head = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        r, s = decode_dss_signature(vapid_key().sign(head.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{head}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
