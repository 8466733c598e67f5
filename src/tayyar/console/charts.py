"""The console's pictures as inline SVG: a run's outcome in one bar, held accounts by reason, use against its band,
reach hour by hour.

Owns geometry in whole numbers; classes of console.css give the colours. Never decides words: each chart takes its
text alternative, and the figures stand beside it in the page. Charts run in reading direction.
"""

from collections.abc import Sequence
from html import escape

from tayyar.billing.documents.chart import bar_permille

WIDTH, HEIGHT = 560, 190
TOP, BASE = 26, 160
STEP, BAR = 40, 26


def stack_svg(parts: Sequence[tuple[str, int]], total: int, *, rtl: bool, alt: str) -> str:
    """One bar of 1000 thousandths: (class, count) side by side from the reading side; any count shows at least 4."""
    shapes, at = [], 0
    for kind, count in parts:
        if count <= 0 or total <= 0:
            continue
        wide = min(max(4, count * 1000 // total), 1000 - at)
        x = 1000 - at - wide if rtl else at
        shapes.append(f'<rect class="{escape(kind)}" x="{x}" width="{wide}" height="16"/>')
        at += wide
    return (
        f'<svg class="stack" viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" aria-label="{escape(alt)}"'
        f' focusable="false"><rect class="track" width="1000" height="16"/>{"".join(shapes)}</svg>'
    )


def share_svg(count: int, most: int, *, rtl: bool) -> str:
    """A thin bar beside a figure: `count` of the largest, `most`."""
    wide = count * 1000 // most if most > 0 else 0
    x = 1000 - wide if rtl else 0
    return (
        '<svg class="share" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect x="{x}" width="{wide}" height="10"/></svg>'
    )


def columns_svg(counts: Sequence[int], *, rtl: bool, alt: str) -> str:
    """Columns side by side from the reading side, the tallest 100 high; any count shows at least 2. Hours, days."""
    most, shapes = max(counts, default=0), []
    for index, count in enumerate(counts):
        if count > 0:
            x = (len(counts) - 1 - index if rtl else index) * 10
            tall = max(2, count * 100 // most)
            shapes.append(f'<rect x="{x + 1}" y="{100 - tall}" width="8" height="{tall}"/>')
    wide = max(len(counts), 1) * 10
    return (
        f'<svg class="columns-chart" viewBox="0 0 {wide} 101" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(alt)}" focusable="false">{"".join(shapes)}'
        f'<rect class="track" y="100" width="{wide}" height="1"/></svg>'
    )


def band_svg(
    history: Sequence[int | None],
    measured: int,
    band: tuple[int, int] | None,
    labels: Sequence[str],
    shown: str,
    *,
    rtl: bool,
    alt: str,
) -> str:
    """Use per month (Wh), then the measured use with the band in which it was expected.

    A measured bar above twice everything else is cut, with a gap that says so: its value stands above it. `labels`
    are those of the months and of the measured bar; `shown` is the measured value.
    """
    known = [value for value in history if value is not None]
    ceiling = max([*known, *(band or ()), 1]) * 2
    is_cut = measured > ceiling
    values = [
        *history,
        min(measured, ceiling),
        ceiling if is_cut else max([*known, *(band or ()), measured, 1]),
    ]
    heights = [None if v is None else v * (BASE - TOP) // 1000 for v in bar_permille(values)[:-1]]
    scale = values[-1] or 1
    last = len(heights) - 1
    wide = len(heights) * STEP
    parts = [
        f'<svg class="chart band" viewBox="0 0 {max(wide, WIDTH)} {HEIGHT}" role="img" aria-label="{escape(alt)}"'
        ' focusable="false">'
    ]
    offset = max(WIDTH - wide, 0) if rtl else 0
    if band:
        low, high = (BASE - edge * (BASE - TOP) // scale for edge in band)
        slot = offset + (0 if rtl else last * STEP)
        tall_band = max(low - high, 2)
        parts.append(
            f'<rect class="expected" x="{slot}" y="{high}" width="{STEP}" height="{tall_band}" rx="3"/>'
        )
    parts.append(f'<line class="axis" x1="0" y1="{BASE}.5" x2="{max(wide, WIDTH)}" y2="{BASE}.5"/>')
    for index, tall in enumerate(heights):
        x = offset + (last - index if rtl else index) * STEP + (STEP - BAR) // 2
        kind = "measured" if index == last else "bar"
        if tall is None:
            parts.append(f'<line class="gap" x1="{x}" y1="{BASE - 3}" x2="{x + BAR}" y2="{BASE - 3}"/>')
        else:
            parts.append(
                f'<rect class="{kind}" x="{x}" y="{BASE - tall}" width="{BAR}" height="{tall}" rx="2"/>'
            )
        if index == last:
            if is_cut:
                parts.append(
                    f'<path class="cut" d="M{x - 4} {TOP + 22}l{BAR + 8} -8m{-BAR - 8} 14l{BAR + 8} -8"/>'
                )
            edge, anchor = (x - 7, "start") if rtl else (x + BAR + 7, "end")
            y = BASE - (tall or 0) - 8
            parts.append(
                f'<text class="value" direction="ltr" x="{edge}" y="{y}" text-anchor="{anchor}">{escape(shown)}</text>'
            )
        parts.append(
            f'<text class="tick" direction="ltr" x="{x + BAR // 2}" y="{HEIGHT - 10}" text-anchor="middle">'
            f"{escape(labels[index])}</text>"
        )
    return "".join(parts) + "</svg>"
