"""Message encryption of web push, RFC 8291 over RFC 8188 (aes128gcm, one record). Pure: bytes in, bytes out.

`test_encryption.py` holds it against the RFC's own example and against an independent implementation.
"""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_RECORD_BYTES = 4096  # what every push service must take (RFC 8030, 7.2)
_HEADER_BYTES = 16 + 4 + 1 + 65  # salt, record size, length of the key's name, the sender's public key
MOST_BYTES = _RECORD_BYTES - _HEADER_BYTES - 1 - 16  # of plain text: one byte ends it, sixteen seal it


def encrypt(
    plain: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    salt: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The body to post: at most 4,096 bytes for at most MOST_BYTES of `plain`.

    `p256dh` (65 bytes) and `auth` (16) are the browser's. Salt and sender's key are new for each message; only a
    test names them. ValueError when `p256dh` is no point of the curve.
    """
    salt = salt or os.urandom(16)
    sender = sender or ec.generate_private_key(ec.SECP256R1())
    own = sender.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    key, nonce = keys(sender.exchange(ec.ECDH(), receiver), auth=auth, salt=salt, receiver=p256dh, sender=own)
    header = salt + _RECORD_BYTES.to_bytes(4, "big") + bytes([len(own)]) + own
    return header + AESGCM(key).encrypt(nonce, plain + b"\x02", None)


def keys(shared: bytes, *, auth: bytes, salt: bytes, receiver: bytes, sender: bytes) -> tuple[bytes, bytes]:
    """(content key, nonce) of one message (RFC 8291, 3.4), the same for who encrypts and who decrypts."""
    info = b"WebPush: info\0" + receiver + sender + b"\x01"
    material = _hmac(_hmac(auth, shared), info)
    derived = _hmac(salt, material)
    return (
        _hmac(derived, b"Content-Encoding: aes128gcm\0\x01")[:16],
        _hmac(derived, b"Content-Encoding: nonce\0\x01")[:12],
    )


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
