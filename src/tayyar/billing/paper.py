"""Sheets of paper put together: from the messages on a sheet to the PDF for the press and the list for the carriers.

Reads bills and addresses, orders them for walking, keeps the files in the data folder for a while. Which bills are on
a sheet is decided by notifications/sheets.py; how they look, by documents/paper.py.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tayyar.billing.documents.paper import PaperBill, PaperSheet, render_list, render_paper
from tayyar.billing.models import Bill
from tayyar.billing.queries import bill_by_number
from tayyar.billing.walking import walking_key
from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement, Channel
from tayyar.metering.models import ServiceCentre
from tayyar.notifications import sheet_queries
from tayyar.notifications.models import Sheet
from tayyar.notifications.sheet_queries import SheetEntry
from tayyar.profiles.installation import installed_profile

BILLS, LIST = "bills", "list"  # the two files of a sheet
KEEP_SECONDS = 60 * 86_400  # they hold names and addresses: gone after two months


def walking_order(sheet: Sheet) -> list[tuple[SheetEntry, str]]:
    """The entries of a paper sheet with their addresses, as a carrier meets them; each exactly once."""
    entries = sheet_queries.entries_of(sheet)
    agreements = dict(
        Bill.objects.filter(period=sheet.period, number__in=[entry.ref for entry in entries]).values_list(
            "number", "agreement_id"
        )
    )
    addresses = dict(
        Agreement.objects.filter(id__in=set(agreements.values())).values_list("id", "usage_point__address")
    )
    found = [(entry, addresses[agreements[entry.ref]]) for entry in entries]
    return sorted(found, key=lambda pair: (walking_key(pair[1]), pair[0].ref))


def paper_sheet(sheet: Sheet, *, done: Callable[[int], None] = lambda count: None) -> PaperSheet:
    """All that is printed of a sheet, in walking order. `done` is called with the number of bills read each time."""
    if sheet.channel != Channel.PAPER or sheet.service_centre_id is None:
        raise UserError(f"Sheet {sheet.pk} is a list of calls; only sheets of paper are printed.")
    profile = installed_profile()
    centre = ServiceCentre.objects.get(id=sheet.service_centre_id)
    bills = []
    for entry, _ in walking_order(sheet):
        bills.append(PaperBill(bill_by_number(number=entry.ref), entry.language))
        done(1)
    return PaperSheet(
        number=sheet.pk,
        period=Period.from_number(sheet.period),
        made_on=sheet.made_at.date(),
        utility=profile.utility_names,
        centre={"ar": centre.name_ar, "en": centre.name_en, "fr": centre.name_fr},
        formats=profile.formats,
        bills=bills,
    )


def print_sheet(
    sheet: Sheet, *, lang: str, folder: Path, done: Callable[[int], None] = lambda count: None
) -> tuple[Path, Path]:
    """Write the PDF of the bills and the hand-over list into `folder`; `lang` is the clerk's. Their paths.

    `done` counts each bill twice: once read, once set.
    """
    paper = paper_sheet(sheet, done=done)
    paths = sheet_file(sheet, BILLS, lang, folder=folder), sheet_file(sheet, LIST, lang, folder=folder)
    _write(paths[1], render_list(paper, lang))
    _write(paths[0], render_paper(paper, lang, done=done))
    return paths


def print_folder() -> Path:
    """Where the console's prints lie, for this user alone; what is old is swept out."""
    folder = data_dir() / "paper"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    limit = time.time() - KEEP_SECONDS
    for file in folder.iterdir():
        if file.stat().st_mtime < limit:
            file.unlink(missing_ok=True)
    return folder


def sheet_file(sheet: Sheet, part: str, lang: str, *, folder: Path) -> Path:
    """The path of one of a sheet's two files (BILLS, LIST) in `folder`."""
    return folder / f"{Period.from_number(sheet.period)}-sheet-{sheet.pk}-{part}.{lang}.pdf"


@contextlib.contextmanager
def counted(sheet: Sheet, lang: str) -> Iterator[Callable[[int], None]]:
    """A `done` for `print_sheet` that leaves its count where `print_progress` finds it; gone at the end."""
    path, steps = _progress_file(sheet, lang), 0

    def done(count: int) -> None:
        nonlocal steps
        steps += count
        path.write_text(str(steps // 2))

    try:
        yield done
    finally:
        path.unlink(missing_ok=True)


def print_progress(sheet: Sheet, lang: str) -> int:
    """How many bills of a print under way are done, reading a bill and setting it being half of it each."""
    try:
        return int(_progress_file(sheet, lang).read_text() or 0)
    except FileNotFoundError:
        return 0


def _progress_file(sheet: Sheet, lang: str) -> Path:
    return print_folder() / f"{sheet.pk}.{lang}.progress"


def _write(path: Path, data: bytes) -> None:
    """All or nothing: the bills are written last, and whoever finds them finds both files whole."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
    Path(partial).replace(path)
