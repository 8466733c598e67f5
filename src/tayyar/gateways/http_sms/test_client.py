"""The HTTP SMS gateway against a simulated provider that it knows only by five lines of description."""

import http.server
import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tayyar.core.clock import now
from tayyar.core.crypto import seal
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.gateways.http_peer import sms
from tayyar.gateways.http_peer.faults import Faults, read_faults
from tayyar.gateways.http_peer.process import PeerProcess, read_log
from tayyar.gateways.http_sms.client import HttpSmsGateway, build
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    DeliveryKey,
    Outgoing,
    Receipt,
    ReceiptState,
    SendResult,
    SmsContent,
    Unpaced,
)
from tayyar.notifications.providers import ProviderConfig

TEXT = "فاتورة كهرباء نوفمبر: 276.00 ريال، تُدفع حتى 11 ديسمبر https://u.example/b/t"  # 78 UCS-2 units: 2 segments


def _gateway(peer: PeerProcess, **options: object) -> HttpSmsGateway:
    whole = {
        "url": f"{peer.url}/messages",
        "sender": "TAYYAR",
        "token": "T",
        "headers": {"Authorization": "Bearer ${token}"},
        "callback_secret": "s3",
        "errors": {"1201": ["NO_SUCH_NUMBER", "BAD_CONTACT"]},
        "timeout_seconds": 5,
    }
    return build(ProviderConfig("sms-b", Channel.SMS, "HTTP_SMS", options={**whole, **options}))


def _outgoing(number: int) -> Outgoing:
    return Outgoing(
        key=DeliveryKey(202611, 1, number, 0, 1, 1),
        address_sealed=seal(f"+9665{number:08d}", field=ADDRESS_FIELD),
        language="ar",
        content=SmsContent(TEXT),
        message_id=f"m{number}",
        dated=now(),
    )


def _send(gateway: HttpSmsGateway, count: int) -> list[SendResult]:
    batch = [_outgoing(number) for number in range(count)]
    try:
        results = gateway.send_batch(batch, pace=Unpaced(), stop_at=time.monotonic() + 20)
    finally:
        gateway.close()
    assert sorted(result.key for result in results) == [outgoing.key for outgoing in batch]
    return results


def _counted(results: list[SendResult]) -> Counter[tuple[str, str]]:
    return Counter((str(result.outcome), result.reason) for result in results)


def _running(folder: Path, faults: Faults | None = None, callback_url: str = ""):
    return sms.running(
        port=0, token="T", secret="s3", log=folder / "sms.jsonl", callback_url=callback_url, faults=faults
    )


def test_texts_arrive_whole_and_are_charged_as_counted(tmp_path: Path):
    with _running(tmp_path) as peer:
        results = _send(_gateway(peer), 20)
        units = peer.stats()["units"]
    assert _counted(results) == {("SENT", ""): 20}
    lines = {line["key"]: line for line in read_log(peer.log)}
    for result in results:
        line = lines[result.key.text()]
        assert (line["text"], f"sms-{line['number']}") == (TEXT, result.provider_ref)
    assert {result.segments for result in results} == {2}
    assert units == 40


def test_each_answer_has_its_own_end(tmp_path: Path):
    with _running(tmp_path, Faults(refuse="5$", error_share=0.3)) as peer:
        results = _send(_gateway(peer), 40)
        taken = peer.stats()["taken"]
    counted = _counted(results)
    assert counted["BAD_CONTACT", "NO_SUCH_NUMBER"] == 4
    assert counted["TRY_LATER", "SERVER_ERROR"] == 36 - taken > 0
    assert counted["SENT", ""] == taken


def test_above_the_permitted_segments_per_second_it_slows_down_and_all_arrive(tmp_path: Path):
    with _running(tmp_path, Faults(permitted_per_second=20)) as peer:
        results = _send(_gateway(peer), 25)
        stats = peer.stats()
    assert _counted(results) == {("SENT", ""): 25}
    assert stats["throttled"] > 0
    assert stats["most_in_a_second"] <= 20


@pytest.mark.parametrize(("after_taking", "taken_at_most"), [(True, 6), (False, 0)])
def test_a_provider_that_dies_on_each_message_ends_the_batch_with_few_in_doubt(
    tmp_path: Path, after_taking: bool, taken_at_most: int
):
    with _running(tmp_path, Faults(cut_share=1.0, lost_after_taking=after_taking)) as peer:
        counted = _counted(_send(_gateway(peer, concurrency=2), 30))
        taken = peer.stats().get("taken", 0)
    assert 3 <= counted["IN_DOUBT", "NO_ANSWER"] <= 6
    assert counted["NOT_TRIED", "SERVER_SILENT"] == 30 - counted["IN_DOUBT", "NO_ANSWER"]
    assert taken <= taken_at_most


def test_faults_can_be_mended_while_it_runs(tmp_path: Path):
    with _running(tmp_path, Faults(error_share=1.0)) as peer:
        gateway = _gateway(peer)
        assert _counted(_send(gateway, 3)) == {("TRY_LATER", "SERVER_ERROR"): 3}
        peer.set_faults(Faults())
        assert _counted(_send(gateway, 3)) == {("SENT", ""): 3}  # closed in between, and used again


@pytest.mark.parametrize(
    "raw", [[], {"colour": 1}, {"error_share": "much"}, {"refuse": "("}, {"refuse_code": True}]
)
def test_faults_that_do_not_exist_are_named(raw: object):
    with pytest.raises(UserError):
        read_faults(raw)


def test_its_port_cannot_be_taken_twice(tmp_path: Path):
    with (
        _running(tmp_path) as peer,
        pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{peer.port}"),
        sms.running(port=peer.port, token="T", secret="s3", log=tmp_path / "second.jsonl"),
    ):
        pass


def test_callbacks_tell_what_became_of_each_message(tmp_path: Path):
    rules = build(
        ProviderConfig(
            "sms-b",
            Channel.SMS,
            "http_sms",
            options={
                "url": "http://x.example",
                "sender": "T",
                "callback_secret": "s3",
                "errors": {"1201": ["NO_SUCH_NUMBER", "BAD_CONTACT"]},
            },
        )
    ).options.callback
    assert rules is not None
    receipts: list[Receipt] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert rules.is_genuine(headers=dict(self.headers), query={}, signed=body)
            receipts.extend(rules.receipts(json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    faults = Faults(undeliverable="3$", receipt_delay_seconds=0.02)
    try:
        with _running(tmp_path, faults, f"http://127.0.0.1:{receiver.server_port}/") as peer:
            results = _send(_gateway(peer), 10)
            deadline = time.monotonic() + 10
            while len(receipts) < 19 and time.monotonic() < deadline:
                time.sleep(0.02)
    finally:
        receiver.shutdown()
        receiver.server_close()
    references = {result.key: result.provider_ref for result in results}
    assert all(references[receipt.key] == receipt.provider_ref for receipt in receipts if receipt.key)
    assert Counter((receipt.state, receipt.reason) for receipt in receipts) == {
        (ReceiptState.SENT, ""): 9,
        (ReceiptState.DELIVERED, ""): 9,
        (ReceiptState.BAD_CONTACT, "NO_SUCH_NUMBER"): 1,
    }
