"""Quotes with hand arithmetic, for each country; and what a quote refuses, with its reason."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tayyar.core.errors import UserError
from tayyar.tariffs.quote import Case, Quoter

NOWHERE = Path("/nonexistent")  # no answers to open questions


def _case(category: str, day: str, wh: int, **more: Any) -> Case:
    return Case(category, dt.date.fromisoformat(day), wh, **more)


GOLDEN = [
    # 6000 x 0.18 = 1080.00; 1000 x 0.30 = 300.00; fee 15.00; 15 % of 1395.00 = 209.25
    ("sa", _case("residential", "2025-11-28", 7_000_000, breaker_a=100), "1380.00", "15.00", "209.25", "1604.25"),
    # 31 days: 6200 x 0.18 = 1116.00; 800.5 x 0.30 = 240.15; 15 % of 1371.15 = 205.6725
    ("sa", _case("residential", "2025-11-28", 7_000_500, days=31, breaker_a=100),
     "1356.15", "15.00", "205.67", "1576.82"),
    # 5 % before July 2020: 1000 x 0.18 = 180.00; fee 10.00; 9.50
    ("sa", _case("residential", "2020-06-30", 1_000_000, breaker_a=60), "180.00", "10.00", "9.50", "199.50"),
    # the same a day later: 15 % of 190.00 = 28.50
    ("sa", _case("residential", "2020-07-01", 1_000_000, breaker_a=60), "180.00", "10.00", "28.50", "218.50"),
    # 2016: 2000 x 0.05 + 2000 x 0.10 + 2000 x 0.20 + 500 x 0.30 = 100 + 200 + 400 + 150; no tax; 401 A: 30
    ("sa", _case("residential", "2017-12-31", 6_500_000, breaker_a=401), "850.00", "30.00", "0.00", "880.00"),
    # 400 A exactly: 25.00; government 100 x 0.32 = 32.00; 15 % of 57.00 = 8.55
    ("sa", _case("governmental", "2025-01-01", 100_000, breaker_a=400), "32.00", "25.00", "8.55", "65.55"),
    # 4000 x 0.12 + 4000 x 0.20 + 1000 x 0.26 = 480 + 800 + 260; no fee or tax known
    ("sa", _case("commercial", "2012-01-01", 9_000_000), "1540.00", "0.00", "0.00", "1540.00"),
    # by its id: 6000 x 0.22 + 1000 x 0.32 = 1640.00; fee 10.00; 15 % = 247.50
    ("sa", _case("SA-COM-GUIDE", "2025-01-01", 7_000_000, breaker_a=60), "1640.00", "10.00", "247.50", "1897.50"),
    # exactly 100 kWh is still below the repricing block: 50 x 0.68 + 50 x 0.78 = 34 + 39
    ("eg", _case("residential", "2025-11-01", 100_000), "73.00", "2.00", "0.00", "75.00"),
    # one Wh more reprices all: 100.001 x 0.95 = 95.00095
    ("eg", _case("residential", "2025-11-01", 100_001), "95.00", "6.00", "0.00", "101.00"),
    # 200 x 0.95 = 190; 150 x 1.55 = 232.50; 300 x 1.95 = 585; 650 kWh in all
    ("eg", _case("residential", "2025-11-01", 650_000), "1007.50", "15.00", "0.00", "1022.50"),
    # above 650 all is at 2.10: 700 x 2.10
    ("eg", _case("residential", "2025-11-01", 700_000), "1470.00", "25.00", "0.00", "1495.00"),
    # above 1000 all at 2.23
    ("eg", _case("residential", "2025-11-01", 1_200_000), "2676.00", "40.00", "0.00", "2716.00"),
    # nothing consumed: 9
    ("eg", _case("residential", "2025-11-01", 0), "0.00", "9.00", "0.00", "9.00"),
    # commercial: 600 x 2.20 = 1320; 100 x 2.27 = 227
    ("eg", _case("commercial", "2025-11-01", 700_000), "1547.00", "25.00", "0.00", "1572.00"),
    # 2016/17, as the newspaper's example has it: 750 kWh = 366 (200 x 0.215 + 150 x 0.42 + 300 x 0.55 + 100 x 0.95)
    ("eg", _case("residential", "2017-02-14", 750_000), "366.00", "0.00", "0.00", "366.00"),
    # two months: blocks and fee twice: 100 x 0.68 + 100 x 0.78 = 68 + 78; 2 x 2
    ("eg", _case("residential", "2025-11-01", 200_000, months=2), "146.00", "4.00", "0.00", "150.00"),
    # 3000 x 0.003 + 1000 x 0.009; service 0.400; VAT not known: left out
    ("bh", _case("domestic", "2025-11-01", 4_000_000, entitled=True), "18.000", "0.400", "0.000", "18.400"),
    # 1000 x 0.032; service 2.000
    ("bh", _case("domestic", "2026-02-01", 1_000_000), "32.000", "2.000", "0.000", "34.000"),
    ("bh", _case("non-domestic", "2015-05-01", 1_000_000), "16.000", "0.000", "0.000", "16.000"),
    # 31 days, but one block only: no divisor is needed
    ("bh", _case("expatriates", "2020-02-01", 1_000_000, days=31), "29.000", "2.000", "0.000", "31.000"),
    # 2000 kWh is below the block of 31 days under every candidate
    ("bh", _case("subsidised", "2026-02-01", 2_000_000, days=31), "6.000", "0.400", "0.000", "6.400"),
    # 100 x 2.459; 1201 kWh passes the social limit: 1201 x 5.903 = 7089.503
    ("mr", _case("social", "2025-02-01", 100_000), "245.90", "0.00", "0.00", "245.90"),
    ("mr", _case("social", "2025-02-01", 1_200_000), "2950.80", "0.00", "0.00", "2950.80"),
    ("mr", _case("social", "2025-02-01", 1_201_000), "7089.50", "0.00", "0.00", "7089.50"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "case", "energy", "fixed", "tax", "total"), GOLDEN)
def test_a_quote_is_what_the_hand_computes(
    code: str, case: Case, energy: str, fixed: str, tax: str, total: str
) -> None:
    quote = Quoter(code, NOWHERE).quote(case)
    assert [quote[name] for name in ("energy", "fixed", "tax", "total")] == [energy, fixed, tax, total]


def test_a_tax_change_inside_the_period_splits_the_quote() -> None:
    # 30 days, 15 on each side of 2020-07-01: twice 150 kWh x 0.18 = 27.00 and 5.00 of the fee;
    # 5 % of 32.00 = 1.60 and 15 % of 32.00 = 4.80
    quote = Quoter("sa", NOWHERE).quote(_case("residential", "2020-06-16", 300_000, days=30, breaker_a=60))
    assert [line["amount"] for line in quote["lines"]] == ["27.00", "5.00", "1.60", "27.00", "5.00", "4.80"]
    assert quote["total"] == "70.40"
    assert any("crosses a change" in note for note in quote["notes"])


def test_a_tariff_change_inside_the_period_prices_each_part_by_its_own_document() -> None:
    # 30 days, 15 of 2017 and 15 of 2018; blocks halve to 1000/2000/3000 and 3000 kWh; 4000 kWh, 2000 each:
    # 1000 x 0.05 + 1000 x 0.10 = 150.00; 2000 x 0.18 = 360.00; fee 5.00 each; tax 5 % of 365.00 = 18.25
    quote = Quoter("sa", NOWHERE).quote(_case("residential", "2017-12-17", 4_000_000, days=30, breaker_a=60))
    assert (quote["energy"], quote["fixed"], quote["tax"]) == ("510.00", "10.00", "18.25")
    assert quote["tariff"] == "SA-RES-2018"


@pytest.mark.parametrize(
    ("code", "case", "words"),
    [
        ("eg", _case("commercial", "2024-03-01", 251_000), ["EG_COM_2024_01_251_600", "profile-eg.yaml"]),
        ("eg", _case("commercial", "2024-03-01", 601_000), ["EG-COM-2024-01", "not known"]),
        ("eg", _case("residential", "2018-08-01", 100_000), ["2018-08-01", "EG-RES-2016-07", "not used"]),
        ("eg", _case("commercial", "2019-01-01", 100_000), ["2019-01-01", "EG-COM-2017-07"]),
        ("eg", _case("residential", "2010-01-01", 100_000), ["2010-01-01"]),
        ("bh", _case("non-domestic", "2017-01-01", 100_000), ["NON_DOMESTIC", "2017-01-01"]),
        ("bh", _case("expatriates", "2016-05-01", 3_000_001), ["UNSUB_2016_ABOVE_3000"]),
        ("bh", _case("subsidised", "2026-02-01", 5_000_001), ["SUB_2026_5001_7000", "0.032 from 5001"]),
        ("bh", _case("subsidised", "2026-02-01", 4_000_000, days=31), ["DAY_DIVISOR", "profile-bh.yaml", "31 days"]),
        ("mr", _case("social", "2019-01-01", 100_000), ["SOCIAL", "2020-04-01"]),
        ("sa", _case("SA-RES-2016", "2020-01-01", 100_000), ["SA-RES-2016", "2017-12-31"]),
        ("sa", _case("palace", "2020-01-01", 100_000), ["palace", "RESIDENTIAL", "GOVERNMENTAL"]),
        ("sa", _case("residential", "2020-01-01", 10**12 + 1), ["1000000000 kWh"]),
        ("bh", _case("expatriates", "2020-01-01", 1, entitled=True), ["expatriates", "entitled"]),
    ],
)  # fmt: skip
def test_what_is_unknown_is_refused_with_its_reason(code: str, case: Case, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        Quoter(code, NOWHERE).quote(case)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_answer_in_the_data_folder_settles_the_question(tmp_path: Path) -> None:
    (tmp_path / "profile-bh.yaml").write_text("DAY_DIVISOR: 31\nVAT_RATE: 0.10\nSUB_2026_5001_7000: 0.016\n")
    # 31 / 31 months: 3000 x 0.003 + 2000 x 0.009 + 1000 x 0.016 = 9 + 18 + 16; 10 % of 43.400
    case = _case("subsidised", "2026-01-01", 6_000_000, days=31)
    quote = Quoter("bh", tmp_path).quote(case)
    assert (quote["energy"], quote["tax"], quote["total"]) == ("43.000", "4.340", "47.740")
    assert not any("not known" in note for note in quote["notes"])


def test_the_commercial_guide_is_chosen_by_date_only_once_its_date_is_known(tmp_path: Path) -> None:
    case = _case("commercial", "2025-01-01", 1_000_000)
    assert Quoter("sa", tmp_path).quote(case)["tariff"] == "SA-COM-2018"
    (tmp_path / "profile-sa.yaml").write_text("COM_GUIDE_FROM: 2024-06-01\n")
    assert Quoter("sa", tmp_path).quote(case)["tariff"] == "SA-COM-GUIDE"
    before = _case("commercial", "2024-05-31", 1_000_000)
    assert Quoter("sa", tmp_path).quote(before)["tariff"] == "SA-COM-2018"


def test_what_a_quote_leaves_out_or_assumes_is_said() -> None:
    notes = Quoter("bh", NOWHERE).quote(_case("domestic", "2026-02-01", 1000))["notes"]
    assert any("VAT_RATE" in note for note in notes)
    notes = Quoter("sa", NOWHERE).quote(_case("commercial", "2025-02-01", 1000))["notes"]
    assert any("60 A" in note for note in notes)
    assert any("COM_GUIDE_FROM" in note for note in notes)
    notes = Quoter("bh", NOWHERE).quote(_case("subsidised", "2020-02-01", 1000))["notes"]
    assert any("first day is not known" in note for note in notes)
