"""The words of the staff screens about delivery and reach."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {"ar": {}, "en": {}, "fr": {}}
