"""Bill numbers."""

import pytest

from tayyar.billing import numbers
from tayyar.core.errors import UserError
from tayyar.core.periods import Period

NOVEMBER = Period(2026, 11)


def test_a_number_says_its_month_series_and_place() -> None:
    number = numbers.bill_number(NOVEMBER, numbers.CREDIT, 42)
    assert f"{number:015d}"[:13] == "2611200000042"
    assert numbers.bill_period(number) == NOVEMBER


def test_the_last_of_a_hundred_million_is_still_in_its_series() -> None:
    first, end = numbers.series_bounds(NOVEMBER, numbers.RUN)
    assert first < numbers.bill_number(NOVEMBER, numbers.RUN, 99_999_999) < end
    assert numbers.bill_number(NOVEMBER, numbers.SINGLE, 1) >= end


def test_a_number_read_aloud_in_groups_is_understood() -> None:
    number = numbers.bill_number(NOVEMBER, numbers.RUN, 1234)
    text = f"{number:015d}"
    assert numbers.parse_bill_number(" ".join(text[i : i + 3] for i in range(0, 15, 3))) == number


def test_a_number_with_a_wrong_digit_is_refused() -> None:
    number = numbers.bill_number(NOVEMBER, numbers.RUN, 1234)
    with pytest.raises(UserError, match="check digits"):
        numbers.parse_bill_number(str(number + 1))
