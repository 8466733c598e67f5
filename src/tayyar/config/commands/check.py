"""`tayyar check`: every invariant of the books."""

import argparse


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "check",
        help="prove every invariant of the books; exit 1 and say which broke",
        description="Count every bill, transfer and message back from the tables and compare. Changes nothing. "
        "Exit 1 when the books disagree, with examples.",
    )
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Print a line per invariant."""
    from django.conf import settings

    from tayyar.billing.invariants import INVARIANTS, broken
    from tayyar.billing.worker import connect

    connection = connect(settings.DATABASE_URL)
    failures = 0
    for invariant in INVARIANTS:
        examples = broken(connection, invariant)
        print(f"{'BROKEN' if examples else 'holds ':<7} {invariant.says}")
        for example in examples:
            print(f"        {example}")
        failures += bool(examples)
    print(f"{failures} of {len(INVARIANTS)} invariants are broken." if failures else "The books agree.")
    return 1 if failures else 0
