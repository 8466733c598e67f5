"""The portal as an app on a phone: its manifest, its page without a network, what may be kept; simple mode's switch.

Owns which answers a device may keep: those marked by `keep_offline`, under the person's own key, and no other. The
service worker (push_views.service_worker, static/portal/sw.js) obeys it. Next: templates/portal/offline.html.
"""

from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from tayyar.core import clock, crypto, web
from tayyar.core.text import RTL_LANGUAGES
from tayyar.identity import people
from tayyar.identity.models import Person
from tayyar.portal import shell
from tayyar.portal.queries import utility
from tayyar.portal.shell_words import SHELL_WORDS

KEEP_HEADER = "Tayyar-Keep"  # "<person's key> <title, percent-encoded UTF-8>"


def keep_offline(response: HttpResponse, *, person: Person, title: str) -> HttpResponse:
    """Let the person's device keep this page for reading without a network: a bill, the home page.

    The device keeps the newest few, lists them under `title`, and forgets them at sign-out or for another person.
    """
    key = crypto.lookup_hash(f"person:{person.pk}", field="portal.offline").hex()
    response[KEEP_HEADER] = f"{key} {quote(title, safe='')}"
    return response


@require_safe
def manifest(request: HttpRequest) -> JsonResponse:
    """What a phone needs to install the site as an app, in the reader's language."""
    lang = web.language(request)
    words = SHELL_WORDS[lang]
    name = utility(lang)[0] or words["app_name"]
    response = JsonResponse(
        {
            "id": "/me",
            "name": name,
            "short_name": name if len(name) <= 12 else words["app_name"],
            "description": words["app_summary"],
            "lang": lang,
            "dir": "rtl" if lang in RTL_LANGUAGES else "ltr",
            "start_url": shell.SECTIONS["home"],
            "scope": "/",
            "display": "standalone",
            "background_color": "#ffffff",
            "theme_color": "#0e5e5a",
            "icons": [
                {"src": static("portal/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
                *(
                    {"src": static(f"portal/icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
                    for size in (192, 512)
                ),
                {
                    "src": static("portal/icon-maskable-512.png"),
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "maskable",
                },
            ],
            "shortcuts": [
                {"name": words[section], "url": shell.SECTIONS[section]} for section in ("bills", "requests")
            ],
            "share_target": {
                "action": "/open",
                "method": "GET",
                "enctype": "application/x-www-form-urlencoded",
                "params": {"title": "title", "text": "text", "url": "url"},
            },
        },
        json_dumps_params={"ensure_ascii": False},
        content_type="application/manifest+json",
    )
    response["Cache-Control"] = "public, max-age=3600"
    return response


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """What the app shows without a network: the bills that this device keeps. Says nothing of anybody by itself."""
    lang = web.language(request)
    words = SHELL_WORDS[lang]
    context = {"title": words["offline_title"], "words": words}
    return shell.page(request, "portal/offline.html", context, lang=lang)


@require_POST
def simple(request: HttpRequest) -> HttpResponse:
    """Turn simple mode on or off: for the person who is signed in, and on this device, then back to the page."""
    is_simple = request.POST.get("simple") == "1"
    if person := people.person_of(request.user):
        people.set_simple(person=person, is_simple=is_simple, now=clock.now())
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    response = HttpResponseRedirect(back if safe else "/")
    response.set_cookie(
        shell.SIMPLE_COOKIE,
        "1" if is_simple else "0",
        max_age=365 * 86_400,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
