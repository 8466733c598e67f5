"""`tayyar keys`: the keys that seal personal data and sign certificates."""

import argparse

from tayyar.core import crypto


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "keys",
        help="show where the keys lie, or add a new data key (rotate)",
        description="The keys that seal personal data, make the links of bills and sign certificates. path: where they "
        "lie, to be backed up; rotate: add a data key that seals from now on; the older ones still open.",
    )
    parser.add_argument("action", choices=["path", "rotate"])
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the path, or rotate."""
    if arguments.action == "rotate":
        crypto.keys()
        print(
            f"Data key {crypto.rotate()} seals from now on; older keys still open. Back up {crypto.keys_path()}."
        )
    else:
        print(crypto.keys_path())
    return 0
