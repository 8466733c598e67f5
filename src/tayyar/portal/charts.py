"""The pictures of the pages of /me as inline SVG: a tiny trend, months against last year and a budget, days.

Owns geometry in whole numbers; classes of me_pages.css give the colours, print turns them grey. Never decides words:
the sentence and the table beside each chart say all of it (parts/chart.html), so the pictures are aria-hidden. They
run in reading direction: the newest is last in the reader's eye.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString, mark_safe

TREND_STEP, TREND_HEIGHT = 6, 28
WIDTH, HEIGHT, TOP, BASE = 338, 150, 20, 128


@dataclass(frozen=True, slots=True)
class Bar:
    """One month: its value, the same month last year (a mark across the bar), and the text under and above it.

    `low` and `high` are the band of a month that is still to come.
    """

    value: int | None
    before: int | None = None
    tick: str = ""
    shown: str = ""
    low: int | None = None
    high: int | None = None


def trend_svg(values: Sequence[int | None], *, rtl: bool) -> SafeString:
    """Bars of the last months for a card; the last one is lit."""
    most, last = max((v for v in values if v), default=0), len(values) - 1
    shapes = []
    for at, value in enumerate(values):
        if value is not None and most > 0:
            tall = max(2, value * TREND_HEIGHT // most) if value > 0 else 1
            x = (last - at if rtl else at) * TREND_STEP
            look = "now" if at == last else "bar"
            shapes.append(
                f'<rect class="{look}" x="{x}" y="{TREND_HEIGHT - tall}" width="{TREND_STEP - 2}" height="{tall}"/>'
            )
    wide = max(len(values), 1) * TREND_STEP
    return _safe(
        f'<svg class="chart trend" viewBox="0 0 {wide} {TREND_HEIGHT}" width="{wide}" height="{TREND_HEIGHT}"'
        f' aria-hidden="true" focusable="false">{"".join(shapes)}</svg>'
    )


def months_svg(bars: Sequence[Bar], *, budget: int | None = None, rtl: bool) -> SafeString:
    """A bar a month, the mark of the year before, a dashed bar with its band for what is to come, the budget's line."""
    known = [n for bar in bars for n in (bar.value, bar.before, bar.high) if n is not None]
    scale = max([*known, budget or 0, 1])

    def up(value: int) -> int:
        return max(0, value) * (BASE - TOP) // scale

    step = WIDTH // max(len(bars), 1)
    wide = step * 2 // 3
    lit = max((at for at, bar in enumerate(bars) if bar.value is not None and bar.high is None), default=-1)
    parts = [_axis()]
    for at, bar in enumerate(bars):
        slot = len(bars) - 1 - at if rtl else at
        x = slot * step + (step - wide) // 2
        look = "coming" if bar.high is not None else "now" if at == lit else "bar"
        tall = up(bar.value or 0)
        if bar.value is None:
            parts.append(f'<line class="gap" x1="{x}" y1="{BASE - 3}" x2="{x + wide}" y2="{BASE - 3}"/>')
        else:
            tall = max(tall, 2) if bar.value > 0 else 0
            parts.append(
                f'<rect class="{look}" x="{x}" y="{BASE - tall}" width="{wide}" height="{tall}" rx="2"/>'
            )
        if bar.high is not None and bar.low is not None:
            middle = x + wide // 2
            parts.append(
                f'<path class="band" d="M{middle - 4} {BASE - up(bar.high)}h8m-4 0V{BASE - up(bar.low)}m-4 0h8"/>'
            )
        if bar.before is not None:
            y = BASE - up(bar.before)
            parts.append(f'<line class="before" x1="{x - 2}" y1="{y}" x2="{x + wide + 2}" y2="{y}"/>')
        top = BASE - max(tall, up(bar.before or 0), up(bar.high or 0)) - 6
        parts.append(_text(bar.shown, "value " + look, x + wide // 2, max(top, 11), slot, len(bars)))
        parts.append(_text(bar.tick, "tick " + look, x + wide // 2, HEIGHT - 6, slot, len(bars)))
    if budget:
        y = BASE - up(budget)
        parts.append(f'<line class="budget" x1="0" y1="{y}" x2="{WIDTH}" y2="{y}"/>')
    return _svg("months", parts)


def days_svg(values: Sequence[int | None], ticks: Sequence[str], *, rtl: bool) -> SafeString:
    """A thin bar a day; a day that was not read is a gap. `ticks` stand under the days that have one."""
    scale, last = max([v for v in values if v] or [1]), len(values) - 1
    step = WIDTH * 100 // max(len(values), 1)  # in hundredths: 60 days do not divide the width
    parts = [_axis()]
    for at, value in enumerate(values):
        slot = last - at if rtl else at
        x, wide = slot * step // 100, max(2, step * 7 // 1000)
        if value is not None:
            tall = max(2, value * (BASE - TOP) // scale) if value > 0 else 0
            look = "now" if at == last else "bar"
            parts.append(f'<rect class="{look}" x="{x}" y="{BASE - tall}" width="{wide}" height="{tall}"/>')
        if ticks[at]:
            parts.append(_text(ticks[at], "tick", x + wide // 2, HEIGHT - 6, slot, len(values)))
    return _svg("days", parts)


def _axis() -> str:
    return f'<line class="axis" x1="0" y1="{BASE}.5" x2="{WIDTH}" y2="{BASE}.5"/>'


def _text(text: str, look: str, x: int, y: int, slot: int, count: int) -> str:
    """A label in the middle of its bar; of the outermost bars at the chart's edge, so that none is cut off."""
    if not text:
        return ""
    at, anchor = (0, "start") if slot == 0 else (WIDTH, "end") if slot == count - 1 else (x, "middle")
    return (
        f'<text class="{look}" direction="ltr" x="{at}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(look: str, parts: Sequence[str]) -> SafeString:
    return _safe(
        f'<svg class="chart {look}" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">'
        f"{''.join(parts)}</svg>"
    )


def _safe(svg: str) -> SafeString:
    return mark_safe(svg)  # noqa: S308 - numbers and escaped texts only
