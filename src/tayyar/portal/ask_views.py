"""A person's requests: the list, one found by its number, a new one, and one with its history, answers and papers.

Owns the pages under /me/requests. Holds no rule: requests/services.py opens, answers and withdraws. An unknown
reference and another person's are the same 404. Claims have pages of their own. Next: ask_form.py reads what was typed.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.claims.queries import Held
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.customers.models import Language
from tayyar.portal import ask_form, views
from tayyar.portal.ask_words import ASK_WORDS
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import account_id, every_account, local_now, named
from tayyar.portal.parts import Card, Choice, Fact, Field, Stop
from tayyar.requests import queries, services
from tayyar.requests.catalogue import RequestType, request_type, request_types
from tayyar.requests.documents import UploadRefused
from tayyar.requests.errors import FormRefused, RequestRefused
from tayyar.requests.models import RequestState, ServiceRequest, Via
from tayyar.requests.serving import paper_answer

PAGE = 20
LONGEST_KEY = 64
OWN_PAGES = "claims"  # the handler whose types are asked on the pages of claims
TONES: Mapping[str, str] = {  # the other states have none
    RequestState.WAITING: "pending",
    RequestState.APPROVED: "paid",
}


@require_safe
@signed_in
def requests_page(screen: MyScreen) -> HttpResponse:
    """All that the person asked, the newest first; the way to one by its number; what can be asked."""
    words, typed = ASK_WORDS[screen.lang], screen.request.GET.get("number")
    problem = ""
    if typed is not None:
        found = queries.find_for(screen.person, typed[:40])
        if found:
            return redirect("portal:my_request", reference=found.reference)
        problem = words["find_none"]
    mine = queries.requests_of(screen.person)
    first = _whole(screen.request.GET.get("from", "0"))
    rows = list(mine[first : first + PAGE + 1])
    context = {
        "title": words["title"],
        "a": words,
        "find": Field(
            "number",
            words["find"],
            (typed or "")[:40],
            error=problem,
            is_code=True,
            longest=40,
            required=False,
        ),
        "cards": [_card(screen, row) for row in rows[:PAGE]],
        "newer": max(0, first - PAGE) if first else None,
        "older": first + PAGE if len(rows) > PAGE else None,
        "types": [
            {
                "href": reverse("portal:ask", args=[kind.code.lower()]),
                "name": kind.names[screen.lang],
                "summary": kind.summary[screen.lang],
            }
            for kind in _kinds()
        ]
        if first == 0
        else [],
    }
    return screen.page("portal/me_requests.html", context, status=404 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def ask(screen: MyScreen, code: str) -> HttpResponse:
    """The form of a type, for an account of the person's; sent, the request's own page."""
    kind = next((kind for kind in _kinds() if kind.code.lower() == code), None)
    if kind is None:
        return screen.gone()
    accounts = [held for held in every_account(screen) if held.may_manage]
    typed = screen.request.POST.get("account") or screen.request.GET.get("account")
    chosen = accounts[0] if accounts and typed is None else _chosen(accounts, typed or "")
    if kind.opened_by == "HOLDER" and chosen is None and (accounts or typed is not None):
        return screen.gone()
    if screen.request.method == "POST" and (chosen or kind.opened_by != "HOLDER"):
        if not views.OPENINGS.spend(screen.request, views.FORM_POINTS):
            return views.busy(screen.request)
        return _open(screen, kind, accounts, chosen)
    return _form(screen, kind, accounts, chosen, {}, {})


def _open(screen: MyScreen, kind: RequestType, accounts: list[Held], chosen: Held | None) -> HttpResponse:
    words, posted = ASK_WORDS[screen.lang], screen.request.POST
    errors: dict[str, str] = {}
    try:
        made = services.open_request(
            type_code=kind.code,
            person=screen.person,
            account_id=chosen.account.pk if chosen else None,
            form={field.code: posted.get(field.code, "") for field in kind.fields},
            documents=ask_form.uploads_of(screen.request, kind),
            via=Via.WEB,
            language=Language[screen.lang],
            once_key=posted.get("key", "")[:LONGEST_KEY] or None,
            now=clock.now(),
        )
    except FormRefused as refused:
        errors = {name: ask_form.reason_text(words, reason) for name, reason in refused.errors.items()}
    except UploadRefused as refused:
        errors = {ask_form.first_paper(kind): words[f"paper_{refused.reason}"]}
    except RequestRefused as refused:
        is_paper = refused.reason in ("DOCUMENTS", "DOCUMENT_KIND", "DOCUMENT_MISSING")
        errors = {ask_form.first_paper(kind) if is_paper else "": words[f"refused_{refused.reason}"]}
    else:
        return redirect(f"{reverse('portal:my_request', args=[made.reference])}?done=opened")
    return _form(screen, kind, accounts, chosen, posted.dict(), errors)


def _form(
    screen: MyScreen,
    kind: RequestType,
    accounts: list[Held],
    chosen: Held | None,
    typed: dict[str, Any],
    errors: dict[str, str],
) -> HttpResponse:
    words = ASK_WORDS[screen.lang]
    choices = [Choice(str(held.account.number), named(held)) for held in accounts]
    context = {
        "title": kind.names[screen.lang],
        "a": words,
        "lead": kind.summary[screen.lang],
        "answer_in": words["answer_in"].format(days=screen.counted("days", kind.working_days)),
        "may_ask": chosen is not None or kind.opened_by != "HOLDER",
        "account": Field(
            "account", words["account"], str(chosen.account.number) if chosen else "", choices=choices
        )
        if len(choices) > 1
        else None,
        "number": chosen.account.number if chosen else "",
        "fields": ask_form.fields_of(kind, screen.lang, typed, errors),
        "papers": ask_form.papers_of(kind, screen.lang, errors),
        "problems": list(errors.items()),
        # A form that was sent under this key before asks for something else now: it needs a key of its own.
        "key": secrets.token_urlsafe(24) if errors else typed.get("key") or secrets.token_urlsafe(24),
    }
    return screen.page("portal/me_request_new.html", context, status=422 if errors else 200)


@require_safe
@signed_in
def one(screen: MyScreen, reference: str) -> HttpResponse:
    """Where a request stands, what is asked of the person, and what happened so far."""
    found = queries.find_for(screen.person, reference)
    return _page(screen, found) if found else screen.gone()


@require_POST
@signed_in
def answer(screen: MyScreen, reference: str) -> HttpResponse:
    """What the person says about it, with papers."""
    found = queries.find_for(screen.person, reference)
    if found is None:
        return screen.gone()
    if not views.OPENINGS.spend(screen.request, views.FORM_POINTS):
        return views.busy(screen.request)
    kind, words = request_type(found.type), ASK_WORDS[screen.lang]
    text = screen.request.POST.get("text", "")
    try:
        services.answer(
            request_id=found.pk,
            text=text,
            documents=ask_form.uploads_of(screen.request, kind),
            actor=screen.actor,
            now=clock.now(),
        )
    except UploadRefused as refused:
        errors = {ask_form.first_paper(kind): words[f"paper_{refused.reason}"]}
    except RequestRefused as refused:
        is_paper = refused.reason.startswith("DOCUMENT")
        name = ask_form.first_paper(kind) if is_paper else "text" if refused.reason == "TEXT" else ""
        errors = {name: words[f"refused_{refused.reason}"]}
    else:
        return redirect(f"{reverse('portal:my_request', args=[found.reference])}?done=answered")
    found.refresh_from_db()
    return _page(screen, found, text=text[: services.LONGEST_TEXT], errors=errors)


@require_POST
@signed_in
def withdraw(screen: MyScreen, reference: str) -> HttpResponse:
    """The person takes it back. Sent twice, it is taken back already."""
    found = queries.find_for(screen.person, reference)
    if found is None:
        return screen.gone()
    try:
        services.withdraw(request_id=found.pk, actor=screen.actor, now=clock.now())
    except UserError as refused:
        reason = refused.reason if isinstance(refused, RequestRefused) else "OTHER"
        found.refresh_from_db()
        return _page(screen, found, errors={"": ASK_WORDS[screen.lang][f"refused_{reason}"]})
    return redirect(f"{reverse('portal:my_request', args=[found.reference])}?done=withdrawn")


@require_safe
@signed_in
def paper(screen: MyScreen, reference: str, document_id: int) -> HttpResponse:
    """A paper of one's own request, made anew when it came."""
    found = queries.find_for(screen.person, reference)
    held = queries.paper_of(found, document_id) if found else None
    if found is None or held is None:
        return screen.gone()
    return paper_answer(*held, name=f"{found.reference}-{document_id}")


def _page(
    screen: MyScreen, found: ServiceRequest, *, text: str = "", errors: dict[str, str] | None = None
) -> HttpResponse:
    words, kind = ASK_WORDS[screen.lang], request_type(found.type)
    errors = errors or {}
    is_open, is_waiting = found.ended_at is None, found.state == RequestState.WAITING
    happened = queries.history_of(found, with_internal=False)
    asked = next((one.text for one in reversed(happened) if one.what == "ASKED"), "") if is_waiting else ""
    decided = next((one.text for one in reversed(happened) if one.what == "DECIDED"), "")
    papers = queries.documents_of(found)
    context = {
        "title": kind.names[screen.lang],
        "a": words,
        "reference": found.reference,
        "done": words.get(f"done_{screen.request.GET.get('done', '')}", "") if not errors else "",
        "state": words[f"state_{found.state}"],
        "tone": TONES.get(found.state, ""),
        "deadline": _deadline(screen, found),
        "asked": asked,
        "is_waiting": is_waiting,
        "decided": decided,
        "is_open": is_open,
        "problems": list(errors.items()),
        "opens_words": bool(errors) and not is_waiting,
        "text": Field(
            "text",
            words["your_answer" if is_waiting else "your_words"],
            text,
            error=errors.get("text", ""),
            type="textarea",
            required=False,
            longest=services.LONGEST_TEXT,
        ),
        "papers": ask_form.papers_of(kind, screen.lang, errors, is_required=False),
        "track": _track(screen, found, kind, happened),
        "facts": _facts(screen, found, kind),
        "documents": [
            {
                "href": reverse("portal:my_request_paper", args=[found.reference, one.pk]),
                "name": held.names[screen.lang] if (held := kind.document(one.kind)) else one.kind,
                "when": screen.moment(one.added_at),
            }
            for one in papers
        ],
    }
    return screen.page("portal/me_request.html", context, status=422 if errors else 200)


def _deadline(screen: MyScreen, found: ServiceRequest) -> str:
    words = ASK_WORDS[screen.lang]
    if found.state == RequestState.OPEN:
        late = queries.is_overdue(found, today=local_now(screen).date())
        return words["deadline_late" if late else "deadline"].format(day=screen.day(found.due_on))
    return words["deadline_waits"] if found.state == RequestState.WAITING else ""


def _track(
    screen: MyScreen, found: ServiceRequest, kind: RequestType, happened: list[queries.Happening]
) -> list[Stop]:
    """What happened, then where it stands, then what is still to come."""
    words = ASK_WORDS[screen.lang]
    stops = [
        Stop(_happening(screen, kind, one), screen.moment(one.at), "past")
        for one in happened
        if one.what in SHOWN
    ]
    if found.ended_at is None:
        is_waiting = found.state == RequestState.WAITING
        now = words["waits_for_you"] if is_waiting else kind.step(found.step).names[screen.lang]
        stops += [
            Stop(now, "", "now"),
            Stop(words["decision"], _deadline(screen, found) if not is_waiting else ""),
        ]
    return stops


SHOWN = ("OPENED", "STEP", "ASKED", "ANSWERED", "DOCUMENT", "DECIDED", "WITHDRAWN")


def _happening(screen: MyScreen, kind: RequestType, one: queries.Happening) -> str | SafeString:
    words, lang = ASK_WORDS[screen.lang], screen.lang
    what = words[f"event_{one.what}"]
    if one.what == "STEP":
        return kind.step(one.step).names[lang]
    if one.what == "DOCUMENT":
        held = kind.document(one.text)
        return what.format(paper=held.names[lang] if held else one.text)
    return format_html("{}<br><bdi>{}</bdi>", what, one.text) if one.text else what


def _facts(screen: MyScreen, found: ServiceRequest, kind: RequestType) -> list[Fact]:
    """What was filled in, as the type asks it."""
    words, form = ASK_WORDS[screen.lang], queries.form_of(found)
    facts = [Fact(words["opened"], screen.moment(found.opened_at))]
    if found.account:
        facts.append(Fact(words["account"], str(found.account.number), is_code=True))
    for field in kind.fields:
        if field.code not in form:
            continue
        value = ask_form.shown_value(field, form[field.code], screen, words)
        facts.append(Fact(field.names[screen.lang], value, is_code=field.kind == "NUMBER"))
    return facts


def _card(screen: MyScreen, row: ServiceRequest) -> Card:
    words = ASK_WORDS[screen.lang]
    lines = [screen.code(row.reference)]
    if deadline := _deadline(screen, row):
        lines.append(format_html("{}", deadline))
    return Card(
        title=request_type(row.type).names[screen.lang],
        href=reverse("portal:my_request", args=[row.reference]),
        state=words[f"state_{row.state}"],
        tone=TONES.get(row.state, ""),
        lines=lines,
    )


def _kinds() -> list[RequestType]:
    """The types that are asked here."""
    return [kind for kind in request_types().values() if kind.handler != OWN_PAGES]


def _chosen(accounts: list[Held], typed: str) -> Held | None:
    id = account_id(typed)
    return next((held for held in accounts if held.account.pk == id), None)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
