"""How long a login lasts: over after half an hour without use, and after twelve hours in any case.

Owns two moments inside the session. Never writes more than once in five minutes, so pages stay cheap.
Next: portal/door.py asks on each page.
"""

import datetime as dt
from typing import Any

from django.contrib.sessions.backends.base import SessionBase

IDLE = dt.timedelta(minutes=30)  # ASVS 5.0, V7.3: documented in docs/security.md
ABSOLUTE = dt.timedelta(hours=12)
APP_IDLE = dt.timedelta(days=30)  # a phone app keeps its token behind the phone's own lock
APP_ABSOLUTE = dt.timedelta(days=90)
STEP = dt.timedelta(minutes=5)
_BEGUN, _SEEN, _APP = "tayyar_begun", "tayyar_seen", "tayyar_app"


def begin(session: SessionBase, *, now: dt.datetime, is_app: bool = False) -> None:
    """Start both clocks."""
    session[_BEGUN] = session[_SEEN] = now.timestamp()
    session[_APP] = is_app
    session.set_expiry(int((APP_IDLE if is_app else ABSOLUTE).total_seconds()))


def is_over(session: SessionBase, *, now: dt.datetime) -> bool:
    """Whether the login ended by either clock. One that never began is over."""
    begun, seen = _moment(session.get(_BEGUN)), _moment(session.get(_SEEN))
    if begun is None or seen is None:
        return True
    is_app = bool(session.get(_APP))
    idle, absolute = (APP_IDLE, APP_ABSOLUTE) if is_app else (IDLE, ABSOLUTE)
    return now - seen >= idle or now - begun >= absolute


def touch(session: SessionBase, *, now: dt.datetime) -> bool:
    """Note that it is in use; True when that was written down."""
    seen = _moment(session.get(_SEEN))
    if seen is not None and now - seen < STEP:
        return False
    session[_SEEN] = now.timestamp()
    return True


def _moment(stored: Any) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(stored, dt.UTC) if isinstance(stored, int | float) else None
