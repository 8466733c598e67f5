"""`tayyar paper`: put the bills that wait for paper on sheets, and print them."""

import argparse
import getpass
from pathlib import Path

from tayyar.core.errors import UserError
from tayyar.core.progress import progress
from tayyar.core.text import LANGUAGES


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "paper",
        help="print the bills that nobody could be told of otherwise",
        description="Make a sheet for each service centre with waiting bills, at most 2,000 bills each, and write two "
        "PDFs for it: the bills in walking order, ready for the press, and the hand-over list. Given again with the "
        "same folder it prints what an interruption left, and nothing twice. Sheets are closed in the console.",
    )
    parser.add_argument("period", metavar="PERIOD", help="year and month, like 2026-11")
    parser.add_argument("--centre", metavar="CODE", help="one service centre; default: all")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument(
        "--lang",
        choices=LANGUAGES,
        default=LANGUAGES[0],
        help="of cover and list; bills have their customers'",
    )
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Make sheets until nothing waits, then print every open sheet that the folder lacks."""
    from tayyar.billing import paper
    from tayyar.core import audit, clock
    from tayyar.core.periods import Period
    from tayyar.customers.models import Channel
    from tayyar.metering.models import ServiceCentre
    from tayyar.notifications import sheet_queries, sheets
    from tayyar.notifications.models import Sheet

    period, folder, lang = Period.parse(arguments.period), arguments.output, arguments.lang
    actor = f"shell:{getpass.getuser()}"
    centres = {centre.pk: centre.code for centre in ServiceCentre.objects.order_by("code")}
    if arguments.centre:
        centres = {pk: code for pk, code in centres.items() if code == arguments.centre}
        if not centres:
            raise UserError(f"There is no service centre {arguments.centre}. Codes look like C01.")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Make it first.")
    for centre in sheet_queries.paper_waiting(period):
        while centre in centres and sheets.make_paper_sheet(
            period=period, service_centre_id=centre, actor=actor, now=clock.now()
        ):
            pass
    open_sheets = Sheet.objects.filter(
        period=period.number,
        channel=Channel.PAPER,
        closed_at=None,
        service_centre_id__in=centres,
        made_by=actor,  # what a clerk made in the console is printed there
    ).order_by("service_centre_id", "id")
    missing = [
        sheet
        for sheet in open_sheets
        if not paper.sheet_file(sheet, paper.BILLS, lang, folder=folder).exists()
        and sheet_queries.counts_of(sheet).sending  # the carriers have the others
    ]
    if not missing:
        print(f"No bill of {period} waits to be printed.")
        return 0
    with progress("Printing", total=2 * sum(sheet.entries for sheet in missing), unit="steps") as bar:
        for sheet in missing:
            files = paper.print_sheet(sheet, lang=lang, folder=folder, done=bar.advance)
            audit.record(actor=actor, action="SHEET_PRINTED", subject=str(sheet), now=clock.now())
            print(f"{centres[sheet.service_centre_id or 0]}: {sheet.entries:,} bills, sheet {sheet.pk}")
            for file in files:
                print(f"  {file}")
    return 0
