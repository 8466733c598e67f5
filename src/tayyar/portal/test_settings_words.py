"""The words of requests, settings and businesses are complete and alike in the three languages."""

import re
from collections.abc import Mapping

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.portal.ask_words import ASK_WORDS
from tayyar.portal.members_words import MEMBERS_WORDS
from tayyar.portal.settings_words import SETTINGS_WORDS
from tayyar.requests import documents

ALL = (ASK_WORDS, SETTINGS_WORDS, MEMBERS_WORDS)


@pytest.mark.parametrize("words", ALL)
def test_every_language_has_every_text_with_the_same_values(words: Mapping[str, Mapping[str, str]]) -> None:
    assert set(words) == set(LANGUAGES)
    for lang in LANGUAGES:
        assert words[lang].keys() == words["ar"].keys()
        for key, text in words[lang].items():
            assert text.strip() and "!" not in text, key
            assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", words["ar"][key])), key


def test_every_reason_for_which_a_paper_is_refused_has_words() -> None:
    assert {f"paper_{reason}" for reason in documents._MESSAGES} <= ASK_WORDS["ar"].keys()
