"""`tayyar db`: the embedded database server."""

import argparse

from tayyar.core import postgres


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "db",
        help="start, stop or find the embedded database",
        description="The embedded database in the data folder. It starts by itself when a command needs it, and stays. "
        "stop: end it; url: its address for psql and pg_dump; status: exit 1 when it is stopped.",
    )
    parser.add_argument("action", choices=["start", "stop", "status", "url"])
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start, stop, or tell the state or address."""
    if arguments.action == "start":
        print(postgres.ensure_running())
    elif arguments.action == "stop":
        print("stopped" if postgres.stop() else "was not running")
    elif arguments.action == "url":
        print(postgres.database_url())
    else:
        running = postgres.is_running()
        print("running" if running else "stopped")
        return 0 if running else 1
    return 0
