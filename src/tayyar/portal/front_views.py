"""The front door: sign in, join, open a bill by its link, find a request by its number; also what is shared to the app.

Owns how a pasted text is read. Opens nothing itself: the link's own page and the request's page decide who may see.
Next: templates/portal/landing.html; link_views.py, wishes_views.py.
"""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from tayyar.core import web
from tayyar.core.errors import UserError
from tayyar.core.references import parse_reference, reference
from tayyar.portal import shell, views
from tayyar.portal.front_words import FRONT_WORDS

LONGEST_TEXT = 2000
EXAMPLE = reference("R", 7)
_LINK = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)
_OWN = re.compile(r"/[bpcd]/[A-Za-z0-9_.~:-]+(?:/[a-z-]+)?")
_BARE = re.compile(r"(?:^|[\s/])([bpcd]/[A-Za-z0-9_.~:-]{16,})\s*$")
_REFERENCE = re.compile(r"(?<![A-Za-z0-9])R[-\s]?([0-9A-Za-z]{4})[-\s]?([0-9A-Za-z]{4})(?![A-Za-z0-9])", re.I)


class NothingToOpen(UserError):
    """A text that opens nothing. `reason`: EMPTY, FOREIGN (another site's link), NUMBER (a slip in it), UNKNOWN."""

    def __init__(self, reason: str) -> None:
        super().__init__(FRONT_WORDS["en"][f"open_{reason}"].format(example=EXAMPLE))
        self.reason = reason


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """What this site offers."""
    return _landing(request)


@require_safe
def open_door(request: HttpRequest) -> HttpResponse:
    """Go where a pasted or shared text leads (`text`, `url`, `title`); the landing page again when it leads nowhere."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    given = " ".join(request.GET.get(name, "") for name in ("url", "text", "title"))[:LONGEST_TEXT]
    try:
        return HttpResponseRedirect(where(given, own_hosts={request.get_host(), _site_host()}))
    except NothingToOpen as nothing:
        return _landing(request, problem=nothing.reason, given=request.GET.get("text", "")[:LONGEST_TEXT])


def where(given: str, *, own_hosts: set[str]) -> str:
    """The path on this site that a text leads to: its first link of ours, else its first request number."""
    if not given.strip():
        raise NothingToOpen("EMPTY")
    links = [urlsplit(found.rstrip(".,;)،؛")) for found in _LINK.findall(given)]
    for link in links:
        if link.netloc.lower() in own_hosts and (path := _OWN.fullmatch(link.path)):
            return path.group()
    if bare := _BARE.search(given):
        return f"/{bare.group(1)}"
    if found := _REFERENCE.search(given):
        try:
            prefix, serial = parse_reference(f"R-{found.group(1)}-{found.group(2)}")
        except UserError as error:
            raise NothingToOpen("NUMBER") from error
        return f"{shell.SECTIONS['requests']}/{reference(prefix, serial)}"
    raise NothingToOpen(
        "FOREIGN" if any(link.netloc.lower() not in own_hosts for link in links) else "UNKNOWN"
    )


def _landing(request: HttpRequest, *, problem: str = "", given: str = "") -> HttpResponse:
    lang = web.language(request)
    words = FRONT_WORDS[lang]
    context = {
        "title": words["title"],
        "f": words,
        "given": given,
        "hint": _with_example(words["open_hint"]),
        "problem": _with_example(words[f"open_{problem}"]) if problem else "",
    }
    response = shell.page(request, "portal/landing.html", context, lang=lang, status=422 if problem else 200)
    return shell.remember_language(request, response, lang)


def _with_example(text: str) -> SafeString:
    """A sentence with the example of a reference set in, which stays left to right and on one line."""
    return format_html(text, example=format_html('<bdi dir="ltr" class="reference">{}</bdi>', EXAMPLE))


def _site_host() -> str:
    return urlsplit(settings.SITE_URL).netloc.lower()
