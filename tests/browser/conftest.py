"""A small billed utility behind a real HTTP server, and a real Chromium that may speak to nobody else."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from playwright.sync_api import Browser, Page, StorageState, ViewportSize
from pytest_django.live_server_helper import LiveServer
from tests.scenarios import cast

from tayyar.console.account import ATTEMPTS
from tayyar.core.periods import Period
from tayyar.portal.views import OPENINGS

NOW = "2026-11-02T08:00:00+00:00"
PASSWORD = "calm-current-7431"
PHONE, DESK = ViewportSize(width=360, height=740), ViewportSize(width=1280, height=900)


@dataclass(frozen=True)
class Site:
    """The running site: its address, and the process environment in which `tayyar` finds the same books."""

    url: str
    environment: dict[str, str]

    def work(self) -> None:
        """Do what waits in the job queue, as `tayyar worker` does."""
        command = [sys.executable, "-m", "tayyar.config.cli", "worker", "--once"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: object) -> Iterator[Site]:
    """400 accounts with readings of three months, two of them billed; a manager and a reader."""
    from django.contrib.auth.models import User

    from tayyar.billing.worker import connect
    from tayyar.console.roles import ensure_roles
    from tayyar.demo.population import generate

    before = {name: os.environ.get(name) for name in ("DATABASE_URL", "TAYYAR_NOW")}
    plain_url = settings.DATABASE_URL
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        _empty()
        url = cast.database_url()
        os.environ.update({"DATABASE_URL": url, "TAYYAR_NOW": NOW})
        settings.DATABASE_URL = url
        server = LiveServer("127.0.0.1")
        try:
            cast.answer_profile()
            with connect(url) as raw:
                generate(raw, profile=cast.saudi(), accounts=400, last=Period(2026, 10), months=3, seed=11)
            cast.bill("2026-08")
            cast.bill("2026-09")
            manager = User.objects.create_user("manager", password=PASSWORD, is_staff=True)
            manager.groups.add(ensure_roles())
            User.objects.create_user("reader", password=PASSWORD, is_staff=True)
            User.objects.create_user("customer", password=PASSWORD)
            yield Site(server.url, dict(os.environ))
        finally:
            server.stop()
            settings.DATABASE_URL = plain_url
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
            _empty()


def _empty() -> None:
    with connection.cursor() as cursor:  # sessions that a run or the server left open would hold the tables
        cursor.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    call_command("flush", verbosity=0, interactive=False)
    cast.empty_big_tables()


@pytest.fixture(scope="module")
def session(chromium: Browser, site: Site) -> StorageState:
    """The manager's session, so that not every test signs in."""
    context = chromium.new_context()
    sign_in(context.new_page(), site, "manager")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A fresh visitor with a phone, who reads Arabic; at the end it asked no other host for anything."""
    yield from _visitor(chromium, site, PHONE, None)


@pytest.fixture
def desk(chromium: Browser, site: Site, session: StorageState) -> Iterator[Page]:
    """The billing manager, signed in, at a desk."""
    yield from _visitor(chromium, site, DESK, session)


def _visitor(
    chromium: Browser, site: Site, viewport: ViewportSize, session: StorageState | None
) -> Iterator[Page]:
    OPENINGS.clear()
    ATTEMPTS.clear()
    context = chromium.new_context(viewport=viewport, locale="ar", storage_state=session)
    asked: list[str] = []
    faults: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []
    assert faults == []


def sign_in(page: Page, site: Site, name: str) -> None:
    """Through the sign-in page, as people do."""
    page.goto(f"{site.url}/console/login?lang=en")
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("main button")


def bill_link(site: Site, number: int, *, expires: dt.date = dt.date(2027, 2, 1)) -> str:
    """The address that opens a bill."""
    from tayyar.core.links import bill_token

    return f"{site.url}/b/{bill_token(number, expires=expires)}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Dark pages are looked at in Arabic alone: their colours are the same in every language."""
    twice = [item for item in items if item.name.endswith(_DARK_AGAIN) and "browser" in item.path.parts]
    config.hook.pytest_deselected(items=twice)
    items[:] = [item for item in items if item not in twice]


_DARK_AGAIN = ("[en-dark]", "[fr-dark]", "[dark-en]", "[dark-fr]")
