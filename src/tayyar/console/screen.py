"""One staff screen: who looks, in which language, and how this country writes its numbers.

Owns the door (sign-in, role) and the headers; figures are profiles/figures.py's. Holds no rule of billing.
Next: runs.py and held.py build contexts with it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.billing.documents.words import LANGUAGE_NAMES, counted
from tayyar.billing.reasons import REASONS
from tayyar.console import roles
from tayyar.console.words import WORDS
from tayyar.core import web
from tayyar.core.errors import UserError
from tayyar.core.text import RTL_LANGUAGES
from tayyar.profiles import Profile
from tayyar.profiles.figures import NO_VALUE as NO_VALUE
from tayyar.profiles.figures import Figures
from tayyar.profiles.installation import installed_profile

LANGUAGE_SECONDS = 365 * 86_400
SECTIONS = ("home", "requests", "sheets", "reviews", "templates", "devices")


class Screen(Figures):
    """What a view needs to answer one member of staff."""

    def __init__(self, request: HttpRequest, profile: Profile | None) -> None:
        lang = web.language(request)
        super().__init__(lang, profile, kwh=WORDS[lang]["kwh"])
        self.request, self.words = request, WORDS[lang]
        self.rtl = lang in RTL_LANGUAGES

    @property
    def actor(self) -> str:
        """The user as the audit log names them."""
        return f"user:{self.request.user.pk}"

    @property
    def can_act(self) -> bool:
        """Whether the user is a billing manager."""
        return roles.can_act(self.request.user)

    @property
    def can_serve(self) -> bool:
        """Whether the user is a clerk or a billing manager."""
        return roles.can_serve(self.request.user)

    # Words and figures

    def say(self, key: str, **values: str) -> SafeString:
        """A sentence with its values set in; numbers keep their direction."""
        return format_html(self.words[key], **values)

    def reason(self, code: str) -> str:
        """Why an account was held or rejected, in words; the code itself when it is new."""
        return REASONS[self.lang].get(code, code)

    def counted(self, noun: str, count: int) -> str:
        """ "61 days", with the noun in the form that the count asks for."""
        return counted(noun, count, self.lang, self.plain(count))

    # Answers

    def page(self, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        """Render a template with what every screen shows."""
        profile, user = self._profile, self.request.user
        common = {
            "lang": self.lang,
            "dir": "rtl" if self.rtl else "ltr",
            "w": self.words,
            "utility": profile.utility_names[self.lang] if profile else "",
            "user_name": user.get_username() if user.is_authenticated else "",
            "can_act": self.can_act,
            "sections": [
                {"name": self.words[f"section_{name}"], "href": href, "current": self.request.path == href}
                for name in SECTIONS
                for href in [reverse(f"console:{name}")]
            ],
            "can_serve": self.can_serve,
            "languages": [
                {"code": code, "name": name, "href": self._in_language(code), "current": code == self.lang}
                for code, name in LANGUAGE_NAMES.items()
            ],
        }
        return self.seal(render(self.request, template, {**common, **context}, status=status))

    def seal(self, response: HttpResponse) -> HttpResponse:
        """Headers of a staff answer. The referrer stays on this site, as the form protection reads it."""
        response["Cache-Control"] = "private, no-store"
        response["Referrer-Policy"] = "same-origin"
        response["Content-Language"] = self.lang
        if self.request.GET.get("lang") == self.lang:
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                self.lang,
                max_age=LANGUAGE_SECONDS,
                path="/console/",
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response

    def _in_language(self, code: str) -> str:
        query = self.request.GET.copy()
        query["lang"] = code
        return f"?{query.urlencode()}"


View = Callable[..., HttpResponse]


def staff(*, acting: bool = False, serving: bool = False) -> Callable[[View], View]:
    """A view for staff, called as view(screen, **address). `acting`: billing managers only; `serving`: clerks too.

    A UserError becomes a page with its message: what happened and what to do next.
    """

    def door(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, **address: Any) -> HttpResponse:
            if not roles.can_read(request.user):
                return redirect_to_login(request.get_full_path())
            try:
                screen = Screen(request, installed_profile())
            except UserError as error:
                return refused(Screen(request, None), str(error), status=409)
            if acting and not screen.can_act:
                return refused(screen, screen.words["managers_only"], status=403)
            if serving and not screen.can_serve:
                return refused(screen, screen.words["clerks_only"], status=403)
            try:
                return view(screen, **address)
            except UserError as error:
                return refused(screen, str(error), status=409)

        return answer

    return door


def refused(screen: Screen, message: str, *, status: int) -> HttpResponse:
    """A page that says what could not be done, with the platform's own message."""
    context = {"title": screen.words["refused_title"], "message": message}
    return screen.page("console/refused.html", context, status=status)
