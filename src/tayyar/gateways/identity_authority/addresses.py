"""The made-up national addresses: one or two for each person, and a rule that says which buildings there are. Pure."""

import hashlib
from typing import Any

from tayyar.gateways.identity_authority.names import CITIES, DISTRICTS, OTHER_CITY, STREETS
from tayyar.identity.models import IdType


def addresses_of(country: str, id_type: IdType, number: str) -> list[dict[str, Any]]:
    """Those on record for a person, as JSON; who has an odd number has two."""
    found = []
    for place in range(1 + int(number[-1:] in "13579")):
        digest = hashlib.blake2b(f"{place} {id_type} {number}".encode(), digest_size=8).digest()
        building = 1000 + int.from_bytes(digest[:4], "big") % 9000
        postal = 11000 + int.from_bytes(digest[4:], "big") % 88000
        found.append(_address(country, building, postal))
    return found


def find(country: str, building: str, postal: str, additional: str) -> dict[str, Any] | None:
    """The address of that building, as JSON. There is one wherever the additional number is the right one:
    1000 + (building number x postal code) mod 9000."""
    if not (building.isdigit() and postal.isdigit() and len(building) == 4 and len(postal) == 5):
        return None
    found = _address(country, int(building), int(postal))
    return found if found["parts"]["additional_number"] == additional else None


def _address(country: str, building: int, postal: int) -> dict[str, Any]:
    street, district = STREETS[building % len(STREETS)], DISTRICTS[postal % len(DISTRICTS)]
    city = CITIES.get(country, OTHER_CITY)
    additional = 1000 + building * postal % 9000
    letters = "".join(chr(ord("A") + postal // 26**place % 26) for place in range(4))
    lines = {}
    for language, comma in (("ar", "، "), ("en", ", "), ("fr", ", ")):
        end = f"{city[language]} {postal}-{additional}"
        lines[language] = comma.join((f"{building} {street[language]}", district[language], end))
    parts = {
        "building_number": str(building),
        "street": street["ar"],
        "district": district["ar"],
        "city": city["ar"],
        "postal_code": str(postal),
        "additional_number": str(additional),
    }
    return {"code": f"{letters}{building}", "lines": lines, "parts": parts}
