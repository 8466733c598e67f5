"""What a pasted or shared text opens; and the words of the pages around the login are complete."""

import re

import pytest

from tayyar.core.references import reference
from tayyar.core.text import LANGUAGES
from tayyar.portal.front_views import NothingToOpen, where
from tayyar.portal.front_words import FRONT_WORDS
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.shell_words import SHELL_WORDS

OURS = {"bills.example"}
REFERENCE = reference("R", 4711)
ALL_WORDS = (FRONT_WORDS, JOIN_WORDS, SHELL_WORDS)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("https://bills.example/b/AbC-123_xyz", "/b/AbC-123_xyz"),
        ("فاتورتك هنا: https://bills.example/b/AbC-123_xyz.", "/b/AbC-123_xyz"),
        ("see https://bills.example/p/AbC-123?lang=fr then pay", "/p/AbC-123"),
        ("https://bills.example/c/AbC-123_xyz", "/c/AbC-123_xyz"),
        ("https://other.example/x https://bills.example/d/AbC-123", "/d/AbC-123"),
        ("b/AbC123456789012345", "/b/AbC123456789012345"),
        (REFERENCE.lower(), f"/me/requests/{REFERENCE}"),
        (f"طلبك رقم {REFERENCE.replace('-', ' ')}", f"/me/requests/{REFERENCE}"),
    ],
)
def test_a_text_leads_to_the_page_that_it_names(given: str, path: str) -> None:
    assert where(given, own_hosts=OURS) == path


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("  ", "EMPTY"),
        ("https://bi11s.example/b/AbC-123", "FOREIGN"),
        ("https://bills.example.evil.example/b/AbC-123", "FOREIGN"),
        ("https://bills.example@evil.example/b/AbC-123", "FOREIGN"),
        ("https://bills.example/console/accounts", "UNKNOWN"),
        ("https://bills.example//evil.example/b/x", "UNKNOWN"),
        ("my bill", "UNKNOWN"),
        (REFERENCE[:-1] + ("0" if REFERENCE[-1] != "0" else "1"), "NUMBER"),
    ],
)
def test_a_text_that_opens_nothing_says_why(given: str, reason: str) -> None:
    with pytest.raises(NothingToOpen) as refused:
        where(given, own_hosts=OURS)
    assert refused.value.reason == reason


@pytest.mark.parametrize("words", ALL_WORDS)
def test_every_language_has_every_text_and_none_shouts(words: dict[str, dict[str, str]]) -> None:
    assert set(words) == set(LANGUAGES)
    assert words["ar"].keys() == words["en"].keys() == words["fr"].keys()
    assert all(text.strip() and "!" not in text for texts in words.values() for text in texts.values())
    assert [key for key, text in words["ar"].items() if not re.search("[\u0621-\u064a]", text)] == []


@pytest.mark.parametrize("words", ALL_WORDS)
def test_every_language_has_the_same_values_set_in(words: dict[str, dict[str, str]]) -> None:
    for key, text in words["ar"].items():
        wanted = sorted(re.findall(r"\{(\w+)\}", text))
        assert sorted(re.findall(r"\{(\w+)\}", words["en"][key])) == wanted, key
        assert sorted(re.findall(r"\{(\w+)\}", words["fr"][key])) == wanted, key


def test_every_refusal_of_a_sign_up_has_words() -> None:
    said = re.findall(r"\b[A-Z_]{4,}\b", _refusals())
    known = JOIN_WORDS["ar"]
    own_page = {"CODE": "code_wrong", "BIRTH_DATE": "birth_wrong", "NATIONALITY": "choose_nationality"}
    for reason in said:
        keys = {f"refused_{reason}", f"details_{reason}", own_page.get(reason, "")}
        assert keys & known.keys() or reason in ("ORDER", "NOT_ACCEPTED"), reason


def _refusals() -> str:
    from tayyar.identity.errors import SignUpRefused

    return str(SignUpRefused.__doc__)
