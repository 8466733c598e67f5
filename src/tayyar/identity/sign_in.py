"""Signing in: finds the person behind what was typed, checks the password, and notes each login.

Owns what a login is and who may have one. An unknown person costs as much time as a known one. Sessions, second factors
and passkeys are django-allauth's (adapter.py). Next: attempts.py bounds guessing, sessions.py ends logins.
"""

import contextlib
import datetime as dt
import time

from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.logout import logout
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.usersessions.models import UserSession
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest

from tayyar.core import audit, crypto, passwords, web
from tayyar.customers.addresses import AddressMistyped, clean_address
from tayyar.customers.models import Channel
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.identity import attempts, contacts, people, rules, sessions
from tayyar.identity.known_browsers import Browser, browser_of
from tayyar.identity.login_models import How, SignIn
from tayyar.identity.models import Person
from tayyar.profiles.installation import installed_profile

BACKEND = "tayyar.identity.backend.PersonBackend"
FRESH_SECONDS = 300  # how long a proof of who one is holds for sensitive changes


def check_password(
    *, typed: str, password: str, network: str, browser: Browser, now: dt.datetime
) -> User | None:
    """The user whose identity number, e-mail or mobile was typed, when it is their password; else None.

    SignInRefused when it comes too early; PasswordsBusy when too many are being checked. Neither checks anything.
    """
    person = find_person(typed)
    user = person.user if person and _is_person(person.user) else None
    subject = f"user:{user.pk}" if user else f"typed:{_one_spelling(typed)}"
    is_right = _check(user, password, subject=subject, network=network, browser=browser, now=now)
    return user if is_right else None


def check_again(*, user: User, password: str, network: str, browser: Browser, now: dt.datetime) -> bool:
    """Whether it is the password of who is signed in; counted, refused and raised as at a login."""
    return _check(user, password, subject=f"user:{user.pk}", network=network, browser=browser, now=now)


def _check(
    user: User | None, password: str, *, subject: str, network: str, browser: Browser, now: dt.datetime
) -> bool:
    known = browser.hash if user and browser.knows(user.pk) else None
    attempt = attempts.begin(how=How.PASSWORD, subject=subject, browser_hash=known, network=network, now=now)
    try:
        # For nobody, and for a user without a password, Django computes one all the same.
        is_right = (user or User()).check_password(password)
    except passwords.PasswordsBusy:
        attempts.was_nothing(attempt)
        raise
    if user is None or not is_right:
        return False
    attempts.was_right(attempt)
    return True


def find_person(typed: str) -> Person | None:
    """The person with this identity number, verified e-mail or mobile; None for nobody and for more than one."""
    mobile, email = _address_hash(typed, Channel.SMS), _address_hash(typed, Channel.EMAIL)
    # Three look-ups, each by an index: as one with OR they would read all people and all their contacts.
    ways = (
        Q(id_hash__in=_id_hashes(typed)),
        Q(mobile__address_hash=mobile, mobile__is_active=True),
        Q(email__address_hash=email, email__is_active=True, email__verified_at__isnull=False),
    )
    people_found = Person.objects.select_related("user", "customer", "mobile")
    found = {person.pk: person for way in ways for person in people_found.filter(way)[:2]}
    return next(iter(found.values())) if len(found) == 1 else None


def may_enter(user: User) -> bool:
    """Whether this user may sign in to the portal: a person's, in use, and no member of staff's."""
    return _is_person(user) and Person.objects.filter(user_id=user.pk).exists()


def _is_person(user: User) -> bool:
    return user.is_active and not user.is_staff


def person_of(request: HttpRequest) -> Person | None:
    """The person whom this request's session signed in through the portal."""
    if not request.user.is_authenticated or request.session.get(BACKEND_SESSION_KEY) != BACKEND:
        return None
    found: Person | None = getattr(request.user, "person", None)
    return found


def note(request: HttpRequest, user: User, *, now: dt.datetime, is_app: bool) -> None:
    """A login succeeded, second factor included: its clocks begin; a browser not seen before is told to the person."""
    person = Person.objects.select_related("user", "customer", "mobile", "email").get(user_id=user.pk)
    by_passkey = any(record.get("passwordless") for record in get_authentication_records(request, user))
    is_first = not SignIn.objects.filter(user=user).exists()
    is_new = not browser_of(request).knows(user.pk)
    sessions.begin(request.session, now=now, is_app=is_app)
    SignIn.objects.create(
        user=user,
        at=now,
        how=How.PASSKEY if by_passkey else How.PASSWORD,
        network=web.client_address(request),
        agent=request.META.get("HTTP_USER_AGENT", "")[:200],
        is_new_device=is_new,
    )
    audit.record(actor=f"person:{person.pk}", action="SIGNED_IN", subject=f"person:{person.pk}", now=now)
    if is_new and not is_first:
        contacts.tell_change(person=person, what="DEVICE", now=now)


def prove_by_password(request: HttpRequest, password: str, *, now: dt.datetime) -> bool:
    """Whether who is signed in proves it again by their password; SignInRefused, PasswordsBusy."""
    user = request.user
    if not isinstance(user, User):
        return False
    network, browser = web.client_address(request), browser_of(request)
    if not check_again(user=user, password=password, network=network, browser=browser, now=now):
        return False
    reauthenticate_by_password(request)
    return True


def renew_key(request: HttpRequest) -> None:
    """A session that proved itself goes on under a new key: an old one that leaked opens nothing."""
    old = request.session.session_key
    request.session.cycle_key()
    UserSession.objects.filter(session_key=old).update(session_key=request.session.session_key)


def end(request: HttpRequest, *, now: dt.datetime) -> None:
    """The person leaves."""
    person = person_of(request)
    if person is not None:
        audit.record(actor=f"person:{person.pk}", action="SIGNED_OUT", subject=f"person:{person.pk}", now=now)
    UserSession.objects.filter(session_key=request.session.session_key).delete()
    logout(request, show_message=False)


def note_use(request: HttpRequest, *, now: dt.datetime) -> None:
    """The session is in use: what the list of sessions shows."""
    UserSession.objects.filter(session_key=request.session.session_key).update(last_seen_at=now)


def is_fresh(request: HttpRequest) -> bool:
    """Whether who signs in proved it in the last minutes, at the login or again."""
    if not request.user.is_authenticated:
        return False
    records = get_authentication_records(request, request.user)
    return any(time.time() - record["at"] < FRESH_SECONDS for record in records)


def _one_spelling(typed: str) -> str:
    """What is counted for somebody unknown: the same for every way to write it, as it is for somebody known."""
    address = _address(typed, Channel.SMS) or _address(typed, Channel.EMAIL)
    return address or " ".join(hashed.hex() for hashed in _id_hashes(typed)) or typed.strip().lower()


def _id_hashes(typed: str) -> list[bytes]:
    """As every document of the country whose number alone names a person; passports need the nationality too."""
    hashes = []
    for kind in installed_profile().identity_types:
        with contextlib.suppress(rules.IdRefused):
            hashes.append(people.id_hash(kind.code, rules.check_id(kind, typed)))
    return hashes


def _address_hash(typed: str, channel: Channel) -> bytes:
    """What an address is found by; for a text that is none, a hash that is nobody's."""
    return crypto.lookup_hash(_address(typed, channel), field=ADDRESS_FIELD)


def _address(typed: str, channel: Channel) -> str:
    """The address as it is stored; "" for a text that is none."""
    try:
        return clean_address(typed, channel=channel, calling_code=installed_profile().calling_code)
    except AddressMistyped:
        return ""
