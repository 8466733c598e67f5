"""The first page and its doors, enrolment, leaving, and what the service worker needs.

Holds no rule. Next: entry.py (coming in), bills.py and asks.py (what one came for).
"""

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from tayyar.billing.documents.words import LANGUAGE_NAMES
from tayyar.core import clock, web
from tayyar.core.text import LANGUAGES
from tayyar.devices import services as devices
from tayyar.kiosk import door, pad, services
from tayyar.kiosk.door import Screen, machine, visitor
from tayyar.kiosk.models import Goal
from tayyar.kiosk.words import WORDS

ENROLMENTS = web.Throttle(budget=10, seconds=600)  # one code in ten million tries is right


@ensure_csrf_cookie
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """The doors, on an enrolled machine; how to enrol on any other."""
    device, visit = door.who(request)
    if device is None:
        return _enrolment(request)
    if visit:
        services.leave(device=device)  # whoever goes back to the doors begins anew
    screen = Screen(request, device, None)
    return screen.page("start.html", {"title": screen.words["start_title"]})


@require_POST
def enrol(request: HttpRequest) -> HttpResponse:
    """The machine types the operator's code, once, and gets its key."""
    digits, is_pressing = pad.typed(request)
    if is_pressing:
        return _enrolment(request, digits)
    if not ENROLMENTS.spend(request):
        return _enrolment(request, problem="enrol_busy", status=429)
    found = devices.enrol(code=digits, now=clock.now())
    if found is None:
        return _enrolment(request, problem="enrol_wrong", status=422)
    response = redirect("kiosk:start")
    door.set_cookie(response, door.DEVICE_COOKIE, found[1], seconds=door.DEVICE_SECONDS)
    response["Cache-Control"] = "private, no-store"
    return response


def _enrolment(
    request: HttpRequest, digits: str = "", *, problem: str = "", status: int = 200
) -> HttpResponse:
    screen = Screen(request, None, None)
    context = {
        "title": screen.words["enrol_title"],
        "number": digits,
        "problem": screen.words[problem] if problem else "",
    }
    return screen.page("enrol.html", context, status=status)


@require_POST
@machine
def begin(screen: Screen) -> HttpResponse:
    """Somebody chose a door."""
    goal = screen.request.POST.get("goal", "")
    if goal not in Goal.values:
        return screen.gone()
    _, key = services.begin(device=screen.device, goal=Goal(goal), now=screen.now)
    response = screen.go("ways")
    door.set_cookie(response, door.VISIT_COOKIE, key, seconds=door.VISIT_SECONDS)
    return response


@machine
def language(screen: Screen) -> HttpResponse:
    """The door of languages; the choice is forgotten with the visitor."""
    chosen = screen.request.POST.get("language", "")
    if screen.request.method == "POST" and chosen in LANGUAGES:
        response = screen.go("start")
        door.set_cookie(response, door.LANGUAGE_COOKIE, chosen, seconds=door.VISIT_SECONDS)
        return response
    names = [
        {"code": code, "name": name, "current": code == screen.lang} for code, name in LANGUAGE_NAMES.items()
    ]
    return screen.page(
        "language.html", {"title": screen.words["language_title"], "names": names, "back": "kiosk:start"}
    )


@require_POST
@visitor(proven=False)
def touch(screen: Screen) -> HttpResponse:
    """Somebody touched the screen: the visit goes on."""
    return screen.seal(HttpResponse(status=204))


@machine
def leave(screen: Screen) -> HttpResponse:
    """Forget the visitor, by their wish or because the time is over."""
    services.leave(device=screen.device)
    return door.forget_cookies(screen.go("start"))


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """What the machine shows while there is no network; kept by its service worker, so it says nothing of anybody."""
    screen = Screen(request, None, None)
    texts = [
        {"lang": code, "dir": "rtl" if code == "ar" else "ltr", "title": WORDS[code]["offline_title"],
         "text": WORDS[code]["offline_text"]}
        for code in LANGUAGES
    ]  # fmt: skip
    return screen.page("offline.html", {"title": WORDS["ar"]["offline_title"], "texts": texts})


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """Whether the network is back."""
    response = HttpResponse(status=204)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script, from this folder, as its scope is the kiosk alone."""
    found = finders.find("kiosk/sw.js")
    assert isinstance(found, str)
    response = HttpResponse(Path(found).read_bytes(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@machine
def missing(screen: Screen) -> HttpResponse:
    """No page at this address; the way back is on it."""
    return screen.gone()
