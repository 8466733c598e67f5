"""`tayyar account`: list accounts."""

import argparse
import json

MOST = 100_000


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser("account", help="list accounts with their newest bill and balance")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="accounts in the order of their numbers")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=run, needs_database=True)


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
