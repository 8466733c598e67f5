"""The National Address service: an address is confirmed first and then written in Arabic and English, in UTF-8."""

import time

import pytest

from tayyar.gateways.authority.entry import AuthorityEntry
from tayyar.gateways.national_address.client import build
from tayyar.identity.models import IdType
from tayyar.identity.ports import AuthorityError

ASKED = {"building_number": "8228", "postal_code": "12643", "additional_number": "2121"}
NUMBERS = {
    "BuildingNumber": "8228",
    "PostCode": "12643",
    "AdditionalNumber": "2121",
    "ShortAddress": "RRRD8228",
}
ARABIC = {**NUMBERS, "Street": "الإمام أحمد", "District": "حي النخيل", "City": "الرياض"}
ENGLISH = {**NUMBERS, "Street": "Imam Ahmad", "District": "Al Nakheel", "City": "RIYADH"}
OTHER = {**ENGLISH, "BuildingNumber": "8229"}


@pytest.fixture
def service(scripted):
    def search(heard):
        listed = {"A": [ARABIC], "E": [OTHER, ENGLISH]}[heard.query["language"]]
        return 200, {"success": True, "Addresses": listed, "totalSearchResults": "1"}

    scripted.on["/v3.1/Address/address-verify"] = lambda heard: (200, {"success": True, "addressfound": True})
    scripted.on["/v3.1/Address/address-free-text"] = search
    return scripted


def adapter(service):
    options = {"api_key": "key", "base_url": service.url + "/v3.1", "timeout_seconds": 1}
    return build(AuthorityEntry("address", "NATIONAL_ADDRESS", options=options))


def test_an_address_that_is_there_is_written_in_both_languages(service):
    found = adapter(service).find(**ASKED)
    assert found.code == "RRRD8228"
    assert found.lines == {
        "ar": "8228 الإمام أحمد، حي النخيل، الرياض 12643-2121",
        "en": "8228 Imam Ahmad, Al Nakheel, RIYADH 12643-2121",
    }
    assert found.parts["district"] == "حي النخيل" and found.parts["additional_number"] == "2121"
    verify = service.heard[0]
    assert (verify.query["buildingnumber"], verify.query["zipcode"]) == ("8228", "12643")
    assert verify.query["additionalnumber"] == "2121"
    assert {heard.query["encode"] for heard in service.heard} == {"utf8"}
    assert {heard.headers["api_key"] for heard in service.heard} == {"key"}


def test_an_address_that_is_not_there_is_none(service):
    service.on["/v3.1/Address/address-verify"] = lambda heard: (200, {"success": True, "addressfound": False})
    assert adapter(service).find(**ASKED) is None


def test_an_address_that_the_search_does_not_show_keeps_its_numbers(service):
    service.on["/v3.1/Address/address-free-text"] = lambda heard: (
        200,
        {"success": True, "Addresses": [OTHER]},
    )
    found = adapter(service).find(**ASKED)
    assert found.lines["ar"] == "8228, 12643-2121" and found.parts["city"] == ""


@pytest.mark.parametrize(
    "answer",
    [
        lambda heard: (200, {"success": False}),
        lambda heard: (401, {"message": "no subscription"}),
        lambda heard: (503, {}),
        lambda heard: (200, "حي".encode("windows-1256")),
        lambda heard: time.sleep(2) or (200, {"success": True, "addressfound": True}),
    ],
)
def test_a_service_that_cannot_say_is_down_and_never_says_that_there_is_no_address(service, answer):
    service.on["/v3.1/Address/address-verify"] = answer
    with pytest.raises(AuthorityError) as caught:
        adapter(service).find(**ASKED)
    assert caught.value.reason == "DOWN"


def test_it_does_not_say_where_a_person_lives(service):
    assert adapter(service).addresses_of(id_type=IdType.NATIONAL_ID, number="1000482719") == []
    assert service.heard == []
