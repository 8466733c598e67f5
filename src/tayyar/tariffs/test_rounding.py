"""docs/rounding.md is the test data: every row of every table is checked here."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tayyar.core.money import Currency
from tayyar.profiles import load
from tayyar.profiles.model import Rounding
from tayyar.tariffs.book import load_book
from tayyar.tariffs.documents import Proration
from tayyar.tariffs.kernel import charge, iter_lines
from tayyar.tariffs.pricing import Parts, block_scale, block_size, line_amount, tax_amount

PAGE = Path(__file__).parents[3] / "docs" / "rounding.md"


def _table(rule: str) -> list[dict[str, str]]:
    """The rows of the table under the heading of a rule."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {rule}:")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def _rows(rule: str) -> list:  # type: ignore[type-arg]
    rows = _table(rule)
    assert rows
    return [pytest.param(row, id="-".join(row.values())) for row in rows]


@pytest.mark.parametrize("row", _rows("LINE"))
def test_a_line_is_rounded_half_up(row: dict[str, str]) -> None:
    currency = Currency("XXX", int(row["minor_digits"]))
    price_micro = int(currency_micro(row["price_per_kwh"]))
    amount = line_amount(np.array([int(row["energy_wh"])]), price_micro, currency.minor_digits)
    assert currency.format(int(amount[0])) == row["amount"]


@pytest.mark.parametrize("row", _rows("BLOCK_SIZE"))
def test_a_block_size_follows_the_time_billed(row: dict[str, str]) -> None:
    start = (dt.date.fromisoformat(row["first_day"]) - dt.date(1970, 1, 1)).days
    parts = Parts(
        n=1,
        energy_wh=np.zeros(1, dtype=np.int64),
        start=start,
        days=int(row["days"]),
        before_days=0,
        period_days=int(row["days"]),
        months=int(row["months"]),
        standard=False,
        breaker_a=0,
        registers={},
        whole=True,
        bill_energy_wh=np.zeros(1, dtype=np.int64),
        bill_registers={},
    )
    scale = block_scale(Proration(row["rule"], int(row["divisor"]), None), parts)
    assert block_size(int(row["block_kwh"]) * 1000, scale) == int(row["size_wh"])


def _lines_across_the_vat_change(energy_wh: int, before: int, after: int) -> list[list[int]]:
    """The lines of a Saudi home whose period has `before` days at 5 % VAT and `after` days at 15 %."""
    change = dt.date(2020, 7, 1)
    frame = pl.DataFrame(
        {
            "row": [1],
            "category": pl.Series([1], dtype=pl.Int16),
            "start_date": [change - dt.timedelta(days=before)],
            "end_date": [change + dt.timedelta(days=after)],
            "energy_wh": [energy_wh],
            "breaker_a": [60],
            "entitled": [False],
            "months": [1],
            "year_wh": [0],
        }
    )
    (lines,) = iter_lines(charge(frame, load_book(load("sa"))))
    return lines.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("row", _rows("SPLIT"))
def test_energy_is_split_by_days_and_the_last_part_takes_the_rest(row: dict[str, str]) -> None:
    before, after = int(row["days_before"]), int(row["days_after"])
    lines = _lines_across_the_vat_change(int(row["energy_wh"]), before, after)
    quantities = [quantity for code, quantity, _, _ in lines if code == 1001]
    want = [int(row["first_part_wh"]), int(row["last_part_wh"])]
    assert quantities == [wh for wh in want if wh]  # a part without energy has no energy line


@pytest.mark.parametrize("row", _rows("SHARE"))
def test_a_monthly_fee_is_shared_by_days_without_loss(row: dict[str, str]) -> None:
    currency = Currency("SAR", 2)
    assert row["fee"] == "10.00"  # the fee of a 60 A breaker
    lines = _lines_across_the_vat_change(300_000, int(row["days_before"]), int(row["days_after"]))
    shares = [currency.format(amount) for code, _, _, amount in lines if code == 1550]
    assert shares == [row["first_share"], row["last_share"]]


@pytest.mark.parametrize("row", _rows("TAX"))
def test_a_tax_is_rounded_once_on_the_sum_of_its_base(row: dict[str, str]) -> None:
    currency = Currency("XXX", int(row["minor_digits"]))
    base = np.array([currency.parse(row["base"])])
    tax = tax_amount(base, currency_micro(row["rate"]))
    assert currency.format(int(tax[0])) == row["tax"]  # type: ignore[index]
    if base[0] >= 0:
        assert (tax_amount(base, currency_micro(row["rate"]), can_be_negative=False) == tax).all()


@pytest.mark.parametrize("row", _rows("CASH"))
def test_cash_is_rounded_to_the_coin(row: dict[str, str]) -> None:
    currency = Currency("MRU", int(row["minor_digits"]))
    rounding = Rounding("HALF_UP", "HALF_UP_ON_SUM", "HALF_UP", currency.parse(row["step"]))
    assert currency.format(rounding.cash(currency.parse(row["amount"]))) == row["cash"]


def currency_micro(text: str) -> int:
    """ "0.18" -> 180000."""
    return Currency("XXX", 6).parse(text)
