"""The ground of the security matrix: one small population, and everybody who may ask the site for something of it.

Made once for a module and committed; each test works in a transaction of its own that is rolled back. "own" is what
Layla holds, "foreign" the same kinds of things that Omar holds, "unknown" well-formed ids that nobody has.
Next: security_table.py lists every address.
"""

import copy
import datetime as dt
import io
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Max
from django.test import Client
from django.test.utils import CaptureQueriesContext
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData
from PIL import Image
from tests.scenarios import cast
from tests.scenarios.login_cast import a_person, number_of
from tests.scenarios.test_account_queries import pay

from tayyar.claims.models import ClaimFile, Holding
from tayyar.console import account as console_account
from tayyar.console.roles import BILLING_MANAGER, CLERK, ensure_roles
from tayyar.core import clock, crypto
from tayyar.core.links import bill_token, delegate_token, preference_token
from tayyar.core.models import AuditEntry
from tayyar.core.periods import Period
from tayyar.core.references import reference, with_check
from tayyar.customers.models import Channel, ContactPoint, Customer, Delegate, DelegateState, Language
from tayyar.customers.reviews import open_review
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point
from tayyar.devices import services as devices
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import MemberRole, Membership, Person
from tayyar.kiosk import views as kiosk_views
from tayyar.kiosk.models import Visit, Way
from tayyar.ledger.models import TransferKind
from tayyar.metering.models import ServiceCentre
from tayyar.notifications import sheets
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message
from tayyar.notifications.services import release_messages
from tayyar.portal import views
from tayyar.requests.documents import Upload
from tayyar.requests.models import ServiceRequest, Via
from tayyar.requests.services import open_request

NOW = dt.datetime(2026, 10, 2, 8, tzinfo=dt.UTC)
SEPTEMBER, OCTOBER = Period(2026, 9), Period(2026, 10)
LAST_DAY = dt.date(2027, 1, 1)
BUSINESS = 900
MALFORMED = ("0", "x", "1" * 40, "²", "%00", "%0d%0aSet-Cookie:a=b", "%ff")
_CSRF = re.compile(rb'(?<=csrfmiddlewaretoken" value=")[A-Za-z0-9]+|(?<=data-token=")[A-Za-z0-9]+')
PNG = io.BytesIO()
Image.new("RGB", (40, 30), "white").save(PNG, "PNG")


@dataclass
class Answer:
    """What came back, what it cost in queries, and what it wrote into the audit log."""

    status: int
    body: bytes
    headers: dict[str, str]
    cookies: list[str]
    queries: list[str] = field(default_factory=list)
    audited: list[AuditEntry] = field(default_factory=list)

    @classmethod
    def of(cls, answer: Any) -> "Answer":
        """Read whole, also where it is streamed; the form's own token is no difference that tells anything."""
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        headers = {name.lower(): value for name, value in answer.items()}
        cookies = sorted(name for name in answer.cookies if "csrf" not in name)
        return cls(answer.status_code, _CSRF.sub(b"", body), headers, cookies)

    @property
    def where(self) -> str:
        """Where it leads; "" for an answer that leads nowhere."""
        return self.headers.get("location", "")

    @property
    def is_html(self) -> bool:
        """Whether a browser would show it as a page."""
        return self.headers.get("content-type", "").startswith("text/html") and bool(self.body)

    @property
    def seen(self) -> tuple[int, bytes, list[tuple[str, str]], list[str]]:
        """All that a stranger can compare."""
        return self.status, self.body, sorted(self.headers.items()), self.cookies


@dataclass
class Ground:
    """`things[variant][name]`: what an address can name; `clients[who]`: a browser that is signed in as such."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)

    def ask(
        self, who: str, method: str, address: str, data: Mapping[str, Any] | None = None, **more: Any
    ) -> Answer:
        """One request at NOW with full budgets, which leaves nothing behind: neither rows nor cookies."""
        client = self.clients[who]
        cookies = copy.deepcopy(client.cookies)
        with transaction.atomic():
            newest = AuditEntry.objects.aggregate(last=Max("id"))["last"] or 0
            with CaptureQueriesContext(connection) as queries:
                answer = send(client, method, address, data, **more)
            made = Answer.of(answer)
            made.queries = [query["sql"] for query in queries]
            made.audited = list(AuditEntry.objects.filter(id__gt=newest))
            transaction.set_rollback(True)
        client.cookies = cookies
        return made


@contextmanager
def ground() -> Iterator[Ground]:
    """The population, committed; all tables are empty again at the end."""
    try:
        with clock.at(NOW):
            yield _populate()
    finally:
        cast.empty_big_tables()
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)


def _populate() -> Ground:
    cast.empty_big_tables()
    cast.answer_profile()
    made = Ground()
    for member in (cast.SALMA, cast.NASSER, cast.HUDA):
        cast.settle(member, start=cast.day("2026-08-28"))
        if member != cast.HUDA:  # not read, she is held for a reviewer
            cast.read(member, cast.day("2026-09-27"), 1600)
    cast.bill("2026-09")
    for place, (name, member) in enumerate((("own", cast.SALMA), ("foreign", cast.NASSER)), 1):
        made.things[name] = _things(made, name, member, place)
    made.things["unknown"] = _unknown(made.things["foreign"])
    release_messages(period=SEPTEMBER, kind=MessageKind.BILL_ISSUED, now=NOW)
    centre = ServiceCentre.objects.get().pk
    sheet = sheets.make_paper_sheet(period=SEPTEMBER, service_centre_id=centre, actor="user:1", now=NOW)
    made.things["own"]["sheet"] = sheet.pk if sheet else 1
    _viewer(made)
    _clients(made, centre)
    return made


def _things(made: Ground, name: str, member: int, place: int) -> dict[str, Any]:
    """Everything that one person's addresses can name."""
    person = a_person(NOW, number=number_of(place), mobile=f"05000000{70 + place}", name=cast.NAMES[member])
    made.people[name] = person
    account, bill = cast.account_id(member), cast.the_bill(member, "2026-09").number
    Holding.objects.create(
        account_id=account,
        customer=person.customer,
        role="OWNER",
        start_date=cast.day("2020-01-01"),
        created_at=NOW,
    )
    pay(member, 5000, place, NOW)
    contact = add_contact_point(
        account_id=account,
        channel=Channel.SMS,
        address=f"+96650000002{place}",
        verified_at=NOW,
        actor="user:1",
        now=NOW,
    )
    delegate = _delegate(account, place)
    request = _request(person, account)
    business, membership = _business(person, BUSINESS + place, MemberRole.ADMIN)
    review, _ = open_review(
        account_id=account, contact_point_id=None, subject=f"bill:{bill}", actor="link", now=NOW
    )
    return {
        "account_id": account,
        "account": with_check(account),
        "bill": f"{bill:015d}",
        "bill_int": bill,
        "message": bill,
        "message_kind": MessageKind.BILL_ISSUED.value,
        "message_recipient": 0,
        "payment_period": OCTOBER.number,
        "payment_kind": TransferKind.PAYMENT.value,
        "payment_ref": place,
        "held": cast.HUDA,
        "contact": contact.pk,
        "recipient": 1,
        "delegate": delegate.pk,
        "request": request.reference,
        "paper": request.documents.get().pk,
        "review": review.pk,
        "review_reference": review.reference,
        "bill_link": bill_token(bill, expires=LAST_DAY),
        "person_link": preference_token(account, 0, expires=LAST_DAY),
        "delegate_own_link": preference_token(account, 1, expires=LAST_DAY),
        "delegate_link": delegate_token(delegate.pk, expires=LAST_DAY),
        "business": business.pk,
        "member": membership.pk,
        "file": _file(business, person),
        "passkey": _passkey(person),
        "session": UserSession.objects.create(
            user=person.user, ip="192.0.2.1", session_key=uuid4().hex, last_seen_at=NOW, data={}
        ).pk,
    }


def _unknown(foreign: Mapping[str, Any]) -> dict[str, Any]:
    """Well-formed ids that nobody has: the next numbers with their check digits, links to things that are not there."""
    account = foreign["account_id"] + 70_000
    unknown_bill = with_check(foreign["bill_int"] // 100 + 70_000)
    serials = ("contact", "delegate", "paper", "review", "passkey", "session", "recipient", "payment_ref")
    serials += ("held", "business", "member", "file")
    return {
        **foreign,
        **{name: foreign[name] + 7000 for name in serials},
        "account_id": account,
        "account": with_check(account),
        "bill": f"{unknown_bill:015d}",
        "bill_int": unknown_bill,
        "message": unknown_bill,
        "request": reference("R", 70_001),
        "review_reference": reference("R", 70_002),
        "bill_link": bill_token(unknown_bill, expires=LAST_DAY),
        "person_link": preference_token(account, 0, expires=LAST_DAY),
        "delegate_own_link": preference_token(account, 1, expires=LAST_DAY),
        "delegate_link": delegate_token(foreign["delegate"] + 7000, expires=LAST_DAY),
    }


def _delegate(account: int, place: int) -> Delegate:
    address = f"+9665999000{place}1"
    ContactPoint.objects.create(
        account_id=account,
        recipient=1,
        channel=Channel.SMS,
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        verified_at=NOW,
    )
    return Delegate.objects.create(
        account_id=account,
        recipient=1,
        name="هدى",
        relation="RELATIVE",
        state=DelegateState.ACTIVE,
        language=Language.en,
        invited_at=NOW,
        invited_by="holder",
        accepted_at=NOW,
    )


def _request(person: Person, account: int) -> ServiceRequest:
    return open_request(
        type_code="READING_DISPUTE",
        person=person,
        account_id=account,
        form={"read_on": "2026-09-30", "value_kwh": "1650"},
        documents=[Upload("METER_PHOTO", PNG.getvalue())],
        via=Via.WEB,
        language=Language.en,
        once_key=None,
        now=NOW,
    )


def _passkey(person: Person) -> int:
    """A key that nobody has the other half of."""
    name = f"passkey of {person.pk}".encode()
    public = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    held = AttestedCredentialData.create(b"\0" * 16, name, public)
    made = AttestationObject.create("none", AuthenticatorData.create(b"\1" * 32, 0x45, 0, held), {})
    asked = CollectedClientData.create("webauthn.create", b"challenge", "http://testserver")
    credential = {
        "id": websafe_encode(name),
        "rawId": websafe_encode(name),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(bytes(asked)),
            "attestationObject": websafe_encode(bytes(made)),
        },
        "clientExtensionResults": {},
    }
    data = {"name": "Phone", "credential": credential}
    return int(Authenticator.objects.create(user=person.user, type=Authenticator.Type.WEBAUTHN, data=data).pk)


def _business(person: Person, number: int, role: MemberRole) -> tuple[Customer, Membership]:
    """A business that the person may act for."""
    business, _ = Customer.objects.get_or_create(
        id=number, defaults={"kind": "BUSINESS", "name": "مخابز الرياض"}
    )
    return business, Membership.objects.create(
        business=business, person=person, role=role, invited_at=NOW, accepted_at=NOW
    )


def _file(business: Customer, person: Person) -> int:
    """A file of claims that was worked through."""
    made = ClaimFile.objects.create(
        customer=business,
        person=person,
        name="accounts.csv",
        sha256=f"{business.pk:064d}",
        terms_version="2026-11",
        language=Language.en,
        rows=0,
        sent_at=NOW,
        done_at=NOW,
    )
    return int(made.pk)


def _viewer(made: Ground) -> None:
    """Huda's account is a business's; `viewer` may look at it and do nothing."""
    viewer = a_person(NOW, number=number_of(8), mobile="0500000078")
    business, _ = _business(viewer, BUSINESS, MemberRole.VIEWER)
    account = cast.account_id(cast.HUDA)
    Holding.objects.create(
        account_id=account,
        customer=business,
        role="TENANT",
        start_date=cast.day("2020-01-01"),
        created_at=NOW,
    )
    made.people["viewer"] = viewer
    made.things["business"] = {"account": with_check(account)}


def _clients(made: Ground, centre: int) -> None:
    ensure_roles()
    made.clients = {
        "nobody": browser(),
        "person": signed_in(made.people["own"]),
        "fresh": signed_in(made.people["own"], is_fresh=True),
        "other": signed_in(made.people["foreign"]),
        "viewer": signed_in(made.people["viewer"]),
        "machine": browser(),
        "visitor": browser(),
    }
    for name, groups in (("reader", ()), ("clerk", (CLERK,)), ("manager", (CLERK, BILLING_MANAGER))):
        user = User.objects.create_user(name, is_staff=True)
        user.groups.add(*Group.objects.filter(name__in=groups))
        made.clients[name] = browser()
        made.clients[name].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for name in ("machine", "visitor"):
        device, code = devices.add_device(
            name=name,
            service_centre_id=centre,
            receipt_printer="",
            prints_pages=True,
            actor="user:1",
            now=NOW,
        )
        assert send(made.clients[name], "POST", "/kiosk/enrol", {"number": code}).status_code == 302
        made.things["own"]["device"] = device.pk
    assert send(made.clients["visitor"], "POST", "/kiosk/begin", {"goal": "BILLS"}).status_code == 302
    Visit.objects.update(way=Way.ACCOUNT, account_id=made.things["own"]["account_id"], proven_at=NOW)
    made.things["own"]["visit"] = Visit.objects.get().pk
    made.things["unknown"]["device"] = made.things["own"]["device"] + 7000
    made.things["unknown"]["sheet"] = made.things["own"]["sheet"] + 7000
    assert Message.objects.filter(ref=made.things["own"]["message"], recipient=0).exists()


def browser(**more: Any) -> Client:
    """A browser that shows a fault of ours as the page that it is."""
    return Client(raise_request_exception=False, **more)


def signed_in(person: Person, *, is_fresh: bool = False) -> Client:
    """A browser in which the person is signed in; `is_fresh`: and proved just now who they are."""
    client = browser()
    client.force_login(person.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=NOW)
    if is_fresh:
        session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
        session["account_authentication_methods_user"] = str(person.user_id)
    session.save()
    return client


def send(
    client: Client, method: str, address: str, data: Mapping[str, Any] | None = None, **more: Any
) -> Any:
    """One request at NOW, with full budgets; what it changes stays."""
    views.OPENINGS.clear()
    console_account.ATTEMPTS.clear()
    kiosk_views.ENROLMENTS.clear()
    with clock.at(NOW):
        return getattr(client, method.lower())(address, data or {}, **more)


def lines(wrong: Sequence[object]) -> str:
    """What is wrong, one to a line."""
    return "\n".join(str(one)[:400] for one in wrong)
