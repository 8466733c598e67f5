"""The desk's queue of requests: what waits and until when, one request with its papers, and what a clerk does with it.

Every read of a person's data is recorded here, every change by the service that makes it. Clerks and managers act,
other staff read. Holds no rule. Next: requests/services.py and requests/queries.py.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tayyar.console.screen import Screen, refused, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.customers.models import ContactReview
from tayyar.identity.models import Person
from tayyar.requests import queries, services
from tayyar.requests.catalogue import Field, RequestType, request_type, request_types
from tayyar.requests.documents import JPEG
from tayyar.requests.errors import RequestRefused
from tayyar.requests.models import RequestState, ServiceRequest
from tayyar.requests.serving import paper_answer
from tayyar.requests.telling import language_of, local_day

STATES = (RequestState.WAITING, RequestState.APPROVED, RequestState.REFUSED, RequestState.WITHDRAWN)


# --------------------------------------------------------------------------------------------------------------- queue


@require_safe
@staff()
def request_queue(screen: Screen) -> HttpResponse:
    """What waits, by its deadline; filtered by type, state, mine and overdue."""
    asked, now, user = screen.request.GET, clock.now(), _user(screen)
    today = local_day(now, screen.profile)
    chosen = {
        "type": asked.get("type", "") if asked.get("type", "") in request_types() else "",
        "state": asked.get("state", "") if asked.get("state", "") in STATES else "",
        "mine": "1" if asked.get("mine") == "1" else "",
        "overdue": "1" if asked.get("overdue") == "1" else "",
    }
    newly_late = services.tell_overdue(user=user, now=now) if screen.can_serve else []
    found = queries.queue(
        today=today,
        type_code=chosen["type"],
        state=chosen["state"],
        assigned_to=user if chosen["mine"] else None,
        overdue=bool(chosen["overdue"]),
        page=int(asked["page"]) if asked.get("page", "").isdecimal() and len(asked["page"]) < 9 else 1,
    )
    counts = queries.queue_counts(user=user, today=today)
    audit.record(
        actor=screen.actor,
        action="REQUESTS_READ",
        subject="requests",
        now=now,
        requests=len(found.rows),
        **chosen,
    )
    context = {
        "title": screen.words["section_requests"],
        "truth": screen.say(
            "requests_truth", **{name: screen.num(counts[name]) for name in ("open", "overdue", "mine")}
        ),
        "late": [{"reference": screen.code(one.reference), "href": _href(one)} for one in newly_late],
        "filters": _filters(screen, chosen, counts),
        "rows": [_row(screen, one, today) for one in found.rows],
        "pages": screen.say("page_of", page=screen.num(found.page), last=screen.num(found.pages)),
        "earlier": _query(chosen, page=str(found.page - 1)) if found.page > 1 else "",
        "later": _query(chosen, page=str(found.page + 1)) if found.page < found.pages else "",
    }
    return screen.page("console/requests.html", context)


def _filters(screen: Screen, chosen: Mapping[str, str], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Three rows of links: whose and how late, in which state, of which type."""

    def link(text: str, count: int | None, is_on: bool, **change: str) -> dict[str, Any]:
        shown = screen.num(count) if count is not None else ""
        return {"text": text, "count": shown, "href": _query(chosen, **change), "on": is_on}

    words, kinds = screen.words, request_types()
    return [
        {
            "label": words["requests_whose"],
            "links": [
                link(
                    words[f"requests_{name}"],
                    counts[name],
                    bool(chosen[name]),
                    **{name: "" if chosen[name] else "1"},
                )
                for name in ("mine", "overdue")
            ],
        },
        {
            "label": words["state"],
            "links": [
                link(words["requests_open"], counts["open"], not chosen["state"], state=""),
                *(
                    link(
                        words[f"request_state_{state}"],
                        counts["waiting"] if state == RequestState.WAITING else None,
                        chosen["state"] == state,
                        state=state.value,
                    )
                    for state in STATES
                ),
            ],
        },
        {
            "label": words["request_type"],
            "links": [
                link(words["requests_all_types"], None, not chosen["type"], type=""),
                *(
                    link(kind.names[screen.lang], counts.get(code), chosen["type"] == code, type=code)
                    for code, kind in kinds.items()
                ),
            ],
        },
    ]


def _query(chosen: Mapping[str, str], **change: str) -> str:
    return "?" + urlencode({name: value for name, value in {**chosen, **change}.items() if value})


def _row(screen: Screen, request: ServiceRequest, today: dt.date) -> dict[str, Any]:
    kind = request_types().get(request.type)
    return {
        "reference": screen.code(request.reference),
        "href": _href(request),
        "type": kind.names[screen.lang] if kind else request.type,
        "name": _asker(request),
        "account": screen.code(request.account.number) if request.account else "",
        "state": screen.words[f"request_state_{request.state}"],
        "is_open": request.ended_at is None,
        "is_overdue": queries.is_overdue(request, today=today),
        "due": screen.day(request.due_on),
        "clerk": request.assigned_to.get_username() if request.assigned_to else "",
    }


@require_safe
@staff()
def find(screen: Screen) -> HttpResponse:
    """From a reference, as people read it out, to its page; to the reviews for "this bill is not mine"."""
    typed = screen.request.GET.get("reference", "").strip()[:40]
    found = queries.find_any(typed)
    if found:
        return redirect("console:request", reference=found.reference)
    known = queries.canonical(typed)
    if known and ContactReview.objects.filter(reference=known).exists():
        return redirect("console:reviews")
    problem = screen.words["request_unknown" if known else "request_mistyped"] if typed else ""
    context = {"title": screen.words["request_find"], "typed": typed, "problem": problem}
    return screen.page("console/request_find.html", context, status=404)


# --------------------------------------------------------------------------------------------------------- one request


@require_safe
@staff()
def request_page(screen: Screen, reference: str) -> HttpResponse:
    """What was asked, its papers, its history, and what can be done."""
    found = queries.find_any(reference)
    return _page(screen, found) if found else _gone(screen)


@require_safe
@staff()
def paper(screen: Screen, reference: str, document_id: int) -> HttpResponse:
    """One paper: a picture inline, a PDF as a file."""
    found = queries.find_any(reference)
    held = queries.paper_of(found, document_id) if found else None
    if found is None or held is None:
        return _gone(screen)
    audit.record(
        actor=screen.actor,
        action="REQUEST_PAPER_READ",
        subject=f"request:{found.reference}",
        now=clock.now(),
        document=document_id,
    )
    return screen.seal(paper_answer(*held, name=f"{found.reference}-{document_id}"))


@require_POST
@staff(serving=True)
def act(screen: Screen, reference: str, action: str) -> HttpResponse:
    """Take it, give it back, ask the person, note, move on, approve, refuse."""
    found = queries.find_any(reference)
    if found is None or action not in _ACTIONS:
        return _gone(screen)
    form = screen.request.POST
    try:
        _ACTIONS[action](screen, found, form.get("text", ""), form.get("step", ""))
    except RequestRefused as error:
        return _page(
            screen, found, problem=_problem(screen, error), failed=action, typed=form.get("text", "")
        )
    except UserError as error:
        return _page(screen, found, problem=str(error), failed=action, typed=form.get("text", ""))
    messages.success(screen.request, screen.words[f"request_done_{action}"])
    return redirect("console:request", reference=found.reference)


def _take(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.assign(request_id=request.pk, user=_user(screen), actor=screen.actor, now=clock.now())


def _give_back(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.assign(request_id=request.pk, user=None, actor=screen.actor, now=clock.now())


def _ask(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.ask_person(request_id=request.pk, text=text, actor=screen.actor, now=clock.now())


def _note(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.note(request_id=request.pk, text=text, actor=screen.actor, now=clock.now())


def _move(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.move_on(request_id=request.pk, step=step, actor=screen.actor, now=clock.now())


def _approve(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.decide(request_id=request.pk, is_approved=True, text=text, actor=screen.actor, now=clock.now())


def _refuse(screen: Screen, request: ServiceRequest, text: str, step: str) -> None:
    services.decide(request_id=request.pk, is_approved=False, text=text, actor=screen.actor, now=clock.now())


_ACTIONS: Mapping[str, Callable[[Screen, ServiceRequest, str, str], None]] = {
    "take": _take,
    "give_back": _give_back,
    "ask": _ask,
    "note": _note,
    "move": _move,
    "approve": _approve,
    "refuse": _refuse,
}


# ------------------------------------------------------------------------------------------------------------ contexts


def _page(
    screen: Screen, request: ServiceRequest, *, problem: str = "", failed: str = "", typed: str = ""
) -> HttpResponse:
    now = clock.now()
    audit.record(
        actor=screen.actor,
        action="REQUEST_READ",
        subject=f"request:{request.reference}",
        now=now,
        account=request.account_id,
        person=request.person_id,
    )
    request.refresh_from_db()
    kind, own = request_type(request.type), language_of(request).name
    is_overdue = queries.is_overdue(request, today=local_day(now, screen.profile))
    state = screen.words["requests_overdue" if is_overdue else f"request_state_{request.state}"]
    context = {
        "title": screen.say("request_title", reference=screen.code(request.reference)),
        "kind": kind.names[screen.lang],
        "summary": kind.summary[screen.lang],
        "reference": request.reference,
        "state": state,
        "is_overdue": is_overdue,
        "is_open": request.ended_at is None,
        "facts": _facts(screen, request, kind),
        "account_id": request.account_id,
        "form": _form(screen, request, kind),
        "papers": _papers(screen, request, kind),
        "history": _history(screen, request, kind),
        "is_mine": request.assigned_to_id == screen.request.user.pk,
        "is_taken": request.assigned_to_id is not None,
        "steps": [
            {"code": step.code, "text": step.names[screen.lang]}
            for step in kind.steps
            if step.code != request.step
        ],
        "own": own,
        "write_in": screen.words[f"request_write_in_{own}"],
        "problem": problem,
        "failed": failed,
        "typed": typed,
    }
    return screen.page("console/request.html", context, status=422 if problem else 200)


def _facts(screen: Screen, request: ServiceRequest, kind: RequestType) -> list[dict[str, Any]]:
    ended = request.ended_at
    facts = [
        ("request_asker", _asker(request)),
        ("account", screen.code(request.account.number) if request.account else ""),
        ("holder", request.account.customer.name if request.account else ""),
        ("request_step", kind.step(request.step).names[screen.lang]),
        ("request_due", screen.day(request.due_on) if ended is None else ""),
        ("request_opened", screen.moment(request.opened_at)),
        ("request_ended", screen.moment(ended) if ended else ""),
        ("request_via", screen.words[f"request_via_{request.via}"]),
        ("request_clerk", request.assigned_to.get_username() if request.assigned_to else ""),
    ]
    return [{"label": screen.words[key], "value": value} for key, value in facts if value]


def _form(screen: Screen, request: ServiceRequest, kind: RequestType) -> list[dict[str, Any]]:
    filled = queries.form_of(request)
    return [
        {
            "label": field.names[screen.lang],
            "value": _shown(screen, field, filled[field.code]),
            "is_long": field.kind == "LONG",
        }
        for field in kind.fields
        if field.code in filled
    ]


def _shown(screen: Screen, field: Field, value: Any) -> Any:
    if field.kind == "CHOICE":
        names = {choice.code: choice.names[screen.lang] for choice in field.choices}
        return names.get(value, value)
    if field.kind == "YES_NO":
        return screen.words["request_yes" if value else "request_no"]
    if field.kind == "DATE":
        return screen.day(dt.date.fromisoformat(value))
    if field.kind == "NUMBER":
        return screen.code(value)
    return value


def _papers(screen: Screen, request: ServiceRequest, kind: RequestType) -> list[dict[str, Any]]:
    return [
        {
            "name": _paper_name(screen, kind, held.kind),
            "href": reverse("console:request_paper", args=[request.reference, held.pk]),
            "is_picture": held.media_type == JPEG,
            "size": screen.say("request_size", size=screen.num(-(-held.size_bytes // 1024))),
            "added": screen.moment(held.added_at),
        }
        for held in queries.documents_of(request)
    ]


def _history(screen: Screen, request: ServiceRequest, kind: RequestType) -> list[dict[str, Any]]:
    events = queries.history_of(request, with_internal=True)
    names = _names(screen, {event.actor for event in events})
    rows = []
    for event in events:
        what, text = screen.words[f"request_what_{event.what}"], event.text
        if event.what == "DOCUMENT":
            text = _paper_name(screen, kind, event.text)
        elif event.what == "STEP":
            text = kind.step(event.step).names[screen.lang]
        rows.append(
            {
                "at": screen.moment(event.at),
                "who": names.get(event.actor, event.actor),
                "what": what,
                "text": text,
                "is_internal": event.is_internal,
            }
        )
    return rows


def _names(screen: Screen, actors: set[str]) -> dict[str, str]:
    """Who the actors of a history are, in words."""
    ids: dict[str, list[int]] = {"user": [], "person": []}
    for actor in actors:
        sort, _, number = actor.partition(":")
        if sort in ids and number.isdecimal():
            ids[sort].append(int(number))
    users = {f"user:{user.pk}": user.get_username() for user in User.objects.filter(id__in=ids["user"])}
    people = Person.objects.filter(id__in=ids["person"]).select_related("customer")
    return (
        users
        | {f"person:{one.pk}": one.customer.name for one in people}
        | {"system": screen.words["request_system"]}
    )


def _paper_name(screen: Screen, kind: RequestType, code: str) -> str:
    named = kind.document(code)
    return named.names[screen.lang] if named else code


def _asker(request: ServiceRequest) -> str:
    if request.person:
        return request.person.customer.name
    return request.account.customer.name if request.account else ""


def _href(request: ServiceRequest) -> str:
    return reverse("console:request", args=[request.reference])


def _problem(screen: Screen, error: RequestRefused) -> str:
    return screen.words.get(f"request_problem_{error.reason}", str(error))


def _gone(screen: Screen) -> HttpResponse:
    return refused(screen, screen.words["request_unknown"], status=404)


def _user(screen: Screen) -> User:
    user = screen.request.user
    assert isinstance(user, User)  # the door lets nobody else in
    return user
