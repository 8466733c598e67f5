"""A person's own mobile and e-mail: a new one counts once its owner proved it, and the old one is told.

Owns ContactChange and Person.mobile, Person.email. Accounts have contact points of their own (customers), which this
never touches. Next: notifications sends the code, the link and the notice.
"""

import datetime as dt

from django.conf import settings
from django.db import transaction

from tayyar.core import audit, crypto
from tayyar.customers.addresses import AddressMistyped, clean_address, masked_address
from tayyar.customers.models import Channel, ContactPoint, Language
from tayyar.customers.services import ADDRESS_FIELD, add_person_contact, verify_person_contact
from tayyar.identity import codes
from tayyar.identity.email_link import email_token, open_email_token
from tayyar.identity.errors import ContactRefused
from tayyar.identity.models import ContactChange, Person
from tayyar.identity.people import actor_of
from tayyar.identity.words import WORDS
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.services import queue_message
from tayyar.profiles.installation import installed_profile

EMAIL_VALID = dt.timedelta(hours=24)
MOBILE_VALID = dt.timedelta(minutes=30)
MOST_A_DAY = 5  # of changes of one kind by one person, and of links to one address
CHANGES = ("MOBILE", "EMAIL", "PASSWORD", "LOGIN", "DEVICE")


def change_mobile(*, person: Person, address: str, network: str, now: dt.datetime) -> ContactChange:
    """Send a code to a new mobile number; the old one stays until confirm_mobile. The same number again: a new code.

    ContactRefused ADDRESS, SAME, BUDGET; customers.codes.CodeRefused WAIT, BUDGET.
    """
    plain = _clean(address, Channel.SMS)
    with transaction.atomic():
        change = _ask(person, Channel.SMS, plain, now + MOBILE_VALID, now)
        assert change.contact_point_id is not None
        codes.send(
            subject=_subject(change),
            identity_hash=bytes(person.id_hash),
            contact_point_id=change.contact_point_id,
            address=plain,
            network=network,
            language=Language(person.language),
            now=now,
        )
    return change


def confirm_mobile(*, person: Person, code: str, now: dt.datetime) -> Person:
    """The code from the new mobile was typed: it is the person's from now on, and the old one is told.

    ContactRefused EXPIRED (nothing waits), CODE; customers.codes.CodeRefused EXPIRED, TRIES.
    """
    change = pending(person=person, channel=Channel.SMS, now=now)
    if change is None:
        raise ContactRefused("EXPIRED", "No new mobile number waits for a code. Type the number again.")
    if not codes.check(subject=_subject(change), code=code, now=now):
        raise ContactRefused("CODE", "This is not the code that was sent.")
    done = _carry_out(change.pk, now)
    if done is None:
        raise ContactRefused("EXPIRED", "No new mobile number waits for a code. Type the number again.")
    return done


def code_standing(change: ContactChange, *, now: dt.datetime) -> codes.Standing | None:
    """Until when the code to the new mobile works and from when another may be sent."""
    return codes.standing(subject=_subject(change), now=now)


def change_email(*, person: Person, address: str, now: dt.datetime) -> ContactChange:
    """Send a link to a new e-mail address; it counts once that was opened (24 hours). The same address: a new link.

    ContactRefused ADDRESS, SAME, BUDGET.
    """
    plain = _clean(address, Channel.EMAIL)
    with transaction.atomic():
        change = _ask(person, Channel.EMAIL, plain, now + EMAIL_VALID, now)
        language = Language(person.language)
        queue_message(
            kind=MessageKind.EMAIL_CHECK,
            account_id=None,
            contact_point_id=change.contact_point_id,
            facts={"valid_text": WORDS[language.name]["valid"], "complaint_text": _phone()},
            url=f"{settings.SITE_URL}/join/email/{email_token(change.pk, expires=change.expires_at)}",
            language=language,
            now=now,
        )
    return change


def email_of_link(*, token: str, now: dt.datetime) -> str | None:
    """The masked address that a link would confirm, for the page that asks; None when the link does not open."""
    change = _change_of(token, now)
    return None if change is None or change.contact_point is None else masked(change.contact_point)


def confirm_email(*, token: str, now: dt.datetime) -> Person | None:
    """The link's button was pressed: the address is the person's from now on. It opens once; None when it does not.

    Call it from a POST: mail scanners follow links before their reader does.
    """
    change = _change_of(token, now)
    return None if change is None else _carry_out(change.pk, now)


def pending(*, person: Person, channel: Channel, now: dt.datetime) -> ContactChange | None:
    """The new SMS number or EMAIL address that still waits for its proof."""
    waiting = ContactChange.objects.filter(
        person=person, channel=channel, ended_at=None, expires_at__gt=now, contact_point__isnull=False
    )
    return waiting.select_related("contact_point").first()


def tell_change(*, person: Person, what: str, now: dt.datetime, to: ContactPoint | None = None) -> None:
    """Tell the owner what changed, or that a new DEVICE signed in: through `to`, the old contact, or else through
    every contact that they have."""
    assert what in CHANGES
    language = Language(person.language)
    new = {"MOBILE": person.mobile, "EMAIL": person.email}.get(what)
    text = WORDS[language.name][what].format(address=masked(new) if new else "")
    for contact in [to] if to else [one for one in (person.mobile, person.email) if one]:
        queue_message(
            kind=MessageKind.CONTACT_CHANGED,
            account_id=None,
            contact_point_id=contact.pk,
            facts={"change_text": text, "complaint_text": _phone()},
            language=language,
            now=now,
        )


def masked(contact: ContactPoint) -> str:
    """Enough for its owner to know it: "••• 21"."""
    return masked_address(plain_address(contact), channel=Channel(contact.channel))


def plain_address(contact: ContactPoint) -> str:
    """The address in the clear: for sending and for its owner, never for a log."""
    return crypto.unseal(bytes(contact.address_sealed), field=ADDRESS_FIELD)


def _ask(
    person: Person, channel: Channel, address: str, expires: dt.datetime, now: dt.datetime
) -> ContactChange:
    """The change that waits from now on, in place of any other of its kind."""
    current = (
        Person.objects.select_for_update(of=("self",)).select_related("mobile", "email").get(pk=person.pk)
    )
    old = current.mobile if channel == Channel.SMS else current.email
    hashed = crypto.lookup_hash(address, field=ADDRESS_FIELD)
    if old is not None and bytes(old.address_hash) == hashed:
        raise ContactRefused("SAME", "This is the one you have already.")
    waiting = pending(person=person, channel=channel, now=now) if channel == Channel.SMS else None
    if waiting and waiting.contact_point and bytes(waiting.contact_point.address_hash) == hashed:
        return waiting  # another code to it: codes have budgets of their own
    day = ContactChange.objects.filter(channel=channel, asked_at__gt=now - dt.timedelta(days=1))
    if (
        day.filter(person=person).count() >= MOST_A_DAY
        or day.filter(contact_point__address_hash=hashed).count() >= MOST_A_DAY
    ):
        raise ContactRefused("BUDGET", "This was changed too often today. Come tomorrow.")
    ContactChange.objects.filter(person=person, channel=channel, ended_at=None).update(ended_at=now)
    contact = add_person_contact(
        channel=channel, address=address, verified_at=None, actor=actor_of(person), now=now
    )
    change = ContactChange.objects.create(
        person=person,
        channel=channel,
        contact_point=contact,
        replaced=old,
        asked_at=now,
        expires_at=expires,
    )
    _record(change, "CONTACT_CHANGE_ASKED", now)
    return change


@transaction.atomic
def _carry_out(change_id: int, now: dt.datetime) -> Person | None:
    """Make the proven contact the person's; None when it was confirmed or replaced meanwhile."""
    change = ContactChange.objects.select_for_update().filter(pk=change_id, ended_at=None).first()
    if change is None or change.contact_point_id is None or now >= change.expires_at:
        return None
    person = Person.objects.select_for_update(of=("self",)).select_related("mobile").get(pk=change.person_id)
    is_mobile = change.channel == Channel.SMS
    old = person.mobile if is_mobile else person.email
    new = verify_person_contact(contact_point_id=change.contact_point_id, actor=actor_of(person), now=now)
    if is_mobile:
        person.mobile = new
    else:
        person.email = new
    person.save(update_fields=["mobile", "email"])
    change.replaced, change.confirmed_at, change.ended_at = old, now, now
    change.save(update_fields=["replaced", "confirmed_at", "ended_at"])
    _record(change, "CONTACT_CHANGED", now)
    what = "MOBILE" if is_mobile else "EMAIL"
    if old is not None:
        tell_change(person=person, what=what, now=now, to=old)
    elif change.asked_at != person.created_at:  # not the one given at sign-up: who added it must be told
        tell_change(person=person, what=what, now=now, to=person.mobile)
    return person


def _change_of(token: str, now: dt.datetime) -> ContactChange | None:
    change_id = open_email_token(token, now=now)
    if change_id is None:
        return None
    waiting = ContactChange.objects.filter(pk=change_id, channel=Channel.EMAIL, ended_at=None)
    return waiting.filter(expires_at__gt=now).select_related("contact_point").first()


def _clean(text: str, channel: Channel) -> str:
    try:
        return clean_address(text, channel=channel, calling_code=installed_profile().calling_code)
    except AddressMistyped as error:
        raise ContactRefused("ADDRESS", str(error)) from None


def _subject(change: ContactChange) -> str:
    return f"contact:{change.pk}"


def _phone() -> str:
    contacts = installed_profile().complaint_contacts
    return next((str(contact["value"]) for contact in contacts if contact["kind"] == "PHONE"), "")


def _record(change: ContactChange, action: str, now: dt.datetime) -> None:
    actor = f"person:{change.person_id}"
    audit.record(
        actor=actor,
        action=action,
        subject=actor,
        now=now,
        channel=Channel(change.channel).name,
        contact_point=change.contact_point_id,
        replaced=change.replaced_id,
    )
