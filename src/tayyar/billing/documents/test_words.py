"""The bill's words are complete and alike in the three languages."""

import re

import pytest

from tayyar.billing.documents.charset import DRAWABLE
from tayyar.billing.documents.words import LANGUAGE_NAMES, PLURALS, WORDS, counted
from tayyar.core.text import HIJRI_MONTHS, LANGUAGES, MONTHS, WEEKDAYS


def test_every_language_has_every_text() -> None:
    assert set(WORDS) == set(LANGUAGE_NAMES) == set(LANGUAGES)
    assert WORDS["ar"].keys() == WORDS["en"].keys() == WORDS["fr"].keys()
    assert all(text.strip() for words in WORDS.values() for text in words.values())


@pytest.mark.parametrize("key", WORDS["en"])
def test_a_text_has_the_same_placeholders_in_every_language(key: str) -> None:
    found = {lang: sorted(re.findall(r"{(\w+)}", WORDS[lang][key])) for lang in LANGUAGES}
    assert found["ar"] == found["en"] == found["fr"]


def test_no_arabic_text_carries_vowel_marks() -> None:
    assert not [text for text in WORDS["ar"].values() if re.search("[\u064b-\u0652]", text)]


def test_the_fonts_can_draw_every_word() -> None:
    texts = [text for words in WORDS.values() for text in words.values()]
    texts += [
        name for names in (MONTHS, WEEKDAYS, HIJRI_MONTHS) for lang in LANGUAGES for name in names[lang]
    ]
    assert {character for text in texts for character in text if ord(character) not in DRAWABLE} == set()


def test_arabic_nouns_have_all_six_forms() -> None:
    for noun in PLURALS.values():
        assert set(noun["ar"]) == {"zero", "one", "two", "few", "many", "other"}
        assert set(noun["en"]) == set(noun["fr"]) == {"one", "other"}


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "يوم واحد"), (2, "يومان"), (3, "3 أيام"), (11, "11 يوما"), (31, "31 يوما"), (100, "100 يوم")],
)
def test_days_are_counted_in_good_arabic(count: int, text: str) -> None:
    assert counted("days", count, "ar", str(count)) == text
