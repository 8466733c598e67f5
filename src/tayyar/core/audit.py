"""Writing to the audit log: one call, inside the caller's transaction."""

import datetime as dt
from typing import Any

from tayyar.core.models import AuditEntry


def record(*, actor: str, action: str, subject: str, now: dt.datetime, **detail: Any) -> None:
    """Append one entry. `detail` must be JSON and must hold no identifier or address in the clear."""
    AuditEntry.objects.create(at=now, actor=actor, action=action, subject=subject, detail=detail)
