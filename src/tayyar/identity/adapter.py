"""How django-allauth is fitted to people: who may sign in, what a login writes, how secrets are sealed.

Owns the two adapters that settings name; allauth's own pages, mails and sign-up are never used. Rules are sign_in.py's.
Next: portal/login_views.py (browsers) and allauth's headless API (apps) call allauth, which calls these.
"""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal import flows
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import Login
from allauth.core import context
from allauth.core.internal.httpkit import is_headless_request
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from tayyar.core import clock, crypto, web
from tayyar.identity import known_browsers, sign_in
from tayyar.identity.attempts import SignInRefused
from tayyar.identity.known_browsers import browser_of
from tayyar.identity.models import Person
from tayyar.profiles.installation import installed_profile

HOME = "/me"
_SEALED_AS = "mfa.authenticator"


def sign_in_new(request: HttpRequest, user: User, *, then: str = HOME) -> HttpResponse:
    """Sign in somebody who just proved their identity by signing up: the answer leads to `then`."""
    flows.login.record_authentication(request, user, method="signup")
    response: HttpResponse = flows.login.perform_login(request, Login(user=user, redirect_url=then))
    return response


class AccountAdapter(DefaultAccountAdapter):
    """Logins of people. A member of staff, or a user without a person, never gets through."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: sign-up proves an identity first (identity/signup.py)."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """For apps: `username` is the identity number, e-mail or mobile. ValidationError when it comes too early."""
        try:
            found = authenticate(
                request, typed=credentials.get("username", ""), password=credentials.get("password", "")
            )
        except SignInRefused:
            raise self.validation_error("too_many_login_attempts") from None
        return found if isinstance(found, User) else None

    def reauthenticate(self, user: User, password: str) -> bool:
        """Whether it is the password of who is signed in; counted like a login. ValidationError, PasswordsBusy."""
        try:
            return sign_in.check_again(
                user=user,
                password=password,
                network=web.client_address(context.request),
                browser=browser_of(context.request),
                now=clock.now(),
            )
        except SignInRefused:
            raise self.validation_error("too_many_login_attempts") from None

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Not in the minutes after a login: that was a proof too."""
        return not sign_in.is_fresh(context.request)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """One page offers them all."""
        if not user.is_authenticated:
            return []
        return [{"id": "reauthenticate", "description": "", "url": reverse("account_reauthenticate")}]

    def pre_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse | None:
        """None for a person; everybody else is sent back to the beginning."""
        if sign_in.may_enter(user):
            return None
        clear_login(request)
        return redirect("account_login")

    def login(self, request: HttpRequest, user: User) -> None:
        """Open the session, under a new key."""
        user.backend = sign_in.BACKEND
        super().login(request, user)
        sign_in.note(request, user, now=clock.now(), is_app=is_headless_request(request) == "app")

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        """On to where the person wanted to go; the browser is known from now on."""
        response: HttpResponse = super().post_login(request, user, **more)
        if not is_headless_request(request):
            known_browsers.remember(request, response, user.pk)
        return response

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """The person's first page."""
        return HOME

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that attempts are counted by; of an IPv6 client its network's."""
        address = web.client_address(request).partition("/")[0]
        return "::" if address == "unknown" else address

    def add_message(self, *ignored: Any, **more: Any) -> None:
        """Our pages say themselves what was done."""


class FactorAdapter(DefaultMFAAdapter):
    """Second factors and passkeys: their secrets are sealed, and they show the person's and the utility's name."""

    def encrypt(self, text: str) -> str:
        """Sealed, as text."""
        return base64.b64encode(crypto.seal(text, field=_SEALED_AS)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """What was sealed."""
        return crypto.unseal(base64.b64decode(encrypted_text), field=_SEALED_AS)

    def get_totp_issuer(self) -> str:
        """The utility."""
        return self._get_site_name()

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """What the phone keeps and shows: the person's name, no identifier."""
        name = self._get_user_identifier(user)
        return {**super().get_public_key_credential_user_entity(user), "display_name": name, "name": name}

    def _get_user_identifier(self, user: User) -> str:
        return Person.objects.select_related("customer").get(user_id=user.pk).customer.name

    def _get_site_name(self) -> str:
        return installed_profile().utility_names["en"]
