"""The made-up people of the local authority: each follows from an identity number, by rules that a tester can apply.

Owns the numbers of the demo's customers, too, so that a customer of the demo is a person of the authority. Pure.
docs/identity-authorities.md shows the rules with an example for each country.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass

from tayyar.gateways.identity_authority.names import BUSINESSES, FAMILIES, FIRST_NAMES
from tayyar.identity.models import IdType

PHONES = {
    "sa": ("+9665", 8),
    "eg": ("+2010", 8),
    "bh": ("+9733", 7),
}  # how a mobile number begins; digits after it
_OTHER_PHONES = ("+2224", 7)
_STRIDE = 48_271  # prime: neighbours in the books get numbers far apart, and no two the same
_EGYPT_DAYS = 18_262  # 1950-01-01 to 1999-12-31
_EGYPT_FIRST = dt.date(1950, 1, 1)
_EGYPT_GOVERNORATES = (1, 2, 3, 4, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28)
_EGYPT_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_GULF = ("AE", "BH", "KW", "OM", "QA", "SA")
_ELSEWHERE = ("IN", "PK", "YE", "JO", "SD", "BD", "PH", "SY", "LB", "MA")


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A person of the local authority; a business under its commercial register."""

    name: str
    birth_date: dt.date
    nationality: str
    phone: str


def number_of(country: str, customer_id: int) -> str:
    """The national identity number of the demo's customer: well-formed in its country, and nobody else's."""
    if country == "sa":
        return _with_luhn(f"1{customer_id * _STRIDE % 10**8:08d}")
    if country == "eg":
        return _egyptian(customer_id - 1)
    if country == "bh":
        rest, month = divmod(customer_id - 1, 600)
        last, sequence = divmod(rest, 10_000)
        return f"{50 + month // 12:02d}{1 + month % 12:02d}{sequence:04d}{last % 10}"
    # Mauritania: n mod 97 = 1; elsewhere any ten digits do
    return str(97 * (10_309_279 + customer_id * _STRIDE % 92_783_000) + 1)


def birth_date_of(country: str, id_type: IdType, number: str) -> dt.date:
    """When the person of that number was born.

    Egypt's and Bahrain's national numbers say it themselves (Bahrain's only the month: it is the 15th). All others, by
    their digits d1 d2 d3...: the year is 1950 + (d2d3 mod 50), the month 1 + d4, the day 10 + d5.
    """
    digits = "".join(letter for letter in number if letter.isascii() and letter.isdigit())
    if id_type == IdType.NATIONAL_ID and country == "eg" and (written := _written_date(digits)):
        return written
    if id_type == IdType.NATIONAL_ID and country == "bh" and 1 <= int(digits[2:4] or 0) <= 12:
        year = int(digits[:2])
        return dt.date(year + (1900 if year >= 30 else 2000), int(digits[2:4]), 15)
    digits = digits.ljust(5, "0")
    return dt.date(1950 + int(digits[1:3]) % 50, 1 + int(digits[3]), 10 + int(digits[4]))


def person_of(country: str, id_type: IdType, number: str) -> MadeUp:
    """The person of that number; for a commercial register the business, whose birth date nobody asks for."""
    draw = int.from_bytes(hashlib.blake2b(f"{id_type} {number}".encode(), digest_size=8).digest(), "big")
    prefix, count = PHONES.get(country, _OTHER_PHONES)
    if id_type == IdType.COMMERCIAL_REGISTER:
        name = BUSINESSES[draw % len(BUSINESSES)]
    else:
        father = FIRST_NAMES[draw // 97 % 8]  # the first eight are men's
        name = f"{FIRST_NAMES[draw % len(FIRST_NAMES)]} {father} {FAMILIES[draw // 911 % len(FAMILIES)]}"
    return MadeUp(
        name=name,
        birth_date=birth_date_of(country, id_type, number),
        nationality=_nationality(country, id_type, draw),
        phone=f"{prefix}{draw % 10**count:0{count}d}",
    )


def _nationality(country: str, id_type: IdType, draw: int) -> str:
    own = country.upper()
    if id_type == IdType.GULF_ID:
        others = [code for code in _GULF if code != own]
        return others[draw % len(others)]
    if id_type in (IdType.RESIDENCE, IdType.PASSPORT):
        return _ELSEWHERE[draw % len(_ELSEWHERE)]
    return own


def _with_luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def _egyptian(place: int) -> str:
    """Century, birth date, governorate, sequence, check digit; the check as commonly described, which is disputed."""
    rest, day = divmod(place, _EGYPT_DAYS)
    sequence, governorate = divmod(rest, len(_EGYPT_GOVERNORATES))
    born = _EGYPT_FIRST + dt.timedelta(days=day * 7919 % _EGYPT_DAYS)
    digits = f"2{born:%y%m%d}{_EGYPT_GOVERNORATES[governorate]:02d}{1 + sequence % 9999:04d}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, _EGYPT_WEIGHTS, strict=True))
    return digits + str((11 - total % 11) % 10)


def _written_date(digits: str) -> dt.date | None:
    try:
        return dt.date(1700 + 100 * int(digits[0]) + int(digits[1:3]), int(digits[3:5]), int(digits[5:7]))
    except (ValueError, IndexError):
        return None
