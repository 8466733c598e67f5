"""The person who is signed in: name, language, simple mode, businesses; and how the utility reaches them.

Holds no rule: identity keeps the person, a new mobile or e-mail counts once it is proven. Next: identity/contacts.py.
"""

import datetime as dt

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from tayyar.api.door import Caller
from tayyar.api.shapes import PROBLEMS, Given, Lang, Text, lang_of
from tayyar.core import clock, web
from tayyar.customers.models import Channel, Language
from tayyar.identity import contacts, people
from tayyar.identity.errors import ContactRefused
from tayyar.identity.models import ContactChange, Person
from tayyar.profiles.installation import installed_profile

router = Router(tags=["Me"])


class Business(Schema):
    """A business that the person acts for: `role` ADMIN, PAYER or VIEWER."""

    customer_id: int
    name: str
    role: str


class Waiting(Schema):
    """A new address that still waits for its proof; codes may be asked for again from `resend_at` on."""

    address: str
    expires_at: dt.datetime
    resend_at: dt.datetime | None


class Contacts(Schema):
    """The person's own addresses, masked, and new ones that wait for their proof."""

    mobile: str
    email: str | None
    new_mobile: Waiting | None
    new_email: Waiting | None


class Me(Schema):
    """The person, and what an app needs to know before it shows anything."""

    name: str
    customer_id: int
    language: Lang
    is_simple: bool
    businesses: list[Business]
    currency: str
    decimals: int
    time_zone: str
    terms_version: str


class MeChange(Given):
    """What is left out stays."""

    language: Lang | None = None
    is_simple: bool | None = Field(None, strict=True)


class Address(Given):
    """A mobile number or e-mail address."""

    address: Text = Field(max_length=254, examples=["0500000021"])


class Code(Given):
    """The digits of a one-time code."""

    code: Text = Field(max_length=20, examples=["123456"])


@router.get("/me", response={200: Me, **PROBLEMS}, operation_id="getMe", summary="Who is signed in")
def get_me(request: HttpRequest) -> Me:
    """Name, language and simple mode, and the businesses that the person acts for."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _me(caller.person)


@router.patch(
    "/me", response={200: Me, **PROBLEMS}, operation_id="changeMe", summary="Language and simple mode"
)
def change_me(request: HttpRequest, change: MeChange) -> Me:
    """Keep another language or simple mode; sent again, it changes nothing."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    if change.language is not None:
        people.set_language(person=caller.person, language=Language[change.language], now=caller.now)
    if change.is_simple is not None:
        people.set_simple(person=caller.person, is_simple=change.is_simple, now=caller.now)
    return _me(caller.person)


def _me(person: Person) -> Me:
    profile = installed_profile()
    acts_for = [(customer, role) for customer, role in people.customers_of(person) if role != "SELF"]
    return Me(
        name=person.customer.name,
        customer_id=person.customer_id,
        language=lang_of(person.language),
        is_simple=person.is_simple,
        businesses=[Business(customer_id=one.pk, name=one.name, role=role) for one, role in acts_for],
        currency=profile.currency.code,
        decimals=profile.currency.minor_digits,
        time_zone=profile.timezone,
        terms_version=profile.terms_version,
    )


@router.get(
    "/me/contacts", response={200: Contacts, **PROBLEMS}, operation_id="getContacts", summary="Own addresses"
)
def get_contacts(request: HttpRequest) -> Contacts:
    """Mobile and e-mail, masked, and what waits for its proof."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _contacts(caller.person)


@router.put(
    "/me/contacts/mobile",
    response={202: Contacts, **PROBLEMS},
    operation_id="changeMobile",
    summary="Send a code to a new mobile",
)
def change_mobile(request: HttpRequest, given: Address) -> Status:
    """A code goes to the new number; the old one stays until the code was confirmed. Asks for a proof of the last
    minutes (REAUTHENTICATE)."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    caller.check_fresh()
    network = web.client_address(request)
    contacts.change_mobile(person=caller.person, address=given.address, network=network, now=caller.now)
    return Status(202, _contacts(caller.person))


@router.post(
    "/me/contacts/mobile/confirm",
    response={200: Contacts, **PROBLEMS},
    operation_id="confirmMobile",
    summary="Confirm the new mobile",
)
def confirm_mobile(request: HttpRequest, given: Code) -> Contacts:
    """The code that came to the new number: it counts from now on, and the old one is told."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _contacts(contacts.confirm_mobile(person=caller.person, code=given.code, now=caller.now))


@router.put(
    "/me/contacts/email",
    response={202: Contacts, **PROBLEMS},
    operation_id="changeEmail",
    summary="Send a link to a new e-mail address",
)
def change_email(request: HttpRequest, given: Address) -> Status:
    """A link goes to the address, which counts once that was opened. Asks for a proof of the last minutes."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    caller.check_fresh()
    contacts.change_email(person=caller.person, address=given.address, now=caller.now)
    return Status(202, _contacts(caller.person))


class Token(Given):
    """What stands at the end of the link in the e-mail."""

    token: Text = Field(max_length=200)


@router.post(
    "/me/contacts/email/confirm",
    response={200: Contacts, **PROBLEMS},
    operation_id="confirmEmail",
    summary="Confirm the new e-mail address",
)
def confirm_email(request: HttpRequest, given: Token) -> Contacts:
    """For an app that opens the e-mail's link itself; it opens once."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    waiting = contacts.pending(person=caller.person, channel=Channel.EMAIL, now=caller.now)
    confirmed = contacts.confirm_email(token=given.token, now=caller.now) if waiting else None
    if confirmed is None:
        raise ContactRefused("EXPIRED", "This link does not open any more.")
    return _contacts(caller.person)


def _contacts(person: Person) -> Contacts:
    now = clock.now()
    current = Person.objects.select_related("mobile", "email").get(pk=person.pk)
    return Contacts(
        mobile=contacts.masked(current.mobile),
        email=contacts.masked(current.email) if current.email else None,
        new_mobile=_waiting(contacts.pending(person=current, channel=Channel.SMS, now=now), now),
        new_email=_waiting(contacts.pending(person=current, channel=Channel.EMAIL, now=now), now),
    )


def _waiting(change: ContactChange | None, now: dt.datetime) -> Waiting | None:
    if change is None or change.contact_point is None:
        return None
    standing = contacts.code_standing(change, now=now)
    return Waiting(
        address=contacts.masked(change.contact_point),
        expires_at=change.expires_at,
        resend_at=standing.resend_at if standing else None,
    )
