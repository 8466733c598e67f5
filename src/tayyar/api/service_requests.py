"""Requests of the signed-in person: what can be asked, opening one, where each stands, answers, papers, taking it back.

Holds no rule: types are data of requests/types, services.py writes. Another's request is the same 404 as none.
Next: requests/services.py.
"""

import datetime as dt
import json
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Form, Path, Query, Router, Schema, Status
from pydantic import AfterValidator

from tayyar.api.accounts import held_of
from tayyar.api.bills import file_answer
from tayyar.api.door import Caller
from tayyar.api.paging import Cursor, Limit, page_of_rows
from tayyar.api.papers import DocumentKinds, Documents, OnceKey, uploads
from tayyar.api.problems import invalid, not_found
from tayyar.api.shapes import PROBLEMS, Choice, number_of, storable
from tayyar.customers.models import Language
from tayyar.requests import queries, services
from tayyar.requests.catalogue import RequestType, request_types
from tayyar.requests.models import ServiceRequest, Via

router = Router(tags=["Requests"])
Reference = Annotated[
    str, Path(description="The reference, typed as people type it.", examples=["R-0007-F3K2"])
]


class TypeField(Schema):
    """One question of a form. `kind`: TEXT, LONG, DATE, NUMBER, CHOICE or YES_NO; `max`: letters, or the largest."""

    code: str
    kind: str
    name: str
    is_required: bool
    max: int
    choices: list[Choice]


class TypeDocument(Schema):
    """A kind of paper, and how many of it."""

    code: str
    name: str
    is_required: bool
    max: int


class Type(Schema):
    """A kind of request, in the caller's language."""

    code: str
    name: str
    summary: str
    working_days: int
    fields: list[TypeField]
    documents: list[TypeDocument]
    steps: list[Choice]


class Types(Schema):
    """Every kind of request that can be opened here."""

    items: list[Type]


class RequestSummary(Schema):
    """A request in a list. `state`: OPEN, WAITING (for the person), APPROVED, REFUSED, WITHDRAWN."""

    reference: str
    type: str
    type_name: str
    state: str
    step: str
    step_name: str
    account_number: str | None
    opened_at: dt.datetime
    due_date: dt.date
    ended_at: dt.datetime | None


class Requests(Schema):
    """A page of requests, the newest first."""

    items: list[RequestSummary]
    next_cursor: str | None


class Event(Schema):
    """What happened: OPENED, STEP, ASKED, ANSWERED, DOCUMENT, DECIDED, WITHDRAWN. `by`: ME, STAFF or SYSTEM."""

    at: dt.datetime
    what: str
    step: str
    by: str
    text: str


class Paper(Schema):
    """A paper of a request."""

    id: int
    kind: str
    media_type: str
    size_bytes: int
    added_at: dt.datetime


class Request(RequestSummary):
    """A whole request: what was filled in, its papers, and all that happened."""

    form: dict[str, str | int | bool]
    documents: list[Paper]
    history: list[Event]


@router.get(
    "/request-types",
    response={200: Types, **PROBLEMS},
    operation_id="listRequestTypes",
    summary="What can be asked for",
)
def list_types(request: HttpRequest) -> Types:
    """Forms, papers and steps as data, so that an app needs no release for a new type."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return Types(
        items=[_type(kind, caller.lang) for kind in request_types().values() if _is_for_holders(kind)]
    )


@router.get(
    "/requests",
    response={200: Requests, **PROBLEMS},
    operation_id="listRequests",
    summary="The person's requests",
)
def list_requests(
    request: HttpRequest,
    limit: Limit,
    cursor: Cursor = None,
    is_open: Annotated[bool | None, Query(None, description="Only those that have ended, or not.")] = None,
) -> Requests:
    """Claims too, the newest first."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = queries.requests_of(caller.person)
    if is_open is not None:
        found = found.filter(ended_at__isnull=is_open)
    shown, following = page_of_rows(found, limit=limit, cursor=cursor)
    return Requests(
        items=[RequestSummary(**_summary(one, caller.lang)) for one in shown], next_cursor=following
    )


@router.post(
    "/requests", response={201: Request, **PROBLEMS}, operation_id="openRequest", summary="Open a request"
)
def open_request(
    request: HttpRequest,
    once_key: OnceKey,
    type: Annotated[str, Form(description="A code of `request-types`.", examples=["BILL_COPY"])],
    account_number: Annotated[
        str, Form(description="One that the person may manage.", examples=["10000000154"])
    ],
    form: Annotated[
        str,
        AfterValidator(storable),
        Form(max_length=20_000, description="A JSON object: the fields' values."),
    ] = "{}",
    documents: Documents = [],  # noqa: B006 - ninja copies it
    document_kinds: DocumentKinds = [],  # noqa: B006
) -> Status:
    """The same key gives the same request; with other content it is refused (OTHER_FORM)."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    kind = request_types().get(type)
    if kind is None or not _is_for_holders(kind):
        raise invalid(type="CHOICE")
    account_id = held_of(caller, account_number).account.pk
    opened = services.open_request(
        type_code=kind.code,
        person=caller.person,
        account_id=account_id,
        form=_form(form),
        documents=uploads(documents, document_kinds),
        via=Via.APP,
        language=Language[caller.lang],
        once_key=once_key,
        now=caller.now,
    )
    return Status(201, _request(opened, caller))


@router.get(
    "/requests/{reference}",
    response={200: Request, **PROBLEMS},
    operation_id="getRequest",
    summary="One request",
)
def get_request(request: HttpRequest, reference: Reference) -> Request:
    """Its form, papers and history."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _request(_own(caller, reference), caller)


@router.post(
    "/requests/{reference}/answer",
    response={200: Request, **PROBLEMS},
    operation_id="answerRequest",
    summary="Answer what was asked",
)
def answer_request(
    request: HttpRequest,
    reference: Reference,
    text: Annotated[str, AfterValidator(storable), Form(max_length=services.LONGEST_TEXT)] = "",
    documents: Documents = [],  # noqa: B006
    document_kinds: DocumentKinds = [],  # noqa: B006
) -> Request:
    """Text, papers or both; the request is with the staff again. The same again changes nothing."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = _own(caller, reference)
    services.answer(
        request_id=found.pk,
        text=text,
        documents=uploads(documents, document_kinds),
        actor=caller.actor,
        now=caller.now,
    )
    return _request(_own(caller, reference), caller)


@router.post(
    "/requests/{reference}/withdraw",
    response={200: Request, **PROBLEMS},
    operation_id="withdrawRequest",
    summary="Take a request back",
)
def withdraw_request(request: HttpRequest, reference: Reference) -> Request:
    """While it is not decided. Taken back twice is once."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    services.withdraw(request_id=_own(caller, reference).pk, actor=caller.actor, now=caller.now)
    return _request(_own(caller, reference), caller)


@router.get(
    "/requests/{reference}/documents/{document_id}",
    response={200: None, **PROBLEMS},
    operation_id="getRequestDocument",
    summary="One paper of a request",
    openapi_extra={
        "responses": {
            200: {
                "content": {
                    media: {"schema": {"type": "string", "format": "binary"}}
                    for media in ("image/jpeg", "application/pdf")
                }
            }
        }
    },
)
def get_document(request: HttpRequest, reference: Reference, document_id: str) -> HttpResponse:
    """As it was kept: checked and made anew."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = _own(caller, reference)
    is_id = document_id.isascii() and document_id.isdecimal() and len(document_id) < 19
    paper = queries.paper_of(found, int(document_id)) if is_id else None
    if paper is None:
        raise not_found()
    ending = "pdf" if paper[1] == "application/pdf" else "jpg"
    return file_answer(*paper, f"{found.reference}-{document_id}.{ending}")


def _own(caller: Caller, reference: str) -> ServiceRequest:
    found = queries.find_for(caller.person, reference)
    if found is None:
        raise not_found()
    return found


def _is_for_holders(kind: RequestType) -> bool:
    """Whether it is asked for an account that one has. What is asked of others' accounts goes through claims.py."""
    return kind.opened_by == "HOLDER"


def _form(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid(form="INVALID") from None
    if not isinstance(values, dict) or any(isinstance(value, dict | list) for value in values.values()):
        raise invalid(form="INVALID")
    return values


def _type(kind: RequestType, lang: str) -> Type:
    return Type(
        code=kind.code,
        name=kind.names[lang],
        summary=kind.summary[lang],
        working_days=kind.working_days,
        fields=[
            TypeField(
                code=field.code,
                kind=field.kind,
                name=field.names[lang],
                is_required=field.is_required,
                max=field.max,
                choices=[Choice(code=one.code, name=one.names[lang]) for one in field.choices],
            )
            for field in kind.fields
        ],
        documents=[
            TypeDocument(code=one.code, name=one.names[lang], is_required=one.is_required, max=one.max)
            for one in kind.documents
        ],
        steps=[Choice(code=step.code, name=step.names[lang]) for step in kind.steps],
    )


def _summary(found: ServiceRequest, lang: str) -> dict[str, Any]:
    kind = request_types()[found.type]
    return {
        "reference": found.reference,
        "type": found.type,
        "type_name": kind.names[lang],
        "state": found.state,
        "step": found.step,
        "step_name": kind.step(found.step).names[lang],
        "account_number": number_of(found.account_id) if found.account_id else None,
        "opened_at": found.opened_at,
        "due_date": found.due_on,
        "ended_at": found.ended_at,
    }


def _request(found: ServiceRequest, caller: Caller) -> Request:
    return Request(
        **_summary(found, caller.lang),
        form=queries.form_of(found),
        documents=[
            Paper(
                id=one.pk,
                kind=one.kind,
                media_type=one.media_type,
                size_bytes=one.size_bytes,
                added_at=one.added_at,
            )
            for one in queries.documents_of(found)
        ],
        history=[
            Event(at=one.at, what=one.what, step=one.step, by=_by(one.actor, caller), text=one.text)
            for one in queries.history_of(found, with_internal=False)
        ],
    )


def _by(actor: str, caller: Caller) -> str:
    """Who did it, without a name of the staff."""
    return "ME" if actor == caller.actor else "STAFF" if actor.startswith("user:") else "SYSTEM"
