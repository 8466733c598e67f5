"""A slip of 80 mm paper as ESC/POS bytes: drawn as one picture, so that Arabic is joined and runs the right way.

Pure: texts in, bytes out; the same texts give the same bytes. Printers draw Arabic letters apart and in the wrong
order, if they have them at all; every one of them prints a raster picture. Next: printing.py delivers the bytes.
"""

import json
import threading
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import typst
from PIL import Image

from tayyar.billing.documents import pdf
from tayyar.billing.documents.qr import qr_svg
from tayyar.core.text import RTL_LANGUAGES

DOTS = 576  # 72 mm at 203 dots to the inch: the printable width of 80 mm paper
BAND = 128  # rows in one command: small printers keep no more
_DARK = 160  # of 255: what is darker than this is printed
_POINTS = 216  # the slip's width in receipt.typ; 576 dots / 216 points
_INIT, _FEED, _CUT = b"\x1b@", b"\x1bd\x04", b"\x1dV\x42\x00"
HERE = Path(__file__).parent
_compilers = threading.local()


@dataclass(frozen=True, slots=True)
class Slip:
    """What a slip says. `rows` are label and value; `lead` the one thing to read; `address` becomes a QR code."""

    lang: str
    utility: str
    title: str
    label: str
    lead: str
    note: str
    rows: tuple[tuple[str, str], ...]
    foot: str
    address: str = ""


def slip_bytes(slip: Slip) -> bytes:
    """The slip for an ESC/POS printer: initialise, raster picture, feed, cut."""
    return escpos(picture(slip))


def picture(slip: Slip) -> bytes:
    """The slip as PNG, DOTS wide and as high as it must be, black on white."""
    page = {
        "lang": slip.lang,
        "rtl": slip.lang in RTL_LANGUAGES,
        **{name: getattr(slip, name) for name in ("utility", "title", "label", "lead", "note", "foot")},
        "rows": [list(row) for row in slip.rows],
    }
    inputs = {
        "page": pdf.drawable(json.dumps(page, ensure_ascii=False)),
        "qr": qr_svg(slip.address) if slip.address else "",
    }
    data = _compiler().compile(sys_inputs=inputs, format="png", ppi=DOTS * 72 / _POINTS)
    assert isinstance(data, bytes)  # one page in, one picture out
    return data


def escpos(png: bytes) -> bytes:
    """A picture of DOTS columns as ESC/POS: GS v 0 in bands, most significant bit left, 1 is black."""
    with Image.open(BytesIO(png)) as image:
        flat = Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
    grey = flat.convert("L")
    if grey.width != DOTS:
        raise ValueError(f"a slip is {DOTS} dots wide, this picture {grey.width}")
    black = grey.point([255 if level < _DARK else 0 for level in range(256)]).convert(
        "1", dither=Image.Dither.NONE
    )
    bands = []
    for top in range(0, black.height, BAND):
        rows = min(BAND, black.height - top)
        bits = black.crop((0, top, DOTS, top + rows)).tobytes()
        bands.append(b"\x1dv0\x00" + (DOTS // 8).to_bytes(2, "little") + rows.to_bytes(2, "little") + bits)
    return _INIT + b"".join(bands) + _FEED + _CUT


def _compiler() -> typst.Compiler:
    """This thread's compiler, as in billing/documents/pdf.py."""
    found = getattr(_compilers, "receipt", None)
    if found is None:
        fonts = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=False,
            font_paths=[str(pdf.HERE / "fonts")],
        )
        found = _compilers.receipt = typst.Compiler(
            str(HERE / "receipt.typ"), root=str(HERE), font_paths=fonts
        )
    return found
