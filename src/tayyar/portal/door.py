"""The door to a signed-in person's pages: who they are, in which language, and how their figures are written.

Owns what every view behind the login is given, and the one answer to what is unknown or another's. Holds no rule: how
long a login lasts is identity/sessions.py's. Next: login_views.py (the way in), security_views.py, the pages of /me.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, overload
from urllib.parse import urlencode, urlsplit

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.billing.documents.words import WORDS as BILL_WORDS
from tayyar.billing.documents.words import counted
from tayyar.core import clock, web
from tayyar.customers.models import Language
from tayyar.identity import sessions, sign_in
from tayyar.identity.adapter import HOME
from tayyar.identity.models import Person
from tayyar.portal import shell, views
from tayyar.portal.words import WORDS
from tayyar.profiles.figures import Figures
from tayyar.profiles.installation import installed_profile


class MyScreen(Figures):
    """What a view needs to answer one signed-in person.

    Figures (`money`, `energy`, `day`, `moment`, `num`, `code`, ...) are methods; `formats` is the country's.
    """

    def __init__(self, request: HttpRequest, person: Person) -> None:
        lang = web.language(request, known=Language(person.language).name)
        super().__init__(lang, installed_profile(), kwh=BILL_WORDS[lang]["kwh"])
        self.request, self.person = request, person
        self.words: Mapping[str, str] = WORDS[lang]

    @property
    def is_simple(self) -> bool:
        """Fewer and larger things on each page."""
        return self.person.is_simple

    @property
    def actor(self) -> str:
        """The person as the audit log names them."""
        return f"person:{self.person.pk}"

    def say(self, key: str, **values: str) -> SafeString:
        """A sentence with its values set in; numbers keep their direction."""
        return format_html(self.words[key], **values)

    def counted(self, noun: str, count: int) -> str:
        """ "61 days", with the noun in the form that the count asks for."""
        return counted(noun, count, self.lang, self.plain(count))

    def page(self, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
        """A template that extends portal/me_base.html; `context` may bring words of its own as `w`."""
        return shell.page(
            self.request,
            template,
            {"screen": self, **context},
            lang=self.lang,
            person=self.person,
            status=status,
        )

    def gone(self) -> HttpResponse:
        """The answer to what is unknown, malformed or another's: the same page as an unknown address."""
        return views.not_found(self.request)


View = Callable[..., HttpResponse]


@overload
def signed_in(view: View) -> View: ...
@overload
def signed_in(*, reauth: bool = False) -> Callable[[View], View]: ...
def signed_in(view: View | None = None, *, reauth: bool = False) -> View | Callable[[View], View]:
    """A view for a signed-in person, called as view(screen: MyScreen, **address).

    Anybody else goes to the login and comes back. `reauth`: the person proves again who they are unless they did so in
    the last minutes. Works bare (`@signed_in`) and with arguments.
    """

    def door(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, **address: Any) -> HttpResponse:
            person = person_of(request)
            if person is None:
                return redirect(_login(request, "portal:login"))
            if reauth and not sign_in.is_fresh(request):
                return redirect(_login(request, "portal:login_again"))
            return view(MyScreen(request, person), **address)

        return answer

    return door(view) if view is not None else door


def person_of(request: HttpRequest) -> Person | None:
    """Who is signed in; None for a visitor, for staff, and for a login whose time is over, which ends here."""
    person = sign_in.person_of(request)
    if person is None:
        return None
    now = clock.now()
    if sessions.is_over(request.session, now=now):
        logout(request)
        return None
    if sessions.touch(request.session, now=now):
        sign_in.note_use(request, now=now)
    return person


def _login(request: HttpRequest, name: str) -> str:
    """The login's address; from there back to this page, or to the page that posted here."""
    wanted = request.get_full_path()
    if request.method not in ("GET", "HEAD"):
        posted_from = urlsplit(request.META.get("HTTP_REFERER", ""))
        wanted = posted_from.path if posted_from.netloc == request.get_host() else HOME
    return f"{reverse(name)}?{urlencode({'next': wanted})}"
