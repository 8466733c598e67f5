"""One clock, which tests and the demo can move.

Only the edges (commands, views, tasks) ask it; services and rules are given `now`.
TAYYAR_NOW (ISO 8601) freezes it for a whole process and its children; `at` moves it inside a block. TAYYAR_CLOCK names
a file with seconds to add, read again when it changes: so the demo moves the day of everything that runs at once.
"""

import contextlib
import datetime as dt
import functools
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from tayyar.core.errors import UserError

_frozen: ContextVar[dt.datetime | None] = ContextVar("frozen", default=None)


def now() -> dt.datetime:
    """The current moment, aware, in UTC."""
    frozen = _frozen.get()
    if frozen is not None:
        return frozen
    named = os.environ.get("TAYYAR_NOW")
    if named:
        return parse_moment(named)
    return dt.datetime.now(dt.UTC) + _shift()


def _shift() -> dt.timedelta:
    path = os.environ.get("TAYYAR_CLOCK")
    if not path:
        return dt.timedelta(0)
    try:
        changed = os.stat(path).st_mtime_ns  # noqa: PTH116 - asked for every moment told
    except FileNotFoundError:
        return dt.timedelta(0)
    return _read_shift(path, changed)


@functools.lru_cache(maxsize=1)
def _read_shift(path: str, changed: int) -> dt.timedelta:
    return dt.timedelta(seconds=float(Path(path).read_text()))


def set_shift(path: Path, shift: dt.timedelta) -> None:
    """From now on every process that reads its clock from `path` is ahead (or behind) by `shift`."""
    partial = path.with_suffix(".partial")
    partial.write_text(str(shift.total_seconds()))
    partial.rename(path)


def today() -> dt.date:
    """The current date in UTC."""
    return now().date()


def parse_moment(text: str) -> dt.datetime:
    """An ISO 8601 date or moment; without an offset it is UTC."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is not a moment. Write it like 2026-11-28T06:00:00+00:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


@contextlib.contextmanager
def at(moment: dt.datetime) -> Iterator[None]:
    """Hold the clock at `moment` inside the block."""
    token = _frozen.set(moment)
    try:
        yield
    finally:
        _frozen.reset(token)
