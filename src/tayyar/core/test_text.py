"""Numbers and dates as each language writes them."""

from datetime import date

import pytest

from tayyar.core.money import Currency
from tayyar.core.text import (
    MONTHS,
    Formats,
    format_amount,
    format_date,
    format_energy,
    format_hijri,
    format_number,
    plural_form,
)

LATIN, ARABIC = Formats(), Formats(digits="arab")


@pytest.mark.parametrize(
    ("count", "form"),
    [(0, "zero"), (1, "one"), (2, "two"), (3, "few"), (10, "few"), (11, "many"), (99, "many"), (100, "other"),
     (101, "other"), (102, "other"), (103, "few"), (111, "many"), (200, "other"), (1003, "few")],
)  # fmt: skip
def test_arabic_counts_in_six_plural_forms(count: int, form: str) -> None:
    assert plural_form(count, "ar") == form


def test_french_counts_zero_as_one_and_english_does_not() -> None:
    assert (plural_form(0, "fr"), plural_form(0, "en")) == ("one", "other")


@pytest.mark.parametrize(
    ("lang", "formats", "text"),
    [
        ("ar", LATIN, "1,276.45"),
        ("ar", ARABIC, "١٬٢٧٦٫٤٥"),
        ("en", ARABIC, "1,276.45"),
        ("fr", LATIN, "1\u00a0276,45"),
    ],
)
def test_an_amount_has_the_separators_and_digits_of_its_language(
    lang: str, formats: Formats, text: str
) -> None:
    assert format_amount(127645, Currency("SAR", 2), lang, formats) == text


def test_three_decimals_are_kept_and_small_amounts_have_a_leading_zero() -> None:
    assert format_amount(5, Currency("BHD", 3), "en", LATIN) == "0.005"


def test_signs_are_a_real_minus_and_a_plus_but_zero_has_none() -> None:
    assert [format_number(n, "en", "latn", signed=True) for n in (-7, 7, 0)] == ["\u22127", "+7", "0"]


def test_energy_shows_whole_kwh_without_a_fraction_and_watt_hours_exactly() -> None:
    assert [format_energy(wh, "en", LATIN) for wh in (1_520_000, 1_520_500, 1)] == [
        "1,520",
        "1,520.5",
        "0.001",
    ]


def test_a_date_is_in_words_with_its_weekday() -> None:
    day = date(2025, 12, 11)
    assert format_date(day, "ar", LATIN, weekday=True, year=False) == "الخميس 11 ديسمبر"
    assert format_date(day, "en", LATIN, weekday=True) == "Thursday 11 December 2025"
    assert format_date(date(2026, 1, 1), "fr", LATIN) == "1er janvier 2026"


def test_a_profile_names_its_own_months() -> None:
    months = {"ar": (*MONTHS["ar"][:11], "دجمبر")}
    assert format_date(date(2025, 12, 9), "ar", Formats(months=months)) == "9 دجمبر 2025"


def test_the_hijri_date_of_the_first_of_ramadan_1447_is_18_february_2026() -> None:
    assert format_hijri(date(2026, 2, 18), "ar", LATIN) == "1 رمضان 1447 هـ"


def test_outside_the_umm_al_qura_tables_there_is_no_hijri_date() -> None:
    assert format_hijri(date(2090, 1, 1), "ar", LATIN) == ""
