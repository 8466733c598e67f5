"""A push service can check who sends; the proof is made rarely and never outlives what services accept."""

import base64
import json

from py_vapid import Vapid02

from tayyar.core.vapid import vapid_public_key
from tayyar.gateways.webpush.signature import Signatures

ORIGIN, START = "https://push.example", 1_800_000_000.0


def claims(header: str) -> dict[str, object]:
    """What an independent implementation reads in the token; it raises when the signature is wrong."""
    assert Vapid02.verify(header)
    body = header.split("t=")[1].split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def test_another_implementation_verifies_the_token_under_the_key_that_browsers_get() -> None:
    header = Signatures(contact="mailto:a@b.example", clock=lambda: START).header(ORIGIN)
    assert header.endswith(f",k={vapid_public_key()}")
    # 12 hours from the start
    assert claims(header) == {"aud": ORIGIN, "exp": 1_800_043_200, "sub": "mailto:a@b.example"}


def test_one_token_serves_an_origin_for_eleven_hours_and_no_other_origin() -> None:
    now = START
    signatures = Signatures(contact="mailto:a@b.example", clock=lambda: now)
    first = signatures.header(ORIGIN)
    now = START + 11 * 3600 - 1
    assert signatures.header(ORIGIN) == first
    assert claims(signatures.header("https://other.example"))["aud"] == "https://other.example"
    now = START + 11 * 3600
    assert claims(signatures.header(ORIGIN))["exp"] == int(now) + 12 * 3600


def test_a_clock_set_back_gets_a_token_that_services_still_accept() -> None:
    now = START
    signatures = Signatures(contact="mailto:a@b.example", clock=lambda: now)
    signatures.header(ORIGIN)
    now = START - 30 * 3600
    assert claims(signatures.header(ORIGIN))["exp"] == int(now) + 12 * 3600
