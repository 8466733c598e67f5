"""`tayyar tariff quote`: what some consumption costs under a dated tariff, alone or for a file of cases.

Reads arguments and a CSV file, prints text or JSON. Needs neither Django nor a database.
The answers come from `tayyar.tariffs.quote`.
"""

import argparse
import csv
import datetime as dt
import json
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tayyar.core.errors import UserError

if TYPE_CHECKING:
    from tayyar.tariffs.quote import Case, Quoter

COLUMNS = ("id", "category", "date", "kwh", "days", "breaker")
YES, NO = ("true", "yes", "1"), ("false", "no", "0")


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser("tariff", help="ask what some consumption costs under a dated tariff")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    quote = actions.add_parser(
        "quote",
        help="price one consumption, or every line of a file",
        description="Price one consumption, or every line of a file, with the lines and their sources.",
    )
    quote.add_argument("--profile", required=True, metavar="CODE", help="country: sa, eg, bh, mr or your own")
    quote.add_argument(
        "--category", metavar="NAME", help="category code, another name for it, or a tariff id"
    )
    quote.add_argument("--date", metavar="D", help="the day, or the first day of the period: 2025-11-28")
    quote.add_argument("--kwh", metavar="Q", help="consumption, up to three decimals")
    quote.add_argument("--days", type=int, metavar="N", help="days billed (default: a standard month)")
    quote.add_argument("--months", type=int, default=1, metavar="N", help="whole months billed (default 1)")
    quote.add_argument("--breaker", type=int, metavar="A", help="breaker rating in ampere")
    quote.add_argument(
        "--entitled", action="store_true", default=None, help="entitled to the subsidised tariff"
    )
    quote.add_argument("--tariff-file", type=Path, metavar="F", help="use this tariff document instead")
    quote.add_argument("--cases", type=Path, metavar="FILE", help=f"CSV with the columns {','.join(COLUMNS)}")
    quote.add_argument("--json", action="store_true", help="print JSON")
    quote.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the quote or the quotes. Raises UserError for bad input or what is not known."""
    # Imported here so that other commands and --help do not wait for the kernel.
    from tayyar.core.paths import data_dir
    from tayyar.tariffs.quote import Quoter

    quoter = Quoter(arguments.profile, data_dir(), arguments.tariff_file)
    if arguments.cases is not None:
        return _run_cases(quoter, arguments)
    missing = [name for name in ("category", "date", "kwh") if getattr(arguments, name) is None]
    if missing:
        raise UserError(f"Add --{' --'.join(missing)}, or give many at once with --cases FILE.")
    case = _case(
        {
            "category": arguments.category,
            "date": arguments.date,
            "kwh": arguments.kwh,
            "days": arguments.days,
            "months": arguments.months,
            "breaker": arguments.breaker,
        },
        arguments.entitled,
    )
    answer = quoter.quote(case)
    if arguments.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        _print_quote(answer)
    return 0


def _run_cases(quoter: "Quoter", arguments: argparse.Namespace) -> int:
    """Answer a file: a list in its order, each with the case's id and a quote or an error."""
    ids: list[str] = []
    cases: list[Case] = []
    results: list[dict[str, Any]] = []
    slots: list[int] = []
    for row in _rows(arguments.cases):
        ids.append(row.get("id") or "")
        try:
            case = _case({"months": arguments.months, **row}, _flag(row.get("entitled"), arguments.entitled))
        except UserError as error:
            results.append({"id": ids[-1], "error": str(error)})
        else:
            slots.append(len(results))
            cases.append(case)
            results.append({"id": ids[-1]})
    for slot, answer in zip(slots, quoter.quote_many(cases), strict=True):
        results[slot] |= {"error": str(answer)} if isinstance(answer, UserError) else answer
    if arguments.json:
        print(json.dumps(results, ensure_ascii=False))
    else:
        for result in results:
            print(f"{result['id']}\t{result.get('total', '-')}\t{result.get('error') or result['tariff']}")
    return 0


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file by column name. Raises UserError when it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [
                name for name in ("id", "category", "date", "kwh") if name not in (reader.fieldnames or ())
            ]
            if missing:
                raise UserError(
                    f"{path} has no column {', '.join(missing)}. The first line must be: {','.join(COLUMNS)}"
                )
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a CSV file in UTF-8: {error}") from None


def _case(values: dict[str, Any], entitled: bool | None) -> "Case":
    from tayyar.tariffs.quote import Case

    category = (values.get("category") or "").strip()
    if not category:
        raise UserError("The category is empty.")
    return Case(
        category=category,
        day=_date(values.get("date") or ""),
        energy_wh=_energy(values.get("kwh") or ""),
        days=_integer(values.get("days"), "days"),
        months=_integer(values.get("months"), "months") or 1,
        breaker_a=_integer(values.get("breaker"), "breaker"),
        entitled=entitled,
    )


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise UserError(f"{text!r} is not a date. Write it like 2025-11-28.") from None


def _energy(text: str) -> int:
    """kWh with up to three decimals, as Wh."""
    try:
        energy_wh = Decimal(text.strip()).scaleb(3)
    except InvalidOperation:
        raise UserError(f"{text!r} is not a consumption in kWh. Write it like 350 or 350.5.") from None
    if not energy_wh.is_finite() or energy_wh != energy_wh.to_integral_value():
        raise UserError(f"{text!r} kWh is finer than a meter counts. Use at most three decimals.")
    if energy_wh < 0:
        raise UserError(f"{text} kWh is below zero. Consumption is zero or more.")
    return int(energy_wh)


def _integer(value: Any, name: str) -> int | None:
    if value is None or str(value).strip() == "":
        return None
    text = str(value).strip()
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{name} is {text!r}. Write a whole number of 1 or more.")
    return int(text)


def _flag(text: str | None, default: bool | None) -> bool | None:
    if text is None or not text.strip():
        return default
    word = text.strip().lower()
    if word not in YES + NO:
        raise UserError(f"entitled is {text!r}. Write true or false.")
    return word in YES


def _print_quote(answer: dict[str, Any]) -> None:
    """The quote as a small table; caveats go to stderr."""
    for line in answer["lines"]:
        print(
            f"{line['code']:<22}{line['quantity']:>14} {line['unit']:<6}{line['price']:>12}{line['amount']:>16}"
        )
    for name in ("energy", "fixed", "subsidy", "tax", "total"):
        print(f"{name:<54}{answer[name]:>16} {answer['currency']}")
    print(f"tariff {answer['tariff']}: {'; '.join(answer['source'])}")
    for note in answer.get("notes", ()):
        print(f"note: {note}", file=sys.stderr)
