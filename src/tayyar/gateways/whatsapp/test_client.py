"""The WhatsApp gateway against the simulated Graph server, which checks each payload as Meta does."""

import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tayyar.core.clock import now
from tayyar.core.crypto import seal
from tayyar.customers.models import Channel
from tayyar.gateways.graph import server
from tayyar.gateways.http_peer.faults import Faults
from tayyar.gateways.http_peer.process import PeerProcess, read_log
from tayyar.gateways.whatsapp.client import WhatsAppGateway, build
from tayyar.gateways.whatsapp.webhook import parse_statuses, verify_signature
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    DeliveryKey,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptState,
    SendResult,
    SmsContent,
    Unpaced,
    WhatsAppContent,
)
from tayyar.notifications.providers import ProviderConfig

BILL = {
    "name": "bill_issued",
    "components": [
        {"type": "HEADER", "format": "DOCUMENT"},
        {"type": "BODY", "text": "{{1}} حتى {{2}}"},
        {
            "type": "BUTTONS",
            "buttons": [{"type": "URL", "text": "الفاتورة", "url": "https://u.example/b/{{1}}"}],
        },
    ],
}
CODE = {"name": "code", "language": "en_US", "components": [{"type": "BODY", "text": "{{what}}: {{code}}"}]}
IDENTITY = {"phone_number_id": "1122334455667", "access_token": "T0K3N", "app_secret": "s3"}
Started = Callable[..., AbstractContextManager[PeerProcess]]


@pytest.fixture
def graph(tmp_path: Path) -> Started:
    """Starts a Graph server that knows two templates."""
    templates = tmp_path / "templates.json"
    templates.write_text(json.dumps([{**BILL, "language": "ar"}, {**BILL, "language": "fr"}, CODE]))

    def start(**more: Any) -> AbstractContextManager[PeerProcess]:
        return server.running(port=0, templates=templates, log=tmp_path / "graph.jsonl", **IDENTITY, **more)

    return start


def _gateway(peer: PeerProcess | None, **options: object) -> WhatsAppGateway:
    url = peer.url if peer else "http://127.0.0.1:1"
    whole = {**IDENTITY, "verify_token": "v", "base_url": url, "timeout_seconds": 5, **options}
    return build(ProviderConfig("wa", Channel.WHATSAPP, "WHATSAPP", options=whole))


def _outgoing(number: int, *, language: str = "ar", content: object = None) -> Outgoing:
    return Outgoing(
        key=DeliveryKey(202611, 1, number, 0, 1, 1),
        address_sealed=seal(f"+9665{number:08d}", field=ADDRESS_FIELD),
        language=language,
        content=content
        or WhatsAppContent("bill_issued", ("276.00\nريال", "11"), "https://u.example/p", "ف.pdf", "t"),
        message_id=f"m{number}",
        dated=now(),
    )


def _send(gateway: WhatsAppGateway, *batch: Outgoing, seconds: float = 20.0) -> list[SendResult]:
    try:
        results = gateway.send_batch(batch, pace=Unpaced(), stop_at=time.monotonic() + seconds)
    finally:
        gateway.close()
    assert sorted(result.key for result in results) == sorted(outgoing.key for outgoing in batch)
    return results


def _counted(results: list[SendResult]) -> Counter[tuple[str, str]]:
    return Counter((str(result.outcome), result.reason) for result in results)


def test_messages_arrive_whole_each_under_its_own_reference(graph: Started):
    with graph() as peer:
        results = _send(_gateway(peer), *(_outgoing(number) for number in range(1, 51)))
        lines = list(read_log(peer.log))
    assert _counted(results) == {("SENT", ""): 50}
    assert len({result.provider_ref for result in results}) == 50
    assert {line["key"] for line in lines} == {result.key.text() for result in results}
    body = lines[0]["components"][1]["parameters"]
    assert [parameter["text"] for parameter in body] == ["276.00 ريال", "11"]


def test_named_parameters_and_mapped_languages_are_taken(graph: Started):
    with graph() as peer:
        gateway = _gateway(peer, languages={"en": "en_US"}, parameter_names={"code": ["what", "code"]})
        content = WhatsAppContent("code", ("Sign in", "123456"))
        results = _send(
            gateway,
            _outgoing(1, language="en", content=content),
            _outgoing(2, language="fr", content=content),
        )
    assert sorted(_counted(results)) == [("REFUSED", "LANGUAGE_NOT_OFFERED"), ("SENT", "")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (WhatsAppContent("unheard_of", ()), "TEMPLATE_UNKNOWN"),
        (WhatsAppContent("bill_issued", ("1",), "https://u.example/p", "f", "t"), "TEMPLATE_PARAMETER_COUNT"),
        (WhatsAppContent("bill_issued", ("1", "2"), "", "", "t"), "TEMPLATE_PARAMETER_FORMAT"),
        (WhatsAppContent("bill_issued", ("1", "2"), "https://u.example/p", "f"), "PARAMETER_MISSING"),
        (WhatsAppContent("bill_issued", ("1", "\n"), "https://u.example/p", "f", "t"), "BAD_PARAMETER"),
        (SmsContent("no template"), "BAD_CONTENT"),
    ],
)
def test_a_message_that_its_template_does_not_fit_is_refused_alone(
    graph: Started, content: object, reason: str
):
    with graph() as peer:
        results = _send(_gateway(peer), _outgoing(1, content=content), _outgoing(2))
    assert _counted(results) == {("REFUSED", reason): 1, ("SENT", ""): 1}


def test_a_server_error_is_for_later_and_the_rest_goes_on(graph: Started):
    with graph(faults=Faults(error_share=0.5)) as peer:
        results = _send(_gateway(peer), *(_outgoing(number) for number in range(40)))
        taken = peer.stats()["taken"]
    counted = _counted(results)
    assert set(counted) == {("SENT", ""), ("TRY_LATER", "SERVER_ERROR")}
    assert counted["SENT", ""] == taken


def test_a_number_that_is_not_on_whatsapp_is_a_bad_contact(graph: Started):
    with graph(faults=Faults(refuse="7$")) as peer:
        results = _send(_gateway(peer), *(_outgoing(number) for number in range(10)))
    assert _counted(results) == {("SENT", ""): 9, ("BAD_CONTACT", "NOT_ON_WHATSAPP"): 1}


def test_above_the_permitted_rate_it_slows_down_and_all_arrive(graph: Started):
    with graph(faults=Faults(permitted_per_second=20)) as peer:
        results = _send(_gateway(peer), *(_outgoing(number) for number in range(45)))
        stats = peer.stats()
    assert _counted(results) == {("SENT", ""): 45}
    assert stats["throttled"] > 0
    assert stats["most_in_a_second"] <= 20


def test_a_message_whose_connection_is_cut_after_it_was_taken_is_in_doubt(graph: Started):
    with graph(faults=Faults(cut_share=0.2)) as peer:
        results = _send(_gateway(peer, concurrency=1), *(_outgoing(number) for number in range(40)))
        stats = peer.stats()
    counted = _counted(results)
    assert counted["IN_DOUBT", "NO_ANSWER"] == stats["lost"] > 0
    assert counted["SENT", ""] + counted["IN_DOUBT", "NO_ANSWER"] == stats["taken"]
    assert counted.total() == 40


def test_a_server_that_hangs_keeps_few_in_doubt_and_the_rest_untried(graph: Started):
    with graph(faults=Faults(hang_share=1.0)) as peer:
        gateway = _gateway(peer, concurrency=4, timeout_seconds=1)
        results = _send(gateway, *(_outgoing(number) for number in range(30)))
        taken = peer.stats()["taken"]
    counted = _counted(results)
    # four at once, and no more after the third silence; a place that fell free before it may be taken again
    assert 3 <= counted["IN_DOUBT", "NO_ANSWER"] <= 8
    assert counted["IN_DOUBT", "NO_ANSWER"] == taken
    assert counted["NOT_TRIED", "SERVER_SILENT"] == 30 - taken


def test_without_a_server_nothing_was_tried():
    results = _send(_gateway(None), *(_outgoing(number) for number in range(40)))
    assert _counted(results) == {("NOT_TRIED", "SERVER_UNREACHABLE"): 40}


@pytest.mark.parametrize(
    ("options", "faults", "reason"),
    [
        ({"access_token": "stale"}, Faults(), "TOKEN_INVALID"),
        ({"phone_number_id": "99"}, Faults(), "SENDER_UNKNOWN"),
        ({}, Faults(refuse=".", refuse_code=131031), "ACCOUNT_LOCKED"),
    ],
)
def test_what_is_our_fault_costs_no_message_its_attempt(
    graph: Started, options: dict[str, object], faults: Faults, reason: str
):
    with graph(faults=faults) as peer:
        results = _send(
            _gateway(peer, concurrency=2, **options), *(_outgoing(number) for number in range(20))
        )
        requests = peer.stats()["requests"]
    assert _counted(results) == {("NOT_TRIED", reason): 20}
    assert requests <= 4


def test_an_address_that_cannot_be_opened_or_is_no_number_is_not_handed_over():
    sealed = _outgoing(1)
    wrong = [
        Outgoing(sealed.key, b"\x01?", "ar", sealed.content, "m", now()),
        Outgoing(sealed.key, seal("a@b.example", field=ADDRESS_FIELD), "ar", sealed.content, "m", now()),
    ]
    assert _counted(_send(_gateway(None), *wrong)) == {
        ("TRY_LATER", "ADDRESS_SEALED"): 1,
        ("BAD_CONTACT", "BAD_ADDRESS"): 1,
    }


def test_connections_last_from_batch_to_batch_and_outlive_a_restart_of_the_server(graph: Started):
    with graph() as peer:
        gateway = _gateway(peer, concurrency=1)
        stop_at = time.monotonic() + 20
        first = gateway.send_batch([_outgoing(1)], pace=Unpaced(), stop_at=stop_at)
        second = gateway.send_batch([_outgoing(2)], pace=Unpaced(), stop_at=stop_at)
        port = peer.port
    with server.running(port=port, templates=peer.log.parent / "templates.json", log=peer.log, **IDENTITY):
        third = _send(gateway, _outgoing(3))
    assert _counted(first + second + third) == {("SENT", ""): 3}
    assert len({line["from_port"] for line in read_log(peer.log)}) == 2


class Receiver:
    """Takes webhooks as our view would: genuine ones only. Answers the first `refused` with 503."""

    def __init__(self, *, refused: int = 0) -> None:
        self.receipts: list[Receipt] = []
        self.calls = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.calls += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken = receiver.calls > refused
                if taken:
                    assert verify_signature(body, self.headers["X-Hub-Signature-256"], "s3")
                    receiver.receipts += parse_statuses(json.loads(body))
                self.send_response(200 if taken else 503)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def until(self, count: int) -> list[Receipt]:
        """The receipts once there are so many."""
        deadline = time.monotonic() + 10
        while len(self.receipts) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.receipts) == count
        return self.receipts

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    """Makes receivers and ends them."""
    made: list[Receiver] = []

    def make(**options: int) -> Receiver:
        made.append(Receiver(**options))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


def test_the_webhook_tells_every_state_of_every_message_by_key_and_reference(
    graph: Started, receivers: Callable[..., Receiver]
):
    receiver = receivers(refused=1)
    faults = Faults(read_share=1.0, undeliverable="3$", receipt_delay_seconds=0.05)
    with graph(callback_url=receiver.url, faults=faults) as peer:
        results = _send(_gateway(peer), *(_outgoing(number) for number in range(10)))
        receipts = receiver.until(9 * 3 + 1)
    references = {result.key: result.provider_ref for result in results}
    assert all(references[receipt.key] == receipt.provider_ref for receipt in receipts)
    states = Counter(receipt.state for receipt in receipts)
    assert states == {"SENT": 9, "DELIVERED": 9, "READ": 9, ReceiptState.BAD_CONTACT: 1}
    assert receipts[0].pricing == "utility PMP regular billable"


def test_receipts_may_come_twice_backwards_and_before_the_answer(
    graph: Started, receivers: Callable[..., Receiver]
):
    receiver = receivers()
    faults = Faults(duplicate_share=1.0, reorder_share=1.0, early_share=1.0, receipt_delay_seconds=0.05)
    with graph(callback_url=receiver.url, faults=faults) as peer:
        gateway = _gateway(peer)
        sending = threading.Thread(target=_send, args=(gateway, _outgoing(1)))
        sending.start()
        first = _first(receiver)
        assert sending.is_alive()  # its request has no answer yet
        sending.join()
        receipts = receiver.until(4)
    assert first.state is ReceiptState.DELIVERED
    assert Counter(receipt.state for receipt in receipts) == {"DELIVERED": 2, "SENT": 2}


def test_a_message_in_doubt_is_settled_by_the_receipt_that_echoes_its_key(
    graph: Started, receivers: Callable[..., Receiver]
):
    receiver = receivers()
    with graph(callback_url=receiver.url, faults=Faults(cut_share=1.0, receipt_delay_seconds=0.05)) as peer:
        (result,) = _send(_gateway(peer), _outgoing(1))
        receipts = receiver.until(2)
    assert result.outcome is Outcome.IN_DOUBT
    assert {receipt.key for receipt in receipts} == {result.key}


def _first(receiver: Receiver) -> Receipt:
    deadline = time.monotonic() + 10
    while not receiver.receipts and time.monotonic() < deadline:
        time.sleep(0.005)
    return receiver.receipts[0]
