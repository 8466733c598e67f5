"""Monthly partitions of the big tables, made on demand.

Each parent table carries its primary key; the other indexes are per partition, so that a bill run can load a
partition first and build its indexes once at the end.
"""

from typing import Any, Protocol

from tayyar.core.periods import Period

INDEXES: dict[str, dict[str, str]] = {
    "billing_bill": {
        "number": "CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} (number)",
        "account": "CREATE INDEX IF NOT EXISTS {name} ON {table} (account_id)",
    },
    "ledger_transfer": {
        "debit": "CREATE INDEX IF NOT EXISTS {name} ON {table} (debit_account_id)",
        # Few transfers of a run credit a customer; payments and credit notes do.
        "credit": "CREATE INDEX IF NOT EXISTS {name} ON {table} (credit_account_id) WHERE kind IN (6, 7, 8)",
    },
    "notifications_message": {
        "account": "CREATE INDEX IF NOT EXISTS {name} ON {table} (account_id)",
        "waiting": "CREATE INDEX IF NOT EXISTS {name} ON {table} (kind, channel, ref) WHERE state = 0",
        "due": "CREATE INDEX IF NOT EXISTS {name} ON {table} (next_at) WHERE next_at IS NOT NULL",
    },
    "notifications_delivery": {},  # its indexes stand on the parent: it grows row by row, not by loads
    "notifications_reach": {},
    "metering_meterreading": {},
}


class Executes(Protocol):
    """A database cursor or connection."""

    def execute(self, query: Any, /) -> Any: ...


def partition_name(table: str, period: Period) -> str:
    """billing_bill, 2026-11 -> billing_bill_202611."""
    return f"{table}_{period.number}"


def ensure_partition(cursor: Executes, *, table: str, period: Period, indexed: bool = True) -> None:
    """Create the partition unless it exists; a bill run leaves its secondary indexes for later (`build_indexes`)."""
    cursor.execute(f"SELECT pg_advisory_xact_lock(hashtext('{table}'))")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {partition_name(table, period)} "
        f"PARTITION OF {table} FOR VALUES IN ({period.number})"
    )
    if indexed:
        _index(cursor, table=table, period=period)


def find_or_make_partition(cursor: Any, *, table: str, period: Period) -> None:
    """As `ensure_partition`, for whoever writes one row among many that do: where the partition is there nothing is
    locked. A bill run that loads it holds nobody up, and builds its indexes itself."""
    cursor.execute("SELECT to_regclass(%s) IS NULL", [partition_name(table, period)])
    if cursor.fetchone()[0]:
        ensure_partition(cursor, table=table, period=period)


def build_indexes(cursor: Executes, *, table: str, period: Period) -> None:
    """Build the partition's secondary indexes unless they exist, and gather its statistics. In a transaction, as two
    builders of one index wait for each other by its lock."""
    cursor.execute(f"SELECT pg_advisory_xact_lock(hashtext('{table}'))")
    _index(cursor, table=table, period=period)
    cursor.execute(f"ANALYZE {partition_name(table, period)}")


def _index(cursor: Executes, *, table: str, period: Period) -> None:
    partition = partition_name(table, period)
    for key, statement in INDEXES[table].items():
        cursor.execute(statement.format(name=f"{partition}_{key}", table=partition))
