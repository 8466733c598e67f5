"""The words of the staff screens about the templates' editor."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {"ar": {}, "en": {}, "fr": {}}
