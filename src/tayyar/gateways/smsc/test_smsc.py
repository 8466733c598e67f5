"""The local SMSC counts what it sees, does wrong what it is told to, and runs as a process of its own."""

import json
import socket
from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.core.sms_text import encode_sms, with_headers
from tayyar.gateways.smpp import codec
from tayyar.gateways.smsc import process
from tayyar.gateways.smsc.faults import Faults
from tayyar.gateways.smsc.rate import Rate
from tayyar.gateways.smsc.server import Smsc


class Client:
    """A socket that speaks just enough."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._unread = b""
        self.ask(codec.BIND_TRANSCEIVER, codec.bind_body("a", "b"))

    def ask(self, command: int, body: bytes = b"", sequence: int = 1) -> codec.Pdu:
        self._socket.sendall(codec.pdu(command, 0, sequence, body))
        return self.next()

    def next(self) -> codec.Pdu:
        while True:
            pdus, _ = codec.split(self._unread)
            if pdus:
                self._unread = self._unread[16 + len(pdus[0].body) :]
                return pdus[0]
            octets = self._socket.recv(65_536)
            if not octets:
                raise ConnectionError
            self._unread += octets


def _submit(text: bytes = b"hi", **fields) -> bytes:
    return codec.short_message_body(
        source="S", source_ton=5, source_npi=0, destination="96650", text=text, **fields
    )


def test_a_message_in_parts_is_written_down_whole(tmp_path: Path):
    log = tmp_path / "sms.jsonl"
    text = "فاتورة الكهرباء " * 10
    encoding, parts = encode_sms(text)
    with Smsc(log=log) as smsc:
        client = Client(smsc.port)
        for part in reversed(with_headers(parts, reference=9)):
            client.ask(codec.SUBMIT_SM, _submit(part, esm_class=codec.UDHI, data_coding=8))
    (line,) = map(json.loads, log.read_text().splitlines())
    assert (line["to"], line["text"], encoding) == ("96650", text, "UCS2")


def test_a_receipt_names_the_message_and_comes_until_it_is_confirmed():
    with Smsc() as smsc:
        client = Client(smsc.port)
        named = codec.cstring(client.ask(codec.SUBMIT_SM, _submit(registered_delivery=1)).body)
        receipt = codec.parse_short_message(client.next().body)
        assert receipt.text.startswith(f"id:{named} ".encode()) and receipt.source == "96650"
        client._socket.close()
        again = Client(smsc.port)
        assert codec.parse_short_message(again.next().body) == receipt


def test_above_its_rate_it_throttles():
    with Smsc(faults=Faults(permitted_per_second=3)) as smsc:
        client = Client(smsc.port)
        assert [client.ask(codec.SUBMIT_SM, _submit()).status for _ in range(5)] == [0, 0, 0, 0x58, 0x58]
        assert smsc.stats()["most_in_a_second"] == 5


def test_the_most_in_any_second_is_exact():
    rate = Rate()
    for at in (0.0, 0.5, 0.9, 1.2, 1.4, 3.0):  # 0.5, 0.9, 1.2 and 1.4 lie within one second
        rate.add(at, 10)
    assert rate.most == 40


def test_as_a_process_it_can_be_asked_and_told():
    with process.running(port=0, faults=Faults(fail_share=1.0)) as smsc:
        client = Client(smsc.port)
        assert client.ask(codec.SUBMIT_SM, _submit()).status == 0x08
        smsc.set_faults(Faults(refused_suffix="50"))
        assert client.ask(codec.SUBMIT_SM, _submit()).status == 0x0B
        smsc.set_faults(Faults())
        assert client.ask(codec.SUBMIT_SM, _submit()).status == 0
        stats = smsc.stats()
        assert (stats["submits"], stats["taken"], stats["refused"]) == (3, 1, 2)
        assert sum(count for _, count in stats["per_100ms"]) == 3
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{smsc.port}"):
            process.start(port=smsc.port)


@pytest.mark.parametrize("text", ['{"fail_share": "all"}', '{"unheard_of": 1}', "[1]", "{"])
def test_faults_that_do_not_exist_are_refused(text: str):
    with pytest.raises(UserError):
        Faults.from_json(text)


def test_faults_read_back():
    faults = Faults(fail_share=0.5, hex_ids=True, unknown_suffix="9")
    assert Faults.from_json(faults.to_json()) == faults
