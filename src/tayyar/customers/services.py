"""Writing what customers ask of how they are told: their contact points; and who signed up. Every call is audited.

It never sends anything and never decides which channel is used first. Next: notifications reads what is active here.
"""

import datetime as dt
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import F

from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel, ContactMark, ContactPoint, Customer, CustomerAccount

ADDRESS_FIELD = "customers.contact_point.address"  # under which addresses are sealed and hashed
NATIONAL_ID_FIELD = "customers.customer.national_id"
# A browser gives a new address each time it subscribes anew and never says that the old one is dead.
MOST_ACTIVE = {Channel.PUSH: 5}


@transaction.atomic
def add_contact_point(
    *,
    account_id: int,
    channel: Channel,
    address: str,
    verified_at: dt.datetime | None,
    actor: str,
    now: dt.datetime,
    recipient: int = 0,
) -> ContactPoint:
    """The contact point of that address for the holder (`recipient` 0) or a delegate, made or made active again.

    A mark (bounced, complained, not mine) is lifted by a new verification only: UserError without one. Beyond
    MOST_ACTIVE of a channel the oldest are made inactive. CustomerAccount.DoesNotExist without such an account.
    """
    account = CustomerAccount.objects.select_for_update().get(id=account_id)
    found, made = ContactPoint.objects.get_or_create(
        account=account,
        recipient=recipient,
        channel=channel,
        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        defaults={
            "address_sealed": crypto.seal(address, field=ADDRESS_FIELD),
            "verified_at": verified_at,
        },
    )
    lifted = found.mark
    if not made:
        if lifted and verified_at is None:
            raise UserError("This address was marked as not to be used. Verify it before it is used again.")
        if found.is_active and (found.verified_at or not verified_at):
            return found
        found.is_active, found.mark, found.marked_at = True, "", None
        found.verified_at = verified_at or found.verified_at
        found.save(update_fields=["is_active", "mark", "marked_at", "verified_at"])
    audit.record(
        actor=actor,
        action="CONTACT_ADDED" if made else "CONTACT_REACTIVATED",
        subject=f"account:{account_id}",
        now=now,
        channel=channel.name,
        contact_point=found.pk,
        recipient=recipient,
        **({"lifted": lifted} if lifted else {}),
    )
    if most := MOST_ACTIVE.get(channel):
        _retire_oldest(found, most, actor=actor, now=now)
    return found


@transaction.atomic
def add_person_contact(
    *, channel: Channel, address: str, verified_at: dt.datetime | None, actor: str, now: dt.datetime
) -> ContactPoint:
    """A contact point of a person outside any account, always a new one: people who share a telephone or an address
    each have theirs, so that what becomes of one says nothing of the others."""
    made = ContactPoint.objects.create(
        account=None,
        channel=channel,
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        verified_at=verified_at,
    )
    audit.record(
        actor=actor, action="CONTACT_ADDED", subject=f"contact:{made.pk}", now=now, channel=channel.name
    )
    return made


@transaction.atomic
def verify_person_contact(*, contact_point_id: int, actor: str, now: dt.datetime) -> ContactPoint:
    """Its owner proved to read what goes there. ContactPoint.DoesNotExist when it belongs to an account."""
    contact = ContactPoint.objects.select_for_update().get(id=contact_point_id, account=None)
    contact.verified_at = now
    contact.save(update_fields=["verified_at"])
    audit.record(actor=actor, action="CONTACT_VERIFIED", subject=f"contact:{contact.pk}", now=now)
    return contact


@transaction.atomic
def add_customer(
    *, kind: str, name: str, is_citizen: bool, id_number: str, id_hash: bytes, actor: str, now: dt.datetime
) -> Customer:
    """A PERSON or BUSINESS that the books did not know, numbered apart from the utility's own customers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('customers_customer_serial')")
        number = int(cursor.fetchone()[0])
    made = Customer.objects.create(
        id=number,
        kind=kind,
        name=name[:120],
        is_citizen=is_citizen,
        national_id_sealed=crypto.seal(id_number, field=NATIONAL_ID_FIELD),
        national_id_hash=id_hash,
    )
    audit.record(actor=actor, action="CUSTOMER_ADDED", subject=f"customer:{number}", now=now, kind=kind)
    return made


def _retire_oldest(kept: ContactPoint, most: int, *, actor: str, now: dt.datetime) -> None:
    """Make all but the newest `most` of the person and channel inactive; never `kept`."""
    others = ContactPoint.objects.filter(
        account_id=kept.account_id, recipient=kept.recipient, channel=kept.channel, is_active=True
    ).exclude(pk=kept.pk)
    for old in others.order_by(F("verified_at").desc(nulls_last=True), "-id")[most - 1 :]:
        ContactPoint.objects.filter(pk=old.pk).update(is_active=False)
        audit.record(
            actor=actor,
            action="CONTACT_RETIRED",
            subject=f"account:{kept.account_id}",
            now=now,
            channel=Channel(kept.channel).name,
            contact_point=old.pk,
            reason="TOO_MANY",
        )


def mark_contacts(*, ids: Sequence[int], mark: ContactMark, now: dt.datetime, actor: str) -> int:
    """Use these contact points no more, and remember why. Returns how many were in use until now."""
    with transaction.atomic():
        marked = ContactPoint.objects.filter(id__in=ids, is_active=True).update(
            is_active=False, mark=mark, marked_at=now
        )
        for id in ids:
            audit.record(
                actor=actor, action="CONTACT_MARKED", subject=f"contact:{id}", now=now, mark=mark.value
            )
    return marked


@transaction.atomic
def remove_contact(*, account_id: int, contact_point_id: int, actor: str, now: dt.datetime) -> None:
    """Use a contact point no more because its person asks so. Removing it again changes nothing.

    ContactPoint.DoesNotExist when the account has no such contact point.
    """
    contact = ContactPoint.objects.select_for_update().get(id=contact_point_id, account_id=account_id)
    if contact.is_active:
        contact.is_active = False
        contact.save(update_fields=["is_active"])
        _record(contact, "CONTACT_REMOVED", actor, now)


@transaction.atomic
def keep_contact(*, account_id: int, contact_point_id: int, actor: str, now: dt.datetime) -> None:
    """Use a contact point again, its mark taken away: staff found that it is right after all.

    ContactPoint.DoesNotExist when the account has no such contact point.
    """
    contact = ContactPoint.objects.select_for_update().get(id=contact_point_id, account_id=account_id)
    if not contact.is_active:
        contact.is_active, contact.mark, contact.marked_at = True, "", None
        contact.save(update_fields=["is_active", "mark", "marked_at"])
        _record(contact, "CONTACT_KEPT", actor, now)


def _record(contact: ContactPoint, action: str, actor: str, now: dt.datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"account:{contact.account_id}",
        now=now,
        channel=Channel(contact.channel).name,
        contact_point=contact.pk,
        recipient=contact.recipient,
    )
