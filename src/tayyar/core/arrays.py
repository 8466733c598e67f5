"""Lists as PostgreSQL array literals: what a statement over thousands of rows is given instead of thousands of values.

The driver writes an array one value at a time in Python; these write it in one go. A statement names the type:
`unnest(%(refs)s::bigint[])`.
"""

import datetime as dt
from collections.abc import Iterable


def ints(values: Iterable[int | bool | None]) -> str:
    """Whole numbers; also booleans, as 0 and 1, for `::int[]`."""
    return "{" + ",".join(["NULL" if value is None else str(int(value)) for value in values]) + "}"


def texts(values: Iterable[str]) -> str:
    """Texts of any kind, quoted."""
    quoted = [
        f'"{value}"' if value.isalnum() else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for value in values
    ]
    return "{" + ",".join(quoted) + "}"


def times(values: Iterable[dt.datetime | None]) -> str:
    """Aware moments. Equal ones, which are most, are written once."""
    written: dict[dt.datetime | None, str] = {None: "NULL"}
    return (
        "{"
        + ",".join([written.get(value) or written.setdefault(value, f'"{value}"') for value in values])
        + "}"
    )
