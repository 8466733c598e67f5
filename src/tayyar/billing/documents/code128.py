"""Code 128 barcodes of whole numbers: what a scanner at the counter reads off a printed bill.

Owns the symbol's pattern (ISO/IEC 15417, code set C: two digits a character). Never decides what is encoded.
Next: paper.py puts the SVG on the address sheet.
"""

from itertools import pairwise

from tayyar.core.errors import UserError

_START_C, _STOP = 105, 106
# Widths of the three bars and three spaces of each character, in modules; the stop has a bar more.
_WIDTHS = [
    "212222",
    "222122",
    "222221",
    "121223",
    "121322",
    "131222",
    "122213",
    "122312",
    "132212",
    "221213",
    "221312",
    "231212",
    "112232",
    "122132",
    "122231",
    "113222",
    "123122",
    "123221",
    "223211",
    "221132",
    "221231",
    "213212",
    "223112",
    "312131",
    "311222",
    "321122",
    "321221",
    "312212",
    "322112",
    "322211",
    "212123",
    "212321",
    "232121",
    "111323",
    "131123",
    "131321",
    "112313",
    "132113",
    "132311",
    "211313",
    "231113",
    "231311",
    "112133",
    "112331",
    "132131",
    "113123",
    "113321",
    "133121",
    "313121",
    "211331",
    "231131",
    "213113",
    "213311",
    "213131",
    "311123",
    "311321",
    "331121",
    "312113",
    "312311",
    "332111",
    "314111",
    "221411",
    "431111",
    "111224",
    "111422",
    "121124",
    "121421",
    "141122",
    "141221",
    "112214",
    "112412",
    "122114",
    "122411",
    "142112",
    "142211",
    "241211",
    "221114",
    "413111",
    "241112",
    "134111",
    "111242",
    "121142",
    "121241",
    "114212",
    "124112",
    "124211",
    "411212",
    "421112",
    "421211",
    "212141",
    "214121",
    "412121",
    "111143",
    "111341",
    "131141",
    "114113",
    "114311",
    "411113",
    "411311",
    "113141",
    "114131",
    "311141",
    "411131",
    "211412",
    "211214",
    "211232",
    "2331112",
]


def bars(digits: str) -> list[tuple[int, int]]:
    """The symbol as (first module, width) of each bar, without its quiet zones; an even number of digits, or
    UserError."""
    if not digits.isascii() or not digits.isdecimal() or len(digits) % 2:
        raise UserError(f"{digits!r} has no barcode here: it takes an even number of digits.")
    values = [_START_C, *(int(digits[i : i + 2]) for i in range(0, len(digits), 2))]
    check = (values[0] + sum(place * value for place, value in enumerate(values))) % 103
    widths = [int(width) for value in (*values, check, _STOP) for width in _WIDTHS[value]]
    edges = [0]
    for width in widths:
        edges.append(edges[-1] + width)
    return [(start, end - start) for start, end in list(pairwise(edges))[::2]]


def barcode_svg(digits: str) -> str:
    """The barcode as SVG, ten modules of quiet at both ends; to be drawn about 15 mm high."""
    found = bars(digits)
    wide = found[-1][0] + found[-1][1] + 20
    strokes = "".join(f"M{start + 10} 0h{width}v1h-{width}z" for start, width in found)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} 1" preserveAspectRatio="none">'
        f'<path fill="#000" shape-rendering="crispEdges" d="{strokes}"/></svg>'
    )
