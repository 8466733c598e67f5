"""The portal's words are complete and alike in the three languages."""

import re

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.portal.words import WORDS


def test_every_language_has_every_text() -> None:
    assert set(WORDS) == set(LANGUAGES)
    assert WORDS["ar"].keys() == WORDS["en"].keys() == WORDS["fr"].keys()
    assert all(text.strip() for words in WORDS.values() for text in words.values())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_shouts(lang: str) -> None:
    assert not [text for text in WORDS[lang].values() if "!" in text]


def test_arabic_texts_are_arabic() -> None:
    assert not [key for key, text in WORDS["ar"].items() if not re.search("[\u0621-\u064a]", text)]
