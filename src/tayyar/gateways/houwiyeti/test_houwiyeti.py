"""Houwiyeti: who is proven, and what each refusal means. The fields are ours until the operator confirms its own."""

import datetime as dt
import time

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.authority.entry import AuthorityEntry
from tayyar.gateways.houwiyeti.client import build
from tayyar.identity.models import IdType
from tayyar.identity.ports import AuthorityError, Way

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
NUMBER, BORN = "1004682351", dt.date(1950, 5, 16)
PERSON = {
    "nni": NUMBER,
    "prenom": "سيدي",
    "nom": "ولد محمد",
    "dateNaissance": "16/05/1950",
    "telephone": "44 12 34 56",
}


def adapter(server, **options):
    usual = {"base_url": server.url, "entity_api_key": "key", "timeout_seconds": 1}
    return build(AuthorityEntry("h", "HOUWIYETI", frozenset({IdType.NATIONAL_ID}), {**usual, **options}))


def ask(authority, id_type=IdType.NATIONAL_ID, birth_date=BORN):
    return authority.ask(id_type=id_type, number=NUMBER, birth_date=birth_date, back_url="", now=NOW)


def reason(question):
    with pytest.raises(AuthorityError) as caught:
        question()
    return caught.value.reason


def test_the_phone_on_record_is_told_and_then_the_person(scripted):
    scripted.on["/getPersonne"] = lambda heard: (200, PERSON)
    authority = adapter(scripted)
    asked = ask(authority)
    assert (asked.way, asked.phone) == (Way.CODE, "+22244123456")
    assert scripted.heard[0].headers["entity-api-key"] == "key"
    assert scripted.heard[0].json() == {"nni": NUMBER}
    proven = authority.answer(ref=asked.ref, sent={}, now=NOW)
    assert (proven.name, proven.birth_date) == ("سيدي ولد محمد", BORN)


def test_other_field_names_are_a_matter_of_the_file(scripted):
    theirs = {**PERSON, "gsm": "+22244123456"}
    scripted.on["/getPersonne"] = lambda heard: (200, theirs)
    assert ask(adapter(scripted, fields={"phone": "gsm"})).phone == "+22244123456"


@pytest.mark.parametrize(
    ("changed", "means"),
    [
        ({"dateNaissance": "17/05/1950"}, "MISMATCH"),
        ({"dateNaissance": ""}, "MISMATCH"),
        ({"nni": "1004682352"}, "MISMATCH"),
        ({"telephone": ""}, "NOT_COVERED"),
    ],
)
def test_a_person_who_does_not_fit_or_has_no_phone_is_not_proven(scripted, changed, means):
    scripted.on["/getPersonne"] = lambda heard: (200, {**PERSON, **changed})
    assert reason(lambda: ask(adapter(scripted))) == means


@pytest.mark.parametrize(
    ("status", "means"), [(404, "MISMATCH"), (422, "MISMATCH"), (401, "DOWN"), (500, "DOWN")]
)
def test_what_a_refusal_means(scripted, status, means):
    scripted.on["/getPersonne"] = lambda heard: (status, {})
    assert reason(lambda: ask(adapter(scripted))) == means


def test_a_slow_authority_is_down_and_another_document_not_covered(scripted):
    scripted.on["/getPersonne"] = lambda heard: time.sleep(2) or (200, PERSON)
    assert reason(lambda: ask(adapter(scripted))) == "DOWN"
    assert reason(lambda: ask(adapter(scripted), IdType.PASSPORT)) == "NOT_COVERED"


def test_a_proof_that_was_left_lying_expires(scripted):
    scripted.on["/getPersonne"] = lambda heard: (200, PERSON)
    authority = adapter(scripted)
    asked = ask(authority)
    late = NOW + dt.timedelta(minutes=61)
    assert reason(lambda: authority.answer(ref=asked.ref, sent={}, now=late)) == "EXPIRED"


def test_an_entry_without_its_key_is_refused(scripted):
    with pytest.raises(UserError, match="entity_api_key"):
        adapter(scripted, entity_api_key="")
