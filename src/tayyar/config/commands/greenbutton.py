"""`tayyar greenbutton`: an account's use and bills as Green Button data (ESPI 4.0)."""

import argparse
from pathlib import Path

DEFAULT_MONTHS = 13


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser("greenbutton", help="an account's use and bills as Green Button data (ESPI 4.0)")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write an XML feed")
    export.add_argument("account", metavar="ACCOUNT", help="the account's eleven digits")
    export.add_argument(
        "--from",
        dest="first",
        metavar="PERIOD",
        help=f"first month, like 2026-01 (default: {DEFAULT_MONTHS} months)",
    )
    export.add_argument("--to", dest="last", metavar="PERIOD", help="last month (default: this month)")
    export.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="where to write it (default: standard output)"
    )
    export.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Write the feed. UserError for an unknown account, a period that is none, or months in the wrong order."""
    import getpass
    import sys

    from tayyar.billing.exports.greenbutton import greenbutton
    from tayyar.config.output import write_file
    from tayyar.core import audit, clock, references
    from tayyar.core.errors import UserError
    from tayyar.core.periods import Period
    from tayyar.customers.models import CustomerAccount

    number = references.parse_number(arguments.account, what="account number", digits=11)
    if not CustomerAccount.objects.filter(id=number // 100).exists():
        raise UserError(f"There is no account {number}. `tayyar account list` shows accounts.")
    last = Period.parse(arguments.last) if arguments.last else Period.of(clock.today())
    first = Period.parse(arguments.first) if arguments.first else last.plus(1 - DEFAULT_MONTHS)
    if first > last:
        raise UserError(f"--from {first} is after --to {last}. Give the earlier month first.")
    now = clock.now()
    data = greenbutton(number // 100, first, last, now=now)
    audit.record(
        actor=f"shell:{getpass.getuser()}",
        action="GREENBUTTON_EXPORTED",
        subject=f"account:{number // 100}",
        now=now,
        first=str(first),
        last=str(last),
    )
    if arguments.out:
        write_file(arguments.out, data)
    else:
        sys.stdout.buffer.write(data)
    return 0
