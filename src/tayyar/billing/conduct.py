"""Conducting a run from start to certificate: plan, local workers, progress, certify, release the messages.

The conductor holds no state that matters: kill it, start it again, and it goes on where the tables say.
"""

import os
import subprocess
import sys
import time
from typing import Any

import psycopg
from django.conf import settings

from tayyar.billing import certificate, chunks, run
from tayyar.billing.worker import connect
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.progress import progress
from tayyar.notifications.models import MessageKind
from tayyar.notifications.services import release_messages
from tayyar.profiles import Profile

POLL_SECONDS = 0.1
RESPAWNS = 20


def conduct(
    *,
    period: Period,
    profile: Profile,
    workers: int | None = None,
    tell: bool = True,
    chunk_accounts: int = run.CHUNK_ACCOUNTS,
    lease_seconds: float = chunks.LEASE_SECONDS,
) -> dict[str, Any]:
    """Bill the period and return its certificate. A period already billed returns the certificate it has.

    Without `tell` the messages stay unreleased: for months that belong to the past.
    UserError when chunks failed: they are named with their error, everything else is billed, and the same command
    tries them again.
    """
    connection = connect(settings.DATABASE_URL)
    run_id = run.plan(
        connection, period=period, profile=profile, now=clock.now(), chunk_accounts=chunk_accounts
    )
    chunks.retry_failed(connection, run_id)
    _work(
        connection, run_id, period=period, workers=workers or os.cpu_count() or 1, lease_seconds=lease_seconds
    )
    _refuse_failed(connection, run_id, period)
    signed = certificate.certify(connection, run_id, profile=profile, now=clock.now())
    if tell:
        release_messages(period=period, kind=MessageKind.BILL_ISSUED, now=clock.now())
    connection.close()
    return signed


def _work(
    connection: psycopg.Connection[Any], run_id: int, *, period: Period, workers: int, lease_seconds: float
) -> None:
    tally = chunks.tally(connection, run_id)
    todo = tally["chunks"] - tally["done"]
    if not todo:
        return
    processes = [_spawn(run_id, lease_seconds) for _ in range(min(workers, todo))]
    respawns = 0
    with progress(f"Billing {period}", total=_accounts(connection), unit="accounts") as bar:
        shown = 0
        try:
            while processes:
                time.sleep(POLL_SECONDS)
                connection, tally = _tally(connection, run_id)
                bar.advance(tally["eligible"] - shown)
                shown = tally["eligible"]
                ended = [process for process in processes if process.poll() is not None]
                processes = [process for process in processes if process.poll() is None]
                for process in ended:
                    if process.returncode and respawns < RESPAWNS:
                        respawns += 1
                        processes.append(_spawn(run_id, lease_seconds))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def _spawn(run_id: int, lease_seconds: float) -> "subprocess.Popen[bytes]":
    """A worker process; one thread for Polars each, as the workers themselves use the cores."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tayyar.billing.worker", str(run_id), str(lease_seconds)]
    return subprocess.Popen(command, env=environment)


def _tally(
    connection: psycopg.Connection[Any], run_id: int
) -> tuple[psycopg.Connection[Any], dict[str, int]]:
    """The tally, over a new connection when the database was restarted meanwhile."""
    try:
        return connection, chunks.tally(connection, run_id)
    except psycopg.OperationalError:
        connection = connect(settings.DATABASE_URL)
        return connection, chunks.tally(connection, run_id)


def _accounts(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(
        "SELECT reltuples::bigint FROM pg_class WHERE oid = 'customers_customeraccount'::regclass"
    ).fetchone()
    return max(int(row[0]), 0) if row else 0


def _refuse_failed(connection: psycopg.Connection[Any], run_id: int, period: Period) -> None:
    failed = connection.execute(
        """SELECT index, first_account_id, error FROM billing_billrunchunk
           WHERE run_id = %s AND state = 'FAILED' ORDER BY index""",
        [run_id],
    ).fetchall()
    if failed:
        index, first, error = failed[0]
        raise UserError(
            f"{len(failed)} chunks of {period} failed; all others are billed. The first is chunk {index}, from account "
            f"{first}:\n{error.strip()}\nMend the cause and give the same command again."
        )
