"""Loading millions of rows into empty tables: constraints and indexes are put aside and built once at the end.

All inside the caller's transaction: if anything fails they are where they were.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg


@contextlib.contextmanager
def indexes_put_aside(connection: psycopg.Connection[Any], tables: Sequence[str]) -> Iterator[None]:
    """Drop foreign keys, unique and exclusion constraints and secondary indexes of `tables`; build them again after.

    Foreign keys are checked when they are added again, all rows at once.
    """
    names = list(tables)
    constraints = connection.execute(
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE conrelid = ANY(%s::regclass[]) AND contype IN ('f', 'u', 'x')
           ORDER BY contype = 'f' DESC""",
        [names],
    ).fetchall()
    for table, name, _ in constraints:
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    indexes = connection.execute(
        """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
           WHERE indrelid = ANY(%s::regclass[]) AND NOT indisprimary""",
        [names],
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        connection.execute(definition)
    for table, name, definition in reversed(constraints):
        connection.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
