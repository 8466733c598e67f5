"""Reads of requests for the faces: a person's own, one by its reference, the staff's queue, its history and papers.

Never writes and never decides who may look: pages for a person ask `find_for`, staff pages `find_any`.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet

from tayyar.core import references
from tayyar.core.errors import UserError
from tayyar.identity.models import Person
from tayyar.requests.models import ENDED, RequestDocument, RequestEvent, RequestState, ServiceRequest
from tayyar.requests.sealed import open_form, open_paper, open_text

PAGE = 50


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, opened. `text` of a DOCUMENT is the paper's kind."""

    at: dt.datetime
    actor: str
    what: str
    step: str
    text: str
    is_internal: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the queue, from 1; `total` requests on `pages` pages."""

    rows: list[ServiceRequest]
    total: int
    page: int
    pages: int


def canonical(text: str) -> str | None:
    """A reference as it is stored, of one as people type it: any case, look-alike letters, without dashes; or None."""
    compact = "".join(c for c in text.strip().upper() if c.isalnum())
    compact = "".join(str(int(c)) if c.isdecimal() else c for c in compact)
    try:
        prefix, serial = references.parse_reference(f"{compact[:1]}-{compact[1:]}")
    except UserError:
        return None
    return references.reference(prefix, serial)


def requests_of(person: Person) -> QuerySet[ServiceRequest]:
    """All that this person asked, the newest first."""
    found = ServiceRequest.objects.filter(person=person).select_related("account")
    return found.order_by("-opened_at", "-id")


def find_for(person: Person, reference: str) -> ServiceRequest | None:
    """The person's own request of that reference, typed as people type it; None alike for another's and for none."""
    known = canonical(reference)
    return requests_of(person).filter(reference=known).first() if known else None


def find_any(reference: str) -> ServiceRequest | None:
    """For staff: anybody's request of that reference."""
    known = canonical(reference)
    if known is None:
        return None
    found = ServiceRequest.objects.select_related("account__customer", "person__customer", "assigned_to")
    return found.filter(reference=known).first()


def queue(
    *,
    today: dt.date,
    type_code: str = "",
    state: str = "",
    assigned_to: User | None = None,
    overdue: bool = False,
    page: int = 1,
) -> QueuePage:
    """The staff's work by its deadline. Without `state`, all that has not ended; those that ended, the newest first."""
    found = ServiceRequest.objects.select_related("account__customer", "person__customer", "assigned_to")
    found = found.filter(state=state) if state else found.filter(ended_at=None)
    if type_code:
        found = found.filter(type=type_code)
    if assigned_to is not None:
        found = found.filter(assigned_to=assigned_to)
    if overdue:
        found = found.filter(state=RequestState.OPEN, due_on__lt=today)
    found = found.order_by("-ended_at", "-id") if state in ENDED else found.order_by("due_on", "id")
    total = found.count()
    pages = max(1, -(-total // PAGE))
    page = min(max(page, 1), pages)
    return QueuePage(list(found[(page - 1) * PAGE : page * PAGE]), total, page, pages)


def queue_counts(*, user: User, today: dt.date) -> dict[str, int]:
    """How many are `open` (with the staff or the person), `waiting`, `mine`, `overdue`, and of each type (its code)."""
    rows = ServiceRequest.objects.filter(ended_at=None)
    counts = rows.aggregate(
        open=Count("id"),
        waiting=Count("id", filter=Q(state=RequestState.WAITING)),
        mine=Count("id", filter=Q(assigned_to=user)),
        overdue=Count("id", filter=Q(state=RequestState.OPEN, due_on__lt=today)),
    )
    types = rows.values_list("type").annotate(count=Count("id")).order_by("type")
    return counts | dict(types)


def is_overdue(request: ServiceRequest, *, today: dt.date) -> bool:
    """Whether the staff should have decided before today."""
    return request.state == RequestState.OPEN and request.due_on < today


def form_of(request: ServiceRequest) -> dict[str, Any]:
    """What was filled in, by the type's field names; fields left empty are absent."""
    return open_form(request.form_sealed)


def history_of(request: ServiceRequest, *, with_internal: bool) -> list[Happening]:
    """What happened, in order. `with_internal`: for staff, who see their notes and assignments."""
    events = RequestEvent.objects.filter(request=request).order_by("at", "id")
    if not with_internal:
        events = events.filter(is_internal=False)
    return [
        Happening(one.at, one.actor, one.what, one.step, open_text(one.text_sealed), one.is_internal)
        for one in events
    ]


def documents_of(request: ServiceRequest) -> list[RequestDocument]:
    """Its papers without their content, in the order in which they came."""
    return list(RequestDocument.objects.filter(request=request).defer("content_sealed").order_by("id"))


def paper_of(request: ServiceRequest, document_id: int) -> tuple[bytes, str] | None:
    """Content and media type of one of its papers; None for any other."""
    held = RequestDocument.objects.filter(request=request, id=document_id).first()
    return (open_paper(held.content_sealed), held.media_type) if held else None
