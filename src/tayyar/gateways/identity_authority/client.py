"""The adapter to the local authority, for identity and for addresses."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tayyar.gateways.authority.entry import AuthorityEntry, Options
from tayyar.gateways.authority.errors import refusal
from tayyar.gateways.authority.facts import as_date, as_phone, as_text
from tayyar.gateways.authority.inquiry import Inquiry
from tayyar.gateways.authority.refs import opened_ref, sealed_ref
from tayyar.gateways.http import Answer
from tayyar.gateways.identity_authority import KEY_HEADER
from tayyar.identity.models import IdType
from tayyar.identity.ports import Asked, NationalAddress, Proven, Way

KEPT_MINUTES = 60


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """Where it listens, and its key."""

    url: str
    key: str = field(repr=False)
    timeout_seconds: int


class LocalAuthority:
    """See identity.ports.IdentityAuthority and identity.ports.AddressAuthority: it is both."""

    def __init__(self, entry: AuthorityEntry, options: LocalOptions) -> None:
        self.code, self.id_types, self.options = entry.code, entry.id_types, options
        self._inquiry = Inquiry(entry.code, timeout_seconds=options.timeout_seconds)

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        """The phone on record of the person whose number and birth date these are."""
        if id_type not in self.id_types:
            raise refusal("NOT_COVERED")
        proven = self._person(id_type, number, birth_date)
        until = now + dt.timedelta(minutes=KEPT_MINUTES)
        facts = {
            "id_type": id_type.value,
            "number": number,
            "birth_date": birth_date.isoformat(),
            "until": until.isoformat(),
        }
        ref = sealed_ref(self.code, facts)
        return Asked(way=Way.CODE, ref=ref, phone=proven.phone, expires_at=until)

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        """The person, asked for again."""
        facts = opened_ref(self.code, ref)
        if now > dt.datetime.fromisoformat(facts["until"]):
            raise refusal("EXPIRED")
        return self._person(
            IdType(facts["id_type"]), facts["number"], dt.date.fromisoformat(facts["birth_date"])
        )

    def addresses_of(self, *, id_type: IdType, number: str) -> list[NationalAddress]:
        """Those on record for a person."""
        answer = self._post("/addresses", {"id_type": id_type.value, "number": number})
        listed = self._inquiry.content(answer).get("addresses")
        return [_address(entry) for entry in listed] if isinstance(listed, list) else []

    def find(
        self, *, building_number: str, postal_code: str, additional_number: str
    ) -> NationalAddress | None:
        """The address of that building."""
        asked = {
            "building_number": building_number,
            "postal_code": postal_code,
            "additional_number": additional_number,
        }
        found = self._inquiry.content(self._post("/address", asked)).get("address")
        return _address(found) if isinstance(found, dict) else None

    def _person(self, id_type: IdType, number: str, birth_date: dt.date) -> Proven:
        asked = {"id_type": id_type.value, "number": number, "birth_date": birth_date.isoformat()}
        answer = self._post("/person", asked)
        if answer.status == 404:
            raise refusal("MISMATCH")
        content = self._inquiry.content(answer)
        return Proven(
            id_type=id_type,
            number=number,
            name=as_text(content.get("name")),
            birth_date=as_date(content.get("birth_date")),
            nationality=as_text(content.get("nationality")),
            phone=as_phone(content.get("phone")),
        )

    def _post(self, path: str, asked: Mapping[str, Any]) -> Answer:
        return self._inquiry.post_json(
            f"{self.options.url}{path}",
            asked,
            headers={KEY_HEADER: self.options.key},
            until=self._inquiry.deadline(),
            may_repeat=True,
        )


def _address(entry: Mapping[str, Any]) -> NationalAddress:
    return NationalAddress(code=entry["code"], lines=entry["lines"], parts=entry["parts"])


def build(entry: AuthorityEntry) -> LocalAuthority:
    """The adapter of an entry; UserError says what the entry lacks."""
    options = Options(entry)
    found = LocalOptions(
        url=options.url("url"),
        key=options.secret("key"),
        timeout_seconds=options.seconds("timeout_seconds", 5, most=30),
    )
    options.done()
    return LocalAuthority(entry, found)
