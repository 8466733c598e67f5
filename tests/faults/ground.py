"""Test ground of the fault runs: a data folder and PostgreSQL of their own, a starting state to come back to.

Nothing of the machine's other installations is touched: all processes, sockets and files lie under one temporary
folder, and `close` leaves none behind.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from tests.faults.proxy import Proxy

from tayyar.core import postgres

ROOT = Path(__file__).resolve().parents[2]
NOW = "2026-12-05T06:00:00+00:00"  # the clock stands still, so that posting times are the same in every run
HISTORY, PERIOD = "2026-10", "2026-11"
WORKERS = 2
LEASE_SECONDS = 2.0
START, REFERENCE = "start", "reference"  # databases: before the run, and after an undisturbed one


class Ground:
    """Folder, server and proxy. Empty until `settle`."""

    def __init__(self, *, chunk_accounts: int) -> None:
        self.chunk_accounts = chunk_accounts
        self.folder = Path(tempfile.mkdtemp(prefix="tayyar-faults-"))
        self.folder.chmod(0o755)
        self.operators: list[subprocess.Popen[bytes]] = []
        os.environ["TAYYAR_DATA"] = str(self.folder / "data")
        os.environ["TAYYAR_NOW"] = NOW
        os.environ.pop("DATABASE_URL", None)
        # Sizes only: a small server recovers sooner. Durability stays as in production.
        postgres.SETTINGS.update(shared_buffers="64MB", min_wal_size="80MB", max_wal_size="512MB")
        (self.folder / "proxy").mkdir()
        self.proxy = Proxy(self.folder / "proxy", postgres.socket_dir(), postgres.PORT)

    def settle(self, *, accounts: int, seed: int) -> None:
        """Start the server; people, readings and one month billed: the starting state."""
        self.start_server()
        generate = ("generate", "--profile", "sa", "--accounts", str(accounts), "--months", "2")
        self._tayyar(*generate, "--seed", str(seed))
        self._tayyar("billrun", HISTORY)
        self.sql(f"CREATE DATABASE {START} TEMPLATE {postgres.DATABASE}")

    def _tayyar(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tayyar.config.cli", *arguments]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)

    # -- the server

    def start_server(self) -> None:
        """As a service manager would: start it, and again when the dead one's backends were still there."""
        deadline = time.monotonic() + 60
        while True:
            try:
                postgres.ensure_running()
                return
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def kill_server(self, *, backends: bool) -> None:
        """SIGKILL the postmaster; with `backends`, all its processes too."""
        postmaster = postgres.postmaster_pid()
        doomed = [postmaster, *(children_of(postmaster) if backends else [])]
        for pid in doomed:
            kill(pid)

    def connect(self, database: str = postgres.DATABASE) -> psycopg.Connection[Any]:
        """Straight to the server, past the proxy."""
        url = postgres.database_url().replace(f"/{postgres.DATABASE}?", f"/{database}?")
        return psycopg.connect(url, autocommit=True, application_name="tayyar faults")

    def sql(self, statement: str) -> None:
        """One statement in the maintenance database."""
        with self.connect("postgres") as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def reset(self, *, options: str = "") -> None:
        """Back to the starting state."""
        self.sql(f"DROP DATABASE IF EXISTS {postgres.DATABASE} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {postgres.DATABASE} TEMPLATE {START} {options}")

    # -- the operator

    def bill(self, *, embedded: bool = False) -> "subprocess.Popen[bytes]":
        """Give the command, in a process group of its own; through the proxy unless `embedded`."""
        environment = dict(os.environ)
        if not embedded:
            url = postgres.database_url().replace(str(postgres.socket_dir()), str(self.folder / "proxy"))
            environment["DATABASE_URL"] = url
        name = self.folder / f"operator-{len(self.operators)}"
        with name.with_suffix(".out").open("wb") as out, name.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.faults.bill", PERIOD),
                    *(str(WORKERS), str(self.chunk_accounts), str(LEASE_SECONDS)),
                ],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.operators.append(process)
        return process

    def said(self, process: "subprocess.Popen[bytes]") -> tuple[str, str]:
        """Standard output and error of an operator's command so far."""
        name = self.folder / f"operator-{self.operators.index(process)}"
        return name.with_suffix(".out").read_text(), name.with_suffix(".err").read_text()

    def workers(self) -> list[int]:
        """Living workers of all commands given, orphans included."""
        groups = {process.pid for process in self.operators}
        members = [pid for pid, group in groups_of_processes() if group in groups and pid not in groups]
        return [pid for pid in members if self.owns(pid)]

    def owns(self, pid: int) -> bool:
        """Whether a process works in our folder: numbers of processes that ended are given to others."""
        with contextlib.suppress(OSError):
            return f"TAYYAR_DATA={self.folder}/".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        return False

    def kill_group(self, leader: int) -> None:
        """Kill a command with its workers, also those that outlived it."""
        for pid, group in groups_of_processes():
            if group == leader and self.owns(pid):
                kill(pid)

    def wait_for_orphans(self, seconds: float) -> list[int]:
        """Workers that still live after `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := self.workers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def end_operators(self) -> None:
        """Kill every command that still lives, with its workers."""
        for process in self.operators:
            self.kill_group(process.pid)
            process.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        self.end_operators()
        self.proxy.close()
        with contextlib.suppress(Exception):
            postgres.stop(immediate=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def kill(pid: int, signal_number: int = signal.SIGKILL) -> bool:
    """Signal one process; False when it is gone already."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return False
    return True


def groups_of_processes() -> list[tuple[int, int]]:
    """(process, process group) of all that live on this machine, zombies left out."""
    return [(pid, group) for pid, _, group, state in _processes() if state != "Z"]


def children_of(parent: int) -> list[int]:
    """The direct children of a process."""
    return [pid for pid, its_parent, _, _ in _processes() if its_parent == parent]


def _processes() -> list[tuple[int, int, int, str]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found.append((int(entry.name), int(fields[1]), int(fields[2]), fields[0]))
    return found
