"""Django's view of a person's login: identity number, e-mail or mobile with a password, and nobody from the staff.

Owns no rule: sign_in.py checks, adapter.py opens the session. The console's users never come through here.
"""

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from tayyar.core import clock, web
from tayyar.identity import sign_in
from tayyar.identity.known_browsers import browser_of
from tayyar.identity.models import Person


class PersonBackend(BaseBackend):
    """For people of the portal. Gives no permission of Django's."""

    def authenticate(self, request: HttpRequest | None, *, typed: str, password: str) -> User | None:  # type: ignore[override]
        """The user, when it is their password; SignInRefused, PasswordsBusy."""
        if request is None:
            return None
        return sign_in.check_password(
            typed=typed,
            password=password,
            network=web.client_address(request),
            browser=browser_of(request),
            now=clock.now(),
        )

    def get_user(self, user_id: int) -> User | None:
        """The user of a session, with `user.person` read in the same query; None for staff and without a person."""
        person = Person.objects.select_related("user", "customer").filter(user_id=user_id).first()
        if person is None or not person.user.is_active or person.user.is_staff:
            return None
        return person.user
