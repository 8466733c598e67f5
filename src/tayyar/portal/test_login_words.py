"""The words of the login's pages are complete, calm and in their own language."""

import re
from collections.abc import Mapping

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.portal.agents import agent_name
from tayyar.portal.login_words import LOGIN_WORDS
from tayyar.portal.security_words import SECURITY_WORDS

ALL = [LOGIN_WORDS, SECURITY_WORDS]
Words = Mapping[str, Mapping[str, str]]


@pytest.mark.parametrize("words", ALL)
def test_every_language_has_every_text_and_none_shouts(words: Words) -> None:
    assert set(words) == set(LANGUAGES)
    assert words["ar"].keys() == words["en"].keys() == words["fr"].keys()
    texts = [text for own in words.values() for text in own.values()]
    assert all(text.strip() and "!" not in text for text in texts)


@pytest.mark.parametrize("words", ALL)
def test_every_language_sets_the_same_values_into_a_text(words: Words) -> None:
    for key, text in words["en"].items():
        fields = set(re.findall(r"{\w+}", text))
        assert all(set(re.findall(r"{\w+}", words[lang][key])) == fields for lang in LANGUAGES), key


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 14) SamsungBrowser/25.0 Chrome/121.0", "Samsung Internet, Android"),
        ("curl/8.5", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_a_browser_is_named_by_what_it_adds_to_its_ancestors(agent: str, name: str) -> None:
    assert agent_name(agent, SECURITY_WORDS["en"]) == name
