"""Conducting a run from start to certificate: plan, local workers, progress, certify, release the messages.

The conductor holds no state that matters: kill it, start it again, and it goes on where the tables say.
"""

import os
import subprocess
import sys
import time
from contextlib import closing
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as django

from tayyar.billing import certificate, chunks, run
from tayyar.billing.worker import STOPPED, connect, is_lost, work
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.progress import progress
from tayyar.notifications.models import MessageKind
from tayyar.notifications.services import release_messages
from tayyar.profiles import Profile

POLL_SECONDS = 0.1
RESPAWNS = 20
ATTEMPTS = 10  # to go on after the connection was lost in planning or certifying


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
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _stages(
                period=period,
                profile=profile,
                workers=workers or os.cpu_count() or 1,
                chunk_accounts=chunk_accounts,
                lease_seconds=lease_seconds,
                tell=tell,
            )
        except (psycopg.Error, DatabaseError) as error:
            cause = error if isinstance(error, psycopg.Error) else error.__cause__
            if not isinstance(cause, psycopg.OperationalError):
                raise
            if not is_lost(cause) or attempt == ATTEMPTS:
                raise UserError(_stopped(period, str(cause))) from None
    raise AssertionError("unreachable")


def _stages(
    *,
    period: Period,
    profile: Profile,
    workers: int,
    chunk_accounts: int,
    lease_seconds: float,
    tell: bool,
) -> dict[str, Any]:
    """Plan to release, each of which finds by itself what is done already."""
    with closing(connect(settings.DATABASE_URL)) as connection:
        run_id = run.plan(
            connection, period=period, profile=profile, now=clock.now(), chunk_accounts=chunk_accounts
        )
        chunks.retry_failed(connection, run_id)
    _work(run_id, period=period, profile=profile, workers=workers, lease_seconds=lease_seconds)
    with closing(connect(settings.DATABASE_URL)) as connection:
        _refuse_failed(connection, run_id, period)
        signed = certificate.certify(connection, run_id, profile=profile, now=clock.now())
    if tell:
        if django.connection is not None and not django.is_usable():
            django.close()  # it is from before a restart of the database
        release_messages(period=period, kind=MessageKind.BILL_ISSUED, now=clock.now())
    return signed


def _work(run_id: int, *, period: Period, profile: Profile, workers: int, lease_seconds: float) -> None:
    """Keep local workers at it until every chunk is done or failed."""
    connection = connect(settings.DATABASE_URL)
    tally = chunks.tally(connection, run_id)
    todo = tally["chunks"] - tally["done"]
    if not todo:
        connection.close()
        return
    if todo == 1:  # not worth a process
        connection.close()
        work(run_id, url=settings.DATABASE_URL, profile=profile, lease_seconds=lease_seconds)
        return
    processes = [_spawn(run_id, lease_seconds) for _ in range(min(workers, todo))]
    respawns, stopped = 0, False
    with progress(f"Billing {period}", total=_accounts(connection), unit="accounts") as bar:
        shown = 0
        try:
            while processes:
                time.sleep(POLL_SECONDS)
                connection, tally = _tally(connection, run_id)
                bar.advance(tally["eligible"] - shown)
                shown = tally["eligible"]
                if tally["done"] + tally["failed"] == tally["chunks"]:
                    break
                ended = [process for process in processes if process.poll() is not None]
                processes = [process for process in processes if process.poll() is None]
                for process in ended:
                    stopped |= process.returncode == STOPPED
                    if process.returncode not in (0, STOPPED) and respawns < RESPAWNS:
                        respawns += 1
                        processes.append(_spawn(run_id, lease_seconds))
        finally:
            for process in processes:
                process.kill()  # they have nothing left to do, or may be frozen: what they did not commit is not there
            for process in processes:
                process.wait()
    if stopped and tally["done"] + tally["failed"] < tally["chunks"]:
        raise UserError(_stopped(period, _reason(connection, run_id)))
    connection.close()


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


def _stopped(period: Period, reason: str) -> str:
    return (
        f"The run of {period} stopped. {reason.strip()}\n"
        "Mend the cause and give the same command again: it goes on where it stopped."
    )


def _reason(connection: psycopg.Connection[Any], run_id: int) -> str:
    """Why workers stopped; empty when not even that could be written, then they said it on standard error."""
    row = connection.execute(
        "SELECT error FROM billing_billrunchunk WHERE run_id = %s AND state = 'PENDING' AND error <> '' LIMIT 1",
        [run_id],
    ).fetchone()
    return str(row[0]) if row else ""


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
