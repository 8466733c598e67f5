"""`tayyar bill`: show a bill, write its PDF, cancel it or bill again."""

import argparse
import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tayyar.core.text import LANGUAGES

if TYPE_CHECKING:
    from tayyar.billing.documents.view import BillView


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its actions."""
    parser = sub.add_parser("bill", help="show a bill, write its PDF, cancel it or bill again")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print a bill")
    pdf = actions.add_parser("pdf", help="write a bill as PDF/A-3")
    cancel = actions.add_parser("cancel", help="cancel a bill by a credit note")
    rebill = actions.add_parser("rebill", help="cancel a bill and bill its period again")
    for action, function in ((show, _show), (pdf, _pdf), (cancel, _cancel), (rebill, _rebill)):
        action.add_argument(
            "number", metavar="NUMBER", help="the bill's fifteen digits; spaces do not matter"
        )
        action.set_defaults(run=function, needs_database=True)
    show.add_argument("--json", action="store_true", help="print JSON")
    pdf.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where to write it")
    pdf.add_argument("--lang", choices=LANGUAGES, help="default: the customer's language")
    for action in (cancel, rebill):
        action.add_argument(
            "--why", required=True, metavar="TEXT", help="the reason; goes into the audit log"
        )


def _show(arguments: argparse.Namespace) -> int:
    from tayyar.billing.documents.pdf import render_bill_json
    from tayyar.billing.documents.present import Presenter

    view = _view(arguments.number)[0]
    document = render_bill_json(view)
    if arguments.json:
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return 0
    words = Presenter(view, "en")
    amount, code = view.currency.format, view.currency.code
    print(f"Bill {view.number_text} ({view.kind}), account {view.account_number}, {view.holder_name}")
    print(f"  {view.period_start} to {view.period_end}, {view.days} days, {view.energy_wh // 1000:,} kWh")
    for line in view.lines:
        print(f"  {words.line_label(line):<50} {amount(line.amount_minor):>14}")
    print(f"  {'Total of this bill':<50} {amount(view.total_minor):>14}")
    print(f"  {'Balance before':<50} {amount(view.balance_before_minor):>14}")
    print(f"  {'To pay by ' + str(view.due_date):<50} {amount(view.amount_due_minor):>14} {code}")
    if view.cancelled_by:
        print(f"  Cancelled by {view.cancelled_by}.")
    return 0


def _pdf(arguments: argparse.Namespace) -> int:
    from tayyar.billing.pdf_cache import bill_pdf
    from tayyar.config.output import write_file

    view, language = _view(arguments.number)
    write_file(arguments.output, bill_pdf(view, arguments.lang or language))
    return 0


def _cancel(arguments: argparse.Namespace) -> int:
    from tayyar.billing.numbers import parse_bill_number
    from tayyar.billing.services import cancel
    from tayyar.core import clock

    number = parse_bill_number(arguments.number)
    credit = cancel(number=number, why=arguments.why, actor=f"shell:{getpass.getuser()}", now=clock.now())
    print(f"Bill {number} is cancelled by credit note {credit}.")
    return 0


def _rebill(arguments: argparse.Namespace) -> int:
    from tayyar.billing.numbers import parse_bill_number
    from tayyar.billing.services import rebill
    from tayyar.core import clock

    number = parse_bill_number(arguments.number)
    credit, again = rebill(
        number=number, why=arguments.why, actor=f"shell:{getpass.getuser()}", now=clock.now()
    )
    print(f"Bill {number} is cancelled by credit note {credit} and billed again as {again}.")
    return 0


def _view(text: str) -> "tuple[BillView, str]":
    """The bill as a view, and the language of its customer."""
    from tayyar.billing.numbers import parse_bill_number
    from tayyar.billing.queries import bill_by_number, language_of

    view = bill_by_number(number=parse_bill_number(text))
    return view, language_of(account_number=view.account_number)
