"""The screens of paper: what waits at each centre, making and printing sheets, entering what became of the bills.

Every act is recorded by its service, every print and download here. Next: notifications/sheets.py, billing/paper.py;
call sheets have their cards in calls.py.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tayyar.billing import paper
from tayyar.billing.numbers import DIGITS, parse_bill_number
from tayyar.billing.tasks import ask_for_print
from tayyar.billing.tasks import is_printing as is_asked
from tayyar.console import calls
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.customers.models import Channel
from tayyar.metering.models import ServiceCentre
from tayyar.notifications import sheet_queries, sheets
from tayyar.notifications.models import Sheet
from tayyar.notifications.sheets import PaperOutcome

CAME_BACK = [
    outcome for outcome in PaperOutcome if outcome not in (PaperOutcome.HANDED_OVER, PaperOutcome.LEFT)
]


@require_safe
@staff()
def overview(screen: Screen) -> HttpResponse:
    """What waits for people in one month, by centre, and the sheets made of it."""
    months = sheet_queries.periods_by_hand()
    asked = screen.request.GET.get("period")
    period = Period.parse(asked) if asked else next(iter(months), None)
    context: dict[str, Any] = {
        "title": screen.words["sheets"],
        "months": [
            {"period": str(month), "text": screen.month(month), "current": month == period}
            for month in months
        ],
    }
    if period is not None:
        context |= _month(screen, period)
    return screen.page("console/sheets.html", context)


def _month(screen: Screen, period: Period) -> dict[str, Any]:
    waiting, calling = sheet_queries.paper_waiting(period), sheet_queries.calls_waiting(period)
    centres = {centre.pk: getattr(centre, f"name_{screen.lang}") for centre in ServiceCentre.objects.all()}
    return {
        "period": str(period),
        "truth": screen.say(
            "sheets_truth",
            month=screen.month(period),
            paper=screen.num(sum(waiting.values())),
            calls=screen.num(calling),
        ),
        "centres": [
            {"id": centre, "name": centres.get(centre, ""), "waiting": screen.num(count)}
            for centre, count in sorted(waiting.items(), key=lambda pair: -pair[1])
        ],
        "calls_waiting": screen.num(calling) if calling else "",
        "sheets": [_row(screen, sheet, centres) for sheet in sheet_queries.sheets_of(period)],
    }


def _row(screen: Screen, sheet: Sheet, centres: dict[int, str]) -> dict[str, Any]:
    counts = sheet_queries.counts_of(sheet)
    return {
        "id": sheet.pk,
        "number": screen.num(sheet.pk),
        "channel": screen.words[f"sheet_{Channel(sheet.channel).name}"],
        "centre": centres.get(sheet.service_centre_id or 0, ""),
        "state": _state(screen, sheet, counts),
        "is_open": sheet.closed_at is None,
        "entries": screen.num(sheet.entries),
        "arrived": screen.num(counts.delivered),
        "failed": screen.num(counts.failed),
        "made": screen.moment(sheet.made_at),
    }


def _state(screen: Screen, sheet: Sheet, counts: sheet_queries.SheetCounts) -> str:
    if sheet.closed_at is not None:
        return screen.words["sheet_closed"]
    return screen.words["sheet_sent" if counts.sent and not counts.sending else "sheet_open"]


@require_POST
@staff(acting=True)
def make_paper(screen: Screen) -> HttpResponse:
    """Put a centre's waiting bills on a sheet."""
    period = Period.parse(screen.request.POST.get("period", ""))
    centre = ServiceCentre.objects.filter(id=_number(screen, "centre")).first()
    if centre is None:
        raise UserError("There is no such service centre. Go back and choose one of the list.")
    made = sheets.make_paper_sheet(
        period=period, service_centre_id=centre.pk, actor=screen.actor, now=clock.now()
    )
    if made is None:
        messages.info(screen.request, screen.words["nothing_waits"])
        return redirect("console:sheets")
    return redirect("console:sheet", sheet_id=made.pk)


@require_safe
@staff()
def sheet_page(screen: Screen, sheet_id: int) -> HttpResponse:
    """One sheet: of paper with its files and its form, or of calls with a card for each."""
    sheet = sheets.find_sheet(sheet_id=sheet_id)
    if sheet.channel == Channel.CALL:
        return calls.page(screen, sheet)
    return _paper_page(screen, sheet)


def _paper_page(screen: Screen, sheet: Sheet, *, problem: str = "", status: int = 200) -> HttpResponse:
    counts = sheet_queries.counts_of(sheet)
    centre = ServiceCentre.objects.get(id=sheet.service_centre_id or 0)
    audit.record(actor=screen.actor, action="SHEET_READ", subject=str(sheet), now=clock.now())
    form = screen.request.POST
    context = {
        "title": screen.say("sheet_title", number=screen.num(sheet.pk)),
        "sheet": sheet.pk,
        "period": str(Period.from_number(sheet.period)),
        "state": _state(screen, sheet, counts),
        "facts": [
            {"label": screen.words[key], "value": value}
            for key, value in (
                ("month", screen.month(Period.from_number(sheet.period))),
                ("service_centre", getattr(centre, f"name_{screen.lang}")),
                ("sheet_made", screen.moment(sheet.made_at)),
                ("sheet_entries", screen.num(sheet.entries)),
                ("entries_open", screen.num(counts.sending)),
                ("entries_sent", screen.num(counts.sent)),
                ("entries_arrived", screen.num(counts.delivered)),
                ("entries_failed", screen.num(counts.failed)),
            )
        ],
        "rows": [
            {
                "place": screen.num(place),
                "address": address,
                "number": screen.code(f"{entry.ref:015d}"),
                "outcome": _outcome(screen, entry),
            }
            for place, (entry, address) in enumerate(paper.walking_order(sheet), 1)
        ],
        "is_open": sheet.closed_at is None,
        "can_send": bool(counts.sending) and sheet.closed_at is None,
        "can_return": bool(counts.sending or counts.sent),
        "reasons": [
            {
                "code": outcome.value,
                "text": screen.words[f"paper_{outcome}"],
                "typed": form.get(outcome.value, ""),
            }
            for outcome in CAME_BACK
        ],
        "others": [
            {
                "code": outcome.value,
                "text": screen.words[f"others_{outcome}"],
                "chosen": form.get("others") == outcome.value,
            }
            for outcome in (PaperOutcome.HANDED_OVER, PaperOutcome.LEFT)
        ],
        "problem": problem,
        **_print_state(screen, sheet),
    }
    return screen.page("console/sheet_paper.html", context, status=status)


def _outcome(screen: Screen, entry: sheet_queries.SheetEntry) -> str:
    if entry.reason:
        return screen.words[f"paper_{entry.reason}"]
    return screen.words[f"entry_{entry.state.name}"]


def _print_state(screen: Screen, sheet: Sheet) -> dict[str, Any]:
    """Whether the files are there, or how far their printing is."""
    is_ready = paper.sheet_file(sheet, paper.BILLS, screen.lang, folder=paper.print_folder()).exists()
    asked = not is_ready and is_asked(sheet_id=sheet.pk, lang=screen.lang)
    done = paper.print_progress(sheet, screen.lang)
    return {
        "sheet": sheet.pk,
        "is_ready": is_ready,
        "is_printing": asked,
        "printing": screen.say("printing", done=screen.num(done), total=screen.num(sheet.entries))
        if asked
        else "",
    }


@require_POST
@staff(acting=True)
def print_sheet(screen: Screen, sheet_id: int) -> HttpResponse:
    """Ask a worker for the sheet's files in this clerk's language."""
    sheet = sheets.find_sheet(sheet_id=sheet_id)
    ask_for_print(sheet_id=sheet.pk, lang=screen.lang, actor=screen.actor)
    audit.record(actor=screen.actor, action="SHEET_PRINT_ASKED", subject=str(sheet), now=clock.now())
    return redirect("console:sheet", sheet_id=sheet.pk)


@require_safe
@staff()
def printing(screen: Screen, sheet_id: int) -> HttpResponse:
    """The part of the page that tells how far the printing is."""
    sheet = sheets.find_sheet(sheet_id=sheet_id)
    return screen.page("console/sheet_printing.html", _print_state(screen, sheet))


@require_safe
@staff(acting=True)
def document(screen: Screen, sheet_id: int, part: str) -> HttpResponse:
    """One of the sheet's two files, as an attachment."""
    sheet = sheets.find_sheet(sheet_id=int(sheet_id))
    path = paper.sheet_file(sheet, part, screen.lang, folder=paper.print_folder())
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError("This sheet is not printed yet, or long ago. Print it again.") from None
    audit.record(
        actor=screen.actor, action="SHEET_DOWNLOADED", subject=str(sheet), now=clock.now(), part=part
    )
    answer = HttpResponse(data, content_type="application/pdf")
    answer["Content-Disposition"] = f'attachment; filename="{path.name}"'
    return screen.seal(answer)


@require_POST
@staff(acting=True)
def send(screen: Screen, sheet_id: int) -> HttpResponse:
    """The carriers have it."""
    count = sheets.send_paper_sheet(sheet_id=sheet_id, actor=screen.actor, now=clock.now())
    messages.info(screen.request, screen.say("sheet_sent_done", count=screen.num(count)))
    return redirect("console:sheet", sheet_id=sheet_id)


@require_POST
@staff(acting=True)
def returned(screen: Screen, sheet_id: int) -> HttpResponse:
    """What came back and why; with `close` also what became of all others."""
    sheet, form = sheets.find_sheet(sheet_id=sheet_id), screen.request.POST
    try:
        outcomes, now = _scanned(sheet, form), clock.now()
        if "close" in form and sheet.closed_at is None:
            if form.get("others") not in PaperOutcome.__members__:
                return _paper_page(screen, sheet, problem=screen.words["others_missing"], status=422)
            others = PaperOutcome(form["others"])
            count = sheets.close_paper_sheet(
                sheet_id=sheet.pk, returned=outcomes, others=others, actor=screen.actor, now=now
            )
        else:
            count = sheets.enter_paper_outcomes(
                sheet_id=sheet.pk, outcomes=outcomes, actor=screen.actor, now=now
            )
    except UserError as error:
        return _paper_page(screen, sheet, problem=str(error), status=422)
    messages.info(screen.request, screen.say("outcomes_entered", count=screen.num(count)))
    return redirect("console:sheet", sheet_id=sheet.pk)


def _scanned(sheet: Sheet, form: Any) -> dict[int, PaperOutcome]:
    """The bill numbers of each reason's field, one a line: typed (15 digits), or scanned off an address sheet (22)."""
    outcomes: dict[int, PaperOutcome] = {}
    for outcome in CAME_BACK:
        for line in form.get(outcome.value, "").splitlines():
            compact = "".join(str(int(c)) if c.isdecimal() else c for c in line if not c.isspace())
            if not compact:
                continue
            number = parse_bill_number(compact[:DIGITS] if compact.isdecimal() else compact)
            rest = compact[DIGITS:]
            if rest and int(rest) != sheet.pk:
                raise UserError(
                    f"Bill {number} was scanned from sheet {int(rest)}, and this is sheet {sheet.pk}."
                )
            if outcomes.get(number, outcome) != outcome:
                raise UserError(f"Bill {number} stands under two reasons. Keep one.")
            outcomes[number] = outcome
    return outcomes


@require_POST
@staff(acting=True)
def give_back(screen: Screen, sheet_id: int) -> HttpResponse:
    """What is open waits again."""
    count = sheets.give_back(sheet_id=sheet_id, actor=screen.actor, now=clock.now())
    messages.info(screen.request, screen.say("given_back", count=screen.num(count)))
    return redirect("console:sheets")


def _number(screen: Screen, name: str) -> int:
    text = screen.request.POST.get(name, "")
    return int(text) if text.isdecimal() else 0
