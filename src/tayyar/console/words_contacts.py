"""The words of the staff screens about contact points, delegates and reviews."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {"ar": {}, "en": {}, "fr": {}}
