"""The call sheet: a card for each call with what to say, a button for each way it can end, and the list as CSV.

Opening a page shows telephone numbers, so each opening is in the audit log. Works without any script.
Next: notifications/sheets.py.
"""

import csv
import io
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tayyar.console.screen import Screen, staff
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Channel, CustomerAccount, Delegate
from tayyar.notifications import content, sheet_queries, sheets, templates
from tayyar.notifications.content import MessageKey
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Sheet
from tayyar.notifications.sheet_queries import SheetEntry
from tayyar.notifications.sheets import CallOutcome

AT_ONCE = 10  # cards on a page: as many numbers as a caller needs open


@require_POST
@staff(serving=True)
def make(screen: Screen) -> HttpResponse:
    """Put waiting calls on a sheet of one's own."""
    period, text = Period.parse(screen.request.POST.get("period", "")), screen.request.POST.get("limit", "")
    if not text.isdecimal():
        raise UserError("Say how many calls the sheet shall hold, as a number.")
    made = sheets.make_call_sheet(period=period, limit=int(text), actor=screen.actor, now=clock.now())
    if made is None:
        messages.info(screen.request, screen.words["nothing_waits"])
        return redirect("console:sheets")
    return redirect("console:sheet", sheet_id=made.pk)


def page(screen: Screen, sheet: Sheet) -> HttpResponse:
    """The next calls of a sheet. Only those who act see numbers."""
    entries = sheet_queries.entries_of(sheet)
    counts = sheet_queries.counts_of(sheet)
    waiting = [entry for entry in entries if entry.is_open]
    shown = waiting[:AT_ONCE] if screen.can_serve else []
    numbers = _numbers(screen, sheet, shown, "SHOWN")
    names, scripts = _names(shown), _scripts(shown, sheet.period)
    context = {
        "title": screen.say("calls_title", number=screen.num(sheet.pk)),
        "sheet": sheet.pk,
        "is_open": sheet.closed_at is None,
        "truth": screen.say(
            "calls_truth",
            open=screen.num(counts.sending),
            told=screen.num(counts.delivered),
            other=screen.num(counts.failed),
        ),
        "cards": [
            {
                "kind": entry.kind,
                "ref": entry.ref,
                "recipient": entry.recipient,
                "subject": screen.words[f"call_about_{MessageKind(entry.kind).name}"],
                "name": names.get((entry.account_id, entry.recipient), ""),
                "account": screen.code(with_check(entry.account_id)),
                "number": numbers.get(entry.contact_point_id or 0, ""),
                "script": scripts.get((entry.kind, entry.ref, entry.recipient), ""),
                "language": entry.language,
                "is_delegate": entry.recipient > 0,
                "is_reached": entry.is_reached,
                "attempt": screen.say("call_attempt", number=screen.num(entry.attempt))
                if entry.attempt > 1
                else "",
            }
            for entry in shown
        ],
        "outcomes": [
            {"code": outcome.value, "text": screen.words[f"call_{outcome}"]} for outcome in CallOutcome
        ],
    }
    return screen.page("console/sheet_calls.html", context)


@require_POST
@staff(serving=True)
def outcome(screen: Screen, sheet_id: int, kind: int, ref: int, recipient: int) -> HttpResponse:
    """How one call ended."""
    code, sheet = screen.request.POST.get("outcome", ""), sheets.find_sheet(sheet_id=sheet_id)
    if code not in CallOutcome.__members__ or kind not in MessageKind.values:
        raise UserError("Say how the call ended: one of the buttons of its card.")
    entered = sheets.enter_call_outcome(
        sheet_id=sheet.pk,
        period=Period.from_number(sheet.period),
        kind=MessageKind(kind),
        ref=ref,
        recipient=recipient,
        outcome=CallOutcome(code),
        actor=screen.actor,
        now=clock.now(),
    )
    key = "call_entered" if entered else "call_entered_before"
    messages.info(screen.request, screen.say(key, outcome=screen.words[f"call_{code}"]))
    return redirect("console:sheet", sheet_id=sheet.pk)


@require_safe
@staff(serving=True)
def calls_csv(screen: Screen, sheet_id: int) -> HttpResponse:
    """All open calls of the sheet, for a call centre's own system; UTF-8 with a mark, as spreadsheets like it."""
    sheet = sheets.find_sheet(sheet_id=sheet_id)
    if sheet.channel != Channel.CALL:
        raise UserError(f"Sheet {sheet.pk} is printed; only lists of calls are exported.")
    entries = [entry for entry in sheet_queries.entries_of(sheet) if entry.is_open]
    numbers = _numbers(screen, sheet, entries, "EXPORTED")
    names, scripts = _names(entries), _scripts(entries, sheet.period)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        [
            "sheet",
            "kind",
            "ref",
            "recipient",
            "account_number",
            "name",
            "telephone",
            "language",
            "attempt",
            "script",
        ]
    )
    for entry in entries:
        key = (entry.kind, entry.ref, entry.recipient)
        name = names.get((entry.account_id, entry.recipient), "")
        cells = (
            *(
                sheet.pk,
                MessageKind(entry.kind).name,
                entry.ref,
                entry.recipient,
                with_check(entry.account_id),
            ),
            *(name, numbers.get(entry.contact_point_id or 0, ""), entry.language, entry.attempt),
            scripts.get(key, ""),
        )
        writer.writerow([_inert(cell) for cell in cells])
    answer = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="calls-{sheet.pk}.csv"'
    return screen.seal(answer)


def _inert(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula; a telephone number keeps its plus."""
    text = str(cell)
    is_formula = text[:1] in ("=", "+", "-", "@", "\t", "\r") and not text[1:].isdigit()
    return f"'{text}" if is_formula else text


def _numbers(screen: Screen, sheet: Sheet, entries: list[SheetEntry], purpose: str) -> dict[int, str]:
    ids = [entry.contact_point_id for entry in entries if entry.contact_point_id is not None]
    if not ids:
        return {}
    return sheets.open_numbers(
        sheet_id=sheet.pk, contact_point_ids=ids, purpose=purpose, actor=screen.actor, now=clock.now()
    )


def _names(entries: list[SheetEntry]) -> dict[tuple[int, int], str]:
    """Whom to ask for: the holder, or the delegate."""
    accounts = {entry.account_id for entry in entries}
    holders = CustomerAccount.objects.filter(id__in=accounts).values_list("id", "customer__name")
    names = {(account, 0): name for account, name in holders}
    delegates = Delegate.objects.filter(account_id__in=accounts)
    return names | {
        (account, recipient): name
        for account, recipient, name in delegates.values_list("account_id", "recipient", "name")
    }


def _scripts(entries: list[SheetEntry], period: int) -> dict[tuple[int, int, int], str]:
    """What to say in each call, in the person's language; nothing where the message has nothing to say any more."""
    scripts: dict[Any, str] = {}
    for kind in {entry.kind for entry in entries} & set(content.known_kinds()):
        keys = [
            MessageKey(period, kind, entry.ref, entry.recipient, entry.account_id, entry.language)
            for entry in entries
            if entry.kind == kind
        ]
        languages = {(key.ref, key.recipient): key.language for key in keys}
        for key, facts in content.facts_of(keys).items():
            scripts[(kind, *key)] = templates.call_script(facts, languages[key])
    return scripts
