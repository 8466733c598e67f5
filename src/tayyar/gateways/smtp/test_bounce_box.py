"""The bounces' Maildir: read once, by one worker, until it is stored."""

from pathlib import Path

import pytest

from tayyar.gateways.mailbox import notices
from tayyar.gateways.smtp import bounce_box, verp
from tayyar.gateways.smtp.bounce_box import MOST_AT_ONCE, BounceBox
from tayyar.notifications.ports import DeliveryKey


@pytest.fixture
def maildir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bounce_box, "_LOOK_EVERY_SECONDS", 0.0)
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir()
    return tmp_path


def _put(maildir: Path, number: int) -> None:
    sender = f"bounces+{verp.token(DeliveryKey(202611, 1, number, 0, 0, 1))}@utility.example"
    raw = notices.bounce(sender=sender, recipient="a@b.example", answer="550 5.1.1 no", original=b"\n")
    (maildir / "new" / f"1.{number}.x").write_bytes(raw)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_not_confirmed_comes_again_and_what_is_goes_away(maildir: Path):
    box = BounceBox(maildir)
    for number in range(3):
        _put(maildir, number)
    first = box.receipts()
    assert {receipt.key.ref for receipt in first} == {0, 1, 2}
    box.confirm(first[:2])
    (left,) = box.receipts()
    assert left == first[2]
    box.confirm([left])
    assert box.receipts() == [] and _names(maildir / "new") == set()


def test_two_workers_never_read_the_same_and_the_second_takes_over(maildir: Path):
    one, two = BounceBox(maildir), BounceBox(maildir)
    _put(maildir, 1)
    held = one.receipts()
    assert len(held) == 1 and two.receipts() == []
    one.close()  # as the kernel does when a worker dies
    assert two.receipts() == held
    two.confirm(held)
    _put(maildir, 2)
    assert len(one.receipts()) == 1


def test_what_is_none_of_ours_is_set_aside_and_counted(maildir: Path):
    box = BounceBox(maildir)
    _put(maildir, 1)
    (maildir / "new" / "2.letter.x").write_bytes(
        b"From: sara@x.example\nTo: bounces@utility.example\n\nHello\n"
    )
    (maildir / "new" / "3.noise.x").write_bytes(b"\xff\x00" * 1000)
    assert len(box.receipts()) == 1 and box.unknown == 2
    assert _names(maildir / "new") == {"1.1.x"}
    assert _names(maildir / ".Unknown" / "new") == {"2.letter.x", "3.noise.x"}


def test_a_flood_is_read_in_portions(maildir: Path):
    box = BounceBox(maildir)
    for number in range(MOST_AT_ONCE + 7):
        _put(maildir, number)
    first = box.receipts()
    box.confirm(first)
    second = box.receipts()
    assert (len(first), len(second)) == (MOST_AT_ONCE, 7)
    assert len({receipt.key for receipt in first + second}) == MOST_AT_ONCE + 7


def test_a_maildir_that_is_not_there_is_told_once_and_read_when_it_comes(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(bounce_box, "_LOOK_EVERY_SECONDS", 0.0)
    box = BounceBox(tmp_path / "later")
    assert box.receipts() == box.receipts() == [] and len(caplog.records) == 1
    (tmp_path / "later" / "new").mkdir(parents=True)
    _put(tmp_path / "later", 1)
    assert len(box.receipts()) == 1


def test_between_looks_the_disk_is_left_alone(maildir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounce_box, "_LOOK_EVERY_SECONDS", 60.0)
    box = BounceBox(maildir)
    assert box.receipts() == []
    _put(maildir, 1)
    assert box.receipts() == []
