"""Every reason for which an account can be held or rejected has its words."""

from tayyar.billing.reasons import REASONS
from tayyar.core.text import LANGUAGES
from tayyar.metering.measure import HOLD_REASONS
from tayyar.tariffs.kernel import PROBLEMS


def test_every_reason_has_words_in_every_language() -> None:
    codes = {*HOLD_REASONS, *filter(None, PROBLEMS), "CHANGED_DURING_RUN"}
    assert set(REASONS) == set(LANGUAGES)
    for words in REASONS.values():
        assert words.keys() == codes
        assert all(text.strip() for text in words.values())
