"""`tayyar account`: list accounts; move a customer out with a final bill."""

import argparse
import getpass
import json

MOST = 100_000


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser("account", help="list accounts; move a customer out with a final bill")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="accounts in the order of their numbers")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=run, needs_database=True)
    leaving = actions.add_parser("move-out", help="end an account's agreement and bill the rest at once")
    leaving.add_argument("number", metavar="ACCOUNT", help="the account's eleven digits")
    leaving.add_argument("--date", required=True, help="first day without supply, like 2026-11-15")
    leaving.add_argument(
        "--kwh", help="what the register shows on that day; without it the rest is estimated"
    )
    leaving.set_defaults(run=_move_out, needs_database=True)


def _move_out(arguments: argparse.Namespace) -> int:
    from tayyar.billing.services import move_out
    from tayyar.config.commands.review import parse_day, parse_kwh
    from tayyar.core import clock, references
    from tayyar.core.errors import UserError
    from tayyar.customers.models import Agreement

    number = references.parse_number(arguments.number, what="account number", digits=11)
    standing = list(Agreement.objects.filter(account_id=number // 100, end_date__isnull=True).order_by("id"))
    if not standing:
        raise UserError(
            f"Account {number} has no agreement that stands. `tayyar account list` shows accounts."
        )
    if len(standing) > 1 and arguments.kwh:
        raise UserError(
            f"Account {number} has {len(standing)} agreements, each with its meter: leave --kwh out."
        )
    for agreement in standing:
        bill = move_out(
            agreement_id=agreement.pk,
            end_date=parse_day(arguments.date),
            value_wh=parse_kwh(arguments.kwh) if arguments.kwh else None,
            actor=f"shell:{getpass.getuser()}",
            now=clock.now(),
        )
        print(f"Agreement {agreement.pk} ended on {arguments.date}; final bill {bill}.")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Print the accounts."""
    from tayyar.billing.queries import account_list
    from tayyar.core.errors import UserError

    if not 1 <= arguments.limit <= MOST:
        raise UserError(f"--limit is 1 to {MOST:,}.")
    accounts = account_list(limit=arguments.limit)
    if arguments.json:
        print(json.dumps(accounts, indent=1, ensure_ascii=False))
        return 0
    for account in accounts:
        bill = account["newest_bill"] or "no bill yet"
        number, category, balance = (account[key] for key in ("account_number", "category", "balance"))
        print(f"{number}  {category:<18} {balance:>14}  {bill}  {account['name']}")
    return 0
