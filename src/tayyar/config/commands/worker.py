"""`tayyar worker`: a process that does what the site and other machines leave in the job queue."""

import argparse


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
    """Work until stopped, or with `--once` until nothing waits."""
    from procrastinate.contrib.django import app

    if not arguments.once:
        print("Waiting for jobs. Stop with Ctrl-C.", flush=True)
    with app.replace_connector(app.connector.get_worker_connector()) as worker:  # type: ignore[attr-defined]
        worker.run_worker(wait=not arguments.once, concurrency=1, listen_notify=not arguments.once)
    return 0
