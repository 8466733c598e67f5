"""Who calls: an app by its session token, or a page of the site by its cookie with the form's token; and how often.

Owns what every operation is given and the bound on each call. Holds no rule: how long a login lasts is
identity/sessions.py's. Next: the operations, which get a Caller as `request.auth`.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from allauth.headless.internal.sessionkit import authenticate_by_x_session_token
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja.security import APIKeyCookie, APIKeyHeader
from ninja.utils import check_csrf

from tayyar.api.problems import Problem, language, problem_of, render
from tayyar.core import clock, web
from tayyar.customers.models import Language
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import Person
from tayyar.notifications.people import local_zone

TOKEN = "X-Session-Token"  # noqa: S105 - a header's name
MOST_BYTES, MOST_FORM_BYTES = 64 * 1024, 42 * 1024 * 1024  # five papers of 8 MB, and their fields
# As the portal's pages: what opens costs little, what does not costs much.
NETWORKS = web.Throttle(budget=600, seconds=60)
PEOPLE = web.Throttle(budget=300, seconds=60)
READ_POINTS, WRITE_POINTS, WRONG_POINTS = 1, 5, 20


@dataclass(frozen=True, slots=True)
class Caller:
    """The person who calls, in which language, and whether they proved in the last minutes who they are."""

    person: Person
    lang: str
    now: dt.datetime
    is_fresh: bool

    @property
    def local_now(self) -> dt.datetime:
        """The moment by the utility's clocks."""
        return self.now.astimezone(local_zone())

    @property
    def today(self) -> dt.date:
        """The day where the utility is."""
        return self.local_now.date()

    @property
    def actor(self) -> str:
        """The person as the audit log names them."""
        return f"person:{self.person.pk}"

    def check_fresh(self) -> None:
        """Problem REAUTHENTICATE unless they proved in the last minutes who they are."""
        if not self.is_fresh:
            raise Problem(403, "REAUTHENTICATE")


class SessionToken(APIKeyHeader):
    """The token of allauth's API for apps."""

    param_name = TOKEN

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """The person of that session; None for any other token."""
        found = authenticate_by_x_session_token(key) if key else None
        if found is None:
            return None
        user, session = found
        before = request.session, request.user
        request.session, request.user = session, user
        try:
            return _caller(request, session)
        finally:  # the answer must not carry the app's session as a cookie
            request.session, request.user = before


class SiteCookie(APIKeyCookie):
    """The session of the site's own pages; whatever changes something needs the form's token too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Caller | None:
        """The person of that session. Problem CSRF for a change without the form's token."""
        return self.authenticate(request, request.COOKIES.get(self.param_name))

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        """The person of that session; None without one."""
        caller = _caller(request, request.session) if key else None
        if caller is not None and check_csrf(request) is not None:
            raise Problem(403, "CSRF")
        return caller


AUTH = [SessionToken(), SiteCookie()]


def _caller(request: HttpRequest, session: SessionBase) -> Caller | None:
    """Who is signed in by this session, kept alive by the call; one whose time is over ends here."""
    person, now = sign_in.person_of(request), clock.now()
    if person is None:
        return None
    if sessions.is_over(session, now=now):
        logout(request)
        return None
    if sessions.touch(session, now=now):
        sign_in.note_use(request, now=now)
        session.save()
    points = READ_POINTS if request.method in ("GET", "HEAD") else WRITE_POINTS
    if not PEOPLE.spend_for(f"person:{person.pk}", points):
        raise Problem(429, "TOO_FAST")
    asked = request.headers.get("Accept-Language", "").strip()
    lang = language() if asked not in ("", "*") else Language(person.language).name
    return Caller(person, lang, now, sign_in.is_fresh(request))


View = Callable[..., HttpResponse]


def guarded(view: View) -> View:
    """A view of the API: bounded in size and number for each network; every refusal a problem; never cached."""

    @wraps(view)
    def answer(request: HttpRequest, **address: Any) -> HttpResponse:
        points = READ_POINTS if request.method in ("GET", "HEAD") else WRITE_POINTS
        if not NETWORKS.spend(request, points):
            return render(Problem(429, "TOO_FAST"))
        if _is_too_large(request):
            return render(Problem(413, "TOO_LARGE"))
        try:
            response = view(request, **address)
        except Exception as error:  # what ninja met before any operation, as a body in no encoding
            problem = problem_of(error)
            if problem.code == "REFUSED":
                raise
            return render(problem)
        if response.status_code == 405 and response.headers.get("Content-Type") != "application/problem+json":
            refused = render(Problem(405, "METHOD"))
            refused["Allow"] = response.headers.get("Allow", "")
            return refused
        if response.status_code in (401, 404):
            NETWORKS.spend(request, WRONG_POINTS)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return csrf_exempt(answer)  # SiteCookie asks for the token where a cookie opens


def _is_too_large(request: HttpRequest) -> bool:
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return True
    is_form = request.content_type == "multipart/form-data"
    return length > (MOST_FORM_BYTES if is_form else MOST_BYTES)
