"""The parameters of measuring: how to estimate, and which use is too high or too low to bill unseen.

Owns MeasureRules and where its values come from (a country's profile). Never looks at a reading.
Next: measure.py and its parts apply them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class _Estimation(Protocol):
    @property
    def trend_low_percent(self) -> int: ...
    @property
    def trend_high_percent(self) -> int: ...
    @property
    def recent_average_bills(self) -> int: ...


class _HighLow(Protocol):
    @property
    def own_low_percent(self) -> int: ...
    @property
    def own_high_percent(self) -> int: ...
    @property
    def peer_high_percent(self) -> int: ...
    @property
    def ignore_below_wh(self) -> int: ...


class HasMeasureParameters(Protocol):
    """What a profile must offer (`tayyar.profiles.model.Profile` does)."""

    @property
    def estimation(self) -> _Estimation: ...
    @property
    def high_low(self) -> _HighLow: ...


@dataclass(frozen=True, slots=True)
class MeasureRules:
    """Permille where a ratio, Wh where energy. docs/metering.md explains each with examples."""

    trend_min: int = 500  # permille: this year's use against last year's may scale an estimate no further
    trend_max: int = 2000
    recent_bills: int = 3  # how many bills the rolling use per day looks back on
    low_permille: int = 300
    high_permille: int = 2500
    customer_low_permille: int = 650  # a reading the customer sent is checked with half the distance
    customer_high_permille: int = 1750
    peer_high_permille: int = (
        4000  # no history: so many times the category's median use per day is believable
    )
    min_peers: int = 30
    min_difference_wh: int = 100_000  # a smaller difference from the expected use is never held
    max_days: int = 100
    ceiling_daily_wh: Mapping[int, int] = field(default_factory=dict)  # by category number
    default_ceiling_daily_wh: int = 500_000

    @classmethod
    def from_profile(cls, profile: HasMeasureParameters) -> "MeasureRules":
        """The rules of a country: its profile's `estimation` and `high_low`, defaults for the rest."""
        estimation, high_low = profile.estimation, profile.high_low
        low, high = high_low.own_low_percent * 10, high_low.own_high_percent * 10
        return cls(
            trend_min=estimation.trend_low_percent * 10,
            trend_max=estimation.trend_high_percent * 10,
            recent_bills=estimation.recent_average_bills,
            low_permille=low,
            high_permille=high,
            customer_low_permille=(1000 + low) // 2,
            customer_high_permille=(1000 + high) // 2,
            peer_high_permille=high_low.peer_high_percent * 10,
            min_difference_wh=high_low.ignore_below_wh,
        )
