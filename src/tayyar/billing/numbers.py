"""Bill numbers: fifteen digits, gapless in each series of each period.

    YYMM K SSSSSSSS CC    year and month, series, serial from 1, two check digits

Series 0 are the bills of the run, in account order; 1 are bills made one by one (final bills, released and rebilled
ones); 2 are credit notes. Within a period and series the serials have no gap.
"""

from typing import TypeVar

import numpy as np

from tayyar.core import references
from tayyar.core.errors import UserError
from tayyar.core.periods import Period

RUN, SINGLE, CREDIT = 0, 1, 2
DIGITS = 15
_SERIALS = 100_000_000

Serial = TypeVar("Serial", int, "np.ndarray[tuple[int], np.dtype[np.int64]]")


def bill_number(period: Period, series: int, serial: Serial) -> Serial:
    """The number of the `serial`-th document (from 1) of a series; works on a numpy column too."""
    prefix = (period.number % 10_000) * 10 + series
    return references.with_check(prefix * _SERIALS + serial)


def parse_bill_number(text: str) -> int:
    """A bill number as people type it; UserError when it cannot be one."""
    return references.parse_number(text, what="bill number", digits=DIGITS)


def bill_period(number: int) -> Period:
    """The period a bill number belongs to."""
    head = number // (100 * _SERIALS * 10)
    if not 1 <= head % 100 <= 12:
        raise UserError(f"{number} is not a valid bill number: its third and fourth digits are a month.")
    return Period(2000 + head // 100, head % 100)


def series_bounds(period: Period, series: int) -> tuple[int, int]:
    """[first, end) of all numbers of a series: for filters in SQL."""
    prefix = (period.number % 10_000) * 10 + series
    return prefix * _SERIALS * 100, (prefix + 1) * _SERIALS * 100
