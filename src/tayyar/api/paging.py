"""Lists in pages: `limit` items, and a cursor that names the last one of them, so that news moves nothing.

Owns the cursor's form. Next: the operations that list.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from ninja import Query

from tayyar.api.problems import invalid

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)

Limit = Annotated[int, Query(20, ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(None, max_length=200, description="`next_cursor` of the page before; without it, the first page."),
]


def page(
    items: Sequence[Item], key: Callable[[Item], Any], *, limit: int, cursor: str | None
) -> tuple[list[Item], str | None]:
    """The items after the one that the cursor names, and the cursor of the page after."""
    first = 0
    if cursor is not None:
        wanted = read_cursor(cursor)
        keys = [str(key(item)) for item in items]
        if wanted not in keys:
            raise invalid(cursor="INVALID")
        first = keys.index(wanted) + 1
    shown = list(items[first : first + limit])
    return shown, make_cursor(key(shown[-1])) if len(items) > first + limit else None


def page_of_rows(rows: QuerySet[Row], *, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
    """The same of a query, the newest first."""
    found = rows.order_by("-id")
    if cursor is not None:
        wanted = read_cursor(cursor)
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 19):
            raise invalid(cursor="INVALID")
        found = found.filter(id__lt=int(wanted))
    shown = list(found[: limit + 1])
    return shown[:limit], make_cursor(shown[limit - 1].pk) if len(shown) > limit else None


def make_cursor(key: Any) -> str:
    """The cursor of an item's key."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """The key of a cursor. Problem INVALID for what is none."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid(cursor="INVALID") from None
