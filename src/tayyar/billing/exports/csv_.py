"""A table as CSV: UTF-8 with a byte order mark (so that Excel reads Arabic), commas, CRLF, one header line.

Numbers are plain decimals with a point, dates ISO 8601, in every language. Nothing in these files is typed by a person,
so no cell can begin a formula but a number's own minus sign.
"""

import csv
import datetime as dt
import io

from tayyar.billing.exports.tables import Kind, Table, Value
from tayyar.core.money import Currency


def csv_bytes(table: Table, currency: Currency) -> bytes:
    """The whole file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([title for title, _ in table.columns])
    kinds = [kind for _, kind in table.columns]
    for row in table.rows:
        writer.writerow([plain(value, kind, currency) for value, kind in zip(row, kinds, strict=True)])
    return out.getvalue().encode("utf-8-sig")


def plain(value: Value, kind: Kind, currency: Currency) -> str:
    """A value as text: 27600 MONEY -> "276.00", 1520500 ENERGY -> "1520.500"."""
    if value is None:
        return ""
    if isinstance(value, int) and kind is Kind.MONEY:
        return currency.format(value)
    if isinstance(value, int) and kind is Kind.ENERGY:
        return f"{'-' if value < 0 else ''}{abs(value) // 1000}.{abs(value) % 1000:03d}"
    return value.isoformat() if isinstance(value, dt.date) else str(value)
