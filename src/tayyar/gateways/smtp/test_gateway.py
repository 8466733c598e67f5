"""The gateway in front of a real SMTP server that misbehaves on command: how each mail ended, and what arrived."""

import datetime as dt
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tayyar.core.crypto import seal
from tayyar.gateways.mailbox.reading import count_mails, read_mails
from tayyar.gateways.mailbox.server import Faults, Mailbox
from tayyar.gateways.smtp import sending
from tayyar.gateways.smtp.gateway import SmtpGateway
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    DeliveryKey,
    EmailContent,
    Outcome,
    Outgoing,
    ReceiptState,
    SendResult,
    SmsContent,
    Unpaced,
)


def _mail(number: int, address: str = "", content: object = None) -> Outgoing:
    return Outgoing(
        key=DeliveryKey(202611, 1, number, 0, 0, 1),
        address_sealed=seal(address or f"p{number}@x.example", field=ADDRESS_FIELD),
        language="ar",
        content=content or EmailContent("الكهرباء", f"فاتورة {number}", "نص", "<p>نص</p>"),
        message_id=f"m{number}",
        dated=dt.datetime.now(dt.UTC),
    )


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with Mailbox(tmp_path) as server:
        yield server


@pytest.fixture
def gateway(mailbox: Mailbox) -> Iterator[SmtpGateway]:
    made = _gateway(mailbox.port, verp=True, bounces={"maildir": str(mailbox.bounces)})
    yield made
    made.close()


def _gateway(port: int, **options: object) -> SmtpGateway:
    fixed = {"host": "127.0.0.1", "port": port, "sender": "bills@utility.example", "timeout_seconds": 5}
    return SmtpGateway(code="mta", options={**fixed, **options})


def _send(
    gateway: SmtpGateway, mails: list[Outgoing], *, pace=None, seconds: float = 60
) -> dict[int, SendResult]:
    """Results by the mail's number; exactly one each."""
    results = gateway.send_batch(mails, pace=pace or Unpaced(), stop_at=time.monotonic() + seconds)
    by_number = {result.key.ref: result for result in results}
    assert len(results) == len(mails) and by_number.keys() == {mail.key.ref for mail in mails}
    return by_number


def _ends(results: dict[int, SendResult]) -> Counter[tuple[Outcome, str]]:
    return Counter((result.outcome, result.reason) for result in results.values())


def _arrived(mailbox: Mailbox) -> Counter[str]:
    return Counter(str(mail["Message-ID"]) for mail in read_mails(mailbox.folder))


def test_every_mail_arrives_once_over_batches_and_connections(gateway: SmtpGateway, mailbox: Mailbox):
    for start in (0, 60):
        results = _send(gateway, [_mail(start + number) for number in range(60)])
        assert _ends(results) == {(Outcome.SENT, ""): 60}
        assert all(result.provider_ref for result in results.values())
    assert _arrived(mailbox) == {f"<m{number}@utility.example>": 1 for number in range(120)}


def test_each_ends_as_the_server_said_and_no_other_is_disturbed(gateway: SmtpGateway, mailbox: Mailbox):
    mailbox.faults = Faults(refuse="p.?3@", defer="p.?7@")
    results = _send(gateway, [_mail(number) for number in range(30)])
    assert _ends(results) == {
        (Outcome.SENT, ""): 24,
        (Outcome.BAD_CONTACT, "NO_SUCH_MAILBOX"): 3,
        (Outcome.TRY_LATER, "REFUSED_BY_POLICY"): 3,
    }
    assert results[13].provider_ref == "550 5.1.1"
    assert count_mails(mailbox.folder) == 24


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        ("550 5.7.1 no thanks", Outcome.REFUSED, "REFUSED_BY_POLICY"),
        ("552 5.2.2 over quota", Outcome.TRY_LATER, "MAILBOX_FULL"),
        ("550 5.2.1 disabled", Outcome.BAD_CONTACT, "MAILBOX_DISABLED"),
        ("550 5.1.2 no domain", Outcome.BAD_CONTACT, "NO_SUCH_DOMAIN"),
        ("556 5.1.10 null MX", Outcome.BAD_CONTACT, "NO_SUCH_DOMAIN"),
        ("553 sorry", Outcome.REFUSED, "REFUSED"),
        ("450 4.2.0 greylisted", Outcome.TRY_LATER, "MAILBOX_BUSY"),
        ("550 5.1.8 sender's domain unknown", Outcome.NOT_TRIED, "SENDER_REFUSED"),
    ],
)
def test_what_a_recipients_refusal_means(gateway, mailbox, answer, outcome, reason):
    mailbox.faults = Faults(refuse=".", refuse_answer=answer)
    (result,) = _send(gateway, [_mail(1)]).values()
    assert (result.outcome, result.reason) == (outcome, reason)


def test_a_server_that_takes_no_mail_of_ours_leaves_all_untried(gateway: SmtpGateway, mailbox: Mailbox):
    mailbox.faults = Faults(refuse_sender=True)
    assert _ends(_send(gateway, [_mail(number) for number in range(9)])) == {
        (Outcome.NOT_TRIED, "SENDER_REFUSED"): 9
    }


def test_a_server_that_is_not_there_leaves_all_untried():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        ends = _ends(_send(_gateway(sock.getsockname()[1]), [_mail(number) for number in range(9)]))
    assert ends == {(Outcome.NOT_TRIED, "SERVER_UNREACHABLE"): 9}


def test_a_mail_cut_off_before_its_answer_is_in_doubt_and_was_sent_once(
    gateway: SmtpGateway, mailbox: Mailbox
):
    mailbox.faults = Faults(cut_every=7, cut_after_storing=True)
    results = _send(gateway, [_mail(number) for number in range(40)])
    ends = _ends(results)
    assert set(ends) == {(Outcome.SENT, ""), (Outcome.IN_DOUBT, "CONNECTION_LOST")}
    assert ends[Outcome.IN_DOUBT, "CONNECTION_LOST"] == 40 // 7
    assert _arrived(mailbox) == {f"<m{number}@utility.example>": 1 for number in range(40)}


def test_a_server_that_hangs_after_the_dot_leaves_its_mails_in_doubt_and_is_left(mailbox: Mailbox):
    mailbox.faults = Faults(delay_seconds=30)
    gateway = _gateway(mailbox.port, connections=2, timeout_seconds=1)
    began = time.monotonic()
    ends = _ends(_send(gateway, [_mail(number) for number in range(9)]))
    assert ends == {(Outcome.IN_DOUBT, "CONNECTION_LOST"): 4, (Outcome.NOT_TRIED, "SERVER_UNREACHABLE"): 5}
    assert time.monotonic() - began < 4


def test_a_connection_that_the_server_closed_meanwhile_costs_nothing():
    with _PlainServer(per_connection=1, closes_silently=True) as server:
        gateway = _gateway(server.port, connections=1)
        for number in range(3):
            assert _ends(_send(gateway, [_mail(number)])) == {(Outcome.SENT, ""): 1}
        assert len(server.taken) == 3


def test_too_fast_is_obeyed_within_the_call(gateway: SmtpGateway, mailbox: Mailbox):
    mailbox.faults = Faults(permitted_per_second=10)
    assert _ends(_send(gateway, [_mail(number) for number in range(25)])) == {(Outcome.SENT, ""): 25}
    seconds = Counter(int(path.name.split(".")[0]) // 10**9 for path in (mailbox.folder / "new").iterdir())
    assert max(seconds.values()) <= 10


def test_a_server_that_stays_too_busy_gets_its_mails_back_as_throttled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sending, "_PAUSE_SECONDS", 0.05)
    with _PlainServer(per_connection=0) as server:
        ends = _ends(_send(_gateway(server.port), [_mail(number) for number in range(9)]))
        assert ends == {(Outcome.NOT_TRIED, "THROTTLED"): 9}
        assert 4 <= server.connections <= 20


def test_a_mail_on_which_the_connection_always_breaks_waits_and_the_others_go():
    with _PlainServer(breaks_on=b"p3@") as server:
        results = _send(_gateway(server.port, connections=2), [_mail(number) for number in range(8)])
    assert _ends(results) == {(Outcome.SENT, ""): 7, (Outcome.TRY_LATER, "CONNECTION_LOST"): 1}
    assert results[3].outcome is Outcome.TRY_LATER


def test_no_mail_begins_after_the_end_of_time(gateway: SmtpGateway, mailbox: Mailbox):
    ends = _ends(_send(gateway, [_mail(number) for number in range(5)], seconds=-1))
    assert ends == {(Outcome.NOT_TRIED, "OUT_OF_TIME"): 5}
    assert count_mails(mailbox.folder) == 0


def test_the_pace_is_kept(gateway: SmtpGateway, mailbox: Mailbox):
    class Metronome:
        """One mail each 50 ms."""

        def __init__(self) -> None:
            self.next_at = time.monotonic()
            self.taken = 0

        def allowance(self, wanted: int) -> int:
            if time.monotonic() < self.next_at:
                return 0
            self.next_at += 0.05
            self.taken += 1
            return 1

        def wait_seconds(self) -> float:
            return max(0.0, self.next_at - time.monotonic())

    pace, began = Metronome(), time.monotonic()
    assert _ends(_send(gateway, [_mail(number) for number in range(20)], pace=pace)) == {
        (Outcome.SENT, ""): 20
    }
    assert pace.taken == 20 and 0.95 <= time.monotonic() - began < 2
    arrivals = sorted(int(path.name.split(".")[0]) for path in (mailbox.folder / "new").iterdir())
    assert arrivals[-1] - arrivals[0] >= 0.9e9


@pytest.mark.parametrize(
    ("mail", "outcome", "reason"),
    [
        (_mail, Outcome.BAD_CONTACT, "BAD_ADDRESS"),
        (lambda n, _: _mail(n, content=SmsContent("x")), Outcome.REFUSED, "BAD_CONTENT"),
        (
            lambda n, _: _mail(n, content=EmailContent("a", "b", "\ud800", "c")),
            Outcome.REFUSED,
            "BAD_CONTENT",
        ),
        (
            lambda n, _: _mail(n, content=EmailContent("a", "b", "c", "d", "javascript:x")),
            Outcome.REFUSED,
            "BAD_CONTENT",
        ),
    ],
)
def test_a_mail_that_cannot_be_made_ends_alone(gateway, mail: Callable[..., Outgoing], outcome, reason):
    results = _send(gateway, [_mail(1), mail(2, "a@b.example> NOTIFY=NEVER <"), _mail(3)])
    assert (results[2].outcome, results[2].reason) == (outcome, reason)
    assert results[1].outcome is results[3].outcome is Outcome.SENT


def test_an_address_sealed_with_a_lost_key_waits(gateway: SmtpGateway):
    mail = _mail(1)
    broken = Outgoing(mail.key, mail.address_sealed[:-1] + b"?", "ar", mail.content, "m1", mail.dated)
    (result,) = _send(gateway, [broken]).values()
    assert (result.outcome, result.reason) == (Outcome.TRY_LATER, "ADDRESS_SEALED")


def test_bounces_and_complaints_come_back_with_their_keys_until_they_are_confirmed(gateway, mailbox):
    mailbox.faults = Faults(bounce="p2@", complain="p5@", bounce_answer="550 5.2.1 closed")
    assert _ends(_send(gateway, [_mail(number) for number in range(8)])) == {(Outcome.SENT, ""): 8}
    _until(lambda: count_mails(mailbox.bounces) == 2)
    told = {(receipt.key.ref, receipt.state, receipt.reason) for receipt in gateway.receipts()}
    assert told == {
        (2, ReceiptState.BAD_CONTACT, "MAILBOX_DISABLED"),
        (5, ReceiptState.COMPLAINED, "ABUSE"),
    }
    again = gateway.receipts()
    assert len(again) == 2
    gateway.confirm(again)
    assert count_mails(mailbox.bounces) == 0


def test_a_server_without_pipelining_that_closes_after_each_mail_still_gets_all():
    with _PlainServer(per_connection=1) as server:
        assert _ends(_send(_gateway(server.port, connections=2), [_mail(number) for number in range(6)])) == {
            (Outcome.SENT, ""): 6
        }
    assert len(server.taken) == 6


def _until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


class _PlainServer:
    """A server that knows only RFC 821. After `per_connection` mails it says 421, or closes without a word; at a
    recipient with `breaks_on` the connection breaks."""

    def __init__(
        self, *, per_connection: int = 1000, closes_silently: bool = False, breaks_on: bytes = b"\0"
    ) -> None:
        self.per_connection, self.closes_silently, self.breaks_on = per_connection, closes_silently, breaks_on
        self.taken: list[bytes] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> "_PlainServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb", buffering=0) as wire:
            wire.write(b"220 plain\r\n")
            mails = 0
            while line := wire.readline():
                if line.startswith(b"EHLO"):
                    wire.write(b"502 what?\r\n")
                elif line.startswith(b"DATA"):
                    wire.write(b"354 go\r\n")
                    self.taken.append(b"".join(iter(wire.readline, b".\r\n")))
                    mails += 1
                    wire.write(b"250 ok\r\n")
                    if self.closes_silently and mails == self.per_connection:
                        return
                elif line.startswith(b"MAIL") and mails == self.per_connection:
                    wire.write(b"421 enough\r\n")
                    return
                elif self.breaks_on in line:
                    return
                else:
                    wire.write(b"250 ok\r\n")
