"""Numbers and birth dates as people type them."""

import datetime as dt

import pytest

from tayyar.identity.rules import (
    DateRefused,
    IdRefused,
    birth_date_in,
    check_id,
    date_of_parts,
    hijri_or_gregorian,
    id_warning,
    is_adult,
)
from tayyar.profiles import load
from tayyar.profiles.model import IdentityType


def kind(country: str, code: str) -> IdentityType:
    found = load(country).identity_type(code)
    assert found is not None
    return found


# Luhn over 1 0 1 2 3 4 5 6 7 d: doubled 1, 1, 3, 5, 7 give 2 + 2 + 6 + 1 + 5 = 16, the others 0 + 2 + 4 + 6 = 12;
# 16 + 12 = 28, so d = 2. With 2 in front it is 4 instead of 2: 30, so d = 0.
SAUDI, IQAMA = "1012345672", "2012345670"
EGYPTIAN = "30101011234567"  # 2000s, 2001-01-01, governorate 12 (Dakahlia)


def test_a_number_is_read_with_arabic_digits_spaces_and_dashes() -> None:
    assert check_id(kind("sa", "NATIONAL_ID"), "١٠١٢ ٣٤٥-٦٧٢") == SAUDI
    assert check_id(kind("sa", "PASSPORT"), " ab 12 34 56") == "AB123456"


@pytest.mark.parametrize(
    ("country", "code", "number"),
    [
        ("sa", "NATIONAL_ID", SAUDI),
        ("sa", "RESIDENCE", IQAMA),
        ("sa", "GULF_ID", "784199012345678"),
        ("sa", "COMMERCIAL_REGISTER", "1010101010"),
        ("eg", "NATIONAL_ID", EGYPTIAN),
        ("bh", "NATIONAL_ID", "900512345"),
        ("mr", "NATIONAL_ID", str(97 * 12345678 + 1)),  # 1197530767
    ],
)
def test_a_right_number_is_taken(country: str, code: str, number: str) -> None:
    assert check_id(kind(country, code), number) == number


@pytest.mark.parametrize(
    ("country", "code", "typed", "reason"),
    [
        ("sa", "NATIONAL_ID", "101234567", "LENGTH"),
        ("sa", "NATIONAL_ID", "10123456722", "LENGTH"),
        ("sa", "NATIONAL_ID", "", "LENGTH"),
        ("sa", "NATIONAL_ID", IQAMA, "START"),
        ("sa", "RESIDENCE", SAUDI, "START"),
        ("sa", "NATIONAL_ID", "1012345673", "CHECK"),
        ("sa", "NATIONAL_ID", "1021345672", "CHECK"),  # neighbours swapped
        ("sa", "NATIONAL_ID", "10123456A2", "LETTERS"),
        ("sa", "NATIONAL_ID", "101234567²", "LETTERS"),
        ("sa", "PASSPORT", "AB12#456", "LETTERS"),
        ("sa", "PASSPORT", "AB123", "LENGTH"),
        ("eg", "NATIONAL_ID", "10101011234567", "START"),  # no century 1
        ("eg", "NATIONAL_ID", "30113011234567", "CHECK"),  # month 13
        ("eg", "NATIONAL_ID", "30102301234567", "CHECK"),  # 30 February
        ("eg", "NATIONAL_ID", "30101010534567", "CHECK"),  # no governorate 05
        ("bh", "NATIONAL_ID", "90051234", "LENGTH"),
        ("mr", "NATIONAL_ID", str(97 * 12345678 + 2), "CHECK"),
    ],
)
def test_a_wrong_number_is_refused_with_its_reason(country: str, code: str, typed: str, reason: str) -> None:
    with pytest.raises(IdRefused) as caught:
        check_id(kind(country, code), typed)
    assert caught.value.reason == reason


def test_a_refusal_says_what_was_typed_and_what_is_expected() -> None:
    with pytest.raises(IdRefused) as caught:
        check_id(kind("sa", "NATIONAL_ID"), "١٠١٢٣٤٥٦٧")
    error = caught.value
    assert (error.typed, error.count, error.least, error.most) == ("101234567", 9, 10, 10)
    assert str(error) == "This number has 10 digits. 9 were typed."
    with pytest.raises(IdRefused) as caught:
        check_id(kind("sa", "NATIONAL_ID"), IQAMA)
    assert caught.value.prefixes == ("1",)


def test_egypts_disputed_check_digit_warns_and_refuses_nobody() -> None:
    # 3x2+0x7+1x6+0x5+1x4+0x3+1x2+1x7+2x6+3x5+4x4+5x3+6x2 = 6+6+4+2+7+12+15+16+15+12 = 95; 95 mod 11 = 7; 11-7 = 4
    egypt = kind("eg", "NATIONAL_ID")
    assert id_warning(egypt, "30101011234564") == ""
    assert id_warning(egypt, EGYPTIAN) == "CHECK"
    assert check_id(egypt, EGYPTIAN) == EGYPTIAN
    assert id_warning(kind("sa", "NATIONAL_ID"), SAUDI) == ""


def test_the_egyptian_number_holds_the_birth_date() -> None:
    assert birth_date_in(kind("eg", "NATIONAL_ID"), EGYPTIAN) == dt.date(2001, 1, 1)
    assert birth_date_in(kind("eg", "NATIONAL_ID"), "29005121234567") == dt.date(1990, 5, 12)
    assert birth_date_in(kind("sa", "NATIONAL_ID"), SAUDI) is None


@pytest.mark.parametrize(
    "text", ["1990-05-12", "12/5/1990", "12.05.1990", "١٢/٥/١٩٩٠", "1410-10-17", "17/10/1410", "١٧ ١٠ ١٤١٠"]
)
def test_a_birth_date_is_read_in_either_calendar(text: str) -> None:
    assert hijri_or_gregorian(text) == dt.date(1990, 5, 12)  # 17 Shawwal 1410 in the Umm al-Qura calendar


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "FORM"),
        ("12/5/90", "FORM"),
        ("12/5", "FORM"),
        ("2001-02-29", "DAY"),
        ("31/4/1990", "DAY"),
        ("1410-13-01", "DAY"),
        ("1342-01-01", "YEAR"),
        ("0000-01-01", "YEAR"),
    ],
)
def test_what_is_no_date_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(DateRefused) as caught:
        hijri_or_gregorian(text)
    assert caught.value.reason == reason


def test_parts_picked_from_lists_are_a_date() -> None:
    assert date_of_parts(year=1410, month=10, day=17) == dt.date(1990, 5, 12)
    assert date_of_parts(year=2000, month=2, day=29) == dt.date(2000, 2, 29)


def test_one_is_grown_up_on_the_eighteenth_birthday() -> None:
    assert not is_adult(dt.date(2008, 11, 23), dt.date(2026, 11, 22))
    assert is_adult(dt.date(2008, 11, 22), dt.date(2026, 11, 22))
    assert not is_adult(dt.date(2008, 2, 29), dt.date(2026, 2, 28))
    assert is_adult(dt.date(2008, 2, 29), dt.date(2026, 3, 1))
