"""The browsers behind the simulated push service: their subscriptions, and how they open what they are sent.

A browser is a number; its keys grow from that number, so that neither side keeps a list of twenty thousand of them.
"""

import hashlib
import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tayyar.customers.push_address import encoded
from tayyar.gateways.webpush.encryption import keys


def subscription(number: int, *, port: int) -> str:
    """What browser `number` would hand to a web page, as JSON: an address that the gateway takes with allow_local."""
    own, auth = _keys(number)
    return json.dumps(
        {
            "endpoint": f"http://127.0.0.1:{port}/push/{number}",
            "keys": {"p256dh": encoded(_public(own)), "auth": encoded(auth)},
        }
    )


def opened(body: bytes, number: int) -> bytes:
    """The plain text of a message to browser `number`; ValueError when it is not for it or was altered."""
    own, auth = _keys(number)
    salt, name_length = body[:16], body[20] if len(body) > 20 else 0
    sender, sealed = body[21 : 21 + name_length], body[21 + name_length :]
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    key, nonce = keys(shared, auth=auth, salt=salt, receiver=_public(own), sender=sender)
    try:
        padded = AESGCM(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise ValueError("not for this browser, or altered") from None
    plain, mark, padding = padded.rpartition(b"\x02")
    if not mark or padding.strip(b"\0"):
        raise ValueError("not one whole record")
    return plain


def _keys(number: int) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    grown = hashlib.sha512(f"browser {number}".encode()).digest()
    # 31 bytes are always less than the order of the group
    return ec.derive_private_key(int.from_bytes(grown[:31], "big") + 1, ec.SECP256R1()), grown[32:48]


def _public(own: ec.EllipticCurvePrivateKey) -> bytes:
    return own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
