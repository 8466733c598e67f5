"""Rules of claims: bounds of liability, what a mask hides, and whose days are whose."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.claims import rules
from tayyar.claims.errors import ClaimRefused

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1))
TODAY = dt.date(2026, 11, 22)
FIRST = dt.date(2026, 10, 1)


@given(DAYS)
def test_a_first_day_is_taken_from_the_current_bills_period_until_sixty_days_ahead(start: dt.date) -> None:
    try:
        rules.check_start(start, first=FIRST, today=TODAY)
        reason = ""
    except ClaimRefused as refused:
        reason = refused.reason
    last = dt.date(2027, 1, 21)  # 22 November and 60 days: 8 of November, 31 of December, 21 of January
    wanted = "START_EARLY" if start < FIRST else "START_LATE" if start > last else ""
    assert reason == wanted


@given(st.text())
def test_a_masked_place_keeps_one_letter_of_a_word_and_no_digit(address: str) -> None:
    shown = rules.masked_place(address)
    for word in shown.split():
        assert len(word.replace(rules.DOTS, "")) <= 1
    assert not any(letter.isdecimal() for letter in shown)


@pytest.mark.parametrize(
    ("address", "shown"),
    [("شارع التحلية 12", "ش••• ا••• •••"), ("12 King Fahd Rd.", "••• K••• F••• R•••"), ("", "")],
)
def test_addresses_as_they_are_masked(address: str, shown: str) -> None:
    assert rules.masked_place(address) == shown


def test_initials_are_letters_and_dots() -> None:
    assert rules.initials("سلمى العتيبي") == "س. ا."
    assert rules.initials("Nour Bakeries (Ltd)") == "N. B. L."


@given(DAYS, st.none() | DAYS, DAYS, DAYS)
def test_days_that_are_covered_are_touched_and_neither_reaches_beyond_the_end(
    start: dt.date, end: dt.date | None, first: dt.date, last: dt.date
) -> None:
    if last <= first:
        first, last = last, first + dt.timedelta(days=1)
    days = range((last - first).days)
    within = [
        start <= day and (end is None or day < end)
        for day in (first + dt.timedelta(days=step) for step in days)
    ]
    assert rules.covers(start, end, first, last) == all(within)
    assert rules.touches(start, end, first, last) == any(within)
