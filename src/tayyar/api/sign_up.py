"""Sign-up for apps: identity, its proof, details, the new mobile's code; at the end there is a session's token.

Holds no rule: identity/signup.py keeps the steps and every bound. The sign-up's id is the app's secret; an unknown one,
one that is over and a malformed one answer alike. Next: identity/signup.py.
"""

import datetime as dt
from types import SimpleNamespace
from typing import Annotated

from allauth.account.internal import flows
from allauth.account.models import Login
from allauth.headless.constants import Client
from allauth.headless.internal import sessionkit
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from ninja import Path, Router, Schema, Status
from pydantic import Field

from tayyar.api import problems
from tayyar.api.problems import not_found
from tayyar.api.shapes import PROBLEMS, Day, Given, Text
from tayyar.core import clock, web
from tayyar.customers.models import Language
from tayyar.identity import signup
from tayyar.identity.models import SignUp, SignUpStep
from tayyar.profiles.installation import installed_profile

router = Router(tags=["Sign-up"])
SignUpPath = Annotated[
    str, Path(description="As `beginSignUp` gave it.", examples=["0b4a7c1e-3f0a-4a59-9a3e-6f4b9f3c2d10"])
]


class Begin(Given):
    """The identity document, as typed. `nationality`: ISO 3166-1, "" where the document proves one."""

    id_type: Text = Field(max_length=20, examples=["NATIONAL_ID"])
    number: Text = Field(max_length=40, examples=["1012345672"])
    birth_date: Day = Field(examples=["1990-05-12"])
    nationality: Text = Field("", max_length=2, examples=["SA"])


class Confirm(Given):
    """The code that came, or what the authority's page sent back; both empty: is it approved yet?"""

    code: Text | None = Field(None, max_length=20, examples=["123456"])
    sent: dict[Text, Text] = Field(default_factory=dict, max_length=10)


class Details(Given):
    """What the person chooses. `email` may be empty; `password` null for a passkey; `name` where none is known."""

    mobile: Text = Field(max_length=40, examples=["0500000031"])
    email: Text = Field("", max_length=254, examples=["salma@mail.example"])
    password: Text | None = Field(None, max_length=200, examples=["three quiet lamps"])
    terms_version: Text = Field(max_length=20, examples=["2026-11"])
    name: Text = Field("", max_length=120)


class Code(Given):
    """The digits that came to the new mobile."""

    code: Text = Field(max_length=20, examples=["123456"])


class SignUpBody(Schema):
    """Where a sign-up stands. `step`: IDENTITY, DETAILS, MOBILE, DONE. `way`: CODE (to `phone`), APPROVAL (the person
    picks `shown` in the authority's app), REDIRECT (open `url`). Codes work until `code_expires_at`."""

    id: str
    step: str
    way: str
    phone: str
    shown: str
    url: str
    name: str
    terms_version: str
    code_expires_at: dt.datetime | None
    resend_at: dt.datetime | None


class Entered(Schema):
    """The person is there. `session_token` signs the app in; null when this was said before: sign in instead."""

    session_token: str | None


@router.post(
    "/sign-ups",
    auth=None,
    response={201: SignUpBody, **PROBLEMS},
    operation_id="beginSignUp",
    summary="Begin: who one is",
)
def begin(request: HttpRequest, given: Begin) -> Status:
    """Asks the identity authority. Never says whether an identity has a login before it is proven."""
    now = clock.now()
    begun = signup.begin(
        id_type=given.id_type,
        number=given.number,
        birth_date=given.birth_date,
        nationality=given.nationality,
        language=Language[problems.language()],
        network=web.client_address(request),
        back_url=f"{settings.SITE_URL}/join/back",
        now=now,
    )
    return Status(201, _body(begun, now))


@router.get(
    "/sign-ups/{sign_up_id}",
    auth=None,
    response={200: SignUpBody, **PROBLEMS},
    operation_id="getSignUp",
    summary="Where a sign-up stands",
)
def get(request: HttpRequest, sign_up_id: SignUpPath) -> SignUpBody:
    """While it lasts."""
    now = clock.now()
    return _body(_found(sign_up_id, now), now)


@router.post(
    "/sign-ups/{sign_up_id}/resend",
    auth=None,
    response={200: SignUpBody, **PROBLEMS},
    operation_id="resendSignUpCode",
    summary="Send the step's code again",
)
def resend(request: HttpRequest, sign_up_id: SignUpPath) -> SignUpBody:
    """WAIT until `resend_at`."""
    now = clock.now()
    found = _found(sign_up_id, now)
    return _body(signup.resend(signup_id=found.pk, network=web.client_address(request), now=now), now)


@router.post(
    "/sign-ups/{sign_up_id}/confirm",
    auth=None,
    response={200: SignUpBody, **PROBLEMS},
    operation_id="confirmIdentity",
    summary="Prove the identity",
)
def confirm(request: HttpRequest, sign_up_id: SignUpPath, given: Confirm) -> SignUpBody:
    """At DETAILS once proven; still at IDENTITY while the authority waits. HAS_LOGIN when the person has one."""
    now = clock.now()
    found = _found(sign_up_id, now)
    return _body(
        signup.confirm_identity(signup_id=found.pk, code=given.code, sent=dict(given.sent), now=now), now
    )


@router.post(
    "/sign-ups/{sign_up_id}/details",
    auth=None,
    response={200: SignUpBody, **PROBLEMS},
    operation_id="giveSignUpDetails",
    summary="Mobile, e-mail, password, terms",
)
def give_details(request: HttpRequest, sign_up_id: SignUpPath, given: Details) -> SignUpBody:
    """A code goes to the new mobile; the same number again gets no second one."""
    now = clock.now()
    found = signup.give_details(
        signup_id=_found(sign_up_id, now).pk,
        mobile=given.mobile,
        email=given.email,
        password=given.password,
        terms_version=given.terms_version,
        network=web.client_address(request),
        now=now,
        name=given.name,
    )
    return _body(found, now)


@router.post(
    "/sign-ups/{sign_up_id}/finish",
    auth=None,
    response={200: Entered, **PROBLEMS},
    operation_id="finishSignUp",
    summary="The new mobile's code",
)
def finish(request: HttpRequest, sign_up_id: SignUpPath, given: Code) -> Entered:
    """Makes the person and signs the app in. Sent twice, the person is the same; the token is given once."""
    now = clock.now()
    found = _found(sign_up_id, now)
    was_done = found.step == SignUpStep.DONE
    person = signup.finish(signup_id=found.pk, code=given.code, now=now)
    return Entered(session_token=None if was_done else _enter(request, person.user))


def _enter(request: HttpRequest, user: User) -> str | None:
    """A session of its own for the app, begun by allauth as a login; the answer carries its token and no cookie."""
    before = request.session, request.user
    request.session = sessionkit.new_session()
    headless = SimpleNamespace(client=Client.APP, _pre_user=AnonymousUser())
    request.allauth.headless = headless  # type: ignore[attr-defined]
    try:
        flows.login.record_authentication(request, user, method="signup")
        flows.login.perform_login(request, Login(user=user))
        if not request.user.is_authenticated:
            return None
        request.session.save()
        return request.session.session_key
    finally:
        request.session, request.user = before
        request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False


def _found(sign_up_id: str, now: dt.datetime) -> SignUp:
    found = signup.find(signup_id=sign_up_id, now=now)
    if found is None:
        raise not_found()
    return found


def _body(found: SignUp, now: dt.datetime) -> SignUpBody:
    known = signup.facts(found)
    standing = signup.code_standing(found, now=now)
    is_at_identity = found.step == SignUpStep.IDENTITY
    return SignUpBody(
        id=str(found.pk),
        step=found.step,
        way=known.get("way", "") if is_at_identity else "",
        phone=known.get("phone_masked" if is_at_identity else "mobile_masked", ""),
        shown=known.get("shown", "") if is_at_identity else "",
        url=known.get("url", "") if is_at_identity else "",
        name=known.get("name", ""),
        terms_version=installed_profile().terms_version,
        code_expires_at=standing.expires_at if standing else None,
        resend_at=standing.resend_at if standing else None,
    )
