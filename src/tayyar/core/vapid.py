"""The key by which push services know us (VAPID, RFC 8292).

Browsers bind a subscription to it, so it must never change: it grows from the installation's links key, which every
machine shares and every backup holds. TAYYAR_VAPID_KEY names a PEM file instead, for who brings subscriptions along.
Never signs anything itself. Next: the portal shows its public half, gateways/webpush signs with it.
"""

import base64
import functools
import os
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tayyar.core.crypto import keys
from tayyar.core.errors import UserError

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group


@functools.lru_cache(maxsize=1)
def vapid_key() -> ec.EllipticCurvePrivateKey:
    """The private key, on P-256. UserError when TAYYAR_VAPID_KEY names no such key."""
    if named := os.environ.get("TAYYAR_VAPID_KEY"):
        return _from_file(Path(named))
    # 48 bytes for a number of 32: what is lost by the remainder cannot be told from chance
    grown = HKDF(hashes.SHA256(), length=48, salt=None, info=b"tayyar vapid key").derive(keys().links)
    return ec.derive_private_key(int.from_bytes(grown, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def vapid_public_key() -> str:
    """The public key as browsers ask for it (`applicationServerKey`): base64url of the 65 bytes of its point."""
    point = (
        vapid_key()
        .public_key()
        .public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )
    return base64.urlsafe_b64encode(point).decode().rstrip("=")


def _from_file(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"TAYYAR_VAPID_KEY: {path} holds no key that can be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UserError(f"TAYYAR_VAPID_KEY: the key in {path} is not one of the curve P-256.")
    return key
