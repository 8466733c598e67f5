"""The ground of the identity scenarios: an authority that does as it is told, and the messages that people read."""

import datetime as dt
import json
from dataclasses import dataclass, field, replace

from tests.scenarios import messages as mail

from tayyar.core import crypto
from tayyar.core.models import AuditEntry
from tayyar.customers.models import ContactPoint, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.identity import signup
from tayyar.identity.contacts import plain_address
from tayyar.identity.models import IdType, Person, SignUp
from tayyar.identity.ports import Asked, AuthorityError, NationalAddress, Proven, Way
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message, Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.profiles.installation import installed_profile

NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)
SALMA, NASSER, HUDA = "1012345672", "1098765439", "1087654321"  # Luhn holds
REGISTER = "1010101010"
BORN = dt.date(1990, 5, 12)
PHONES = {
    SALMA: "+966500000021",
    NASSER: "+966500000022",
    HUDA: "+966500000023",
    REGISTER: "+966500000090",
}
NAMES = {SALMA: "سلمى العتيبي", NASSER: "ناصر القحطاني", HUDA: "هدى القحطاني", REGISTER: "مخابز الرياض"}
PASSWORD = "three quiet lamps"
NETWORK = "192.0.2.7"


def later(seconds: float) -> dt.datetime:
    """So many seconds after NOW."""
    return NOW + dt.timedelta(seconds=seconds)


@dataclass
class Scripted:
    """An authority that proves in `way`; `fails` is raised by ask, `then` by answer or what it returns."""

    way: Way = Way.CODE
    code: str = "SCRIPTED"
    id_types: frozenset[IdType] = frozenset(IdType)
    fails: str = ""
    then: str | None = ""  # "": proven; None: still waiting; else a reason
    changes: dict[str, object] = field(default_factory=dict)  # of what it proves
    asked: list[str] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)
    expires_at: dt.datetime | None = None

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        """As scripted."""
        self.asked.append(number)
        if self.fails:
            raise AuthorityError(self.fails, self.fails)
        phone = PHONES.get(number, "") if self.way is Way.CODE else ""
        shown = "42" if self.way is Way.APPROVAL else ""
        url = f"https://authority.example/?to={back_url}" if self.way is Way.REDIRECT else ""
        return Asked(self.way, f"{id_type.value}|{number}", phone, shown, url, self.expires_at)

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        """As scripted."""
        self.sent.append(sent)
        if self.then is None:
            return None
        if self.then:
            raise AuthorityError(self.then, self.then)
        id_type, number = ref.split("|")
        proven = Proven(
            IdType(id_type), number, NAMES.get(number, "فلان"), BORN, phone=PHONES.get(number, "")
        )
        return replace(proven, **self.changes)  # type: ignore[arg-type]


@dataclass
class Addresses:
    """An address authority with one address for everybody."""

    code: str = "ADDRESSES"
    is_down: bool = False

    HOME = NationalAddress(
        "RRRD2929",
        {"ar": "2929 شارع ريحانة", "en": "2929 Rayhanah St", "fr": "2929 rue Rayhanah"},
        {"building_number": "2929", "street": "ريحانة", "city": "الرياض", "postal_code": "13337"},
    )

    def addresses_of(self, *, id_type: IdType, number: str) -> list[NationalAddress]:
        """Home."""
        if self.is_down:
            raise AuthorityError("DOWN", "down")
        return [self.HOME]

    def find(
        self, *, building_number: str, postal_code: str, additional_number: str
    ) -> NationalAddress | None:
        """Home, by its building and postal code."""
        if self.is_down:
            raise AuthorityError("DOWN", "down")
        return self.HOME if (building_number, postal_code) == ("2929", "13337") else None


def begin(number: str = SALMA, *, now: dt.datetime = NOW, network: str = NETWORK, **more: object) -> SignUp:
    """A sign-up with a national ID."""
    given = {
        "id_type": "NATIONAL_ID",
        "number": number,
        "birth_date": BORN,
        "nationality": "SA",
        "language": Language.en,
        "network": network,
        "back_url": "https://tayyar.example/join/back",
        "now": now,
    }
    return signup.begin(**{**given, **more})  # type: ignore[arg-type]


def details(found: SignUp, *, now: dt.datetime = NOW, **more: object) -> SignUp:
    """The details that Salma gives."""
    given = {
        "mobile": "0500000031",
        "email": "salma@mail.example",
        "password": PASSWORD,
        "terms_version": installed_profile().terms_version,
        "network": NETWORK,
        "now": now,
    }
    return signup.give_details(signup_id=found.pk, **{**given, **more})  # type: ignore[arg-type]


def sign_up(number: str = SALMA, *, now: dt.datetime = NOW, **more: object) -> Person:
    """The whole way."""
    found = begin(number, now=now, network=f"192.0.2.{int(number) % 250}")
    signup.confirm_identity(signup_id=found.pk, code=last_code(), sent={}, now=now)
    details(found, now=now, **more)
    return signup.finish(signup_id=found.pk, code=last_code(), now=now)


def messages(kind: MessageKind) -> list[dict[str, str]]:
    """Facts, link and address ("to") of the messages of that kind, the oldest first."""
    found = []
    for message in Message.objects.filter(kind=kind).order_by("ref"):
        sealed = Payload.objects.get(ref=message.ref, kind=kind).facts_sealed
        raw = json.loads(crypto.unseal(bytes(sealed), field=PAYLOAD_FIELD))
        contact = ContactPoint.objects.get(pk=message.contact_point_id)
        found.append({**raw["values"], "url": raw["url"], "to": plain_address(contact)})
    return found


def sent_to(gateway: mail.Scripted) -> list[str]:
    """The addresses that a provider was given."""
    return [crypto.unseal(outgoing.address_sealed, field=ADDRESS_FIELD) for outgoing in gateway.taken]


def last_code() -> str:
    """The digits of the newest code."""
    return messages(MessageKind.ONE_TIME_CODE)[-1]["code"]


def wrong(code: str) -> str:
    """Other digits."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def audited(action: str) -> int:
    """How often the audit log says so."""
    return AuditEntry.objects.filter(action=action).count()
