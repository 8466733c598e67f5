"""The bill run against what it cannot do without: writing its own rows, and against the ORM doing the same.

Both sides run on the same machine and database, committed, fsync on, default durability:
    raw        the rows of the run COPYed in binary, over as many connections as the run has workers, into tables of
               the same definition, and the same indexes built after
    save()     the same bills, each with its transfer and message in a transaction, by Django's save()
    bulk       the same by bulk_create, a thousand bills to a transaction
"""

import itertools
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from tayyar.billing import shapes
from tayyar.core import frames

SHAPES = {
    "billing_bill": shapes.BILLS,
    "ledger_transfer": shapes.TRANSFERS,
    "notifications_message": shapes.MESSAGES,
}
TABLES = tuple(SHAPES)
WORKERS = max(2, os.cpu_count() or 1)
ORM_BILLS = 2_000
BLOCK = 1 << 20


def run(n: int, *, repeat: int = 1) -> dict[str, Any]:
    """Generate `n` accounts, bill two months, and time the second against the baselines."""
    from tayyar.billing.conduct import conduct

    profile, periods, generate_seconds = _population(n, months=1 + repeat)
    conduct(period=periods[0], profile=profile, tell=False)
    return _timed(profile, periods, n, generate_seconds)


def _timed(profile: Any, periods: Any, n: int, generate_seconds: float) -> dict[str, Any]:
    """Bill every period but the first, which is billed already, and time each against its raw COPY."""
    from django.conf import settings

    from tayyar.billing.certificate import verify
    from tayyar.billing.conduct import conduct
    from tayyar.billing.worker import connect

    raws, singles, runs = [], [], []
    certificate: dict[str, Any] = {}
    for period in periods[1:]:
        _settle(settings.DATABASE_URL)
        started = time.perf_counter()
        certificate = conduct(period=period, profile=profile, tell=False)
        runs.append(time.perf_counter() - started)
        _settle(settings.DATABASE_URL)
        raws.append(_raw_seconds(settings.DATABASE_URL, period, connections=WORKERS))
        singles.append(_raw_seconds(settings.DATABASE_URL, period, connections=1))
    last = periods[-1]
    verify_started = time.perf_counter()
    with connect(settings.DATABASE_URL) as connection:
        problems = verify(connection, last)
    assert not problems, problems
    verify_seconds = time.perf_counter() - verify_started
    billed = certificate["accounts"]["billed"]
    seconds = statistics.median(runs)
    save, bulk = _orm_seconds_per_bill(last)
    ratios = [raw / whole for raw, whole in zip(raws, runs, strict=True)]
    return {
        "accounts": n,
        "billed": billed,
        "generate_seconds": generate_seconds,
        "run_seconds": seconds,
        "accounts_per_second": n / seconds,
        "raw_copy_seconds": statistics.median(raws),
        "raw_over_run": statistics.median(ratios),
        "raw_copy_one_connection_seconds": statistics.median(singles),
        "raw_one_connection_over_run": statistics.median(
            raw / whole for raw, whole in zip(singles, runs, strict=True)
        ),
        "times_faster_than_save": save / (seconds / billed),
        "times_faster_than_bulk_create": bulk / (seconds / billed),
        "verify_seconds": verify_seconds,
        "peak_python_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "conductor_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "period": certificate["period"],
    }


def run_thirteen(n: int) -> dict[str, Any]:
    """The thirteenth monthly run on the same database against the first; medians of three against noise."""
    from django.conf import settings

    from tayyar.billing.conduct import conduct

    profile, periods, _ = _population(n, months=13)
    seconds = []
    for period in periods:
        _settle(settings.DATABASE_URL)
        started = time.perf_counter()
        conduct(period=period, profile=profile, tell=False)
        seconds.append(time.perf_counter() - started)
    return {
        "accounts": n,
        "seconds": [round(value, 2) for value in seconds],
        "thirteenth_over_first": seconds[12] / seconds[0],
        "last_three_over_first_three": statistics.median(seconds[10:]) / statistics.median(seconds[:3]),
    }


def _population(n: int, *, months: int) -> tuple[Any, Any, float]:
    from django.conf import settings

    from tayyar.billing.worker import connect
    from tayyar.core import clock
    from tayyar.demo.answers import answer_for_demo
    from tayyar.demo.population import generate, last_readable_period
    from tayyar.profiles.installation import choose_profile

    answer_for_demo("sa")
    profile = choose_profile("sa")
    started = time.perf_counter()
    with connect(settings.DATABASE_URL) as connection:
        periods = generate(
            connection,
            profile=profile,
            accounts=n,
            last=last_readable_period(clock.today(), profile),
            months=months,
            seed=1,
        )
    return profile, periods, time.perf_counter() - started


def _settle(url: str) -> None:
    """Let neither side pay for dirty pages that the other left."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _raw_seconds(url: str, period: Any, *, connections: int) -> float:
    """Seconds to COPY the run's rows over that many connections, and to build its indexes."""
    from tayyar.core.partitions import INDEXES, partition_name

    with tempfile.TemporaryDirectory(dir=os.environ["TAYYAR_DATA"]) as folder:
        files = _dump(url, period, Path(folder))
        with psycopg.connect(url, autocommit=True) as connection:
            for table in TABLES:
                source = partition_name(table, period)
                connection.execute(f"DROP TABLE IF EXISTS raw_{table}")
                connection.execute(f"CREATE TABLE raw_{table} (LIKE {source} INCLUDING CONSTRAINTS)")
                keys = connection.execute(
                    "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                    "WHERE conrelid = %s::regclass AND contype = 'p'",
                    [source],
                ).fetchone()
                assert keys is not None
                connection.execute(f"ALTER TABLE raw_{table} ADD {keys[0]}")
            connection.execute("CHECKPOINT")
            started = time.perf_counter()
            # Processes, as one Python would send for all connections in turn.
            context = multiprocessing.get_context("fork")
            loaders = [
                context.Process(target=_load, args=(url, files[place::connections]))
                for place in range(connections)
            ]
            for loader in loaders:
                loader.start()
            for loader in loaders:
                loader.join()
                assert loader.exitcode == 0
            for table in TABLES:
                for key, statement in INDEXES[table].items():
                    connection.execute(statement.format(name=f"raw_{table}_{key}", table=f"raw_{table}"))
            seconds = time.perf_counter() - started
            for table in TABLES:
                connection.execute(f"DROP TABLE raw_{table}")
    return seconds


def _dump(url: str, period: Any, folder: Path) -> list[tuple[str, Path]]:
    """The run's rows as binary COPY records, a file per chunk and table, in the order in which a run writes them."""
    columns = {
        "billing_bill": "account_id",
        "ledger_transfer": "debit_account_id",
        "notifications_message": "account_id",
    }
    files = []
    with psycopg.connect(url, autocommit=True) as connection:
        bounds = [
            row[0]
            for row in connection.execute(
                "SELECT first_account_id FROM billing_billrunchunk c JOIN billing_billrun r ON r.id = c.run_id "
                "WHERE r.period = %s ORDER BY first_account_id",
                [period.number],
            ).fetchall()
        ]
        for first, end in itertools.pairwise([*bounds, 2**63 - 1]):
            for table, shape in SHAPES.items():
                path = folder / f"{table}-{first}"
                span = f"{columns[table]} >= {first} AND {columns[table]} < {end}"
                query = f"SELECT {', '.join(shape)} FROM {table} WHERE period = {period.number} AND {span}"
                with path.open("wb", buffering=BLOCK) as handle:
                    handle.writelines(frames.read_raw(connection, query))
                files.append((table, path))
    return files


def _load(url: str, files: list[tuple[str, Path]]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table, path in files:
            with path.open("rb") as handle:
                blocks = iter(lambda: handle.read(BLOCK), b"")
                frames.write_blocks(connection, f"raw_{table}", SHAPES[table], blocks)


def _orm_seconds_per_bill(period: Any) -> tuple[float, float]:
    """Seconds per bill by save() and by bulk_create, of the same bills with their transfers and messages."""
    from django.db import connection

    from tayyar.billing.models import Bill
    from tayyar.ledger.models import Transfer
    from tayyar.notifications.models import Message

    bills = list(Bill.objects.filter(period=period.number).order_by("number")[:ORM_BILLS])
    numbers = [bill.number for bill in bills]
    transfers = list(Transfer.objects.filter(period=period.number, kind=1, ref__in=numbers))
    messages = list(Message.objects.filter(period=period.number, ref__in=numbers))
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_190001 PARTITION OF {table} FOR VALUES IN (190001)"
            )
    for row in (*bills, *transfers, *messages):
        row.period = 190001
    timings = []
    by_number = {row.ref: row for row in transfers}, {row.ref: row for row in messages}
    for way in (_by_save, _by_bulk):
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE " + ", ".join(f"{table}_190001" for table in TABLES))
        started = time.perf_counter()
        way(bills, *by_number)
        timings.append((time.perf_counter() - started) / len(bills))
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TABLE {table}_190001")
    return timings[0], timings[1]


def _by_save(bills: list[Any], transfers: dict[int, Any], messages: dict[int, Any]) -> None:
    """A bill, its transfer and its message in one transaction, bill after bill."""
    from django.db import transaction

    for bill in bills:
        with transaction.atomic():
            bill.save(force_insert=True)
            for group in (transfers, messages):
                if bill.number in group:
                    group[bill.number].save(force_insert=True)


def _by_bulk(bills: list[Any], transfers: dict[int, Any], messages: dict[int, Any]) -> None:
    """A thousand bills with their transfers and messages in one transaction."""
    from django.db import transaction

    for start in range(0, len(bills), 1000):
        batch = bills[start : start + 1000]
        with transaction.atomic():
            type(batch[0]).objects.bulk_create(batch)
            for group in (transfers, messages):
                rows = [group[bill.number] for bill in batch if bill.number in group]
                type(rows[0]).objects.bulk_create(rows)


def main() -> None:
    """`python -m tests.benchmarks.bench_billrun run 200000` in a data folder of its own."""
    import json

    from tayyar.config.cli import prepare_database
    from tayyar.core import postgres

    prepare_database()
    try:
        result = {"run": run, "run_thirteen": run_thirteen}[sys.argv[1]](int(sys.argv[2]))
        print(json.dumps(result))
    finally:
        if not os.environ.get("DATABASE_URL"):
            postgres.stop(immediate=True)


if __name__ == "__main__":
    main()
