"""The ground floor: money, periods, numbers with check digits, sealed values, the clock."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core import clock, crypto, references
from tayyar.core.errors import UserError
from tayyar.core.money import Currency, divide_half_up
from tayyar.core.periods import Period

SAR, BHD = Currency("SAR", 2), Currency("BHD", 3)


@given(st.integers(-(10**15), 10**15), st.sampled_from([SAR, BHD]))
def test_an_amount_survives_being_printed_and_read(amount_minor: int, currency: Currency) -> None:
    assert currency.parse(currency.format(amount_minor)) == amount_minor


def test_an_amount_finer_than_the_minor_unit_is_refused() -> None:
    with pytest.raises(UserError, match="finer"):
        SAR.parse("1.005")


@pytest.mark.parametrize("text", ["", "12,5", "NaN", "Infinity", "abc"])
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        SAR.parse(text)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**9))
def test_half_up_rounds_as_decimal_does(numerator: int, denominator: int) -> None:
    exact = Decimal(numerator) / Decimal(denominator)
    assert abs(divide_half_up(numerator, denominator) - exact) <= Decimal("0.5000001")
    assert divide_half_up(-numerator, denominator) == -divide_half_up(numerator, denominator)


def test_halves_are_rounded_away_from_zero() -> None:
    assert [divide_half_up(n, 2) for n in (1, 3, -1, -3)] == [1, 2, -1, -2]


def test_a_period_is_half_open_and_knows_its_neighbours() -> None:
    december = Period.parse("2026-12")
    assert (december.start, december.end) == (dt.date(2026, 12, 1), dt.date(2027, 1, 1))
    assert (str(december.plus(1)), str(december.plus(-12))) == ("2027-01", "2025-12")


def test_the_31st_of_a_short_month_is_its_last_day() -> None:
    assert Period.parse("2026-02").day(31) == dt.date(2026, 2, 28)


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "26-01", "2026/01", "", "2026-00"])
def test_what_is_not_a_period_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="2026-11"):
        Period.parse(text)


@given(st.integers(1, 10**13))
def test_any_one_wrong_digit_of_a_number_is_noticed(body: int) -> None:
    text = str(references.with_check(body))
    for place, digit in enumerate(text):
        wrong = text[:place] + str((int(digit) + 1) % 10) + text[place + 1 :]
        with pytest.raises(UserError):
            references.without_check(int(wrong), what="account number")


@pytest.mark.parametrize("typed", ["²", "1000000024²", "⑧", "x", ""])
def test_what_is_no_digit_is_refused_and_no_fault(typed: str) -> None:
    with pytest.raises(UserError):
        references.parse_number(typed, what="account number", digits=11)


@given(st.integers(1, 10**13))
def test_two_neighbouring_digits_swapped_are_noticed(body: int) -> None:
    text = str(references.with_check(body))
    for place in range(len(text) - 1):
        if text[place] != text[place + 1]:
            swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
            with pytest.raises(UserError):
                references.without_check(int(swapped), what="account number")


def test_check_digits_of_a_column_are_those_of_each_number() -> None:
    bodies = np.array([1, 97, 123456789], np.int64)
    assert references.with_check(bodies).tolist() == [references.with_check(int(body)) for body in bodies]


def test_a_number_is_read_as_people_write_it() -> None:
    number = references.with_check(100000001)
    text = str(number)
    arabic = text.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    for written in (text, f"{text[:4]} {text[4:8]} {text[8:]}", f"{text[:3]}-{text[3:]}", arabic):
        assert references.parse_number(written, what="account number", digits=11) == number


def test_a_number_too_short_says_how_many_digits_it_has() -> None:
    with pytest.raises(UserError, match=r"11 digits.*has 10"):
        references.parse_number("1000000014", what="account number", digits=11)


@given(st.integers(0, 32**6 - 1))
def test_a_reference_is_read_back_whatever_its_case(serial: int) -> None:
    assert references.parse_reference(references.reference("R", serial).lower()) == ("R", serial)


def test_a_wrong_letter_in_a_reference_is_noticed() -> None:
    text = references.reference("R", 4711)
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    with pytest.raises(UserError):
        references.parse_reference(wrong)


@pytest.fixture
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAYYAR_KEYS", str(tmp_path / "keys.json"))
    crypto.keys.cache_clear()
    yield tmp_path / "keys.json"
    crypto.keys.cache_clear()


def test_a_sealed_value_opens_and_is_never_the_same_twice(own_keys: Path) -> None:
    sealed = [crypto.seal("salma@example.com", field="f") for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert [crypto.unseal(value, field="f") for value in sealed] == ["salma@example.com"] * 2


def test_a_sealed_value_of_another_column_does_not_open(own_keys: Path) -> None:
    with pytest.raises(UserError, match="altered"):
        crypto.unseal(crypto.seal("x", field="one"), field="two")


def test_an_altered_sealed_value_does_not_open(own_keys: Path) -> None:
    sealed = bytearray(crypto.seal("salma@example.com", field="f"))
    sealed[-1] ^= 1
    with pytest.raises(UserError):
        crypto.unseal(bytes(sealed), field="f")


def test_after_rotation_old_values_open_and_new_ones_use_the_new_key(own_keys: Path) -> None:
    old = crypto.seal("old", field="f")
    number = crypto.rotate()
    new = crypto.seal("new", field="f")
    assert (new[1], crypto.unseal(old, field="f"), crypto.unseal(new, field="f")) == (number, "old", "new")


def sealed_after_a_rotation_elsewhere(own_keys: Path) -> bytes:
    """A value sealed by a key that another process added: this one remembers the keys of before."""
    crypto.keys()
    before = own_keys.read_text()
    crypto.rotate()
    sealed, after = crypto.seal("new", field="f"), own_keys.read_text()
    own_keys.write_text(before)
    crypto.keys.cache_clear()
    assert crypto.keys().newest == 1
    own_keys.write_text(after)
    return sealed


def test_a_long_running_process_opens_what_was_sealed_after_a_rotation_elsewhere(own_keys: Path) -> None:
    sealed = sealed_after_a_rotation_elsewhere(own_keys)
    assert crypto.unseal(sealed, field="f") == "new"


def test_a_rotation_keeps_the_key_that_another_process_added(own_keys: Path) -> None:
    sealed = sealed_after_a_rotation_elsewhere(own_keys)
    assert crypto.rotate() == 3
    assert crypto.unseal(sealed, field="f") == "new"


def test_equal_values_have_equal_hashes_only_in_the_same_column(own_keys: Path) -> None:
    assert crypto.lookup_hash("x", field="a") == crypto.lookup_hash("x", field="a")
    assert crypto.lookup_hash("x", field="a") != crypto.lookup_hash("x", field="b")


def test_the_keys_file_is_for_its_owner_only(own_keys: Path) -> None:
    crypto.keys()
    assert own_keys.stat().st_mode & 0o777 == 0o600


def test_the_clock_stands_where_it_is_put() -> None:
    moment = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)
    with clock.at(moment):
        assert clock.now() == moment
    assert clock.now() != moment
