"""Barcodes, read back by a reader that is not ours."""

import random

import numpy as np
import pytest
import zxingcpp

from tayyar.billing.documents.code128 import barcode_svg, bars
from tayyar.core.errors import UserError


def picture(digits: str) -> np.ndarray:
    """The symbol as pixels: three to a module, ten modules of quiet at both ends."""
    found = bars(digits)
    row = np.full(found[-1][0] + found[-1][1] + 20, 255, np.uint8)
    for start, width in found:
        row[start + 10 : start + 10 + width] = 0
    return np.tile(np.repeat(row, 3), (60, 1))


def test_an_independent_reader_reads_every_pair_of_digits() -> None:
    for first in range(0, 100, 10):
        digits = "".join(f"{pair:02d}" for pair in range(first, first + 10))
        (code,) = zxingcpp.read_barcodes(picture(digits), formats=zxingcpp.BarcodeFormat.Code128)
        assert code.text == digits


def test_an_independent_reader_reads_whatever_check_character_comes_out() -> None:
    draw = random.Random(28)
    for _ in range(150):
        digits = f"{draw.randrange(10**22):022d}"
        (code,) = zxingcpp.read_barcodes(picture(digits), formats=zxingcpp.BarcodeFormat.Code128)
        assert code.text == digits


def test_the_drawing_has_the_bars_of_the_pattern() -> None:
    digits = "2609000000000197000001"[:22]
    drawn = barcode_svg(digits)
    assert all(f"M{start + 10} 0h{width}v1" in drawn for start, width in bars(digits))
    assert drawn.count("M") == len(bars(digits))


@pytest.mark.parametrize("digits", ["123", "12A4", "١٢"])
def test_what_the_code_set_cannot_say_is_refused(digits: str) -> None:
    with pytest.raises(UserError, match="even number of digits"):
        bars(digits)
