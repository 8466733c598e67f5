"""The frame of the subscriber's pages, refusals that tell nothing, the health check.

Owns headers and the budget of each address. A wrong, expired or unknown link is one and the same answer.
Next: link_views.py (one bill), wishes_views.py and delegate_views.py (people); templates/portal.
"""

from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from tayyar.billing.documents.words import LANGUAGE_NAMES
from tayyar.core import web
from tayyar.core.text import LANGUAGES, RTL_LANGUAGES
from tayyar.portal.queries import utility
from tayyar.portal.words import WORDS

# A mobile network puts many subscribers behind one address: what opens costs little, what does not costs much.
OPENINGS = web.Throttle(budget=600, seconds=60)
PAGE_POINTS, PDF_POINTS, FORM_POINTS, WRONG_POINTS = 1, 5, 10, 20


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


def busy(request: HttpRequest) -> HttpResponse:
    """The answer to an address whose budget is used up."""
    response = _page(request, "portal/refusal.html", "busy", status=429)
    response["Retry-After"] = str(OPENINGS.seconds)
    return response


def refuse(request: HttpRequest, key: str, *, status: int) -> HttpResponse:
    """A refusal in the words `<key>_title` and `<key>_text`."""
    return _page(request, "portal/refusal.html", key, status=status)


def _page(request: HttpRequest, template: str, key: str, *, status: int) -> HttpResponse:
    """A page of the portal's own words, in the reader's language first."""
    lang = web.language(request)
    ordered = [lang, *(other for other in LANGUAGES if other != lang)]
    words = WORDS[lang]
    context = {
        "title": words[f"{key}_title"],
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
    return show(request, template, context, lang, status=status)


def show(
    request: HttpRequest, template: str, context: Mapping[str, Any], lang: str, *, status: int = 200
) -> HttpResponse:
    """A page in `lang` with what every page of the portal shows around its own `context`."""
    name, contacts = utility(lang)
    words = WORDS[lang]
    common = {
        "lang": lang,
        "dir": _direction(lang),
        "w": words,
        "utility": name or words["site"],
        "contacts": [
            {**contact, "label": words.get(f"contact_{contact['kind']}", "")} for contact in contacts
        ],
        "languages": [
            {"code": code, "name": text, "href": f"?lang={code}", "current": code == lang}
            for code, text in LANGUAGE_NAMES.items()
        ],
    }
    return private(render(request, template, {**common, **context}, status=status), lang)


def private(response: HttpResponse, lang: str) -> HttpResponse:
    """No cache, no referrer, no index: a link in somebody's history must not travel further.

    The same headers whether or not a session was asked: a refusal must not tell how far its address was understood.
    """
    patch_vary_headers(response, ["Cookie"])
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["Content-Language"] = lang
    return response


def _direction(lang: str) -> str:
    return "rtl" if lang in RTL_LANGUAGES else "ltr"
