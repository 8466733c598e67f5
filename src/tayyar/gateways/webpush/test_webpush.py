"""The web push gateway against the simulated push service, over real connections."""

import datetime as dt
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.gateways.push_peer.browsers import subscription
from tayyar.gateways.push_peer.faults import Faults
from tayyar.gateways.push_peer.server import PushPeer
from tayyar.gateways.webpush import client, network
from tayyar.gateways.webpush.client import WebPushGateway, build, message_name, retry_seconds, topic
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    DeliveryKey,
    Outcome,
    Outgoing,
    PushContent,
    SendResult,
    SmsContent,
    Unpaced,
)
from tayyar.notifications.providers import ProviderConfig

SELF_SIGNED = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x "
    "-addext subjectAltName=IP:127.0.0.1"
)
NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)


@pytest.fixture
def peer() -> Iterator[PushPeer]:
    with PushPeer() as running:
        yield running


@pytest.fixture
def gateway() -> Iterator[WebPushGateway]:
    made = WebPushGateway(code="push", options={"allow_local": True})
    yield made
    made.close()


def outgoing(number: int, address: str, *, content: Any = None, urgent: bool = False) -> Outgoing:
    return Outgoing(
        key=DeliveryKey(202611, 1, number, 0, Channel.PUSH, 1),
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        language="ar",
        content=content or PushContent("فاتورة نوفمبر", "276.00 ريال", "https://t.example/b/x", f"b{number}"),
        message_id=f"m{number}",
        dated=NOW,
        is_urgent=urgent,
    )


def to_browsers(peer: PushPeer, numbers: range, **more: Any) -> list[Outgoing]:
    return [outgoing(number, subscription(number, port=peer.port), **more) for number in numbers]


def send(gateway: WebPushGateway, batch: list[Outgoing], *, seconds: float = 20.0) -> list[SendResult]:
    results = gateway.send_batch(batch, pace=Unpaced(), stop_at=time.monotonic() + seconds)
    assert Counter(result.key for result in results) == Counter(message.key for message in batch)
    return sorted(results, key=lambda result: result.key)


def endings(results: list[SendResult]) -> Counter[tuple[str, str]]:
    return Counter((result.outcome.value, result.reason) for result in results)


def test_a_message_reaches_its_browser_and_is_named_by_the_service(
    peer: PushPeer, gateway: WebPushGateway
) -> None:
    (result,) = send(gateway, to_browsers(peer, range(7, 8)))
    assert (result.outcome, result.reason, result.provider_ref) == (Outcome.SENT, "", "7-1")
    (shown,) = peer.messages
    assert (shown["browser"], shown["title"], shown["body"]) == (7, "فاتورة نوفمبر", "276.00 ريال")
    assert (shown["url"], shown["tag"]) == ("https://t.example/b/x", "b7")
    assert (shown["TTL"], shown["Urgency"], shown["Topic"]) == ("259200", "normal", topic("b7"))
    assert gateway.receipts() == []


def test_a_one_time_code_is_urgent_and_dies_after_ten_minutes(
    peer: PushPeer, gateway: WebPushGateway
) -> None:
    send(gateway, to_browsers(peer, range(1), urgent=True))
    assert (peer.messages[0]["TTL"], peer.messages[0]["Urgency"]) == ("600", "high")


def test_a_topic_fits_the_rfc_and_hides_the_tag() -> None:
    assert topic("bill 261100000001234") == topic("bill 261100000001234") != topic("bill 2")
    assert len(topic("x" * 500)) <= 32 and topic("é").replace("-", "").replace("_", "").isalnum()


def test_many_messages_share_few_connections(peer: PushPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    create = aiohttp.TCPConnector._create_connection

    async def counted(*arguments: Any) -> Any:
        made.append(1)
        return await create(*arguments)

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", counted)
    gateway = WebPushGateway(code="push", options={"allow_local": True, "concurrency": 4})
    for first in (0, 100):
        assert endings(send(gateway, to_browsers(peer, range(first, first + 100)))) == {("SENT", ""): 100}
    gateway.close()
    assert 1 <= len(made) <= 4
    assert peer.counts == {"taken": 200, "repeated": 0}


@pytest.mark.parametrize(
    ("faults", "ending"),
    [
        (Faults(gone_share=1.0), ("BAD_CONTACT", "SUBSCRIPTION_GONE")),
        (Faults(error_share=1.0), ("TRY_LATER", "SERVER_ERROR")),
        (Faults(cut_share=1.0), ("IN_DOUBT", "CONNECTION_LOST")),
        (Faults(throttle_share=1.0, retry_after_seconds=60), ("NOT_TRIED", "THROTTLED")),
    ],
)
def test_each_fault_of_the_service_has_its_meaning(
    peer: PushPeer, gateway: WebPushGateway, faults: Faults, ending: tuple[str, str]
) -> None:
    peer.faults = faults
    assert endings(send(gateway, to_browsers(peer, range(3)))) == {ending: 3}


def test_a_service_that_does_not_answer_leaves_the_message_in_doubt(
    peer: PushPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.3)
    gateway = WebPushGateway(code="push", options={"allow_local": True})
    peer.faults = Faults(hang_share=1.0)
    assert endings(send(gateway, to_browsers(peer, range(2)))) == {("IN_DOUBT", "CONNECTION_LOST"): 2}
    gateway.close()


def test_a_service_too_busy_for_a_second_gets_the_rest_after_it(
    peer: PushPeer, gateway: WebPushGateway
) -> None:
    peer.faults = Faults(throttle_share=0.2, retry_after_seconds=1)
    began = time.monotonic()
    assert endings(send(gateway, to_browsers(peer, range(20)))) == {("SENT", ""): 20}
    assert time.monotonic() - began >= 1.0
    assert peer.counts["throttled"] >= 1 and peer.counts["taken"] == 20 and not peer.counts["repeated"]


def test_a_service_left_alone_for_long_does_not_hold_up_another(gateway: WebPushGateway) -> None:
    with PushPeer(faults=Faults(throttle_share=1.0, retry_after_seconds=600)) as busy, PushPeer() as free:
        first = send(gateway, to_browsers(busy, range(1)))
        began = time.monotonic()
        second = send(gateway, to_browsers(busy, range(10, 15)) + to_browsers(free, range(20, 25)))
        assert endings(first) == {("NOT_TRIED", "THROTTLED"): 1}
        assert endings(second) == {("NOT_TRIED", "THROTTLED"): 5, ("SENT", ""): 5}
        assert busy.counts["throttled"] == 1  # it was not asked again
        assert time.monotonic() - began < 2


def test_a_host_that_cannot_be_reached_costs_one_attempt_not_a_batch_of_them(
    peer: PushPeer,
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    gateway = WebPushGateway(code="push", options={"allow_local": True, "concurrency": 1})
    dead = [outgoing(number, subscription(number, port=port)) for number in range(5)]
    results = send(gateway, dead + to_browsers(peer, range(10, 12)))
    gateway.close()
    assert endings(results) == {
        ("TRY_LATER", "SERVER_UNREACHABLE"): 1,
        ("NOT_TRIED", "SERVER_UNREACHABLE"): 4,
        ("SENT", ""): 2,
    }


def test_what_can_never_be_sent_is_told_without_asking_any_service(
    peer: PushPeer, gateway: WebPushGateway
) -> None:
    good = subscription(1, port=peer.port)
    long = PushContent("t", "ب" * 2000, "https://t.example", "x")  # 4,000 bytes of UTF-8
    batch = [
        outgoing(1, "no subscription"),
        outgoing(2, good, content=long),
        outgoing(3, good, content=SmsContent("x")),
    ]
    found = [(result.outcome, result.reason) for result in send(gateway, batch)]
    assert found == [
        (Outcome.BAD_CONTACT, "BAD_ADDRESS"),
        (Outcome.REFUSED, "TOO_LARGE"),
        (Outcome.REFUSED, "BAD_CONTENT"),
    ]
    assert not peer.counts


def test_an_address_whose_key_is_away_may_be_tried_later(gateway: WebPushGateway) -> None:
    message = outgoing(1, "x")
    object.__setattr__(message, "address_sealed", b"\x01\xff" + message.address_sealed[2:])
    assert endings(send(gateway, [message])) == {("TRY_LATER", "ADDRESS_SEALED"): 1}


def test_after_the_time_to_stop_nothing_is_begun(peer: PushPeer, gateway: WebPushGateway) -> None:
    results = send(gateway, to_browsers(peer, range(3)), seconds=-1.0)
    assert endings(results) == {("NOT_TRIED", "OUT_OF_TIME"): 3}
    assert not peer.counts


def test_no_more_is_handed_over_than_the_pace_grants(peer: PushPeer, gateway: WebPushGateway) -> None:
    class Pace:
        """Five at once, then five every tenth of a second."""

        def __init__(self) -> None:
            self.began, self.given = time.monotonic(), 0

        def allowance(self, wanted: int) -> int:
            due = 5 + 5 * int((time.monotonic() - self.began) * 10)
            granted = max(min(wanted, due - self.given), 0)
            self.given += granted
            return granted

        def wait_seconds(self) -> float:
            return 0.02

    pace, began = Pace(), time.monotonic()
    results = gateway.send_batch(to_browsers(peer, range(20)), pace=pace, stop_at=began + 10)
    assert endings(results) == {("SENT", ""): 20}
    assert pace.given == 20  # nothing granted was thrown away
    assert 0.3 <= time.monotonic() - began < 1.0


def test_it_can_be_used_again_after_it_was_closed(peer: PushPeer, gateway: WebPushGateway) -> None:
    for number in range(2):
        assert endings(send(gateway, to_browsers(peer, range(number, number + 1)))) == {("SENT", ""): 1}
        gateway.close()


def test_a_connection_that_the_service_closed_meanwhile_puts_nothing_in_doubt(
    gateway: WebPushGateway,
) -> None:
    with PushPeer() as first:
        assert endings(send(gateway, to_browsers(first, range(3)))) == {("SENT", ""): 3}
    gateway.receipts()
    with PushPeer(port=first.port) as second:
        assert endings(send(gateway, to_browsers(second, range(3)))) == {("SENT", ""): 3}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_no_redirect_is_followed(gateway: WebPushGateway, answer: bytes) -> None:
    with _Answering(answer) as port:
        message = outgoing(1, subscription(1, port=port))
        assert endings(send(gateway, [message])) == {("REFUSED", "REDIRECTED"): 1}


@pytest.mark.parametrize("answer", [b"not http at all\r\n\r\n", b"HTTP/1.1 201 Created\r\nLoc"])
def test_an_answer_that_is_none_leaves_the_message_in_doubt(gateway: WebPushGateway, answer: bytes) -> None:
    with _Answering(answer) as port:
        message = outgoing(1, subscription(1, port=port))
        assert endings(send(gateway, [message])) == {("IN_DOUBT", "CONNECTION_LOST"): 1}


class _Answering:
    """A server that gives one answer to the first connection, whatever is asked."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        self.answer, self.context, self.got = answer, context, b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        connection, _ = self.listening.accept()
        connection.settimeout(5)
        if self.context:
            try:
                connection = self.context.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not trust us
                return
        with connection:
            while b"\r\n\r\n" not in self.got:
                self.got += connection.recv(65536)
            connection.sendall(self.answer)

    def __enter__(self) -> int:
        self.thread.start()
        return int(self.listening.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self.listening.close()


def test_over_tls_the_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [*SELF_SIGNED.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    created = b"HTTP/1.1 201 Created\r\nLocation: /m/9\r\nContent-Length: 0\r\n\r\n"

    def attempt(trusted: ssl.SSLContext) -> SendResult:
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusted)
        gateway = WebPushGateway(code="push", options={"allow_local": True})
        with _Answering(created, context) as port:
            address = subscription(1, port=port).replace("http:", "https:")
            (result,) = send(gateway, [outgoing(1, address)])
        gateway.close()
        return result

    stranger = attempt(ssl.create_default_context())
    assert (stranger.outcome, stranger.reason) == (Outcome.TRY_LATER, "SERVER_UNREACHABLE")
    known = attempt(ssl.create_default_context(cafile=certificate))
    assert (known.outcome, known.provider_ref) == (Outcome.SENT, "9")


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_inside_is_never_connected_to(
    monkeypatch: pytest.MonkeyPatch, gateway: WebPushGateway, inner: str
) -> None:
    async def resolve(*_: object, **__: object) -> list[dict[str, object]]:
        public = {"hostname": "h", "host": "93.184.216.34", "port": 443, "family": 2, "proto": 0, "flags": 0}
        return [public, {**public, "host": inner}]

    monkeypatch.setattr(network.ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr("aiohttp.connector.TCPConnector._wrap_create_connection", _never)
    address = subscription(1, port=1).replace("http://127.0.0.1:1", "https://push.example")
    assert endings(send(gateway, [outgoing(1, address)])) == {("REFUSED", "HOST_NOT_PUBLIC"): 1}


async def _never(*_: object, **__: object) -> None:
    raise AssertionError("connected")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),  # 10.0.0.1 behind a translator
        ("64:ff9b::5db8:d822", True),  # 93.184.216.34 behind one
        ("2002:a00:1::1", False),  # 10.0.0.1 in 6to4
        ("2001:0:1::1", False),
        ("nonsense", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(address: str, public: bool) -> None:
    assert network.is_public(address) is public


def test_a_local_address_is_refused_unless_it_is_allowed(peer: PushPeer) -> None:
    gateway = WebPushGateway(code="push", options={})
    assert endings(send(gateway, to_browsers(peer, range(1)))) == {("BAD_CONTACT", "BAD_ADDRESS"): 1}
    assert not peer.counts


def test_retry_after_is_seconds_or_a_date_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tayyar.gateways.webpush.client.time.time", lambda: 1_793_606_400.0
    )  # 2026-11-02 08:00
    assert [retry_seconds(text) for text in ("7", "0", "99999999999999", "", "soon")] == [7, 0.2, 3600, 5, 5]
    assert retry_seconds("Mon, 02 Nov 2026 08:00:30 GMT") == 30
    assert retry_seconds("Mon, 02 Nov 2026 07:00:00 GMT") == 0.2


def test_the_name_of_a_message_is_the_end_of_its_address() -> None:
    assert message_name("https://push.example/m/gAAAA-1:2%3D") == "gAAAA-1:2%3D"
    assert message_name("") == ""
    assert message_name("https://push.example/m/" + "a" * 300) == "a" * 120


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"concurency": 3}, "concurency is not an option"),
        ({"concurrency": 0}, "concurrency is a whole number"),
        ({"ttl_seconds": "1"}, "ttl_seconds is a whole number"),
        ({"contact": "ops@b.example"}, "contact begins with mailto"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], says: str) -> None:
    config = ProviderConfig(code="push", channel=Channel.PUSH, gateway="webpush", options=options)
    with pytest.raises(UserError, match=says):
        build(config)
