"""The console's words are complete, alike in the three languages, and every one a template asks for exists."""

import re
from pathlib import Path

import pytest

from tayyar.console.words import WORDS
from tayyar.core.text import LANGUAGES
from tayyar.notifications.models import MessageState

HERE = Path(__file__).parent


def test_every_language_has_every_text() -> None:
    assert set(WORDS) == set(LANGUAGES)
    assert WORDS["ar"].keys() == WORDS["en"].keys() == WORDS["fr"].keys()
    assert all(text.strip() for words in WORDS.values() for text in words.values())


@pytest.mark.parametrize("key", WORDS["en"])
def test_a_text_has_the_same_placeholders_in_every_language(key: str) -> None:
    found = {lang: sorted(re.findall(r"{(\w+)}", WORDS[lang][key])) for lang in LANGUAGES}
    assert found["ar"] == found["en"] == found["fr"]


def test_every_word_that_a_template_asks_for_exists() -> None:
    # Django renders a missing word as nothing: only this test would notice
    templates = (HERE / "templates").rglob("*.html")
    asked = {word for file in templates for word in re.findall(r"\bw\.(\w+)", file.read_text("utf-8"))}
    assert asked - WORDS["en"].keys() == set()
    assert len(asked) > 50


def test_every_state_of_a_message_has_its_word() -> None:
    assert {f"delivery_{state.name}" for state in MessageState} <= WORDS["en"].keys()
