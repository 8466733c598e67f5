"""The only writer of requests: opened (opening.py), papers added, asked and answered, moved on, decided, withdrawn.

Each call is one transaction, writes an event and an audit entry, and tells the asker what they should know. Sent twice,
it changes nothing more. An actor "person:12" reaches their own requests only. Next: the type's handler, telling.py.
"""

import datetime as dt
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction

from tayyar.core.errors import UserError
from tayyar.profiles.installation import installed_profile
from tayyar.requests import registry, rules
from tayyar.requests.catalogue import request_type
from tayyar.requests.documents import Upload
from tayyar.requests.errors import RequestRefused
from tayyar.requests.forms import is_storable
from tayyar.requests.history import happen, is_repeated
from tayyar.requests.models import RequestEvent, RequestState, ServiceRequest
from tayyar.requests.opening import open_request
from tayyar.requests.papers import clean_papers, keep_papers
from tayyar.requests.sealed import open_form
from tayyar.requests.telling import local_day, tell

__all__ = [
    "add_document", "answer", "ask_person", "assign", "decide", "move_on", "note", "open_request",
    "tell_overdue", "withdraw",
]  # fmt: skip

LONGEST_TEXT = 2000
MOST_ANSWERS = 20  # of one person to one request


def add_document(*, request_id: int, kind: str, data: bytes, actor: str, now: dt.datetime) -> None:
    """A paper more, checked and made anew. The same paper again changes nothing.

    UploadRefused, RequestRefused (DOCUMENTS beyond five, DOCUMENT_KIND, ENDED, GONE).
    """
    found = _readable(request_id, actor)
    papers = clean_papers(request_type(found.type), [Upload(kind, data)])
    with transaction.atomic():
        keep_papers(_open(request_id, actor), papers, actor=actor, now=now)


@transaction.atomic
def ask_person(*, request_id: int, text: str, actor: str, now: dt.datetime) -> None:
    """Wait for the person: they are told what is needed, and until they answer the deadline stands still."""
    request, said = _open(request_id, actor), _text(text)
    if is_repeated(request, "ASKED", actor=actor, text=said):
        return
    _set(request, state=RequestState.WAITING)
    happen(request, "ASKED", actor=actor, now=now, text=said)
    tell(request, "ASKED", now=now, said=said)


def answer(
    *, request_id: int, text: str, documents: Sequence[Upload] = (), actor: str, now: dt.datetime
) -> None:
    """What the person says, with papers: the request is with the staff again, its deadline later by the waiting.

    RequestRefused TEXT without text and papers; refusals of papers as in `add_document`.
    """
    found = _readable(request_id, actor)
    said = _text(text, may_be_empty=bool(documents))
    papers = clean_papers(request_type(found.type), documents)
    with transaction.atomic():
        request = _open(request_id, actor)
        if is_repeated(request, "ANSWERED", actor=actor, text=said):
            return
        if RequestEvent.objects.filter(request=request, what="ANSWERED").count() >= MOST_ANSWERS:
            raise RequestRefused("TOO_MANY", "You wrote many times already. Wait for an answer, or call us.")
        keep_papers(request, papers, actor=actor, now=now)
        _resume(request, now)
        happen(request, "ANSWERED", actor=actor, now=now, text=said)


@transaction.atomic
def move_on(*, request_id: int, step: str, actor: str, now: dt.datetime) -> None:
    """On to another step of its type, which the asker is told. A PERSON's step waits for the person."""
    request = _open(request_id, actor)
    wanted = request_type(request.type).step(step)
    if wanted.code == request.step:
        return
    _resume(request, now)
    state = RequestState.WAITING if wanted.by == "PERSON" else RequestState.OPEN
    _set(request, step=wanted.code, state=state)
    happen(request, "STEP", actor=actor, now=now)
    tell(request, "STEP", now=now)


@transaction.atomic
def note(*, request_id: int, text: str, actor: str, now: dt.datetime) -> None:
    """A word among staff: the asker never sees it. Also after the end."""
    request, said = _locked(request_id, actor), _text(text)
    if not is_repeated(request, "NOTE", actor=actor, text=said):
        happen(request, "NOTE", actor=actor, now=now, text=said, is_internal=True)


@transaction.atomic
def assign(*, request_id: int, user: User | None, actor: str, now: dt.datetime) -> None:
    """Whose work it is from now on; None: nobody's. UserError for somebody who is no staff."""
    request = _open(request_id, actor)
    if user is not None and not (user.is_active and user.is_staff):
        raise UserError(f"{user.get_username()} is no staff and works on no request.")
    if request.assigned_to_id == (user.pk if user else None):
        return
    request.assigned_to_id = user.pk if user else None
    request.save(update_fields=["assigned_to"])
    happen(request, "ASSIGNED", actor=actor, now=now, is_internal=True, to=request.assigned_to_id)


@transaction.atomic
def decide(*, request_id: int, is_approved: bool, text: str, actor: str, now: dt.datetime) -> ServiceRequest:
    """Approve or refuse, do what follows from it, and tell the asker. `text` goes to them, in their language.

    RequestRefused TEXT when refused without a reason, ENDED when it ended otherwise before. What the type's handler
    raises leaves the request as it was.
    """
    request = _locked(request_id, actor)
    state = RequestState.APPROVED if is_approved else RequestState.REFUSED
    if request.ended_at is not None and (request.state, request.ended_by) == (state, actor):
        return request
    _check_open(request)
    said = _text(text, may_be_empty=is_approved)
    _end(request, state, actor, now)
    happen(request, "DECIDED", actor=actor, now=now, text=said, outcome=state.value)
    if handler := registry.handler_of(request.type):
        form = open_form(request.form_sealed)
        handler.decided(request=request, form=form, is_approved=is_approved, now=now)
    tell(request, f"{state}_text" if is_approved and said else state, now=now, said=said)
    return request


@transaction.atomic
def withdraw(*, request_id: int, actor: str, now: dt.datetime) -> None:
    """The person takes it back, or staff do for them. RequestRefused ENDED when it was decided."""
    request = _locked(request_id, actor)
    if request.state == RequestState.WITHDRAWN:
        return
    _check_open(request)
    _end(request, RequestState.WITHDRAWN, actor, now)
    happen(request, "WITHDRAWN", actor=actor, now=now)
    if handler := registry.handler_of(request.type):
        handler.withdrawn(request=request, form=open_form(request.form_sealed), now=now)
    tell(request, "WITHDRAWN", now=now)


@transaction.atomic
def tell_overdue(*, user: User, now: dt.datetime) -> list[ServiceRequest]:
    """Requests of this clerk whose deadline passed and of which they were not told yet; each is told once."""
    today, actor = local_day(now, installed_profile()), f"user:{user.pk}"
    late = ServiceRequest.objects.select_for_update(skip_locked=True).filter(
        assigned_to=user, state=RequestState.OPEN, due_on__lt=today
    )
    told = RequestEvent.objects.filter(what="OVERDUE", actor=actor).values("request_id")
    found = list(late.exclude(id__in=told).order_by("due_on", "id"))
    for request in found:
        happen(request, "OVERDUE", actor=actor, now=now, is_internal=True)
    return found


# ------------------------------------------------------------------------------------------------------------- helpers


def _readable(request_id: int, actor: str) -> ServiceRequest:
    """RequestRefused GONE alike for one that does not exist and for another person's."""
    return _check_theirs(ServiceRequest.objects.filter(id=request_id).first(), actor)


def _locked(request_id: int, actor: str) -> ServiceRequest:
    """The request, held until the transaction ends."""
    found = ServiceRequest.objects.select_for_update(of=("self",)).filter(id=request_id).first()
    return _check_theirs(found, actor)


def _check_theirs(request: ServiceRequest | None, actor: str) -> ServiceRequest:
    if request is None or (actor.startswith("person:") and actor != f"person:{request.person_id}"):
        raise RequestRefused("GONE", "There is no such request. Check its reference letter by letter.")
    return request


def _open(request_id: int, actor: str) -> ServiceRequest:
    request = _locked(request_id, actor)
    _check_open(request)
    return request


def _check_open(request: ServiceRequest) -> None:
    if request.ended_at is not None:
        raise RequestRefused(
            "ENDED", f"Request {request.reference} ended already: {request.state}. Open a new one if need be."
        )


def _text(text: str, *, may_be_empty: bool = False) -> str:
    said = text.strip().replace("\r\n", "\n")
    if (not said and not may_be_empty) or len(said) > LONGEST_TEXT or not is_storable(said):
        raise RequestRefused("TEXT", f"Write at least a word and at most {LONGEST_TEXT} characters.")
    return said


def _set(request: ServiceRequest, **values: object) -> None:
    for name, value in values.items():
        setattr(request, name, value)
    request.save(update_fields=list(values))


def _end(request: ServiceRequest, state: RequestState, actor: str, now: dt.datetime) -> None:
    _set(request, state=state, ended_at=now, ended_by=actor)


def _resume(request: ServiceRequest, now: dt.datetime) -> None:
    """Back with the staff: the days that the person was waited for are added to the deadline."""
    if request.state != RequestState.WAITING:
        return
    asked = RequestEvent.objects.filter(request=request, what__in=["ASKED", "STEP"]).order_by("-at", "-id")
    since, profile = asked[0].at, installed_profile()
    due = rules.resumed_due_on(
        request.due_on,
        asked_on=local_day(since, profile),
        answered_on=local_day(now, profile),
        calendar=profile.calendar,
    )
    _set(request, state=RequestState.OPEN, due_on=due)
