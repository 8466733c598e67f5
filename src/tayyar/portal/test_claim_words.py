"""The words of claims are complete and alike in the three languages, down to what is set into them."""

import re

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.portal.claim_words import CLAIM_WORDS


def test_every_language_has_every_text() -> None:
    assert set(CLAIM_WORDS) == set(LANGUAGES)
    assert CLAIM_WORDS["ar"].keys() == CLAIM_WORDS["en"].keys() == CLAIM_WORDS["fr"].keys()
    assert all(text.strip() for words in CLAIM_WORDS.values() for text in words.values())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_text_takes_the_same_values_in_every_language_and_none_shouts(lang: str) -> None:
    for key, text in CLAIM_WORDS[lang].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", CLAIM_WORDS["ar"][key])), (
            key
        )
        assert "!" not in text
