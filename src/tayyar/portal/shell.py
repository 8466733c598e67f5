"""The frame of pages around the login and behind it: navigation, languages, simple mode, and the headers they carry.

Owns what front_base.html and me_base.html show around a page, never what is on it, and decides nothing about who may
see. Next: templates/portal/me_base.html; door.py (signed-in pages), join_views.py, front_views.py.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tayyar.billing.documents.words import LANGUAGE_NAMES
from tayyar.core import clock, text
from tayyar.core.errors import UserError
from tayyar.core.text import RTL_LANGUAGES
from tayyar.identity.models import Person
from tayyar.portal.queries import local_zone, utility
from tayyar.portal.shell_words import SHELL_WORDS
from tayyar.portal.words import WORDS
from tayyar.profiles.installation import installed_profile

# Section of the navigation, its address; the icon has the section's name.
SECTIONS: Mapping[str, str] = {
    "home": "/me",
    "bills": "/me/bills",
    "use": "/me/use",
    "requests": "/me/requests",
    "me": "/me/settings",
}
IN_SIMPLE_MODE = ("home", "bills", "requests", "me")
SIGN_OUT = "/logout"
SIMPLE_COOKIE = "tayyar_simple"


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    lang: str,
    person: Person | None = None,
    status: int = 200,
) -> HttpResponse:
    """A page that extends front_base.html, or me_base.html for a signed-in `person`, with its headers.

    `context` may bring its own `w` (words); without, `w` are the portal's.
    """
    response = render(
        request, template, {**frame(request, lang=lang, person=person), **context}, status=status
    )
    return seal(response, lang)


def frame(request: HttpRequest, *, lang: str, person: Person | None = None) -> dict[str, Any]:
    """What the frame shows: `shell`, `utility`, `contacts`, `languages`, `lang`, `dir`, and `w`."""
    words, site_words = SHELL_WORDS[lang], WORDS[lang]
    name, contacts = utility(lang)
    is_simple = person.is_simple if person else request.COOKIES.get(SIMPLE_COOKIE) == "1"
    return {
        "lang": lang,
        "dir": "rtl" if lang in RTL_LANGUAGES else "ltr",
        "w": site_words,
        "utility": name or site_words["site"],
        "contacts": [
            {**contact, "label": site_words.get(f"contact_{contact['kind']}", "")} for contact in contacts
        ],
        "languages": [
            {"code": code, "name": own, "href": _in_language(request, code), "current": code == lang}
            for code, own in LANGUAGE_NAMES.items()
        ],
        "shell": {
            "words": words,
            "is_simple": is_simple,
            "is_signed_in": person is not None,
            "home": SECTIONS["home"] if person else f"/?lang={lang}",
            "path": request.get_full_path() if request.method == "GET" else request.path,
            "sign_out": SIGN_OUT,
            "sections": _sections(request.path, words, is_simple=is_simple) if person else [],
            "kept": words["kept"].format(moment=moment_text(clock.now(), lang)) if person else "",
        },
    }


def seal(response: HttpResponse, lang: str) -> HttpResponse:
    """No cache; the referrer stays on this site, as the form protection reads it."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "same-origin"
    response["Content-Language"] = lang
    return response


def remember_language(request: HttpRequest, response: HttpResponse, lang: str) -> HttpResponse:
    """Keep the language that the reader asked for by `?lang=` for the pages to come."""
    if request.GET.get("lang") == lang:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            lang,
            max_age=365 * 86_400,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def moment_text(moment: dt.datetime, lang: str) -> str:
    """A date in words and the time of day where the utility is; UTC while no country is chosen."""
    try:
        profile = installed_profile()
    except (UserError, DatabaseError):
        return f"{moment:%Y-%m-%d %H:%M} UTC"
    local = moment.astimezone(local_zone(profile))
    time_of_day = text.localise_digits(f"{local:%H:%M}", lang, profile.formats.digits)
    return f"{text.format_date(local.date(), lang, profile.formats)} {time_of_day}"


def _sections(path: str, words: Mapping[str, str], *, is_simple: bool) -> list[dict[str, Any]]:
    """The navigation's entries; the current one is that whose address the page's begins with, the longest of them."""
    path = path.rstrip("/")
    matching = [name for name, href in SECTIONS.items() if path == href or path.startswith(href + "/")]
    current = max(matching, key=lambda name: len(SECTIONS[name]), default="")
    return [
        {
            "name": words[name],
            "spoken": words[f"{name}_spoken"],
            "href": href,
            "icon": name,
            "current": name == current,
        }
        for name, href in SECTIONS.items()
        if not is_simple or name in IN_SIMPLE_MODE
    ]


def _in_language(request: HttpRequest, code: str) -> str:
    """This page in another language."""
    query = request.GET.copy()
    query["lang"] = code
    return f"?{query.urlencode()}"
