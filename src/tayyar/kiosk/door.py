"""Which machine asks, who stands before it, and in which language: the door of every page under /kiosk.

Owns the cookies and the headers. A visit is no login: its key opens pages under /kiosk only, of one machine only, and
is worth nothing once the visit is over. A form carries the visit it was shown in, so that one sent again later from the
browser's history is sent for nobody. Next: views.py, entry.py, bills.py, asks.py.
"""

import datetime as dt
import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.core import clock, text
from tayyar.core.text import RTL_LANGUAGES
from tayyar.devices import services as devices
from tayyar.devices.models import Device
from tayyar.kiosk import pad, services
from tayyar.kiosk.models import Visit
from tayyar.kiosk.words import WORDS
from tayyar.profiles.installation import installed_profile

PATH = "/kiosk/"
DEVICE_COOKIE, VISIT_COOKIE, LANGUAGE_COOKIE = "kiosk_device", "kiosk_visit", "kiosk_lang"
DEVICE_SECONDS = 5 * 365 * 86_400
VISIT_SECONDS = int(services.LONGEST.total_seconds())


class Screen:
    """What a view needs to answer a machine."""

    def __init__(self, request: HttpRequest, device: Device | None, visit: Visit | None) -> None:
        self.request, self._device, self._visit = request, device, visit
        self.lang = pad.known_language(request.COOKIES.get(LANGUAGE_COOKIE, ""))
        self.words, self.now = WORDS[self.lang], clock.now()
        self.profile = installed_profile()
        self.formats = self.profile.formats

    @property
    def device(self) -> Device:
        """The enrolled machine."""
        assert self._device is not None
        return self._device

    @property
    def visit(self) -> Visit:
        """Who is there."""
        assert self._visit is not None
        return self._visit

    @property
    def today(self) -> dt.date:
        """The day where the utility is."""
        return self.now.astimezone(zoneinfo.ZoneInfo(self.profile.timezone)).date()

    # Words and figures

    def say(self, key: str, **values: object) -> SafeString:
        """A sentence with its values set in; numbers keep their direction."""
        isolated = {name: format_html('<bdi dir="ltr">{}</bdi>', value) for name, value in values.items()}
        return format_html(self.words[key], **isolated)

    def number(self, value: int) -> str:
        """A whole number as this country writes it."""
        return text.format_number(value, self.lang, self.formats.digits)

    def amount(self, amount_minor: int) -> str:
        """An amount with its currency, as plain text."""
        currency = self.profile.currency
        shown = text.format_amount(amount_minor, currency, self.lang, self.formats)
        return f"{shown} {text.currency_word(currency, self.lang, self.formats)}"

    def money(self, amount_minor: int) -> SafeString:
        """An amount as markup."""
        currency = self.profile.currency
        shown = text.format_amount(amount_minor, currency, self.lang, self.formats)
        word = text.currency_word(currency, self.lang, self.formats)
        return format_html(
            '<span class="money"><bdi dir="ltr">{}</bdi> <small>{}</small></span>', shown, word
        )

    def day(self, day: dt.date) -> str:
        """A date in words."""
        return text.format_date(day, self.lang, self.formats)

    def moment(self) -> str:
        """This moment, as a slip says it."""
        local = self.now.astimezone(zoneinfo.ZoneInfo(self.profile.timezone))
        return f"{self.day(local.date())} {text.localise_digits(f'{local:%H:%M}', self.lang, self.formats.digits)}"

    # Answers

    def page(self, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        """A page with what every screen shows around its own context; the clock runs where there is a visit."""
        shown = {
            "lang": self.lang,
            "dir": "rtl" if self.lang in RTL_LANGUAGES else "ltr",
            "w": self.words,
            "utility": self.profile.utility_names[self.lang],
            "visit": self._visit,
            "seconds": self.seconds_left(),
            "keys": pad.KEYS,
        }
        return self.seal(render(self.request, f"kiosk/{template}", {**shown, **context}, status=status))

    def seconds_left(self) -> int:
        """Until the visit is forgotten; 60 on a page without one that is not the first, 0 where no clock runs."""
        idle = int(services.IDLE.total_seconds())
        if self._visit is None:
            return 0 if self.lang == "ar" else idle
        whole = self._visit.started_at + services.LONGEST - self.now
        return max(1, min(idle, int(whole.total_seconds())))

    def go(self, name: str, **address: Any) -> HttpResponse:
        """To another page."""
        return self.seal(redirect(f"kiosk:{name}", **address))

    def gone(self) -> HttpResponse:
        """The one answer to what is not there, not theirs, or no address at all."""
        return self.page("gone.html", {"title": self.words["gone_title"]}, status=404)

    def seal(self, response: HttpResponse) -> HttpResponse:
        """Kept nowhere. The referrer stays on this site, as the form protection reads it."""
        response["Cache-Control"] = "private, no-store"
        response["Referrer-Policy"] = "same-origin"
        response["Content-Language"] = self.lang
        return response


def set_cookie(response: HttpResponse, name: str, value: str, *, seconds: int) -> None:
    """A cookie for the kiosk's pages alone, that no script reads."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def forget_cookies(response: HttpResponse) -> HttpResponse:
    """Those of the visit; the machine's own stays."""
    for name in (VISIT_COOKIE, LANGUAGE_COOKIE):
        response.delete_cookie(name, path=PATH, samesite="Strict")
    return response


View = Callable[..., HttpResponse]


def machine(view: View) -> View:
    """A view for an enrolled machine, called as view(screen, **address). Any other is shown how to enrol."""

    @wraps(view)
    def answer(request: HttpRequest, **address: Any) -> HttpResponse:
        device, visit = who(request)
        screen = Screen(request, device, visit)
        return view(screen, **address) if device else screen.go("start")

    return answer


def visitor(*, proven: bool = True) -> Callable[[View], View]:
    """A view for somebody who is there; `proven`: and whose number or bill it is. Else back to the start."""

    def door(view: View) -> View:
        @machine
        @wraps(view)
        def answer(screen: Screen, **address: Any) -> HttpResponse:
            visit, request = screen._visit, screen.request
            if visit is None or (request.method == "POST" and request.POST.get("visit") != str(visit.pk)):
                return screen.go("leave")
            if proven and visit.proven_at is None:
                return screen.go("ways")
            return view(screen, **address)

        return answer

    return door


def who(request: HttpRequest) -> tuple[Device | None, Visit | None]:
    """The machine that asks, and the visit that its browser has the key of."""
    now = clock.now()
    device = devices.device_of(key=request.COOKIES.get(DEVICE_COOKIE, ""), now=now)
    if device is None:
        return None, None
    return device, services.current(device=device, key=request.COOKIES.get(VISIT_COOKIE, ""), now=now)
