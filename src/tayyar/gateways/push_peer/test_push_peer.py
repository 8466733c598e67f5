"""The simulated push service is as strict as a real one, opens only what its browser may, and errs on order."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from tayyar.core.errors import UserError
from tayyar.customers.push_address import PushAddress
from tayyar.gateways.push_peer import process
from tayyar.gateways.push_peer.browsers import opened, subscription
from tayyar.gateways.push_peer.faults import Faults
from tayyar.gateways.push_peer.server import PushPeer

SHOWN = json.dumps({"title": "t", "body": "b", "url": "https://t.example", "tag": "1"}).encode()


@pytest.fixture(scope="module")
def peer() -> Iterator[PushPeer]:
    with PushPeer() as running:
        yield running


def encrypted(number: int, plain: bytes = SHOWN) -> bytes:
    """By an implementation that is not ours."""
    address = PushAddress.parse(subscription(number, port=1), allow_local=True)
    key = ec.generate_private_key(ec.SECP256R1())
    body = http_ece.encrypt(
        plain, private_key=key, dh=address.p256dh, auth_secret=address.auth, version="aes128gcm"
    )
    return bytes(body)


def signed(port: int, **claims: object) -> str:
    """By an implementation that is not ours."""
    vapid = Vapid02()
    vapid.generate_keys()
    told = {"aud": f"http://127.0.0.1:{port}", "exp": int(time.time()) + 3600, "sub": "mailto:a@b.example"}
    return str(vapid.sign({**told, **claims})["Authorization"])


def post(peer_port: int, number: int, body: bytes, authorization: str, **headers: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{peer_port}/push/{number}",
        data=body,
        headers={"TTL": "60", "Content-Encoding": "aes128gcm", "Authorization": authorization, **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_it_opens_what_another_implementation_encrypted_and_signed(peer: PushPeer) -> None:
    assert post(peer.port, 5, encrypted(5), signed(peer.port), Topic="abc") == 201
    last = peer.messages[-1]
    assert (last["browser"], last["body"], last["TTL"], last["Topic"]) == (5, "b", "60", "abc")


def test_the_same_message_again_is_counted_as_repeated(peer: PushPeer) -> None:
    before = peer.counts["repeated"]
    header = signed(peer.port)
    for _ in range(3):
        post(peer.port, 6, encrypted(6), header)
    assert peer.counts["repeated"] == before + 2


def test_what_another_browser_should_have_got_stays_closed() -> None:
    assert opened(encrypted(5), 5) == SHOWN
    with pytest.raises(ValueError, match="not for this browser"):
        opened(encrypted(5), 6)
    with pytest.raises(ValueError, match=r"."):
        opened(b"short", 5)


def test_a_sender_who_does_not_prove_who_he_is_gets_401(peer: PushPeer) -> None:
    good = signed(peer.port)
    now = int(time.time())
    other = Vapid02()
    other.generate_keys()
    raw = other.public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    stolen = good.split(",k=")[0] + ",k=" + base64.urlsafe_b64encode(raw).decode().rstrip("=")
    wrong = [
        "",
        "Basic abc",
        "vapid t=a.b.c,k=d",
        stolen,
        signed(peer.port, aud="https://other.example"),
        signed(peer.port, exp=now - 1),
        signed(peer.port, exp=now + 90_000),
    ]
    assert [post(peer.port, 1, encrypted(1), header) for header in wrong] == [401] * 7


def test_a_post_that_is_none_is_refused(peer: PushPeer) -> None:
    header = signed(peer.port)
    assert post(peer.port, 1, encrypted(1), header, TTL="soon") == 400
    assert post(peer.port, 1, encrypted(1), header, Topic="a" * 33) == 400
    assert post(peer.port, 1, encrypted(1), header, **{"Content-Encoding": "aesgcm"}) == 400
    assert post(peer.port, 1, bytes(4097), header) == 413


def test_faults_share_the_posts_in_their_order() -> None:
    faults = Faults(throttle_share=0.25, error_share=0.25, cut_share=0.25)
    assert [faults.kind(drawn) for drawn in (0.0, 0.2, 0.25, 0.6, 0.75, 0.99)] == [
        "throttle",
        "throttle",
        "error",
        "cut",
        "",
        "",
    ]


def test_the_same_browsers_are_gone_each_time_and_about_as_many_as_asked() -> None:
    faults = Faults(gone_share=0.1)
    gone = [number for number in range(10_000) if faults.is_gone(number)]
    assert 900 < len(gone) < 1100
    assert gone == [number for number in range(10_000) if faults.is_gone(number)]
    assert not any(Faults().is_gone(number) for number in range(1000))


def test_as_a_process_it_errs_on_order_tells_its_counts_and_frees_its_port() -> None:
    with process.running(port=0, faults=Faults(error_share=1.0)) as running:
        assert post(running.port, 1, encrypted(1), signed(running.port)) == 503
        assert running.stats() == {"failed": 1}
        assert running.messages() == []
        running.set_faults(Faults(gone_share=1.0))
        assert post(running.port, 1, encrypted(1), signed(running.port)) == 410
        with (
            pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{running.port}"),
            process.running(port=running.port),
        ):
            pass
    with process.running(port=running.port) as again:
        assert post(again.port, 1, encrypted(1), signed(again.port)) == 201
        assert [message["browser"] for message in again.messages()] == [1]
