"""`tayyar demo`: from nothing to a portal one can click, in one command."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tayyar.core.errors import UserError

if TYPE_CHECKING:
    from tayyar.demo.tour import Stop

ACCOUNTS = 20_000


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "demo",
        help="make up a utility, bill it, deliver the bills and serve the portal",
        description="Make up a utility with its customers, bill thirteen months by real tariffs, deliver the newest "
        "bills by push, WhatsApp, SMS and e-mail through simulated providers, and serve the portal. Run it again to "
        "look at the same utility again.",
    )
    parser.add_argument("--accounts", type=int, metavar="N", help=f"how many (default {ACCOUNTS:,})")
    parser.add_argument("--profile", default="sa", metavar="CODE", help="country: sa (default), eg, bh, mr")
    parser.add_argument(
        "--no-serve", action="store_true", help="stop after delivery, without serving the portal"
    )
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Prepare, bill, deliver, serve."""
    from django.conf import settings

    from tayyar.billing.report import certificate_text
    from tayyar.config.authorities import authorities_file
    from tayyar.config.commands import reach
    from tayyar.config.commands.deliver import deliver
    from tayyar.config.commands.serve import PORT, refuse_taken
    from tayyar.core.paths import data_dir
    from tayyar.demo import tour
    from tayyar.gateways.simulated import PEERS, simulated_providers
    from tayyar.notifications.providers import providers_file

    if arguments.accounts is not None and arguments.accounts < 1:
        raise UserError("--accounts is 1 or more.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what it started ends with it
    port = urlsplit(settings.SITE_URL).port or PORT
    refuse_taken(port)  # before the work, not after it
    print(f"Tayyar demo. Everything is kept in {data_dir()}; nothing leaves this machine.")
    periods = tour.prepare(code=arguments.profile, accounts=arguments.accounts or ACCOUNTS)
    _say_if_other(arguments.accounts)
    os.environ["TAYYAR_CLOCK"] = str(data_dir() / "clock")
    tour.tell_authority(data_dir() / "providers" / "authority")
    with contextlib.ExitStack() as stack:
        peers = stack.enter_context(
            simulated_providers(
                data_dir() / "providers",
                site_url=settings.SITE_URL,
                ports=dict.fromkeys(PEERS, 0) if arguments.no_serve else None,
                faults=tour.faults(),
                write=providers_file(),
                write_authorities=authorities_file(),
                country=arguments.profile,
            )
        )
        tour.subscribe_some(push_port=peers.ports["push"])
        stop = tour.bill_all(code=arguments.profile, periods=periods)
        print(certificate_text(stop.certificate))
        site = stack.enter_context(_running("serve", "--port", str(port)))
        _wait_for(settings.SITE_URL)
        tour.deliver_all(stop.period, deliver=lambda: deliver(workers=1, once=True), report=print)
        reach.run(argparse.Namespace(period=str(stop.period), centre=None, json=False))
        _say_where(stop, tour.manager_password())
        if not arguments.no_serve:
            stack.enter_context(_running("worker"))
            stack.enter_context(_running("deliver"))
            print(f"\nServing {settings.SITE_URL}. Stop with Ctrl-C.", flush=True)
            site.wait()
    return 0


@contextlib.contextmanager
def _running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another of our commands, for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tayyar.config.cli", *command], stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_for(site: str) -> None:
    """Until the site answers. UserError when it does not."""
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(f"{site}/healthz", timeout=5):  # noqa: S310 - our own address
                return
        except OSError:
            time.sleep(0.2)
    raise UserError("The site did not start. Its message is above.")


def _say_if_other(wanted: int | None) -> None:
    """An earlier demo's utility is shown as it is, whatever number is asked for now."""
    from tayyar.customers.models import CustomerAccount

    found = CustomerAccount.objects.count()
    if wanted is not None and wanted != found:
        print(
            f"This folder holds an earlier demo of {found:,} accounts; that one is shown. For one of {wanted:,}, name "
            "another folder in TAYYAR_DATA."
        )


def _say_where(stop: "Stop", password: str | None) -> None:
    from django.conf import settings

    from tayyar.core.paths import data_dir
    from tayyar.demo.tour import MANAGER, demo_person

    known = "(the password printed the first time; to set another, see docs/operations.md, Staff)"
    print(f"\nA bill in Arabic:  {stop.bill_url}")
    print(f"Its PDF:           {stop.bill_url}/bill.pdf")
    print(f"The run's page:    {settings.SITE_URL}/console/runs/{stop.period}")
    print(f"Who was reached:   {settings.SITE_URL}/console/runs/{stop.period}/reach")
    print(f"The console:       {settings.SITE_URL}/console  staff login {MANAGER} / {password or known}")
    print(
        f"A kiosk:           {settings.SITE_URL}/kiosk  its code comes from {settings.SITE_URL}/console/devices"
    )
    if person := demo_person():
        born = f"{person.birth_date:%-d %B %Y} ({person.birth_date})"
        print(f"Sign up:           {settings.SITE_URL}/join  as {person.number}, born {born}")
        print(f"  holder of account {person.account_number}; codes by SMS to {person.phone} stand in")
        print(f"  {data_dir() / 'providers'}/sms-*/messages.jsonl")
        print(f"Sign in:           {settings.SITE_URL}/login  afterwards, with the same number")
