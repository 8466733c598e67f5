"""Tariff documents: the schema describes what ships, and a mistake is named by file, key and reason."""

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tayyar.profiles import ProfileError, load
from tayyar.profiles.reader import parse_yaml, read_yaml
from tayyar.tariffs import documents
from tayyar.tariffs.book import TariffBook, load_book
from tayyar.tariffs.parse import parse_version

SOURCE = Path(documents.__file__).parent
SCHEMA = json.loads((SOURCE / "schema.json").read_text(encoding="utf-8"))
SHIPPED = sorted((SOURCE.parent / "profiles").glob("*/tariffs/*.yaml"))
LABORATORY = sorted((Path(__file__).parent / "profiles" / "xx" / "tariffs").glob("*.yaml"))

GOOD = """
id: T
number: 77
names: {ar: ت, en: T, fr: T}
applies_to: [{category: RESIDENTIAL}]
first_day: 2026-01-01
blocks: [{up_to_kwh: 100, price: 0.5}, {price: 1}]
fixed:
  - code: F
    names: {ar: ر, en: F, fr: F}
    per: MONTH
    by: BREAKER
    bands: [{below_a: 100, amount: 1}, {from_a: 100, amount: 2}]
taxes: [VAT_2020]
source: nowhere
confidence: assumed
"""


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value satisfies the part of JSON Schema that schema.json uses."""
    if "$ref" in schema:
        return _fits(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    if "oneOf" in schema:
        return sum(_fits(value, option) for option in schema["oneOf"]) == 1
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if schema.get("format") == "date":
        return isinstance(value, dt.date)
    kind = schema["type"]
    if kind == "object":
        known = schema["properties"]
        return (
            isinstance(value, dict)
            and all(name in value for name in schema.get("required", ()))
            and all(name in known and _fits(inner, known[name]) for name, inner in value.items())
        )
    if kind == "array":
        return isinstance(value, list) and all(_fits(item, schema["items"]) for item in value)
    types: dict[str, tuple[type, ...]] = {
        "string": (str,), "integer": (int,), "number": (int, Decimal), "boolean": (bool,)
    }  # fmt: skip
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    return schema.get("minimum", value) <= value <= schema.get("maximum", value)


@pytest.mark.parametrize("path", [*SHIPPED, *LABORATORY], ids=lambda path: path.name)
def test_every_document_satisfies_the_published_schema(path: Path) -> None:
    values = read_yaml(path)
    if path.name != "shared.yaml":
        assert _fits(values, SCHEMA)
        return
    assert all(_fits(fee, SCHEMA["$defs"]["fee"]) for fee in values.get("fixed", {}).values())
    assert all(_fits(tax, SCHEMA["$defs"]["tax"]) for tax in values.get("taxes", {}).values())


def test_the_schema_refuses_a_misspelt_key() -> None:
    assert _fits(parse_yaml(GOOD, "good.yaml"), SCHEMA)
    assert not _fits(parse_yaml(GOOD.replace("blocks:", "block:"), "bad.yaml"), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("number: 77", "number: many", ["number", "'many'"]),
        ("fr: T}\napplies", "de: T}\napplies", ["names.fr", "is missing"]),
        ("category: RESIDENTIAL", "category: PALACE", ["applies_to[1].category", "PALACE", "RESIDENTIAL"]),
        ("2026-01-01", "yesterday", ["first_day", "2026-01-31"]),
        ("2026-01-01", "unknown", ["first_day", "no last_day"]),
        ("first_day: 2026-01-01", "first_day: 2026-01-01\nlast_day: 2025-01-01", ["last_day", "before first_day"]),
        ("{up_to_kwh: 100, price: 0.5}, {price: 1}", "{up_to_kwh: 100, price: 0.5}", ["blocks", "only the last"]),
        ("price: 0.5}", "price: 0.1234567}", ["blocks[1].price", "six decimals"]),
        ("price: 0.5}", "price: -1}", ["blocks[1].price", "0 to"]),
        ("price: 0.5}", "price: {question: WHAT}}", ["blocks[1].price.question", "open_questions"]),
        ("{from_a: 100,", "{from_a: 120,", ["fixed[1].bands[2]", "does not start"]),
        ("{from_a: 100, amount: 2}", "{from_a: 100, below_a: 200, amount: 2}", ["fixed[1].bands", "no end"]),
        ("amount: 2}", "amount: 2.001}", ["fixed[1].bands[2].amount", "finer"]),
        ("VAT_2020", "VAT_2099", ["taxes[1]", "VAT_2099", "shared.yaml"]),
        ("source: nowhere", "demand_charges: [{price: 1}]\nsource: nowhere", ["demand_charges", "not supported yet"]),
        ("source: nowhere", "net_billing: {price: 1}\nsource: nowhere", ["net_billing", "not supported yet"]),
        ("source: nowhere", "", ["source", "is missing"]),
        ("source: nowhere", "colour: red\nsource: nowhere", ["colour", "not a key"]),
        ("confidence: assumed", "confidence: sure", ["confidence", "assumed"]),
        ("first_day: 2026", "currency: EUR\nfirst_day: 2026", ["currency", "EUR", "SAR"]),
        ("blocks:", "proration: {rule: DAYS, divisor: 12}\nblocks:", ["proration.divisor", "28 to 31"]),
        ("blocks:", "registers: [{code: PEAK, names: {ar: ذ, en: P, fr: P}, price: 1}]\nblocks:", ["blocks", "either"]),
        ("blocks:", "compare_with: {category: X}\nblocks:", ["compare_with.category"]),
        ("number: 77", "number: 77\nnumber: 78", ["line 4", "written twice"]),
    ],
)  # fmt: skip
def test_a_mistake_names_file_key_and_reason(old: str, new: str, words: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(ProfileError) as caught:
        parse_version(parse_yaml(GOOD.replace(old, new, 1), "draft.yaml"), "draft.yaml", load("sa"))
    assert str(caught.value).startswith("draft.yaml: ")
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_two_documents_may_not_share_a_number_or_begin_together() -> None:
    profile = load("sa")
    versions = load_book(profile).versions
    same_number = parse_version(parse_yaml(GOOD.replace("77", "1"), "a.yaml"), "a.yaml", profile)
    with pytest.raises(ProfileError, match=r"number, id: 1 is also used"):
        TariffBook(profile, [*versions, same_number])
    same_day = parse_version(parse_yaml(GOOD.replace("2026", "2018"), "a.yaml"), "a.yaml", profile)
    with pytest.raises(ProfileError, match="begins on the same day"):
        TariffBook(profile, [*versions, same_day])


def test_a_later_document_ends_an_open_one() -> None:
    profile = load("sa")
    later = parse_version(parse_yaml(GOOD, "a.yaml"), "a.yaml", profile)
    book = TariffBook(profile, [*load_book(profile).versions, later])
    assert book.select("RESIDENTIAL", dt.date(2025, 12, 31)).id == "SA-RES-2018"
    assert book.select("RESIDENTIAL", dt.date(2026, 1, 1)).id == "T"


def test_the_content_hash_follows_prices_and_not_notes() -> None:
    def hashed(text: str) -> str:
        return parse_version(parse_yaml(text, "a.yaml"), "a.yaml", load("sa")).content_hash

    assert hashed(GOOD) == hashed(GOOD + "note: looked at twice\n")
    assert hashed(GOOD) != hashed(GOOD.replace("0.5", "0.51"))
    assert hashed(GOOD) != hashed(GOOD.replace("amount: 2", "amount: 3"))
