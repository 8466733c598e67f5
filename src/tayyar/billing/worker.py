"""A worker of a bill run: claims chunks until none is left. Start as many as there are cores, anywhere.

Run as `python -m tayyar.billing.worker RUN_ID [LEASE_SECONDS]`; `tayyar billrun` starts local ones, `tayyar worker`
on other machines joins through the job queue. It survives a restart of the database and a lost lease; an error in a
chunk stops only that chunk.
"""

import contextlib
import os
import sys
import time
import traceback
from typing import Any

import psycopg

from tayyar.billing import chunks
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.profiles import Profile

RECONNECT_SECONDS = 120.0
IDLE_SECONDS = 0.1
TRIES = 20  # of a chunk that deadlocks or times out, before it is failed
STOPPED = 2  # exit code: the database cannot go on, and starting another worker would not help

# Classes of SQLSTATE (PostgreSQL, appendix A).
_LOST = ("08", "57P0", "25P03", "25P04")  # connection, shutdown, crash; a transaction that took too long
_PASSING = ("40", "55P03", "57014")  # deadlock, serialization, lock not there, statement cancelled
_NO_RESOURCES = ("53", "58")  # disk full, out of memory; system errors


def connect(url: str, *, name: str = "tayyar bill run") -> psycopg.Connection[Any]:
    """A connection of its own, in autocommit; waits for a database that is restarting. UserError when it does not."""
    deadline = time.monotonic() + RECONNECT_SECONDS
    while True:
        try:
            return psycopg.connect(url, autocommit=True, application_name=name, prepare_threshold=None)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise UserError(
                    f"The database did not answer for {RECONNECT_SECONDS:.0f} s: {str(error).strip()}\n"
                    "Start it, then give the same command again: it goes on where it stopped."
                ) from None
            time.sleep(0.2)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection went, so that what was under way may be done or not. libpq's own have no SQLSTATE."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_LOST)


def work(run_id: int, *, url: str, profile: Profile, lease_seconds: float = chunks.LEASE_SECONDS) -> int:
    """Do chunks of the run until none is left or in work elsewhere. Returns how many this worker wrote.

    UserError when the database does not come back, or cannot go on: the chunk is put back then.
    """
    from tayyar.billing import run

    connection, facts, written = connect(url, name=chunks.WORKER), None, 0
    lease: chunks.Lease | None = None
    while True:
        try:
            if connection.closed:
                connection = connect(url, name=chunks.WORKER)
                if lease:
                    chunks.put_back(connection, lease)
            lease = None
            facts = facts or run.facts_of(connection, run_id, profile)
            lease = chunks.claim(connection, run_id, lease_seconds=lease_seconds)
            if lease is None:
                tally = chunks.tally(connection, run_id)
                if tally["done"] + tally["failed"] == tally["chunks"]:
                    return written
                chunks.end_overdue(connection, lease_seconds=lease_seconds)
                time.sleep(IDLE_SECONDS)
                continue
            written += run.process(connection, facts, lease, clock.now())
        except chunks.LeaseLost:
            continue
        except psycopg.Error as error:
            if connection.closed or is_lost(error):
                connection.close()
                continue
            state = error.sqlstate or ""
            if state.startswith(_NO_RESOURCES):
                reason = f"The database cannot go on: {str(error).strip()}"
                if lease:
                    with contextlib.suppress(
                        psycopg.Error
                    ):  # a full disk may refuse even this; then the lease runs out
                        chunks.put_back(connection, lease, error=reason)
                raise UserError(reason) from None
            if lease is None:
                raise
            if state.startswith(_PASSING) and lease.token < TRIES:
                chunks.put_back(connection, lease)
            else:
                chunks.fail(connection, lease, traceback.format_exc())
        except UserError:
            raise
        except Exception:
            if lease is None:
                raise
            chunks.fail(connection, lease, traceback.format_exc())


def main() -> int:
    """The worker process."""
    run_id = int(sys.argv[1])
    lease_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else chunks.LEASE_SECONDS
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tayyar.config.settings")
    import django
    from django.conf import settings

    django.setup()
    from tayyar.profiles.installation import installed_profile

    try:
        work(run_id, url=settings.DATABASE_URL, profile=installed_profile(), lease_seconds=lease_seconds)
    except UserError as error:
        print(f"tayyar: {error}", file=sys.stderr)
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
