"""One disturbed run: the operator's command, strikes while it works, the command again until it is certified, and then
every check against the undisturbed run."""

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from tests.faults import invariants
from tests.faults.ground import LEASE_SECONDS, Ground, kill
from tests.faults.strikes import Strike, draw

PATIENCE_SECONDS = 120.0  # for a run to be certified once nothing disturbs it any more
STRIKE_SECONDS = 20.0  # for a request to come by at which a strike waits


@dataclass(frozen=True)
class Reference:
    """What the undisturbed run left."""

    period: int
    before: int
    certificate: dict[str, Any]
    content: dict[str, str]
    verify: Callable[[psycopg.Connection[Any]], list[str]]


def compare(connection: psycopg.Connection[Any], reference: Reference) -> list[str]:
    """Every check on a finished run: the rules, the certificate, every stored byte, the product's own verification."""
    period = reference.period
    if not invariants.certificate(connection, period=period):
        return ["the run has no certificate", *invariants.half_written(connection, period=period)]
    return [
        *invariants.broken(connection, period=period, before=reference.before),
        *invariants.half_written(connection, period=period),
        *invariants.differences(
            "the certificate", reference.certificate, invariants.certificate(connection, period=period)
        ),
        *invariants.differences(
            "the content", reference.content, invariants.content(connection, period=period)
        ),
        *reference.verify(connection),
    ]


@dataclass
class Outcome:
    """What was done to a run and what is wrong with it now."""

    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0  # kills while at least one chunk was leased
    commands: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class _Stopped:
    pid: int
    leases: dict[int, int]  # chunk -> token, of all leases in force when it was stopped
    since: float


class Disturbed:
    """Drives one run. Everything random comes from `chance`."""

    def __init__(
        self, ground: Ground, chance: random.Random, reference: Reference, *, embedded: bool
    ) -> None:
        self.ground, self.chance, self.reference, self.embedded = ground, chance, reference, embedded
        self.outcome = Outcome()
        self.stopped: list[_Stopped] = []

    def run(self, kills: int) -> Outcome:
        """At most `kills` kills; fewer when the run is certified before."""
        self.ground.reset()
        self._command()
        early, tail = self.chance.random() < 0.3, self.chance.randint(0, 2)
        while self.outcome.kills.total() < kills:
            late = self.outcome.kills.total() >= kills - tail
            if not self._strike(
                draw(self.ground, self.chance, embedded=self.embedded, late=late, early=early)
            ):
                break
            early = False
            self._look()
        self.ground.proxy.set_trap(None)
        self._finish()
        self._check()
        return self.outcome

    def _command(self) -> None:
        self.outcome.commands += 1
        self.ground.bill(embedded=self.embedded)
        if self.chance.random() < 0.15:  # two coordinators at once
            self.outcome.commands += 1
            self.ground.bill(embedded=self.embedded)

    # -- while it runs

    def _strike(self, strike: Strike) -> bool:
        """Let one strike hit. False when the run was over before it could."""
        deadline = time.monotonic() + STRIKE_SECONDS
        if not strike.points:
            time.sleep(self.chance.uniform(0.0, 1.5))
            return self._go_on() and self._hit(strike)
        trap = strike.trap()
        self.ground.proxy.set_trap(trap)
        while not trap.sprung.wait(0.02):
            if not self._go_on():
                return False
            if time.monotonic() > deadline:
                self.ground.proxy.set_trap(None)
                if not trap.sprung.is_set():
                    return True  # no such request came by, such as a claim when all is claimed: draw another
        self._count(strike)
        return True

    def _hit(self, strike: Strike) -> bool:
        if strike.act:
            try:
                strike.act(None)
            except psycopg.OperationalError:
                strike.hit = False
        self._count(strike)
        return True

    def _count(self, strike: Strike) -> None:
        self.outcome.kills[strike.kind] += strike.hit
        time.sleep(self.chance.uniform(0.0, 0.4))
        self.ground.start_server()
        leases = self._leases()
        self.outcome.in_flight += bool(leases) and strike.hit
        self.stopped += [_Stopped(pid, leases, time.monotonic()) for pid in strike.stopped]

    def _go_on(self) -> bool:
        """Wake who slept long enough; give the command again when it ended. False when the run is certified."""
        self._wake()
        if any(process.poll() is None for process in self.ground.operators):
            return True
        self._heard()
        if self.ground.operators[-1].returncode == 0:
            return False
        self._command()
        return True

    def _heard(self) -> None:
        """A command ends well, with a message, or by our hand; never with a traceback."""
        for process in self.ground.operators:
            if process.poll() not in (None, 0, 2, -signal.SIGKILL):
                said = self.ground.said(process)[1].strip()[-1500:]
                self._found(f"the command ended with {process.returncode} and no kind word:\n{said}")

    def _look(self) -> None:
        """At any moment a chunk is there or not."""
        with contextlib.suppress(psycopg.OperationalError), self.ground.connect() as connection:
            for text in invariants.half_written(connection, period=self.reference.period):
                self._found(text)

    def _leases(self) -> dict[int, int]:
        for _ in range(50):
            with contextlib.suppress(psycopg.OperationalError), self.ground.connect() as connection:
                return dict(
                    connection.execute(
                        "SELECT id, token FROM billing_billrunchunk WHERE state = 'LEASED'"
                    ).fetchall()
                )
            time.sleep(0.1)  # the server recovers from a lost backend
        raise TimeoutError("the database does not answer after a restart")

    def _wake(self, *, all_of_them: bool = False) -> None:
        """Continue a stopped worker when every lease of its time is another's or over."""
        for one in list(self.stopped):
            over = time.monotonic() - one.since > 4 * LEASE_SECONDS + 10
            if not over and not all_of_them:
                if time.monotonic() - one.since < LEASE_SECONDS:
                    continue
                with contextlib.suppress(TimeoutError):
                    now = self._leases()
                    over = all(now.get(chunk) != token for chunk, token in one.leases.items())
                if not over:
                    continue
            self.stopped.remove(one)
            kill(one.pid, signal.SIGCONT)

    # -- afterwards

    def _finish(self) -> None:
        """The command again and again, as an operator would, until it succeeds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._go_on():
            if time.monotonic() > deadline:
                said = "\n".join(
                    self.ground.said(process)[1][-600:] for process in self.ground.operators[-2:]
                )
                self._found(f"not certified {PATIENCE_SECONDS:.0f} s after the last kill:\n{said}")
                break
            time.sleep(0.05)
        self._wake(all_of_them=True)
        if left := self.ground.wait_for_orphans(20.0):
            self._found(f"workers that do not end when all is done: {left}")
        self.ground.end_operators()
        self.ground.operators.clear()

    def _check(self) -> None:
        with self.ground.connect() as connection:
            for text in compare(connection, self.reference):
                self._found(text)

    def _found(self, text: str) -> None:
        if text not in self.outcome.findings:
            self.outcome.findings.append(text)
