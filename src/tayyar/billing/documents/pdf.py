"""The bill as PDF/A-3a through Typst, the bill as JSON, and the key under which either may be cached.

Owns determinism: the same `BillView`, language and release give the same bytes. Never caches and never writes files.
Next: billing/services.py keeps the PDF; bill.typ places what present.py says.
"""

import hashlib
import json
import threading
import unicodedata
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import typst

from tayyar.billing.documents.charset import DRAWABLE
from tayyar.billing.documents.present import present
from tayyar.billing.documents.qr import qr_svg
from tayyar.billing.documents.view import BillView
from tayyar.core.money import Currency

HERE = Path(__file__).parent
STANDARD: Final = "a-3a"

# Vowel marks are dropped (a PDF's text would split them off their letters); they carry no meaning in a bill.
_MARKS = {*range(0x064B, 0x0653), 0x0670}
_PLAIN = frozenset(chr(code) for code in DRAWABLE - _MARKS)
_compilers = threading.local()


@lru_cache(maxsize=4096)
def _spell(character: str) -> str:
    """A character that the fonts cannot draw, in characters that they can; "?" where there is no spelling."""
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return ""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if c in _PLAIN)
    return plain or "?"


def drawable(text: str) -> str:
    """`text` in characters that the vendored fonts have: PDF/A refuses a page with a missing glyph."""
    strange = set(text) - _PLAIN
    return text.translate({ord(c): _spell(c) for c in strange}) if strange else text


def pdf_inputs(view: BillView, lang: str) -> dict[str, str]:
    """What bill.typ reads through sys.inputs: the texts, the attached data and the QR code, each as a string."""
    tree = dict(present(view, lang))
    return {
        "bill": drawable(json.dumps(tree, ensure_ascii=False, separators=(",", ":"))),
        "attachment": json.dumps(render_bill_json(view), ensure_ascii=False, separators=(",", ":")),
        "qr": qr_svg(view.page_url),
    }


def timestamp(view: BillView) -> datetime:
    """The PDF's creation time: the start of the issue day, so that every rendering has the same bytes."""
    return datetime(view.issue_date.year, view.issue_date.month, view.issue_date.day, tzinfo=UTC)


def compiler() -> typst.Compiler:
    """This thread's Typst compiler. Fonts and template are read once; a compiler must not be shared by threads."""
    found = getattr(_compilers, "bill", None)
    if found is None:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(HERE / "fonts")]
        )
        found = _compilers.bill = typst.Compiler(str(HERE / "bill.typ"), root=str(HERE), font_paths=fonts)
    return found


def render_pdf(view: BillView, lang: str) -> bytes:
    """The bill as a tagged PDF/A-3a in `lang` (ar, en, fr; else UserError) with bill.json attached."""
    data = compiler().compile(
        sys_inputs=pdf_inputs(view, lang), format="pdf", pdf_standards=STANDARD, timestamp=timestamp(view)
    )
    assert isinstance(data, bytes)  # one document in, one PDF out
    return data


def render_bill_json(view: BillView) -> dict[str, Any]:
    """The bill as data, the same in every language: amounts and energies as exact decimal strings.

    Amounts are in the major unit ("275.84"), energy in kWh ("1277.000"), prices in the major unit per unit
    ("0.180000"), dates ISO 8601; `period_end` is the first day after the period.
    """
    currency = view.currency
    skipped = {"currency", "formats", "mask_holder", "pdf_url", "holder_name"}
    document: dict[str, Any] = {"format": "tayyar-bill", "format_version": 1, "currency": currency.code}
    for field in fields(view):
        if field.name not in skipped:
            name, value = _plain(field.name, getattr(view, field.name), currency)
            document[name] = value
    document["holder"] = "" if view.mask_holder else view.holder_name
    document["bill_number"] = f"{view.bill_number:015d}"
    return document


_UNITS = {"_minor": "", "_wh": "_kwh", "_milli": "", "_micro": ""}


def _plain(name: str, value: Any, currency: Currency) -> tuple[str, Any]:
    """A field as JSON: the unit suffix says how an integer becomes a decimal, and leaves the name."""
    for suffix, shown in _UNITS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix) + shown, None if value is None else _decimal(
                suffix, value, currency
            )
    return name, _plain_value(value, currency)


def _decimal(suffix: str, value: int, currency: Currency) -> str:
    digits = {"_minor": currency.minor_digits, "_wh": 3, "_milli": 3, "_micro": 6}[suffix]
    return Currency("", digits).format(value)


def _plain_value(value: Any, currency: Currency) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return str(value)
    if is_dataclass(value):
        return dict(_plain(field.name, getattr(value, field.name), currency) for field in fields(value))
    if isinstance(value, tuple):
        return [_plain_value(item, currency) for item in value]
    if hasattr(value, "items"):
        return dict(value)
    return value


def cache_key(view: BillView, lang: str) -> str:
    """SHA-256 over everything that decides the PDF's bytes: the bill, the language, the template version."""
    content = json.dumps(
        [render_bill_json(view), dict(present(view, lang)), view.template_version],
        ensure_ascii=False,
        sort_keys=True,
    )
    return hashlib.sha256(content.encode()).hexdigest()
