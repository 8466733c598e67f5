"""Signed tokens (JWT) of authorities: the keys they are signed with, and what a token must be before it is believed.

It owns the cache of keys. It believes no algorithm that a token names for itself, only those its caller allows.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import jwt

KEYS_GOOD_SECONDS = 24 * 3600
KEYS_AGAIN_SECONDS = 60  # an unknown key is looked for no more often: anybody may send us tokens
TOLERANCE_SECONDS = 60
_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC"}


class TokenRefused(Exception):
    """`reason`: FORM, ALGORITHM, KEY, SIGNATURE, AUDIENCE, ISSUER, CLAIMS, EXPIRED, EARLY."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a token was refused: {reason}")
        self.reason = reason


class SigningKeys:
    """An authority's public keys. `fetch(until)` gets its JWK set: {"keys": [...]}."""

    def __init__(self, fetch: Callable[[float], Any]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at: float | None = None

    def find(self, kid: str | None, key_type: str, *, until: float) -> Any:
        """The key of that name, or the only one of that type for a token that names none. TokenRefused KEY."""
        found = self._known(kid, key_type)
        if found is None or self._age() > KEYS_GOOD_SECONDS:
            self._renew(until)
            found = self._known(kid, key_type)
        if found is None:
            raise TokenRefused("KEY")
        return found.key

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else time.monotonic() - self._fetched_at

    def _known(self, kid: str | None, key_type: str) -> jwt.PyJWK | None:
        fits = [key for key in self._keys if key.key_type == key_type and key.public_key_use in (None, "sig")]
        if kid is None:
            return fits[0] if len(fits) == 1 else None
        return next((key for key in fits if key.key_id == kid), None)

    def _renew(self, until: float) -> None:
        with self._lock:
            if self._age() < KEYS_AGAIN_SECONDS:
                return
            content = self._fetch(until)
            raw = content.get("keys", [content]) if isinstance(content, dict) else []
            self._keys = [key for entry in raw if (key := _key(entry)) is not None]
            self._fetched_at = time.monotonic()


def _key(entry: Any) -> jwt.PyJWK | None:
    """A key of the set; None for one of a kind that we do not read."""
    try:
        return jwt.PyJWK.from_dict(entry)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None


def verified(
    token: str,
    *,
    keys: SigningKeys,
    algorithms: Sequence[str],
    audience: str,
    issuer: str | None,
    now: dt.datetime,
    until: float,
) -> dict[str, Any]:
    """The claims of a token that is signed, meant for `audience`, from `issuer` (None: any) and good at `now`.

    TokenRefused says what is wrong with it; what fetching keys raises goes through.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise TokenRefused("FORM") from None
    algorithm = str(header.get("alg"))
    if algorithm not in algorithms:
        raise TokenRefused("ALGORITHM")
    key = keys.find(header.get("kid"), _TYPES[algorithm[:2]], until=until)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            options={
                "require": ["exp", "iat", "aud", *(["iss"] if issuer else [])],
                "verify_exp": False,  # the times are ours to check: by our clock, not by the machine's
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidAudienceError:
        raise TokenRefused("AUDIENCE") from None
    except jwt.InvalidIssuerError:
        raise TokenRefused("ISSUER") from None
    except jwt.InvalidSignatureError:
        raise TokenRefused("SIGNATURE") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise TokenRefused("CLAIMS") from None
    _check_times(claims, now.timestamp())
    return claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    times = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
    if not all(isinstance(moment, int | float) and not isinstance(moment, bool) for moment in times):
        raise TokenRefused("CLAIMS")
    if now >= claims["exp"] + TOLERANCE_SECONDS:
        raise TokenRefused("EXPIRED")
    if max(times[1:]) > now + TOLERANCE_SECONDS:
        raise TokenRefused("EARLY")
