"""The `tayyar` command. Each subcommand lives in commands/; this file finds them and prints errors kindly.

A command that needs the database says so with `needs_database=True` in its defaults; then the embedded server is
started if need be, the schema is brought up to date, and Django is ready before it runs.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from tayyar import __version__
from tayyar.core.errors import UserError

COMMANDS = (
    "demo",
    "generate",
    "tariff",
    "readings",
    "billrun",
    "review",
    "account",
    "bill",
    "check",
    "deliver",
    "simulate",
    "paper",
    "reach",
    "messages",
    "greenbutton",
    "serve",
    "worker",
    "db",
    "keys",
)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="tayyar",
        description="Meter readings in, bills out, delivered and proven. Start with: tayyar demo",
        epilog="Files lie in TAYYAR_DATA; with DATABASE_URL set, that PostgreSQL is used instead of the embedded one.",
    )
    parser.add_argument("--version", action="version", version=f"tayyar {__version__}")
    sub = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"tayyar.config.commands.{name}").add_parser(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit 0: fine; 1: a check failed; 2: bad input, with a message that says what to do."""
    arguments = build_parser().parse_args(argv)

    def command() -> int:
        if getattr(arguments, "needs_database", False):
            prepare_database()
        return int(arguments.run(arguments))

    return kindly(command)


def kindly(command: Callable[[], int]) -> int:
    """Run `command`; what stops it is told in words, not in a traceback."""
    try:
        return command()
    except UserError as error:
        print(f"tayyar: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("Stopped. What was committed stays; run the command again to go on.", file=sys.stderr)
        return 130
    except Exception as error:
        if not _database_gone(error):
            raise
        print(
            f"tayyar: The database stopped answering: {str(error).strip()}\n"
            "What was committed stays. Give the same command again when the database runs.",
            file=sys.stderr,
        )
        return 2


def _database_gone(error: Exception) -> bool:
    """Whether the server cannot serve, told by the driver or by Django about the driver."""
    import psycopg
    from django.db import DatabaseError

    return isinstance(
        error.__cause__ if isinstance(error, DatabaseError) else error, psycopg.OperationalError
    )


def prepare_database() -> None:
    """Start the embedded server when it is the one in use, set Django up, and migrate when the schema is behind."""
    from tayyar.core import frames, postgres

    if os.environ.get("DATABASE_URL"):
        frames.check_connection(os.environ["DATABASE_URL"])
    else:
        postgres.ensure_running()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tayyar.config.settings")
    import django

    django.setup()
    migrate_if_behind()


def migrate_if_behind() -> None:
    """Apply pending migrations, one process at a time."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    def pending() -> bool:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

    if pending():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(7236201)")
        try:
            if pending():
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(7236201)")


if __name__ == "__main__":
    sys.exit(main())
