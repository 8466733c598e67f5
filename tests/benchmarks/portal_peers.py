"""What the portal is measured against, made at run time: nginx with one file of 10 kB, and a plain Django site.

The plain site is what `django-admin startproject` gives, with one view of one query, under gunicorn as `tayyar serve`
sets it. Owns ports and processes for the length of a block. Next: bench_portal.py.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NGINX = """
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""

_PLAIN = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="plain", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True, DATABASES={database!r},
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware",
                "django.middleware.clickjacking.XFrameOptionsMiddleware"],
)
django.setup()
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpResponse
from django.urls import path


class Account(models.Model):
    opened_on = models.DateField()

    class Meta:
        app_label = "plain"
        managed = False
        db_table = "customers_customeraccount"


def one(request, number):
    return HttpResponse(f"<!doctype html><title>{{number}}</title>{{Account.objects.get(id=number).opened_on}}")


urlpatterns = [path("<int:number>", one)]
application = get_wsgi_application()
"""


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]", *, seconds: float = 60) -> None:
    """Until something listens on 127.0.0.1:`port`; TimeoutError, or RuntimeError when the process ended."""
    give_up_at = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with {process.returncode} before it listened.")
        if time.monotonic() > give_up_at:
            raise TimeoutError
        time.sleep(0.1)


@contextlib.contextmanager
def running(command: list[str], port: int, **options: Any) -> Iterator[int]:
    """A server for the length of the block; its port."""
    process = subprocess.Popen(command, **options)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Debian's nginx serving /ten.html of 10,000 bytes; its port."""
    here, port = folder / "nginx", free_port()
    files = here / "files"
    files.mkdir(parents=True)
    for each in (here, files):
        each.chmod(0o755)
    (files / "ten.html").write_bytes(b"x" * 10_000)
    (here / "nginx.conf").write_text(_NGINX.format(folder=here, port=port))
    command = [
        "nginx",
        "-c",
        str(here / "nginx.conf"),
        "-e",
        str(here / "nginx-error.log"),
        "-g",
        "daemon off;",
    ]
    with running(command, port):
        yield port


@contextlib.contextmanager
def plain_django(folder: Path, gunicorn: dict[str, Any]) -> Iterator[int]:
    """The plain site on the same database; its port. `gunicorn`: workers, threads, keepalive."""
    from django.conf import settings

    here, port = folder / "plain", free_port()
    here.mkdir()
    keys = (
        "ENGINE",
        "NAME",
        "USER",
        "PASSWORD",
        "HOST",
        "PORT",
        "OPTIONS",
        "CONN_MAX_AGE",
        "CONN_HEALTH_CHECKS",
    )
    database = {"default": {key: settings.DATABASES["default"][key] for key in keys}}
    (here / "plain_site.py").write_text(_PLAIN.format(database=database))
    command = [sys.executable, "-m", "gunicorn", "plain_site:application", "--bind", f"127.0.0.1:{port}",
               "--worker-class", "gthread", "--workers", str(gunicorn["workers"]),
               "--threads", str(gunicorn["threads"]), "--keep-alive", str(gunicorn["keepalive"]),
               "--log-level", "warning"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(here)}
    with running(command, port, cwd=here, env=environment):
        yield port
