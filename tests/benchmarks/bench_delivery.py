"""Delivery against its baselines: bills told by SMS and e-mail, the pace kept, a code that overtakes.

Each function sets up its own made-up utility in TAYYAR_DATA, bills it, and prints JSON as its last line:
`python -m tests.benchmarks.bench_delivery sms|email|pace|codes|history ...`. Peers are the local SMSC and mailbox, in
processes of their own on the same cores. What is measured is the whole way: claim, words, sending, answers stored, and
for SMS the receipt stored.
"""

import contextlib
import json
import os
import smtplib
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
    """Messages per second from claim to stored receipt, against the raw loops on the same SMSC.

    Measured from the moment that a tenth is submitted, when all workers run, to the last confirmed receipt: a receipt
    is confirmed to the SMSC once it is stored, so nothing is asked of the database meanwhile.
    """
    from tests.benchmarks.raw_smpp import bare_floor, raw_loop

    from tayyar.gateways.smsc import process as smsc

    period = prepare(accounts)
    count = all_by(1, period)
    with smsc.running(port=0) as peer:
        write_providers(smpp_entry(peer.port))
        raws = [
            raw_loop(host="127.0.0.1", port=peer.port, messages=count, binds=BINDS, window=WINDOW)
            for _ in range(3)
        ]
        floor = bare_floor(host="127.0.0.1", port=peer.port, messages=count, binds=BINDS, window=WINDOW)
        before = peer.stats()
        with workers(processes, lane="BULK"):
            until(lambda: peer.stats().get("submits", 0) > before.get("submits", 0) + count // 10, every=0.01)
            began, first = time.monotonic(), peer.stats().get("confirmed", 0)
            until(lambda: peer.stats().get("confirmed", 0) - before.get("confirmed", 0) >= count)
            rate = (before.get("confirmed", 0) + count - first) / (time.monotonic() - began)
            after = peer.stats()
        raw = statistics.median(result["per_second"] for result in raws)
        return {
            "messages": count,
            "delivered": delivered(period),
            "workers": processes,
            "engine_per_second": round(rate),
            "raw_per_second": [round(result["per_second"]) for result in raws],
            "floor_per_second": round(floor["per_second"]),
            "engine_over_raw": round(rate / raw, 3),
            "smsc_cpu_us_per_message": round((after["cpu_seconds"] - before["cpu_seconds"]) / count * 1e6),
        }


def email(accounts: int, connections: int) -> dict[str, Any]:
    """Mails per second through one worker, against smtplib with as many connections and mails of the same length."""
    from tayyar.gateways.mailbox import process as mailbox

    period = prepare(accounts)
    count = all_by(0, period)
    assert FOLDER is not None
    with mailbox.running(port=0, folder=FOLDER / "mailbox") as peer:
        options = {"host": "127.0.0.1", "port": peer.port, "sender": "bills@tayyar.example", "starttls": "NEVER",
                   "connections": connections}  # fmt: skip
        write_providers({"code": "mail", "channel": "EMAIL", "gateway": "SMTP", "options": options})
        with workers(1, lane="BULK"):
            until(lambda: delivered(period, state="SENT") > 0, every=0.05)
            began, first = time.monotonic(), delivered(period, state="SENT")
            until(lambda: delivered(period, state="SENT") >= count, every=0.25)
            engine = (count - first) / (time.monotonic() - began)
        size = next((peer.folder / "new").iterdir()).stat().st_size
        sample = b"Subject: raw\r\n\r\n" + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * (size // 78 - 1)
        raws = [_smtplib(peer.port, sample, count, connections) for _ in range(3)]
    raw = statistics.median(raws)
    return {
        "mails": count,
        "connections": connections,
        "engine_per_second": round(engine),
        "raw_per_second": [round(rate) for rate in raws],
        "engine_over_raw": round(engine / raw, 2),
    }


def _smtplib(port: int, mail: bytes, count: int, connections: int) -> float:
    def work() -> None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            for _ in range(count // connections):
                smtp.sendmail("bills@tayyar.example", ["raw@mail.example"], mail)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count // connections * connections / (time.monotonic() - began)


def pace(permitted: int, processes: int) -> dict[str, Any]:
    """How near to the permitted rate several workers come together, and the most that the SMSC saw in any second.

    An Arabic bill is two segments, and it is segments that the SMSC counts and permits.
    """
    from tayyar.gateways.smsc import process as smsc

    seconds = 20
    period = prepare(permitted * seconds)
    all_by(1, period)
    with smsc.running(port=0) as peer:
        write_providers(smpp_entry(peer.port, permitted=permitted))
        with workers(processes, lane="BULK"):
            until(lambda: peer.stats().get("submits", 0) > permitted)  # the first second is for starting
            before, began = peer.stats().get("submits", 0), time.monotonic()
            time.sleep(seconds)
            after, ended = peer.stats(), time.monotonic()
    return {
        "permitted_per_second": permitted,
        "workers": processes,
        "achieved_over_permitted": round((after["submits"] - before) / (ended - began) / permitted, 4),
        "most_in_a_second_over_permitted": round(after["most_in_a_second"] / permitted, 4),
    }


def codes(permitted: int, codes: int) -> dict[str, Any]:
    """One-time codes from their order to the provider's answer: with nothing else to do, and while bills are sent."""
    period = prepare(max(10_000, permitted * 60))
    all_by(1, period)
    from tayyar.core import clock
    from tayyar.customers.models import FIRST_ACCOUNT_ID
    from tayyar.gateways.smsc import process as smsc
    from tayyar.notifications import services
    from tayyar.notifications.kinds import MessageKind
    from tayyar.notifications.models import Delivery

    facts = {"code": "123456", "minutes_text": "دقيقة"}

    def latencies() -> list[float]:
        known = set(Delivery.objects.filter(kind=MessageKind.ONE_TIME_CODE).values_list("ref", flat=True))
        ordered = {}
        for number in range(codes):
            reference = None
            while reference is None:
                now = clock.now()
                reference = services.queue_message(
                    kind=MessageKind.ONE_TIME_CODE,
                    account_id=FIRST_ACCOUNT_ID + number * 7,
                    facts=facts,
                    now=now,
                )
            ordered[reference.ref] = now
            time.sleep(0.05)
        sent = Delivery.objects.filter(kind=MessageKind.ONE_TIME_CODE, settled_at__isnull=False).exclude(
            ref__in=known
        )
        until(lambda: sent.count() >= codes * 9 // 10, seconds=30)
        time.sleep(2)
        taken = dict(sent.filter(state__in=[2, 3, 4]).values_list("ref", "settled_at"))
        return sorted((taken[ref] - at).total_seconds() for ref, at in ordered.items() if ref in taken)

    with smsc.running(port=0) as peer:
        write_providers(smpp_entry(peer.port, permitted=permitted))
        with workers(1, lane="URGENT"):
            latencies()
            idle = latencies()
            with workers(2, lane="BULK"):
                until(lambda: peer.stats().get("submits", 0) > codes * 2 + permitted * 3)
                busy = latencies()
    return {
        "permitted_per_second": permitted,
        "codes": len(idle),
        "idle_p50_ms": round(idle[len(idle) // 2] * 1000),
        "idle_p99_ms": round(idle[len(idle) * 99 // 100] * 1000),
        "busy_codes": len(busy),
        "busy_p50_ms": round(busy[len(busy) // 2] * 1000),
        "busy_p99_ms": round(busy[len(busy) * 99 // 100] * 1000),
        "busy_p99_over_idle_p99": round(busy[len(busy) * 99 // 100] / idle[len(idle) * 99 // 100], 2),
    }


def history(accounts: int, millions: int) -> dict[str, Any]:
    """The cost of a message with a million old rows, and with `millions`: half of them messages, half deliveries."""
    from tayyar.gateways.smsc import process as smsc

    period = prepare(accounts)
    rates = {}
    with smsc.running(port=0) as peer:
        write_providers(smpp_entry(peer.port))
        for size in (1, millions):
            _grow(period, size * 1_000_000)
            tries = []
            for _ in range(3):
                _begin_anew(period)
                count = all_by(1, period)
                before = peer.stats().get("confirmed", 0)
                with workers(1, lane="BULK"):
                    until(lambda: peer.stats().get("confirmed", 0) > before, every=0.01)  # noqa: B023
                    began = time.monotonic()
                    until(lambda: peer.stats().get("confirmed", 0) - before >= count)  # noqa: B023
                    tries.append((time.monotonic() - began) / count * 1e6)
            rates[size] = statistics.median(tries)
    return {
        "microseconds_per_message": {f"{size} million rows": round(rate) for size, rate in rates.items()},
        "many_over_few": round(rates[millions] / rates[1], 2),
    }


def _begin_anew(period: Any) -> None:
    """Nothing of this period was sent."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("notifications_delivery", "notifications_reach"):
            cursor.execute(f"TRUNCATE {table}_{period.number}")
        cursor.execute(
            "UPDATE notifications_messagebatch SET is_open = true WHERE period = %s", [period.number]
        )


def _grow(period: Any, rows: int) -> None:
    """Old months: together `rows` rows, messages that were delivered and their deliveries, with their closed gates."""
    from django.db import connection

    from tayyar.core.partitions import ensure_partition

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notifications_message WHERE period < %s", [period.number])
        missing = rows // 2 - int(cursor.fetchone()[0])
        for back in range(1, 13):
            month = period.plus(-back)
            for table in ("notifications_message", "notifications_delivery", "notifications_reach"):
                ensure_partition(cursor, table=table, period=month)
            values = {"month": month.number, "count": missing // 12}
            cursor.execute(
                """INSERT INTO notifications_message
                          (period, kind, ref, recipient, account_id, language, channel, state, created_at)
                   SELECT %(month)s, 1, n + (SELECT coalesce(max(ref), 0) FROM notifications_message
                                              WHERE period = %(month)s),
                          0, 100000001 + n %% 9000000, 1, 1, 3, now()
                     FROM generate_series(1, %(count)s) n""",
                values,
            )
            cursor.execute(
                """INSERT INTO notifications_delivery
                          (period, kind, ref, recipient, channel, attempt, state, account_id, contact_point_id,
                           provider, worker, claimed_at, settled_at, provider_ref)
                   SELECT m.period, 1, m.ref, 0, 1, 1, 3, m.account_id, 1, 1, 'old', now(), now(), 'old' || m.ref
                     FROM notifications_message m WHERE m.period = %(month)s
                   ON CONFLICT DO NOTHING""",
                values,
            )
            cursor.execute(
                """INSERT INTO notifications_messagebatch (period, kind, is_open, released_at, has_digests)
                   VALUES (%(month)s, 1, false, now() - interval '70 days', false) ON CONFLICT DO NOTHING""",
                values,
            )
        cursor.execute("ANALYZE notifications_message")
        cursor.execute("ANALYZE notifications_delivery")


def main() -> int:
    """Run one of them."""
    from tayyar.core import postgres

    name, *numbers = sys.argv[1:]
    try:
        result = globals()[name](*map(int, numbers))
    finally:
        postgres.stop(immediate=True)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
