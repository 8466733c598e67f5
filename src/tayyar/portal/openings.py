"""The audit log of what links opened, written many at a time by a web process that said so, at once by any other.

Owns the entries of the last moment. Never decides what counts as seen: the proof of a view is evidence.py's, and
is always written before its answer goes out. A process that is killed loses at most WRITE_EVERY_SECONDS of these
entries; one that is stopped loses none. Next: link_views.py and kept_screens.py record; config/commands/serve.py begins
and ends.
"""

import datetime as dt
import logging
import threading
from collections import deque

from django.db import DatabaseError, close_old_connections, connection

from tayyar.core import audit
from tayyar.core.models import AuditEntry

log = logging.getLogger(__name__)
WRITE_EVERY_SECONDS = 0.5
_AT_ONCE = 1_000  # rows of one INSERT
_MOST_WAITING = 100_000  # while the database is away; beyond, each is written by itself or fails


class _Waiting:
    """The entries of this process that are not written yet, and the thread that writes them."""

    def __init__(self) -> None:
        self.entries: deque[AuditEntry] = deque()
        self._over = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="openings", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Write what waits, and no more come."""
        self._over.set()
        self._thread.join()
        self.write()

    def write(self) -> None:
        """Write what waits now; DatabaseError leaves what is not written waiting."""
        with self._writing:
            while self.entries:
                some = [self.entries[place] for place in range(min(_AT_ONCE, len(self.entries)))]
                AuditEntry.objects.bulk_create(some)
                for _ in some:
                    self.entries.popleft()

    def _run(self) -> None:
        while not self._over.wait(WRITE_EVERY_SECONDS):
            try:
                close_old_connections()
                self.write()
            except DatabaseError:
                log.exception("%s openings of links wait for the audit log.", len(self.entries))
        connection.close()


_waiting: _Waiting | None = None


def begin() -> None:
    """From now on this process writes openings many at a time. After a fork, in the process that serves."""
    global _waiting
    _waiting = _waiting or _Waiting()


def end() -> None:
    """Write what waits; from now on each is written at once again."""
    global _waiting
    ended, _waiting = _waiting, None
    if ended is not None:
        ended.end()


def record(number: int, action: str, *, language: str, now: dt.datetime) -> None:
    """A link opened bill `number`; for the audit log."""
    subject, waiting = f"bill:{number}", _waiting
    if waiting is None or len(waiting.entries) >= _MOST_WAITING:
        audit.record(actor="link", action=action, subject=subject, now=now, language=language)
        return
    detail = {"language": language}
    waiting.entries.append(AuditEntry(at=now, actor="link", action=action, subject=subject, detail=detail))
