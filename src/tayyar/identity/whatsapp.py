"""The WhatsApp number of an account, given by who manages it: used once a code proved that they read it.

Owns the order of the proof, not who may manage the account (claims/queries.py). The person's own verified mobile needs
no code. Next: identity/codes.py sends the code, customers keeps the contact point, notifications plans anew.
"""

import datetime as dt
from dataclasses import replace

from django.db import transaction

from tayyar.customers.addresses import AddressMistyped, clean_address
from tayyar.customers.models import Channel, ContactPoint, Language
from tayyar.customers.services import add_contact_point, add_person_contact
from tayyar.customers.wishes import wishes_of
from tayyar.identity import codes
from tayyar.identity.contacts import plain_address
from tayyar.identity.errors import ContactRefused
from tayyar.identity.models import Person
from tayyar.identity.people import actor_of
from tayyar.notifications import consent, services
from tayyar.profiles.installation import installed_profile


def ask_number(
    *, person: Person, account_id: int, address: str, network: str, now: dt.datetime
) -> ContactPoint | None:
    """Send a code to the number; None where it is the person's verified mobile: then the account uses it already.

    ContactRefused ADDRESS; customers.codes.CodeRefused WAIT, BUDGET.
    """
    try:
        plain = clean_address(
            address, channel=Channel.WHATSAPP, calling_code=installed_profile().calling_code
        )
    except AddressMistyped as error:
        raise ContactRefused("ADDRESS", str(error)) from None
    if person.mobile.verified_at and plain == plain_address(person.mobile):
        _use(person, account_id, plain, now)
        return None
    with transaction.atomic():
        contact = add_person_contact(
            channel=Channel.WHATSAPP, address=plain, verified_at=None, actor=actor_of(person), now=now
        )
        _send(person, account_id, contact, network, now)
    return contact


def send_again(
    *, person: Person, account_id: int, contact: ContactPoint, network: str, now: dt.datetime
) -> None:
    """Another code to the number that was asked. CodeRefused WAIT, BUDGET."""
    _send(person, account_id, contact, network, now)


def confirm_number(
    *, person: Person, account_id: int, contact: ContactPoint, code: str, now: dt.datetime
) -> None:
    """The code was typed: the account is told by WhatsApp first from now on.

    ContactRefused CODE; customers.codes.CodeRefused EXPIRED, TRIES.
    """
    if not codes.check(subject=subject_of(person, account_id, contact), code=code, now=now):
        raise ContactRefused("CODE", "This is not the code that was sent.")
    _use(person, account_id, plain_address(contact), now)


def subject_of(person: Person, account_id: int, contact: ContactPoint) -> str:
    """What its code proves: this person, for this account, with this number."""
    return f"whatsapp:{person.pk}:{account_id}:{contact.pk}"


def _send(person: Person, account_id: int, contact: ContactPoint, network: str, now: dt.datetime) -> None:
    codes.send(
        subject=subject_of(person, account_id, contact),
        identity_hash=bytes(person.id_hash),
        contact_point_id=contact.pk,
        address=plain_address(contact),
        network=network,
        language=Language(person.language),
        now=now,
    )


@transaction.atomic
def _use(person: Person, account_id: int, address: str, now: dt.datetime) -> None:
    """Keep the number for the account, and the wish to be told by WhatsApp first."""
    actor = actor_of(person)
    add_contact_point(
        account_id=account_id,
        channel=Channel.WHATSAPP,
        address=address,
        verified_at=now,
        actor=actor,
        now=now,
    )
    before, name = wishes_of(account_id=account_id), Channel.WHATSAPP.name
    after = replace(
        before, channels=(name,), excluded=tuple(other for other in before.excluded if other != name)
    )
    if not consent.save_wishes(account_id=account_id, wishes=after, actor=actor, now=now):
        services.replan_account(account_id=account_id, now=now)
