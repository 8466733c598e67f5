"""First screens of links kept for a minute in a web process: a phone opens its link several times, for the same answer.

Owns copies of finished answers, each under the whole link and all else it was made from. Never answers what
link_views.py did not answer in the last minute to the same link, and does for a kept screen what that view does: the
link is opened again, the address's budget is spent, the opening is recorded. Requests with a cookie, by another method,
or ahead of a reader go to Django. Next: config/commands/serve.py puts it before the site.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from django.http import HttpRequest

from tayyar.core import clock
from tayyar.core.links import TOKEN_LENGTH, open_bill_token
from tayyar.portal import openings, views

SECONDS = 60
_MOST = 4_096  # of some 4 kB each
_PREFIX = "/b/"
_PATH_LENGTH = len(_PREFIX) + TOKEN_LENGTH
_MARK = "tayyar.first_screen"
# What an answer depends on besides its link: the language, and what Django makes of scheme and host.
_NAMES = ("HTTP_HOST", "wsgi.url_scheme", "HTTP_X_FORWARDED_PROTO", "QUERY_STRING", "HTTP_ACCEPT_LANGUAGE")
_LONGEST = 200
_OTHER = ("HTTP_COOKIE", "HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_FORWARDED_HOST", "HTTP_AUTHORIZATION")

Environ = dict[str, Any]
Site = Callable[[Environ, Any], Iterable[bytes]]


class Screen(NamedTuple):
    """An answer that was given."""

    until: float  # of time.monotonic()
    number: int
    lang: str
    status: str
    headers: list[tuple[str, str]]
    body: bytes


class _Asked:
    """As much of a request as a budget asks for."""

    def __init__(self, environ: Environ) -> None:
        self.META = environ


def may_keep(request: HttpRequest, number: int, lang: str) -> None:
    """The answer to this request shows bill `number` in `lang` and nothing of who asked."""
    request.META[_MARK] = (number, lang)


class KeptScreens:
    """The site, with the first screens of the last minute before it. For many threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._screens: OrderedDict[tuple[str, ...], Screen] = OrderedDict()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """WSGI."""
        key = _key(environ)
        if key is None:
            return self._site(environ, start_response)
        screen = self._find(key)
        if screen is None:
            return self._ask(key, environ, start_response)
        token = environ["PATH_INFO"][len(_PREFIX) :]
        genuine = open_bill_token(token, today=clock.today()) == screen.number
        if not genuine or not views.OPENINGS.spend(cast(HttpRequest, _Asked(environ)), views.PAGE_POINTS):
            return self._site(environ, start_response)  # it has the words to refuse
        openings.record(screen.number, "BILL_OPENED", language=screen.lang, now=clock.now())
        start_response(screen.status, list(screen.headers))
        return [screen.body]

    def _find(self, key: tuple[str, ...]) -> Screen | None:
        with self._lock:
            screen = self._screens.get(key)
            if screen is not None and screen.until <= time.monotonic():
                del self._screens[key]
                return None
            return screen

    def _ask(self, key: tuple[str, ...], environ: Environ, start_response: Any) -> Iterable[bytes]:
        answered: dict[str, Any] = {}

        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered.update(status=status, headers=list(headers))
            return start_response(status, headers, *rest)

        answer = self._site(environ, begin)
        mark = environ.get(_MARK)
        if mark is None or not answered["status"].startswith("200 "):
            return answer
        if any(name.lower() == "set-cookie" for name, _ in answered["headers"]):
            return answer
        try:
            body = b"".join(answer)
        finally:
            answer.close()  # type: ignore[attr-defined]  # Django's: it tells that the request is over
        number, lang = mark
        until = time.monotonic() + SECONDS
        with self._lock:
            self._screens[key] = Screen(until, number, lang, answered["status"], answered["headers"], body)
            while len(self._screens) > _MOST:
                self._screens.popitem(last=False)
        return [body]


def _key(environ: Environ) -> tuple[str, ...] | None:
    """All that the first screen of a link is made from; None when the request asks for something else."""
    path = environ["PATH_INFO"]
    if len(path) != _PATH_LENGTH or not path.startswith(_PREFIX) or environ["REQUEST_METHOD"] != "GET":
        return None
    if any(name in environ for name in _OTHER):
        return None
    key = (path, *(str(environ.get(name, "")) for name in _NAMES))
    return key if sum(map(len, key)) <= _PATH_LENGTH + _LONGEST else None
