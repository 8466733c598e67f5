"""One clock, which tests and the demo can move.

Only the edges (commands, views, tasks) ask it; services and rules are given `now`.
TAYYAR_NOW (ISO 8601) freezes it for a whole process and its children; `at` moves it inside a block.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from contextvars import ContextVar

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
    return dt.datetime.now(dt.UTC)


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
