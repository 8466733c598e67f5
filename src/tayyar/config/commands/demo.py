"""`tayyar demo`: from nothing to a portal one can click, in one command."""

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING

from tayyar.core.errors import UserError

if TYPE_CHECKING:
    from tayyar.demo.tour import Stop

ACCOUNTS = 20_000


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "demo",
        help="make up a utility, bill it, deliver the bills and serve the portal",
        description="Make up a utility with its customers, bill thirteen months by real tariffs, send the newest bills "
        "as e-mails to a local mailbox, and serve the portal. Run it again to look at the same utility again.",
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
    from tayyar.config.commands.deliver import deliver
    from tayyar.config.commands.serve import PORT, refuse_taken, serve
    from tayyar.core.paths import data_dir
    from tayyar.demo import tour
    from tayyar.gateways.mailbox import process as mailbox
    from tayyar.gateways.mailbox.reading import count_mails

    if arguments.accounts is not None and arguments.accounts < 1:
        raise UserError("--accounts is 1 or more.")
    if not arguments.no_serve:
        refuse_taken(PORT)  # before the work, not after it
    print(f"Tayyar demo. Everything is kept in {data_dir()}; nothing leaves this machine.")
    periods = tour.prepare(code=arguments.profile, accounts=arguments.accounts or ACCOUNTS)
    _say_if_other(arguments.accounts)
    stop = tour.bill_all(code=arguments.profile, periods=periods)
    print(certificate_text(stop.certificate))
    with mailbox.running(port=settings.EMAIL_PORT) as box:
        deliver(workers=1, once=True)
        print(f"{count_mails(box.folder):,} e-mails are in the local mailbox {box.folder}")
        _say_where(stop, tour.manager_password())
        if arguments.no_serve:
            return 0
        print(f"\nServing {settings.SITE_URL}. Stop with Ctrl-C.", flush=True)
        worker = subprocess.Popen([sys.executable, "-m", "tayyar.config.cli", "worker"])
        try:
            serve(port=PORT)
        finally:
            worker.terminate()
            worker.wait()
    return 0


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

    from tayyar.demo.tour import MANAGER

    known = "(the password printed the first time; to set another, see docs/operations.md, Staff)"
    print(f"\nA bill in Arabic:  {stop.bill_url}")
    print(f"Its PDF:           {stop.bill_url}/bill.pdf")
    print(f"The run's page:    {settings.SITE_URL}/console/runs/{stop.period}")
    print(f"Staff login:       {MANAGER} / {password or known}")
