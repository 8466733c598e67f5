"""The printed bill: one tagged page, the same bytes each time, and text that reads back as it was written."""

import io
import json
import shutil
import subprocess
import unicodedata
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
from bill_sample import CAST, eg_home, mr_shop, sa_home
from fontTools.ttLib import TTFont

from tayyar.billing.documents import pdf
from tayyar.billing.documents.charset import DRAWABLE
from tayyar.billing.documents.present import present

HERE = Path(__file__).parent
WORDS_OF_THE_PAGE = {
    "استهلاكك", "الاستهلاك", "استهلاك", "الإجمالي", "إجمالي", "فاتورة", "الفاتورة", "تغيرت",
    "إلى", "من", "شهرا", "فعلية", "القحطاني", "النرجس", "أكثر", "لا",
    "آلاف", "لأن", "ضريبة", "القيمة", "المضافة", "ريال", "الآخرة", "شيء",
}  # fmt: skip
# What the first lam-alef swap, and its relatives, look like.
SWAPPED = {"استهالك", "االستهالك", "اإلجمايل", "إجمايل", "إىل", "يف", "اآلخرة", "أكرث", "ال"}


def reader(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data))


def plain(text: str) -> str:
    """A text without its spaces: where a reader puts them around a comma is its own affair."""
    return "".join(text.split())


def sample() -> bytes:
    """A Saudi bill whose address holds a list of hard words."""
    return pdf.render_pdf(
        replace(sa_home(), service_address="استهلاك الإجمالي لا شيء إلى لأن آلاف النرجس،"), "ar"
    )


def words(text: str) -> set[str]:
    """The words of a text without punctuation and the direction marks that extractors put around its runs."""
    return set("".join(c if c.isalnum() else " " for c in text).split())


def test_pypdf_reads_the_arabic_words_as_they_were_written() -> None:
    text = reader(sample()).pages[0].extract_text()
    assert WORDS_OF_THE_PAGE - words(text) == set()
    assert SWAPPED & words(text) == set()


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils is not installed")
def test_pdftotext_reads_the_arabic_words_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "bill.pdf"
    path.write_bytes(sample())
    text = subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True, text=True).stdout
    assert WORDS_OF_THE_PAGE - words(text) == set()
    assert SWAPPED & words(text) == set()


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
@pytest.mark.parametrize("name", CAST)
def test_pypdf_reads_whole_sentences_in_order(name: str, lang: str) -> None:
    view = CAST[name]()
    tree = present(view, lang)
    text = " ".join(reader(pdf.render_pdf(view, lang)).pages[0].extract_text().split())
    sentences = [tree["title"], tree["hero"]["by"], *(line["label"] for line in tree["lines"])]
    assert [sentence for sentence in sentences if plain(sentence) not in plain(text)] == []


def test_arabic_digits_read_back_in_their_order() -> None:
    text = reader(pdf.render_pdf(eg_home(), "ar")).pages[0].extract_text()
    assert "٤٨٦٫٤٠" in text
    assert "نوفمبر ٢٠٢٥" in text


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
@pytest.mark.parametrize("name", CAST)
def test_an_ordinary_bill_is_one_tagged_page_of_pdf_a_3a(name: str, lang: str) -> None:
    document = reader(pdf.render_pdf(CAST[name](), lang))
    root = document.trailer["/Root"]
    assert len(document.pages) == 1
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == lang
    xmp = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xmp


def test_a_bill_of_seven_blocks_still_fits_one_page() -> None:
    view = eg_home()
    block = replace(view.lines[1], amount_minor=0)
    crowded = replace(view, lines=(*view.lines, block, block, block))
    assert len(reader(pdf.render_pdf(crowded, "fr")).pages) == 1


def test_the_same_bill_gives_the_same_bytes_whatever_was_rendered_between() -> None:
    first = pdf.render_pdf(sa_home(), "ar")
    pdf.render_pdf(mr_shop(), "fr")
    assert pdf.render_pdf(sa_home(), "ar") == first


def test_the_pdf_carries_the_bill_as_data() -> None:
    (attached,) = reader(pdf.render_pdf(sa_home(), "en")).attachments["bill.json"]
    assert json.loads(attached) == json.loads(json.dumps(pdf.render_bill_json(sa_home())))


def test_the_bill_as_data_has_exact_decimals() -> None:
    document = json.loads(json.dumps(pdf.render_bill_json(sa_home())))
    assert document == json.loads((HERE / "bill_sa.json").read_text())
    assert document["total"] == "275.84"
    assert sum(Decimal(line["amount"]) for line in document["lines"]) == Decimal(document["total"])


def test_the_cache_key_changes_with_content_and_language_and_with_nothing_else() -> None:
    key = pdf.cache_key(sa_home(), "ar")
    assert pdf.cache_key(sa_home(), "ar") == key
    others = {
        pdf.cache_key(sa_home(), "en"),
        pdf.cache_key(eg_home(), "ar"),
        pdf.cache_key(replace(sa_home(), mask_holder=True), "ar"),
        pdf.cache_key(replace(sa_home(), cancelled_by=202512000000004), "ar"),
    }
    assert len(others) == 4
    assert key not in others


def test_a_name_that_the_fonts_cannot_draw_is_spelt_and_does_not_stop_the_bill() -> None:
    assert pdf.drawable("Şükrü 張 ﻻ مُحَمَّد") == "Sükrü ? لا محمد"
    assert pdf.render_pdf(replace(sa_home(), holder_name="Şükrü 張 🙂"), "ar").startswith(b"%PDF-")


@pytest.mark.parametrize("style", ["Regular", "SemiBold"])
def test_the_fonts_hold_the_listed_characters_and_no_two_letter_glyph(style: str) -> None:
    font = TTFont(pdf.HERE / "fonts" / f"TayyarSans-{style}.ttf")
    assert set(font.getBestCmap()) == DRAWABLE
    letters = [
        ligature.LigGlyph
        for lookup in font["GSUB"].table.LookupList.Lookup
        for table in lookup.SubTable
        if lookup.LookupType == 4
        for first, ligatures in table.ligatures.items()
        for ligature in ligatures
        if not unicodedata.combining(chr(next(c for c, g in font.getBestCmap().items() if g == first)))
    ]
    assert letters == []
