"""Browsers that a person signed in from before: known by a signed cookie that only we can write.

Owns that cookie. It opens nothing: a guesser elsewhere cannot delay the holder's own browser; a login from another
is told to the person. Next: sign_in.py.
"""

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from tayyar.core import crypto

COOKIE = "tayyar_browser"
_SALT = "tayyar.identity.known_browsers"
_SECONDS = 400 * 86_400
_MOST_USERS = 20  # of one browser: a family's; the cookie stays small


@dataclass(frozen=True, slots=True)
class Browser:
    """`token` names the browser; `users` are those who signed in from it."""

    token: str
    users: tuple[int, ...]

    def knows(self, user_id: int) -> bool:
        """Whether this user signed in from it before."""
        return user_id in self.users

    @property
    def hash(self) -> bytes:
        """What the browser is counted under."""
        return crypto.lookup_hash(self.token, field=_SALT)


STRANGE = Browser("", ())


def browser_of(request: HttpRequest | None) -> Browser:
    """The browser that asks; STRANGE when it brings no cookie of ours."""
    written = request.COOKIES.get(COOKIE, "") if request else ""
    try:
        found = signing.loads(written, salt=_SALT, max_age=_SECONDS)
        return Browser(str(found["b"]), tuple(int(user) for user in found["u"]))
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return STRANGE


def remember(request: HttpRequest, response: HttpResponse, user_id: int) -> None:
    """From now on this browser is known to the user."""
    browser = browser_of(request)
    users = (user_id, *(user for user in browser.users if user != user_id))[:_MOST_USERS]
    token = browser.token or secrets.token_urlsafe(16)
    response.set_cookie(
        COOKIE,
        signing.dumps({"b": token, "u": users}, salt=_SALT),
        max_age=_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
