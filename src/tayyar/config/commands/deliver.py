"""`tayyar deliver`: worker processes that send what is queued, each over connections of its own."""

import argparse
import gc
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tayyar.core.errors import UserError
from tayyar.core.progress import progress

_MOST_RESTARTS = 5  # within _RESTARTS_SECONDS: workers that keep ending need a person
_RESTARTS_SECONDS = 600
_BULK_NICENESS = 5  # bulk sending gives way to whoever waits, on the processor as well
_SWITCH_SECONDS = (
    0.0005  # a thread whose moment of sending has come must not wait for one that words messages
)
LANES = ("URGENT", "SERVICE", "BULK")


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "deliver",
        help="send the messages of certified runs, and all others",
        description="Send what is queued, until stopped. Start it on as many machines as you like: no message is "
        "taken twice, and no provider is sent to faster than it permits. Stop it at any moment: what was not sent "
        "stays queued. Providers are named in the providers' file (docs/delivery.md).",
    )
    parser.add_argument("--once", action="store_true", help="stop when nothing is left to send")
    parser.add_argument(
        "--lane",
        choices=LANES,
        help="only this lane; without it one worker serves URGENT alone, beside those for everything. A worker for "
        "URGENT only sends: receipts are heard by the others",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes, each with its connections; default: 1"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Deliver, then say how it ended."""
    if arguments.workers < 1:
        raise UserError("--workers is 1 or more.")
    from tayyar.config.wiring import providers
    from tayyar.notifications.queries import delivery_summary, open_periods

    providers()  # what is wrong with the providers' file is said before anything starts
    periods = open_periods()
    counts = deliver(workers=arguments.workers, once=arguments.once, lane=arguments.lane)
    summaries = {period: delivery_summary(period) for period in sorted({*periods, *open_periods()})}
    if arguments.json:
        print(json.dumps(_as_json(counts, summaries)))
        return 0
    print(
        f"Sent {counts['SENT']:,}, refused {counts['REFUSED']:,}, no such address {counts['BAD_CONTACT']:,}, "
        f"to be tried again {counts['TRY_LATER']:,}, in doubt {counts['IN_DOUBT']:,}, "
        f"on to the next step for want of an address {counts['NO_CONTACT']:,}, in quiet hours {counts['QUIET']:,}."
    )
    for period, summary in summaries.items():
        states = ", ".join(f"{state} {count:,}" for state, count in summary.states.items() if count)
        print(f"{period}: {states or 'no messages'}; possible duplicates {summary.possible_duplicates:,}.")
        if summary.failures:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.failures.items())
            print(f"{period}: failed for {reasons}.")
    if not summaries:
        print(
            "Nothing waits to be sent. A bill run releases its messages when it is certified: tayyar billrun PERIOD"
        )
    return 0


def _as_json(counts: Counter[str], summaries: dict[Any, Any]) -> dict[str, Any]:
    outcomes = ("SENT", "REFUSED", "BAD_CONTACT", "TRY_LATER", "IN_DOUBT", "NO_CONTACT", "QUIET")
    return {
        "outcomes": {outcome: counts[outcome] for outcome in outcomes},
        "periods": {
            str(period): {
                "states": dict(summary.states),
                "failures": dict(summary.failures),
                "possible_duplicates": summary.possible_duplicates,
            }
            for period, summary in summaries.items()
        },
    }


@dataclass(slots=True)
class _Worker:
    """A child process, the name it claims under, and the pipe it reports through."""

    name: str
    lane: str | None
    process: BaseProcess
    pipe: "Connection[Any, Any]"


def deliver(*, workers: int, once: bool, lane: str | None = None) -> Counter[str]:
    """Run worker processes until stopped, or with `once` until nothing is queued; how many messages ended how.

    The attempts of a worker that dies are put in doubt at once, and another takes its place.
    """
    from tayyar.notifications import outbox
    from tayyar.notifications.queries import queued_count

    counts: Counter[str] = Counter()
    error, restarts = "", list[float]()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = [_start(once, lane) for _ in range(workers)]
    if lane is None and not once:
        running.append(_start(once, "URGENT"))
    try:
        with progress("Delivering", total=queued_count() if once else None, unit="messages") as bar:
            while running:
                ready = wait([worker.pipe for worker in running])
                for worker in [worker for worker in running if worker.pipe in ready]:
                    try:
                        news = worker.pipe.recv()
                    except EOFError:
                        worker.process.join()
                        running.remove(worker)
                        if worker.process.exitcode and not error:
                            counts["IN_DOUBT"] += outbox.abandon(worker=worker.name)
                            now = time.monotonic()
                            restarts = [at for at in restarts if now - at < _RESTARTS_SECONDS] + [now]
                            if len(restarts) <= _MOST_RESTARTS:
                                running.append(_start(once, worker.lane))
                            else:
                                error = "The delivery workers keep ending. Their errors are above."
                        continue
                    if isinstance(news, str):
                        error = news
                    else:
                        counts.update(news)
                        bar.advance(news["SENT"])
    finally:
        for worker in running:
            worker.process.terminate()
        for worker in running:
            worker.process.join()
        signal.signal(signal.SIGTERM, before)
    if error:
        raise UserError(error)
    return counts


def _start(once: bool, lane: str | None) -> _Worker:
    name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
    context = get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sending, name, once, lane), name=name)
    process.start()
    sending.close()
    return _Worker(name, lane, process, receiving)


def _work(pipe: "Connection[Any, Any]", name: str, once: bool, lane: str | None) -> None:
    """A worker process: delivers until told to stop, and then ends its round first."""
    stopped: list[int] = []
    parent = parent_process()
    assert parent is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    if lane != "URGENT":
        os.nice(_BULK_NICENESS)
    sys.setswitchinterval(_SWITCH_SECONDS)

    from tayyar.config.cli import prepare_database

    prepare_database()
    from tayyar.config.wiring import providers
    from tayyar.core import clock
    from tayyar.notifications.delivery import Engine
    from tayyar.notifications.kinds import Lane

    gc.freeze()  # what was imported stays: going through all of it now and then would stop the sending threads

    def report(counts: Counter[str]) -> None:
        try:
            pipe.send(counts)
        except BrokenPipeError:  # the command that started us is gone
            stopped.append(signal.SIGTERM)

    try:
        served = Lane(lane) if lane else None
        engine = Engine(
            providers=providers(served),
            worker=name,
            clock=clock.now,
            lane=served,
            report=report,
        )
        # The command that started us may have been killed: then our parent is another.
        engine.run(once=once, stopping=lambda: bool(stopped) or os.getppid() != parent.pid)
    except UserError as error:
        pipe.send(str(error))
        sys.exit(2)
