"""The words of the staff screens about paper and calls."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {"ar": {}, "en": {}, "fr": {}}
