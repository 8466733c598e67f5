"""The forecast's arithmetic: cases by hand, and any history against a reference that is written as one would say it."""

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.billing.forecast import (
    Billed,
    Coming,
    Expected,
    a_year_before,
    coming_period,
    expected_use,
    priced,
)

JAN = dt.date(2026, 1, 1)


def month(year: int, number: int, kwh: int) -> Billed:
    start = dt.date(year, number, 1)
    end = dt.date(year + number // 12, number % 12 + 1, 1)
    return Billed(start, end, kwh * 1000)


NOVEMBER = Coming(dt.date(2026, 11, 1), dt.date(2026, 12, 1))


def test_without_a_bill_nothing_is_expected() -> None:
    assert expected_use(NOVEMBER, []) is None


def test_without_a_year_behind_it_the_last_three_bills_decide() -> None:
    history = [month(2026, 10, 310), month(2026, 9, 300), month(2026, 8, 279), month(2026, 7, 9999)]
    # (310 + 300 + 279) kWh / 92 days x 30 days = 289.891304 kWh. Misses: 10/9.6630 = 3.5 %, 3.5 %, 9/9.6630 = 6.9 %:
    # below the least band of 10 %, so 260.902174 and 318.880434.
    assert expected_use(NOVEMBER, history) == Expected("RECENT", 289_891, 260_902, 318_880)


def test_one_bill_alone_is_judged_by_nothing_so_the_band_is_thirty_percent() -> None:
    assert expected_use(NOVEMBER, [month(2026, 10, 310)]) == Expected("RECENT", 300_000, 210_000, 390_000)


def test_the_same_month_last_year_counts_as_this_year_compares_with_last() -> None:
    this_year = [month(2026, 10, 372), month(2026, 9, 360), month(2026, 8, 372)]
    last_year = [month(2025, 11, 150), month(2025, 10, 310), month(2025, 9, 300), month(2025, 8, 310)]
    # This year 1104 kWh against 920: 1.2 times. November 2025 used 5 kWh a day: 5 x 1.2 x 30 = 180 kWh, each of the
    # three bills exactly as the method says, so the least band: 162 and 198.
    assert expected_use(NOVEMBER, [*this_year, *last_year]) == Expected(
        "LAST_YEAR", 180_000, 162_000, 198_000
    )


def test_growth_beyond_double_counts_as_double() -> None:
    this_year = [month(2026, 10, 930)]
    last_year = [month(2025, 11, 150), month(2025, 10, 310)]
    # 3 times as much as last October counts as 2: 150 x 2 = 300, one pair only: 30 percent.
    assert expected_use(NOVEMBER, [*this_year, *last_year]) == Expected(
        "LAST_YEAR", 300_000, 210_000, 390_000
    )


def test_what_the_meter_showed_is_certain_and_narrows_the_band() -> None:
    coming = Coming(NOVEMBER.start, NOVEMBER.end, known_wh=123_456, known_days=20)
    # 10 days are left: 10 x 10 kWh = 100 kWh, less and more by 30 percent.
    assert expected_use(coming, [month(2026, 10, 310)]) == Expected("RECENT", 223_456, 193_456, 253_456)


def test_when_all_days_are_known_there_is_no_band() -> None:
    coming = Coming(NOVEMBER.start, NOVEMBER.end, known_wh=5, known_days=30)
    assert expected_use(coming, [month(2026, 10, 310)]) == Expected("RECENT", 5, 5, 5)


@pytest.mark.parametrize(
    ("last_end", "months", "until"),
    [("2026-11-01", 1, "2026-12-01"), ("2026-01-31", 1, "2026-02-28"), ("2026-12-15", 2, "2027-02-15")],
)
def test_the_next_bill_ends_on_the_same_day_of_a_later_month(last_end: str, months: int, until: str) -> None:
    begin = dt.date.fromisoformat(last_end)
    assert coming_period(begin, months) == (begin, dt.date.fromisoformat(until))


def test_amounts_of_a_tariff_that_charges_less_for_more_stay_in_order() -> None:
    found = priced(Expected("RECENT", 20, 10, 30), lambda wh: 100 - wh)
    assert (found.low_minor, found.amount_minor, found.high_minor) == (70, 80, 90)


# The reference: fractions instead of integers, days instead of products, written from the docstring.


def _reference(coming: Coming, history: list[Billed]) -> tuple[str, Fraction, Fraction, Fraction]:
    recent = history[:3]
    model = a_year_before(coming.end, history)
    if model is None:
        method = "RECENT"
        per_day = Fraction(sum(b.energy_wh for b in recent), sum(b.days for b in recent))
        judged = [(Fraction(b.energy_wh, b.days), per_day) for b in recent]
    else:
        method = "LAST_YEAR"
        pairs = [(b, a_year_before(b.end, history)) for b in recent]
        pairs = [(b, before) for b, before in pairs if before]
        now = Fraction(sum(b.energy_wh for b, _ in pairs), sum(b.days for b, _ in pairs) or 1)
        then = Fraction(sum(p.energy_wh for _, p in pairs), sum(p.days for _, p in pairs) or 1)
        growth = Fraction(1)
        if now > 0 and then > 0:
            growth = min(max(now / then, Fraction(1, 2)), Fraction(2))
        per_day = Fraction(model.energy_wh, model.days) * growth
        judged = [(Fraction(b.energy_wh, b.days), Fraction(p.energy_wh, p.days) * growth) for b, p in pairs]
    band = Fraction(3, 10)
    if len(judged) >= 2:
        worst = max((abs(was - told) / told if told else Fraction(1, 2)) for was, told in judged)
        thousandths = -(-worst.numerator * 1000 // worst.denominator)  # up to the next thousandth
        band = min(max(Fraction(thousandths, 1000), Fraction(1, 10)), Fraction(1, 2))
    rest = per_day * coming.rest_days
    return method, coming.known_wh + rest, rest * (1 - band), rest * (1 + band)


@st.composite
def histories(draw: st.DrawFn) -> list[Billed]:
    """Up to 26 bills of 20 to 70 days without a gap, newest first, the last one ending on 1 November 2026."""
    end, bills = NOVEMBER.start, []
    for _ in range(draw(st.integers(1, 26))):
        start = end - dt.timedelta(days=draw(st.one_of(st.integers(28, 31), st.integers(20, 70))))
        bills.append(Billed(start, end, draw(st.one_of(st.just(0), st.integers(0, 10**10)))))
        end = start
    return bills


@given(histories(), st.integers(0, 30), st.integers(0, 10**9))
def test_any_history_gives_what_the_reference_gives(
    history: list[Billed], known_days: int, known_wh: int
) -> None:
    coming = Coming(NOVEMBER.start, NOVEMBER.end, known_wh, known_days)
    found = expected_use(coming, history)
    assert found is not None
    method, energy, low_rest, high_rest = _reference(coming, history)
    assert found.method == method
    assert abs(found.energy_wh - energy) <= Fraction(1, 2)
    # The ends are made from the rounded middle: half a Wh of it at most 1.5 times, and their own half.
    assert abs(found.low_wh - known_wh - low_rest) <= 1
    assert abs(found.high_wh - known_wh - high_rest) <= Fraction(5, 4)
    assert known_wh <= found.low_wh <= found.energy_wh <= found.high_wh
