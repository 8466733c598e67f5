"""What an app shows to prove its login: the key of a session, which is worth nothing once the login is over.

Owns no session: sessions.py says how long one lasts, django-allauth keeps it. Next: allauth's API for apps; api.
"""

from allauth.headless.tokens.strategies.sessions import SessionTokenStrategy
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase

from tayyar.core import clock
from tayyar.identity import sessions


class AppTokens(SessionTokenStrategy):
    """Keys of sessions under X-Session-Token, each by the clocks of its own login."""

    def lookup_session(self, session_token: str) -> SessionBase | None:
        """The session, also one between the password and the second factor; None for a login that is over."""
        found: SessionBase | None = super().lookup_session(session_token)
        if found is None or (SESSION_KEY in found and sessions.is_over(found, now=clock.now())):
            return None
        return found
