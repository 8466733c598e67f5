"""How hard the SMSC may be pressed: the window that a throttling answer shrinks, and the pause before a new bind."""

from typing import Final

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 5.0
# Waits before the next attempt to bind. A connection that was lost is sought again at once, but once only.
LOST_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
REFUSED_SECONDS: Final = (5.0, 15.0, 60.0, 300.0)


class Flow:
    """The window of every bind of one account, for an account is throttled as a whole.

    Halved when the SMSC says "too fast", with a pause that doubles; given back step by step as messages are taken.
    """

    def __init__(self, window: int) -> None:
        self.window = self._most = window
        self.paused_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._shrunk_at = self._taken = 0.0

    def throttled(self, *, sent_at: float, now: float) -> None:
        """A message sent at `sent_at` was too much. What was under way when the window shrank shrinks it no more."""
        if sent_at < self._shrunk_at:
            return
        self._shrunk_at, self._taken = now, 0.0
        self.window = max(1, self.window // 2)
        self.paused_until = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def taken(self) -> None:
        """A message was taken after a throttle."""
        self._taken += 1
        if self._taken >= self.window:
            self._taken = 0.0
            self.window = min(self._most, self.window + max(1, self._most // 20))
            self._pause = FIRST_PAUSE_SECONDS

    @property
    def is_shrunk(self) -> bool:
        """Whether `taken` has anything to give back."""
        return self.window < self._most or self._pause > FIRST_PAUSE_SECONDS


class Backoff:
    """When a bind may be tried again."""

    def __init__(self) -> None:
        self.failures = 0
        self.retry_at = 0.0

    def fail(self, now: float, *, refused: bool) -> None:
        """It failed once more: `refused` by an SMSC that was there, or not there or lost."""
        waits = REFUSED_SECONDS if refused else LOST_SECONDS
        self.retry_at = now + waits[min(self.failures, len(waits) - 1)]
        self.failures += 1

    def reset(self) -> None:
        """It works."""
        self.failures, self.retry_at = 0, 0.0
