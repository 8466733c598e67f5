"""The portal's pulse: measured beside requests, written rarely, never in a request's way."""

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client

from tayyar.core import clock, pulse
from tayyar.core.models import Pulse

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> pulse.Samples:
    """A process that has not been asked anything yet, and whose next pulse is due."""
    fresh = pulse.Samples()
    monkeypatch.setattr(pulse, "_samples", fresh)
    monkeypatch.setattr(pulse, "WRITE_EVERY_SECONDS", 0.0)
    return fresh


@pytest.fixture
def frozen() -> Iterator[None]:
    with clock.at(NOW):
        yield


def show(process: str, p95_ms: int, *, seconds_ago: int) -> None:
    Pulse.objects.create(
        process=process, at=NOW - dt.timedelta(seconds=seconds_ago), requests=1, p95_ms=p95_ms
    )


def test_p95_is_the_nearest_rank() -> None:
    # of 1..100 the 95th; of 1..20 the 19th (20 * 0.95 = 19); of three the slowest (2.85 -> 3)
    assert pulse.p95(list(range(100, 0, -1))) == 95
    assert pulse.p95(list(range(1, 21))) == 19
    assert pulse.p95([5, 900, 7]) == 900


def test_a_window_ends_after_three_seconds_and_starts_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 100.0
    monkeypatch.setattr("tayyar.core.pulse.time.monotonic", lambda: moment)
    samples = pulse.Samples()
    for milliseconds in (10, 20, 30):
        samples.add(milliseconds)
    moment = 102.9
    assert samples.take() is None
    moment = 103.0
    assert samples.take() == (3, 30)
    samples.add(5)
    assert samples.take() is None
    moment = 106.0
    assert samples.take() == (1, 5)


def test_requests_beyond_the_most_are_counted(
    monkeypatch: pytest.MonkeyPatch, samples: pulse.Samples
) -> None:
    monkeypatch.setattr(pulse, "_MOST_SAMPLES", 2)
    for milliseconds in (1, 2, 3):
        samples.add(milliseconds)
    assert samples.take() == (3, 2)


@pytest.mark.django_db(transaction=True)
def test_a_portal_page_is_measured_and_shown_once_it_is_answered(
    samples: pulse.Samples, frozen: None, client: Client
) -> None:
    samples.add(700)
    connection.ensure_connection()
    assert client.get("/").status_code == 200
    row = Pulse.objects.get()
    assert (row.at, row.requests, row.p95_ms) == (NOW, 2, 700)
    assert pulse.portal_p95_ms(NOW) == 700


@pytest.mark.django_db(transaction=True)
def test_the_same_process_keeps_one_row(samples: pulse.Samples, frozen: None) -> None:
    connection.ensure_connection()
    for milliseconds in (400, 90):
        samples.add(milliseconds)
        pulse.write_pulse()
    assert list(Pulse.objects.values_list("requests", "p95_ms")) == [(1, 90)]


@pytest.mark.django_db(transaction=True)
def test_rows_of_processes_long_gone_are_cleared(samples: pulse.Samples, frozen: None) -> None:
    show("dead", 50, seconds_ago=4000)
    show("alive", 50, seconds_ago=60)
    samples.add(1)
    pulse.write_pulse()
    assert Pulse.objects.count() == 2
    assert not Pulse.objects.filter(process="dead").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/console/login", "/static/portal/tayyar.css"])
def test_what_no_subscriber_waits_for_is_not_measured(
    samples: pulse.Samples, client: Client, path: str
) -> None:
    assert client.get(path).status_code == 200
    assert samples.take() is None


def test_without_a_connection_the_pulse_opens_none_and_waits(
    samples: pulse.Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "connection", SimpleNamespace(connection=None, in_atomic_block=False))
    samples.add(5)
    pulse.write_pulse()
    assert samples.take() == (1, 5)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_refuses_the_pulse_fails_nobody(
    samples: pulse.Samples, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE core_pulse RENAME TO core_pulse_away")
    try:
        samples.add(5)
        pulse.write_pulse()
        assert client.get("/").status_code == 200
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE core_pulse_away RENAME TO core_pulse")


@pytest.mark.django_db
def test_the_worst_process_counts_and_only_fresh_rows_do() -> None:
    assert pulse.portal_p95_ms(NOW) is None
    show("old", 9000, seconds_ago=15)
    assert pulse.portal_p95_ms(NOW) is None
    show("a", 120, seconds_ago=14)
    show("b", 450, seconds_ago=2)
    show("a clock ahead of ours", 800, seconds_ago=-3600)
    assert pulse.portal_p95_ms(NOW) == 450
