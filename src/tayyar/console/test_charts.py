"""The console's pictures: true proportions, in reading direction, nothing cut off in silence."""

import re

from tayyar.console.charts import TOP, band_svg, columns_svg, share_svg, stack_svg

PARTS = [("billed", 900), ("held", 99), ("rejected", 1)]


def rects(svg: str, kind: str) -> list[tuple[int, int]]:
    """(x, width) of the rectangles of a class."""
    return [(int(x), int(w)) for x, w in re.findall(rf'class="{kind}" x="(\d+)"[^>]*?width="(\d+)"', svg)]


def test_a_run_is_one_bar_of_its_outcomes_from_the_reading_side() -> None:
    ltr, rtl = (stack_svg(PARTS, 1000, rtl=rtl, alt="") for rtl in (False, True))
    assert rects(ltr, "billed") == [(0, 900)]
    assert rects(ltr, "held") == [(900, 99)]
    assert rects(rtl, "billed") == [(100, 900)]


def test_even_one_account_in_a_million_can_be_seen_and_the_bar_never_overflows() -> None:
    svg = stack_svg([("billed", 999_999), ("rejected", 1)], 1_000_000, rtl=False, alt="")
    (_, billed), (at, rejected) = rects(svg, "billed")[0], rects(svg, "rejected")[0]
    assert (billed, at, rejected) == (999, 999, 1)


def test_a_run_without_accounts_is_an_empty_bar() -> None:
    assert "billed" not in stack_svg([("billed", 0)], 0, rtl=False, alt="")


def test_a_share_is_measured_by_the_largest() -> None:
    assert 'width="250"' in share_svg(25, 100, rtl=False)
    assert 'x="750"' in share_svg(25, 100, rtl=True)


def columns(svg: str) -> list[tuple[int, int]]:
    """(x, height) of the columns, from the left."""
    return sorted((int(x), int(h)) for x, h in re.findall(r'x="(\d+)" y="\d+" width="8" height="(\d+)"', svg))


def test_columns_are_measured_by_the_tallest_and_run_in_reading_direction() -> None:
    assert columns(columns_svg([50, 0, 200], rtl=False, alt="")) == [(1, 25), (21, 100)]
    assert columns(columns_svg([50, 0, 200], rtl=True, alt="")) == [(1, 100), (21, 25)]


def test_one_bill_beside_a_million_can_be_seen() -> None:
    assert columns(columns_svg([1_000_000, 1], rtl=False, alt="")) == [(1, 100), (11, 2)]


def test_no_hours_are_an_empty_chart() -> None:
    assert columns(columns_svg([], rtl=True, alt="")) == []


def chart(measured: int, *, rtl: bool = False) -> str:
    return band_svg([1000, None, 1200], measured, (800, 1600), ["7", "8", "9", "10"], "x", rtl=rtl, alt="")


def test_the_expected_band_stands_where_the_measured_bar_does() -> None:
    for rtl in (False, True):
        (band, wide), (bar, _) = (
            rects(chart(2000, rtl=rtl), "expected")[0],
            rects(chart(2000, rtl=rtl), "measured")[0],
        )
        assert band <= bar <= band + wide


def test_a_value_far_above_everything_is_cut_and_says_so() -> None:
    assert 'class="cut"' not in chart(3000)
    cut = chart(90_000)
    assert 'class="cut"' in cut
    assert f'y="{TOP}"' in cut


def test_a_month_without_a_bill_is_a_gap_and_not_a_zero() -> None:
    assert chart(1000).count('class="gap"') == 1


def test_texts_are_escaped() -> None:
    assert "<script>" not in stack_svg(PARTS, 1000, rtl=False, alt="<script>")
