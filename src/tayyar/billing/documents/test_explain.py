"""The causes of a change: hand-made prices, hand-made sums."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from tayyar.billing.documents.explain import PricedPeriod, explain_change
from tayyar.billing.documents.view import ChangeKind

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def plain_price(*, days: int, energy_wh: int, tariff_as_of: date) -> tuple[int, int]:
    """10 minor units per kWh and 30 a day in January; 12 per kWh from February. No subsidy."""
    per_kwh = 10 if tariff_as_of < FEBRUARY else 12
    return energy_wh * per_kwh // 1000 + 30 * days, 0


def subsidised_price(*, days: int, energy_wh: int, tariff_as_of: date) -> tuple[int, int]:
    """20 per kWh, of which the state carries 5 in January and 8 from February."""
    gross = energy_wh * 20 // 1000
    subsidy = -(energy_wh * (5 if tariff_as_of < FEBRUARY else 8) // 1000)
    return gross + subsidy, subsidy


def test_days_use_and_price_each_get_their_share() -> None:
    # Before: 300 kWh, 30 days, 10/kWh: 3000 + 900 = 3900.   Now: 620 kWh, 31 days, 12/kWh: 7440 + 930 = 8370.
    # DAYS: 10 kWh a day over 31 days = 310 kWh: 3100 + 930 = 4030, +130.
    # CONSUMPTION: 620 kWh at 10: 6200 + 930 = 7130, +3100.   TARIFF: 8370 - 7130 = +1240.   Sum 4470 = 8370 - 3900.
    shares = explain_change(
        previous=PricedPeriod(30, 300_000, JANUARY, 3900),
        current=PricedPeriod(31, 620_000, FEBRUARY, 8370),
        price=plain_price,
    )
    assert [(share.kind, share.amount_minor) for share in shares] == [
        (ChangeKind.DAYS, 130),
        (ChangeKind.CONSUMPTION, 3100),
        (ChangeKind.TARIFF, 1240),
    ]
    assert shares[0].facts == {"days_before": 30, "days_now": 31}
    assert shares[1].facts == {"wh_per_day_before": 10_000, "wh_per_day_now": 20_000}


def test_a_larger_subsidy_is_not_taken_for_a_lower_price() -> None:
    # Same 100 kWh, same days: gross 2000 both times; subsidy -500 before, -800 now: total 1500 -> 1200.
    shares = explain_change(
        previous=PricedPeriod(30, 100_000, JANUARY, 1500),
        current=PricedPeriod(30, 100_000, FEBRUARY, 1200),
        price=subsidised_price,
    )
    assert [(share.kind, share.amount_minor) for share in shares] == [(ChangeKind.SUBSIDY, -300)]


def test_what_repricing_cannot_see_is_other() -> None:
    # The bill carries an adjustment of 250 that no tariff explains.
    shares = explain_change(
        previous=PricedPeriod(30, 100_000, JANUARY, 1900),
        current=PricedPeriod(30, 100_000, JANUARY, 2150),
        price=plain_price,
    )
    assert [(share.kind, share.amount_minor) for share in shares] == [(ChangeKind.OTHER, 250)]


def test_two_equal_bills_need_no_explanation() -> None:
    same = PricedPeriod(30, 100_000, JANUARY, 1900)
    assert explain_change(previous=same, current=same, price=plain_price) == ()


periods = st.builds(
    PricedPeriod,
    days=st.integers(1, 92),
    energy_wh=st.integers(0, 50_000_000),
    tariff_as_of=st.sampled_from([JANUARY, FEBRUARY]),
    total_minor=st.integers(-1_000_000, 1_000_000),
)


@given(previous=periods, current=periods)
def test_the_shares_always_sum_to_the_difference(previous: PricedPeriod, current: PricedPeriod) -> None:
    shares = explain_change(previous=previous, current=current, price=subsidised_price)
    assert sum(share.amount_minor for share in shares) == current.total_minor - previous.total_minor
