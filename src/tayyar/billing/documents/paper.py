"""A service centre's printed bills as one PDF ready for the press, and the list that goes with them.

Owns what stands on cover, address sheet and list. Never reads the database and never orders the entries: they come in
walking order. Next: billing/paper.py gathers the entries; paper.typ and paper_list.typ place what is said here.
"""

import datetime as dt
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pypdf
import typst

from tayyar.billing.documents.code128 import barcode_svg
from tayyar.billing.documents.paper_words import WORDS
from tayyar.billing.documents.pdf import HERE, drawable
from tayyar.billing.documents.present import pick, present, words_of
from tayyar.billing.documents.qr import qr_svg
from tayyar.billing.documents.view import BillView, Text
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.text import RTL_LANGUAGES, Formats, format_date, format_month, format_number

SHEET_DIGITS = 7  # with a bill number's fifteen an even number of digits, as the barcode takes
# Typst takes 4 MB for a bill and remembers the last ten compilations: small pieces bound the memory of a large sheet.
_BILLS_AT_ONCE = 5
_compilers = threading.local()


@dataclass(frozen=True, slots=True)
class PaperBill:
    """One bill to be printed, in the language its customer chose."""

    view: BillView
    lang: str


@dataclass(frozen=True, slots=True)
class PaperSheet:
    """What a cover, a list and the address sheets say of the whole; `bills` in walking order."""

    number: int
    period: Period
    made_on: dt.date
    utility: Text
    centre: Text
    formats: Formats
    bills: Sequence[PaperBill]


def sheet_code(bill_number: int, sheet: int) -> str:
    """What the barcode says: the bill's fifteen digits, then the sheet's number, 22 digits in all."""
    if not 0 < sheet < 10**SHEET_DIGITS:
        raise UserError(f"Sheet {sheet} does not fit a barcode of {SHEET_DIGITS} digits.")
    return f"{bill_number:015d}{sheet:0{SHEET_DIGITS}d}"


def render_paper(sheet: PaperSheet, lang: str, *, done: Callable[[int], None] = lambda count: None) -> bytes:
    """Cover (in `lang`, the clerk's), then address sheet and bill of each entry, each beginning on an odd page.

    `done` is called with the number of bills set each time some are.
    """
    joined = pypdf.PdfWriter()
    for count, piece in _pieces(sheet, lang):
        joined.append(io.BytesIO(piece), import_outline=False)
        if len(joined.pages) % 2:
            joined.add_blank_page()
        done(count)
    joined.add_metadata({"/Title": _frame(sheet, lang)["title"], "/Author": pick(sheet.utility, lang)})
    output = io.BytesIO()
    joined.write(output)
    return output.getvalue()


def _pieces(sheet: PaperSheet, lang: str) -> Iterator[tuple[int, bytes]]:
    """The cover, then some bills at a time: (how many bills, their pages)."""
    frame = _frame(sheet, lang)
    words = {used: dict(words_of(used, sheet.formats.digits)) for used in {b.lang for b in sheet.bills}}
    yield 0, _compile("paper.typ", frame | {"words": {}, "entries": []}, sheet)
    entries = list(enumerate(sheet.bills, 1))
    for start in range(0, len(entries), _BILLS_AT_ONCE):
        some = [_entry(sheet, place, bill) for place, bill in entries[start : start + _BILLS_AT_ONCE]]
        yield len(some), _compile("paper.typ", frame | {"words": words, "entries": some}, sheet)


def render_list(sheet: PaperSheet, lang: str) -> bytes:
    """The hand-over list in `lang`: order, name, address, bill number, a box to tick, room for a signature."""
    words = WORDS[lang]
    tree = _frame(sheet, lang) | {
        "list": {
            "title": words["list_title"].format(number=sheet.number),
            "page_of": words["page_of"],
            "columns": [
                words[key] for key in ("order", "name", "address", "bill_number", "handed", "signature")
            ],
        },
        "entries": [
            {
                "place": format_number(place, lang, sheet.formats.digits),
                "name": bill.view.holder_name,
                "address": pick(bill.view.service_address, lang),
                "number": bill.view.number_text,
            }
            for place, bill in enumerate(sheet.bills, 1)
        ],
    }
    return _compile("paper_list.typ", tree, sheet)


def _frame(sheet: PaperSheet, lang: str) -> dict[str, Any]:
    """What the cover says, and the list's head and foot."""
    if lang not in WORDS:
        raise UserError(f"There is no sheet in {lang!r}. Choose one of: {', '.join(WORDS)}.")
    words, digits = WORDS[lang], sheet.formats.digits
    addresses = [pick(bill.view.service_address, lang) for bill in sheet.bills]
    facts = [
        ("month", format_month(sheet.period.start, lang, sheet.formats), False),
        ("bills", format_number(len(sheet.bills), lang, digits), True),
        ("addresses", format_number(len(set(addresses)), lang, digits), True),
        ("first", addresses[0], False),
        ("last", addresses[-1], False),
        ("made", format_date(sheet.made_on, lang, sheet.formats), False),
    ]
    return {
        "lang": lang,
        "dir": "rtl" if lang in RTL_LANGUAGES else "ltr",
        "title": words["title"].format(number=sheet.number),
        "utility": pick(sheet.utility, lang),
        "centre": pick(sheet.centre, lang),
        "month": facts[0][1],
        "facts": [{"label": words[key], "value": value, "code": code} for key, value, code in facts],
        "todo_title": words["todo_title"],
        "todo": [
            words[key].format(number=sheet.number)
            for key in ("todo_print", "todo_fold", "todo_hand", "todo_close")
        ],
    }


def _entry(sheet: PaperSheet, place: int, bill: PaperBill) -> dict[str, Any]:
    """One address sheet and its bill, in the customer's language."""
    view, lang, words = bill.view, bill.lang, WORDS[bill.lang]
    code = sheet_code(view.bill_number, sheet.number)
    tree = {key: value for key, value in present(view, lang).items() if key != "w"}
    facts = [
        (words["account"], view.account_number),
        (words["bill_number"], view.number_text),
        (
            words["place"].format(number=sheet.number),
            words["place_of"].format(place=place, count=len(sheet.bills)),
        ),
        (words["barcode"], f"{code[:15]} {code[15:]}"),
    ]
    return {
        "bill": tree,
        "qr": qr_svg(view.page_url),
        "code": code,
        "barcode": barcode_svg(code),
        "name": view.holder_name,
        "address": pick(view.service_address, lang),
        "sender": words["return_to"].format(
            sender=f"{pick(sheet.utility, lang)}، {pick(sheet.centre, lang)}"
            if lang == "ar"
            else f"{pick(sheet.utility, lang)}, {pick(sheet.centre, lang)}"
        ),
        "facts": [{"label": label, "value": value} for label, value in facts],
    }


def _compile(template: str, tree: Mapping[str, Any], sheet: PaperSheet) -> bytes:
    inputs = {"sheet": drawable(json.dumps(tree, ensure_ascii=False, separators=(",", ":")))}
    made = dt.datetime(sheet.made_on.year, sheet.made_on.month, sheet.made_on.day, tzinfo=dt.UTC)
    data = _compiler(template).compile(sys_inputs=inputs, format="pdf", timestamp=made, pdf_tags=False)
    assert isinstance(data, bytes)  # one document in, one PDF out
    return data


def _compiler(template: str) -> typst.Compiler:
    """This thread's compiler of a template; a compiler must not be shared by threads."""
    found = getattr(_compilers, template, None)
    if found is None:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(HERE / "fonts")]
        )
        found = typst.Compiler(str(HERE / template), root=str(HERE), font_paths=fonts)
        setattr(_compilers, template, found)
    return found
