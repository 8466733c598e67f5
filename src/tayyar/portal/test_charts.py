"""The pictures of /me: reading direction, gaps, the band of what is to come, nothing outside the frame."""

import re

from tayyar.portal.charts import BASE, TOP, WIDTH, Bar, days_svg, months_svg, trend_svg


def places(svg: str, look: str, name: str = "x") -> list[int]:
    return [int(found) for found in re.findall(rf'<rect class="{look}"[^>]* {name}="(\d+)"', svg)]


def test_the_newest_month_is_last_in_the_readers_eye() -> None:
    bars = [Bar(10), Bar(20), Bar(30)]
    assert places(months_svg(bars, rtl=False), "now")[0] > max(places(months_svg(bars, rtl=False), "bar"))
    assert places(months_svg(bars, rtl=True), "now")[0] < min(places(months_svg(bars, rtl=True), "bar"))


def test_the_tallest_of_bars_marks_band_and_budget_reaches_the_top_and_nothing_leaves_the_frame() -> None:
    bars = [Bar(10, before=40), Bar(None), Bar(20, low=10, high=50)]
    svg = months_svg(bars, budget=100, rtl=True)
    assert f'class="budget" x1="0" y1="{TOP}" x2="{WIDTH}"' in svg
    heights = places(svg, "now", "height") + places(svg, "coming", "height")
    # 10 and 20 of 100 over the 108 points between top and base.
    assert heights == [10, 21]
    assert svg.count('class="gap"') == 1
    assert svg.count('class="before"') == 1
    assert BASE - TOP == 108


def test_what_is_to_come_is_not_lit_as_the_last_bill() -> None:
    svg = months_svg([Bar(10), Bar(20), Bar(30, low=20, high=40)], rtl=False)
    assert (svg.count('class="now"'), svg.count('class="coming"')) == (1, 1)
    assert svg.count('class="band"') == 1


def test_a_day_that_was_not_read_has_no_bar_and_a_day_without_use_a_flat_one() -> None:
    svg = days_svg([5, None, 0], ["1", "", ""], rtl=False)
    assert places(svg, "(?:bar|now)", "height") == [108, 0]


def test_texts_are_escaped_and_pictures_are_left_to_sentence_and_table() -> None:
    svg = months_svg([Bar(1, tick="<b>", shown="&")], rtl=False)
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg
    for picture in (svg, trend_svg([1, None], rtl=True), days_svg([1], ["1"], rtl=True)):
        assert 'aria-hidden="true"' in picture


def test_an_account_that_used_nothing_has_a_picture_without_bars() -> None:
    assert "<rect" not in trend_svg([None, None], rtl=False)
    assert "<rect" not in trend_svg([], rtl=False)
    assert "<rect" not in months_svg([Bar(None)], rtl=False)
