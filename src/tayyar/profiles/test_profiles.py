"""Profiles: what ships loads, what is wrong is named, what is open is asked."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.profiles import ProfileError, answers_file, codes, demo_answers, load, read_answers
from tayyar.profiles.loader import SHIPPED
from tayyar.profiles.reader import LANGUAGES, parse_yaml


@pytest.fixture
def country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of Saudi Arabia named `qq` that a test may spoil."""
    folder = tmp_path / "qq"
    shutil.copytree(SHIPPED / "sa", folder)
    _replace(folder / "profile.yaml", "code: sa", "code: qq")
    monkeypatch.setenv("TAYYAR_PROFILES", str(tmp_path))
    return folder


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_four_countries_ship() -> None:
    assert {"sa", "eg", "bh", "mr"} <= set(codes())


@pytest.mark.parametrize("code", ["sa", "eg", "bh", "mr"])
def test_every_shipped_profile_speaks_three_languages_and_has_unique_category_numbers(code: str) -> None:
    profile = load(code)
    assert set(profile.names) == set(profile.utility_names) == set(LANGUAGES)
    numbers = [category.number for category in profile.categories]
    assert len(numbers) == len(set(numbers))
    assert all(set(question.question) == set(LANGUAGES) for question in profile.open_questions)
    assert all(question.source and question.why for question in profile.open_questions)


def test_the_same_code_and_answers_give_the_same_object() -> None:
    assert load("bh") is load("BH")
    assert load("bh", {"VAT_RATE": "0.10"}) is load("bh", {"VAT_RATE": "0.10"})
    assert load("bh", {"VAT_RATE": "0.10"}) is not load("bh")


def test_blocking_questions_stay_unanswered_until_answered_and_demo_answers_settle_them() -> None:
    bahrain = load("bh")
    assert [q.key for q in bahrain.unanswered()] == ["VAT_RATE", "DAY_DIVISOR", "SUB_2026_5001_7000"]
    assert [q.key for q in load("bh", {"VAT_RATE": "0"}).unanswered()] == [
        "DAY_DIVISOR",
        "SUB_2026_5001_7000",
    ]
    for code in ("sa", "eg", "bh", "mr"):
        assert load(code, demo_answers(load(code))).unanswered() == ()


def test_answers_come_from_a_file_in_the_data_folder(tmp_path: Path) -> None:
    path = answers_file(tmp_path, "BH")
    assert path == tmp_path / "profile-bh.yaml"
    assert read_answers(path) == {}
    path.write_text("VAT_RATE: 0.10\nDAY_DIVISOR: 31\n")
    profile = load("bh", read_answers(path))
    assert str(profile.answers["VAT_RATE"]) == "0.10"
    assert profile.answers["DAY_DIVISOR"] == 31


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"VAT_RAT": "0.1"}, ["profile-bh.yaml", "VAT_RAT", "not an open question"]),
        ({"VAT_RATE": "10"}, ["profile-bh.yaml", "VAT_RATE", "10 % is 0.10"]),
        ({"DAY_DIVISOR": "12"}, ["profile-bh.yaml", "DAY_DIVISOR", "DAYS_IN_MONTH"]),
    ],
)
def test_a_wrong_answer_names_file_key_and_reason(answers: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ProfileError) as caught:
        load("bh", answers)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("days_to_due: 15", "days_to_du: 15", ["profile.yaml", "days_to_du"]),
        ("days_to_due: 15", "days_to_due: soon", ["days_to_due", "'soon'"]),
        ("move: NEXT_WORKING_DAY", "move: LATER", ["issue_day.move", "NEXT_WORKING_DAY"]),
        ("fr: Arabie saoudite", "de: Saudi-Arabien", ["names.fr", "is missing"]),
        ("number: 2", "number: 1", ["categories", "used twice"]),
        ("aliases: [domestic,", "aliases: [commercial,", ["categories", "names both"]),
        (
            "currency: {code: SAR, minor_digits: 2}",
            "currency: {code: SAR, minor_digits: 9}",
            ["minor_digits"],
        ),
        ("code: qq", "code: qr", ["code", "folder"]),
    ],
)
def test_a_wrong_profile_names_file_key_and_reason(
    country: Path, old: str, new: str, words: list[str]
) -> None:
    _replace(country / "profile.yaml", old, new)
    with pytest.raises(ProfileError) as caught:
        load("qq")
    assert "profile.yaml" in str(caught.value)
    assert all(word in str(caught.value) for word in words)


def test_an_unknown_code_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="bh, eg, mr, sa"):
        load("atlantis")


def test_categories_resolve_by_code_alias_and_published_words_in_any_case() -> None:
    assert load("sa").resolve_category("Residential")[0].code == "RESIDENTIAL"
    assert load("sa").resolve_category("CHARITIES")[0].code == "CHARITY"
    bahrain = load("bh")
    assert bahrain.resolve_category("residential") == (bahrain.category("DOMESTIC"), None)
    subsidised = "Domestic, citizen first account (subsidised)"
    assert bahrain.resolve_category(subsidised) == (bahrain.category("DOMESTIC"), True)
    assert bahrain.resolve_category("expatriates") == (bahrain.category("DOMESTIC"), False)
    with pytest.raises(UserError, match="RESIDENTIAL"):
        load("sa").resolve_category("palace")


def test_bills_are_issued_on_the_28th_or_the_next_working_day() -> None:
    saudi = load("sa")
    assert saudi.issue_date(2025, 10) == dt.date(2025, 10, 28)  # a Tuesday
    assert saudi.issue_date(2025, 11) == dt.date(2025, 11, 30)  # the 28th is a Friday, weekend until Saturday
    assert saudi.issue_date(2026, 5) == dt.date(2026, 5, 30 + 1)  # Eid al-Adha 26-29 May, then Saturday
    assert load("mr").issue_date(2026, 2) == dt.date(2026, 3, 2)  # the 28th is a Saturday


def test_hijri_holidays_are_computed_and_an_announced_day_replaces_them(country: Path) -> None:
    assert dt.date(2026, 3, 20) in load("sa").calendar.holidays(2026)
    _replace(country / "holidays.yaml", "hijri: 10-01", "hijri: 10-01\n    announced: [2026-03-21]")
    holidays = load("qq").calendar.holidays(2026)
    assert dt.date(2026, 3, 20) not in holidays
    assert holidays[dt.date(2026, 3, 21)].code == "EID_AL_FITR"
    # Another year keeps the computed day.
    assert dt.date(2025, 3, 30) in load("qq").calendar.holidays(2025)


def test_a_hijri_holiday_may_come_twice_in_one_year() -> None:
    rule = next(rule for rule in load("eg").calendar.rules if rule.code == "HIJRI_NEW_YEAR")
    assert len(rule.first_days(2008)) == 2  # 10 January and 29 December 2008


def test_numbers_in_yaml_are_exact_and_a_key_may_not_be_written_twice() -> None:
    values = parse_yaml("price: 0.10\ncountry: no\n", "x.yaml")
    assert str(values["price"]) == "0.10"
    assert values["country"] == "no"
    with pytest.raises(ProfileError, match=r"x\.yaml: line 2: .*'a' is written twice"):
        parse_yaml("a: 1\na: 2\n", "x.yaml")


def test_cash_is_rounded_to_khoums_in_mauritania_only() -> None:
    assert load("mr").rounding.cash(708950) == 708960
    assert load("sa").rounding.cash(708951) == 708951


@pytest.mark.parametrize("code", ["sa", "eg", "bh", "mr"])
def test_every_shipped_profile_says_how_people_and_companies_prove_themselves(code: str) -> None:
    profile = load(code)
    kinds = {found.code: found.kind for found in profile.identity_types}
    assert kinds["NATIONAL_ID"] == kinds["PASSPORT"] == "PERSON"
    assert kinds["COMMERCIAL_REGISTER"] == "BUSINESS"
    assert len(kinds) == len(profile.identity_types)
    assert all(set(found.names) == set(LANGUAGES) for found in profile.identity_types)
    national = profile.identity_type("NATIONAL_ID")
    assert national is not None and national.nationality == code.upper()
    assert profile.identity_type("FISHING_LICENCE") is None
    assert profile.terms_version


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("code: GULF_ID", "code: GULF", ["identity_types[3].code", "'GULF'"]),
        ("check: LUHN", "check: LUNH", ["identity_types[1].check", "'LUNH'"]),
        ("least: 10", "least: 11", ["identity_types[1].most"]),
        ("nationalities: [SA]", "nationalities: [Saudi]", ["nationalities", "ISO 3166-1"]),
        ('terms_version: "2026-11"', 'term_version: "2026-11"', ["terms_version", "is missing"]),
    ],
)
def test_a_wrong_identity_type_names_file_key_and_reason(
    country: Path, old: str, new: str, words: list[str]
) -> None:
    _replace(country / "profile.yaml", old, new)
    with pytest.raises(ProfileError) as caught:
        load("qq")
    assert all(word in str(caught.value) for word in words)
