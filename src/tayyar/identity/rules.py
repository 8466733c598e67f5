"""Numbers of identity documents and birth dates as people type them: read, checked, and refused with a reason.

Pure: no database, no clock. Never says whether such a person exists: an authority does. Next: signup.py.
"""

import datetime as dt
import re

from tayyar.core.errors import UserError
from tayyar.profiles.model import IdentityType

ADULT_YEARS = 18
_SEPARATORS = " -‑./\u00a0\u200e\u200f"
_FIRST_GREGORIAN_YEAR = 1700  # no living person was born before; no Hijri year is that late
# Egypt's governorates, as the number names the place of birth; 88: abroad.
_GOVERNORATES = frozenset(
    [*range(1, 5), *range(11, 20), *range(21, 30), *range(31, 36), 88]  # 01-04, 11-19, 21-29, 31-35
)
_EGYPT_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


class IdRefused(UserError):
    """A number that cannot be one of that document. `reason`: LETTERS (something else than digits, or than digits and
    letters where `has_letters`), LENGTH (`count` signs were typed, `least` to `most` are expected), START (it begins
    with none of `prefixes`), CHECK (a digit is wrong, or two are swapped). `typed`: the number as it was read."""

    def __init__(self, reason: str, message: str, *, typed: str, expected: IdentityType) -> None:
        super().__init__(message)
        self.reason, self.typed, self.count = reason, typed, len(typed)
        self.least, self.most = expected.least, expected.most
        self.has_letters, self.prefixes = expected.has_letters, expected.prefixes


class DateRefused(UserError):
    """A text that is no date. `reason`: FORM (it does not look like one), DAY (there is no such day), YEAR (a Hijri
    year that the tables do not hold: 1343 to 1500)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_id(kind: IdentityType, text: str) -> str:
    """The number as it is stored: "1010101010" of "١٠١ ٠١٠ ١٠١٠". IdRefused says what is wrong with it."""
    typed = _plain(text)
    wanted = f"{kind.least}" if kind.least == kind.most else f"{kind.least} to {kind.most}"
    signs = "digits and letters" if kind.has_letters else "digits"

    def refused(reason: str, message: str) -> IdRefused:
        return IdRefused(reason, message, typed=typed, expected=kind)

    if not re.fullmatch(r"[0-9A-Z]*" if kind.has_letters else r"[0-9]*", typed):
        raise refused("LETTERS", f"This number has {signs} only.")
    if not kind.least <= len(typed) <= kind.most:
        raise refused("LENGTH", f"This number has {wanted} {signs}. {len(typed)} were typed.")
    if kind.prefixes and not typed.startswith(kind.prefixes):
        starts = " or ".join(kind.prefixes)
        raise refused("START", f"This number begins with {starts}. The one typed begins with {typed[0]}.")
    if not _agrees(kind.check, typed):
        raise refused("CHECK", "These digits do not belong together. Look for a wrong or swapped digit.")
    return typed


def id_warning(kind: IdentityType, number: str) -> str:
    """ "CHECK" where a disputed check digit does not agree, so that a page may ask to look again; else "".
    `number` as check_id returns it."""
    return "CHECK" if kind.check == "EGYPT" and not _egypt_digit_agrees(number) else ""


def birth_date_in(kind: IdentityType, number: str) -> dt.date | None:
    """The birth date that the number itself holds; None where it holds none."""
    return _egypt_birth(number) if kind.check == "EGYPT" else None


def hijri_or_gregorian(text: str) -> dt.date:
    """The Gregorian day of "1990-05-12", "12/5/1990", "1410-10-17" or "17/10/1410": the year tells the calendar.

    Arabic digits are read too. DateRefused.
    """
    numbers = re.split(r"[-/.\s]+", _digits(text).strip(" \u200e\u200f"))
    if len(numbers) != 3 or not all(re.fullmatch(r"[0-9]{1,4}", part) for part in numbers):
        raise DateRefused("FORM", "A date has a day, a month and a year, like 12/5/1990 or 17/10/1410.")
    first, month, last = numbers
    if len(first) == 4 and len(last) <= 2:
        return date_of_parts(year=int(first), month=int(month), day=int(last))
    if len(last) == 4 and len(first) <= 2:
        return date_of_parts(year=int(last), month=int(month), day=int(first))
    raise DateRefused("FORM", "Write the year with four digits, like 12/5/1990 or 17/10/1410.")


def date_of_parts(*, year: int, month: int, day: int) -> dt.date:
    """The Gregorian day of parts picked in either calendar: years below 1700 are Hijri. DateRefused."""
    if year >= _FIRST_GREGORIAN_YEAR:
        try:
            return dt.date(year, month, day)
        except ValueError:
            raise DateRefused("DAY", "There is no such day in the calendar.") from None
    from hijridate import Hijri  # imported here: only who types a Hijri date pays for the tables

    if not 1343 <= year <= 1500:
        raise DateRefused("YEAR", "Hijri years 1343 to 1500 are known. Type the Gregorian date instead.")
    try:
        found = Hijri(year, month, day).to_gregorian()
    except (ValueError, OverflowError):
        raise DateRefused("DAY", "There is no such day in the calendar.") from None
    return dt.date(found.year, found.month, found.day)


def is_adult(birth_date: dt.date, today: dt.date) -> bool:
    """Whether somebody born on that day has had their 18th birthday; those born on 29 February have it on 1 March."""
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    return today.year - birth_date.year - (not had_birthday) >= ADULT_YEARS


def _plain(text: str) -> str:
    return "".join(sign for sign in _digits(text).upper() if sign not in _SEPARATORS)


def _digits(text: str) -> str:
    """Digits of any script as 0 to 9."""
    return "".join(str(int(sign)) if sign.isdecimal() else sign for sign in text)


def _agrees(check: str, number: str) -> bool:
    if check == "LUHN":
        doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(number))]
        return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
    if check == "MOD97":
        return int(number) % 97 == 1
    if check == "EGYPT":
        return _egypt_birth(number) is not None and int(number[7:9]) in _GOVERNORATES
    return True


def _egypt_birth(number: str) -> dt.date | None:
    """Century (2: 1900, 3: 2000), then YYMMDD."""
    try:
        return dt.date(1700 + 100 * int(number[0]) + int(number[1:3]), int(number[3:5]), int(number[5:7]))
    except ValueError:
        return None


def _egypt_digit_agrees(number: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(number, _EGYPT_WEIGHTS, strict=False))
    return (11 - total % 11) % 10 == int(number[13])
