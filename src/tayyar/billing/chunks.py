"""Leasing the chunks of a run to workers, so that each is written once, whoever dies.

A claim raises the chunk's fencing token. Writing locks the chunk's row and checks the token in the same transaction
as the bills: a worker that comes back from the dead finds another token and commits nothing. A lease that runs out
is claimed again.
"""

import datetime as dt
import json
import time
from dataclasses import dataclass
from typing import Any

import psycopg

LEASE_SECONDS = 60
WORKER = "tayyar bill run worker"  # the application name of a worker's connection
_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.02


class LeaseLost(Exception):
    """Another worker holds the chunk now; nothing was written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one chunk, until its time runs out or another worker takes it."""

    chunk_id: int
    run_id: int
    index: int
    token: int
    first_account_id: int
    end_account_id: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished chunk reports: counts, energy, money per tariff, and the hash of its bills as stored."""

    eligible: int
    billed: int
    held: int
    rejected: int
    messages: int
    energy_wh: int
    totals: dict[str, dict[str, int]]
    sha256: str


def claim(
    connection: psycopg.Connection[Any], run_id: int, *, lease_seconds: float = LEASE_SECONDS
) -> Lease | None:
    """The first chunk that nobody works on, leased. None when there is none right now."""
    row = connection.execute(
        """UPDATE billing_billrunchunk SET state = 'LEASED', token = token + 1,
                  leased_until = clock_timestamp() + make_interval(secs => %s)
           WHERE id = (SELECT id FROM billing_billrunchunk
                       WHERE run_id = %s
                         AND (state = 'PENDING' OR state = 'LEASED' AND leased_until < clock_timestamp())
                       ORDER BY index LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING id, run_id, index, token, first_account_id, end_account_id""",
        [lease_seconds, run_id],
    ).fetchone()
    return Lease(*row) if row else None


def publish_count(connection: psycopg.Connection[Any], lease: Lease, count: int) -> int:
    """Tell the later chunks how many bills this one makes. The first word counts: returns what stands."""
    row = connection.execute(
        """UPDATE billing_billrunchunk SET counted = COALESCE(counted, %s) WHERE id = %s AND token = %s
           RETURNING counted""",
        [count, lease.chunk_id, lease.token],
    ).fetchone()
    if row is None:
        raise LeaseLost
    return int(row[0])


def first_serial(connection: psycopg.Connection[Any], lease: Lease) -> int | None:
    """The serial of this chunk's first bill: one more than all bills of the chunks before it.

    Waits for chunks that others are counting. None when one of them must be counted by whoever asks.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        row = connection.execute(
            """SELECT COALESCE(sum(counted), 0), count(*) FILTER (WHERE counted IS NULL),
                      count(*) FILTER (WHERE counted IS NULL
                                         AND (state <> 'LEASED' OR leased_until < clock_timestamp()))
               FROM billing_billrunchunk WHERE run_id = %s AND index < %s""",
            [lease.run_id, lease.index],
        ).fetchone()
        assert row is not None
        before, uncounted, unattended = row
        if not uncounted:
            return int(before) + 1
        if unattended or time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)


def lock(connection: psycopg.Connection[Any], lease: Lease) -> None:
    """Hold the chunk's row to the end of the transaction; LeaseLost when the lease went to another."""
    row = connection.execute(
        "SELECT 1 FROM billing_billrunchunk WHERE id = %s AND token = %s AND state = 'LEASED' FOR UPDATE",
        [lease.chunk_id, lease.token],
    ).fetchone()
    if row is None:
        raise LeaseLost


def done(connection: psycopg.Connection[Any], lease: Lease, outcome: Outcome, *, now: dt.datetime) -> None:
    """Mark the locked chunk done, in the transaction that wrote its bills."""
    connection.execute(
        """UPDATE billing_billrunchunk
           SET state = 'DONE', leased_until = NULL, error = '', eligible = %s, billed = %s, held = %s, rejected = %s,
               messages = %s, energy_wh = %s, totals = %s, sha256 = %s, done_at = %s
           WHERE id = %s""",
        [
            outcome.eligible,
            outcome.billed,
            outcome.held,
            outcome.rejected,
            outcome.messages,
            outcome.energy_wh,
            json.dumps(outcome.totals),
            outcome.sha256,
            now,
            lease.chunk_id,
        ],
    )


def put_back(connection: psycopg.Connection[Any], lease: Lease, *, error: str = "") -> None:
    """Give up a lease so that it can be claimed at once; `error` says what was in the way."""
    connection.execute(
        """UPDATE billing_billrunchunk SET state = 'PENDING', leased_until = NULL, error = %s
           WHERE id = %s AND token = %s AND state = 'LEASED'""",
        [error[:4000], lease.chunk_id, lease.token],
    )


def end_overdue(connection: psycopg.Connection[Any], *, lease_seconds: float) -> None:
    """End the sessions of workers whose transaction is older than a lease.

    A worker that froze between its first row and its COMMIT holds its chunk's row: no one could claim it, however
    long the lease ran out.
    """
    connection.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()
             AND xact_start < clock_timestamp() - make_interval(secs => %s)""",
        [WORKER, lease_seconds],
    )


def fail(connection: psycopg.Connection[Any], lease: Lease, error: str) -> None:
    """Stop this chunk, and only this one, with the reason.

    A chunk that was not counted yet moves to the end of the run, so that no other waits for its numbers.
    """
    connection.execute(
        """UPDATE billing_billrunchunk AS c SET state = 'FAILED', leased_until = NULL, error = %s,
                  index = CASE WHEN counted IS NULL
                          THEN (SELECT max(index) + 1 FROM billing_billrunchunk WHERE run_id = c.run_id)
                          ELSE index END
           WHERE id = %s AND token = %s AND state = 'LEASED'""",
        [error[:4000], lease.chunk_id, lease.token],
    )


def retry_failed(connection: psycopg.Connection[Any], run_id: int) -> int:
    """Make failed chunks claimable again; returns how many."""
    return connection.execute(
        "UPDATE billing_billrunchunk SET state = 'PENDING' WHERE run_id = %s AND state = 'FAILED'", [run_id]
    ).rowcount


def tally(connection: psycopg.Connection[Any], run_id: int) -> dict[str, int]:
    """Chunks by state, and the accounts done so far: what progress is shown from."""
    row = connection.execute(
        """SELECT count(*), count(*) FILTER (WHERE state = 'DONE'), count(*) FILTER (WHERE state = 'FAILED'),
                  count(*) FILTER (WHERE state = 'LEASED' AND leased_until >= clock_timestamp()),
                  COALESCE(sum(eligible), 0)::bigint, COALESCE(sum(billed), 0)::bigint,
                  COALESCE(sum(held), 0)::bigint, COALESCE(sum(rejected), 0)::bigint
           FROM billing_billrunchunk WHERE run_id = %s""",
        [run_id],
    ).fetchone()
    assert row is not None
    names = ("chunks", "done", "failed", "working", "eligible", "billed", "held", "rejected")
    return dict(zip(names, row, strict=True))
