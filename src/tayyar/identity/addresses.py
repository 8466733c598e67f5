"""A person's national address: chosen from what the authority lists, or typed and, where it can be, confirmed.

Owns Person.address. The authority is asked outside any transaction. Next: the pages after sign-up and the settings.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from tayyar.core import audit
from tayyar.identity.authorities import address_authority
from tayyar.identity.errors import ContactRefused
from tayyar.identity.models import IdType, Person
from tayyar.identity.people import actor_of, id_number
from tayyar.identity.ports import AuthorityError, NationalAddress

PARTS = ("building_number", "street", "district", "city", "postal_code", "additional_number")
_LONGEST = 80


def listed_addresses(*, person: Person) -> list[NationalAddress]:
    """Those on record for the person; none where no authority is asked. AuthorityError DOWN."""
    authority = address_authority()
    if authority is None:
        return []
    return authority.addresses_of(id_type=IdType(person.id_type), number=id_number(person))


def choose_address(*, person: Person, code: str, now: dt.datetime) -> Person:
    """Take the one with that short code from the authority's list.

    ContactRefused UNKNOWN when the list has no such address; AuthorityError DOWN.
    """
    found = next((one for one in listed_addresses(person=person) if one.code == code), None)
    if found is None:
        raise ContactRefused("UNKNOWN", "The authority lists no such address for you. Choose another one.")
    return _store(person, _as_stored(found), now, checked_at=now)


def add_address(*, person: Person, parts: Mapping[str, str], now: dt.datetime) -> Person:
    """Take an address as typed (keys of PARTS, city and street at least), or as the authority writes it where it
    knows the building; `address_checked_at` tells which. ContactRefused ADDRESS."""
    typed = {name: " ".join(parts.get(name, "").split()) for name in PARTS}
    too_long, unwritable = (
        max(map(len, typed.values())) > _LONGEST,
        any("\0" in part for part in typed.values()),
    )
    if not (typed["city"] and typed["street"]) or too_long or unwritable:
        raise ContactRefused("ADDRESS", "An address has a street and a city, each of at most 80 letters.")
    found = _find(typed)
    if found is not None:
        return _store(person, _as_stored(found), now, checked_at=now)
    return _store(person, {"code": "", "lines": {}, "parts": typed}, now, checked_at=None)


def _find(typed: Mapping[str, str]) -> NationalAddress | None:
    """The building as the authority knows it; None when it does not, or does not answer: typing must not wait."""
    authority = address_authority()
    if authority is None or not (typed["building_number"] and typed["postal_code"]):
        return None
    try:
        return authority.find(
            building_number=typed["building_number"],
            postal_code=typed["postal_code"],
            additional_number=typed["additional_number"],
        )
    except AuthorityError:
        return None


def _as_stored(found: NationalAddress) -> dict[str, Any]:
    return {"code": found.code, "lines": dict(found.lines), "parts": dict(found.parts)}


def _store(
    person: Person, address: dict[str, Any], now: dt.datetime, *, checked_at: dt.datetime | None
) -> Person:
    with transaction.atomic():
        current = Person.objects.select_for_update().get(pk=person.pk)
        current.address, current.address_checked_at = address, checked_at
        current.save(update_fields=["address", "address_checked_at"])
        audit.record(
            actor=actor_of(person),
            action="ADDRESS_CHANGED",
            subject=actor_of(person),
            now=now,
            is_checked=checked_at is not None,
        )
    person.address, person.address_checked_at = address, checked_at
    return person
