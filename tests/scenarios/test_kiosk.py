"""A self-service machine: enrolled and revoked by an operator; its visits open one person’s bills and are forgotten."""

import datetime as dt
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from io import BytesIO

import pytest
import zxingcpp
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image
from pypdf import PdfReader
from tests.scenarios import cast

from tayyar.claims.models import Holding
from tayyar.console.roles import ensure_roles
from tayyar.core import clock, crypto
from tayyar.core.errors import UserError
from tayyar.core.links import bill_token
from tayyar.core.models import AuditEntry
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Channel, ContactPoint, OneTimeCode
from tayyar.customers.reviews import open_review
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point
from tayyar.devices import services as devices
from tayyar.devices.models import Device
from tayyar.identity.models import Person
from tayyar.identity.people import id_hash
from tayyar.kiosk import entry, escpos, printing, services, views
from tayyar.kiosk.models import CodeAsked, Visit
from tayyar.metering.models import ServiceCentre
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message, Payload, Reach, ReachHow
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.notifications.services import release_messages
from tayyar.requests.models import ServiceRequest

NOW = dt.datetime(2026, 10, 2, 8, tzinfo=dt.UTC)
SEPTEMBER = Period(2026, 9)
ACCOUNT, OTHER_ACCOUNT = cast.account_id(cast.SALMA), cast.account_id(cast.NASSER)
UNKNOWN = 100_900_001


@pytest.fixture
def books_of_two(books: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Salma's and Nasser's bills of September; both are told by SMS. The clock stands."""
    for person in (cast.SALMA, cast.NASSER):
        cast.settle(person, start=cast.day("2026-08-28"))
        cast.read(person, cast.day("2026-09-27"), 1600)
    cast.bill("2026-09")
    monkeypatch.setattr(entry, "ANSWER_SECONDS", 0.0)
    views.ENROLMENTS.clear()
    with clock.at(NOW):
        for account, address in ((ACCOUNT, "+966500000021"), (OTHER_ACCOUNT, "+966500000022")):
            add_contact_point(
                account_id=account,
                channel=Channel.SMS,
                address=address,
                verified_at=NOW,
                actor="user:1",
                now=NOW,
            )
        release_messages(period=SEPTEMBER, kind=MessageKind.BILL_ISSUED, now=NOW)
        yield


def add(name: str = "Hall", printer: str = "") -> tuple[Device, str]:
    return devices.add_device(
        name=name,
        service_centre_id=ServiceCentre.objects.get().pk,
        receipt_printer=printer,
        prints_pages=True,
        actor="user:1",
        now=clock.now(),
    )


def enrolled(name: str = "Hall") -> Client:
    """The browser of a machine that typed its code."""
    client = Client()
    assert client.post("/kiosk/enrol", {"number": add(name)[1]}).status_code == 302
    return client


@pytest.fixture
def machine(books_of_two: None) -> Client:
    return enrolled()


class At:
    """The clock some seconds later than NOW."""

    def __init__(self, seconds: float) -> None:
        self.held = clock.at(NOW + dt.timedelta(seconds=seconds))

    def __enter__(self) -> None:
        self.held.__enter__()

    def __exit__(self, *error: object) -> None:
        self.held.__exit__(*error)  # type: ignore[arg-type]


def begin(machine: Client, goal: str = "BILLS") -> None:
    assert machine.post("/kiosk/begin", {"goal": goal})["Location"] == "/kiosk/ways"


def send(machine: Client, path: str, **fields: object):
    """A form as the page shows it: with the visit that it was shown in."""
    return machine.post(f"/kiosk/{path}", {"visit": Visit.objects.get().pk, **fields})


def account_number(account: int = ACCOUNT) -> str:
    return str(with_check(account))


def sent_code(account: int = ACCOUNT) -> str:
    """What the newest one-time code to the account's people says."""
    ref = Message.objects.filter(kind=MessageKind.ONE_TIME_CODE, account_id=account).latest("ref").ref
    sealed = Payload.objects.get(ref=ref).facts_sealed
    return str(json.loads(crypto.unseal(bytes(sealed), field=PAYLOAD_FIELD))["values"]["code"])


def enter(machine: Client, goal: str = "BILLS", account: int = ACCOUNT) -> None:
    """Through account number and code."""
    begin(machine, goal)
    assert send(machine, "account", number=account_number(account))["Location"] == "/kiosk/code"
    answer = send(machine, "code", number=sent_code(account))
    assert answer["Location"] == ("/kiosk/bills" if goal == "BILLS" else "/kiosk/requests")


def number(person: int = cast.SALMA) -> int:
    return int(cast.the_bill(person, "2026-09").number)


def link(person: int = cast.SALMA) -> str:
    return f"https://bills.example/b/{bill_token(number(person), expires=cast.day('2027-01-01'))}"


def audited(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action))


def forgotten(answer) -> bool:
    return answer.status_code == 302 and answer["Location"] in ("/kiosk/leave", "/kiosk/")


# ------------------------------------------------------------------------------------------------------- enrolment


def test_a_machine_types_its_code_once_and_is_let_in(books_of_two: None) -> None:
    device, code = add()
    machine = Client()
    assert "enrolled" not in machine.get("/kiosk/").content.decode()
    assert 'name="goal"' not in machine.get("/kiosk/").content.decode()
    assert machine.post("/kiosk/enrol", {"number": code})["Location"] == "/kiosk/"
    assert 'name="goal"' in machine.get("/kiosk/").content.decode()
    cookie = machine.cookies["kiosk_device"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/kiosk/")
    device.refresh_from_db()
    assert device.enrolled_at == NOW and device.last_seen_at == NOW
    assert cookie.value.encode() not in bytes(device.key_hash or b"")
    assert Client().post("/kiosk/enrol", {"number": code}).status_code == 422
    assert [entry.actor for entry in audited("DEVICE_ENROLLED")] == [f"kiosk:{device.pk}"]


def test_a_code_ends_after_10_minutes_and_when_another_is_given(books_of_two: None) -> None:
    device, code = add()
    with At(600):
        assert Client().post("/kiosk/enrol", {"number": code}).status_code == 422
    _, newer = devices.new_code(device_id=device.pk, actor="user:1", now=NOW)
    assert Client().post("/kiosk/enrol", {"number": code}).status_code == 422
    with At(599):
        assert Client().post("/kiosk/enrol", {"number": newer}).status_code == 302


def test_guessing_codes_is_bounded(books_of_two: None) -> None:
    _, code = add()
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    assert [Client().post("/kiosk/enrol", {"number": wrong}).status_code for _ in range(11)] == [422] * 10 + [
        429
    ]
    assert Client().post("/kiosk/enrol", {"number": code}).status_code == 429


def test_a_revoked_machine_is_shut_out_at_once_in_the_middle_of_a_visit(machine: Client) -> None:
    enter(machine)
    device = Device.objects.get()
    devices.revoke(device_id=device.pk, actor="user:1", now=NOW)
    devices.revoke(device_id=device.pk, actor="user:1", now=NOW)
    for path in ("bills", f"bills/{number()}", "requests", "leave"):
        assert machine.get(f"/kiosk/{path}")["Location"] == "/kiosk/"
    page = machine.get("/kiosk/").content.decode()
    assert 'name="goal"' not in page and 'name="number"' in page
    assert len(audited("DEVICE_REVOKED")) == 1


def test_a_machine_without_a_key_sees_nothing_of_the_kiosk(books_of_two: None) -> None:
    for key in ("", "x", "A" * 43, "a" * 5000):
        stranger = Client()
        stranger.cookies["kiosk_device"] = key
        for path in ("ways", "account", "code", "bills", f"bills/{number()}", "requests", "nothing"):
            assert stranger.get(f"/kiosk/{path}")["Location"] == "/kiosk/"


@pytest.mark.parametrize("address", ["8.8.8.8", "127.0.0.1", "169.254.169.254", "printer.example", "0.0.0.0"])
def test_a_printer_stands_in_a_private_network(books_of_two: None, address: str) -> None:
    with pytest.raises(UserError):
        add(printer=address)
    assert not Device.objects.exists()


def test_last_seen_is_written_once_a_minute(machine: Client) -> None:
    for seconds, seen in ((59, 0), (60, 60), (100, 60)):
        with At(seconds):
            machine.get("/kiosk/")
        assert Device.objects.get().last_seen_at == NOW + dt.timedelta(seconds=seen)


# ------------------------------------------------------------------------------------------------------- coming in


def test_account_number_and_code_open_that_accounts_bills_and_no_others(machine: Client) -> None:
    enter(machine)
    page = machine.get("/kiosk/bills").content.decode()
    assert account_number() in page and account_number(OTHER_ACCOUNT) not in page
    assert f"/kiosk/bills/{number()}" in page
    assert machine.get(f"/kiosk/bills/{number()}").status_code == 200
    assert [entry.subject for entry in audited("KIOSK_ENTERED")] == [f"account:{ACCOUNT}"]


def test_foreign_unknown_and_malformed_addresses_are_the_same_404(machine: Client) -> None:
    enter(machine)
    bodies = set()
    for path in (
        f"bills/{number(cast.NASSER)}",
        f"bills/{number() + 97}",
        "bills/1",
        "bills/999999999999999999999999",
        "bills/x",
        f"bills/{number(cast.NASSER)}/bill.pdf",
        f"bills/{number(cast.NASSER)}/slip",
        "requests/READING_DISPUTE",
        "nothing",
    ):
        answer = machine.get(f"/kiosk/{path}")
        assert answer.status_code == 404, path
        body = answer.content.decode()
        token = machine.cookies["csrftoken"].value if "csrftoken" in machine.cookies else ""
        bodies.add(re.sub(r'(data-token|value)="[^"]*"', "", body).replace(token, ""))
    assert len(bodies) == 1
    assert send(machine, f"bills/{number(cast.NASSER)}/print", paper="SLIP", once="0").status_code == 404


def test_an_unknown_account_gets_the_same_pages_as_a_known_one(books_of_two: None) -> None:
    def journey(account: int, name: str) -> list[tuple[int, str]]:
        machine, seen = enrolled(name), []
        machine.post("/kiosk/begin", {"goal": "BILLS"})
        visit = Visit.objects.get(device__name=name).pk

        def post(path: str, **fields: str) -> None:
            answer = machine.post(f"/kiosk/{path}", {"visit": visit, **fields})
            keep(answer)

        def keep(answer) -> None:
            text = re.sub(r'(data-token|data-visit|value)="[^"]*"', "", answer.content.decode())
            seen.append((answer.status_code, answer.get("Location", "") + text))

        post("account", number=account_number(account))
        keep(machine.get("/kiosk/code"))
        post("code", number="000000")
        post("code", again="1")  # too early
        for seconds in (30, 59):
            with At(seconds):
                if seconds == 30:
                    post("code", again="1")
                for _ in range(3):
                    post("code", number="000000")
        with At(91):
            post("code", number="000000")
        return seen

    known, unknown = journey(ACCOUNT, "First"), journey(UNKNOWN, "Second")
    assert known == unknown
    assert [status for status, _ in known] == [302, 200, 422, 429, 302, *[422] * 7]
    assert OneTimeCode.objects.filter(account_id=ACCOUNT).count() == 2
    assert OneTimeCode.objects.count() == 2


def test_an_account_without_a_verified_contact_is_as_unknown(machine: Client) -> None:
    ContactPoint.objects.filter(account_id=ACCOUNT).update(verified_at=None)
    begin(machine)
    assert send(machine, "account", number=account_number())["Location"] == "/kiosk/code"
    assert send(machine, "code", number="123456").status_code == 422
    assert not OneTimeCode.objects.exists()
    assert forgotten(machine.get("/kiosk/bills")) or machine.get("/kiosk/bills")["Location"] == "/kiosk/ways"


def test_the_answer_takes_as_long_for_an_unknown_number(
    machine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "ANSWER_SECONDS", 0.3)
    begin(machine)
    began = time.monotonic()
    send(machine, "account", number=account_number(UNKNOWN))
    assert time.monotonic() - began >= 0.3


def test_a_mistyped_account_number_is_said_before_anything_is_sent(machine: Client) -> None:
    begin(machine)
    for typed in ("1000", str(int(account_number()) + 1)):
        assert send(machine, "account", number=typed).status_code == 422
    assert not CodeAsked.objects.exists()


def test_a_code_is_good_once_for_60_seconds_and_5_tries(machine: Client) -> None:
    begin(machine)
    send(machine, "account", number=account_number())
    code = sent_code()
    with At(60):  # the visit was touched in between
        Visit.objects.update(touched_at=clock.now())
        assert send(machine, "code", number=code).status_code == 422
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(5):
        send(machine, "code", number=wrong)
    assert send(machine, "code", number=code).status_code == 422
    assert machine.get("/kiosk/bills")["Location"] == "/kiosk/ways"


def test_a_code_for_one_account_opens_no_other(machine: Client) -> None:
    begin(machine)
    send(machine, "account", number=account_number())
    code = sent_code()
    with At(30):
        send(machine, "account", number=account_number(OTHER_ACCOUNT))
        assert send(machine, "code", number=code).status_code == 422


def test_a_machine_asks_for_at_most_30_codes_an_hour_and_200_a_day(machine: Client) -> None:
    device = Device.objects.get()

    def ask(seconds: int) -> int:
        with At(seconds):
            begin(machine)
            return send(machine, "account", number=account_number(UNKNOWN)).status_code

    CodeAsked.objects.bulk_create([CodeAsked(device=device, asked_at=NOW) for _ in range(29)])
    assert [ask(1), ask(2)] == [302, 429]
    assert ask(3601) == 302
    CodeAsked.objects.bulk_create(
        [CodeAsked(device=device, asked_at=NOW + dt.timedelta(seconds=10)) for _ in range(169)]
    )
    assert ask(7300) == 429  # 29 + 1 + 1 + 169
    assert ask(86_400 + 11) == 302
    other = enrolled("Door")
    with At(7300):
        assert other.post("/kiosk/begin", {"goal": "BILLS"}).status_code == 302


IDENTITY = "1010101010"


@pytest.fixture
def salma(books_of_two: None) -> Person:
    """Salma has a login, and holds her account."""
    mobile = ContactPoint.objects.create(
        channel=Channel.SMS,
        address_sealed=crypto.seal("+966500000031", field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash("+966500000031", field=ADDRESS_FIELD),
        verified_at=NOW,
    )
    person = Person.objects.create(
        user=User.objects.create_user("person-1"),
        customer_id=cast.SALMA,
        id_type="NATIONAL_ID",
        id_sealed=b"",
        id_hash=id_hash("NATIONAL_ID", IDENTITY),
        nationality="SA",
        birth_date=cast.day("1980-01-01"),
        mobile=mobile,
        verified_by="LOCAL",
        verified_at=NOW,
        created_at=NOW,
    )
    Holding.objects.create(
        account_id=ACCOUNT,
        customer_id=cast.SALMA,
        role="OWNER",
        start_date=cast.day("2026-08-28"),
        nickname="شقتي",
        created_at=NOW,
    )
    return person


def test_identity_number_and_code_open_the_accounts_that_the_person_holds(
    salma: Person, machine: Client
) -> None:
    begin(machine)
    assert send(machine, "identity/NATIONAL_ID", number=IDENTITY)["Location"] == "/kiosk/code"
    ref = Message.objects.filter(kind=MessageKind.ONE_TIME_CODE).latest("ref").ref
    raw = json.loads(crypto.unseal(bytes(Payload.objects.get(ref=ref).facts_sealed), field=PAYLOAD_FIELD))
    wrong = f"{(int(raw['values']['code']) + 1) % 10**6:06d}"
    assert send(machine, "code", number=wrong).status_code == 422
    assert send(machine, "code", number=raw["values"]["code"])["Location"] == "/kiosk/bills"
    page = machine.get("/kiosk/bills").content.decode()
    assert "شقتي" in page and account_number() in page and account_number(OTHER_ACCOUNT) not in page
    assert machine.get(f"/kiosk/bills/{number()}").status_code == 200
    assert machine.get(f"/kiosk/bills/{number(cast.NASSER)}").status_code == 404
    assert [entry.subject for entry in audited("KIOSK_ENTERED")] == [f"person:{salma.pk}"]


def test_an_unknown_or_closed_identity_is_answered_like_a_known_one(salma: Person, machine: Client) -> None:
    User.objects.filter(id=salma.user_id).update(is_active=False)
    for typed in (IDENTITY, "1000000008"):
        begin(machine)
        assert send(machine, "identity/NATIONAL_ID", number=typed)["Location"] == "/kiosk/code"
        assert send(machine, "code", number="000000").status_code == 422
    assert not Message.objects.filter(kind=MessageKind.ONE_TIME_CODE).exists()


def test_a_mistyped_identity_number_is_said_before_anything_is_sent(machine: Client) -> None:
    begin(machine)
    for typed in ("10101", "9010101010", "1010101011", ""):
        assert send(machine, "identity/NATIONAL_ID", number=typed).status_code == 422
    assert send(machine, "identity/PASSPORT", number=IDENTITY).status_code == 404
    assert not CodeAsked.objects.exists()


def test_a_bills_code_opens_that_bill_and_nothing_else(machine: Client) -> None:
    begin(machine)
    assert send(machine, "scan", scanned=f"{link()}\r")["Location"] == "/kiosk/bills"
    assert machine.get("/kiosk/bills")["Location"] == f"/kiosk/bills/{number()}"
    page = machine.get(f"/kiosk/bills/{number()}").content.decode()
    assert cast.NAMES[cast.SALMA] not in page
    assert machine.get(f"/kiosk/bills/{number(cast.NASSER)}").status_code == 404
    assert machine.get("/kiosk/requests/PAPER_BILL")["Location"] == "/kiosk/requests"
    found = Reach.objects.get(ref=number())
    assert (found.how, found.witness) == (ReachHow.LINK_VIEW, f"kiosk:{Device.objects.get().pk}")


@pytest.mark.parametrize(
    "scanned", ["", "x", "https://evil.example/b/", "/b/" + "A" * 36, "/b/" + "ا" * 36, "/b/" * 90]
)
def test_what_is_no_bills_code_opens_nothing(machine: Client, scanned: str) -> None:
    begin(machine)
    assert send(machine, "scan", scanned=scanned).status_code == 422
    assert machine.get("/kiosk/bills")["Location"] == "/kiosk/ways"


def test_the_pad_types_without_a_script(machine: Client) -> None:
    begin(machine)
    typed = ""
    for key, shown in (("1", "1"), ("0", "10"), ("7", "107"), ("BACK", "10"), ("CLEAR", ""), ("5", "5")):
        page = send(machine, "account", number=typed, key=key)
        assert page.status_code == 200 and f'name="number" value="{shown}"' in page.content.decode()
        typed = shown
    assert not CodeAsked.objects.exists()


# ------------------------------------------------------------------------------------------------------- forgetting


def test_leaving_forgets_everything(machine: Client) -> None:
    enter(machine)
    answer = machine.post("/kiosk/leave")
    assert answer["Location"] == "/kiosk/"
    assert not Visit.objects.exists()
    assert machine.cookies["kiosk_visit"].value == "" and machine.cookies["kiosk_device"].value != ""
    for path in ("bills", f"bills/{number()}", f"bills/{number()}/bill.pdf", "code", "requests"):
        assert forgotten(machine.get(f"/kiosk/{path}"))


def test_60_seconds_without_a_touch_forget_everything_also_on_the_server(machine: Client) -> None:
    enter(machine)
    key = machine.cookies["kiosk_visit"].value
    with At(60):
        assert forgotten(machine.get(f"/kiosk/bills/{number()}"))
        assert not Visit.objects.exists()
    machine.cookies["kiosk_visit"] = key
    assert forgotten(machine.get(f"/kiosk/bills/{number()}"))


def test_a_touch_keeps_the_visit_but_not_beyond_15_minutes(machine: Client) -> None:
    enter(machine)
    for seconds in range(50, 900, 50):
        with At(seconds):
            assert send(machine, "touch").status_code == 204
    with At(900):
        assert forgotten(send(machine, "touch"))


def test_the_next_visitor_begins_with_nothing(machine: Client) -> None:
    enter(machine)
    old = Visit.objects.get().pk
    begin(machine)
    assert machine.get("/kiosk/bills")["Location"] == "/kiosk/ways"
    stale = machine.post("/kiosk/account", {"visit": old, "number": account_number()})
    assert forgotten(stale)  # a form out of the browser's history
    assert not CodeAsked.objects.filter(asked_at__gt=NOW).exists()


def test_a_visits_key_opens_nothing_at_another_machine(machine: Client) -> None:
    enter(machine)
    other = enrolled("Door")
    other.cookies["kiosk_visit"] = machine.cookies["kiosk_visit"].value
    assert forgotten(other.get("/kiosk/bills"))
    assert machine.get("/kiosk/bills").status_code == 200


def test_no_page_may_be_kept_and_the_time_runs_without_a_script(machine: Client) -> None:
    enter(machine, goal="REQUEST")
    for path in ("ways", "account", "code", "bills", f"bills/{number()}", "requests", "requests/PAPER_BILL"):
        answer = machine.get(f"/kiosk/{path}")
        assert answer["Cache-Control"] == "private, no-store", path
        assert (
            '<noscript><meta http-equiv="refresh" content="60;url=/kiosk/leave">' in answer.content.decode()
        )


def test_the_language_is_forgotten_with_the_visitor(machine: Client) -> None:
    machine.post("/kiosk/language", {"language": "fr"})
    assert 'lang="fr"' in machine.get("/kiosk/").content.decode().split("<head>")[0]
    machine.post("/kiosk/leave")
    assert 'lang="ar"' in machine.get("/kiosk/").content.decode().split("<head>")[0]


def test_a_visit_that_nobody_came_back_to_goes_by_itself(machine: Client) -> None:
    enter(machine)
    assert services.forget_visits(now=NOW + dt.timedelta(seconds=59)) == 0
    assert services.forget_visits(now=NOW + dt.timedelta(seconds=60)) == 1
    assert CodeAsked.objects.count() == 1
    services.forget_visits(now=NOW + dt.timedelta(days=1))
    assert not CodeAsked.objects.exists()


# ------------------------------------------------------------------------------------------------- evidence, paper


def test_a_bill_shown_after_a_code_is_proof_that_it_reached_its_holder(machine: Client) -> None:
    enter(machine)
    machine.get("/kiosk/bills")
    assert not Reach.objects.exists()
    machine.get(f"/kiosk/bills/{number()}")
    found = Reach.objects.get()
    assert (found.ref, found.how, found.witness) == (
        number(),
        ReachHow.PORTAL_VIEW,
        f"kiosk:{Device.objects.get().pk}",
    )
    assert [entry.subject for entry in audited("BILL_OPENED")] == [f"bill:{number()}"]


def test_a_link_that_somebody_called_not_theirs_proves_nothing_here(machine: Client) -> None:
    point = ContactPoint.objects.get(account_id=ACCOUNT)
    open_review(
        account_id=ACCOUNT, contact_point_id=point.pk, subject=f"bill:{number()}", actor="link", now=NOW
    )
    begin(machine)
    send(machine, "scan", scanned=link())
    machine.get(f"/kiosk/bills/{number()}")
    assert not Reach.objects.exists()


def printed_picture(data: bytes) -> Image.Image:
    """What an ESC/POS printer puts on paper: the raster bands, one under the other."""
    assert data.startswith(b"\x1b@") and data.endswith(b"\x1dV\x42\x00")
    at, rows = 2, b""
    while data[at : at + 4] == b"\x1dv0\x00":
        width, height = (
            int.from_bytes(data[at + 4 : at + 6], "little"),
            int.from_bytes(data[at + 6 : at + 8], "little"),
        )
        assert width == escpos.DOTS // 8 and 0 < height <= escpos.BAND
        rows += data[at + 8 : at + 8 + width * height]
        at += 8 + width * height
    assert data[at:] == b"\x1bd\x04\x1dV\x42\x00"
    inked = Image.frombytes("1", (escpos.DOTS, len(rows) // (escpos.DOTS // 8)), bytes(255 - b for b in rows))
    return inked.convert("L")


def test_a_slip_is_fetched_by_the_print_bridge_and_its_code_opens_the_bill(machine: Client) -> None:
    enter(machine)
    page = send(machine, f"bills/{number()}/print", paper="SLIP", once="0").content.decode()
    assert f"url=/kiosk/bills/{number()}/slip" in page
    answer = machine.get(f"/kiosk/bills/{number()}/slip")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment;")
    picture = printed_picture(answer.content)
    (code,) = zxingcpp.read_barcodes(picture)
    begin(machine)
    assert send(machine, "scan", scanned=code.text)["Location"] == "/kiosk/bills"


def test_the_whole_bill_is_printed_as_pdf(machine: Client) -> None:
    enter(machine)
    send(machine, f"bills/{number()}/print", paper="PAGE", once="0")
    answer = machine.get(f"/kiosk/bills/{number()}/bill.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert len(PdfReader(BytesIO(answer.content)).pages) >= 1
    assert [entry.detail for entry in audited("KIOSK_PRINTED")] == [{"paper": "PAGE"}]


def test_a_machine_without_a_page_printer_offers_none(machine: Client) -> None:
    enter(machine)
    assert 'value="PAGE"' in machine.get(f"/kiosk/bills/{number()}").content.decode()
    Device.objects.update(prints_pages=False)
    assert 'value="PAGE"' not in machine.get(f"/kiosk/bills/{number()}").content.decode()
    assert send(machine, f"bills/{number()}/print", paper="PAGE", once="0").status_code == 404
    assert machine.get(f"/kiosk/bills/{number()}/bill.pdf").status_code == 404


@pytest.fixture
def printer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A network printer on this machine; what it took."""
    taken: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(printing, "PORT", server.getsockname()[1])

    def work() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                data = b""
                while piece := client.recv(65536):
                    data += piece
                taken.append(data)

    thread = threading.Thread(target=work)
    thread.start()
    yield taken
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_a_network_printer_gets_the_slip_once_however_often_the_form_is_sent(
    machine: Client, printer: list[bytes]
) -> None:
    Device.objects.update(receipt_printer="127.0.0.1")
    enter(machine)
    for _ in range(2):
        answer = send(machine, f"bills/{number()}/print", paper="SLIP", once="0")
        assert answer.status_code == 200 and "url=/kiosk/bills" not in answer.content.decode()
    machine.get("/kiosk/bills")
    assert len(audited("KIOSK_PRINTED")) == 1
    send(machine, f"bills/{number()}/print", paper="SLIP", once="1")
    assert len(audited("KIOSK_PRINTED")) == 2
    deadline = threading.Event()
    for _ in range(50):
        if len(printer) == 2:
            break
        deadline.wait(0.1)
    assert len(printer) == 2
    assert printed_picture(printer[0]).height > 300
    assert machine.get(f"/kiosk/bills/{number()}/slip").status_code == 404  # it is no file here


def test_a_silent_printer_is_said_and_proves_nothing_more(
    machine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setattr(printing, "PORT", port)
    Device.objects.update(receipt_printer="127.0.0.1")
    enter(machine)
    assert send(machine, f"bills/{number()}/print", paper="SLIP", once="0").status_code == 503
    assert audited("KIOSK_PRINTED") == [] and not Reach.objects.exists()


def test_one_visit_prints_six_papers_at_most(machine: Client) -> None:
    enter(machine)
    statuses = [
        send(machine, f"bills/{number()}/print", paper="SLIP", once=str(n)).status_code for n in range(7)
    ]
    assert statuses == [200] * 6 + [422]


# ------------------------------------------------------------------------------------------------------- requests


def test_a_paper_bill_is_asked_for_and_its_reference_stands_on_screen_and_slip(machine: Client) -> None:
    enter(machine, goal="REQUEST")
    for _ in range(2):  # a form that is sent twice
        answer = send(machine, "requests/PAPER_BILL", chosen=str(ACCOUNT), answer="yes")
        assert answer["Location"] == "/kiosk/requests/done"
    request = ServiceRequest.objects.get()
    assert (request.via, request.type, request.account_id) == ("KIOSK", "PAPER_BILL", ACCOUNT)
    assert request.reference in machine.get("/kiosk/requests/done").content.decode()
    send(machine, "requests/done/print", once="0")
    assert printed_picture(machine.get("/kiosk/requests/done/slip").content).height > 200


def test_a_copy_is_asked_for_of_a_bill_that_was_offered_and_of_no_other(machine: Client) -> None:
    enter(machine, goal="REQUEST")
    foreign = send(machine, "requests/BILL_COPY", chosen=str(number(cast.NASSER)), answer="STAMPED")
    assert foreign.status_code == 422
    answer = send(machine, "requests/BILL_COPY", chosen=str(number()), answer="STAMPED")
    assert answer["Location"] == "/kiosk/requests/done"
    assert ServiceRequest.objects.get().account_id == ACCOUNT


def test_the_reference_is_gone_with_the_visit(machine: Client) -> None:
    enter(machine, goal="REQUEST")
    send(machine, "requests/PAPER_BILL", chosen=str(ACCOUNT), answer="yes")
    begin(machine, goal="REQUEST")
    assert machine.get("/kiosk/requests/done")["Location"] == "/kiosk/ways"


# ------------------------------------------------------------------------------------------------------- the operator


@pytest.fixture
def manager(books_of_two: None) -> Client:
    user = User.objects.create_user("manager", is_staff=True)
    user.groups.add(ensure_roles())
    client = Client()
    client.force_login(user)
    return client


def added(manager: Client, **fields: str):
    form = {"name": "Hall", "centre": ServiceCentre.objects.get().pk, "printer": "10.1.20.31", "pages": "on"}
    return manager.post("/console/devices/add?lang=en", form | fields)


def shown_code(page: str) -> str:
    found = re.search(r"class=\"code\">(\d{4}) (\d{4})<", page)
    assert found is not None
    return found[1] + found[2]


def test_an_operator_adds_a_machine_and_reads_its_code_once(manager: Client) -> None:
    code = shown_code(added(manager).content.decode())
    assert code[:4] + " " + code[4:] not in manager.get("/console/devices").content.decode()
    assert Client().post("/kiosk/enrol", {"number": code}).status_code == 302
    device = Device.objects.get()
    assert (device.receipt_printer, device.prints_pages, device.name) == ("10.1.20.31", True, "Hall")
    page = manager.get("/console/devices?lang=en").content.decode()
    assert "enrolled" in page and "2 October 2026" in page
    assert [entry.actor[:5] for entry in audited("DEVICE_ADDED")] == ["user:"]


def test_the_form_sent_twice_is_one_machine_and_an_enrolled_name_is_taken(manager: Client) -> None:
    added(manager)
    code = shown_code(added(manager).content.decode())
    assert Device.objects.count() == 1
    Client().post("/kiosk/enrol", {"number": code})
    assert added(manager).status_code == 422
    for wrong in ({"name": " "}, {"centre": "9999"}, {"centre": "x"}, {"printer": "8.8.8.8"}):
        assert added(manager, **wrong).status_code == 422
    assert Device.objects.count() == 1


def test_an_operator_revokes_and_may_add_the_name_anew(manager: Client) -> None:
    machine = Client()
    machine.post("/kiosk/enrol", {"number": shown_code(added(manager).content.decode())})
    for _ in range(2):
        assert manager.post(f"/console/devices/{Device.objects.get().pk}/revoke").status_code == 302
    assert 'name="goal"' not in machine.get("/kiosk/").content.decode()
    again = shown_code(added(manager).content.decode())
    assert machine.post("/kiosk/enrol", {"number": again}).status_code == 302
    assert 'name="goal"' in machine.get("/kiosk/").content.decode()


def test_a_machine_that_lost_its_key_gets_a_new_one_and_the_old_one_dies(manager: Client) -> None:
    old, new = Client(), Client()
    old.post("/kiosk/enrol", {"number": shown_code(added(manager).content.decode())})
    page = manager.post(f"/console/devices/{Device.objects.get().pk}/code").content.decode()
    assert 'name="goal"' in old.get("/kiosk/").content.decode()
    new.post("/kiosk/enrol", {"number": shown_code(page)})
    assert 'name="goal"' in new.get("/kiosk/").content.decode()
    assert 'name="goal"' not in old.get("/kiosk/").content.decode()


def test_only_managers_change_machines(manager: Client) -> None:
    device, _ = add("Door")
    reader = Client()
    reader.force_login(User.objects.create_user("reader", is_staff=True))
    assert reader.get("/console/devices").status_code == 200
    assert added(reader).status_code == 403
    for action in ("code", "revoke"):
        assert reader.post(f"/console/devices/{device.pk}/{action}").status_code == 403
    assert Client().get("/console/devices").status_code == 302
    device.refresh_from_db()
    assert device.revoked_at is None
