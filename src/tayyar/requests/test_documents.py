"""Uploads: what is taken is made anew, what is dangerous is refused."""

import io
import zlib

import pypdf
import pytest
from PIL import Image
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from tayyar.requests import documents
from tayyar.requests.documents import JPEG, MOST_BYTES, PDF, UploadRefused, clean_upload


def picture(
    width: int = 60, height: int = 40, *, format: str = "PNG", mode: str = "RGB", **more: object
) -> bytes:
    made = io.BytesIO()
    Image.new(mode, (width, height), "red" if mode == "RGB" else None).save(made, format, **more)
    return made.getvalue()


def pdf(*, pages: int = 1, side: int = 500) -> pypdf.PdfWriter:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        page = writer.add_blank_page(side, side)
        content = DecodedStreamObject()
        content.set_data(b"BT (seen) Tj ET")
        page[NameObject("/Contents")] = writer._add_object(content)
    return writer


def written(writer: pypdf.PdfWriter) -> bytes:
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def reason(data: bytes) -> str:
    with pytest.raises(UploadRefused) as refused:
        clean_upload(data)
    return refused.value.reason


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_becomes_a_jpeg_of_its_own(format: str) -> None:
    made, media_type = clean_upload(picture(format=format))
    assert media_type == JPEG
    with Image.open(io.BytesIO(made)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (60, 40))


def test_the_same_content_gives_the_same_bytes() -> None:
    assert clean_upload(picture()) == clean_upload(picture())
    assert clean_upload(written(pdf())) == clean_upload(written(pdf()))


def test_a_large_picture_is_made_smaller_and_keeps_its_shape() -> None:
    with Image.open(io.BytesIO(clean_upload(picture(4000, 1000))[0])) as seen:
        assert seen.size == (2000, 500)


def test_where_a_picture_was_taken_is_forgotten_and_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010F] = "SECRETMAKER"
    exif.get_ifd(0x8825)[1] = "N"
    made, _ = clean_upload(picture(60, 40, format="JPEG", exif=exif))
    with Image.open(io.BytesIO(made)) as seen:
        assert seen.size == (40, 60) and dict(seen.getexif()) == {}
    assert b"SECRETMAKER" not in made


def test_what_is_hidden_behind_a_picture_does_not_come_with_it() -> None:
    made, _ = clean_upload(picture(format="JPEG") + b"<script>alert(1)</script>")
    assert b"script" not in made


def test_transparent_parts_are_white() -> None:
    with Image.open(io.BytesIO(clean_upload(picture(mode="RGBA"))[0])) as seen:
        assert seen.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("side", [7_500, 30_000])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = bytearray(picture())
    bomb[16:24] = side.to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert reason(bytes(bomb)) == "PIXELS"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "EMPTY"),
        (b"x" * (MOST_BYTES + 1), "SIZE"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "TYPE"),
        (b"<html><script>alert(1)</script></html>", "TYPE"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "TYPE"),
        (b"MZ\x90\x00", "TYPE"),
        (b"\x89PNG\r\n\x1a\nnothing else", "BROKEN"),
        (b"%PDF-1.7\nnothing else", "BROKEN"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "BROKEN"),
    ],
)
def test_what_is_no_picture_and_no_pdf_is_refused(data: bytes, expected: str) -> None:
    assert reason(data) == expected


def test_a_cut_off_picture_is_refused() -> None:
    assert reason(picture(400, 400, format="JPEG")[:400]) == "BROKEN"


def test_a_pdf_keeps_its_pages_and_their_content() -> None:
    made, media_type = clean_upload(written(pdf(pages=3)))
    seen = pypdf.PdfReader(io.BytesIO(made))
    assert media_type == PDF and len(seen.pages) == 3
    assert b"(seen)" in seen.pages[0].get_contents().get_data()


def test_a_script_that_opens_with_a_pdf_is_refused() -> None:
    writer = pdf()
    act = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("app.alert(1)")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(act)
    assert reason(written(writer)) == "SCRIPT"


@pytest.mark.parametrize("action", ["/JavaScript", "/Launch", "/SubmitForm"])
def test_a_button_that_acts_is_refused(action: str) -> None:
    writer = pdf()
    act = DictionaryObject({NameObject("/S"): NameObject(action)})
    button = DictionaryObject({NameObject("/Subtype"): NameObject("/Widget"), NameObject("/A"): act})
    writer.pages[0][NameObject("/Annots")] = ArrayObject([writer._add_object(button)])
    assert reason(written(writer)) == "SCRIPT"


def test_attached_files_links_and_properties_of_a_pdf_are_left_behind() -> None:
    writer = pdf()
    writer.add_attachment("evil.exe", b"MZPAYLOAD")
    writer.add_metadata({"/Author": "SECRETAUTHOR"})
    link = DictionaryObject(
        {
            NameObject("/Subtype"): NameObject("/Link"),
            NameObject("/A"): DictionaryObject(
                {
                    NameObject("/S"): NameObject("/URI"),
                    NameObject("/URI"): TextStringObject("https://elsewhere.example"),
                }
            ),
        }
    )
    writer.pages[0][NameObject("/Annots")] = ArrayObject([writer._add_object(link)])
    made, _ = clean_upload(written(writer))
    for word in (b"MZPAYLOAD", b"evil.exe", b"SECRETAUTHOR", b"elsewhere", b"/Annots"):
        assert word not in made
    assert pypdf.PdfReader(io.BytesIO(made)).attachments == {}


def test_a_locked_pdf_is_refused() -> None:
    writer = pdf()
    writer.encrypt("secret")
    assert reason(written(writer)) == "LOCKED"


def test_too_many_pages_are_refused() -> None:
    assert reason(written(pdf(pages=documents.MOST_PAGES + 1))) == "PAGES"


def test_a_huge_page_is_refused() -> None:
    assert reason(written(pdf(side=14_000))) == "PAGES"


def _with_stream(data: bytes, filters: object, **entries: object) -> bytes:
    writer = pdf()
    stream = EncodedStreamObject()
    stream._data = data
    stream[NameObject("/Filter")] = filters
    for name, value in entries.items():
        stream[NameObject(f"/{name}")] = value
    writer.pages[0][NameObject("/Contents")] = writer._add_object(stream)
    return written(writer)


def test_a_stream_that_inflates_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_INFLATED", 1_000_000)
    flate = NameObject("/FlateDecode")
    assert reason(_with_stream(zlib.compress(b"\0" * 1_100_000), flate)) == "PAGES"
    assert clean_upload(_with_stream(zlib.compress(b" " * 900_000), flate))[1] == PDF


def test_a_stream_packed_twice_is_refused() -> None:
    twice = ArrayObject([NameObject("/FlateDecode"), NameObject("/FlateDecode")])
    assert reason(_with_stream(zlib.compress(zlib.compress(b"\0" * 1000)), twice)) == "PAGES"


def test_a_picture_in_a_pdf_with_too_many_pixels_is_refused() -> None:
    large = {"Subtype": NameObject("/Image"), "Width": NumberObject(30_000), "Height": NumberObject(30_000)}
    assert reason(_with_stream(zlib.compress(b"\0"), NameObject("/FlateDecode"), **large)) == "PAGES"
