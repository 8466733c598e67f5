"""Bills at a kiosk: the list, one bill, and both ways to print it.

A bill that is shown or printed here is proof that it reached a person: somebody with a code to the holder's phone, or
with the bill's own link in hand, stood before it. Holds no rule. Next: queries.py, escpos.py, printing.py.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tayyar.billing.account_queries import BillRow
from tayyar.billing.documents.page import bill_context
from tayyar.billing.documents.present import pick, present
from tayyar.billing.documents.view import BillView
from tayyar.billing.models import Bill
from tayyar.billing.numbers import bill_period
from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.queries import bill_by_number
from tayyar.core import audit, text
from tayyar.customers.reviews import is_disowned
from tayyar.kiosk import escpos, printing, queries, services
from tayyar.kiosk.door import Screen, visitor
from tayyar.kiosk.escpos import Slip
from tayyar.kiosk.models import Way
from tayyar.kiosk.services import VisitRefused
from tayyar.notifications.models import ReachHow
from tayyar.notifications.proof import record_reach


@require_safe
@visitor()
def bills(screen: Screen) -> HttpResponse:
    """The visitor's accounts and bills; one bill goes straight to its page."""
    if screen.visit.way == Way.BILL and screen.visit.bill_number:
        return screen.go("bill", number=screen.visit.bill_number)
    accounts = [
        {
            "number": seen.number,
            "nickname": seen.nickname,
            "bills": [_row(screen, row) for row in seen.bills()],
        }
        for seen in queries.accounts_of(screen.visit, today=screen.today)
    ]
    return screen.page("bills.html", {"title": screen.words["bills_title"], "accounts": accounts})


@require_safe
@visitor()
def bill(screen: Screen, number: int) -> HttpResponse:
    """One bill: how much, by when, why; and the buttons that print it."""
    found = _open(screen, number)
    if found is None:
        return screen.gone()
    _seen(screen, found, "BILL_OPENED")
    context = bill_context(_view(screen, found), screen.lang)
    facts = [fact for fact in context["facts"] if fact["code"] or fact["note"]]
    shown = {key: context[key] for key in ("title", "hero", "chart", "why", "notice")} | {
        "bw": context["w"],
        "facts": facts,
        "number": number,
        "device_prints_pages": screen.device.prints_pages,
        "back": "kiosk:ways" if screen.visit.way == Way.BILL else "kiosk:bills",
    }
    return screen.page("bill.html", shown)


@require_POST
@visitor()
def print_bill(screen: Screen, number: int) -> HttpResponse:
    """Print it: the whole bill on a sheet, or a slip."""
    found = _open(screen, number)
    paper = screen.request.POST.get("paper", "")
    if found is None or paper not in ("PAGE", "SLIP") or (paper == "PAGE" and not screen.device.prints_pages):
        return screen.gone()
    view = _view(screen, found)
    return deliver(
        screen,
        slip=lambda: bill_slip(screen, view),
        paper=paper,
        file_name="bill_file" if paper == "PAGE" else "slip_file",
        address={"number": number},
        back="kiosk:bills",
        subject=f"bill:{number}",
        printed=lambda: _seen(screen, found, "BILL_PRINTED"),
    )


@require_safe
@visitor()
def bill_file(screen: Screen, number: int) -> HttpResponse:
    """The bill's PDF, for the print bridge."""
    found = _open(screen, number)
    if found is None or not screen.device.prints_pages:
        return screen.gone()
    data = bill_pdf(_view(screen, found), screen.lang)
    return screen.seal(printing.as_file(data, name=f"bill-{number:015d}.pdf", media_type="application/pdf"))


@require_safe
@visitor()
def slip_file(screen: Screen, number: int) -> HttpResponse:
    """The bill's slip as ESC/POS, for the print bridge."""
    found = _open(screen, number)
    if found is None or screen.device.receipt_printer:
        return screen.gone()
    data = escpos.slip_bytes(bill_slip(screen, _view(screen, found)))
    return screen.seal(printing.as_file(data, name=f"slip-{number:015d}.escpos"))


def deliver(
    screen: Screen,
    *,
    slip: Callable[[], Slip],
    paper: str,
    file_name: str,
    address: dict[str, Any],
    back: str,
    subject: str,
    printed: Callable[[], None],
) -> HttpResponse:
    """Print once for each form, then say how it went. `slip()` makes it, `printed()` keeps what it proves.

    A slip for a network printer is sent from here; all else is a file that the next page fetches for the print bridge.
    """
    context: dict[str, Any] = {"title": screen.words["print_title"], "back": back, "problem": "", "fetch": ""}
    by_network = paper == "SLIP" and screen.device.receipt_printer
    try:
        if services.take_print(visit=screen.visit, once=screen.request.POST.get("once", "")):
            if by_network:
                printing.send(str(screen.device.receipt_printer), escpos.slip_bytes(slip()))
            else:
                context["fetch"] = reverse(f"kiosk:{file_name}", kwargs=address)
            audit.record(
                actor=f"kiosk:{screen.device.pk}",
                action="KIOSK_PRINTED",
                subject=subject,
                now=screen.now,
                paper=paper,
            )
            printed()
    except VisitRefused:
        context["problem"] = screen.say("print_enough", count=screen.number(services.MOST_PRINTS))
    except printing.PrinterSilent as error:
        printing.log.warning("Device %s: %s", screen.device.pk, error)
        context["problem"] = screen.words["print_silent"]
    status = 200 if not context["problem"] else 503 if by_network else 422
    return screen.page("printed.html", context, status=status)


def bill_slip(screen: Screen, view: BillView) -> Slip:
    """What a slip says of a bill."""
    tree, words = present(view, screen.lang), screen.words
    hero = tree["hero"]
    rows = [(fact["label"], fact["value"]) for fact in tree["facts"] if fact["code"]]
    rows.append(
        (tree["w"]["period"], next(f["value"] for f in tree["facts"] if f["label"] == tree["w"]["period"]))
    )
    return Slip(
        lang=screen.lang,
        utility=pick(view.utility_name, screen.lang),
        title=tree["title"],
        label=hero["label"],
        lead=f"{hero['amount']['n']} {hero['amount']['u']}",
        note=hero["by"],
        rows=tuple(rows),
        foot=words["slip_foot"].format(moment=screen.moment()),
        address=view.page_url,
    )


def _open(screen: Screen, number: int) -> Bill | None:
    return queries.find_bill(screen.visit, number, today=screen.today)


def _view(screen: Screen, found: Bill) -> BillView:
    return bill_by_number(number=found.number, mask_holder=screen.visit.way == Way.BILL)


def _seen(screen: Screen, found: Bill, action: str) -> None:
    """On record, and evidence of reach. A link that somebody called not theirs proves nothing, here as anywhere."""
    audit.record(
        actor=f"kiosk:{screen.device.pk}", action=action, subject=f"bill:{found.number}", now=screen.now
    )
    by_link = screen.visit.way == Way.BILL
    if by_link and is_disowned(account_id=found.account_id, subject=f"bill:{found.number}"):
        return
    record_reach(
        period=bill_period(found.number),
        ref=found.number,
        how=ReachHow.LINK_VIEW if by_link else ReachHow.PORTAL_VIEW,
        witness=f"kiosk:{screen.device.pk}",
        now=screen.now,
    )


def _row(screen: Screen, row: BillRow) -> dict[str, Any]:
    state = row.state(screen.today)
    return {
        "number": row.number,
        "month": text.format_month(row.period.start, screen.lang, screen.formats),
        "amount": screen.money(row.total_minor),
        "state": state,
        "state_text": screen.words[f"state_{state}"],
    }
