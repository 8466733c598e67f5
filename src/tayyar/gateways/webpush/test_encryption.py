"""Web push encryption against the RFC's own example and an implementation that is not ours."""

import base64
import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tayyar.gateways.webpush.encryption import MOST_BYTES, encrypt


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(raw(text), "big"), ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


# RFC 8291, section 5 and appendix A.
RECEIVER = private("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
RECEIVER_PUBLIC = raw(
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
SENDER = private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
AUTH, SALT = raw("BTBZMqHH6r4Tts7J_aSIgg"), raw("DGv6ra1nlYgDCS1FRnbzlw")
BODY = raw(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBr"
    "u3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc_comes_out_to_the_byte() -> None:
    assert public(RECEIVER) == RECEIVER_PUBLIC
    plain = b"When I grow up, I want to be a watermelon"
    assert encrypt(plain, p256dh=RECEIVER_PUBLIC, auth=AUTH, salt=SALT, sender=SENDER) == BODY


@pytest.mark.parametrize("plain", [b"", "فاتورة كهرباء نوفمبر: 276.00 ريال".encode(), b"x" * MOST_BYTES])
def test_another_implementation_reads_what_we_encrypt(plain: bytes) -> None:
    auth = os.urandom(16)
    body = encrypt(plain, p256dh=public(RECEIVER), auth=auth)
    assert len(body) == len(plain) + 103 <= 4096
    assert http_ece.decrypt(body, private_key=RECEIVER, auth_secret=auth, version="aes128gcm") == plain


def test_no_two_bodies_of_the_same_message_are_alike() -> None:
    bodies = [encrypt(b"same", p256dh=public(RECEIVER), auth=AUTH) for _ in range(2)]
    assert bodies[0][:16] != bodies[1][:16] and bodies[0][21:86] != bodies[1][21:86]


def test_a_key_that_is_no_point_of_the_curve_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        encrypt(b"", p256dh=b"\x04" + bytes(64), auth=AUTH)
