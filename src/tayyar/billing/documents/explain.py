"""Why this bill changed: the difference between two bills, shared out exactly among its causes.

Owns the order of re-pricing and the exact sum. Never knows a tariff: the caller gives a `price` function.
Next: the shares go into `BillView.explanation`, and present.py says them in words.

The order, each step changing one thing and keeping all before it:
    1. DAYS         the previous daily use and tariff, over this period's number of days
    2. CONSUMPTION  this period's consumption
    3. TARIFF       this period's tariff and tax rates
SUBSIDY is taken out of every step and shown on its own, so that a larger subsidy is never mistaken for a lower
price. OTHER is what re-pricing cannot see: adjustments, minimum charges of special cases, rounding.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

from tayyar.billing.documents.view import ChangeKind, ChangeShare
from tayyar.core.money import divide_half_up


class Price(Protocol):
    """Re-prices one account: returns (total_minor, subsidy_minor), subsidy signed as on the bill (negative helps)."""

    def __call__(self, *, days: int, energy_wh: int, tariff_as_of: date) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class PricedPeriod:
    """What one of the two bills was: its days, consumption, the date that chose its tariff, and its total."""

    days: int
    energy_wh: int
    tariff_as_of: date
    total_minor: int


class Imagined(NamedTuple):
    """A bill that never was, to be priced: arguments of `Price`."""

    days: int
    energy_wh: int
    tariff_as_of: date


def steps(*, previous: PricedPeriod, current: PricedPeriod) -> tuple[Imagined, Imagined, Imagined, Imagined]:
    """What `explain_change` will ask to price, so that a caller can price all four at once."""
    # The same use per day over the new number of days, to the nearest Wh.
    stretched_wh = divide_half_up(previous.energy_wh * current.days, previous.days)
    return (
        Imagined(previous.days, previous.energy_wh, previous.tariff_as_of),
        Imagined(current.days, stretched_wh, previous.tariff_as_of),
        Imagined(current.days, current.energy_wh, previous.tariff_as_of),
        Imagined(current.days, current.energy_wh, current.tariff_as_of),
    )


def explain_change(*, previous: PricedPeriod, current: PricedPeriod, price: Price) -> tuple[ChangeShare, ...]:
    """The shares, in the order of the module docstring, summing exactly to current.total - previous.total.

    Shares of zero are left out. Facts: DAYS {days_before, days_now}; CONSUMPTION {wh_per_day_before,
    wh_per_day_now}; the others none. Errors of `price` pass through.
    """
    start, stretched, used, end = (
        price(days=one.days, energy_wh=one.energy_wh, tariff_as_of=one.tariff_as_of)
        for one in steps(previous=previous, current=current)
    )

    def step(before: tuple[int, int], after: tuple[int, int]) -> int:
        """The change of the price before subsidy."""
        return (after[0] - after[1]) - (before[0] - before[1])

    difference = current.total_minor - previous.total_minor
    shares = (
        ChangeShare(
            ChangeKind.DAYS,
            step(start, stretched),
            {"days_before": previous.days, "days_now": current.days},
        ),
        ChangeShare(
            ChangeKind.CONSUMPTION,
            step(stretched, used),
            {
                "wh_per_day_before": divide_half_up(previous.energy_wh, previous.days),
                "wh_per_day_now": divide_half_up(current.energy_wh, current.days),
            },
        ),
        ChangeShare(ChangeKind.TARIFF, step(used, end)),
        ChangeShare(ChangeKind.SUBSIDY, end[1] - start[1]),
        ChangeShare(ChangeKind.OTHER, difference - (end[0] - start[0])),
    )
    return tuple(share for share in shares if share.amount_minor)
