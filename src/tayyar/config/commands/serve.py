"""`tayyar serve`: the portal and the console over HTTP, by gunicorn."""

import argparse
import contextlib
import os
from typing import Any

from tayyar.core.errors import UserError

HOST, PORT = "127.0.0.1", 8000
THREADS = 4
KEPT_SECONDS = 75  # longer than a web server before it keeps an idle connection: nginx 60


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "serve",
        help="serve the portal, the console, the kiosks and the API",
        description="Serve the site until stopped (Ctrl-C). It listens on this machine only: put a web server with "
        "TLS before it, and name that site's address in TAYYAR_SITE_URL and TAYYAR_HOSTS.",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    from django.conf import settings

    refuse_taken(arguments.port)
    print(
        f"Serving on http://{HOST}:{arguments.port}; links in bills begin with {settings.SITE_URL}.",
        flush=True,
    )
    serve(port=arguments.port)
    return 0


def serve(*, port: int = PORT) -> None:
    """Serve on 127.0.0.1:`port` until SIGTERM or SIGINT. Django and the database must be ready.

    UserError when the port is taken.
    """
    from django.db import connections
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

    refuse_taken(port)
    connections.close_all()  # the processes below must not share a connection

    class Site(BaseApplication):
        """Our settings and our application, without gunicorn's own command line."""

        def load_config(self) -> None:
            for name, value in _options(port).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from tayyar.config.wsgi import application
            from tayyar.profiles.installation import remember_choice

            remember_choice()
            return application

    try:
        Site().run()
    except SystemExit as ended:  # gunicorn leaves by exit; a clean stop is no error of the command
        if ended.code not in (0, None):
            raise UserError("The web server stopped. Its message is above.") from None


def _options(port: int) -> dict[str, Any]:
    return {
        "bind": f"{HOST}:{port}",
        "workers": max(2, os.cpu_count() or 1),
        "worker_class": "gthread",
        "threads": THREADS,
        "timeout": 60,
        "graceful_timeout": 10,
        "loglevel": "warning",
        "control_socket_disable": True,
        "proc_name": "tayyar",
        "keepalive": KEPT_SECONDS,
        "post_worker_init": _begin,
    }


def _begin(worker: Any) -> None:
    """Read what every page needs before the first reader asks: the addresses, the profile, its tariffs."""
    from django.db import DatabaseError
    from django.urls import get_resolver

    from tayyar.profiles.installation import installed_profile
    from tayyar.tariffs.book import load_book

    _ = get_resolver().reverse_dict
    with contextlib.suppress(UserError, DatabaseError):  # not chosen yet: pages say so
        load_book(installed_profile())


def refuse_taken(port: int) -> None:
    """UserError when nothing can listen on 127.0.0.1:`port`."""
    import socket

    if not 1 <= port <= 65535:
        raise UserError("--port is 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be used: {error.strerror}. Name another with --port."
            ) from None
