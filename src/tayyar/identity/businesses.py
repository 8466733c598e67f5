"""Businesses and their members: a register's word makes the first admin, admins invite others by their identity.

Owns Membership. A business always keeps one admin. Whom an admin may invite tells nobody who has a login: an invitation
waits for the identity, known or not. Next: claims asks people.customers_of what members may see.
"""

import datetime as dt
import uuid
from collections.abc import Mapping

from django.db import connection, transaction
from django.db.models import QuerySet

from tayyar.core import audit
from tayyar.customers.models import Customer, Language
from tayyar.customers.services import add_customer
from tayyar.identity import people, proving, rules
from tayyar.identity.errors import BusinessRefused, SignUpRefused
from tayyar.identity.forgetting import INVITED_FOR
from tayyar.identity.models import IdType, MemberRole, Membership, Person, SignUp, SignUpStep
from tayyar.identity.people import actor_of, id_hash
from tayyar.identity.ports import Proven
from tayyar.profiles.installation import installed_profile

_REGISTER = IdType.COMMERCIAL_REGISTER


def begin_business(
    *, person: Person, register_number: str, network: str, back_url: str, now: dt.datetime
) -> SignUp:
    """Ask the commercial register. It proves in one of its ways, as for people: `signup.facts` tells which.

    SignUpRefused NOT_ACCEPTED, FORMAT, NOT_COVERED, BUDGET, DOWN, MISMATCH, NO_PHONE; CodeRefused WAIT, BUDGET.
    """
    kind = installed_profile().identity_type(_REGISTER)
    if kind is None:
        raise SignUpRefused("NOT_ACCEPTED", "Businesses are registered at a service centre here.")
    try:
        plain = rules.check_id(kind, register_number)
    except rules.IdRefused as error:
        raise SignUpRefused("FORMAT", str(error), cause=error) from None
    return proving.start(
        id_type=_REGISTER,
        number=plain,
        nationality="",
        birth_date=person.birth_date,
        language=Language(person.language),
        network=network,
        back_url=back_url,
        more={"for_person": person.pk},
        now=now,
    )


def confirm_business(
    *, person: Person, signup_id: uuid.UUID | str, code: str | None, sent: Mapping[str, str], now: dt.datetime
) -> Membership | None:
    """The code that was typed, or what a redirect brought back: the person becomes an admin of the business. None
    while the register waits; sent twice, the same membership.

    SignUpRefused CODE, DOWN, MISMATCH, REJECTED, EXPIRED; CodeRefused EXPIRED, TRIES.
    """
    proof = proving.live(signup_id, now)
    if proof.step == SignUpStep.DONE and proof.person_id == person.pk:
        return Membership.objects.filter(
            person=person, business__national_id_hash=bytes(proof.id_hash), ended_at=None
        ).first()
    if proving.open_facts(proof).get("for_person") != person.pk:
        raise SignUpRefused("EXPIRED", "This sign-up is over. Begin again.")
    proven = proving.prove(proof, code=code, sent=sent, now=now)
    return None if proven is None else _join(person, signup_id, proven, now)


@transaction.atomic
def _join(person: Person, signup_id: uuid.UUID | str, proven: Proven, now: dt.datetime) -> Membership:
    proof = proving.live(signup_id, now, lock=True)
    hashed = id_hash(_REGISTER, proven.number)
    _one_founder(hashed)
    business = people.customer_with(hashed, kind="BUSINESS") or add_customer(
        kind="BUSINESS",
        name=proven.name or proven.number,
        is_citizen=False,
        id_number=proven.number,
        id_hash=hashed,
        actor=actor_of(person),
        now=now,
    )
    _lock(business.pk)
    membership = _active(business.pk).filter(person=person).first()
    if membership is None:
        membership = Membership.objects.create(
            business=business, person=person, role=MemberRole.ADMIN, invited_at=now, accepted_at=now
        )
    elif membership.role != MemberRole.ADMIN:
        membership.role = MemberRole.ADMIN
        membership.save(update_fields=["role"])
    proof.step, proof.person, proof.facts_sealed = SignUpStep.DONE, person, None
    proof.save()
    _record(membership, "BUSINESS_CONFIRMED", actor_of(person), now, authority=proof.authority)
    return membership


@transaction.atomic
def invite(
    *,
    person: Person,
    business_id: int,
    id_type: str,
    number: str,
    nationality: str,
    role: MemberRole,
    now: dt.datetime,
) -> Membership:
    """An admin invites whoever has this identity; it waits thirty days. Invited again, the invitation has the new
    role. Membership.DoesNotExist when the business is not the person's; BusinessRefused NOT_ADMIN, FORMAT, MEMBER."""
    _lock(business_id)
    _admin(person, business_id)
    kind = installed_profile().identity_type(id_type)
    if kind is None or kind.kind != "PERSON":
        raise BusinessRefused("FORMAT", "This document proves no person here. Choose another one.")
    try:
        plain = rules.check_id(kind, number)
    except rules.IdRefused as error:
        raise BusinessRefused("FORMAT", str(error)) from error
    hashed = id_hash(id_type, plain, nationality.strip() or kind.nationality)
    if _active(business_id).filter(person__id_hash=hashed).exists():
        raise BusinessRefused("MEMBER", "This person is a member already. Change their role instead.")
    waiting = _waiting(now).filter(business_id=business_id, invited_hash=hashed).first()
    if waiting is None:
        waiting = Membership(business_id=business_id, invited_hash=hashed)
    waiting.role, waiting.invited_by, waiting.invited_at = role, person, now
    waiting.save()
    _record(waiting, "MEMBER_INVITED", actor_of(person), now, role=role.value)
    return waiting


@transaction.atomic
def answer(*, person: Person, membership_id: int, accepts: bool, now: dt.datetime) -> Membership:
    """The invited person accepts or declines. Said twice, it stays as it was.

    Membership.DoesNotExist when the invitation is another's; BusinessRefused ENDED, EXPIRED, MEMBER.
    """
    found = Membership.objects.get(pk=membership_id, invited_hash=bytes(person.id_hash))
    _lock(found.business_id)
    invitation = Membership.objects.select_for_update().get(pk=membership_id)
    if invitation.accepted_at is not None and invitation.ended_at is None and accepts:
        return invitation
    if invitation.accepted_at is not None or invitation.ended_at is not None:
        if not accepts and invitation.accepted_at is None and invitation.ended_by == actor_of(person):
            return invitation
        raise BusinessRefused("ENDED", "This invitation is over.")
    if invitation.invited_at <= now - INVITED_FOR:
        raise BusinessRefused("EXPIRED", "This invitation waited too long. Ask for another one.")
    if not accepts:
        invitation.ended_at, invitation.ended_by = now, actor_of(person)
    elif _active(invitation.business_id).filter(person=person).exists():
        raise BusinessRefused("MEMBER", "You are a member already.")
    else:
        invitation.person, invitation.accepted_at = person, now
    invitation.save()
    _record(invitation, "MEMBER_JOINED" if accepts else "MEMBER_DECLINED", actor_of(person), now)
    return invitation


@transaction.atomic
def change_role(*, person: Person, membership_id: int, role: MemberRole, now: dt.datetime) -> Membership:
    """An admin gives a member, or an invited person, another role.

    Membership.DoesNotExist when the business is not the person's; BusinessRefused NOT_ADMIN, LAST_ADMIN, ENDED.
    """
    membership = _open_one(membership_id, person)
    if not _is_admin(person, membership.business_id):
        raise BusinessRefused("NOT_ADMIN", "Only an admin of the business can change roles.")
    if membership.role == role:
        return membership
    _keep_an_admin(membership)
    was, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    _record(membership, "MEMBER_ROLE_CHANGED", actor_of(person), now, was=was, role=role.value)
    return membership


@transaction.atomic
def end(*, person: Person, membership_id: int, now: dt.datetime) -> Membership:
    """An admin ends a membership or an invitation, or a member leaves. Ended again, it stays as it ended.

    Membership.DoesNotExist when the business is not the person's; BusinessRefused NOT_ADMIN, LAST_ADMIN.
    """
    membership = Membership.objects.get(pk=membership_id)
    if membership.ended_at is not None and membership.ended_by == actor_of(person):
        return membership
    membership = _open_one(membership_id, person)
    if membership.person_id != person.pk and not _is_admin(person, membership.business_id):
        raise BusinessRefused("NOT_ADMIN", "Only an admin of the business can end a membership.")
    _keep_an_admin(membership)
    membership.ended_at, membership.ended_by = now, actor_of(person)
    membership.save(update_fields=["ended_at", "ended_by"])
    _record(membership, "MEMBER_ENDED", actor_of(person), now)
    return membership


def members_of(*, person: Person, business_id: int, now: dt.datetime) -> list[Membership]:
    """Members, then invitations that wait, for an admin of the business.

    Membership.DoesNotExist when the business is not the person's; BusinessRefused NOT_ADMIN.
    """
    _admin(person, business_id)
    members = _active(business_id).select_related("person__customer").order_by("accepted_at", "id")
    return [*members, *_waiting(now).filter(business_id=business_id).order_by("invited_at", "id")]


def role_in(*, person: Person, business_id: int) -> MemberRole | None:
    """What the person may do for the business; None: nothing."""
    found = _active(business_id).filter(person=person).values_list("role", flat=True).first()
    return MemberRole(found) if found else None


def invitations_of(*, person: Person, now: dt.datetime) -> list[Membership]:
    """Invitations that wait for this person's answer."""
    waiting = _waiting(now).filter(invited_hash=bytes(person.id_hash))
    return list(waiting.select_related("business", "invited_by__customer").order_by("invited_at", "id"))


def _active(business_id: int) -> QuerySet[Membership]:
    return Membership.objects.filter(business_id=business_id, ended_at=None, accepted_at__isnull=False)


def _waiting(now: dt.datetime) -> QuerySet[Membership]:
    return Membership.objects.filter(ended_at=None, accepted_at=None, invited_at__gt=now - INVITED_FOR)


def _lock(business_id: int) -> None:
    """One change of a business's members at a time, or two admins could each end the other."""
    Customer.objects.select_for_update().filter(pk=business_id).first()


def _one_founder(hashed: bytes) -> None:
    """Of two who prove a business at once, the second finds what the first made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", [hashed.hex()])


def _admin(person: Person, business_id: int) -> None:
    """Refuse whoever is no admin; whoever is no member learns nothing."""
    membership = _active(business_id).get(person=person)
    if membership.role != MemberRole.ADMIN:
        raise BusinessRefused("NOT_ADMIN", "Only an admin of the business can do this.")


def _is_admin(person: Person, business_id: int) -> bool:
    return _active(business_id).filter(person=person, role=MemberRole.ADMIN).exists()


def _open_one(membership_id: int, person: Person) -> Membership:
    """A membership or invitation of a business that the person is a member of, locked with the business."""
    found = Membership.objects.get(pk=membership_id)
    _lock(found.business_id)
    _active(found.business_id).get(person=person)
    membership = Membership.objects.select_for_update().get(pk=membership_id)
    if membership.ended_at is not None:
        raise BusinessRefused("ENDED", "This membership is over.")
    return membership


def _keep_an_admin(leaving: Membership) -> None:
    """Refuse to take the role of the only admin."""
    if leaving.role != MemberRole.ADMIN or leaving.accepted_at is None:
        return
    others = _active(leaving.business_id).filter(role=MemberRole.ADMIN).exclude(pk=leaving.pk)
    if not others.exists():
        raise BusinessRefused("LAST_ADMIN", "A business keeps one admin. Make another member admin first.")


def _record(membership: Membership, action: str, actor: str, now: dt.datetime, **detail: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"customer:{membership.business_id}",
        now=now,
        membership=membership.pk,
        **detail,
    )
