"""Papers that people upload: looked at, refused where they are not what they say, and made anew from their content.

A picture becomes a JPEG of at most 2000 pixels without its metadata; of a PDF only the pages' own content is kept.
Nothing that was uploaded is stored or shown as it came. Pure: no database. Next: services.py seals what comes out.
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdf
from PIL import Image, ImageOps
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, StreamObject

from tayyar.core.errors import UserError

MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 50_000_000  # what a telephone's camera makes, and not much more: 200 MB while it is read
LONG_SIDE = 2000
QUALITY = 85
MOST_PAGES = 30
LONGEST_PAGE = 4000  # points of 1/72 inch: beyond A0
MOST_OBJECTS = 20_000
MOST_INFLATED = 100 * 1024 * 1024  # what all compressed streams of a PDF may hold

JPEG, PDF = "image/jpeg", "application/pdf"
_PICTURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_KEPT = {
    "/Type", "/Parent", "/Resources", "/MediaBox", "/CropBox", "/Rotate", "/Contents", "/Group",
}  # fmt: skip
_ACTING = {
    "/JavaScript",
    "/Launch",
    "/Rendition",
    "/RichMediaExecute",
    "/GoToE",
    "/ImportData",
    "/SubmitForm",
}
_DROPPED = (
    "/A", "/AA", "/AF", "/EF", "/JS", "/Metadata", "/OpenAction", "/OPI", "/PieceInfo", "/Ref", "/URI",
)  # fmt: skip

_MESSAGES = {
    "EMPTY": "The file is empty. Choose another one.",
    "SIZE": "The file is larger than 8 MB. Take the picture with fewer pixels, or send fewer pages.",
    "TYPE": "Send a picture (JPEG, PNG, WebP) or a PDF. This file is something else.",
    "BROKEN": "The file cannot be read. Open it yourself, save it again and send that.",
    "PIXELS": "The picture is too large. Take it with fewer pixels.",
    "PAGES": "The PDF has too many pages, too large ones, or too much in them. Send only the pages that matter.",
    "LOCKED": "The PDF is locked with a password. Save it without one and send that.",
    "SCRIPT": "The PDF holds a script or an action. Print it into a new PDF, or send a picture of it.",
}


class UploadRefused(UserError):
    """`reason`: EMPTY, SIZE, TYPE, BROKEN, PIXELS, PAGES, LOCKED, SCRIPT."""

    def __init__(self, reason: str) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was sent, for a kind of paper that its request's type names."""

    kind: str
    data: bytes


def clean_upload(data: bytes) -> tuple[bytes, str]:
    """The content made anew, and its media type: image/jpeg or application/pdf. The same content gives the same bytes.

    UploadRefused for what cannot or must not be taken. Takes up to a second or two: call it outside transactions.
    """
    if not data:
        raise UploadRefused("EMPTY")
    if len(data) > MOST_BYTES:
        raise UploadRefused("SIZE")
    try:
        if data.startswith(b"%PDF-"):
            return _pdf(data), PDF
        if format_name := _picture_format(data):
            return _picture(data, format_name), JPEG
    except UploadRefused:
        raise
    except Image.DecompressionBombError:
        raise UploadRefused("PIXELS") from None
    except Exception:  # a hostile file may break its reader in any way; nothing of it is kept
        raise UploadRefused("BROKEN") from None
    raise UploadRefused("TYPE")


def _picture_format(data: bytes) -> str:
    for magic, name in _PICTURES.items():
        if data.startswith(magic):
            return name
    return "WEBP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def _picture(data: bytes, format_name: str) -> bytes:
    with Image.open(io.BytesIO(data), formats=[format_name]) as picture:
        if picture.width * picture.height > MOST_PIXELS:  # read from the header: nothing is decoded yet
            raise UploadRefused("PIXELS")
        picture.draft("RGB", (LONG_SIDE, LONG_SIDE))
        upright = ImageOps.exif_transpose(picture)
    upright.thumbnail((LONG_SIDE, LONG_SIDE))
    if upright.mode != "RGB":
        ground = Image.new("RGB", upright.size, "white")
        layer = upright.convert("RGBA")
        ground.paste(layer, mask=layer.getchannel("A"))
        upright = ground
    made = io.BytesIO()
    Image.frombytes("RGB", upright.size, upright.tobytes()).save(made, "JPEG", quality=QUALITY)
    return made.getvalue()


def _pdf(data: bytes) -> bytes:
    reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted:
        raise UploadRefused("LOCKED")
    _inspect(reader)
    if not 1 <= len(reader.pages) <= MOST_PAGES:
        raise UploadRefused("PAGES")
    writer = pypdf.PdfWriter()
    for page in reader.pages:
        sides = (abs(float(page.mediabox.width)), abs(float(page.mediabox.height)))
        if not (min(sides) >= 1 and max(sides) <= LONGEST_PAGE):
            raise UploadRefused("PAGES")
        for key in [key for key in page if key not in _KEPT]:
            del page[key]
        writer.add_page(page)
    for held in writer._objects:
        for part in _dictionaries(held):
            for key in _DROPPED:
                part.pop(NameObject(key), None)
            if isinstance(part, StreamObject):
                part.pop(NameObject("/F"), None)  # content that lies in another file
    writer.metadata = None
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def _inspect(reader: pypdf.PdfReader) -> None:
    """Refuse what acts by itself, and what is small on paper and large in memory; also in parts no page shows."""
    numbers = [(number, generation) for generation, held in reader.xref.items() for number in held]
    numbers += [(number, 0) for number in reader.xref_objStm]
    if len(numbers) > MOST_OBJECTS:
        raise UploadRefused("PAGES")
    inflated = 0
    for number, generation in numbers:
        for part in _dictionaries(reader.get_object(IndirectObject(number, generation, reader))):
            if part.get("/S") in _ACTING or "/JS" in part or "/XFA" in part:
                raise UploadRefused("SCRIPT")
            if isinstance(part, StreamObject):
                inflated += _inflated_bytes(part, MOST_INFLATED - inflated)
                if inflated > MOST_INFLATED or _pixels(part) > MOST_PIXELS:
                    raise UploadRefused("PAGES")
    for part in _dictionaries(reader.trailer):
        if part.get("/S") in _ACTING or "/JS" in part:
            raise UploadRefused("SCRIPT")


def _dictionaries(held: Any, depth: int = 0) -> Iterator[DictionaryObject]:
    """A dictionary and those inside it, not following references. Pages deeper than any writer makes are refused."""
    if depth > 40:
        raise UploadRefused("BROKEN")
    if isinstance(held, DictionaryObject):
        yield held
        for value in held.values():
            if isinstance(value, (DictionaryObject, ArrayObject)):
                yield from _dictionaries(value, depth + 1)
    elif isinstance(held, ArrayObject):
        for value in held:
            if isinstance(value, (DictionaryObject, ArrayObject)):
                yield from _dictionaries(value, depth + 1)


def _filters(stream: StreamObject) -> list[str]:
    named = stream.get("/Filter")
    named = named.get_object() if named is not None else None
    return [str(name) for name in named] if isinstance(named, ArrayObject) else [str(named)] if named else []


def _inflated_bytes(stream: StreamObject, most: int) -> int:
    """Size of the stream's content, counted no further than one byte beyond `most`. Packed twice is beyond it."""
    filters = _filters(stream)
    if sum(name in ("/FlateDecode", "/Fl", "/LZWDecode", "/LZW") for name in filters) > 1:
        return most + 1
    if not filters or filters[0] not in ("/FlateDecode", "/Fl"):
        return len(stream._data)
    try:
        return len(zlib.decompressobj().decompress(stream._data, most + 1))
    except zlib.error:
        return len(stream._data)


def _pixels(stream: StreamObject) -> int:
    if stream.get("/Subtype") != "/Image":
        return 0
    return int(stream.get("/Width", 0)) * int(stream.get("/Height", 0))
