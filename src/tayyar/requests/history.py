"""Writing down what happened to a request: one event, one entry in the audit log. Inside the caller's transaction."""

import datetime as dt
from typing import Any

from tayyar.core import audit
from tayyar.requests.models import RequestEvent, ServiceRequest
from tayyar.requests.sealed import open_text, seal_text


def happen(
    request: ServiceRequest,
    what: str,
    *,
    actor: str,
    now: dt.datetime,
    text: str = "",
    is_internal: bool = False,
    **detail: Any,
) -> None:
    """Append an event at the request's present step. `detail` goes to the audit log: codes and ids only."""
    RequestEvent.objects.create(
        request=request,
        at=now,
        actor=actor,
        what=what,
        step=request.step,
        text_sealed=seal_text(text),
        is_internal=is_internal,
    )
    audit.record(
        actor=actor, action=f"REQUEST_{what}", subject=f"request:{request.reference}", now=now, **detail
    )


def is_repeated(request: ServiceRequest, what: str, *, actor: str, text: str) -> bool:
    """Whether the newest event says exactly this: a form that was sent twice."""
    newest = RequestEvent.objects.filter(request=request).order_by("-at", "-id").first()
    if newest is None or (newest.what, newest.actor) != (what, actor):
        return False
    return open_text(newest.text_sealed) == text
