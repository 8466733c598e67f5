"""`tayyar keys`: the keys that seal personal data and sign certificates."""

import argparse
import getpass
import sys

from tayyar.config.sealed import sealed_secret
from tayyar.core import crypto
from tayyar.core.errors import UserError


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "keys",
        help="show where the keys lie, add a new data key (rotate), or seal a secret for the authorities' file",
        description="The keys that seal personal data, make the links of bills and sign certificates. path: where they "
        "lie, to be backed up; rotate: add a data key that seals from now on; the older ones still open; seal: read a "
        "secret and print it as authorities.yaml may hold it.",
    )
    parser.add_argument("action", choices=["path", "rotate", "seal"])
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the path, rotate, or seal a secret."""
    if arguments.action == "rotate":
        crypto.keys()
        print(
            f"Data key {crypto.rotate()} seals from now on; older keys still open. Back up {crypto.keys_path()}."
        )
    elif arguments.action == "seal":
        print(_sealed())
    else:
        print(crypto.keys_path())
    return 0


def _sealed() -> str:
    typed = getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise UserError("No secret was given. Type it, or pass it on standard input.")
    return sealed_secret(typed.strip())
