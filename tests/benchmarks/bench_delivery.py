"""Delivery against its baselines: bills told by SMS and e-mail, the pace kept, a code that overtakes.

Each function sets up its own made-up utility in TAYYAR_DATA, bills it, and prints JSON as its last line:
`python -m tests.benchmarks.bench_delivery sms|email|pace|codes|history ...`. Peers are the local SMSC and mailbox, in
processes of their own on the same cores. What is measured is the whole way: claim, words, sending, answers stored, and
for SMS the receipt stored.
"""

import contextlib
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BINDS, WINDOW = 2, 200
FOLDER = Path(os.environ["TAYYAR_DATA"]) if "TAYYAR_DATA" in os.environ else None


def prepare(accounts: int) -> Any:
    """A billed and released month of `accounts` made-up accounts; returns its period."""
    from tayyar.config.cli import prepare_database

    prepare_database()
    from django.conf import settings

    from tayyar.billing.conduct import conduct
    from tayyar.billing.worker import connect
    from tayyar.core import clock
    from tayyar.demo.answers import answer_for_demo
    from tayyar.demo.population import generate, last_readable_period
    from tayyar.profiles.installation import choose_profile

    answer_for_demo("sa")
    profile = choose_profile("sa")
    period = last_readable_period(clock.today(), profile)
    with connect(settings.DATABASE_URL) as connection:
        generate(connection, profile=profile, accounts=accounts, last=period, months=1, seed=1)
    conduct(period=period, profile=profile)
    return period


def all_by(channel: int, period: Any) -> int:
    """Let every message that can begin with `channel`, and no other; how many those are."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notifications_message m SET channel = %(channel)s, state = 0, next_at = NULL
                WHERE period = %(period)s AND EXISTS (SELECT FROM customers_contactpoint c
                      WHERE c.account_id = m.account_id AND c.channel = %(channel)s AND c.is_active)""",
            {"channel": channel, "period": period.number},
        )
        count = int(cursor.rowcount)
        cursor.execute(
            "UPDATE notifications_message SET channel = 4 WHERE period = %s AND channel <> %s",
            [period.number, channel],
        )
        for table in ("notifications_message", "notifications_delivery", "customers_contactpoint"):
            cursor.execute(f"VACUUM ANALYZE {table}")
        cursor.execute("CHECKPOINT")
    return count


def write_providers(*entries: dict[str, Any]) -> None:
    """The providers' file, as JSON, which is YAML."""
    from tayyar.notifications.providers import providers_file

    providers_file().write_text(json.dumps(list(entries)))


def smpp_entry(port: int, *, permitted: int | None = None, binds: int = BINDS) -> dict[str, Any]:
    """The local SMSC as a provider."""
    entry: dict[str, Any] = {
        "code": "sms-bench",
        "channel": "SMS",
        "gateway": "SMPP",
        "options": {"host": "127.0.0.1", "port": port, "system_id": "bench", "password": "bench", "binds": binds,
                    "window": WINDOW, "source": "Tayyar"},
    }  # fmt: skip
    return entry if permitted is None else {**entry, "permitted_per_second": permitted}


def delivered(period: Any, *, state: str = "DELIVERED") -> int:
    """Messages in that state, or further."""
    from django.db import connection

    from tayyar.notifications.models import MessageState

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM notifications_message WHERE period = %s AND state BETWEEN %s AND 4",
            [period.number, MessageState[state].value],
        )
        return int(cursor.fetchone()[0])


@contextlib.contextmanager
def workers(count: int, *, lane: str | None = None) -> Iterator[None]:
    """Delivery workers of their own processes, for the length of the block."""
    from tayyar.config.commands.deliver import _start

    running = [_start(False, lane) for _ in range(count)]
    threads = [threading.Thread(target=_drain, args=(worker.pipe,), daemon=True) for worker in running]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for worker in running:
            worker.process.terminate()
        for worker in running:
            worker.process.join(60)


def _drain(pipe: Any) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.recv()


def until(reached: Any, *, seconds: float = 600, every: float = 0.1) -> None:
    """Wait until it is so, looking `every` seconds."""
    give_up_at = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > give_up_at:
            raise TimeoutError
        time.sleep(every)


def sms(accounts: int, processes: int) -> dict[str, Any]:
    """Messages per second, first submission to last confirmed receipt, against the raw loops on the same SMSC.

    A receipt is confirmed to the SMSC once it is stored, so nothing is asked of the database meanwhile.
    """
    from tayyar.gateways.smsc import process as smsc
    from tests.benchmarks.raw_smpp import bare_floor, raw_loop

    period = prepare(accounts)
    count = all_by(1, period)
    with smsc.running(port=0) as peer:
        write_providers(smpp_entry(peer.port))
        raws = [
            raw_loop(host="127.0.0.1", port=peer.port, messages=count, binds=BINDS, window=WINDOW) for _ in range(3)
        ]
        floor = bare_floor(host="127.0.0.1", port=peer.port, messages=count, binds=BINDS, window=WINDOW)
        before = peer.stats()
        with workers(processes, lane="BULK"):
            until(lambda: peer.stats()["submits"] > before["submits"], every=0.01)
            began = time.monotonic()
            until(lambda: peer.stats()["confirmed"] - before["confirmed"] >= count)
            seconds = time.monotonic() - began
            after = peer.stats()
        raw = statistics.median(result["per_second"] for result in raws)
        return {
            "messages": count,
            "delivered": delivered(period),
            "workers": processes,
            "engine_per_second": round(count / seconds),
            "raw_per_second": [round(result["per_second"]) for result in raws],
            "floor_per_second": round(floor["per_second"]),
            "engine_over_raw": round(count / seconds / raw, 3),
            "smsc_cpu_us_per_message": round((after["cpu_seconds"] - before["cpu_seconds"]) / count * 1e6),
        }


def main() -> int:
    """Run one of them."""
    name, *numbers = sys.argv[1:]
    print(json.dumps(globals()[name](*map(int, numbers))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
