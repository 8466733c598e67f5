"""`tayyar tariff quote` as a person or a program calls it."""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tayyar.config.commands.tariff import add_parser
from tayyar.core.errors import UserError

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAYYAR_DATA", str(tmp_path / "data"))


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["tariff", "quote", *words])
    return int(arguments.run(arguments))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def asked(*words: str) -> Any:
        assert _run(*words, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return asked


def test_json_has_the_promised_keys_and_decimal_strings(ask: Callable[..., Any]) -> None:
    quote = ask("--profile", "sa", "--category", "Residential", "--date", "2025-11-28", "--kwh", "7000.5",
                "--days", "31", "--breaker", "100")  # fmt: skip
    assert list(quote) == [
        "currency",
        "energy",
        "fixed",
        "subsidy",
        "tax",
        "total",
        "tariff",
        "source",
        "lines",
    ]
    assert quote["lines"] == [
        {"code": "BLOCK_1", "quantity": "6200", "unit": "kWh", "price": "0.18", "amount": "1116.00"},
        {"code": "BLOCK_2", "quantity": "800.5", "unit": "kWh", "price": "0.30", "amount": "240.15"},
        {"code": "FIXED_METER", "quantity": "1", "unit": "month", "price": "15.00", "amount": "15.00"},
        {"code": "VAT", "quantity": "1371.15", "unit": "SAR", "price": "0.15", "amount": "205.67"},
    ]
    assert (quote["currency"], quote["subsidy"], quote["total"]) == ("SAR", "0.00", "1576.82")
    assert quote["source"][0].startswith("https://argaam.com")


def test_text_shows_lines_and_total_and_puts_caveats_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--profile", "bh", "--category", "domestic", "--date", "2026-02-01", "--kwh", "1000") == 0
    printed = capsys.readouterr()
    assert "BLOCK_1" in printed.out
    assert "34.000 BHD" in printed.out
    assert "VAT_RATE" in printed.err


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"--kwh": "12.3456"}, "three decimals"),
        ({"--kwh": "-1"}, "below zero"),
        ({"--kwh": "many"}, "not a consumption"),
        ({"--date": "28/11/2025"}, "2025-11-28"),
        ({"--category": "palace"}, "RESIDENTIAL"),
        ({"--profile": "atlantis"}, "sa"),
        ({"--days": "0"}, "days"),
        ({"--breaker": "0"}, "breaker"),
    ],
)
def test_bad_input_says_what_to_do(changed: dict[str, str], word: str) -> None:
    words = {"--profile": "sa", "--category": "residential", "--date": "2025-11-28", "--kwh": "1"} | changed
    with pytest.raises(UserError, match=word):
        _run(*(f"{key}={value}" for key, value in words.items()))


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(UserError, match="--date --kwh"):
        _run("--profile", "sa", "--category", "residential")


def test_a_file_of_cases_is_answered_in_its_order(ask: Callable[..., Any], tmp_path: Path) -> None:
    rows = [
        ("a", "residential", "2025-11-28", "7000.5", "31", "100"),
        ("b", "palace", "2025-11-28", "10", "", ""),
        ("c", "SA-GOV-2018", "2025-01-01", "100", "", "400"),
        ("d", "residential", "2009-01-01", "10", "", ""),
        ("e", "commercial", "not a day", "10", "", ""),
        ("f", "agricultural; charities", "2017-01-01", "4001", "", ""),
    ]
    path = tmp_path / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("id", "category", "date", "kwh", "days", "breaker"), *rows])
    answers = ask("--profile", "sa", "--cases", str(path))
    assert [answer["id"] for answer in answers] == list("abcdef")
    assert [answer.get("total") for answer in answers] == ["1576.82", None, "65.55", None, None, "410.12"]
    assert [("error" in answer) for answer in answers] == [False, True, False, True, True, False]
    # The same as one by one.
    alone = ask("--profile", "sa", "--category", "residential", "--date", "2025-11-28", "--kwh", "7000.5",
                "--days", "31", "--breaker", "100")  # fmt: skip
    assert {key: value for key, value in answers[0].items() if key != "id"} == alone


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        _run("--profile", "sa", "--cases", str(tmp_path / "none.csv"))
    (tmp_path / "other.csv").write_text("name,value\nx,1\n")
    with pytest.raises(UserError, match="id, category, date, kwh"):
        _run("--profile", "sa", "--cases", str(tmp_path / "other.csv"))


def test_a_tariff_file_replaces_the_tariffs_of_its_categories(
    ask: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "draft.yaml"
    path.write_text(
        """
id: DRAFT
number: 900
names: {ar: مسودة, en: Draft, fr: Projet}
applies_to: [{category: RESIDENTIAL}]
first_day: 2026-01-01
blocks: [{up_to_kwh: 100, price: 0.5}, {price: 1}]
fixed: [METER]
taxes: [VAT_2020]
source: a draft
confidence: assumed
""",
        encoding="utf-8",
    )
    words = ["--profile", "sa", "--tariff-file", str(path), "--date", "2026-02-01", "--kwh", "150"]
    quote = ask(*words, "--category", "residential", "--breaker", "60")
    # 100 x 0.5 + 50 x 1 = 100.00; fee 10.00; 15 % = 16.50
    assert (quote["total"], quote["tariff"]) == ("126.50", "DRAFT")
    with pytest.raises(UserError, match="COMMERCIAL"):
        _run(*words, "--category", "commercial")


def test_a_quote_needs_neither_django_nor_a_database() -> None:
    code = (
        "import sys, argparse; from tayyar.config.commands.tariff import add_parser\n"
        "p = argparse.ArgumentParser(); add_parser(p.add_subparsers())\n"
        "a = p.parse_args(sys.argv[1:]); r = a.run(a)\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('django', 'psycopg')]; sys.exit(r)"
    )
    words = ["tariff", "quote", "--profile", "eg", "--category", "residential", "--date", "2025-01-01"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--kwh", "100", "--json"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    assert json.loads(done.stdout)["total"] == "75.00"
