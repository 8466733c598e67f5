"""The people behind logins: found by identity or login, made once proven, and what they choose about themselves.

Owns Person and TermsAcceptance. Never proves anybody (proving.py). Next: claims asks whose accounts somebody may see.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import IntegrityError, transaction

from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import ContactPoint, Customer, Language
from tayyar.customers.services import NATIONAL_ID_FIELD, add_customer, verify_person_contact
from tayyar.identity.models import IdType, Membership, Person, TermsAcceptance

ID_FIELD = "identity.person.id"
PORTAL_TERMS = "PORTAL"
SELF = "SELF"  # the role of a person for the customer that they are themselves
_BY_COUNTRY = (IdType.PASSPORT, IdType.GULF_ID)  # the same number may exist in two countries


class AlreadyThere(UserError):
    """A person with that identity has a login."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven identity: everything an authority and the person said of it."""

    id_type: IdType
    number: str
    name: str
    birth_date: dt.date
    nationality: str
    verified_by: str

    @property
    def hash(self) -> bytes:
        """By which it is found."""
        return id_hash(self.id_type, self.number, self.nationality)


def id_hash(id_type: str, number: str, nationality: str = "") -> bytes:
    """The keyed hash of an identity, 16 bytes: Person.id_hash, Customer.national_id_hash, Membership.invited_hash.

    `number` as rules.check_id returns it. `nationality` counts for passports and Gulf IDs alone, whose numbers repeat
    between countries.
    """
    country = f":{nationality.upper()}" if id_type in _BY_COUNTRY else ""
    return crypto.lookup_hash(f"{id_type}:{number}{country}", field=NATIONAL_ID_FIELD)


def person_of(user: AbstractBaseUser | AnonymousUser) -> Person | None:
    """The person who logs in as `user`; None for staff and for nobody."""
    if not user.is_authenticated:
        return None
    found = Person.objects.filter(user_id=user.pk, user__is_active=True)
    return found.select_related("customer", "mobile", "email").first()


def person_with(id_type: str, number: str, nationality: str = "") -> Person | None:
    """The person of that identity, who has a login; None when there is none."""
    return Person.objects.filter(id_hash=id_hash(id_type, number, nationality)).first()


def customers_of(person: Person) -> list[tuple[Customer, str]]:
    """For whom the person may act, with the role: themselves ("SELF"), then businesses (MemberRole), by name."""
    memberships = Membership.objects.filter(person=person, ended_at=None, accepted_at__isnull=False)
    rows = memberships.select_related("business").order_by("business__name", "business_id")
    return [(person.customer, SELF), *((row.business, row.role) for row in rows)]


def customer_with(hashed: bytes, *, kind: str) -> Customer | None:
    """The customer of that identity in the books; of several that bear it, the oldest."""
    return Customer.objects.filter(national_id_hash=hashed, kind=kind).order_by("id").first()


@transaction.atomic
def make_person(
    *,
    identity: Identity,
    mobile: ContactPoint,
    password_hash: str,
    terms_version: str,
    language: Language,
    actor: str,
    now: dt.datetime,
) -> Person:
    """A person with a login, tied to their customer in the books, or to a new one. AlreadyThere.

    `password_hash` as make_password gives it; "" for a login by passkey alone. The mobile is verified by this.
    """
    customer = customer_with(identity.hash, kind="PERSON")
    if customer is None or Person.objects.filter(customer=customer).exists():
        customer = add_customer(
            kind="PERSON",
            name=identity.name,
            is_citizen=identity.id_type == IdType.NATIONAL_ID,
            id_number=identity.number,
            id_hash=identity.hash,
            actor=actor,
            now=now,
        )
    mobile = verify_person_contact(contact_point_id=mobile.pk, actor=actor, now=now)
    user = User(username=f"person-{uuid.uuid4().hex}", password=password_hash or make_password(None))
    try:
        with transaction.atomic():
            user.save()
            person = Person.objects.create(
                user=user,
                customer=customer,
                id_type=identity.id_type,
                id_sealed=crypto.seal(identity.number, field=ID_FIELD),
                id_hash=identity.hash,
                nationality=identity.nationality,
                birth_date=identity.birth_date,
                language=language,
                mobile=mobile,
                verified_by=identity.verified_by,
                verified_at=now,
                created_at=now,
            )
    except IntegrityError:  # the same identity signed up twice at one moment
        raise AlreadyThere("This identity has a login already.") from None
    audit.record(
        actor=actor,
        action="PERSON_ADDED",
        subject=f"person:{person.pk}",
        now=now,
        customer=customer.pk,
        verified_by=identity.verified_by,
    )
    accept_terms(person=person, terms=PORTAL_TERMS, version=terms_version, now=now)
    return person


def accept_terms(*, person: Person, terms: str, version: str, now: dt.datetime) -> TermsAcceptance:
    """That the person agreed to `version` of "PORTAL" or "CLAIM"; agreeing again keeps the first moment."""
    with transaction.atomic():
        found, made = TermsAcceptance.objects.get_or_create(
            person=person, terms=terms, version=version, defaults={"accepted_at": now}
        )
        if made:
            _record(person, "TERMS_ACCEPTED", now, terms=terms, version=version)
    return found


def has_accepted(*, person: Person, terms: str, version: str) -> bool:
    """Whether the person agreed to that version."""
    return TermsAcceptance.objects.filter(person=person, terms=terms, version=version).exists()


def id_number(person: Person) -> str:
    """The number of the person's document in the clear. For an authority or the person; never for a log."""
    return crypto.unseal(bytes(person.id_sealed), field=ID_FIELD)


def set_language(*, person: Person, language: Language, now: dt.datetime) -> None:
    """In which language the person is shown and told everything."""
    _set(person, "LANGUAGE_CHANGED", now, {"language": language}, to=language.name)


def set_simple(*, person: Person, is_simple: bool, now: dt.datetime) -> None:
    """Fewer and larger things on each page, or not."""
    _set(person, "SIMPLE_MODE_CHANGED", now, {"is_simple": is_simple}, to=is_simple)


def _set(
    person: Person, action: str, now: dt.datetime, values: Mapping[str, object], **detail: object
) -> None:
    """Store what changed, audited; nothing when nothing did."""
    with transaction.atomic():
        current = Person.objects.select_for_update().get(pk=person.pk)
        if all(getattr(current, name) == value for name, value in values.items()):
            return
        Person.objects.filter(pk=person.pk).update(**values)
        _record(person, action, now, **detail)
    for name, value in values.items():
        setattr(person, name, value)


def _record(person: Person, action: str, now: dt.datetime, **detail: object) -> None:
    audit.record(actor=actor_of(person), action=action, subject=actor_of(person), now=now, **detail)


def actor_of(person: Person) -> str:
    """ "person:12", as the audit log and other modules name them."""
    return f"person:{person.pk}"
