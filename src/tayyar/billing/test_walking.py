"""Walking order: streets together, house numbers as numbers, however an address was typed."""

import random

import pytest

from tayyar.billing.walking import walking_key


@pytest.mark.parametrize(
    "walk",
    [
        ["شارع التحلية 2", "شارع التحلية 9", "شارع التحلية 12", "شارع التحلية 100"],
        ["street 9", "street 9a", "street 9b", "street 12"],
        ["1 rue de la Paix", "2 bis, rue de la Paix", "10 rue de la Paix", "3 rue du Port"],
        ["Block 215, Road 7, House 3", "Block 215, Road 7, House 20", "Block 215, Road 12, House 1"],
    ],
)
def test_numbers_compare_as_numbers_and_streets_stay_together(walk: list[str]) -> None:
    mixed = walk[:]
    random.Random(3).shuffle(mixed)
    assert sorted(mixed, key=walking_key) == walk


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("شارع الأربعين ١٢", "شارع الاربعين 12"),
        ("مدينة نصر، 4", "مدينه نصر 4"),
        ("شارع مُحمَّد 5", "شارع محمد 5"),
        ("Évry 5", "evry, 5"),
    ],
)
def test_the_same_place_typed_otherwise_has_the_same_key(one: str, other: str) -> None:
    assert walking_key(one) == walking_key(other)


def test_an_empty_address_sorts_and_comes_first() -> None:
    assert sorted(["a 1", ""], key=walking_key) == ["", "a 1"]
