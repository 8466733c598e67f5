"""The geometry of the bill's pictures."""

import re

from tayyar.billing.documents.chart import WIDTH, bar_permille, fill_svg, svg


def places(rtl: bool) -> list[int]:
    labels = [str(n) for n in range(1, 14)]
    picture = svg(list(range(100, 1400, 100)), labels, [""] * 13, rtl=rtl, alt="")
    return [int(x) for x in re.findall(r'<text class="tick[^>]* x="(\d+)"', picture)]


def test_the_tallest_month_is_a_thousand_and_the_others_are_in_proportion() -> None:
    assert bar_permille([500, 2000, None, 0]) == [250, 1000, None, 0]


def test_a_month_of_little_use_is_still_seen() -> None:
    assert bar_permille([1, 100_000]) == [12, 1000]


def test_without_any_use_there_are_no_heights() -> None:
    assert bar_permille([0, None]) == [0, None]


def test_the_newest_month_is_at_the_left_in_arabic_and_at_the_right_in_english() -> None:
    assert places(rtl=False) == sorted(places(rtl=False))
    assert places(rtl=True) == sorted(places(rtl=True), reverse=True)
    assert max(places(rtl=True)) < WIDTH


def test_a_price_block_fills_from_the_reading_side() -> None:
    assert 'x="750" width="250"' in fill_svg(250, rtl=True)
    assert 'x="0" width="250"' in fill_svg(250, rtl=False)
