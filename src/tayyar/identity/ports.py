"""What an identity authority and an address authority must be able to do. Adapters: gateways/; wiring: config/.

An authority proves a person in one of three ways: it tells the phone it has on record, to which we send a code; it asks
the person itself in its own app, while we wait; or it takes the browser over and sends it back.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tayyar.core.errors import UserError
from tayyar.identity.models import IdType


class Way(StrEnum):
    """How an authority proves a person."""

    CODE = "CODE"  # `phone` is the one on record; our code goes there
    APPROVAL = "APPROVAL"  # the person picks `shown` in the authority's app
    REDIRECT = "REDIRECT"  # the browser goes to `url` and comes back


@dataclass(frozen=True, slots=True)
class Asked:
    """A proof that began. `ref` is the authority's name for it, "" for none."""

    way: Way
    ref: str = ""
    phone: str = ""  # E.164: "+966512345678"
    shown: str = ""
    url: str = ""
    expires_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """What the authority says of a person once they are proven; what it does not say is empty."""

    id_type: IdType
    number: str
    name: str
    birth_date: dt.date | None = None
    nationality: str = ""
    phone: str = ""


class AuthorityError(UserError):
    """`reason`: DOWN (or too slow: nothing is known), MISMATCH (number, birth date or type do not belong together, or
    there is no such person: never told apart), REJECTED (the person said no), EXPIRED, NOT_COVERED (this authority
    does not know such documents)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class IdentityAuthority(Protocol):
    """Proves who a person is. Answers within `timeout` seconds of its configuration or raises AuthorityError DOWN."""

    code: str
    id_types: frozenset[IdType]

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        """Begin to prove a person. AuthorityError DOWN, MISMATCH, NOT_COVERED."""
        ...

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        """What became of it; None while it waits. For CODE it is asked once our code was right; `sent` is the query
        that a REDIRECT came back with. AuthorityError DOWN, MISMATCH, REJECTED, EXPIRED."""
        ...


@dataclass(frozen=True, slots=True)
class NationalAddress:
    """A postal address as the authority writes it. `lines` by language; `code` is its short code."""

    code: str
    lines: dict[str, str]
    parts: dict[str, str]  # building_number, street, district, city, postal_code, additional_number


class AddressAuthority(Protocol):
    """Knows the national addresses."""

    code: str

    def addresses_of(self, *, id_type: IdType, number: str) -> list[NationalAddress]:
        """Those on record for a person. AuthorityError DOWN."""
        ...

    def find(
        self, *, building_number: str, postal_code: str, additional_number: str
    ) -> NationalAddress | None:
        """The address of that building; None when there is none. AuthorityError DOWN."""
        ...
