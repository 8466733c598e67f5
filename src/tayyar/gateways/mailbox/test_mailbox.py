"""The local mailbox takes real SMTP, keeps what came in order, and runs as a process of its own."""

import mailbox as maildir
import smtplib
from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.mailbox import process
from tayyar.gateways.mailbox.reading import count_mails, read_mails
from tayyar.gateways.mailbox.server import Mailbox

MAIL = b"Subject: %d\r\nTo: a@b.example\r\n\r\n.a line that begins with a dot\r\n"


def _send(port: int, numbers: range) -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for number in numbers:
            smtp.sendmail("s@s.example", ["a@b.example"], MAIL % number)


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
