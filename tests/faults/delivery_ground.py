"""Test ground of the delivery fault runs: the bill run's ground, with people who can be told, a clock that moves, the
site that takes receipts, and the operator's `tayyar deliver` twice, as on two machines."""

import contextlib
import datetime as dt
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.delivery_peers import NOBODY, Peers, peers
from tests.faults.ground import HISTORY, NOW, ROOT, START, Ground, groups_of_processes

from tayyar.core import clock

PERIOD = HISTORY  # the month whose bills are delivered
COMMANDS = 2
# In a traceback: the database went away as a worker began, or its command was killed as it started the worker.
_OURS = ("OperationalError", "InterfaceError", "errors.AdminShutdown", "EOFError: Ran out of input")
# Which contact points account 1, 2, ... has; the last of these eight has none.
_CHANNELS = (
    ("SMS",), ("SMS", "EMAIL"), ("EMAIL",), ("SMS", "WHATSAPP"), ("WHATSAPP", "EMAIL"), ("SMS",),
    ("SMS", "WHATSAPP", "EMAIL"), (),
)  # fmt: skip


class DeliveryGround(Ground):
    """Everything of one campaign. `open_round` begins from the starting state: bills certified, nothing sent."""

    def __init__(self) -> None:
        super().__init__(chunk_accounts=100)
        self.clock_file = self.folder / "clock"
        self.port = _free_port()
        self.site_url = f"http://127.0.0.1:{self.port}"
        os.environ["TAYYAR_SITE_URL"] = self.site_url
        os.environ["DJANGO_SETTINGS_MODULE"] = "tayyar.config.settings"
        self.site: subprocess.Popen[bytes] | None = None
        self.findings: list[str] = []
        self._rounds = 0
        self._commands = 0
        self._logs: dict[int, Path] = {}
        self._groups: set[int] = set()  # of all commands of the round, also of those that ended

    def prepare(self, *, accounts: int, seed: int) -> None:
        """People with contact points of our own choice, a month of certified bills: the starting state."""
        self.start_server()
        generate = ("generate", "--profile", "sa", "--accounts", str(accounts), "--months", "2")
        self._tayyar(*generate, "--seed", str(seed))
        import django

        django.setup()
        self._give_contacts()
        self._tayyar("billrun", PERIOD)
        self.sql(f"CREATE DATABASE {START} TEMPLATE tayyar")
        del os.environ["TAYYAR_NOW"]
        os.environ["TAYYAR_CLOCK"] = str(self.clock_file)

    def _give_contacts(self) -> None:
        from django.db import connection

        from tayyar.core import crypto
        from tayyar.customers.models import Channel, ContactPoint, CustomerAccount
        from tayyar.notifications.ports import ADDRESS_FIELD

        ContactPoint.objects.all().delete()
        made = []
        for place, account in enumerate(
            CustomerAccount.objects.order_by("id").values_list("id", flat=True), 1
        ):
            for name in _CHANNELS[place % len(_CHANNELS)]:
                address = address_of(place, name)
                made.append(
                    ContactPoint(
                        account_id=account,
                        channel=Channel[name],
                        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
                        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
                        verified_at=clock.parse_moment(NOW),
                    )
                )
        ContactPoint.objects.bulk_create(made)
        connection.close()

    @contextlib.contextmanager
    def open_round(self, chance: random.Random) -> Iterator[Peers]:
        """The starting state, new providers, the site; all ended again."""
        self._rounds += 1
        self.end_all()
        self.start_server()
        self.reset()
        self.set_clock(clock.parse_moment(NOW) + dt.timedelta(minutes=1))
        folder = self.folder / f"round-{self._rounds}"
        hex_ids = chance.random() < 0.3
        with peers(folder, site_url=self.site_url, owner=self.owner_of_port, hex_ids=hex_ids) as found:
            os.environ["TAYYAR_PROVIDERS"] = str(folder / "providers.yaml")
            self.start_site()
            try:
                yield found
            finally:
                self.end_all()

    # -- the clock

    def now(self) -> dt.datetime:
        """As every process of the run tells it."""
        return clock.now()

    def set_clock(self, moment: dt.datetime) -> None:
        """It is now this time for all of them."""
        clock.set_shift(self.clock_file, moment - dt.datetime.now(dt.UTC))

    def move_clock(self, by: dt.timedelta) -> None:
        """Forward, or backward."""
        self.set_clock(self.now() + by)

    # -- processes

    def start_site(self) -> None:
        """Start the site and wait until it answers."""
        if self.site is not None:
            self.kill_group(self.site.pid)
            self.site.wait()
        with (self.folder / "site.log").open("ab") as log:
            self.site = subprocess.Popen(
                [sys.executable, "-m", "tayyar.config.cli", "serve", "--port", str(self.port)],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.1)
        raise TimeoutError("the site does not answer")

    def deliver(self, *more: str) -> "subprocess.Popen[bytes]":
        """Give the command, in a process group of its own."""
        self._commands += 1
        path = self.folder / f"deliver-{self._commands}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tayyar.config.cli", "deliver", *more],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._logs[process.pid] = path
        self._groups.add(process.pid)
        self.operators.append(process)
        return process

    def keep_commands(self) -> None:
        """As a service manager would: a command that ended is given again. One that ended without our doing and with
        a traceback is a finding."""
        for process in [*self.operators]:
            if process.poll() is not None:
                self.hear(process)
                self.operators.remove(process)
        while len(self.operators) < COMMANDS:
            self.deliver()

    def hear(self, process: "subprocess.Popen[bytes]") -> str:
        """What a command said; a traceback that is not about a lost database is a finding."""
        said = self._logs[process.pid].read_text(errors="replace")
        for part in said.split("Traceback (most recent call last)")[1:]:
            if not any(words in part for words in _OURS):
                lines = [line for line in part.splitlines() if line and not line[0].isspace()]
                error = next((line for line in lines if "Error" in line or "Exception" in line), "")
                if not any(error in text for text in self.findings):
                    self.found(f"a worker told of an error of its own: {error}\n{part[-1500:]}")
        return said

    def found(self, text: str) -> None:
        """A difference."""
        if text not in self.findings:
            self.findings.append(text)

    def workers(self) -> list[int]:
        """Living delivery workers, orphans included."""
        members = [pid for pid, group in groups_of_processes() if group in self._groups and pid != group]
        return [pid for pid in members if _is_worker(pid) and self.owns(pid)]

    def owner_of_port(self, port: int) -> int:
        """The worker at the other end of a connection from `port`; 0 when it is gone."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                wanted = f"socket:[{fields[9]}]"
                for pid in self.workers():
                    with contextlib.suppress(OSError):
                        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                            if str(descriptor.readlink()) == wanted:
                                return pid
        return 0

    def end_commands(self) -> None:
        """Kill all commands that were given, and their workers."""
        for group in self._groups:
            self.kill_group(group)
        self.end_operators()
        self.operators.clear()
        self._groups.clear()

    def end_all(self) -> None:
        """Kill what still runs of a round."""
        self.end_commands()
        if self.site is not None:
            self.kill_group(self.site.pid)
            self.site.wait()
            self.site = None

    def close(self) -> None:
        """Leave nothing behind."""
        self.end_all()
        super().close()


def address_of(place: int, channel: str) -> str:
    """Of the `place`-th account; its last digit decides whether anybody is there (NOBODY)."""
    return f"person{place}@mail.example" if channel == "EMAIL" else f"+9665{place:08d}"


def place_of(address: str) -> int:
    """Which account an address is of: +966500000007 -> 7."""
    return int(address.removeprefix("+")[4:])


def is_nobody(place: int, channel: str) -> bool:
    """Whether the providers say that there is nobody."""
    return str(place)[-1] in NOBODY.get(channel, "")


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
