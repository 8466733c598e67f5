"""The gateway against the local SMSC and each of its faults; tests/peers has SMSCs that are not ours."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tayyar.core.crypto import seal
from tayyar.core.errors import UserError
from tayyar.gateways.smpp import flow
from tayyar.gateways.smpp.gateway import SmppGateway
from tayyar.gateways.smsc.faults import Faults
from tayyar.gateways.smsc.server import Smsc
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

ARABIC = "فاتورة الكهرباء لشهر نوفمبر جاهزة. المبلغ 123.45 ريال، وآخر موعد للسداد 15 ديسمبر. شكرا لكم. " * 2


@pytest.fixture(autouse=True)
def _keys(tmp_path, monkeypatch):
    from tayyar.core import crypto

    monkeypatch.setenv("TAYYAR_KEYS", str(tmp_path / "keys.json"))
    crypto.keys.cache_clear()
    yield
    crypto.keys.cache_clear()


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc(keep=True) as server:
        yield server


class Bench:
    """A gateway and what it said."""

    def __init__(self, port: int, **options: Any) -> None:
        given = {
            "host": "127.0.0.1", "port": port, "system_id": "tayyar", "password": "secret", "source": "Tayyar",
            "answer_timeout_seconds": 0.4, **options,
        }  # fmt: skip
        self.gateway = SmppGateway(code="test", options=given)

    def send(
        self, texts: list[str], *, seconds: float = 5.0, pace: Any = None, **changes: Any
    ) -> list[SendResult]:
        """Send texts to +96650000000N; one result for each, in the order of the texts."""
        batch = [message(number, text, **changes) for number, text in enumerate(texts)]
        results = self.gateway.send_batch(batch, pace=pace or Unpaced(), stop_at=time.monotonic() + seconds)
        assert Counter(result.key for result in results) == Counter(outgoing.key for outgoing in batch)
        return sorted(results, key=lambda result: result.key)

    def receipts(self, count: int, *, seconds: float = 5.0) -> list[Receipt]:
        """Wait for so many, and confirm them."""
        found: list[Receipt] = []
        until = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < until:
            came = self.gateway.receipts()
            self.gateway.confirm(came)
            found += came
            time.sleep(0.005)
        return found


@pytest.fixture
def bench(smsc: Smsc) -> Iterator[Bench]:
    made = Bench(smsc.port)
    yield made
    made.gateway.close()


def message(number: int, text: str, *, address: str = "", is_urgent: bool = False) -> Outgoing:
    key = DeliveryKey(202611, 1, number, 0, 1, 1)
    sealed = seal(address or f"+9665{number:08}", field=ADDRESS_FIELD)
    return Outgoing(
        key, sealed, "ar", SmsContent(text), "id", dt.datetime(2026, 11, 28, tzinfo=dt.UTC), is_urgent
    )


def outcomes(results: list[SendResult]) -> Counter[tuple[Outcome, str]]:
    return Counter((result.outcome, result.reason) for result in results)


def test_messages_are_taken_and_their_receipts_come_under_the_same_name(smsc: Smsc, bench: Bench):
    results = bench.send([f"رسالة {number}" for number in range(500)])
    assert outcomes(results) == {(Outcome.SENT, ""): 500}
    receipts = bench.receipts(500)
    assert {receipt.provider_ref: receipt.address for receipt in receipts} == {
        result.provider_ref: f"+9665{result.key.ref:08}" for result in results
    }
    assert {receipt.state for receipt in receipts} == {ReceiptState.DELIVERED}
    assert smsc.received[0] == ("966500000000", "رسالة 0")


def test_a_long_arabic_text_arrives_whole_and_is_charged_by_its_parts(smsc: Smsc, bench: Bench):
    results = bench.send([ARABIC, "short", ARABIC + "2"])
    assert [result.segments for result in results] == [3, 1, 3]
    assert sorted(smsc.received) == [
        ("966500000000", ARABIC), ("966500000001", "short"), ("966500000002", ARABIC + "2"),
    ]  # fmt: skip
    assert {receipt.provider_ref for receipt in bench.receipts(3)} == {
        result.provider_ref for result in results
    }
    assert bench.receipts(1, seconds=0.2) == []  # the last part alone is receipted


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"address": "0512345678"}, Outcome.BAD_CONTACT, "BAD_ADDRESS"),
        ({"address": "someone@example.com"}, Outcome.BAD_CONTACT, "BAD_ADDRESS"),
        ({"text": "a" * 153 * 256}, Outcome.REFUSED, "BAD_CONTENT"),
    ],
)
def test_what_can_never_be_sent_is_not_offered(smsc, bench, changes, outcome, reason):
    text = changes.pop("text", "x")
    assert outcomes(bench.send([text], **changes)) == {(outcome, reason): 1}
    assert smsc.counts["submits"] == 0


def test_an_address_whose_key_is_missing_may_be_opened_later(bench: Bench):
    outgoing = message(1, "x")
    altered = Outgoing(outgoing.key, b"\1\1" + b"x" * 40, "ar", outgoing.content, "id", outgoing.dated)
    results = bench.gateway.send_batch([altered], pace=Unpaced(), stop_at=time.monotonic() + 5)
    assert outcomes(results) == {(Outcome.TRY_LATER, "ADDRESS_SEALED"): 1}


def test_a_throttled_message_is_offered_again_until_it_is_taken(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(throttle_every=10)
    results = bench.send(["x"] * 100, seconds=10)
    assert outcomes(results) == {(Outcome.SENT, ""): 100}
    assert smsc.counts["throttled"] > 0 and smsc.counts["taken"] == 100
    assert bench.gateway._flow.window < bench.gateway.options.window


def test_parts_throttled_in_the_middle_are_sent_again_without_the_others(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(throttle_every=4)
    assert outcomes(bench.send([ARABIC] * 5, seconds=20)) == {(Outcome.SENT, ""): 5}
    assert smsc.counts["taken"] == 15
    assert sorted(text for _, text in smsc.received) == [ARABIC] * 5


def test_an_smsc_that_only_throttles_is_not_stormed_and_nothing_counts_as_tried(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(throttle_every=1)
    assert outcomes(bench.send(["x"] * 1000, seconds=1)) == {(Outcome.NOT_TRIED, "THROTTLED"): 1000}
    assert smsc.counts["submits"] < 500  # two windows, then halves with growing pauses


def test_refusals_are_told_by_their_codes(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(refused_suffix="3")
    results = bench.send(["x"] * 10)
    assert outcomes(results) == {(Outcome.SENT, ""): 9, (Outcome.BAD_CONTACT, "BAD_ADDRESS"): 1}
    for status, expected in ((0x08, "SERVER_ERROR"), (0x0A, "SENDER_REFUSED"), (0x0401, "STATUS_0401")):
        smsc.faults = Faults(fail_share=1, fail_status=status)
        assert outcomes(bench.send(["x"])) == {(Outcome.TRY_LATER, expected): 1}
    smsc.faults = Faults(fail_share=1, fail_status=0x65)
    assert outcomes(bench.send([ARABIC])) == {(Outcome.REFUSED, "REFUSED"): 1}


def test_unanswered_messages_are_in_doubt_and_their_bind_is_replaced(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(hang_share=0.1)
    results = bench.send(["x"] * 100)
    found = outcomes(results)
    assert found == {
        (Outcome.SENT, ""): smsc.counts["taken"],
        (Outcome.IN_DOUBT, "NO_ANSWER"): smsc.counts["hung"],
    }
    assert smsc.counts["hung"] > 0
    smsc.faults = Faults()
    assert outcomes(bench.send(["x"] * 100)) == {(Outcome.SENT, ""): 100}
    until = time.monotonic() + 5
    while smsc.counts["accepted_binds"] <= 2 and time.monotonic() < until:
        bench.gateway.receipts()
    assert smsc.counts["accepted_binds"] > 2


def test_a_late_answer_settles_the_doubt_by_key(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(answer_delay_seconds=0.8, missing_receipt_share=1)
    results = bench.send(["x", ARABIC, "y"])
    assert outcomes(results) == {(Outcome.IN_DOUBT, "NO_ANSWER"): 3}
    late = bench.receipts(3)
    assert {receipt.key for receipt in late} == {result.key for result in results}
    assert {receipt.state for receipt in late} == {ReceiptState.SENT}
    assert all(receipt.provider_ref for receipt in late)


def test_a_lost_answer_leaves_doubt_that_the_receipt_can_settle_by_address(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(lost_answer_share=1)
    assert outcomes(bench.send(["x"])) == {(Outcome.IN_DOUBT, "NO_ANSWER"): 1}
    (receipt,) = bench.receipts(1)
    assert (receipt.state, receipt.address) == (ReceiptState.DELIVERED, "+966500000000")


def test_a_connection_cut_after_submit_leaves_no_more_than_a_window_in_doubt(smsc: Smsc):
    bench = Bench(smsc.port, binds=1, window=10)
    smsc.faults = Faults(disconnect_after=100)
    results = bench.send(["x"] * 1000, seconds=60)
    found = outcomes(results)
    assert set(found) <= {(Outcome.SENT, ""), (Outcome.IN_DOUBT, "CONNECTION_LOST")}
    assert 0 < found[Outcome.IN_DOUBT, "CONNECTION_LOST"] <= 10 * smsc.counts["cut"]
    # Whatever was reported as sent was taken; what was taken without being reported is in doubt.
    assert found[Outcome.SENT, ""] <= smsc.counts["taken"] <= 1000
    bench.gateway.close()


def test_a_message_of_which_a_part_is_missing_is_never_called_sent(smsc: Smsc):
    bench = Bench(smsc.port, binds=1, window=2)
    smsc.faults = Faults(disconnect_after=7)
    results = bench.send([ARABIC] * 10, seconds=10)
    sent = sum(result.outcome is Outcome.SENT for result in results)
    assert sent <= len(smsc.received)
    assert set(outcomes(results)) <= {
        (Outcome.SENT, ""), (Outcome.IN_DOUBT, "CONNECTION_LOST"), (Outcome.TRY_LATER, "CONNECTION_LOST"),
    }  # fmt: skip
    bench.gateway.close()


def test_an_absent_smsc_is_told_at_once_and_sought_less_and_less():
    with Smsc() as gone:
        port = gone.port
    bench = Bench(port)
    began = time.monotonic()
    assert outcomes(bench.send(["x"] * 5)) == {(Outcome.NOT_TRIED, "SERVER_UNREACHABLE"): 5}
    assert time.monotonic() - began < 2
    with Smsc(port=port) as back:
        until = time.monotonic() + 5
        while not back.counts["accepted_binds"] and time.monotonic() < until:
            bench.gateway.receipts()
            time.sleep(0.01)
        assert outcomes(bench.send(["x"] * 5)) == {(Outcome.SENT, ""): 5}
        bench.gateway.close()


def test_a_refused_bind_is_told_and_not_tried_again_and_again(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(refuse_binds=True)
    assert outcomes(bench.send(["x"] * 5)) == {(Outcome.NOT_TRIED, "BIND_REFUSED"): 5}
    tried = smsc.counts["refused_binds"]
    assert tried <= 2
    for _ in range(50):
        bench.gateway.receipts()
        time.sleep(0.005)
    bench.send(["x"])
    assert smsc.counts["refused_binds"] == tried


def test_unconfirmed_receipts_come_again(smsc: Smsc, bench: Bench):
    bench.send(["x"] * 3)
    time.sleep(0.1)
    first = bench.gateway.receipts()
    bench.gateway.close()
    again = bench.receipts(3)
    assert {receipt.provider_ref for receipt in again} == {receipt.provider_ref for receipt in first}
    assert len(first) == 3
    bench.gateway.confirm(first)  # of a bind that is gone: passed over
    bench.gateway.close()
    assert bench.receipts(1, seconds=0.3) == []
    assert smsc.counts["confirmed"] == 3


@pytest.mark.parametrize(
    "faults",
    [
        Faults(receipt_delay_seconds=0.1, reordered_receipts=True),
        Faults(receipts_first=True),
        Faults(hex_ids=True),
        Faults(hex_ids=True, tlvs=False),
        Faults(tlvs=False),
    ],
    ids=lambda faults: faults.to_json(),
)
def test_receipts_name_their_messages_however_they_come(smsc: Smsc, bench: Bench, faults: Faults):
    smsc.faults = faults
    results = bench.send(["x"] * 200)
    receipts = bench.receipts(200)
    assert {receipt.provider_ref for receipt in receipts} == {result.provider_ref for result in results}


def test_duplicate_and_missing_receipts_are_passed_on_as_they_are(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(duplicate_receipt_share=1)
    bench.send(["x"] * 20)
    assert set(Counter(receipt.provider_ref for receipt in bench.receipts(40)).values()) == {2}
    smsc.faults = Faults(missing_receipt_share=1)
    bench.send(["x"] * 20)
    assert bench.receipts(1, seconds=0.2) == []


def test_an_undelivered_message_and_a_number_that_does_not_exist_differ(smsc: Smsc, bench: Bench):
    smsc.faults = Faults(undeliverable_share=1, unknown_suffix="7")
    bench.send(["x"] * 10)
    assert Counter((receipt.state, receipt.reason) for receipt in bench.receipts(10)) == {
        (ReceiptState.FAILED, "PHONE_OFF"): 9,
        (ReceiptState.BAD_CONTACT, "NO_SUCH_NUMBER"): 1,
    }


def test_a_message_from_a_phone_is_answered_and_counted(smsc: Smsc, bench: Bench):
    bench.send(["x"])
    bench.receipts(1)
    smsc.say_from_phone("966512345678", "Tayyar", "id:1 stat:DELIVRD")
    assert bench.receipts(1, seconds=0.3) == []
    assert bench.gateway.counters == {"FROM_PHONES": 1}
    assert smsc.counts["confirmed"] == 2


class Steady:
    """Permits one segment each time, and remembers what it granted."""

    def __init__(self, most: int) -> None:
        self.most, self.granted = most, 0

    def allowance(self, wanted: int) -> int:
        granted = min(wanted, self.most)
        self.granted += granted
        return granted

    def wait_seconds(self) -> float:
        return 0.001


def test_what_pace_grants_is_handed_over_segment_by_segment(smsc: Smsc, bench: Bench):
    pace = Steady(2)
    assert outcomes(bench.send([ARABIC, "x"] * 10, pace=pace)) == {(Outcome.SENT, ""): 20}
    assert pace.granted == smsc.counts["submits"] == 40
    assert sorted(text for _, text in smsc.received) == ["x"] * 10 + [ARABIC] * 10


class Forbidden:
    """Permits nothing."""

    def allowance(self, wanted: int) -> int:
        return 0

    def wait_seconds(self) -> float:
        return 0.05


def test_what_pace_forbids_is_not_tried(smsc: Smsc, bench: Bench):
    results = bench.send(["x"] * 5, pace=Forbidden(), seconds=0.3)
    assert outcomes(results) == {(Outcome.NOT_TRIED, "OUT_OF_TIME"): 5}
    assert smsc.counts["submits"] == 0


def test_nothing_begins_after_the_time_to_stop(smsc: Smsc, bench: Bench):
    assert outcomes(bench.send(["x"] * 5, seconds=-1)) == {(Outcome.NOT_TRIED, "OUT_OF_TIME"): 5}
    assert smsc.counts["submits"] == 0


def test_an_interrupted_batch_leaves_the_gateway_usable(smsc: Smsc, bench: Bench):
    class Interrupting(Unpaced):
        granted = 0

        def allowance(self, wanted: int) -> int:
            if self.granted:
                raise KeyboardInterrupt
            self.granted = 5
            return 5

    smsc.faults = Faults(answer_delay_seconds=0.2, missing_receipt_share=1)
    with pytest.raises(KeyboardInterrupt):
        bench.send(["x"] * 20, pace=Interrupting())
    late = bench.receipts(5)
    assert [receipt.state for receipt in late] == [ReceiptState.SENT] * 5
    smsc.faults = Faults()
    assert outcomes(bench.send(["x"] * 20)) == {(Outcome.SENT, ""): 20}


def test_separate_transmitters_and_receivers(smsc: Smsc):
    bench = Bench(smsc.port, bind_as="SEPARATE")
    results = bench.send(["x"] * 50)
    assert {receipt.provider_ref for receipt in bench.receipts(50)} == {
        result.provider_ref for result in results
    }
    assert smsc.counts["accepted_binds"] == 4
    bench.gateway.close()


def test_a_transmitter_sends_and_leaves_receipts_to_another_bind(smsc: Smsc, bench: Bench):
    sender = Bench(smsc.port, bind_as="TRANSMITTER")
    results = sender.send(["x"] * 5)
    assert sender.receipts(1, seconds=0.3) == []
    assert {receipt.provider_ref for receipt in bench.receipts(5)} == {
        result.provider_ref for result in results
    }
    sender.gateway.close()


def test_silence_is_ended_by_asking_and_a_dead_bind_is_replaced(smsc: Smsc, bench: Bench, monkeypatch):
    from tayyar.gateways.smpp import connection

    bench.send(["x"])
    bench.receipts(1)
    monkeypatch.setattr(connection, "ENQUIRE_SECONDS", 0.1)
    bench.receipts(1, seconds=0.4)
    assert smsc.counts["enquiries"] >= 2
    assert smsc.counts["accepted_binds"] == 2


def test_the_window_shrinks_once_for_what_was_under_way_and_is_given_back():
    window = flow.Flow(100)
    window.throttled(sent_at=1.0, now=2.0)
    window.throttled(sent_at=1.5, now=2.1)
    assert (window.window, window.paused_until) == (50, 2.1)
    window.throttled(sent_at=3.0, now=3.1)
    assert window.window == 25
    for _ in range(2000):
        window.taken()
    assert window.window == 100 and not window.is_shrunk


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"port": "2775"}, "port"),
        ({"source": "A sender too long"}, "source"),
        ({"window": 0}, "window"),
        ({"receipt_id": "HEX"}, "receipt_id"),
        ({"receipt_errors": {"001": "no such"}}, "receipt_errors"),
        ({"answer_timeout_seconds": True}, "answer_timeout_seconds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_option_is_named_with_its_provider(change, named):
    with pytest.raises(UserError, match=f"test.*{named}"):
        SmppGateway(
            code="test",
            options={"host": "h", "port": 2775, "system_id": "a", "password": "b", "source": "S", **change},
        )


def test_a_missing_option_is_named():
    with pytest.raises(UserError, match=r"test.*host is missing"):
        SmppGateway(code="test", options={})
