"""A browser's subscription is stored in one form, and names nothing inside our network."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tayyar.core.errors import UserError
from tayyar.customers.push_address import LONGEST_TEXT, PushAddress, encoded

POINT = (
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
AUTH = bytes(range(16))


def subscription(endpoint: object = "https://push.example/wpush/v2/abc", **keys: object) -> str:
    return json.dumps(
        {
            "endpoint": endpoint,
            "expirationTime": None,
            "keys": {"p256dh": encoded(POINT), "auth": encoded(AUTH), **keys},
        }
    )


def test_a_subscription_is_read_and_written_in_one_form() -> None:
    address = PushAddress.parse(subscription())
    assert (address.origin, address.p256dh, address.auth) == ("https://push.example", POINT, AUTH)
    assert json.loads(address.text()).keys() == {"endpoint", "keys"}
    assert PushAddress.parse(address.text()) == address


def test_padded_keys_are_the_same_keys() -> None:
    padded = subscription(auth=encoded(AUTH) + "==")
    assert PushAddress.parse(padded).text() == PushAddress.parse(subscription()).text()


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/a",
        "https://127.0.0.1/a",
        "https://127.0.0.1:8443/a",
        "https://[::1]/a",
        "https://10.0.0.8/a",
        "https://8.8.8.8/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://localhost/a",
        "https://db.internal/a",
        "https://printer.local/a",
        "https://push.example:8443/a",
        "https://user@push.example/a",
        "https://push.example\\@inner.example/a",
        "https://push.example/a b",
        "https://push.example/a\r\nHost: x",
        "https://push.example/a#b",
        "https://púsh.example/a",
        "https://push.example:99999/a",
        "https:///a",
        "file:///etc/passwd",
        "",
        None,
        7,
    ],
)
def test_an_endpoint_that_is_no_public_push_service_is_refused(endpoint: object) -> None:
    with pytest.raises(UserError, match="This browser's subscription cannot be used"):
        PushAddress.parse(subscription(endpoint))


def test_the_simulated_service_is_an_endpoint_only_where_that_is_allowed() -> None:
    local = subscription("http://127.0.0.1:4711/push/1")
    assert PushAddress.parse(local, allow_local=True).origin == "http://127.0.0.1:4711"
    with pytest.raises(UserError):
        PushAddress.parse(local)
    for other in ("http://127.0.0.1.push.example/a", "http://u@127.0.0.1:1/a", "http://127.0.0.2/a"):
        with pytest.raises(UserError):
            PushAddress.parse(subscription(other), allow_local=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 1000,
        '{"endpoint": "https://push.example/a"}',
        subscription(p256dh=encoded(b"\x04" + bytes(64))),
        subscription(p256dh=encoded(b"\x02" + POINT[1:33])),
        subscription(p256dh=5),
        subscription(auth=encoded(AUTH[:15])),
        subscription(auth="*" * 22),
        subscription("https://push.example/" + "a" * LONGEST_TEXT),
    ],
)
def test_a_subscription_without_fitting_keys_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        PushAddress.parse(text)
