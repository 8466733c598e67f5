"""Working days of a country: weekend, fixed holidays, and Hijri holidays from the tabular calendar.

Owns which day is a holiday and how a date moves off one. Never knows why somebody asks.
hijridate holds the Umm al-Qura tables: the announced day may differ by one, so a profile may override it.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
MOVES = ("NEXT_WORKING_DAY", "PREVIOUS", "NONE")
HIJRI_FIRST_YEAR, HIJRI_LAST_YEAR = 1925, 2075  # whole Gregorian years that the tables cover


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """A holiday that comes every year on `month`-`day` of the Gregorian or Hijri calendar, for `days` days."""

    code: str
    names: Mapping[str, str]
    hijri: bool
    month: int
    day: int
    days: int
    from_year: int  # Gregorian year of the first observance
    announced: tuple[dt.date, ...]  # first days as announced; each replaces the computed one of its year
    source: tuple[str, ...]
    confidence: str

    def first_days(self, year: int) -> tuple[dt.date, ...]:
        """First days that fall in a Gregorian year: none, one, or two for a Hijri date."""
        if year < self.from_year:
            return ()
        announced = tuple(day for day in self.announced if day.year == year)
        if announced:
            return announced
        if not self.hijri:
            return (dt.date(year, self.month, self.day),)
        return _hijri_days(year, self.month, self.day)


@lru_cache(maxsize=4096)
def _hijri_days(year: int, month: int, day: int) -> tuple[dt.date, ...]:
    # Imported here: only profiles with Hijri holidays pay for the tables, and `tariff quote` starts fast.
    from hijridate import Gregorian, Hijri

    if not HIJRI_FIRST_YEAR <= year <= HIJRI_LAST_YEAR:
        return ()
    # Hijri years are about eleven days shorter, so up to three touch one Gregorian year.
    hijri_year = Gregorian(year, 1, 1).to_hijri().year
    found = (Hijri(y, month, day).to_gregorian() for y in range(hijri_year, hijri_year + 3))
    return tuple(dt.date(g.year, g.month, g.day) for g in found if g.year == year)


@dataclass(frozen=True, eq=False)
class WorkingCalendar:
    """Weekend days (Monday 0) and holiday rules of one country."""

    weekend: frozenset[int]
    rules: tuple[HolidayRule, ...]

    def holidays(self, year: int) -> dict[dt.date, HolidayRule]:
        """Every holiday of a Gregorian year, in date order."""
        found: dict[dt.date, HolidayRule] = {}
        for rule in self.rules:
            # Last year too: a holiday of several days may reach over New Year.
            for first in (*rule.first_days(year - 1), *rule.first_days(year)):
                for offset in range(rule.days):
                    day = first + dt.timedelta(days=offset)
                    if day.year == year:
                        found.setdefault(day, rule)
        return dict(sorted(found.items()))

    def is_working_day(self, day: dt.date) -> bool:
        """Neither weekend nor holiday."""
        return day.weekday() not in self.weekend and day not in self.holidays(day.year)

    def move(self, day: dt.date, rule: str) -> dt.date:
        """`day` itself when it is a working day or the rule is NONE, else the nearest one after or before."""
        if rule == "NONE":
            return day
        step = dt.timedelta(days=-1 if rule == "PREVIOUS" else 1)
        while not self.is_working_day(day):
            day += step
        return day
