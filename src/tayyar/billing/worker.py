"""A worker of a bill run: claims chunks until none is left. Start as many as there are cores, anywhere.

Run as `python -m tayyar.billing.worker RUN_ID [LEASE_SECONDS]`; `tayyar billrun` starts local ones, `tayyar worker`
on other machines joins through the job queue. It survives a restart of the database and a lost lease; an error in a
chunk stops only that chunk.
"""

import os
import sys
import time
import traceback
from typing import Any

import psycopg

from tayyar.billing import chunks
from tayyar.core import clock
from tayyar.profiles import Profile

RECONNECT_SECONDS = 120.0
IDLE_SECONDS = 0.1


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection of its own, in autocommit; waits for a database that is restarting."""
    deadline = time.monotonic() + RECONNECT_SECONDS
    while True:
        try:
            return psycopg.connect(
                url, autocommit=True, application_name="tayyar bill run", prepare_threshold=None
            )
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def work(run_id: int, *, url: str, profile: Profile, lease_seconds: float = chunks.LEASE_SECONDS) -> int:
    """Do chunks of the run until none is left or in work elsewhere. Returns how many this worker wrote."""
    from tayyar.billing import run

    connection, facts, written = connect(url), None, 0
    lease: chunks.Lease | None = None
    while True:
        try:
            if connection.closed:
                connection = connect(url)
                if lease:
                    chunks.put_back(connection, lease)
            lease = None
            facts = facts or run.facts_of(connection, run_id, profile)
            lease = chunks.claim(connection, run_id, lease_seconds=lease_seconds)
            if lease is None:
                tally = chunks.tally(connection, run_id)
                if tally["done"] + tally["failed"] == tally["chunks"]:
                    return written
                time.sleep(IDLE_SECONDS)
                continue
            written += run.process(connection, facts, lease, clock.now())
        except chunks.LeaseLost:
            continue
        except psycopg.OperationalError as error:
            if not _is_disconnected(connection):
                if lease is None:
                    raise
                chunks.fail(connection, lease, str(error))  # such as a full disk: stop, do not spin
            else:
                connection.close()
        except psycopg.errors.SerializationFailure:
            continue
        except Exception:
            if lease is None or _is_disconnected(connection):
                raise
            chunks.fail(connection, lease, traceback.format_exc())


def _is_disconnected(connection: psycopg.Connection[Any]) -> bool:
    return connection.closed or connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.UNKNOWN


def main() -> int:
    """The worker process."""
    run_id = int(sys.argv[1])
    lease_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else chunks.LEASE_SECONDS
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tayyar.config.settings")
    import django
    from django.conf import settings

    django.setup()
    from tayyar.billing.installation import installed_profile

    work(run_id, url=settings.DATABASE_URL, profile=installed_profile(), lease_seconds=lease_seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
