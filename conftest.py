"""Test ground: settings_for_tests starts the database; this prepares the test database and stops the server."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.utils import translation
from playwright.sync_api import Browser, sync_playwright

from tayyar.core import postgres

_DATABASE = {"db", "transactional_db", "live_server", "books"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fault runs first: they take minutes, and at the end the other processes would wait for them."""
    items.sort(key=lambda item: "faults" not in item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def audit_log_can_be_emptied(request: pytest.FixtureRequest) -> None:
    """Django empties all tables between tests; outside tests the audit log refuses that."""
    items = request.session.items
    if not any(
        item.get_closest_marker("django_db") or _DATABASE & set(getattr(item, "fixturenames", ()))
        for item in items
    ):
        return
    request.getfixturevalue("django_db_setup")
    blocker = request.getfixturevalue("django_db_blocker")
    from django.db import connection

    with blocker.unblock(), connection.cursor() as cursor:
        if not str(connection.settings_dict["NAME"]).startswith("test_"):
            pytest.exit("the tests would touch a real database", returncode=3)
        cursor.execute("ALTER TABLE core_auditentry DISABLE TRIGGER append_only_truncate")


@pytest.fixture(autouse=True)
def language_that_an_earlier_test_left() -> None:
    """A request leaves its language active in its thread; the next test begins without."""
    translation.deactivate()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one real browser of the session: Playwright allows one at a time in a process."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine")
    arguments = [
        *("--headless", "--no-sandbox", "--disable-gpu"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    ]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=arguments)
        yield running
        running.close()


def pytest_unconfigure() -> None:
    """Stop the embedded server of the tests, and leave nothing behind."""
    if not os.environ.get("DATABASE_URL"):
        postgres.stop(immediate=True)
    if made := os.environ.get("TAYYAR_TEST_DATA"):
        shutil.rmtree(made, ignore_errors=True)
