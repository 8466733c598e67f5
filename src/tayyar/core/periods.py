"""Billing periods: a calendar month written "2026-11", stored as the integer 202611, half-open as dates."""

import datetime as dt
import re
from dataclasses import dataclass

from tayyar.core.errors import UserError


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One calendar month. `number` (202611) is what the database stores and partitions by."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Period":
        """ "2026-11" -> Period(2026, 11)."""
        match = re.fullmatch(r"(\d{4})-(\d{2})", text)
        if not match or not 1 <= int(match[2]) <= 12:
            raise UserError(f"{text!r} is not a period. Write it as year and month, like 2026-11.")
        if not 2000 <= int(match[1]) <= 2099:  # bill numbers carry two digits of the year
            raise UserError(f"{text!r} is not a period that can be billed: the years are 2000 to 2099.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: dt.date) -> "Period":
        """The month that holds `day`."""
        return cls(day.year, day.month)

    @classmethod
    def from_number(cls, number: int) -> "Period":
        """202611 -> Period(2026, 11)."""
        return cls(number // 100, number % 100)

    @property
    def number(self) -> int:
        """202611: sorts as the months do."""
        return self.year * 100 + self.month

    @property
    def start(self) -> dt.date:
        """First day."""
        return dt.date(self.year, self.month, 1)

    @property
    def end(self) -> dt.date:
        """First day of the next month: the period is [start, end)."""
        return self.plus(1).start

    def plus(self, months: int) -> "Period":
        """The period `months` later (or earlier, when negative)."""
        index = self.year * 12 + self.month - 1 + months
        return Period(index // 12, index % 12 + 1)

    def day(self, day: int) -> dt.date:
        """That day of the month, or the last one where the month is shorter."""
        return min(dt.date(self.year, self.month, 1) + dt.timedelta(days=day - 1), self.end - dt.timedelta(1))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
