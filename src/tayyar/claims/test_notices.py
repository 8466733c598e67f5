"""The sentences of claims: complete in every language, and naming nobody."""

import re

from tayyar.claims.notices import WORDS


def test_every_language_says_the_same_things_with_the_same_facts() -> None:
    def facts(lang: str) -> dict[str, set[str]]:
        return {key: set(re.findall(r"{(\w+)}", text)) for key, text in WORDS[lang].items()}

    assert facts("ar") == facts("en") == facts("fr")


def test_no_sentence_has_room_for_a_name() -> None:
    used = {
        name for words in WORDS.values() for text in words.values() for name in re.findall(r"{(\w+)}", text)
    }
    assert used == {"day", "until", "number"}
