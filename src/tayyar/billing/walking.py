"""Walking order: addresses as a carrier meets them. Pure; numbers compare as numbers.

Until usage points carry a route and a place on it, the order is that of street and house number: "street 9" comes
before "street 12", and a number that stands first ("12 rue de la Paix") belongs to the street behind it. A column
for the route would become the first part of the key. Next: paper.py sorts a sheet's bills by it.
"""

import re
import unicodedata

Key = tuple[tuple[int, int, str], ...]

# Letters that Arabic typists use for one another: the same street must sort together however it was typed.
_ALIKE = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", "ـ": None})
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_NUMBER_FIRST = re.compile(r"^\W*(\d+)\s*((?:bis|ter|quater)\b)?\W*(.*)$", re.DOTALL)


def walking_key(address: str) -> Key:
    """What to sort an address by: words as text, numbers as numbers, numbers before words.

    Case, accents, vowel marks, punctuation and the kind of digits (12, ١٢) do not matter.
    """
    plain = unicodedata.normalize("NFKD", address.translate(_ALIKE)).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c)).translate(_ALIKE)
    if first := _NUMBER_FIRST.match(plain):
        number, suffix, street = first.groups()
        if street:
            plain = f"{street} {number} {suffix or ''}"
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _PARTS.findall(plain))
