"""The QR drawing is exactly the code's matrix."""

import re

import segno

from tayyar.billing.documents.qr import QR_MASK, qr_svg

URL = "https://bill.tayyar.example/b/Zk3vT9qLxP2mWn8cR5yH7d"


def test_every_dark_module_is_drawn_and_no_light_one() -> None:
    code = segno.make(URL, micro=False, error="m", boost_error=False, mask=QR_MASK)
    drawn = [[0] * len(code.matrix) for _ in code.matrix]
    for x, y, width in re.findall(r"M(\d+) (\d+)\.5h(\d+)", qr_svg(URL)):
        for column in range(int(x), int(x) + int(width)):
            drawn[int(y)][column] = 1
    assert drawn == [list(row) for row in code.matrix]


def test_the_same_address_gives_the_same_drawing() -> None:
    assert qr_svg(URL) == qr_svg(URL)
    assert qr_svg(URL) != qr_svg(URL + "x")
