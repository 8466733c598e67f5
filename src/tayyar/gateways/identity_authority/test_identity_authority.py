"""The local authority: its people follow from their numbers, fit their country's rules, and its faults come as told."""

import datetime as dt
import time

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.authority.entry import AuthorityEntry
from tayyar.gateways.identity_authority.client import build
from tayyar.gateways.identity_authority.faults import Faults
from tayyar.gateways.identity_authority.people import birth_date_of, number_of, person_of
from tayyar.gateways.identity_authority.process import running
from tayyar.gateways.identity_authority.server import IdentityPeer
from tayyar.identity.models import IdType
from tayyar.identity.ports import AuthorityError, Way
from tayyar.identity.rules import check_id
from tayyar.profiles import load

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
COUNTRIES = ("sa", "eg", "bh", "mr")
ID = IdType.NATIONAL_ID


def adapter(url, key="key", timeout_seconds=1):
    options = {"url": url, "key": key, "timeout_seconds": timeout_seconds}
    return build(AuthorityEntry("local", "LOCAL", frozenset(IdType), options))


def ask(authority, number, born, id_type=ID):
    return authority.ask(id_type=id_type, number=number, birth_date=born, back_url="", now=NOW)


def reason(question):
    with pytest.raises(AuthorityError) as caught:
        question()
    return caught.value.reason


@pytest.mark.parametrize("country", COUNTRIES)
def test_the_demo_s_numbers_pass_the_checks_of_their_country_and_no_two_are_the_same(country):
    document = next(one for one in load(country).identity_types if one.code == ID)
    numbers = [number_of(country, customer) for customer in range(1, 3_001)]
    assert all(check_id(document, number) == number for number in numbers)
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("country", "id_type", "number", "born"),
    [
        # d1 d2 d3 d4 d5: 1 73 4 6 -> 1950 + 73 mod 50 = 1973, month 1 + 4, day 10 + 6
        ("sa", ID, "1734600000", dt.date(1973, 5, 16)),
        ("mr", ID, "1004682351", dt.date(1950, 5, 16)),
        ("sa", IdType.RESIDENCE, "2259100000", dt.date(1975, 10, 11)),
        ("sa", IdType.PASSPORT, "A1234567", dt.date(1973, 5, 15)),
        ("eg", ID, "29710210100012", dt.date(1997, 10, 21)),
        ("eg", ID, "30102030100012", dt.date(2001, 2, 3)),
        ("bh", ID, "560512345", dt.date(1956, 5, 15)),
        ("bh", ID, "050512345", dt.date(2005, 5, 15)),
    ],
)
def test_a_birth_date_is_read_from_the_number_as_documented(country, id_type, number, born):
    assert birth_date_of(country, id_type, number) == born


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_demo_customer_is_an_adult_with_a_name_and_a_telephone(country):
    for customer in range(1, 200):
        person = person_of(country, ID, number_of(country, customer))
        assert person.birth_date < dt.date(2000, 1, 1) and person.phone.startswith("+") and person.name


def test_a_person_is_proven_and_another_birth_date_is_not():
    number = number_of("sa", 1)
    born = birth_date_of("sa", ID, number)
    with IdentityPeer(key="key") as peer:
        authority = adapter(peer.url)
        asked = ask(authority, number, born)
        proven = authority.answer(ref=asked.ref, sent={}, now=NOW)
        assert reason(lambda: ask(authority, number, born + dt.timedelta(days=1))) == "MISMATCH"
    assert asked.way is Way.CODE and asked.phone == proven.phone != ""
    assert (proven.number, proven.birth_date, proven.nationality) == (number, born, "SA")
    assert number not in asked.ref


def test_a_business_is_known_by_its_register_whatever_the_birth_date():
    with IdentityPeer(key="key") as peer:
        authority = adapter(peer.url)
        asked = ask(authority, "1010123456", dt.date(1990, 1, 1), IdType.COMMERCIAL_REGISTER)
        proven = authority.answer(ref=asked.ref, sent={}, now=NOW)
    assert proven.birth_date is None and proven.name and asked.phone


@pytest.mark.parametrize(
    ("faults", "means"),
    [
        (Faults(down_share=1.0), "DOWN"),
        (Faults(slow_share=1.0, slow_seconds=3), "DOWN"),
        (Faults(mismatch_share=1.0), "MISMATCH"),
    ],
)
def test_faults_hit_every_request_or_those_of_one_number_alone(faults, means):
    one, two = number_of("sa", 1), number_of("sa", 2)
    kind = {"DOWN": "down", "MISMATCH": "mismatch"}[means] if not faults.slow_share else "slow"
    with IdentityPeer(key="key", faults=faults) as peer:
        authority = adapter(peer.url)
        began = time.monotonic()
        assert reason(lambda: ask(authority, one, birth_date_of("sa", ID, one))) == means
        assert time.monotonic() - began < 2.5
        peer.faults = Faults(**{f"{kind}_suffix": one[-4:], "slow_seconds": 3})
        assert reason(lambda: ask(authority, one, birth_date_of("sa", ID, one))) == means
        assert ask(authority, two, birth_date_of("sa", ID, two)).phone


def test_addresses_on_record_are_found_by_their_numbers_and_others_are_not():
    number = number_of("sa", 1)
    with IdentityPeer(key="key") as peer:
        authority = adapter(peer.url)
        homes = authority.addresses_of(id_type=ID, number=number)
        wanted = {
            name: homes[0].parts[name] for name in ("building_number", "postal_code", "additional_number")
        }
        assert authority.find(**wanted) == homes[0]
        wrong = "1000" if wanted["additional_number"] != "1000" else "1001"
        assert authority.find(**{**wanted, "additional_number": wrong}) is None
    assert len(homes) == (2 if number[-1] in "13579" else 1)


def test_a_stranger_without_the_key_learns_nothing():
    number = number_of("sa", 1)
    with IdentityPeer(key="key") as peer:
        stranger = adapter(peer.url, key="guess")
        assert reason(lambda: ask(stranger, number, birth_date_of("sa", ID, number))) == "DOWN"
        assert peer.counts == {"refused": 1}


def test_it_runs_as_a_process_and_takes_faults_while_it_runs():
    number = number_of("mr", 5)
    born = birth_date_of("mr", ID, number)
    with running(key="key", country="mr", port=0) as peer:
        authority = adapter(peer.url)
        assert ask(authority, number, born).phone.startswith("+2224")
        peer.set_faults(Faults(down_share=1.0))
        assert reason(lambda: ask(authority, number, born)) == "DOWN"
        assert peer.stats() == {"taken": 1, "failed": 1}
        with pytest.raises(UserError, match="cannot listen"), running(key="k", country="sa", port=peer.port):
            pass
