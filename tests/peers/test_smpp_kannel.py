"""The SMPP gateway against drive_smpp, the SMSC that Debian's kannel-extras ships to test Kannel itself.

What it can judge: binds (a transmitter and a receiver; it knows no transceiver), submit_sm in one part and several,
answers that name nothing, its own deliver_sm and enquire_link answered rightly, unbind. It sends no receipts and
prints a text as C does, so Arabic and receipts are for test_smpp_npm.py.
"""

import datetime as dt
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tayyar.core import crypto
from tayyar.gateways.smpp.gateway import SmppGateway
from tayyar.notifications.ports import ADDRESS_FIELD, DeliveryKey, Outcome, Outgoing, SmsContent, Unpaced

DRIVE_SMPP = Path("/usr/lib/kannel/test/drive_smpp")
FROM_PHONES = 7  # messages that it delivers to whoever binds as receiver
SMSBOX_PORT = 13001  # where it looks for Kannel's bearerbox; without any it ends itself after three seconds

pytestmark = pytest.mark.skipif(not DRIVE_SMPP.exists(), reason="kannel-extras (Debian) is not installed")


@pytest.fixture(autouse=True)
def _keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TAYYAR_KEYS", str(tmp_path / "keys.json"))
    crypto.keys.cache_clear()
    yield
    crypto.keys.cache_clear()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """(port, log) of a running drive_smpp."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "drive_smpp.log"
    with socket.socket() as bearerbox, log.open("w") as output:
        bearerbox.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bearerbox.bind(("127.0.0.1", SMSBOX_PORT))
        except OSError:
            pytest.skip(f"port {SMSBOX_PORT}, which drive_smpp needs, is in use")
        bearerbox.listen()
        command = [DRIVE_SMPP, "-v", "0", "-p", str(port), "-m", str(FROM_PHONES)]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait(lambda: _listens(port))
            yield port, log
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    """Without connecting, which drive_smpp would count as a client."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return any(wanted in line for line in Path("/proc/net/tcp").read_text().splitlines())


def _wait(condition) -> None:
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


def test_kannels_smsc_takes_our_messages_and_we_answer_its_own(peer: tuple[int, Path]):
    port, log = peer
    gateway = SmppGateway(
        code="kannel",
        options={
            "host": "127.0.0.1",
            "port": port,
            "system_id": "foo",
            "password": "bar",
            "source": "Tayyar",
            "binds": 1,
            "bind_as": "SEPARATE",
            "answer_timeout_seconds": 3,
        },
    )
    texts = ["Your bill is ready", "فاتورة الكهرباء جاهزة", "فاتورة الكهرباء " * 10, "a" * 200]
    dated = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
    batch = [
        Outgoing(
            DeliveryKey(202611, 1, number, 0, 1, 1),
            crypto.seal(f"+9665{number:08}", field=ADDRESS_FIELD),
            "ar",
            SmsContent(text),
            "id",
            dated,
        )
        for number, text in enumerate(texts)
    ]
    results = gateway.send_batch(batch, pace=Unpaced(), stop_at=time.monotonic() + 5)
    assert {(result.outcome, result.key.ref, result.segments) for result in results} == {
        (Outcome.SENT, 0, 1),
        (Outcome.SENT, 1, 1),
        (Outcome.SENT, 2, 3),
        (Outcome.SENT, 3, 2),
    }
    _wait(lambda: gateway.receipts() == [] and gateway.counters["FROM_PHONES"] == FROM_PHONES)
    gateway.close()

    _wait(lambda: log.read_text(errors="replace").count("PDU of type unbind") == 2)
    told = log.read_text(errors="replace")
    assert "short_message = <Your bill is ready>" in told
    assert told.count("PDU of type submit_sm") == 7
    assert told.count("PDU of type deliver_sm_resp") == FROM_PHONES
    assert told.count("PDU of type enquire_link_resp") == FROM_PHONES
    assert "SMPP:" not in told  # its complaints about a PDU begin so
    assert "Unhandled SMPP PDU" not in told
