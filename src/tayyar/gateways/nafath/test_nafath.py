"""Nafath: the request, its status, the signed token that comes by call, and what each refusal means."""

import datetime as dt
import json
import time

import pytest
from django.test import Client

from tayyar.core import clock
from tayyar.gateways.authority.entry import AuthorityEntry
from tayyar.gateways.nafath.client import build
from tayyar.identity import authorities
from tayyar.identity.authorities import Authorities
from tayyar.identity.models import AuthorityAnswer, IdType
from tayyar.identity.ports import AuthorityError, Way

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
NUMBER, BORN = "1000482719", dt.date(1950, 1, 14)
TYPES = frozenset({IdType.NATIONAL_ID, IdType.RESIDENCE})
PERSON = {
    "nin": NUMBER,
    "firstName": "سارة",
    "fatherName": "محمد",
    "familyName": "العتيبي",
    "dateOfBirthG": "1950-01-14",
}
pytestmark = pytest.mark.django_db


def adapter(server, **options):
    usual = {
        "app_id": "id",
        "app_key": "key",
        "base_url": server.url,
        "service": "Login",
        "audience": "tayyar",
        "timeout_seconds": 2,
    }
    return build(AuthorityEntry("nafath", "NAFATH", TYPES, {**usual, **options}))


@pytest.fixture
def nafath(scripted, signer):
    scripted.on["/api/v1/mfa/request"] = lambda heard: (201, {"transId": "t-1", "random": "42"})
    scripted.on["/api/v1/mfa/request/status"] = lambda heard: (200, {"status": "WAITING"})
    scripted.on["/api/v1/mfa/jwk"] = lambda heard: (200, {"keys": [signer.jwk()]})
    return scripted


def ask(authority, id_type=IdType.NATIONAL_ID):
    return authority.ask(id_type=id_type, number=NUMBER, birth_date=BORN, back_url="", now=NOW)


def token_claims(**changed):
    now = int(NOW.timestamp())
    told = {"aud": "tayyar", "iat": now, "exp": now + 300, "transId": "t-1", "status": "COMPLETED"}
    return {**told, **PERSON, **changed}


def reason(question):
    with pytest.raises(AuthorityError) as caught:
        question()
    return caught.value.reason


def call(authority, token, trans_id="t-1"):
    """Nafath calls our address."""
    authorities.use(lambda: Authorities(identity=(authority,)))
    body = json.dumps({"token": token, "transId": trans_id, "requestId": "r"})
    with clock.at(NOW):
        return Client().post("/hooks/nafath/nafath", body, content_type="application/json").status_code


@pytest.fixture(autouse=True)
def own_authorities():
    before = authorities._factory
    yield
    authorities.use(before)


def test_the_number_to_pick_is_shown_and_the_person_named_once_nafath_calls(nafath, signer):
    authority = adapter(nafath)
    asked = ask(authority)
    assert (asked.way, asked.shown) == (Way.APPROVAL, "42")
    assert asked.expires_at == NOW + dt.timedelta(seconds=180)
    sent = nafath.heard[0]
    assert sent.json() == {"nationalId": NUMBER, "service": "Login"}
    assert (sent.headers["APP-ID"], sent.headers["APP-KEY"]) == ("id", "key")
    assert authority.answer(ref=asked.ref, sent={}, now=NOW) is None
    assert nafath.heard[1].json() == {"nationalId": NUMBER, "transId": "t-1", "random": "42"}
    assert call(authority, signer.token(token_claims())) == 200
    proven = authority.answer(ref=asked.ref, sent={}, now=NOW)
    assert (proven.number, proven.name, proven.birth_date) == (NUMBER, "سارة محمد العتيبي", BORN)


def test_no_identity_number_is_kept_in_the_clear(nafath, signer):
    authority = adapter(nafath)
    asked = ask(authority)
    call(authority, signer.token(token_claims()))
    assert NUMBER not in asked.ref
    assert NUMBER.encode() not in bytes(AuthorityAnswer.objects.get().answer_sealed)


def test_completed_without_its_token_waits_for_it_and_expires(nafath):
    nafath.on["/api/v1/mfa/request/status"] = lambda heard: (200, {"status": "COMPLETED"})
    authority = adapter(nafath)
    asked = ask(authority)
    assert authority.answer(ref=asked.ref, sent={}, now=NOW + dt.timedelta(seconds=200)) is None
    late = NOW + dt.timedelta(seconds=211)
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=late)) == "EXPIRED"


def test_without_an_audience_the_status_is_the_proof_and_calls_are_not_believed(nafath, signer):
    told = {"status": "COMPLETED", "person": PERSON}
    nafath.on["/api/v1/mfa/request/status"] = lambda heard: (200, told)
    authority = adapter(nafath, audience="")
    asked = ask(authority)
    assert authority.answer(ref=asked.ref, sent={}, now=NOW).name == "سارة محمد العتيبي"
    assert call(authority, signer.token(token_claims())) == 400


@pytest.mark.parametrize("status", ["REJECTED", "EXPIRED"])
def test_a_person_who_said_no_or_nothing_is_not_proven(nafath, signer, status):
    nafath.on["/api/v1/mfa/request/status"] = lambda heard: (200, {"status": status})
    authority = adapter(nafath)
    asked = ask(authority)
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=NOW)) == status
    assert call(authority, signer.token(token_claims(status=status))) == 200
    nafath.on.clear()  # the token says it without another question
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=NOW)) == status


@pytest.mark.parametrize("changed", [{"nin": "1010965429"}, {"dateOfBirthG": "1950-01-15"}])
def test_a_token_about_another_number_or_birth_date_is_a_mismatch(nafath, signer, changed):
    authority = adapter(nafath)
    asked = ask(authority)
    assert call(authority, signer.token(token_claims(**changed))) == 200
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=NOW)) == "MISMATCH"


def test_a_call_with_a_wrong_signature_is_not_believed(nafath, stranger):
    authority = adapter(nafath)
    asked = ask(authority)
    assert call(authority, stranger.token(token_claims())) == 400
    assert authority.answer(ref=asked.ref, sent={}, now=NOW) is None


@pytest.mark.parametrize(
    "changed", [{"aud": "another"}, {"exp": int(NOW.timestamp()) - 120}, {"transId": "t-2"}, {"status": "?"}]
)
def test_a_call_with_a_token_for_another_for_another_time_or_request_is_not_believed(nafath, signer, changed):
    authority = adapter(nafath)
    asked = ask(authority)
    assert call(authority, signer.token(token_claims(**changed))) == 400
    assert authority.answer(ref=asked.ref, sent={}, now=NOW) is None


def test_the_first_answer_stands_when_nafath_calls_again(nafath, signer):
    authority = adapter(nafath)
    asked = ask(authority)
    assert call(authority, signer.token(token_claims(status="REJECTED"))) == 200
    assert call(authority, signer.token(token_claims())) == 200
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=NOW)) == "REJECTED"


def test_nafath_calls_again_while_its_keys_cannot_be_had(nafath, signer):
    nafath.on["/api/v1/mfa/jwk"] = lambda heard: (503, {})
    assert call(adapter(nafath), signer.token(token_claims())) == 503


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"token": 7}', b'{"token": "x", "transId": "t-1"}']
)
def test_a_call_that_is_no_call_is_refused(nafath, body):
    authorities.use(lambda: Authorities(identity=(adapter(nafath),)))
    assert Client().post("/hooks/nafath/nafath", body, content_type="application/json").status_code == 400


def test_a_call_for_an_authority_that_is_not_there_is_not_found(nafath):
    authorities.use(Authorities)
    assert Client().post("/hooks/nafath/nafath", b"{}", content_type="application/json").status_code == 404


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [
        (422, "422-031-046", "MISMATCH"),
        (400, "", "MISMATCH"),
        (400, "400-034-050", "DOWN"),  # another request is open in the app
        (403, "", "DOWN"),
        (404, "", "DOWN"),
        (503, "", "DOWN"),
    ],
)
def test_what_a_refused_request_means(nafath, status, code, means):
    nafath.on["/api/v1/mfa/request"] = lambda heard: (status, {"code": code})
    assert reason(lambda: ask(adapter(nafath))) == means


def test_a_status_that_is_over_or_slow(nafath):
    authority = adapter(nafath, timeout_seconds=1)
    asked = ask(authority)
    nafath.on["/api/v1/mfa/request/status"] = lambda heard: (400, {"code": "400-034-051"})
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=NOW)) == "EXPIRED"
    nafath.on["/api/v1/mfa/request/status"] = lambda heard: time.sleep(2) or (200, {"status": "COMPLETED"})
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=NOW)) == "DOWN"


def test_a_document_that_nafath_does_not_know_is_not_asked_for(nafath):
    assert reason(lambda: ask(adapter(nafath), IdType.PASSPORT)) == "NOT_COVERED"
    assert nafath.heard == []
