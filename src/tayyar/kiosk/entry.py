"""Coming in: by account number or identity number and a code, or with a bill's QR code.

Nothing here tells whether a number is known: an unknown one gets the same pages, the same refusals and the same time to
answer. Holds no rule. Next: services.py, then bills.py or asks.py.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from tayyar.core.errors import UserError
from tayyar.core.references import parse_number
from tayyar.customers import codes
from tayyar.identity.models import IdType
from tayyar.identity.people import id_hash
from tayyar.identity.rules import IdRefused, check_id
from tayyar.kiosk import pad, services
from tayyar.kiosk.door import Screen, visitor
from tayyar.kiosk.models import Goal, Way
from tayyar.kiosk.services import VisitRefused
from tayyar.profiles.model import IdentityType

ACCOUNT_DIGITS = 11
ANSWER_SECONDS = 0.4  # sending a code takes a few hundredths; an unknown number takes as long


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """The block lasts ANSWER_SECONDS, whatever it had to do."""
    began = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, began + ANSWER_SECONDS - time.monotonic()))


@require_safe
@visitor(proven=False)
def ways(screen: Screen) -> HttpResponse:
    """How to come in."""
    return screen.page(
        "ways.html",
        {
            "title": screen.words["ways_title"],
            "scans": screen.visit.goal == Goal.BILLS,
            "back": "kiosk:leave",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@visitor(proven=False)
def account(screen: Screen) -> HttpResponse:
    """The account number, and off goes the code."""
    if screen.request.method != "POST":
        return _pad(screen, "account")
    digits, is_pressing = pad.typed(screen.request)
    if is_pressing:
        return _pad(screen, "account", digits)
    if len(digits) != ACCOUNT_DIGITS:
        problem = screen.say(
            "account_length", digits=screen.number(ACCOUNT_DIGITS), typed=screen.number(len(digits))
        )
        return _pad(screen, "account", digits, problem=problem)
    try:
        number = parse_number(digits, what="account number", digits=ACCOUNT_DIGITS)
    except UserError:
        return _pad(screen, "account", digits, problem=screen.words["account_wrong"])
    with steady():
        try:
            services.by_account(visit=screen.visit, account_id=number // 100, now=screen.now)
        except VisitRefused as refusal:
            return _code(screen, refusal=refusal)
    return screen.go("code")


@require_safe
@visitor(proven=False)
def identities(screen: Screen) -> HttpResponse:
    """Which document; where there is one kind only, straight to its number."""
    kinds = _identity_types(screen)
    if len(kinds) == 1:
        return screen.go("identity", id_type=kinds[0].code)
    shown = [{"code": kind.code, "name": kind.names[screen.lang]} for kind in kinds]
    context = {"title": screen.words["identities_title"], "kinds": shown, "back": "kiosk:ways"}
    return screen.page("identities.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@visitor(proven=False)
def identity(screen: Screen, id_type: str) -> HttpResponse:
    """The number of the document, and off goes the code."""
    kind = next((kind for kind in _identity_types(screen) if kind.code == id_type), None)
    if kind is None:
        return screen.gone()
    name: dict[str, Any] = {"lead": kind.names[screen.lang]}
    if screen.request.method != "POST":
        return _pad(screen, "identity", **name)
    digits, is_pressing = pad.typed(screen.request)
    if is_pressing:
        return _pad(screen, "identity", digits, **name)
    try:
        number = check_id(kind, digits)
    except IdRefused as refusal:
        known = refusal.reason if refusal.reason in ("LENGTH", "START") else "CHECK"
        problem = screen.say(
            f"identity_{known}",
            digits=screen.number(kind.least),
            typed=screen.number(len(digits)),
            start=" / ".join(kind.prefixes),
        )
        return _pad(screen, "identity", digits, problem=problem, **name)
    with steady():
        try:
            services.by_person(visit=screen.visit, id_hash=id_hash(id_type, number), now=screen.now)
        except VisitRefused as refusal:
            return _code(screen, refusal=refusal)
    return screen.go("code")


@require_http_methods(["GET", "HEAD", "POST"])
@visitor(proven=False)
def scan(screen: Screen) -> HttpResponse:
    """A scanner types the link of a bill's QR code, and Enter."""
    context: dict[str, Any] = {"title": screen.words["scan_title"], "back": "kiosk:ways", "problem": ""}
    if screen.request.method == "POST":
        if services.by_bill(visit=screen.visit, text=screen.request.POST.get("scanned", ""), now=screen.now):
            return screen.go("bills")
        context["problem"] = screen.words["scan_wrong"]
    return screen.page("scan.html", context, status=422 if context["problem"] else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@visitor(proven=False)
def code(screen: Screen) -> HttpResponse:
    """The code that was sent, if there is whom to send it to."""
    if screen.visit.way not in (Way.ACCOUNT, Way.IDENTITY):
        return screen.go("ways")
    if screen.request.method != "POST":
        return _code(screen)
    if "again" in screen.request.POST:
        with steady():
            try:
                services.send_code(visit=screen.visit, now=screen.now)
            except VisitRefused as refusal:
                return _code(screen, refusal=refusal)
        return screen.go("code")
    digits, is_pressing = pad.typed(screen.request)
    if is_pressing:
        return _code(screen, digits)
    with steady():
        try:
            is_right = services.check_code(visit=screen.visit, code=digits, now=screen.now)
        except VisitRefused as refusal:
            return _code(screen, refusal=refusal)
    if is_right:
        return screen.go("bills" if screen.visit.goal == Goal.BILLS else "requests")
    return _code(screen, problem=screen.words["code_wrong"])


def _identity_types(screen: Screen) -> list[IdentityType]:
    """Documents of persons whose number alone says whose it is, and that our pad can type."""
    return [
        kind
        for kind in screen.profile.identity_types
        if kind.kind == "PERSON"
        and not kind.has_letters
        and kind.code in (IdType.NATIONAL_ID, IdType.RESIDENCE)
    ]


def _pad(screen: Screen, name: str, digits: str = "", *, problem: str = "", **context: Any) -> HttpResponse:
    shown = {
        "title": screen.words[f"{name}_title"],
        "label": screen.words[f"{name}_label"],
        "send": screen.words["go_on"],
        "number": digits,
        "problem": problem,
        "back": "kiosk:ways",
        **context,
    }
    return screen.page("pad.html", shown, status=422 if problem else 200)


def _code(
    screen: Screen, digits: str = "", *, problem: str = "", refusal: VisitRefused | None = None
) -> HttpResponse:
    if refusal:
        problem = screen.say(f"code_{refusal.reason}", seconds=screen.number(refusal.seconds))
    response = _pad(
        screen,
        "code",
        digits,
        problem=problem,
        lead=screen.say(
            f"code_sent_{screen.visit.way}", seconds=screen.number(int(codes.VALID.total_seconds()))
        ),
        send=screen.words["code_check"],
        again=True,
    )
    if refusal and refusal.reason in ("WAIT", "BUDGET"):
        response.status_code = 429
    return response
