"""Test ground: a PostgreSQL of its own (embedded, unless DATABASE_URL names one), keys of its own, a still clock."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TAYYAR_DATA", str(Path(tempfile.gettempdir()) / f"tayyar-tests-{os.getuid()}"))
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's sync API runs an event loop

from tayyar.core import postgres  # noqa: E402

if not os.environ.get("DATABASE_URL"):
    postgres.ensure_running()


def pytest_sessionfinish() -> None:
    """Stop the embedded server of the tests."""
    if not os.environ.get("DATABASE_URL"):
        postgres.stop(immediate=True)
