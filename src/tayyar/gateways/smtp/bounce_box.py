"""The Maildir to which mail to the bounce address is delivered, read by one worker at a time.

A notice stays until its receipt is stored and is then deleted, for it holds an address; what is none of ours is
moved aside into the Maildir's folder "Unknown", where people can look at it. Next: bounces.py reads one.
"""

import contextlib
import errno
import fcntl
import itertools
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tayyar.gateways.smtp.bounces import MAX_BYTES, understand
from tayyar.notifications.ports import Receipt

log = logging.getLogger(__name__)

MOST_AT_ONCE = 50
_LOOK_EVERY_SECONDS = 1.0
_LOCK = ".tayyar.lock"
_ASIDE = ".Unknown"


class BounceBox:
    """One worker's hold on the Maildir. `unknown`: how many mails it moved aside."""

    def __init__(self, maildir: Path) -> None:
        self.maildir = maildir
        self.unknown = 0
        self._lock: int | None = (
            None  # held from reading to confirming, so that two workers never read the same
        )
        self._unconfirmed: set[object] = set()
        self._look_at = 0.0
        self._trouble = ""

    def receipts(self) -> list[Receipt]:
        """What some dozens of new mails tell; [] while another worker reads, or looked a moment ago."""
        if time.monotonic() < self._look_at:
            return []
        try:
            if not self._acquire():
                return []
            found = self._read()
        except OSError as error:
            self._tell(errno.errorcode.get(error.errno or 0, "?"))
            found = None
        self._look_at = 0.0 if found else time.monotonic() + _LOOK_EVERY_SECONDS
        self._unconfirmed = {receipt.token for receipt in found or ()}
        if not self._unconfirmed:
            self.close()
        return found or []

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """These are stored: remove their mails."""
        for receipt in receipts:
            if receipt.token in self._unconfirmed:
                self._unconfirmed.discard(receipt.token)
                with contextlib.suppress(OSError):  # it comes again, and changes nothing
                    (self.maildir / "new" / str(receipt.token)).unlink()
        if not self._unconfirmed:
            self.close()

    def close(self) -> None:
        """Let another worker read."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _tell(self, trouble: str) -> None:
        """Once, not each second."""
        if trouble != self._trouble:
            log.warning("the bounces' Maildir %s cannot be read: %s", self.maildir, trouble)
        self._trouble = trouble

    def _acquire(self) -> bool:
        if self._lock is None:
            lock = os.open(self.maildir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                self._look_at = time.monotonic() + _LOOK_EVERY_SECONDS
                return False
            self._lock = lock
        return True

    def _read(self) -> list[Receipt]:
        found: list[Receipt] = []
        for name in self._names():
            path = self.maildir / "new" / name
            try:
                with path.open("rb") as handle:
                    receipts = understand(handle.read(MAX_BYTES))
            except FileNotFoundError:
                continue
            if receipts is None:
                self._set_aside(path)
            elif not receipts:  # a delay, say: nothing follows from it
                path.unlink(missing_ok=True)
            found += [replace(receipt, token=name) for receipt in receipts or ()]
        return found

    def _names(self) -> Iterator[str]:
        """Some new mails, in the order of the folder, which may hold a hundred thousand."""
        with os.scandir(self.maildir / "new") as entries:
            files = (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
            yield from list(itertools.islice(files, MOST_AT_ONCE))

    def _set_aside(self, path: Path) -> None:
        aside = self.maildir / _ASIDE
        for name in ("tmp", "new", "cur"):
            (aside / name).mkdir(parents=True, exist_ok=True)
        path.rename(aside / "new" / path.name)
        self.unknown += 1
        log.warning("a mail to the bounce address is no notice about a mail of ours; set aside in %s", _ASIDE)
