"""The kernel against the reference, and the promises of its frame."""

import datetime as dt
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tayyar.profiles import demo_answers, load
from tayyar.tariffs import kernel
from tayyar.tariffs.book import TariffBook, load_book
from tayyar.tariffs.kernel import charge, iter_lines
from tayyar.tariffs.lines import decode
from tayyar.tariffs.reference import charge_one
from tayyar.tariffs.sampling import bills, random_accounts

LABORATORY = Path(__file__).parents[3] / "tests" / "golden" / "tariffs" / "profiles"
COUNTRIES = ["sa", "eg", "bh", "mr", "xx"]
MONEY = ["energy_minor", "fixed_minor", "subsidy_minor", "tax_minor", "total_minor", "support_minor"]


@pytest.fixture(autouse=True, scope="module")
def laboratory() -> Iterator[None]:
    """The country xx, whose tariffs use what the real ones do not use yet, is there too."""
    before = os.environ.get("TAYYAR_PROFILES")
    os.environ["TAYYAR_PROFILES"] = str(LABORATORY)
    yield
    if before is None:
        del os.environ["TAYYAR_PROFILES"]
    else:
        os.environ["TAYYAR_PROFILES"] = before


@cache
def _book(code: str) -> TariffBook:
    return load_book(load(code, demo_answers(load(code))))


def _assert_equal_to_reference(book: TariffBook, frame: pl.DataFrame) -> None:
    charges = charge(frame, book)
    for bill, row, lines in zip(
        bills(book, frame), charges.totals.rows(named=True), iter_lines(charges), strict=True
    ):
        want = charge_one(book, bill)
        amounts = [want.energy, want.fixed, want.subsidy, want.tax, want.total, want.support]
        assert [row[name] for name in MONEY] == amounts, bill
        assert row["problem"] == want.problem, bill
        assert [tuple(line) for line in lines.tolist()] == want.lines, bill
        assert sum(line[3] for line in want.lines) == row["total_minor"], bill


@pytest.mark.parametrize("code", COUNTRIES)
def test_every_tariff_agrees_with_the_reference_on_random_bills(code: str) -> None:
    _assert_equal_to_reference(_book(code), random_accounts(_book(code), 1500, seed=20))


@pytest.mark.parametrize("code", ["bh", "mr"])
def test_without_answers_the_kernel_refuses_what_the_reference_refuses(code: str) -> None:
    book = load_book(load(code))
    frame = random_accounts(book, 400, seed=3)
    _assert_equal_to_reference(book, frame)
    assert charge(frame, book).totals["problem"].null_count() < 400


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    code=st.sampled_from(COUNTRIES),
    category=st.integers(1, 8),
    entitled=st.booleans(),
    start=st.dates(dt.date(2009, 1, 1), dt.date(2027, 1, 1)),
    days=st.integers(1, 800),
    energy_wh=st.integers(0, 2 * 10**10),
    breaker_a=st.integers(0, 1000),
    months=st.integers(1, 24),
    year_wh=st.integers(0, 3_000_000),
    standard=st.booleans(),
    peak=st.integers(0, 100),
)
def test_any_bill_agrees_with_the_reference(
    code: str,
    category: int,
    energy_wh: int,
    peak: int,
    start: dt.date,
    days: int,
    standard: bool,
    **rest: Any,
) -> None:
    book = _book(code)
    category = 1 + category % len(book.categories)
    frame = pl.DataFrame(
        {
            "row": [0],
            "category": pl.Series([category], dtype=pl.Int16),
            "start_date": [start],
            "end_date": [start + dt.timedelta(days=days)],
            "energy_wh": [energy_wh],
            "standard_month": [standard],
            "energy_wh_PEAK": [energy_wh * peak // 100],
            "energy_wh_OFF": [energy_wh - energy_wh * peak // 100],
            **{name: [value] for name, value in rest.items()},
        }
    )
    _assert_equal_to_reference(book, frame)


def _one(**changes: Any) -> pl.DataFrame:
    values: dict[str, Any] = {
        "row": 7,
        "category": 1,
        "start_date": dt.date(2025, 10, 28),
        "end_date": dt.date(2025, 11, 28),
        "energy_wh": 7_000_500,
        "breaker_a": 100,
        "entitled": False,
        "months": 1,
        "year_wh": 0,
    }
    return pl.DataFrame({name: [value] for name, value in (values | changes).items()})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"energy_wh": -1}, "ENERGY_NEGATIVE"),
        ({"energy_wh": 10**12 + 1}, "ENERGY_TOO_LARGE"),
        ({"energy_wh": 2**63 - 1}, "ENERGY_TOO_LARGE"),
        ({"end_date": dt.date(2025, 10, 28)}, "PERIOD_INVALID"),
        ({"end_date": dt.date(2030, 10, 28)}, "PERIOD_INVALID"),
        ({"months": 0}, "PERIOD_INVALID"),
        ({"category": 99}, "NO_TARIFF"),
        ({"category": 500}, "NO_TARIFF"),
        ({"category": -1}, "NO_TARIFF"),
        ({"breaker_a": -5}, "BREAKER_INVALID"),
        ({"start_date": dt.date(2009, 1, 1), "end_date": dt.date(2009, 2, 1)}, "NO_TARIFF"),
        ({"start_date": dt.date(2015, 12, 20), "end_date": dt.date(2016, 1, 20)}, "NO_TARIFF"),
    ],
)
def test_a_row_that_cannot_be_charged_is_zero_and_says_why(changes: dict[str, Any], problem: str) -> None:
    good = _one()
    charges = charge(pl.concat([good, _one(**changes), good], how="vertical_relaxed"), _book("sa"))
    assert charges.totals["problem"].to_list() == [None, problem, None]
    assert charges.totals.select(MONEY).row(1) == (0,) * 6
    assert charges.lines.line_counts.tolist() == [4, 0, 4]
    assert charges.totals["total_minor"].to_list() == [157682, 0, 157682]


def test_the_largest_bill_is_still_exact() -> None:
    # 6200 kWh x 0.18 = 1116.00; (1e9 - 6200) kWh x 0.30 = 299 998 140.00; + 15.00; 15 % of 299 999 271.00
    row = charge(_one(energy_wh=10**12), _book("sa")).totals.row(0, named=True)
    assert row["energy_minor"] == 29_999_925_600
    assert row["tax_minor"] == (29_999_925_600 + 1500) * 15 // 100
    assert row["total_minor"] == 29_999_927_100 + row["tax_minor"]


def test_input_order_is_kept_across_categories_and_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    book = _book("sa")
    frame = random_accounts(book, 500, seed=5)
    whole = charge(frame, book)
    monkeypatch.setattr(kernel, "SLICE_ROWS", 64)
    sliced = charge(frame, book)
    assert sliced.totals.equals(whole.totals)
    assert sliced.totals["row"].to_list() == frame["row"].to_list()
    assert np.array_equal(sliced.lines.line_values, whole.lines.line_values)
    assert np.array_equal(sliced.lines.line_counts, whole.lines.line_counts)


def test_an_empty_frame_gives_empty_charges() -> None:
    charges = charge(_one().clear(), _book("sa"))
    assert charges.totals.height == 0
    assert charges.lines.line_values.shape == (0, 4)


def test_a_null_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="energy_wh"):
        charge(_one(energy_wh=None).with_columns(pl.col("energy_wh").cast(pl.Int64)), _book("sa"))


@pytest.mark.parametrize("code", COUNTRIES)
def test_every_line_code_decodes_to_words_in_three_languages(code: str) -> None:
    book = _book(code)
    values = charge(random_accounts(book, 1500, seed=9), book).lines.line_values
    assert len(values)
    for line_code in np.unique(values[:, 0]).tolist():
        label = decode(book, line_code)
        assert set(label.names) == {"ar", "en", "fr"}
        assert all(label.names.values())
        assert label.kind in ("ENERGY", "FIXED", "SUBSIDY", "MINIMUM", "TAX")
    with pytest.raises(KeyError):
        decode(book, 1_000 + 99)


def test_crossing_the_social_limit_in_the_year_moves_the_whole_bill() -> None:
    book = _book("mr")
    social = book.profile.category("SOCIAL").number
    frame = pl.concat(
        [_one(category=social, energy_wh=100_000, year_wh=1_100_000, months=2),  # 1200 in all: still social
         _one(category=social, energy_wh=100_000, year_wh=1_100_001, months=2)]
    )  # fmt: skip
    totals = charge(frame, book).totals
    # 100 x 2.459 = 245.90; 100 x 5.903 = 590.30
    assert totals["energy_minor"].to_list() == [24590, 59030]
    assert [book.version(number).id for number in totals["tariff"]] == ["MR-SOC-2020", "MR-DOM"]


def test_support_tells_what_the_state_pays_and_changes_no_amount() -> None:
    frame = _one(
        entitled=True, energy_wh=2_000_000, start_date=dt.date(2026, 1, 1), end_date=dt.date(2026, 2, 1)
    )
    row = charge(frame, _book("bh")).totals.row(0, named=True)
    # 2000 x 0.003 = 6.000; unsubsidised 2000 x 0.032 = 64.000
    assert (row["energy_minor"], row["support_minor"]) == (6000, 58000)
    assert row["total_minor"] == row["energy_minor"] + row["fixed_minor"] + row["tax_minor"]
