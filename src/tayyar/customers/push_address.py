"""The address of a web push contact: a browser's subscription, checked before it is stored and before it is used.

It owns the form of the JSON and nothing else; it asks no name server. A host that looks public may still lie inside:
the gateway looks at what it resolves to. Next: portal/push_views.py stores it, gateways/webpush sends to it.
"""

import base64
import binascii
import ipaddress
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from tayyar.core.errors import UserError

LONGEST_TEXT = 2000
_P256DH_BYTES, _AUTH_BYTES = 65, 16  # RFC 8291: an uncompressed point of P-256, and the shared secret
_REFUSAL = "This browser's subscription cannot be used."


@dataclass(frozen=True, slots=True)
class PushAddress:
    """Where a browser is reached and what its messages are encrypted with. `origin` is "https://host[:port]"."""

    endpoint: str
    origin: str
    p256dh: bytes
    auth: bytes

    @classmethod
    def parse(cls, text: str, *, allow_local: bool = False) -> "PushAddress":
        """From {"endpoint", "keys": {"p256dh", "auth"}}; other names are passed over. UserError says what is wrong.

        The endpoint is https, on its own port, at a host that has a name; with `allow_local` also at 127.0.0.1, on
        any port and without TLS, where the simulated push service listens.
        """
        if len(text) > LONGEST_TEXT:
            raise UserError(f"{_REFUSAL} It is longer than {LONGEST_TEXT} letters.")
        try:
            raw = json.loads(text)
            endpoint, keys = raw["endpoint"], raw["keys"]
            p256dh, auth = _decoded(keys["p256dh"]), _decoded(keys["auth"])
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UserError(f"{_REFUSAL} It has no endpoint or no keys.") from None
        if len(p256dh) != _P256DH_BYTES or len(auth) != _AUTH_BYTES:
            raise UserError(f"{_REFUSAL} Its keys have another length.")
        return cls(endpoint, _origin(endpoint, allow_local), p256dh, auth)

    def text(self) -> str:
        """The JSON to seal: the same for the same subscription, whatever else the browser told."""
        keys = {"p256dh": encoded(self.p256dh), "auth": encoded(self.auth)}
        return json.dumps({"endpoint": self.endpoint, "keys": keys}, separators=(",", ":"))


def encoded(data: bytes) -> str:
    """Base64url without padding, as web push writes all its bytes."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    if not isinstance(text, str) or len(text) > 200:
        raise ValueError
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None


def _origin(endpoint: object, allow_local: bool) -> str:
    """ "https://push.example" of "https://push.example/abc"."""
    if (
        not isinstance(endpoint, str)
        or not endpoint.isascii()
        or not endpoint.isprintable()
        or " " in endpoint
    ):
        raise UserError(f"{_REFUSAL} Its address has letters that no address has.")
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UserError(f"{_REFUSAL} Its address is none.") from None
    if (
        allow_local
        and host == "127.0.0.1"
        and parts.scheme in ("http", "https")
        and not _has_user(parts.netloc)
    ):
        return f"{parts.scheme}://{parts.netloc}"
    if parts.scheme != "https" or port not in (None, 443) or _has_user(parts.netloc) or parts.fragment:
        raise UserError(f"{_REFUSAL} Its address must begin with https:// and a host.")
    if not _has_public_form(host):
        raise UserError(f"{_REFUSAL} Its address names no host of the public internet.")
    return f"https://{host}"


def _has_user(netloc: str) -> bool:
    return "@" in netloc or "\\" in netloc


def _has_public_form(host: str) -> bool:
    """A name with a dot, of letters, digits and hyphens, that no inner network keeps for itself."""
    try:
        ipaddress.ip_address(host)
        return False  # push services have names
    except ValueError:
        pass
    labels = host.removesuffix(".").split(".")
    plain = all(label and label.replace("-", "").isalnum() and len(label) < 64 for label in labels)
    inner = labels[-1] in ("localhost", "local", "internal", "lan", "home", "corp", "intranet")
    return plain and len(labels) > 1 and len(host) < 254 and not inner and not labels[-1].isdigit()
