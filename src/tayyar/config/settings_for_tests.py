"""The settings of the tests: a data folder and an embedded PostgreSQL of their own, unless the environment names them.

They are set up here, before Django reads its settings, because pytest-django reads them before any conftest.
"""

import os
import tempfile
from pathlib import Path

# Processes that share the tests (pytest -n) inherit the folder of the one that started them, and take one of their own.
if "TAYYAR_DATA" not in os.environ or (
    os.environ.get("TAYYAR_TEST_SHARER", "") != os.environ.get("PYTEST_XDIST_WORKER", "")
):
    folder = tempfile.mkdtemp(prefix="tayyar-tests-")
    Path(folder).chmod(0o755)  # the database's own OS user passes through
    os.environ["TAYYAR_DATA"] = os.environ["TAYYAR_TEST_DATA"] = folder
    os.environ["TAYYAR_TEST_SHARER"] = os.environ.get("PYTEST_XDIST_WORKER", "")

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's sync API runs an event loop

from tayyar.core import postgres

if not os.environ.get("DATABASE_URL"):
    postgres.ensure_running()

from tayyar.config.settings import *  # noqa: F403

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # quick logins; nobody keeps these passwords
