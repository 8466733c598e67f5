"""Tables as one Excel workbook: a sheet each, real dates and numbers, right to left in Arabic.

Amounts reach the file as decimal text of the exact integer (XlsxWriter prints 16 significant digits, more than any
bill has), never through arithmetic on floats.
"""

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter

from tayyar.billing.exports.tables import Kind, Table, Value
from tayyar.core.money import Currency
from tayyar.core.text import RTL_LANGUAGES

WIDTHS = {Kind.TEXT: 18, Kind.DATE: 12, Kind.COUNT: 10, Kind.ENERGY: 16, Kind.MONEY: 16}


def xlsx_bytes(tables: Sequence[Table], currency: Currency, lang: str, *, now: dt.datetime) -> bytes:
    """The whole workbook; the same tables and `now` give the same bytes. A table without rows has no sheet, except
    the first."""
    out = io.BytesIO()
    options = {"in_memory": True, "default_date_format": "yyyy-mm-dd"}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": now.replace(tzinfo=None)})
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        point = "." + "0" * currency.minor_digits if currency.minor_digits else ""
        formats = {
            Kind.MONEY: book.add_format({"num_format": f"#,##0{point}"}),
            Kind.ENERGY: book.add_format({"num_format": "#,##0.000"}),
            Kind.DATE: book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        for table in [table for at, table in enumerate(tables) if at == 0 or table.rows]:
            sheet = book.add_worksheet(table.title)
            if lang in RTL_LANGUAGES:
                sheet.right_to_left()
            sheet.freeze_panes(1, 0)
            sheet.repeat_rows(0)
            sheet.set_landscape()
            sheet.fit_to_pages(1, 0)
            for at, (title, kind) in enumerate(table.columns):
                sheet.set_column(at, at, WIDTHS[kind])
                sheet.write_string(0, at, title, head)
            for line, row in enumerate(table.rows, start=1):
                for at, (value, (_, kind)) in enumerate(zip(row, table.columns, strict=True)):
                    _write(sheet, line, at, value, kind, formats, currency)
    return out.getvalue()


def _write(
    sheet: Any, line: int, at: int, value: Value, kind: Kind, formats: dict[Kind, Any], currency: Currency
) -> None:
    if value is None:
        return
    if isinstance(value, dt.date):
        sheet.write_datetime(line, at, dt.datetime.combine(value, dt.time()), formats[Kind.DATE])
    elif isinstance(value, str):
        sheet.write_string(line, at, value)
    else:
        exact = {Kind.MONEY: currency.minor_digits, Kind.ENERGY: 3}.get(kind, 0)
        sheet.write_number(line, at, Currency("", exact).to_decimal(value), formats.get(kind))
