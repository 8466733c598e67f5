"""The local mailbox takes real SMTP, keeps what came in order, and runs as a process of its own."""

import mailbox as maildir
import smtplib
import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.mailbox import process
from tayyar.gateways.mailbox.reading import count_mails, read_mails
from tayyar.gateways.mailbox.server import Faults, Mailbox

MAIL = b"Subject: %d\r\nTo: a@b.example\r\n\r\n.a line that begins with a dot\r\n"


def _send(port: int, numbers: range, to: str = "a@b.example") -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for number in numbers:
            smtp.sendmail("s@s.example", [to], MAIL % number)


def _await_mails(folder: Path, count: int) -> list[EmailMessage]:
    give_up_at = time.monotonic() + 10
    while count_mails(folder) < count:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    return list(read_mails(folder))


def test_mails_are_kept_whole_and_in_the_order_of_arrival(tmp_path: Path):
    assert count_mails(tmp_path) == 0
    with Mailbox(tmp_path) as server:
        _send(server.port, range(12))
    mails = list(read_mails(tmp_path))
    assert [mail["Subject"] for mail in mails] == [str(number) for number in range(12)]
    assert mails[0]["Delivered-To"] == "a@b.example"
    assert mails[0].get_content() == ".a line that begins with a dot\n"


def test_any_maildir_reader_can_open_it(tmp_path: Path):
    with Mailbox(tmp_path) as server:
        _send(server.port, range(3))
    assert len(maildir.Maildir(tmp_path, create=False)) == 3


def test_as_a_process_it_listens_when_started_and_frees_its_port_when_stopped(tmp_path: Path):
    with process.running(port=0, folder=tmp_path) as first:
        _send(first.port, range(2))
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{first.port}"):
            process.start(port=first.port, folder=tmp_path)
    with process.running(port=first.port, folder=tmp_path):
        _send(first.port, range(1))
    assert count_mails(tmp_path) == 3


def test_a_mail_that_bounces_is_taken_and_comes_back_later_to_its_envelopes_sender(tmp_path: Path):
    faults = Faults(bounce="^gone", return_seconds=0.2)
    with Mailbox(tmp_path, faults=faults) as server:
        began = time.monotonic()
        _send(server.port, range(1), to="gone@b.example")
        _send(server.port, range(1), to="here@b.example")
        (notice,) = _await_mails(server.bounces, 1)
        assert time.monotonic() - began >= 0.2
    assert count_mails(tmp_path) == 1
    assert notice["Delivered-To"] == "s@s.example"
    status, returned = list(notice.iter_parts())[1:]
    assert status.get_content_type() == "message/delivery-status"
    assert status.get_payload()[1]["Final-Recipient"] == "rfc822; gone@b.example"
    assert status.get_payload()[1]["Status"] == "5.1.1"
    assert returned.get_content()["Subject"] == "0"


def test_a_reader_who_complains_has_had_the_mail(tmp_path: Path):
    with Mailbox(tmp_path, faults=Faults(complain="@b")) as server:
        _send(server.port, range(1))
        (notice,) = _await_mails(server.bounces, 1)
    assert count_mails(tmp_path) == 1
    assert notice.get_param("report-type") == "feedback-report"


def test_it_takes_no_more_in_a_second_than_it_permits(tmp_path: Path):
    with Mailbox(tmp_path, faults=Faults(permitted_per_second=5)) as server:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            _send(server.port, range(50))
        assert refused.value.smtp_code == 450
    assert 5 <= count_mails(tmp_path) <= 45


def test_as_a_process_it_commits_the_faults_it_is_told(tmp_path: Path):
    with process.running(port=0, folder=tmp_path, faults=Faults(refuse="^a@")) as box:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            _send(box.port, range(1))
        _send(box.port, range(1), to="b@b.example")
    assert count_mails(tmp_path) == 1
