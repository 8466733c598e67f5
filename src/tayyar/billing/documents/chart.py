"""The 13-month bar chart: heights and places computed once, drawn as SVG for the page and by Typst for the PDF.

Owns the chart's geometry in whole numbers. Never decides words. Bars run in reading direction: the newest month
is last in the reader's eye, so at the left in Arabic. Next: present.py and the templates.
"""

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 338, 132
TOP, BASE = 22, 112  # the bars live between; values above, month numbers below
STEP, BAR = 26, 18


def bar_permille(values: Sequence[int | None]) -> list[int | None]:
    """Heights in thousandths of the tallest bar; a month with any use shows at least 12, None stays None."""
    tallest = max((value for value in values if value is not None), default=0)
    if tallest <= 0:
        return [None if value is None else 0 for value in values]
    return [None if v is None else max(12, v * 1000 // tallest) if v > 0 else 0 for v in values]


def svg(
    values: Sequence[int | None], labels: Sequence[str], shown: Sequence[str], *, rtl: bool, alt: str
) -> str:
    """The chart as inline SVG, styled by classes of tayyar.css; no text of it needs to be read (alt and table do).

    `labels` stand under the bars; `shown` above them where not empty. The last value is this month; the first is
    the same month last year when there are 13.
    """
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}" focusable="false">',
        f'<line class="axis" x1="0" y1="{BASE}.5" x2="{WIDTH}" y2="{BASE}.5"/>',
    ]
    last = len(values) - 1
    for index, height in enumerate(bar_permille(values)):
        slot = last - index if rtl else index
        x = slot * STEP + (STEP - BAR) // 2
        kind = "now" if index == last else "year-ago" if index == 0 and last == 12 else "bar"
        if height is None:
            parts.append(f'<line class="gap" x1="{x}" y1="{BASE - 3}" x2="{x + BAR}" y2="{BASE - 3}"/>')
        else:
            tall = height * (BASE - TOP) // 1000
            parts.append(
                f'<rect class="{kind}" x="{x}" y="{BASE - tall}" width="{BAR}" height="{tall}" rx="2"/>'
            )
            if kind == "now" and tall > 3:
                parts.append(
                    f'<rect class="spark" x="{x}" y="{BASE - tall}" width="{BAR}" height="3" rx="1.5"/>'
                )
            if shown[index]:
                # The value of an outermost bar is aligned to the chart's edge so that it cannot be cut off.
                at, anchor = (
                    (0, "start")
                    if slot == 0
                    else (WIDTH, "end")
                    if slot == last
                    else (x + BAR // 2, "middle")
                )
                parts.append(
                    f'<text class="value {kind}" direction="ltr" x="{at}" y="{BASE - tall - 6}"'
                    f' text-anchor="{anchor}">{escape(shown[index])}</text>'
                )
        parts.append(
            f'<text class="tick {kind}" direction="ltr" x="{x + BAR // 2}" y="{HEIGHT - 4}"'
            f' text-anchor="middle">{escape(labels[index])}</text>'
        )
    return "".join(parts) + "</svg>"


def fill_svg(permille: int, *, rtl: bool) -> str:
    """A bar filled to `permille` thousandths from the reading side: how much of a price block was used."""
    filled = max(0, min(1000, permille))
    x = 1000 - filled if rtl else 0
    return (
        '<svg class="fill" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="1000" height="10"/>'
        f'<rect class="used" x="{x}" width="{filled}" height="10"/></svg>'
    )
