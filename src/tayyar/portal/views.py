"""The subscriber's pages: one bill behind a link, the landing page, refusals that tell nothing, the health check.

Owns headers and evidence of what was opened. Holds no rule: links from core, bills and documents from billing.
A wrong, expired or unknown link is one and the same answer. Next: templates/portal.
"""

import logging
from dataclasses import replace

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from tayyar.billing.documents.page import bill_context
from tayyar.billing.documents.view import BillView
from tayyar.billing.documents.words import LANGUAGE_NAMES
from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.queries import bill_by_number, language_of
from tayyar.core import audit, clock, web
from tayyar.core.errors import UserError
from tayyar.core.links import open_bill_token
from tayyar.core.text import LANGUAGES, RTL_LANGUAGES
from tayyar.portal.queries import utility
from tayyar.portal.words import WORDS

log = logging.getLogger(__name__)

# A mobile network puts many subscribers behind one address: what opens costs little, what does not costs much.
OPENINGS = web.Throttle(budget=600, seconds=60)
PAGE_POINTS, PDF_POINTS, WRONG_POINTS = 1, 5, 20


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """What this site is and how a bill is opened."""
    return _page(request, "portal/landing.html", "landing", status=200)


@require_safe
def bill_page(request: HttpRequest, token: str) -> HttpResponse:
    """One bill, opened by its link."""
    found = _open(request, token, PAGE_POINTS)
    if isinstance(found, HttpResponse):
        return found
    view, lang = found
    _leave_evidence(request, view, "BILL_OPENED", lang)
    return _private(render(request, "portal/bill.html", bill_context(view, lang)), lang)


@require_safe
def bill_document(request: HttpRequest, token: str) -> HttpResponse:
    """The same bill as a PDF to keep."""
    found = _open(request, token, PDF_POINTS)
    if isinstance(found, HttpResponse):
        return found
    view, lang = found
    data = bill_pdf(view, lang)
    _leave_evidence(request, view, "BILL_PDF_OPENED", lang)
    response = HttpResponse(data, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="bill-{view.bill_number:015d}.pdf"'
    return _private(response, lang)


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 while this process and its database answer, else 503. For load balancers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"database": "DOWN"}, status=503)
    return JsonResponse({"database": "UP"})


def gone(request: HttpRequest) -> HttpResponse:
    """The answer to every link that does not open, whatever the reason."""
    return _page(request, "portal/refusal.html", "gone", status=404)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """No page at this address (handler404)."""
    return _page(request, "portal/refusal.html", "missing", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours (handler500)."""
    return _page(request, "portal/refusal.html", "error", status=500)


def _open(request: HttpRequest, token: str, points: int) -> HttpResponse | tuple[BillView, str]:
    """The bill behind a token and the language to show it in, or the refusal."""
    if not OPENINGS.spend(request, points):
        response = _page(request, "portal/refusal.html", "busy", status=429)
        response["Retry-After"] = str(OPENINGS.seconds)
        return response
    now = clock.now()
    number = open_bill_token(token, today=now.date())
    if number is None:
        OPENINGS.spend(request, WRONG_POINTS)
        return gone(request)
    try:
        view = bill_by_number(number=number, mask_holder=True)
    except UserError as error:
        log.warning("A genuine link to bill %s does not open: %s", number, error)
        return gone(request)
    lang = web.language(request, known=language_of(account_number=view.account_number))
    return replace(view, pdf_url=reverse("portal:bill_pdf", args=[token])), lang


def _leave_evidence(request: HttpRequest, view: BillView, action: str, lang: str) -> None:
    """That this bill was opened through its link proves its reach; a browser's guess ahead proves nothing."""
    ahead = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    if request.method == "GET" and "prefetch" not in ahead:
        audit.record(
            actor="link", action=action, subject=f"bill:{view.bill_number}", now=clock.now(), language=lang
        )


def _page(request: HttpRequest, template: str, key: str, *, status: int) -> HttpResponse:
    """A page of the portal's own words, in the reader's language first."""
    lang = web.language(request)
    name, contacts = utility(lang)
    ordered = [lang, *(other for other in LANGUAGES if other != lang)]
    words = WORDS[lang]
    context = {
        "lang": lang,
        "dir": _direction(lang),
        "w": words,
        "title": words[f"{key}_title"],
        "utility": name or words["site"],
        "contacts": [
            {**contact, "label": words.get(f"contact_{contact['kind']}", "")} for contact in contacts
        ],
        "languages": [
            {"code": code, "name": text, "href": f"?lang={code}", "current": code == lang}
            for code, text in LANGUAGE_NAMES.items()
        ],
        "texts": [
            {
                "lang": code,
                "dir": _direction(code),
                "title": WORDS[code][f"{key}_title"],
                "text": WORDS[code].get(f"{key}_text", ""),
            }
            for code in ordered
        ],
    }
    return _private(render(request, template, context, status=status), lang)


def _private(response: HttpResponse, lang: str) -> HttpResponse:
    """No cache, no referrer, no index: a link in somebody's history must not travel further."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["Content-Language"] = lang
    return response


def _direction(lang: str) -> str:
    return "rtl" if lang in RTL_LANGUAGES else "ltr"
