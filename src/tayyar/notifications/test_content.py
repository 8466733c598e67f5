"""Templates are complete in three languages, say the same things, and refuse a missing fact."""

import dataclasses
import re
import string

import pytest

from tayyar.core.errors import UserError
from tayyar.core.text import LANGUAGES
from tayyar.notifications import content

FACTS = content.BillIssuedFacts(
    ref=261100000001234,
    amount_text="276.00 ريال",
    due_date_text="الخميس 11 ديسمبر",
    account_number="10000000123",
    period_text="نوفمبر 2026",
    total_text="250.00 ريال",
    bill_url="https://bills.example/b/AAAA",
    utility_name="شركة <الكهرباء>",
    complaint_text="لأي سؤال: 933",
)
IN_CREDIT = dataclasses.replace(FACTS, due_date_text="", amount_text="12.00 ريال")


@pytest.mark.parametrize("template", content.TEMPLATES)
def test_every_template_says_the_same_facts_in_every_language(template: str):
    def variables(language: str) -> dict[str, set[str]]:
        found = content.words(template, language)
        named = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
        named["details"] = " ".join(value for _, value in found.details)
        return {name: set(string.Template(text).get_identifiers()) for name, text in named.items()}

    arabic = variables("ar")
    assert arabic["subject"] and arabic["number"] and arabic["help"]
    for language in LANGUAGES:
        assert variables(language) == arabic


def test_no_template_file_is_without_its_two_translations_or_unknown():
    names = {path.name for path in content.FOLDER.glob("*.toml")}
    assert names == {
        f"{template}.{language}.toml" for template in content.TEMPLATES for language in LANGUAGES
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", content.TEMPLATES)
def test_the_voice_is_calm(template: str, language: str):
    for text in content.words(template, language).texts():
        assert "!" not in text
        assert "عزيزنا" not in text and "Dear" not in text and "Cher" not in text


def test_the_subject_holds_what_when_and_how_much():
    assert content.render(FACTS, "ar").subject == (
        "فاتورة كهرباء نوفمبر 2026: 276.00 ريال، تُدفع حتى الخميس 11 ديسمبر"
    )


def test_nothing_to_pay_asks_for_no_payment():
    rendered = content.render(IN_CREDIT, "en")
    assert "nothing to pay" in rendered.subject
    assert "to be paid" not in rendered.text.lower()
    assert "12.00" in rendered.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_one_button_one_large_number_and_its_direction(language: str):
    page = content.render(FACTS, language).html
    assert page.count("<a href=") == 1 and 'href="https://bills.example/b/AAAA"' in page
    assert page.count("font-size:40px") == 1
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert "$" not in page
    assert not re.search(r"(?:margin|padding|text-align)[^;]*(?:-left|-right|:left|:right)", page)


def test_facts_are_escaped_in_html_and_not_in_text():
    rendered = content.render(FACTS, "ar")
    assert "شركة &lt;الكهرباء&gt;" in rendered.html and "<الكهرباء>" not in rendered.html
    assert "شركة <الكهرباء>" in rendered.text


@pytest.mark.parametrize(
    "name", ["amount_text", "account_number", "period_text", "complaint_text", "total_text"]
)
def test_a_missing_fact_is_refused_by_name(name: str):
    with pytest.raises(UserError, match=name):
        content.render(dataclasses.replace(FACTS, **{name: ""}), "ar")


def test_a_link_that_is_no_web_address_is_refused():
    with pytest.raises(UserError, match="bill_url"):
        content.render(dataclasses.replace(FACTS, bill_url="javascript:alert(1)"), "ar")


def test_a_language_without_template_is_refused_naming_the_file():
    with pytest.raises(UserError, match=r"bill_issued\.de\.toml"):
        content.words("bill_issued", "de")


def test_a_template_with_an_unknown_variable_or_key_is_refused(tmp_path, monkeypatch):
    good = (content.FOLDER / "bill_issued.en.toml").read_text("utf-8")
    monkeypatch.setattr(content, "FOLDER", tmp_path)
    for text, problem in (
        (good.replace("$total_text", "$totl_text"), "totl_text is not a fact"),
        (good.replace("Open the bill", ""), "an empty text"),
        (good.replace("Open the bill", "Pay $ now"), "no variable"),
        (good.replace("button =", "buton ="), "buton, button"),
    ):
        (tmp_path / "bill_issued.en.toml").write_text(text, "utf-8")
        content.words.cache_clear()
        with pytest.raises(UserError, match=problem):
            content.words("bill_issued", "en")
    content.words.cache_clear()
