"""One bill at the counter: printed for the person who stands there, and the clerk's word that they took it.

That word is evidence (Reach, how=CLERK), so a clerk gives it by a button of its own, never by printing alone.
Next: notifications/proof.py.
"""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.queries import bill_by_number, find_bill, language_of
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.periods import Period
from tayyar.core.text import LANGUAGES
from tayyar.notifications.models import Reach, ReachHow
from tayyar.notifications.proof import record_reach


@require_http_methods(["GET", "HEAD", "POST"])
@staff(serving=True)
def counter_print(screen: Screen, number: int) -> HttpResponse:
    """The bill to print, and the button "handed over"."""
    bill = find_bill(number=number)
    period = Period.from_number(bill.period)
    if screen.request.method == "POST":
        is_first = record_reach(
            period=period, ref=number, how=ReachHow.CLERK, witness=screen.actor, now=clock.now()
        )
        audit.record(actor=screen.actor, action="BILL_HANDED_OVER", subject=f"bill:{number}", now=clock.now())
        messages.info(screen.request, screen.words["handed_over_done" if is_first else "handed_over_before"])
        return redirect("console:counter_print", number=number)
    view = bill_by_number(number=number)
    audit.record(actor=screen.actor, action="BILL_READ", subject=f"bill:{number}", now=clock.now())
    reach = Reach.objects.filter(period=bill.period, ref=number).first()
    own = language_of(account_number=view.account_number)
    context = {
        "title": screen.words["counter_title"],
        "number": number,
        "facts": [
            {"label": screen.words[key], "value": value}
            for key, value in (
                ("bill_number", screen.code(view.number_text)),
                ("fact_account", screen.code(view.account_number)),
                ("fact_holder", view.holder_name),
                ("month", screen.month(period)),
                ("amount_due", screen.money(view.amount_due_minor)),
            )
        ],
        "files": [
            {"lang": lang, "text": screen.words[f"print_in_{lang}"], "own": lang == own}
            for lang in sorted(LANGUAGES, key=lambda lang: lang != own)
        ],
        "reached": screen.say("reached_on", moment=screen.moment(reach.reached_at)) if reach else "",
    }
    return screen.page("console/counter.html", context)


@require_safe
@staff(serving=True)
def counter_pdf(screen: Screen, number: int) -> HttpResponse:
    """The bill's PDF, to be printed from the browser; `?bill=` names its language, default the customer's."""
    view = bill_by_number(number=number)
    asked = screen.request.GET.get("bill")
    lang = asked if asked in LANGUAGES else language_of(account_number=view.account_number)
    audit.record(
        actor=screen.actor, action="BILL_PRINTED", subject=f"bill:{number}", now=clock.now(), language=lang
    )
    answer = HttpResponse(bill_pdf(view, lang), content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="bill-{number:015d}.pdf"'
    return screen.seal(answer)
