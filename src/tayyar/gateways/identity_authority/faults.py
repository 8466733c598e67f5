"""What the local authority does wrong, how often, and to whom. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares are of the requests: `slow_share` are answered after `slow_seconds`, `down_share` get 503,
    `mismatch_share` are told that number and birth date do not belong together. The same happens always to the
    identity numbers that end in `slow_suffix`, `down_suffix` or `mismatch_suffix` ("": to none)."""

    slow_share: float = 0.0
    slow_seconds: float = 30.0
    slow_suffix: str = ""
    down_share: float = 0.0
    down_suffix: str = ""
    mismatch_share: float = 0.0
    mismatch_suffix: str = ""

    def kind(self, number: str, drawn: float) -> str:
        """ "slow", "down", "mismatch" or "" for a request about `number`, and a number drawn from [0, 1)."""
        for name in ("slow", "down", "mismatch"):
            suffix, share = str(getattr(self, f"{name}_suffix")), float(getattr(self, f"{name}_share"))
            if (suffix and number.endswith(suffix)) or drawn < share:
                return name
            drawn -= share
        return ""
