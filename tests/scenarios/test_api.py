"""The API for programs: what each area answers, who is let in, how it refuses, and what a fuzzer finds."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.scenarios import claim_cast, identity_ground
from tests.scenarios.cast import HUDA, NASSER, SALMA, account_id, bill, day, noon, read, settle, the_bill
from tests.scenarios.login_cast import PASSWORD, a_person
from tests.scenarios.test_account_queries import pay

from tayyar.api import app, door
from tayyar.claims.models import Holding
from tayyar.core import clock
from tayyar.core.references import with_check
from tayyar.customers.models import Delegate
from tayyar.identity import authorities, sessions, sign_in
from tayyar.identity.models import Person
from tayyar.metering.models import MeterReading, ReadingQuality
from tayyar.notifications.models import Reach
from tayyar.requests import services as requests
from tayyar.requests.models import ServiceRequest

pytestmark = pytest.mark.usefixtures("books")
NOW = noon("2026-11-05")
NUMBER = "1012345672"
ROOT = "/api/v1"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    """The day of the scenarios; budgets of calls are whole again."""
    door.NETWORKS.clear()
    door.PEOPLE.clear()
    with clock.at(NOW):
        yield


@pytest.fixture
def layla() -> Person:
    """A person who holds Salma's account; Nasser has his own. Both were billed for September and October."""
    for person, kwh in ((SALMA, 20), (NASSER, 30)):
        settle(person, start=day("2026-09-01"))
        read(person, day("2026-09-28"), 1000 + kwh * 27)
        read(person, day("2026-10-28"), 1000 + kwh * 57)
    bill("2026-09")
    bill("2026-10")
    made = a_person(NOW, number=NUMBER, mobile="0500000071")
    hold(made, SALMA)
    return made


def hold(layla: Person, person: int, *, start: str = "2020-01-01", end: str | None = None) -> None:
    Holding.objects.create(
        account_id=account_id(person),
        customer=layla.customer,
        role="TENANT",
        start_date=day(start),
        end_date=day(end) if end else None,
        created_at=NOW,
    )


def number(person: int) -> str:
    return str(with_check(account_id(person)))


class App:
    """An app: calls the API with a session's token, in English."""

    def __init__(self, token: str) -> None:
        self.client, self.headers = Client(), {"X-Session-Token": token, "Accept-Language": "en"}

    def call(self, method: str, address: str, sent: Any = None, **more: Any) -> Any:
        """Sent as JSON; with `form`, as parts of a form."""
        headers = {**self.headers, **more.pop("headers", {})}
        if "form" in more:
            form = more.pop("form")
            return getattr(self.client, method)(f"{ROOT}{address}", form, headers=headers, **more)
        content = {} if sent is None else {"data": json.dumps(sent), "content_type": "application/json"}
        return getattr(self.client, method)(f"{ROOT}{address}", headers=headers, **content, **more)

    def get(self, address: str) -> Any:
        """The JSON of a 200."""
        answer = self.call("get", address)
        assert answer.status_code == 200, answer.content
        return answer.json()


def app_of(person: Person) -> App:
    """An app whose session began some time ago: no proof of the last minutes."""
    client = Client()
    client.force_login(person.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=NOW, is_app=True)
    session.save()
    return App(session.session_key)


def fresh_app() -> App:
    """An app that just signed in with the password."""
    sent = {"username": NUMBER, "password": PASSWORD}
    answer = Client().post("/_allauth/app/v1/auth/login", sent, content_type="application/json")
    return App(answer.json()["meta"]["session_token"])


# Who is let in


def test_without_a_session_every_operation_but_sign_up_is_refused_alike(layla: Person) -> None:
    answers = set()
    for address, methods in json.loads(app.document())["paths"].items():
        for method, operation in methods.items():
            if "/sign-ups" in address:
                assert operation["security"] == []
                continue
            door.NETWORKS.clear()
            answer = getattr(Client(), method)(address, headers={"Accept-Language": "en"})
            assert answer.status_code == 401, (method, address)
            assert answer["Content-Type"] == "application/problem+json"
            answers.add(answer.content)
    assert len(answers) == 1
    assert json.loads(answers.pop())["code"] == "UNAUTHENTICATED"


def test_staff_unknown_tokens_and_sessions_that_are_over_are_refused(layla: Person) -> None:
    assert App("x" * 32).call("get", "/me").status_code == 401
    staff = Client()
    staff.force_login(
        User.objects.create_user("clerk", is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert App(staff.session.session_key).call("get", "/me").status_code == 401
    old = app_of(layla)
    assert old.call("get", "/me").status_code == 200
    with clock.at(noon("2026-12-06")):  # 31 days without use
        assert old.call("get", "/me").status_code == 401


def test_an_app_gets_no_cookie_and_its_session_stays_alive_by_use(layla: Person) -> None:
    caller = app_of(layla)
    with clock.at(noon("2026-11-30")):
        answer = caller.call("get", "/me")
        assert (answer.status_code, dict(answer.cookies)) == (200, {})
    with clock.at(noon("2026-12-20")):
        assert caller.call("get", "/me").status_code == 200


def test_a_page_of_the_site_calls_with_its_cookie_and_changes_nothing_without_the_forms_token(
    layla: Person,
) -> None:
    site = Client(enforce_csrf_checks=True)
    site.cookies["sessionid"] = app_of(layla).headers["X-Session-Token"]
    assert site.get(f"{ROOT}/me").status_code == 200
    sent = {"data": {"is_simple": True}, "content_type": "application/json"}
    refused = site.patch(f"{ROOT}/me", **sent)
    assert (refused.status_code, refused.json()["code"]) == (403, "CSRF")
    site.get("/me")
    token = site.cookies["csrftoken"].value
    assert site.patch(f"{ROOT}/me", **sent, headers={"X-CSRFToken": token}).status_code == 200


# How it refuses


def test_foreign_unknown_and_malformed_names_are_one_answer(layla: Person) -> None:
    caller = app_of(layla)
    foreign_bill = the_bill(NASSER, "2026-10").number
    answers = set()
    for address in (
        f"/accounts/{number(NASSER)}",
        f"/accounts/{with_check(999_999_999)}",
        "/accounts/x",
        "/accounts/%00",
        f"/accounts/{number(NASSER)}/bills",
        f"/accounts/{number(NASSER)}/payments",
        f"/accounts/{number(NASSER)}/wishes",
        f"/accounts/{number(NASSER)}/meters",
        f"/accounts/{number(NASSER)}/exports/bills.csv",
        f"/accounts/{number(SALMA)}/exports/other.csv",
        f"/bills/{foreign_bill:015d}",
        f"/bills/{foreign_bill:015d}/pdf",
        "/bills/1",
        "/requests/R-0000-0000",
        "/requests/R-0000-0000/documents/1",
        "/nothing",
    ):
        door.NETWORKS.clear()
        answer = caller.call("get", address)
        assert answer.status_code == 404, address
        answers.add((answer.content, answer["Content-Type"]))
    assert len(answers) == 1


def test_a_refusal_speaks_the_callers_language_and_names_the_fields(layla: Person) -> None:
    caller = app_of(layla)
    sent = {"budget_minor": -5, "colour": "red"}
    address = f"/accounts/{number(SALMA)}"
    english = caller.call("patch", address, sent).json()
    assert english["title"] == "Look at the fields that are named."
    assert {one["field"]: one["code"] for one in english["errors"]} == {
        "budget_minor": "NUMBER",
        "colour": "UNKNOWN",
    }
    for lang, title in (("ar", "راجع الحقول المذكورة."), ("fr", "Vérifiez les champs indiqués.")):
        answer = caller.call("patch", address, sent, headers={"Accept-Language": lang})
        assert (answer.status_code, answer.json()["title"], answer["Content-Language"]) == (422, title, lang)


def test_a_body_that_is_too_large_or_no_json_is_refused(layla: Person) -> None:
    caller = app_of(layla)
    large = caller.call("patch", "/me", {"language": "x" * 70_000})
    assert (large.status_code, large.json()["code"]) == (413, "TOO_LARGE")
    broken = caller.client.patch(
        f"{ROOT}/me", data="{", content_type="application/json", headers=caller.headers
    )
    assert (broken.status_code, broken.json()["code"]) == (400, "MALFORMED")


def test_a_person_and_a_network_call_so_often_and_no_more(
    layla: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = app_of(layla)
    monkeypatch.setattr(door.PEOPLE, "budget", 2)
    assert [caller.call("get", "/me").status_code for _ in range(3)] == [200, 200, 429]
    monkeypatch.setattr(door.NETWORKS, "budget", 25)
    door.NETWORKS.clear()
    codes = [Client().get(f"{ROOT}/me").status_code for _ in range(3)]  # 1 + 20 for a wrong one: 21, 42
    assert codes == [401, 401, 429]


# Me


def test_a_person_reads_and_changes_language_and_simple_mode(layla: Person) -> None:
    caller = app_of(layla)
    assert caller.get("/me")["language"] == "ar"
    changed = caller.call("patch", "/me", {"language": "fr", "is_simple": True}).json()
    assert (changed["language"], changed["is_simple"], changed["currency"]) == ("fr", True, "SAR")
    layla.refresh_from_db()
    assert layla.is_simple


def test_a_new_mobile_asks_for_a_fresh_proof_and_counts_once_its_code_was_typed(layla: Person) -> None:
    sent = {"address": "0500000099"}
    stale = app_of(layla).call("put", "/me/contacts/mobile", sent)
    assert (stale.status_code, stale.json()["code"]) == (403, "REAUTHENTICATE")
    caller = fresh_app()
    asked = caller.call("put", "/me/contacts/mobile", sent)
    assert (asked.status_code, asked.json()["new_mobile"]["address"]) == (202, "••• 99")
    code = identity_ground.last_code()
    wrong = caller.call("post", "/me/contacts/mobile/confirm", {"code": identity_ground.wrong(code)})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "CODE")
    done = caller.call("post", "/me/contacts/mobile/confirm", {"code": code})
    assert (done.status_code, done.json()["mobile"], done.json()["new_mobile"]) == (200, "••• 99", None)


# Accounts, bills, payments


def test_accounts_cost_as_many_queries_for_two_as_for_one(layla: Person) -> None:
    caller = app_of(layla)

    def queries() -> int:
        caller.get("/accounts")
        with CaptureQueriesContext(connection) as found:
            caller.get("/accounts")
        # Web servers remember the country.
        return sum("core_setting" not in query["sql"] for query in found.captured_queries)

    one = queries()
    hold(layla, NASSER)
    assert queries() == one
    settle(HUDA, start=day("2026-09-01"))
    hold(layla, HUDA)
    listed = caller.get("/accounts?limit=2")
    rest = caller.get(f"/accounts?limit=2&cursor={listed['next_cursor']}")
    assert [one["number"] for one in (*listed["items"], *rest["items"])] == [
        number(person) for person in (SALMA, NASSER, HUDA)
    ]
    assert rest["next_cursor"] is None


def test_an_account_says_what_is_owed_and_keeps_name_and_budget(layla: Person) -> None:
    caller = app_of(layla)
    owed = sum(the_bill(SALMA, period).total_minor for period in ("2026-09", "2026-10"))
    before = caller.get(f"/accounts/{number(SALMA)}")
    assert before["balance"] == {"amount_minor": owed, "currency": "SAR", "decimals": 2}
    changed = caller.call(
        "patch", f"/accounts/{number(SALMA)}", {"nickname": "بيتي", "budget_minor": 25000}
    ).json()
    assert (changed["nickname"], changed["budget"]["amount_minor"]) == ("بيتي", 25000)
    kept = caller.call("patch", f"/accounts/{number(SALMA)}", {"budget_minor": None}).json()
    assert (kept["nickname"], kept["budget"]) == ("بيتي", None)


def test_a_former_holder_sees_the_bills_of_their_time_and_no_balance(layla: Person) -> None:
    Holding.objects.update(start_date=day("2026-09-01"), end_date=day("2026-09-28"))
    caller = app_of(layla)
    found = caller.get(f"/accounts/{number(SALMA)}")
    assert (found["state"], found["balance"]) == ("ENDED", None)
    listed = caller.get(f"/accounts/{number(SALMA)}/bills")["items"]
    assert [one["period"] for one in listed] == ["2026-09"]
    assert caller.call("get", f"/bills/{the_bill(SALMA, '2026-10').number:015d}").status_code == 404
    assert caller.call("get", f"/accounts/{number(SALMA)}/meters").status_code == 404


def test_a_bill_is_exact_and_its_pdf_is_one(layla: Person) -> None:
    caller, stored = app_of(layla), the_bill(SALMA, "2026-10")
    first = caller.get(f"/accounts/{number(SALMA)}/bills?limit=1")
    assert first["items"][0]["number"] == f"{stored.number:015d}"
    after = caller.get(f"/accounts/{number(SALMA)}/bills?limit=1&cursor={first['next_cursor']}")
    assert (after["items"][0]["period"], after["next_cursor"]) == ("2026-09", None)
    found = caller.get(f"/bills/{stored.number:015d}")
    assert found["total"]["amount_minor"] == stored.total_minor
    assert sum(line["amount"]["amount_minor"] for line in found["lines"]) == stored.total_minor
    assert (found["energy_wh"], found["readings"][0]["register_name"] is not None) == (600_000, True)
    pdf = caller.call("get", f"/bills/{stored.number:015d}/pdf")
    assert (pdf["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")


def test_a_bill_is_reached_when_the_app_says_that_it_was_shown_and_not_by_reading_it(layla: Person) -> None:
    caller, stored = app_of(layla), the_bill(SALMA, "2026-10")
    caller.get(f"/bills/{stored.number:015d}")
    assert not Reach.objects.filter(ref=stored.number).exists()
    assert caller.call("post", f"/bills/{stored.number:015d}/seen").status_code == 204
    assert Reach.objects.filter(ref=stored.number).exists()


def test_payments_are_listed_newest_first(layla: Person) -> None:
    pay(SALMA, 5000, 1, noon("2026-10-20"))
    pay(SALMA, 700, 2, noon("2026-11-02"))
    found = app_of(layla).get(f"/accounts/{number(SALMA)}/payments")["items"]
    assert [one["amount"]["amount_minor"] for one in found] == [700, 5000]


# Use, exports, readings


def test_months_days_and_the_next_bill_are_those_of_the_account(layla: Person) -> None:
    caller, address = app_of(layla), f"/accounts/{number(SALMA)}/use"
    assert [one["period"] for one in caller.get(f"{address}/months")["items"]] == ["2026-09", "2026-10"]
    assert caller.get(f"{address}/days")["items"] == []  # read once a month
    ahead = caller.get(f"{address}/forecast")["next_bill"]
    assert ahead["low_wh"] <= ahead["energy_wh"] <= ahead["high_wh"]


def test_an_account_is_exported_as_csv_excel_and_green_button(layla: Person) -> None:
    caller = app_of(layla)
    for name, start in (
        ("bills.csv", b"\xef\xbb\xbf"),
        ("payments.csv", b"\xef\xbb\xbf"),
        ("days.csv", b"\xef\xbb\xbf"),
        ("all.xlsx", b"PK"),
        ("greenbutton.xml", b"<?xml"),
    ):
        answer = caller.call("get", f"/accounts/{number(SALMA)}/exports/{name}")
        assert (answer.status_code, answer.content[: len(start)]) == (200, start), name
        assert name in answer["Content-Disposition"]


def test_a_reading_is_taken_once_and_another_value_needs_a_photo(layla: Person) -> None:
    caller, address = app_of(layla), f"/accounts/{number(SALMA)}/readings"
    assert caller.get(f"/accounts/{number(SALMA)}/meters")["items"][0]["usage_point_id"] == SALMA
    form = {"value_wh": 2_300_000, "read_date": "2026-11-04"}
    key = {"Idempotency-Key": "reading-0001"}
    for _ in range(2):
        answer = caller.call("post", address, form=form, headers=key)
        assert (answer.status_code, answer.json()["is_taken"]) == (201, True)
    assert MeterReading.objects.filter(quality=ReadingQuality.CUSTOMER).count() == 1
    other = caller.call("post", address, form={**form, "value_wh": 2_400_000}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "OTHER_VALUE")
    photo = file_of("meter.png")
    asked = caller.call("post", address, form={**form, "value_wh": 2_400_000, "photo": photo}, headers=key)
    assert (asked.status_code, asked.json()["is_taken"]) == (201, False)
    assert ServiceRequest.objects.get().reference == asked.json()["request"]


def file_of(name: str, kind: str = "OTHER") -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, claim_cast.paper(kind).data, content_type="image/png")


# Claims


def test_an_account_of_theirs_is_offered_and_claimed_at_once_by_the_same_key(layla: Person) -> None:
    owner = claim_cast.person(NASSER, NOW)
    caller = app_of(owner)
    assert caller.get("/offers")["items"] == [{"account_number": number(NASSER), "customer_id": NASSER}]
    seen = caller.get(f"/claims/preview?account_number={number(NASSER)}")
    assert (seen["is_own"], seen["address"]) == (True, "شارع التحلية 12")
    terms = caller.get("/me")["terms_version"]
    form = {
        "account_number": number(NASSER),
        "role": "OWNER",
        "is_beneficiary": "true",
        "start_date": "2026-11-05",
        "terms_version": terms,
    }
    made = [
        caller.call("post", "/claims", form=form, headers={"Idempotency-Key": "claim-0001"}).json()
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert (made[0]["state"], made[0]["held_account"]) == ("APPROVED", number(NASSER))
    assert [one["reference"] for one in caller.get("/claims")["items"]] == [made[0]["reference"]]
    assert caller.get("/accounts")["items"][0]["number"] == number(NASSER)


def test_a_foreign_account_and_none_are_refused_alike_and_papers_ask_its_holder(layla: Person) -> None:
    holder = claim_cast.person(NASSER, NOW)
    claim_cast.claim_own(holder, NASSER, NOW)
    caller = app_of(layla)
    form = {
        "account_number": number(NASSER),
        "role": "OWNER",
        "is_beneficiary": "true",
        "start_date": "2026-11-05",
        "terms_version": caller.get("/me")["terms_version"],
    }
    answers = set()
    for account in (number(NASSER), str(with_check(999_999_999))):
        sent = {**form, "account_number": account}
        answers.add(
            caller.call("post", "/claims", form=sent, headers={"Idempotency-Key": "claim-0001"}).content
        )
        seen = caller.get(f"/claims/preview?account_number={account}")
        assert (seen["is_own"], seen["address"], seen["holder_initials"]) == (False, "", "")
    assert [json.loads(one)["code"] for one in answers] == ["EVIDENCE"]
    papers = {"documents": file_of("deed.png"), "document_kinds": "DEED", "evidence": "DEED"}
    made = caller.call("post", "/claims", form={**form, **papers}, headers={"Idempotency-Key": "claim-0002"})
    assert (made.status_code, made.json()["state"]) == (201, "DISPUTED")
    asked = app_of(holder)
    contest = asked.get("/contests")["items"][0]
    assert caller.call("post", f"/contests/{contest['id']}/give-way").status_code == 404
    answer = asked.call("post", f"/contests/{contest['id']}/object", form={"text": "هذا بيتي."})
    assert answer.status_code == 201
    assert asked.get(f"/requests/{answer.json()['reference']}")["type"] == "CLAIM_DISPUTE"
    assert asked.call("post", f"/contests/{contest['id']}/give-way").status_code == 204


# Requests


def test_a_request_is_opened_once_by_its_key_and_answered_and_taken_back(layla: Person) -> None:
    caller = app_of(layla)
    types = {one["code"]: one for one in caller.get("/request-types")["items"]}
    assert {"BILL_COPY", "PAPER_BILL", "READING_DISPUTE"} <= set(types)
    assert "ACCOUNT_CLAIM" not in types
    form = {
        "type": "READING_DISPUTE",
        "account_number": number(SALMA),
        "form": json.dumps({"read_on": "2026-11-04", "value_kwh": 2345}),
        "documents": file_of("meter.png"),
        "document_kinds": "METER_PHOTO",
    }
    key = {"Idempotency-Key": "request-0001"}
    made = [
        caller.call("post", "/requests", form={**form, "documents": file_of("m.png")}, headers=key)
        for _ in range(2)
    ]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].json() == made[1].json()
    other = caller.call(
        "post",
        "/requests",
        form={**form, "documents": file_of("m.png"), "form": '{"read_on": "2026-11-03", "value_kwh": 1}'},
        headers=key,
    )
    assert (other.status_code, other.json()["code"]) == (409, "OTHER_FORM")
    reference = made[0].json()["reference"]
    found = ServiceRequest.objects.get()
    requests.ask_person(request_id=found.pk, text="أي عداد؟", actor="user:1", now=NOW)
    assert caller.get(f"/requests/{reference}")["state"] == "WAITING"
    answered = caller.call("post", f"/requests/{reference}/answer", form={"text": "الأول."}).json()
    assert answered["state"] == "OPEN"
    assert [(one["what"], one["by"]) for one in answered["history"]][-2:] == [
        ("ASKED", "STAFF"),
        ("ANSWERED", "ME"),
    ]
    paper = answered["documents"][0]
    picture = caller.call("get", f"/requests/{reference}/documents/{paper['id']}")
    assert (picture["Content-Type"], picture.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert caller.call("post", f"/requests/{reference}/withdraw").json()["state"] == "WITHDRAWN"
    assert [one["reference"] for one in caller.get("/requests?is_open=false")["items"]] == [reference]
    assert caller.get("/requests?is_open=true")["items"] == []
    stranger = app_of(claim_cast.stranger(NOW))
    assert stranger.call("post", f"/requests/{reference}/withdraw").status_code == 404


def test_a_form_that_cannot_be_taken_names_its_fields(layla: Person) -> None:
    answer = app_of(layla).call(
        "post",
        "/requests",
        form={"type": "READING_DISPUTE", "account_number": number(SALMA), "form": '{"read_on": "never"}'},
        headers={"Idempotency-Key": "request-0001"},
    )
    assert answer.status_code == 422
    assert {one["field"]: one["code"] for one in answer.json()["errors"]} == {
        "form.read_on": "DATE",
        "form.value_kwh": "MISSING",
    }


# Wishes and delegates


def test_wishes_are_kept_and_bills_always_keep_a_way(layla: Person) -> None:
    owner = claim_cast.person(NASSER, NOW)
    claim_cast.claim_own(owner, NASSER, NOW)
    caller, address = app_of(owner), f"/accounts/{number(NASSER)}/wishes"
    kept = caller.get(address)
    wanted = {
        name: kept[name] for name in ("first", "wants_paper", "attaches_pdf", "wants_digest", "language")
    }
    sent = {
        **wanted,
        "first": "SMS",
        "off": ["EMAIL"],
        "quiet": {"start": "22:00", "end": "07:00"},
        "not_wanted": kept["optional"][:1],
    }
    changed = caller.call("put", address, sent)
    assert changed.status_code == 200, changed.content
    assert caller.get(address) == changed.json()
    assert (changed.json()["first"], changed.json()["off"]) == ("SMS", ["EMAIL"])
    nothing = caller.call("put", address, {**sent, "off": ["EMAIL", "SMS", "WHATSAPP", "PUSH"]})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "NOTHING_LEFT")
    law = caller.call("put", address, {**sent, "not_wanted": kept["statutory"][:1]})
    assert (law.status_code, law.json()["errors"][0]["field"]) == (422, "not_wanted")


def test_a_delegate_is_invited_after_a_fresh_proof_and_ended_once(layla: Person) -> None:
    Holding.objects.all().delete()
    claim_cast.person(SALMA, NOW)  # the books know her; layla's own account is Nasser's below
    settle(HUDA, start=day("2026-09-01"))
    from tayyar.customers.models import CustomerAccount

    CustomerAccount.objects.filter(pk=account_id(HUDA)).update(customer=layla.customer)
    hold(layla, HUDA)
    address = f"/accounts/{number(HUDA)}/delegates"
    sent = {
        "name": "Noura",
        "relation": "RELATIVE",
        "channel": "SMS",
        "address": "0500000023",
        "may_pay": False,
        "language": "ar",
        "last_day": "2027-01-31",
    }
    stale = app_of(layla).call("post", address, sent)
    assert (stale.status_code, stale.json()["code"]) == (403, "REAUTHENTICATE")
    caller = fresh_app()
    made = caller.call("post", address, sent)
    assert (made.status_code, made.json()["state"], made.json()["last_day"]) == (201, "INVITED", "2027-01-31")
    for _ in range(2):
        assert caller.call("delete", f"{address}/{made.json()['recipient']}").status_code == 204
    assert Delegate.objects.get().state == "REVOKED"
    assert caller.call("delete", f"{address}/9").status_code == 404


# Sign-up


def test_an_app_signs_a_person_up_and_is_signed_in_by_the_token_once() -> None:
    authorities.use(lambda: authorities.Authorities(identity=(identity_ground.Scripted(),), address=None))
    nobody = App("")
    document = {
        "id_type": "NATIONAL_ID",
        "number": identity_ground.SALMA,
        "birth_date": identity_ground.BORN.isoformat(),
        "nationality": "SA",
    }
    begun = nobody.call("post", "/sign-ups", document)
    assert (begun.status_code, begun.json()["way"], begun.json()["phone"]) == (201, "CODE", "••• 21")
    address, terms = f"/sign-ups/{begun.json()['id']}", begun.json()["terms_version"]
    early = nobody.call("post", f"{address}/resend")
    assert (early.status_code, early.json()["code"]) == (429, "WAIT")
    code = identity_ground.last_code()
    wrong = nobody.call("post", f"{address}/confirm", {"code": identity_ground.wrong(code)})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "CODE")
    assert nobody.call("post", f"{address}/confirm", {"code": code}).json()["step"] == "DETAILS"
    given = {
        "mobile": "0500000031",
        "email": "salma@mail.example",
        "password": identity_ground.PASSWORD,
        "terms_version": terms,
    }
    short = nobody.call("post", f"{address}/details", {**given, "password": "short"})
    assert (short.status_code, short.json()["code"]) == (422, "PASSWORD")
    assert nobody.call("post", f"{address}/details", given).json()["step"] == "MOBILE"
    done = nobody.call("post", f"{address}/finish", {"code": identity_ground.last_code()})
    assert (done.status_code, dict(done.cookies)) == (200, {})
    assert (
        App(done.json()["session_token"]).get("/me")["name"] == identity_ground.NAMES[identity_ground.SALMA]
    )
    again = nobody.call("post", f"{address}/finish", {"code": "000000"})
    assert (again.status_code, again.json()) == (200, {"session_token": None})


def test_a_sign_up_that_is_unknown_malformed_or_over_is_one_answer() -> None:
    answers = set()
    for sign_up in ("x", "0b4a7c1e-3f0a-4a59-9a3e-6f4b9f3c2d10"):
        for address in (f"/sign-ups/{sign_up}/resend",):
            answers.add(App("").call("post", address).content)
    assert [json.loads(one)["code"] for one in answers] == ["NOT_FOUND"]
