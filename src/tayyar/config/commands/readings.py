"""`tayyar readings`: bring meter readings in."""

import argparse
import json
from pathlib import Path


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser("readings", help="import meter readings from CSV or Parquet")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    load = actions.add_parser(
        "import",
        help="import a file of readings",
        description="Import readings from a CSV or Parquet file with the columns meter_serial, read_date, value_kwh or "
        "value_wh, and if you like register and quality. Rows that cannot be stored are listed in a rejects file with "
        "line and reason. Stop it at any moment and run it again: it goes on. A file imported before changes nothing.",
    )
    load.add_argument("file", type=Path, metavar="FILE")
    load.add_argument("--json", action="store_true", help="print JSON")
    load.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Import, then say what became of the rows."""
    import psycopg
    from django.conf import settings

    from tayyar.core import clock
    from tayyar.core.progress import progress
    from tayyar.metering.readings_file import count_rows
    from tayyar.metering.services import import_readings

    path: Path = arguments.file
    total = count_rows(path)
    with psycopg.connect(settings.DATABASE_URL) as connection, progress("readings", total, "rows") as bar:
        result = import_readings(path=path, connection=connection, now=clock.now(), progress=bar.advance)
    if arguments.json:
        print(
            json.dumps(
                {
                    "file": result.name,
                    "sha256": result.sha256,
                    "rows": result.rows,
                    "accepted": result.accepted,
                    "unchanged": result.unchanged,
                    "rejected": result.rejected,
                    "reasons": dict(result.reasons),
                    "rejects_file": str(result.rejects) if result.rejects else None,
                    "already_imported_at": result.already_imported_at
                    and result.already_imported_at.isoformat(),
                },
                ensure_ascii=False,
            )
        )
        return 0
    if result.already_imported_at:
        print(
            f"{result.name} was imported on {result.already_imported_at:%Y-%m-%d %H:%M} UTC. Nothing has changed."
        )
        return 0
    print(
        f"{result.rows:,} rows: {result.accepted:,} accepted, {result.unchanged:,} unchanged, "
        f"{result.rejected:,} rejected."
    )
    for reason, count in result.reasons.most_common():
        print(f"  {count:>10,}  {reason}")
    if result.rejects:
        print(f"The rejected rows are in {result.rejects}. Correct them there and import that file.")
    return 0
