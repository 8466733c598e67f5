"""Leases one by one: what the random fault runs show in passing and the primary key alone would hide."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tayyar.billing import chunks, run, worker
from tayyar.billing.worker import connect
from tayyar.core.errors import UserError

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


def address() -> str:
    head, _, query = settings.DATABASE_URL.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{connection.settings_dict['NAME']}" + (f"?{query}" if query else "")


@pytest.fixture
def run_id() -> Iterator[int]:
    """A run of three chunks that nobody works on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO billing_billrun (period, profile, state, cutoff_at, issue_date, due_date, tariff_hash)
               VALUES (202611, 'sa', 'RUNNING', now(), '2026-11-28', '2026-12-13', '') RETURNING id"""
        )
        (number,) = cursor.fetchone()
        cursor.execute(
            """INSERT INTO billing_billrunchunk
                   (run_id, index, first_account_id, end_account_id, state, token, error,
                    eligible, billed, held, rejected, messages, energy_wh, totals, sha256)
               SELECT %s, i, i * 10, i * 10 + 10, 'PENDING', 0, '', 0, 0, 0, 0, 0, 0, '{}', ''
               FROM generate_series(0, 2) AS i""",
            [number],
        )
    yield number


def test_a_worker_whose_lease_went_to_another_may_neither_count_nor_write(run_id: int) -> None:
    with connect(address()) as zombie, connect(address()) as other:
        old = chunks.claim(zombie, run_id, lease_seconds=0)
        new = chunks.claim(other, run_id, lease_seconds=60)
        assert old and new and (new.chunk_id, new.token) == (old.chunk_id, old.token + 1)
        with pytest.raises(chunks.LeaseLost):
            chunks.publish_count(zombie, old, 5)
        with pytest.raises(chunks.LeaseLost), zombie.transaction():
            chunks.lock(zombie, old)
        chunks.put_back(zombie, old)
        chunks.fail(zombie, old, "too late")
        with other.transaction():
            chunks.lock(other, new)


def test_a_worker_frozen_in_its_transaction_gives_its_chunk_up_when_its_lease_is_over(run_id: int) -> None:
    with connect(address()) as other:
        frozen = connect(address(), name=chunks.WORKER)
        lease = chunks.claim(frozen, run_id, lease_seconds=0.2)
        assert lease
        frozen.execute("BEGIN")
        chunks.lock(frozen, lease)
        chunks.end_overdue(other, lease_seconds=60)
        time.sleep(0.3)
        passed_over = chunks.claim(other, run_id)
        assert passed_over and passed_over.chunk_id != lease.chunk_id
        chunks.end_overdue(other, lease_seconds=0.2)
        time.sleep(0.2)
        claimed = chunks.claim(other, run_id)
        assert claimed and (claimed.chunk_id, claimed.token) == (lease.chunk_id, lease.token + 1)
        with pytest.raises(psycopg.OperationalError):
            frozen.execute("COMMIT")
        frozen.close()


def test_a_full_disk_stops_the_worker_and_leaves_the_chunk_its_place(
    run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> bool:
        raise psycopg.errors.DiskFull("could not extend file: No space left on device")

    monkeypatch.setattr(run, "facts_of", lambda *arguments: "facts")
    monkeypatch.setattr(run, "process", full)
    with pytest.raises(UserError, match="No space left on device"):
        worker.work(run_id, url=address(), profile=None)  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT index, state, error FROM billing_billrunchunk ORDER BY first_account_id LIMIT 1"
        )
        index, state, error = cursor.fetchone()
    assert (index, state) == (0, "PENDING")
    assert "No space left on device" in error
