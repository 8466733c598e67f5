"""The QR code that opens a bill's page.

Owns its exact shape: the same address always gives the same bytes. Next: page.py and pdf.py.
"""

import re

import segno

# Any mask is valid and readable; trying all eight, as the standard's search for the prettiest does, costs 3 ms a bill.
QR_MASK = 3
_DARK = re.compile(b"\x01+")


def qr_svg(url: str) -> str:
    """The QR code of `url` (error level M) as SVG without its quiet zone: the page leaves the margin."""
    code = segno.make(url, micro=False, error="m", boost_error=False, mask=QR_MASK)
    rows = [bytes(row) for row in code.matrix]
    # One horizontal stroke for each run of dark modules.
    strokes = "".join(
        f"M{run.start()} {y}.5h{run.end() - run.start()}"
        for y, row in enumerate(rows)
        for run in _DARK.finditer(row)
    )
    size = len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" class="qr">'
        f'<path stroke="#0B1F2A" stroke-width="1" shape-rendering="crispEdges" d="{strokes}"/></svg>'
    )
