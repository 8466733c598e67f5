"""What the simulated push service does wrong, and how often. Pure."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of 1 of the posts, each post having at most one fault; `gone_share` is a share of the browsers.

    `throttle_share` get 429, to come again after `retry_after_seconds`; `error_share` 503; `hang_share` are not taken
    and get no answer at all; `cut_share` are taken, and the connection ends instead of an answer; `gone_share` of the
    browsers gave up their subscription: 410, always for the same ones. `delay_seconds` pass before each answer.
    """

    throttle_share: float = 0.0
    error_share: float = 0.0
    hang_share: float = 0.0
    cut_share: float = 0.0
    gone_share: float = 0.0
    retry_after_seconds: int = 1
    delay_seconds: float = 0.0

    def kind(self, drawn: float) -> str:
        """ "throttle", "error", "hang", "cut" or "" for a number drawn from [0, 1)."""
        for name in ("throttle", "error", "hang", "cut"):
            share = float(getattr(self, f"{name}_share"))
            if drawn < share:
                return name
            drawn -= share
        return ""

    def is_gone(self, number: int) -> bool:
        """Whether browser `number` gave up its subscription."""
        digest = hashlib.blake2b(str(number).encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") < self.gone_share * 2**32
