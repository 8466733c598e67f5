"""Reading what arrived in the local mailbox."""

from collections.abc import Iterator
from email import message_from_binary_file, policy
from email.message import EmailMessage
from pathlib import Path


def read_mails(folder: Path) -> Iterator[EmailMessage]:
    """Every stored mail, in the order of arrival."""
    for path in sorted((folder / "new").iterdir(), key=lambda path: _arrival(path.name)):
        with path.open("rb") as handle:
            mail = message_from_binary_file(handle, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        yield mail


def count_mails(folder: Path) -> int:
    """How many mails are stored."""
    new = folder / "new"
    return sum(1 for _ in new.iterdir()) if new.exists() else 0


def _arrival(name: str) -> tuple[int, int]:
    moment, serial, _ = name.split(".")
    return int(moment), int(serial.rpartition("_")[2])
