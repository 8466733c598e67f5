"""The words of home, bills and use are complete and alike in the three languages, down to what is set into them."""

import re

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.portal.me_words import ME_WORDS


def test_every_language_has_every_text() -> None:
    assert set(ME_WORDS) == set(LANGUAGES)
    assert ME_WORDS["ar"].keys() == ME_WORDS["en"].keys() == ME_WORDS["fr"].keys()
    assert all(text.strip() for words in ME_WORDS.values() for text in words.values())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_text_takes_the_same_values_in_every_language_and_none_shouts(lang: str) -> None:
    for key, text in ME_WORDS[lang].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", ME_WORDS["ar"][key])), key
        assert "!" not in text
