"""What a second pair of eyes found in sign-up, login, claims and the pages of /me: each finding with its scenario."""

import contextlib
import datetime as dt
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from openpyxl import Workbook
from tests.scenarios import cast, identity_ground
from tests.scenarios.cast import SALMA, account_id, day, noon, saudi, settle
from tests.scenarios.claim_cast import member, person, stranger
from tests.scenarios.identity_ground import REGISTER, Scripted, last_code
from tests.scenarios.login_cast import PASSWORD, a_person, number_of, post_login
from tests.scenarios.test_businesses import begin as begin_business

from tayyar.claims import bulk, services, tasks
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Holding
from tayyar.claims.queries import accounts_of
from tayyar.core import clock
from tayyar.core.references import with_check
from tayyar.customers.models import Customer, CustomerAccount, Language
from tayyar.devices import services as devices
from tayyar.identity import addresses, authorities, businesses, recovery, sessions, sign_in, signup
from tayyar.identity.authorities import Authorities
from tayyar.identity.errors import ContactRefused, SignUpRefused
from tayyar.identity.models import MemberRole, Person, SignUpStep
from tayyar.identity.ports import AuthorityError, Proven, Way
from tayyar.kiosk.models import Visit
from tayyar.kiosk.models import Way as By
from tayyar.kiosk.queries import find_bill
from tayyar.portal.me_accounts import bill_budget
from tayyar.portal.views import OPENINGS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books")]
NOW = noon("2026-11-22")
BUSINESS = 5000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, books: None) -> Iterator[None]:
    """No budgets spent by another test, answers that do not take their usual time."""
    OPENINGS.clear()
    cache.clear()
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", 0)
    with clock.at(NOW):
        yield


@pytest.fixture
def layla() -> Person:
    return a_person(NOW, number=number_of(4711), mobile="+966500000021")


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted()
    monkeypatch.setattr(authorities, "_factory", lambda: Authorities(identity=(made,)))
    return made


def signed_in(who: Person) -> Client:
    client = Client()
    client.force_login(who.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=NOW)
    session.save()
    return client


def holder(who: Person) -> Client:
    """Their browser, signed in; Salma's account is theirs."""
    settle(SALMA, start=day("2026-01-01"))
    CustomerAccount.objects.filter(id=account_id(SALMA)).update(customer=who.customer)
    Holding.objects.create(
        account_id=account_id(SALMA),
        customer=who.customer,
        role="OWNER",
        start_date=day("2026-01-01"),
        created_at=NOW,
    )
    return signed_in(who)


# Login


@pytest.mark.parametrize("place", [4711, 99])
def test_an_identity_number_in_another_spelling_waits_alike_whether_or_not_it_is_known(
    layla: Person, place: int
) -> None:
    known_or_not = number_of(place)
    for _ in range(4):
        assert post_login(Client(), known_or_not, "wrong").status_code == 403
    spelled = f"{known_or_not[:3]} {known_or_not[3:]}"
    assert post_login(Client(), spelled, "wrong").status_code == 429


@pytest.mark.parametrize("mobile", ["+966500000021", "+966500000077"])
def test_a_mobile_in_another_spelling_waits_alike_whether_or_not_it_is_known(
    layla: Person, mobile: str
) -> None:
    for _ in range(4):
        assert post_login(Client(), mobile, "wrong").status_code == 403
    assert post_login(Client(), mobile.replace("+966", "0"), "wrong").status_code == 429


def test_a_login_looks_its_person_up_by_indexes_alone(layla: Person) -> None:
    """Whatever is typed, no table of all people or of all contacts is read through."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
    try:
        seen: list[str] = []

        def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "identity_person" in sql and sql.startswith("SELECT"):
                with connection.cursor() as cursor:
                    cursor.cursor.execute(f"EXPLAIN {sql}", params)
                    seen.extend(row[0] for row in cursor.cursor.fetchall())
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explain):
            assert sign_in.find_person(number_of(4711)) == layla
            assert sign_in.find_person("0500000021") == layla
            assert sign_in.find_person("nobody@mail.example") is None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_seqscan")
    assert seen
    filters = [line for line in seen if "Filter:" in line and "_hash" in line]
    assert filters == [], "\n".join(seen)


def test_a_long_password_is_taken_whole(layla: Person) -> None:
    long = "calm current " * 30
    layla.user.set_password(long)
    layla.user.save()
    assert post_login(Client(), number_of(4711), long[:254]).status_code == 403
    assert post_login(Client(), number_of(4711), long).status_code == 302


def test_a_browsers_session_does_not_outlive_its_half_hour_as_the_token_of_an_app(layla: Person) -> None:
    token = {"X-Session-Token": signed_in(layla).session.session_key}
    address = "/_allauth/app/v1/auth/session"
    assert Client().get(address, headers=token).status_code == 200
    with clock.at(NOW + dt.timedelta(minutes=31)):
        assert Client().get(address, headers=token).status_code == 410


def test_an_apps_login_is_over_when_its_time_is(layla: Person) -> None:
    address = "/_allauth/app/v1/auth"
    answer = Client().post(
        f"{address}/login",
        {"username": number_of(4711), "password": PASSWORD},
        content_type="application/json",
    )
    token = {"X-Session-Token": answer.json()["meta"]["session_token"]}
    assert Client().get(f"{address}/session", headers=token).status_code == 200
    with clock.at(NOW + dt.timedelta(days=91)):
        assert Client().get(f"{address}/session", headers=token).status_code == 410


# Sign-up


@dataclass
class SentTwice(Scripted):
    """A provider that redeems a code once, while the browser asks for the way back twice at one moment."""

    again: Any = None

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        if self.again is None:
            return super().answer(ref=ref, sent=sent, now=now)
        again, self.again = self.again, None
        again()
        raise AuthorityError("EXPIRED", "used before")


def test_a_way_back_that_is_loaded_twice_does_not_end_the_sign_up_it_proved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = SentTwice(way=Way.REDIRECT)
    monkeypatch.setattr(authorities, "_factory", lambda: Authorities(identity=(provider,)))
    found = identity_ground.begin(now=NOW)

    def confirm() -> None:
        signup.confirm_identity(signup_id=found.pk, code=None, sent={"code": "x"}, now=NOW)

    provider.again = confirm
    with pytest.raises(SignUpRefused):
        confirm()
    again = signup.find(signup_id=found.pk, now=NOW)
    assert again is not None and again.step == SignUpStep.DETAILS
    assert signup.facts(again)["name"]


@pytest.mark.parametrize("name", ["x" * 121, "سلمى\0"])
def test_a_typed_name_that_the_books_cannot_hold_is_refused_at_its_field(
    authority: Scripted, name: str
) -> None:
    authority.changes = {"name": ""}
    found = identity_ground.begin(now=NOW)
    signup.confirm_identity(signup_id=found.pk, code=last_code(), sent={}, now=NOW)
    with pytest.raises(SignUpRefused) as refused:
        identity_ground.details(found, now=NOW, name=name)
    assert refused.value.reason == "NAME"


def test_an_address_with_a_letter_that_no_text_holds_is_refused(layla: Person) -> None:
    with pytest.raises(ContactRefused) as refused:
        addresses.add_address(person=layla, parts={"city": "الرياض\0", "street": "التحلية"}, now=NOW)
    assert refused.value.reason == "ADDRESS"


def test_two_people_who_prove_one_new_business_at_once_become_admins_of_one(
    authority: Scripted, layla: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    huda = a_person(NOW, number=number_of(99), mobile="+966500000077", name="هدى القحطاني")
    proofs = []
    for who in (layla, huda):
        with clock.at(NOW):
            later = NOW + dt.timedelta(minutes=len(proofs))
            proofs.append((who, begin_business(who, REGISTER, now=later), last_code(), later))
    both = threading.Barrier(2)
    real = businesses.people.customer_with

    def slowly(hashed: bytes, *, kind: str) -> Customer | None:
        found = real(hashed, kind=kind)
        if kind == "BUSINESS":
            with contextlib.suppress(threading.BrokenBarrierError):  # the other waits its turn, as it should
                both.wait(timeout=1)
        return found

    monkeypatch.setattr(businesses.people, "customer_with", slowly)
    made: list[int] = []

    def confirm(who: Person, proof: Any, code: str, at: dt.datetime) -> None:
        try:
            member = businesses.confirm_business(
                person=who, signup_id=proof.pk, code=code, sent={}, now=at + dt.timedelta(seconds=5)
            )
            assert member is not None
            made.append(member.business_id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=confirm, args=one) for one in proofs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert len(set(made)) == 1


# Claims by file


def a_business(*ids: int) -> Person:
    Customer.objects.create(id=BUSINESS, kind="BUSINESS", name="مخابز النور")
    admin = stranger(NOW)
    member(admin, BUSINESS, MemberRole.ADMIN, NOW)
    CustomerAccount.objects.bulk_create(
        CustomerAccount(id=n, customer_id=BUSINESS, opened_on=day("2024-01-01")) for n in ids
    )
    return admin


def submit(admin: Person, name: str, data: bytes) -> Any:
    return tasks.submit_file(
        person=admin,
        customer_id=BUSINESS,
        name=name,
        data=data,
        terms_version=saudi().terms_version,
        language=Language.ar,
        now=NOW,
    )


def test_a_file_with_a_letter_that_no_text_holds_is_worked_through_all_the_same() -> None:
    admin = a_business(200_000_000)
    rows = f"account_number\n12\x0034\n{with_check(200_000_000)}\n"
    kept = submit(admin, "a\0.csv", rows.encode())
    tasks.claim_file(kept.pk)
    kept.refresh_from_db()
    assert [row.outcome for row in bulk.results_of(kept).rows] == ["INVALID", "CLAIMED"]


def test_a_far_cell_of_a_spreadsheet_does_not_make_a_row_of_sixteen_thousand() -> None:
    book = Workbook()
    assert book.active is not None
    book.active.append(["account_number"])
    book.active["XFD2"] = ""
    book.active["A3"] = "10000000146"
    held = io.BytesIO()
    book.save(held)
    rows = list(bulk._sheet(held.getvalue()))
    assert max(map(len, rows)) <= 64
    assert [row[0] for row in rows] == ["account_number", None, "10000000146"]


# Pages of /me


@pytest.mark.parametrize("typed", ["9e99", "1e18", "1_000", "Infinity", "-5", "٠", "1e2"])
def test_a_budget_that_is_no_plain_amount_is_refused_and_never_a_fault(layla: Person, typed: str) -> None:
    client = holder(layla)
    form = {"account": with_check(account_id(SALMA)), "budget": typed}
    assert client.post("/me/use/budget", form).status_code == 422
    assert Holding.objects.get().budget_minor is None


@pytest.mark.parametrize(("typed", "minor"), [("1,000", 100_000), ("12,50", 1250), ("١٬٢٠٠٫٥", 120_050)])
def test_a_budget_is_read_as_people_of_the_language_write_it(layla: Person, typed: str, minor: int) -> None:
    """English: 1,000 is a thousand (100,000 halalas), never one; 12,50 is twelve and a half."""
    client = holder(layla)
    form = {"account": with_check(account_id(SALMA)), "budget": typed}
    assert client.post("/me/use/budget?lang=en", form).status_code == 302
    assert Holding.objects.get().budget_minor == minor


def test_a_budget_beyond_all_money_is_refused_whoever_sends_it() -> None:
    who = person(SALMA, NOW)
    holder(who)
    with pytest.raises(ClaimRefused):
        services.describe_holding(
            person=who, holding_id=Holding.objects.get().pk, nickname="", budget_minor=10**30, now=NOW
        )


@pytest.mark.parametrize(("months", "amount"), [(1, 30_000), (2, 60_000)])
def test_a_months_budget_is_compared_with_a_bill_of_as_many_months(
    layla: Person, months: int, amount: int
) -> None:
    """300.00 a month are 600.00 for a bill of two months, as Mauritania's are."""
    holder(layla)
    Holding.objects.update(budget_minor=30_000)
    (held,) = accounts_of(layla, today=NOW.date())
    screen: Any = SimpleNamespace(profile=replace(saudi(), months_per_bill=months))
    assert bill_budget(screen, held) == amount


@pytest.mark.parametrize(
    "address",
    [
        "/me/bills/999999999999999",
        "/me/bills/000000000000000",
        "/me/bills/261300000000000",
        "/me/payments/{account}/999999999999999999999-6-99999999999999999999",
        "/me/accounts/99999999999",
        "/me/bills/archive.zip?account={account}&year=0",
        "/me/use/nothing.csv?account={account}",
    ],
)
def test_no_number_in_an_address_is_a_fault(layla: Person, address: str) -> None:
    client = holder(layla)
    assert client.get(address.format(account=with_check(account_id(SALMA)))).status_code == 404


def test_huge_numbers_of_passkeys_and_sessions_are_not_found(layla: Person) -> None:
    browser = Client()
    post_login(browser, number_of(4711))
    for address in (f"/me/security/passkey/{10**20}/remove", f"/me/security/sessions/{10**20}/end"):
        assert browser.post(address).status_code == 404, address


# Devices


@pytest.mark.parametrize("number", [10**25, (10**14 + 1) * 10**11, 99_13 * 10**11])
def test_no_bill_number_at_a_kiosk_is_a_fault(number: int) -> None:
    assert find_bill(Visit(way=By.BILL, bill_number=1), number, today=NOW.date()) is None


@pytest.mark.parametrize(
    "address", ["::ffff:127.0.0.1", "::ffff:8.8.8.8", "0.1.2.3", "255.255.255.255", "192.0.2.1"]
)
def test_a_printer_stands_in_a_private_network_and_nowhere_else(address: str) -> None:
    with pytest.raises(devices.DeviceRefused):
        devices.private_address(address)


@pytest.mark.parametrize("address", ["10.1.20.31", "172.16.0.9", "192.168.1.2", "fd00::12"])
def test_a_printer_of_a_private_network_is_taken(address: str) -> None:
    assert devices.private_address(address) == address


def test_a_device_name_with_a_letter_that_no_text_holds_is_refused() -> None:
    centre = cast.settle(SALMA, start=day("2026-01-01")).usage_point.service_centre_id
    with pytest.raises(devices.DeviceRefused) as refused:
        devices.add_device(
            name="Hall\0",
            service_centre_id=centre,
            receipt_printer="",
            prints_pages=False,
            actor="user:1",
            now=NOW,
        )
    assert refused.value.reason == "NAME"
