"""The kiosk's words are complete and alike in the three languages, and every one that a template asks for exists."""

import re
from pathlib import Path

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.kiosk.words import WORDS

HERE = Path(__file__).parent


def test_every_language_has_every_text() -> None:
    assert set(WORDS) == set(LANGUAGES)
    assert WORDS["ar"].keys() == WORDS["en"].keys() == WORDS["fr"].keys()
    assert all(text.strip() and "!" not in text for words in WORDS.values() for text in words.values())


@pytest.mark.parametrize("key", WORDS["en"])
def test_a_text_has_the_same_placeholders_in_every_language(key: str) -> None:
    found = {lang: sorted(re.findall(r"{(\w+)}", WORDS[lang][key])) for lang in LANGUAGES}
    assert found["ar"] == found["en"] == found["fr"]


def test_arabic_texts_are_arabic() -> None:
    assert not [key for key, text in WORDS["ar"].items() if not re.search("[\u0621-\u064a]", text)]


def test_every_word_that_a_template_asks_for_exists() -> None:
    templates = (HERE / "templates").rglob("*.html")
    asked = {word for file in templates for word in re.findall(r"\bw\.(\w+)", file.read_text("utf-8"))}
    assert asked - WORDS["en"].keys() == set()
    assert len(asked) > 30


def test_every_word_that_a_view_names_exists() -> None:
    named = {
        word
        for file in HERE.glob("*.py")
        for word in re.findall(r"(?:words\[|say\(\s*)\"(\w+)\"", file.read_text("utf-8"))
    }
    assert named - WORDS["en"].keys() == set()
    assert len(named) > 20
