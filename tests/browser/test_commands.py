"""`tayyar worker` and `tayyar serve` as processes: they go on after the database did not, and stop cleanly."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

import pytest
from django.db import connection
from tests.browser.conftest import Site

pytestmark = pytest.mark.django_db


def start(site: Site, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tayyar.config.cli", *words],
        env=site.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def soon(what: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def listening() -> set[int]:
    """The sessions that listen for jobs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%procrastinate%'")
        return {pid for (pid,) in cursor.fetchall()}


def test_a_worker_whose_connections_were_cut_goes_on_and_stops_when_told(site: Site) -> None:
    worker = start(site, "worker")
    try:
        soon(lambda: bool(listening()))
        before = listening()
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()"""
            )
        soon(lambda: bool(listening() - before))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.communicate()


def test_the_site_is_served_until_told_to_stop(site: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start(site, "serve", "--port", str(port))
    try:

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        soon(answers)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.communicate()


def test_a_port_in_use_is_refused_with_what_to_do(site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = start(site, "serve", "--port", str(taken.getsockname()[1]))
        _, errors = server.communicate(timeout=30)
    assert server.returncode == 2
    assert "Name another with --port." in errors
