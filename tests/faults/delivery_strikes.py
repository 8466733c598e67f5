"""The ways in which delivery is disturbed: what is killed, what the providers do wrong, what the clock and the
database go through. All drawn from one source of chance."""

import contextlib
import datetime as dt
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from tests.faults.delivery_ground import DeliveryGround
from tests.faults.delivery_peers import Peers
from tests.faults.ground import kill

from tayyar.core import postgres

MINUTE = dt.timedelta(minutes=1)
RECOVERED_SECONDS = 20.0  # every worker looks for what time has passed over at least that often
KILLS = {"a worker": 80, "a command with its workers": 12, "a command alone": 8}
AIMED = 0.75  # of the kills of a worker wait until one has attempts under way
# What a provider may do wrong, by its kind.
FAULTS: dict[str, list[dict[str, Any]]] = {
    "sms-first": [
        {"throttle_every": 4},
        {"hang_share": 0.1},
        {"lost_answer_share": 0.15},
        {"disconnect_after": 12},
        {"refuse_binds": True},
        {"fail_share": 0.2},
        {"answer_delay_seconds": 0.5},
        {"receipts_first": True, "duplicate_receipt_share": 0.3},
        {"reordered_receipts": True, "receipt_delay_seconds": 2.0, "missing_receipt_share": 0.1},
        {"tlvs": False, "duplicate_receipt_share": 0.5},
    ],
    "sms-second": [
        {"error_share": 0.3},
        {"throttle_share": 0.2},
        {"hang_share": 0.1, "hang_seconds": 5.0},
        {"cut_share": 0.15},
        {"cut_share": 0.15, "lost_after_taking": False},
        {"early_share": 0.4},
        {"duplicate_share": 0.4, "reorder_share": 0.5},
    ],
    "whatsapp": [
        {"error_share": 0.3},
        {"throttle_share": 0.2},
        {"hang_share": 0.1, "hang_seconds": 5.0},
        {"cut_share": 0.15},
        {"early_share": 0.4, "reorder_share": 0.5},
        {"duplicate_share": 0.4, "missing_share": 0.1},
    ],
    "mail": [
        {"cut_every": 6},
        {"cut_every": 6, "cut_after_storing": True},
        {"delay_seconds": 0.3},
        {"refuse_sender": True},
        {"permitted_per_second": 5},
        {"return_seconds": 2.0},
    ],
}
DISTURBANCES = {
    "a provider misbehaves": 40,
    "all providers behave": 6,
    "clock forward": 16,
    "clock back an hour": 4,
    "server killed": 6,
    "server stopped at once": 4,
    "a session of the database ended": 8,
    "the site killed": 4,
    "a worker frozen past its lease": 4,
}


class Strikes:
    """Disturbs one round. `kills` and `disturbed` count what was really done."""

    def __init__(self, ground: DeliveryGround, peers: Peers, chance: random.Random) -> None:
        self.ground, self.peers, self.chance = ground, peers, chance
        self.kills: Counter[str] = Counter()
        self.disturbed: Counter[str] = Counter()
        self.set_back = dt.timedelta(0)
        self.in_flight = 0  # kills of a worker while attempts were under way

    def disturb(self, kind: str | None = None) -> None:
        """One disturbance, drawn unless named."""
        kind = kind or self.chance.choices(list(DISTURBANCES), list(DISTURBANCES.values()))[0]
        ground, chance = self.ground, self.chance
        is_done = True
        if kind == "a provider misbehaves":
            provider = chance.choice(list(FAULTS))
            faults = chance.choice(FAULTS[provider])
            self.peers.misbehave(provider, **faults)
            kind = f"{provider}: {', '.join(faults)}"
        elif kind == "all providers behave":
            self.peers.behave()
        elif kind == "clock forward":
            ground.move_clock(chance.choice((3, 25, 75, 75, 150, 300)) * MINUTE)
        elif kind == "clock back an hour":
            ground.move_clock(-60 * MINUTE)
            self.set_back += 60 * MINUTE
        elif kind == "server killed":
            ground.kill_server(backends=chance.random() < 0.5)
            time.sleep(chance.uniform(0.0, 1.0))
        elif kind == "server stopped at once":
            is_done = postgres.stop(immediate=True)
            time.sleep(chance.uniform(0.0, 1.0))
        elif kind == "a session of the database ended":
            is_done = self._end_session()
        elif kind == "the site killed":
            ground.start_site()
        else:
            is_done = self._freeze()
        ground.start_server()
        self.disturbed[kind] += is_done

    def kill(self) -> bool:
        """Kill one of the workers, or a command; False when there was none."""
        kind = self.chance.choices(list(KILLS), list(KILLS.values()))[0]
        ground = self.ground
        if kind == "a worker":
            aimed = self._wait_for_sending() if self.chance.random() < AIMED else None
            living = sorted(ground.workers())
            busy = [pid for pid in living if _parent(pid) == aimed and _is_bulk(pid)] or living
            if not busy:
                return False
            hit = kill(self.chance.choice(busy))
            self.in_flight += hit and busy is not living
        else:
            command = self.chance.choice(ground.operators)
            workers = [pid for pid in ground.workers() if _parent(pid) == command.pid]
            hit = command.poll() is None and kill(command.pid)
            command.wait()
            if kind == "a command with its workers":
                for pid in workers:
                    kill(pid)
        self.kills[kind] += hit
        return bool(hit)

    def _wait_for_sending(self) -> int | None:
        """A command whose worker has attempts under way, a little later; None when there is none for long."""
        until = time.monotonic() + 4.0
        while time.monotonic() < until:
            with contextlib.suppress(psycopg.OperationalError), self.ground.connect() as connection:
                rows = connection.execute(
                    """SELECT DISTINCT split_part(worker, '-', -2)::int FROM notifications_delivery
                        WHERE state = 1 AND provider IS NOT NULL"""
                ).fetchall()
                commands = {process.pid for process in self.ground.operators if process.poll() is None}
                if busy := sorted(commands & {pid for (pid,) in rows}):
                    time.sleep(self.chance.uniform(0.0, 0.3))
                    return self.chance.choice(busy)
            time.sleep(0.05)
        return None

    def _end_session(self) -> bool:
        try:
            with self.ground.connect() as connection:
                found = connection.execute(
                    """SELECT pid FROM pg_stat_activity WHERE datname = current_database()
                        AND pid <> pg_backend_pid() ORDER BY pid"""
                ).fetchall()
                if not found:
                    return False
                chosen = self.chance.choice(found)
                connection.execute("SELECT pg_terminate_backend(%s)", chosen)
                return True
        except psycopg.OperationalError:
            return False

    def _freeze(self) -> bool:
        """A worker sleeps until others were given what it had, then goes on as if nothing had happened."""
        living = sorted(self.ground.workers())
        if not living:
            return False
        pid = self.chance.choice(living)
        if not kill(pid, signal.SIGSTOP):
            return False
        self.ground.move_clock(85 * MINUTE)
        until = time.monotonic() + RECOVERED_SECONDS
        while time.monotonic() < until and self._under_way_before(self.ground.now() - 20 * MINUTE):
            time.sleep(0.5)
        time.sleep(1.0)
        return kill(pid, signal.SIGCONT)

    def _under_way_before(self, moment: dt.datetime) -> bool:
        with self.ground.connect() as connection:
            row = connection.execute(
                "SELECT 1 FROM notifications_delivery WHERE state = 1 AND claimed_at < %s LIMIT 1", [moment]
            )
            return row.fetchone() is not None


def _is_bulk(pid: int) -> bool:
    """Bulk workers are nicer than their command."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
    except ProcessLookupError:
        return False


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
