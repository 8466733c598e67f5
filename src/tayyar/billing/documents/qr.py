"""The QR code that opens a bill's page.

Owns its exact shape: the same address always gives the same bytes. Next: page.py and pdf.py.
"""

import segno

# Any mask is valid and readable; trying all eight, as the standard's search for the prettiest does, costs 3 ms a bill.
QR_MASK = 3


def qr_svg(url: str) -> str:
    """The QR code of `url` (error level M) as SVG without its quiet zone: the page leaves the margin."""
    code = segno.make(url, micro=False, error="m", boost_error=False, mask=QR_MASK)
    return str(code.svg_inline(border=0, dark="#0B1F2A", omitsize=True))
