"""The people of the claims scenarios: persons with a login, their papers, and the shortest ways to claim and decide."""

import datetime as dt
import io
import itertools
from typing import Any

from django.contrib.auth import get_user_model
from PIL import Image
from tests.scenarios.cast import account_id, saudi

from tayyar.claims import services
from tayyar.claims.models import Claim, ClaimRole, Evidence
from tayyar.core import crypto
from tayyar.customers.models import Channel, ContactPoint, Customer, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.identity.models import IdType, MemberRole, Membership, Person
from tayyar.notifications.models import Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.requests import services as requests
from tayyar.requests.documents import Upload
from tayyar.requests.models import Via

STAFF = "user:1"
OWNER, TENANT = ClaimRole.OWNER, ClaimRole.TENANT
_FIRST_OUTSIDER = 1000  # customers of persons whom the books do not know yet
_serial = itertools.count(1)


def own_point(address: str, now: dt.datetime) -> ContactPoint:
    """A person's own verified mobile, outside any account."""
    return ContactPoint.objects.create(
        account=None,
        channel=Channel.SMS,
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        verified_at=now,
    )


def person(customer_id: int, now: dt.datetime, *, name: str = "ليلى الحربي") -> Person:
    """A verified person with a login; their customer is made where the books have none of that id."""
    customer, _ = Customer.objects.get_or_create(id=customer_id, defaults={"kind": "PERSON", "name": name})
    number = f"1{customer_id:09d}"
    return Person.objects.create(
        user=get_user_model().objects.create_user(f"person-{customer_id}"),
        customer=customer,
        id_type=IdType.NATIONAL_ID,
        id_sealed=crypto.seal(number, field="identity.person.id"),
        id_hash=crypto.lookup_hash(number, field="identity.person.id"),
        nationality="SA",
        birth_date=dt.date(1990, 5, 1),
        mobile=own_point(f"+9665{customer_id:08d}", now),
        verified_by="TEST",
        verified_at=now,
        created_at=now,
    )


def stranger(now: dt.datetime, *, name: str = "ليلى الحربي") -> Person:
    """A person whose customer has no account."""
    return person(_FIRST_OUTSIDER + next(_serial), now, name=name)


def member(who: Person, business_id: int, role: MemberRole, now: dt.datetime) -> Membership:
    """The person acts for the business."""
    return Membership.objects.create(
        business_id=business_id, person=who, role=role, invited_at=now, accepted_at=now
    )


def paper(kind: str = "LEASE") -> Upload:
    """A small picture of a paper."""
    held = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(held, "PNG")
    return Upload(kind, held.getvalue())


def claim(who: Person, account: int, now: dt.datetime, **other: Any) -> Claim:
    """A claim as the portal makes it: as tenant, with a lease, from today on, unless said otherwise."""
    role = other.get("role", TENANT)
    asked: dict[str, Any] = {
        "person": who,
        "customer_id": who.customer_id,
        "account_id": account,
        "role": role,
        "is_beneficiary": True,
        "start_date": now.date(),
        "evidence": Evidence.DEED if role == OWNER else Evidence.LEASE,
        "documents": [paper("DEED" if role == OWNER else "LEASE")],
        "via": Via.WEB,
        "terms_version": saudi().terms_version,
        "language": Language.ar,
        "once_key": f"form-{next(_serial)}",
        "now": now,
    }
    return services.claim(**(asked | other))


def claim_own(who: Person, cast_member: int, now: dt.datetime, **other: Any) -> Claim:
    """One tap on an account that the books have under the person."""
    asked = {"role": OWNER, "evidence": Evidence.AUTHORITY, "documents": ()}
    return claim(who, account_id(cast_member), now, **(asked | other))


def decide(found: Claim, now: dt.datetime, *, is_approved: bool = True) -> Claim:
    """Staff decide the claim's request."""
    requests.decide(
        request_id=found.request_id,
        is_approved=is_approved,
        text="" if is_approved else "لا تكفي الأوراق.",
        actor=STAFF,
        now=now,
    )
    return Claim.objects.get(id=found.pk)


def said_to(**where: Any) -> list[str]:
    """The facts, as text, of messages that were queued for this account or contact point."""
    from tayyar.notifications.models import Message

    refs = Message.objects.filter(**where).order_by("ref").values_list("ref", flat=True)
    payloads = {p.ref: p for p in Payload.objects.filter(ref__in=list(refs))}
    return [
        crypto.unseal(bytes(payloads[ref].facts_sealed), field=PAYLOAD_FIELD)
        for ref in refs
        if ref in payloads
    ]
