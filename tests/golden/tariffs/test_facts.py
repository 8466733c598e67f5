"""Every tariff of the facts this project was given is in the profiles, with the same numbers and sources.

The facts lie beside the repository, not in it; without them this file is skipped.
"""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tayyar.profiles import load
from tayyar.tariffs.book import load_book
from tayyar.tariffs.documents import Band, Version

FACTS = Path(__file__).parents[4] / "shared" / "facts"
if not FACTS.is_dir():
    pytest.skip("no facts beside the repository", allow_module_level=True)

TARIFFS = json.loads((FACTS / "tariffs.json").read_text(encoding="utf-8"))["tariffs"]
# Where the facts give two values or none, the profile asks: (tariff, block) -> question.
ASKED = {
    ("BH-SUB-2026", 2): "SUB_2026_5001_7000",
    ("EG-COM-2024-01", 2): "EG_COM_2024_01_251_600",
    ("EG-COM-2024-01", 3): "EG_COM_2024_01_601_1000",
    ("BH-UNSUB-2016", 1): "UNSUB_2016_ABOVE_3000",
    ("BH-UNSUB-2017", 1): "UNSUB_2017_ABOVE_3000",
    ("BH-UNSUB-2018", 1): "UNSUB_2018_ABOVE_3000",
}


def _version(fact: dict[str, Any]) -> Version:
    version = load_book(load(fact["country"])).find(fact["id"])
    assert version is not None, fact["id"]
    return version


def _ids(fact: dict[str, Any]) -> str:
    return str(fact["id"])


each_tariff = pytest.mark.parametrize("fact", TARIFFS, ids=_ids)


def test_no_tariff_was_added_that_the_facts_do_not_have() -> None:
    shipped = {v.id for code in ("sa", "eg", "bh", "mr") for v in load_book(load(code)).versions}
    assert shipped == {fact["id"] for fact in TARIFFS}


@each_tariff
def test_dates_sources_and_confidence_are_those_of_the_facts(fact: dict[str, Any]) -> None:
    version = _version(fact)
    first = fact["effective_from"] and dt.date.fromisoformat(fact["effective_from"])
    last = fact["effective_to"] and dt.date.fromisoformat(fact["effective_to"])
    assert version.first_day == first
    assert version.end_day == (last and last + dt.timedelta(days=1))
    assert list(version.source) == fact["source"]
    assert version.confidence == fact["confidence"]
    assert " ".join(version.note.split()) == " ".join((fact["notes"] or "").split())
    assert version.published_category == fact["category"]
    assert load(fact["country"]).currency.code == fact["currency"]


@each_tariff
def test_blocks_are_those_of_the_facts(fact: dict[str, Any]) -> None:
    (season,) = _version(fact).seasons
    assert len(season.blocks) == len(fact["blocks"])
    for at, (block, given) in enumerate(zip(season.blocks, fact["blocks"], strict=True)):
        assert block.up_to_wh == (given["to_kwh"] and given["to_kwh"] * 1000)
        assert block.reprices_all == (given["reprice_from_kwh"] == 0)
        assert block.question == ASKED.get((fact["id"], at))
        if block.question is None:
            assert block.price_micro == Decimal(given["price"]) * 10**6


@each_tariff
def test_fixed_fees_are_those_of_the_facts(fact: dict[str, Any]) -> None:
    version = _version(fact)
    if fact["country"] == "MR":
        assert [fee.question for fee in version.fixed] == ["FIXED_PREMIUM"]
        return
    given = fact["fixed_charges"]
    if fact["country"] == "BH" and given:
        wanted = "subsidised/before" if "-SUB-" in fact["id"] else "unsubsidised"
        given = [charge for charge in given if charge["applies_to"] == wanted]
    assert len(version.fixed) == len(given)
    digits = load(fact["country"]).currency.minor_digits
    for fee, charge in zip(version.fixed, given, strict=True):
        assert fee.per == charge["per"].upper()
        bands = charge.get("bands") or [{"gt": None, "amount": charge["amount"]}]
        assert [_band(band) for band in fee.bands] == [_given_band(band, digits, fee.by) for band in bands]


def _band(band: Band) -> tuple[int | None, int | None]:
    return band.upper, band.amount_minor


def _given_band(band: dict[str, Any], digits: int, by: str) -> tuple[int | None, int]:
    """The inclusive upper bound (ampere or Wh) and amount of a band of the facts."""
    size = 1000 if by == "CONSUMPTION" else 1
    upper = None
    if "lt" in band:
        upper = band["lt"] - 1
    for key in ("lte", "eq", "kwh_eq"):
        if key in band:
            upper = band[key] * size
    return upper, int(Decimal(band["amount"]).scaleb(digits))


@each_tariff
def test_taxes_are_those_of_the_facts(fact: dict[str, Any]) -> None:
    version = _version(fact)
    if fact["country"] == "MR":
        assert [tax.question for tax in version.taxes] == ["VAT_RATE"]
        return
    assert len(version.taxes) == len(fact["taxes"])
    for tax, given in zip(version.taxes, fact["taxes"], strict=True):
        assert tax.code == given["name"]
        if given["rate"] is None:
            assert tax.question == "VAT_RATE"
            continue
        assert tax.rate_micro == Decimal(given["rate"]) * 10**6
        assert tax.first_day == dt.date.fromisoformat(given["from"])
        last = given["to"] and dt.date.fromisoformat(given["to"])
        assert tax.end_day == (last and last + dt.timedelta(days=1))
        assert tax.base == {"ENERGY", "FIXED"}


@each_tariff
def test_proration_is_that_of_the_facts(fact: dict[str, Any]) -> None:
    proration = _version(fact).proration
    rule = fact["proration"] and fact["proration"]["rule"]
    if rule is None:
        assert proration.rule == "MONTHS"
    elif rule == "block_size * actual_days / 30":
        assert (proration.rule, proration.divisor_days) == ("DAYS", 30)
    else:
        assert (proration.rule, proration.question) == ("UNKNOWN", "DAY_DIVISOR")


@each_tariff
def test_the_words_of_the_facts_find_the_category(fact: dict[str, Any]) -> None:
    profile = load(fact["country"])
    scopes = _version(fact).applies_to
    category, entitled = profile.resolve_category(fact["category"])
    assert category.code in {scope.category for scope in scopes}
    if any(scope.entitled is not None for scope in scopes if scope.category == category.code):
        assert entitled in {scope.entitled for scope in scopes}


def test_consumer_rules_are_those_of_the_facts() -> None:
    rules = json.loads((FACTS / "consumer-rules.json").read_text(encoding="utf-8"))
    for code, given in rules.items():
        assert load(code).consumer_rules == given
