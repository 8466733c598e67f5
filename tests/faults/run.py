"""`python -m tests.faults.run --kills N --seed S`: kill workers, coordinators and the database at random moments of
bill runs, recover as an operator would, and compare each with a run that was never disturbed; then the same for the
delivery of messages (delivery.py). Exit 1 when anything differs.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import psycopg
from tests.faults import controls, disk, invariants
from tests.faults.disturbed import Disturbed, Reference
from tests.faults.ground import HISTORY, PERIOD, REFERENCE, Ground

CHUNKS = 30
KILLS_PER_RUN = (8, 16)


def main() -> int:
    """Parse, run, sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--accounts", type=int, default=3000)
    parser.add_argument("--delivery-kills", type=int, default=200, help="0: the bill run alone")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    started = time.monotonic()
    print(f"faults: {arguments.kills} kills, {arguments.accounts} accounts, seed {seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the ground is cleared then, too
    ground = Ground(chunk_accounts=max(1, arguments.accounts // CHUNKS))
    try:
        ground.settle(accounts=arguments.accounts, seed=seed)
        bad = _campaign(ground, kills=arguments.kills, seed=seed, started=started)
    finally:
        ground.close()
    if bad:
        print(f"{bad} findings. Again: python -m tests.faults.run --kills {arguments.kills} --seed {seed}")
    if arguments.delivery_kills:  # in a process of its own: Django knows one database
        command = [sys.executable, "-m", "tests.faults.delivery", "--kills", str(arguments.delivery_kills)]
        bad += subprocess.run([*command, "--seed", str(seed)], check=False).returncode
    return 1 if bad else 0


def _campaign(ground: Ground, *, kills: int, seed: int, started: float) -> int:
    reference, bad = _reference(ground)
    total, in_flight, runs, commands = Counter[str](), 0, 0, 0
    while total.total() < kills:
        runs += 1
        chance = random.Random(f"{seed}/{runs}")
        wanted = min(chance.randint(*KILLS_PER_RUN), kills - total.total())
        began = time.monotonic()
        outcome = Disturbed(ground, chance, reference, embedded=runs % 4 == 0).run(wanted)
        total += outcome.kills
        in_flight += outcome.in_flight
        commands += outcome.commands
        bad += len(outcome.findings)
        verdict = "DIFFERENT" if outcome.findings else "same"
        print(
            f"run {runs}: {outcome.kills.total()} kills, {outcome.commands} commands, "
            f"{time.monotonic() - began:.0f} s: {verdict} ({_listed(outcome.kills)})",
            *(f"  {text}" for text in outcome.findings),
            sep="\n",
            flush=True,
        )
    bad += _full_disks(ground, reference, random.Random(seed))
    print(
        f"{total.total()} kills in {runs} runs and {commands} commands, {time.monotonic() - started:.0f} s; "
        f"{in_flight} of them while chunks were in work; {bad} findings.\n{_listed(total)}",
        flush=True,
    )
    return bad


def _full_disks(ground: Ground, reference: Reference, chance: random.Random) -> int:
    bad, room = (
        0,
        300 * reference.certificate["accounts"]["billed"],
    )  # bytes: about half of what the run writes
    for name, attempt in (
        (
            "full disk",
            lambda: disk.full_tablespace(ground, reference, leave_bytes=chance.randint(room // 4, room)),
        ),
        ("full disk of the log", lambda: disk.full_log(ground, reference)),
    ):
        try:
            findings = attempt()
        except disk.NotPermitted as reason:
            print(f"{name}: left out, {reason}", flush=True)
            continue
        bad += len(findings)
        print(f"{name}: {'DIFFERENT' if findings else 'same'}", *findings, sep="\n  ", flush=True)
    return bad


def _listed(kills: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kills.items()))


def _reference(ground: Ground) -> tuple[Reference, int]:
    """The undisturbed run, its own checks, and the proof that they can fail."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tayyar.config.settings"
    import django

    django.setup()
    from tayyar.billing.certificate import verify
    from tayyar.core.periods import Period

    process = ground.bill()
    if process.wait(timeout=300):
        raise SystemExit(f"the undisturbed run failed:\n{ground.said(process)[1]}")
    ground.operators.clear()
    period, before = Period.parse(PERIOD), Period.parse(HISTORY).number

    def verified(connection: psycopg.Connection[Any]) -> list[str]:
        return verify(connection, period)

    with ground.connect() as connection:
        reference = Reference(
            period.number,
            before,
            invariants.certificate(connection, period=period.number),
            invariants.content(connection, period=period.number),
            verified,
        )
        problems = [
            *invariants.broken(connection, period=period.number, before=before),
            *invariants.half_written(connection, period=period.number),
            *verified(connection),
            *controls.failures(
                connection, period=period.number, before=before, verify=lambda: verified(connection)
            ),
        ]
    ground.sql(f"ALTER DATABASE tayyar RENAME TO {REFERENCE}")
    accounts = reference.certificate["accounts"]
    print(
        f"reference: {accounts}, bills {reference.certificate['bills_sha256'][:16]}; "
        f"{len(controls.DAMAGE) + len(controls.ALTERED)} kinds of damage are noticed"
        if not problems
        else "\n".join(problems),
        flush=True,
    )
    return reference, len(problems)


if __name__ == "__main__":
    sys.exit(main())
