"""The adapter to the National Address service. Source: api.address.gov.sa, version 3.1 (docs/identity-authorities.md).

It is asked for UTF-8: without `encode` its Arabic comes as Windows-1256.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tayyar.gateways.authority.entry import AuthorityEntry, Options
from tayyar.gateways.authority.facts import as_text
from tayyar.gateways.authority.inquiry import Inquiry
from tayyar.identity.models import IdType
from tayyar.identity.ports import NationalAddress

_LANGUAGES = {"ar": "A", "en": "E"}
_PARTS = {
    "building_number": "BuildingNumber",
    "street": "Street",
    "district": "District",
    "city": "City",
    "postal_code": "PostCode",
    "additional_number": "AdditionalNumber",
}


@dataclass(frozen=True, slots=True)
class NationalAddressOptions:
    """`base_url` holds the version."""

    api_key: str = field(repr=False)
    base_url: str
    timeout_seconds: int


class SaudiAddressAuthority:
    """See identity.ports.AddressAuthority."""

    def __init__(self, entry: AuthorityEntry, options: NationalAddressOptions) -> None:
        self.code, self.options = entry.code, options
        self._inquiry = Inquiry(entry.code, timeout_seconds=options.timeout_seconds)

    def addresses_of(self, *, id_type: IdType, number: str) -> list[NationalAddress]:
        """None: the public service does not tell a person's addresses. They give theirs, and `find` confirms it."""
        return []

    def find(
        self, *, building_number: str, postal_code: str, additional_number: str
    ) -> NationalAddress | None:
        """The address of that building, first confirmed by address-verify, then read in each language."""
        until = self._inquiry.deadline()
        asked = {
            "buildingnumber": building_number,
            "zipcode": postal_code,
            "additionalnumber": additional_number,
        }
        verified = self._get("address-verify", {**asked, "language": "A"}, until)
        if verified.get("addressfound") is not True:
            return None
        wanted = (building_number, postal_code, additional_number)
        found = {language: self._written(wanted, letter, until) for language, letter in _LANGUAGES.items()}
        arabic = found["ar"]
        return NationalAddress(
            code=arabic.pop("code", ""),
            lines={language: _line(written) for language, written in found.items()},
            parts={name: arabic[name] for name in _PARTS},
        )

    def _written(self, wanted: tuple[str, str, str], letter: str, until: float) -> dict[str, str]:
        """The parts of the building's address in one language; the numbers alone when the search does not show it."""
        query = {"addressstring": " ".join(wanted), "language": letter, "page": "1"}
        content = self._get("address-free-text", query, until)
        listed = content.get("Addresses")
        for entry in listed if isinstance(listed, list) else []:
            if not isinstance(entry, dict):
                continue
            parts = {ours: as_text(entry.get(theirs)) for ours, theirs in _PARTS.items()}
            if (parts["building_number"], parts["postal_code"], parts["additional_number"]) == wanted:
                return {**parts, "code": as_text(entry.get("ShortAddress"))}
        numbers = zip(("building_number", "postal_code", "additional_number"), wanted, strict=True)
        return {**dict.fromkeys(_PARTS, ""), **dict(numbers)}

    def _get(self, what: str, query: Mapping[str, str], until: float) -> dict[str, Any]:
        answer = self._inquiry.get(
            f"{self.options.base_url}/Address/{what}",
            query={**query, "format": "JSON", "encode": "utf8"},
            headers={"api_key": self.options.api_key},
            until=until,
        )
        content = self._inquiry.content(answer)
        if content.get("success") is not True:
            raise self._inquiry.down(f"{what} says that it did not succeed")
        return content


def _line(parts: Mapping[str, str]) -> str:
    """One line as the service's own pages write it: building, street, district, city, postal and additional number."""
    head = f"{parts['building_number']} {parts['street']}".strip()
    tail = f"{parts['city']} {parts['postal_code']}-{parts['additional_number']}".strip()
    comma = "، " if any("\u0600" <= letter <= "\u06ff" for letter in parts["city"]) else ", "
    return comma.join(part for part in (head, parts["district"], tail) if part)


def build(entry: AuthorityEntry) -> SaudiAddressAuthority:
    """The adapter of an entry; UserError says what the entry lacks."""
    options = Options(entry)
    found = NationalAddressOptions(
        api_key=options.secret("api_key"),
        base_url=options.url("base_url", "https://apina.address.gov.sa/NationalAddress/v3.1"),
        timeout_seconds=options.seconds("timeout_seconds", 10, most=30),
    )
    options.done()
    return SaudiAddressAuthority(entry, found)
