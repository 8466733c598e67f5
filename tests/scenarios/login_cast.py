"""A person with a login for the scenarios of signing in, and their second factor."""

import datetime as dt
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.auth.hashers import make_password
from django.test import Client

from tayyar.customers.models import Channel, Language
from tayyar.customers.services import add_person_contact
from tayyar.identity import people
from tayyar.identity.models import IdType, Person

PASSWORD = "calm-current-7431"


def number_of(place: int) -> str:
    """A Saudi identity number with its check digit: "1", eight digits, Luhn."""
    body = f"1{place:08d}"
    total = 0
    for index, digit in enumerate(int(sign) for sign in body):
        doubled = digit * 2 if index % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return f"{body}{-total % 10}"


def a_person(
    now: dt.datetime, *, number: str, mobile: str, password: str | None = PASSWORD, name: str = "ليلى الحربي"
) -> Person:
    """A verified person; `password` None: they sign in by passkey alone."""
    contact = add_person_contact(channel=Channel.SMS, address=mobile, verified_at=now, actor="test", now=now)
    return people.make_person(
        identity=people.Identity(
            IdType.NATIONAL_ID, number, name, dt.date(1990, 5, 1), "SA", verified_by="TEST"
        ),
        mobile=contact,
        password_hash=make_password(password) if password else "",
        terms_version="2026-11",
        language=Language.ar,
        actor="test",
        now=now,
    )


def post_login(client: Client, typed: str, password: str = PASSWORD, **more: Any) -> Any:
    """What the login page posts."""
    return client.post("/login?lang=en", {"typed": typed, "password": password}, **more)


def with_app(person: Person) -> str:
    """Set the person's codes up, recovery codes too; returns the app's secret."""
    secret = generate_totp_secret()
    TOTP.activate(person.user, secret)
    RecoveryCodes.activate(person.user)
    return secret


def code_of(secret: str) -> str:
    """What the app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def recovery_codes_of(person: Person) -> list[str]:
    """Those that are left."""
    kept = Authenticator.objects.get(user=person.user, type=Authenticator.Type.RECOVERY_CODES)
    return kept.wrap().get_unused_codes()
