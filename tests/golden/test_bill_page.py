"""The bill in words and as a page: what a subscriber reads, and what the page must never do."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from bill_sample import CAST, KWH, bh_home, eg_home, mr_shop, sa_home
from django.template.loader import render_to_string

from tayyar.billing.documents.page import bill_context
from tayyar.billing.documents.present import present
from tayyar.billing.documents.view import BillKind, BillLineView, LineKind, Unit
from tayyar.core.errors import UserError

HERE = Path(__file__).parent
LANGUAGES = ("ar", "en", "fr")


def page(view: Any, lang: str) -> str:
    return render_to_string("portal/bill.html", bill_context(view, lang))


def test_the_saudi_bill_says_exactly_what_was_agreed() -> None:
    tree = {key: value for key, value in present(sa_home(), "ar").items() if key != "w"}
    assert tree == json.loads((HERE / "bill_sa_ar.json").read_text())


def test_the_answer_comes_first_in_words_and_a_number() -> None:
    hero = present(sa_home(), "en")["hero"]
    assert (hero["amount"], hero["by"]) == ({"n": "275.84", "u": "SAR"}, "by Thursday 11 December")
    assert present(sa_home(), "ar")["hero"]["hijri"] == "20 جمادى الآخرة 1447 هـ"


def test_money_in_the_customers_favour_asks_for_no_payment() -> None:
    tree = present(mr_shop(), "en")
    assert (tree["hero"]["label"], tree["hero"]["amount"]["n"], tree["pay"]) == (
        "In your favour",
        "438.00",
        None,
    )


def test_a_cancelled_bill_says_so_and_cannot_be_paid() -> None:
    html = page(replace(sa_home(), cancelled_by=202512000000004), "en")
    assert "cancelled by note 202512000000004" in html
    assert 'href="#pay"' not in html


def test_a_credit_note_shows_what_is_credited() -> None:
    line = BillLineView(LineKind.ENERGY, -22986, "", 1277 * KWH, Unit.KWH, 180_000)
    note = replace(
        sa_home(), kind=BillKind.CREDIT_NOTE, lines=(line,), total_minor=-22986, amount_due_minor=-22986,
        explanation=(), corrects=202511000000016,
    )  # fmt: skip
    tree = present(note, "en")
    assert (tree["hero"]["label"], tree["hero"]["amount"]["n"]) == ("Credited to your account", "229.86")
    assert tree["corrects"] == "Corrects bill 202511000000016"


def test_the_holders_name_is_masked_on_a_page_without_a_login() -> None:
    html = page(replace(sa_home(), mask_holder=True), "ar")
    assert "القحطاني" not in html
    assert "ن••• ع••• ا•••" in html


def test_arabic_digits_follow_the_profile_but_account_numbers_stay_as_they_are_typed() -> None:
    html = page(eg_home(), "ar")
    assert "٤٨٦٫٤٠" in html
    assert "0412207719350" in html


def test_prices_show_at_least_the_decimals_of_the_currency() -> None:
    assert [line["price"] for line in present(bh_home(), "en")["lines"]] == ["0.029", "", ""]
    assert present(eg_home(), "en")["lines"][2]["price"] == "0.95"


def test_a_period_across_two_months_names_both() -> None:
    view = replace(sa_home(), period_start=date(2025, 12, 15), period_end=date(2026, 1, 15))
    period = next(fact["value"] for fact in present(view, "en")["facts"] if fact["label"] == "Period")
    assert period == "15 December 2025 to 14 January 2026"


def test_a_bill_whose_lines_do_not_add_up_is_refused() -> None:
    with pytest.raises(UserError, match="lines do not add up"):
        replace(sa_home(), total_minor=27585, amount_due_minor=27585)


def test_causes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(UserError, match="causes do not add up"):
        replace(sa_home(), previous_total_minor=22265)


def test_an_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(UserError, match="ar, en, fr"):
        present(sa_home(), "de")


def test_names_from_outside_cannot_write_markup() -> None:
    html = page(replace(sa_home(), holder_name="<script>alert(1)</script>"), "ar")
    assert "<script" not in html


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", CAST)
def test_the_page_needs_no_script_and_no_other_host(name: str, lang: str) -> None:
    html = page(CAST[name](), lang)
    assert f'<html lang="{lang}" dir="{"rtl" if lang == "ar" else "ltr"}">' in html
    assert "<script" not in html
    assert " style=" not in html
    loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', html)
    assert loaded and all(address.startswith("/static/") for address in loaded)


def test_the_stylesheet_uses_logical_properties_and_only_its_own_files() -> None:
    import tayyar.portal

    css = (Path(tayyar.portal.__file__).parent / "static/portal/tayyar.css").read_text()
    assert not re.findall(
        r"(?:margin|padding|border)-(?:left|right)|[;{]\s*(?:left|right)\s*:|text-align:\s*(?:left|right)",
        css,
    )
    assert all(address.startswith("../fonts/") for address in re.findall(r'url\("([^"]+)"\)', css))
