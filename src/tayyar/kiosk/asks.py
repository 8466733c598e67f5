"""Requests at a kiosk: a paper bill, a copy of a bill; the reference number on the screen and on a slip.

Other requests need papers or more typing than a machine in a hall offers. Holds no rule: requests/services.py opens.
"""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.core import text
from tayyar.core.errors import UserError
from tayyar.customers.models import Language
from tayyar.kiosk import escpos, printing, queries, services
from tayyar.kiosk.bills import deliver
from tayyar.kiosk.door import Screen, visitor
from tayyar.kiosk.escpos import Slip
from tayyar.kiosk.queries import Seen
from tayyar.requests.catalogue import request_type
from tayyar.requests.errors import RequestRefused
from tayyar.requests.models import ServiceRequest, Via
from tayyar.requests.services import open_request

TYPES = ("PAPER_BILL", "BILL_COPY")
MOST_BILLS = 6  # to choose from; an older copy is asked for in the portal or at the desk


@require_safe
@visitor()
def requests(screen: Screen) -> HttpResponse:
    """What can be asked for here."""
    kinds = [
        {"code": code, "name": kind.names[screen.lang], "summary": kind.summary[screen.lang]}
        for code in TYPES
        for kind in [request_type(code)]
    ]
    context = {
        "title": screen.words["requests_title"],
        "kinds": kinds,
        "able": bool(_accounts(screen)),
        "back": "kiosk:leave",
    }
    return screen.page("requests.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@visitor()
def ask(screen: Screen, type_code: str) -> HttpResponse:
    """The few choices of one type; sent, it is a request."""
    if type_code not in TYPES:
        return screen.gone()
    accounts = _accounts(screen)
    if not accounts:
        return screen.go("requests")
    if screen.request.method != "POST":
        return _form(screen, type_code, accounts)
    chosen = _read(screen, type_code, accounts)
    if chosen is None:
        return _form(screen, type_code, accounts, problem=screen.words["choose_one"])
    seen, form = chosen
    try:
        request = open_request(
            type_code=type_code,
            person=screen.visit.person,
            account_id=seen.account_id,
            form=form,
            via=Via.KIOSK,
            language=Language[screen.lang],
            once_key=f"kiosk:{screen.visit.pk}:{type_code}:{seen.account_id}:{sorted(form.items())}",
            now=screen.now,
            actor=f"kiosk:{screen.device.pk}",
        )
    except RequestRefused as refusal:
        key = "ask_TOO_MANY" if refusal.reason == "TOO_MANY" else "ask_refused"
        return _form(screen, type_code, accounts, problem=screen.words[key])
    except UserError:
        return _form(screen, type_code, accounts, problem=screen.words["ask_refused"])
    services.keep_reference(visit=screen.visit, reference=request.reference)
    return screen.go("asked")


@require_safe
@visitor()
def asked(screen: Screen) -> HttpResponse:
    """The reference number of what was asked."""
    request = _asked(screen)
    if request is None:
        return screen.go("requests")
    context = {"title": screen.words["asked_title"], **_facts(screen, request)}
    return screen.page("asked.html", context)


@require_POST
@visitor()
def print_slip(screen: Screen) -> HttpResponse:
    """The reference number on paper."""
    request = _asked(screen)
    if request is None:
        return screen.gone()
    return deliver(
        screen,
        slip=lambda: request_slip(screen, request),
        paper="SLIP",
        file_name="request_file",
        address={},
        back="kiosk:asked",
        subject=f"request:{request.reference}",
        printed=lambda: None,
    )


@require_safe
@visitor()
def request_file(screen: Screen) -> HttpResponse:
    """The request's slip as ESC/POS, for the print bridge."""
    request = _asked(screen)
    if request is None or screen.device.receipt_printer:
        return screen.gone()
    data = escpos.slip_bytes(request_slip(screen, request))
    return screen.seal(printing.as_file(data, name=f"slip-{request.reference}.escpos"))


def request_slip(screen: Screen, request: ServiceRequest) -> Slip:
    """What a slip says of a request."""
    facts, words = _facts(screen, request), screen.words
    rows = [(words["ask_kind"], facts["kind"]), (words["account"], facts["account"])]
    return Slip(
        lang=screen.lang,
        utility=screen.profile.utility_names[screen.lang],
        title=words["asked_title"],
        label=words["reference"],
        lead=request.reference,
        note=facts["until"],
        rows=tuple(rows),
        foot=words["slip_foot"].format(moment=screen.moment()),
    )


def _accounts(screen: Screen) -> list[Seen]:
    return [seen for seen in queries.accounts_of(screen.visit, today=screen.today) if seen.may_ask]


def _asked(screen: Screen) -> ServiceRequest | None:
    reference = screen.visit.request_reference
    return ServiceRequest.objects.filter(reference=reference).first() if reference else None


def _facts(screen: Screen, request: ServiceRequest) -> dict[str, Any]:
    until = (
        screen.words["asked_until"].format(day=screen.day(request.due_on)) if request.ended_at is None else ""
    )
    return {
        "reference": request.reference,
        "kind": request_type(request.type).names[screen.lang],
        "account": str(request.account.number) if request.account else "",
        "until": until or screen.words["asked_done"],
    }


def _form(screen: Screen, type_code: str, accounts: list[Seen], *, problem: str = "") -> HttpResponse:
    kind = request_type(type_code)
    choices: list[dict[str, Any]] = []
    if type_code == "BILL_COPY":
        for seen in accounts:
            for row in seen.bills()[:MOST_BILLS]:
                month = text.format_month(row.period.start, screen.lang, screen.formats)
                choices.append({"value": str(row.number), "name": month, "detail": str(seen.number)})
    else:
        choices = [
            {"value": str(s.account_id), "name": str(s.number), "detail": s.nickname} for s in accounts
        ]
    context = {
        "title": kind.names[screen.lang],
        "summary": kind.summary[screen.lang],
        "type": type_code,
        "choices": choices,
        "problem": problem,
        "answers": _answers(screen, type_code),
        "choose": screen.words["choose_bill" if type_code == "BILL_COPY" else "choose_account"],
        "back": "kiosk:requests",
    }
    return screen.page("ask.html", context, status=422 if problem else 200)


def _answers(screen: Screen, type_code: str) -> list[dict[str, str]]:
    """The buttons that send the form."""
    if type_code == "PAPER_BILL":
        return [{"value": code, "name": screen.words[f"paper_{code}"]} for code in ("yes", "no")]
    field = request_type(type_code).field("way")
    return [
        {"value": choice.code, "name": choice.names[screen.lang]}
        for choice in (field.choices if field else ())
    ]


def _read(screen: Screen, type_code: str, accounts: list[Seen]) -> tuple[Seen, dict[str, Any]] | None:
    """What was chosen, of what was offered and nothing else."""
    chosen, answer = screen.request.POST.get("chosen", ""), screen.request.POST.get("answer", "")
    if answer not in {entry["value"] for entry in _answers(screen, type_code)}:
        return None
    for seen in accounts:
        if type_code == "PAPER_BILL" and chosen == str(seen.account_id):
            return seen, {"wants_paper": answer == "yes"}
        if type_code == "BILL_COPY" and chosen in {str(row.number) for row in seen.bills()}:
            return seen, {"bill_number": chosen, "way": answer}
    return None
