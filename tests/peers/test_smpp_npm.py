"""The SMPP gateway against an SMSC made of the npm package `smpp`, which shares no code with ours.

Needs node, npm and its registry; skipped, with the reason, where one is missing. Nothing is installed into the
project: the package goes to a temporary folder.
"""

import contextlib
import datetime as dt
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tayyar.core import crypto
from tayyar.gateways.smpp.gateway import SmppGateway
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
)

HERE = Path(__file__).parent / "smpp_peer"
ARABIC = (
    "عزيزنا المشترك، صدرت فاتورة الكهرباء لشهر نوفمبر 2026 بمبلغ 123.45 ريالا، وآخر موعد للسداد 15 ديسمبر. "
    "لعرض الفاتورة: https://tayyar.example/b/AbCdEf 😀 شكرا لكم."
)


class Peer:
    """The running peer and what it tells, line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.facts: list[dict[str, Any]] = []
        assert process.stdout is not None
        self.port = json.loads(process.stdout.readline())["port"]
        self._reading = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reading.start()

    def _read(self, lines: Any) -> None:
        for line in lines:
            self.facts.append(json.loads(line))

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [fact for fact in self.facts if "to" in fact]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed (Debian: nodejs, npm)")
    folder = tmp_path_factory.mktemp("smpp_peer")
    for name in ("package.json", "package-lock.json", "peer.js"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("the npm package smpp cannot be installed: the registry does not answer")
    return folder


@pytest.fixture
def peer(installed: Path) -> Iterator[Callable[..., Peer]]:
    with contextlib.ExitStack() as stack:

        def start(**wrong: Any) -> Peer:
            command = ["node", "peer.js", json.dumps(wrong)]
            process = subprocess.Popen(command, cwd=installed, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return Peer(process)

        yield start


@pytest.fixture(autouse=True)
def _keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TAYYAR_KEYS", str(tmp_path / "keys.json"))
    crypto.keys.cache_clear()
    yield
    crypto.keys.cache_clear()


@pytest.fixture
def gateway_to() -> Iterator[Callable[..., SmppGateway]]:
    with contextlib.ExitStack() as stack:

        def make(peer: Peer, **options: Any) -> SmppGateway:
            given = {
                "host": "127.0.0.1",
                "port": peer.port,
                "system_id": "tayyar",
                "password": "secret",
                "source": "Tayyar",
                "answer_timeout_seconds": 1.0,
            }
            gateway = SmppGateway(code="npm", options=given | options)
            stack.callback(gateway.close)
            return gateway

        yield make


def _send(
    gateway: SmppGateway, texts: list[str], *, seconds: float = 15, is_urgent: bool = False
) -> list[SendResult]:
    dated = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
    batch = [
        Outgoing(
            DeliveryKey(202611, 1, number, 0, 1, 1),
            crypto.seal(f"+9665{number:08}", field=ADDRESS_FIELD),
            "ar",
            SmsContent(text),
            "id",
            dated,
            is_urgent,
        )
        for number, text in enumerate(texts)
    ]
    results = gateway.send_batch(batch, pace=Unpaced(), stop_at=time.monotonic() + seconds)
    assert {result.key for result in results} == {outgoing.key for outgoing in batch}
    assert len(results) == len(batch)
    return results


def _receipts(gateway: SmppGateway, count: int, *, seconds: float = 10) -> list[Receipt]:
    found: list[Receipt] = []
    until = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        came = gateway.receipts()
        gateway.confirm(came)
        found += came
        time.sleep(0.01)
    return found


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)


def test_an_arabic_bill_in_several_parts_arrives_whole(peer, gateway_to):
    there = peer()
    gateway = gateway_to(there)
    (result,) = _send(gateway, [ARABIC])
    assert (result.outcome, result.segments) == (Outcome.SENT, 3)
    (message,) = there.messages
    assert message["text"] == ARABIC
    assert (message["to"], message["ton"], message["npi"]) == ("966500000000", 1, 1)
    assert (message["from"], message["coding"]) == ("Tayyar", 8)
    (receipt,) = _receipts(gateway, 1)
    assert (receipt.state, receipt.provider_ref) == (ReceiptState.DELIVERED, result.provider_ref)
    assert receipt.address == "+966500000000"
    _wait(lambda: {"confirmed": 0} in there.facts)
    assert there.facts.count({"confirmed": 0}) == 1


def test_latin_letters_and_the_extension_table_arrive_whole(peer, gateway_to):
    there = peer()
    text = "Your bill [November]: 45.20€ {due 15/12} ~ Müller & Øre é ñ £ @ ^ \\ |"
    (result,) = _send(gateway_to(there), [text])
    assert result.segments == 1
    assert [(message["text"], message["coding"]) for message in there.messages] == [(text, 0)]


def test_throttling_is_obeyed_and_nothing_is_lost(peer, gateway_to):
    there = peer(throttleEvery=7)
    results = _send(gateway_to(there), [f"رسالة {number}" for number in range(60)])
    assert Counter(result.outcome for result in results) == {Outcome.SENT: 60}
    assert Counter(message["text"] for message in there.messages) == {
        f"رسالة {number}": 1 for number in range(60)
    }


def test_an_smsc_that_says_nothing_leaves_messages_in_doubt(peer, gateway_to):
    there = peer(silentEvery=5)
    results = _send(gateway_to(there), ["x"] * 20)
    assert Counter(result.outcome for result in results) == {Outcome.SENT: 16, Outcome.IN_DOUBT: 4}
    assert len(there.messages) == 16


def test_lost_answers_are_settled_by_receipts_with_the_address(peer, gateway_to):
    gateway = gateway_to(peer(loseAnswerEvery=5))
    results = _send(gateway, ["x"] * 20)
    doubtful = [result for result in results if result.outcome is Outcome.IN_DOUBT]
    known = {result.provider_ref for result in results if result.outcome is Outcome.SENT}
    assert len(doubtful) == 4
    unknown = [receipt for receipt in _receipts(gateway, 20) if receipt.provider_ref not in known]
    assert {receipt.address for receipt in unknown} == {f"+9665{result.key.ref:08}" for result in doubtful}


def test_late_answers_settle_the_doubt_by_key(peer, gateway_to):
    gateway = gateway_to(peer(answerAfterMs=1500, receiptAfterMs=1700))
    results = _send(gateway, ["x", ARABIC])
    assert {result.outcome for result in results} == {Outcome.IN_DOUBT}
    late = _receipts(gateway, 2)
    assert {(receipt.state, receipt.key) for receipt in late} == {
        (ReceiptState.SENT, result.key) for result in results
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"receiptAfterMs": 500},
        {"textOnly": True},
        {"hexIds": True},
        {"hexIds": True, "textOnly": True, "answerAfterMs": 50},
    ],
    ids=json.dumps,
)
def test_receipts_are_matched(peer, gateway_to, wrong: dict[str, Any]):
    gateway = gateway_to(peer(**wrong))
    results = _send(gateway, ["x"] * 30)
    assert {receipt.provider_ref for receipt in _receipts(gateway, 30)} == {
        result.provider_ref for result in results
    }


def test_duplicate_receipts_come_twice_and_are_both_confirmed(peer, gateway_to):
    there = peer(duplicateReceipts=True)
    gateway = gateway_to(there)
    results = _send(gateway, ["x"] * 10)
    receipts = _receipts(gateway, 20)
    assert Counter(receipt.provider_ref for receipt in receipts) == {
        result.provider_ref: 2 for result in results
    }
    _wait(lambda: there.facts.count({"confirmed": 0}) == 20)
    assert there.facts.count({"confirmed": 0}) == 20


def test_a_one_time_code_is_worth_ten_minutes(peer, gateway_to):
    there = peer()
    began = dt.datetime.now(dt.UTC)
    _send(gateway_to(there), ["123456"], is_urgent=True)
    until = dt.datetime.fromisoformat(there.messages[0]["validity"])
    assert dt.timedelta(minutes=9, seconds=55) < until - began < dt.timedelta(minutes=10, seconds=30)
