"""`tayyar worker`: a process that does what the site and other machines leave in the job queue."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "worker",
        help="do background jobs: bill runs started in the console, runs of other machines",
        description="Do jobs from the queue until stopped. Start one for each core you want to lend, on any machine "
        "that reaches the database. It ends after the job in hand; killing it loses nothing.",
    )
    parser.add_argument("--once", action="store_true", help="stop when the queue is empty")
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Work until stopped, or with `--once` until nothing waits. UserError when the database does not come back."""
    from django.conf import settings
    from django.db import close_old_connections
    from procrastinate.exceptions import ConnectorException

    from tayyar.billing.worker import connect

    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # says each of its tries to reconnect
    if not arguments.once:
        print("Waiting for jobs. Stop with Ctrl-C.", flush=True)
    stopped: list[int] = []
    while not stopped:
        try:
            _work(once=arguments.once, stopped=stopped)
            if arguments.once:
                return 0
        except ConnectorException:
            print("The database went away. Jobs in hand are done again when it is back.", file=sys.stderr)
        if not stopped:
            connect(settings.DATABASE_URL).close()
            close_old_connections()
    return 0


def _work(*, once: bool, stopped: list[int]) -> None:
    """Run the queue's worker until a signal, noted in `stopped`, or until it loses the database: it may then end
    without a word, so a return alone does not mean that anyone asked for it."""
    from procrastinate.contrib.django import app

    async def until_stopped() -> None:
        loop = asyncio.get_running_loop()
        async with queue.open_async():
            work = asyncio.create_task(
                queue.run_worker_async(
                    wait=not once, concurrency=1, listen_notify=not once, install_signal_handlers=False
                )
            )

            def stop(number: int) -> None:
                stopped.append(number)
                work.cancel()

            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop, number)
            with contextlib.suppress(asyncio.CancelledError):
                await work

    with app.replace_connector(app.connector.get_worker_connector()) as queue:  # type: ignore[attr-defined]
        asyncio.run(until_stopped())
