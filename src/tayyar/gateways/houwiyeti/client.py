"""The adapter to Houwiyeti. TO BE CONFIRMED with the operator: the names in `_FIELDS`, and statuses for "nobody"."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tayyar.gateways.authority.entry import AuthorityEntry, Options
from tayyar.gateways.authority.errors import refusal
from tayyar.gateways.authority.facts import as_date, as_phone, as_text, is_same
from tayyar.gateways.authority.inquiry import Inquiry
from tayyar.gateways.authority.refs import opened_ref, sealed_ref
from tayyar.identity.models import IdType
from tayyar.identity.ports import Asked, Proven, Way

CALLING_CODE = "222"
KEPT_MINUTES = 60
_FIELDS = {
    "number": "nni",
    "first_name": "prenom",
    "family_name": "nom",
    "birth_date": "dateNaissance",
    "phone": "telephone",
}


@dataclass(frozen=True, slots=True)
class HouwiyetiOptions:
    """`fields`: our word -> the name of the field at the operator's."""

    base_url: str
    entity_api_key: str = field(repr=False)
    fields: Mapping[str, str]
    timeout_seconds: int


class HouwiyetiAuthority:
    """See identity.ports.IdentityAuthority."""

    def __init__(self, entry: AuthorityEntry, options: HouwiyetiOptions) -> None:
        self.code, self.id_types, self.options = entry.code, entry.id_types, options
        self._inquiry = Inquiry(entry.code, timeout_seconds=options.timeout_seconds)

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        """The phone on record of the person whose number and birth date these are."""
        if id_type not in self.id_types:
            raise refusal("NOT_COVERED")
        proven = self._person(id_type, number, birth_date)
        if not proven.phone:
            raise refusal("NOT_COVERED")  # a person without a phone on record must come to a service centre
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
        """The person, asked for again: nothing of them was kept meanwhile."""
        facts = opened_ref(self.code, ref)
        if now > dt.datetime.fromisoformat(facts["until"]):
            raise refusal("EXPIRED")
        return self._person(
            IdType(facts["id_type"]), facts["number"], dt.date.fromisoformat(facts["birth_date"])
        )

    def _person(self, id_type: IdType, number: str, birth_date: dt.date) -> Proven:
        answer = self._inquiry.post_json(
            f"{self.options.base_url}/getPersonne",
            {self.options.fields["number"]: number},
            headers={"entity-api-key": self.options.entity_api_key},
            until=self._inquiry.deadline(),
            may_repeat=True,
        )
        if answer.status in (404, 422):
            raise refusal("MISMATCH")
        content = self._inquiry.content(answer)

        def told(what: str) -> Any:
            return content.get(self.options.fields[what])

        if not is_same(number, as_text(told("number"))) or as_date(told("birth_date")) != birth_date:
            raise refusal("MISMATCH")
        names = (as_text(told("first_name")), as_text(told("family_name")))
        return Proven(
            id_type=id_type,
            number=number,
            name=" ".join(part for part in names if part),
            birth_date=birth_date,
            phone=as_phone(told("phone"), calling_code=CALLING_CODE),
        )


def build(entry: AuthorityEntry) -> HouwiyetiAuthority:
    """The adapter of an entry; UserError says what the entry lacks."""
    options = Options(entry)
    found = HouwiyetiOptions(
        base_url=options.url("base_url"),
        entity_api_key=options.secret("entity_api_key"),
        fields=options.names("fields", _FIELDS),
        timeout_seconds=options.seconds("timeout_seconds", 10, most=30),
    )
    options.done()
    return HouwiyetiAuthority(entry, found)
