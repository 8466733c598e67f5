"""What a bill's link opens: its first screen with three buttons, the whole bill, its PDF, how to pay, "not mine".

Owns the addresses under /b/<token> and the evidence they leave. Holds no rule: links from core, bills from billing,
what "not mine" does from notifications/consent.py. A wrong, expired or unknown link is one and the same answer.

Forms under a link carry no CSRF token: no cookie gives any right here, the link alone does, and who can make a
stranger's browser send it could send it himself. Next: templates/portal.
"""

import base64
import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from tayyar.billing.documents.page import bill_context, head_context
from tayyar.billing.documents.view import BillHead, BillView
from tayyar.billing.numbers import bill_period
from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.queries import bill_by_number
from tayyar.billing.showing import first_screen
from tayyar.core import audit, clock, web
from tayyar.core.errors import UserError
from tayyar.core.links import open_bill_token, preference_token
from tayyar.customers.models import ContactPoint, ContactReview
from tayyar.notifications import consent
from tayyar.notifications.models import ReachHow
from tayyar.portal import evidence, people, views
from tayyar.portal.words import WORDS
from tayyar.profiles.installation import installed_profile

log = logging.getLogger(__name__)
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")


@dataclass(frozen=True, slots=True)
class Opened:
    """A bill that a link opened, and the language to show it in."""

    token: str
    head: BillHead
    account_id: int  # without check digits
    lang: str

    @property
    def pdf_url(self) -> str:
        """Where this link gives the bill as a PDF."""
        return reverse("portal:bill_pdf", args=[self.token])

    def whole(self) -> BillView | None:
        """All of the bill, by a dozen queries; None for one that cannot be shown."""
        try:
            view = bill_by_number(number=self.head.bill_number, mask_holder=True)
        except UserError as error:
            _cannot(self.head.bill_number, error)
            return None
        return replace(view, pdf_url=self.pdf_url)


View = Callable[[HttpRequest, Opened], HttpResponse]


def _link(*, points: int) -> Callable[[View], Callable[[HttpRequest, str], HttpResponse]]:
    """A view behind a bill's link, called as view(request, opened)."""

    def door(view: View) -> Callable[[HttpRequest, str], HttpResponse]:
        @wraps(view)
        def answer(request: HttpRequest, token: str) -> HttpResponse:
            if not views.OPENINGS.spend(request, points):
                return views.busy(request)
            number = open_bill_token(token, today=clock.today())
            if number is None:
                views.OPENINGS.spend(request, views.WRONG_POINTS)
                return views.gone(request)
            try:
                found = first_screen(number=number, profile=installed_profile())
            except UserError as error:
                _cannot(number, error)
                return views.gone(request)
            lang = web.language(request, known=found.lang)
            return view(request, Opened(token, found.head, found.account_id, lang))

        return answer

    return door


def _cannot(number: int, error: UserError) -> None:
    log.warning("A genuine link to bill %s does not open: %s", number, error)


@require_safe
@_link(points=views.PAGE_POINTS)
def link_page(request: HttpRequest, opened: Opened) -> HttpResponse:
    """The bill's first screen: how much, by when, three buttons."""
    _record(request, opened, "BILL_OPENED")
    return _show(request, "portal/link.html", opened)


@require_safe
@_link(points=0)
def seen(request: HttpRequest, opened: Opened) -> HttpResponse:
    """The picture of one transparent point that a rendered first screen asks for: evidence that it was shown."""
    _count(request, opened)
    return views.private(HttpResponse(_PIXEL, content_type="image/gif"), opened.lang)


@require_safe
@_link(points=views.PAGE_POINTS)
def bill_page(request: HttpRequest, opened: Opened) -> HttpResponse:
    """The whole bill."""
    whole = opened.whole()
    if whole is None:
        return views.gone(request)
    _record(request, opened, "BILL_OPENED")
    _count(request, opened)
    context = bill_context(whole, opened.lang)
    return views.private(render(request, "portal/bill.html", context), opened.lang)


@require_safe
@_link(points=views.PDF_POINTS)
def bill_document(request: HttpRequest, opened: Opened) -> HttpResponse:
    """The same bill as a PDF to keep."""
    whole = opened.whole()
    if whole is None:
        return views.gone(request)
    data = bill_pdf(whole, opened.lang)
    _record(request, opened, "BILL_PDF_OPENED")
    _count(request, opened)
    response = HttpResponse(data, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="bill-{opened.head.bill_number:015d}.pdf"'
    return views.private(response, opened.lang)


@require_safe
@_link(points=views.PAGE_POINTS)
def pay_page(request: HttpRequest, opened: Opened) -> HttpResponse:
    """How to pay: the account number to copy, and the profile's ways."""
    _count(request, opened)
    ways = [
        {"name": way.names[opened.lang], "how": way.how[opened.lang]}
        for way in installed_profile().payment_ways
    ]
    return _show(
        request,
        "portal/pay.html",
        opened,
        title=WORDS[opened.lang]["pay_title"],
        ways=ways,
        account=opened.head.account_number,
    )


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@_link(points=views.FORM_POINTS)
def not_mine(request: HttpRequest, opened: Opened) -> HttpResponse:
    """ "This bill is not mine": what will happen, then the reference under which it did."""
    if request.method == "POST":
        return _disown(request, opened)
    return _ask_whose(request, opened)


def _disown(request: HttpRequest, opened: Opened) -> HttpResponse:
    told = people.told_of_bill(opened.head.bill_number)
    chosen = request.POST.get("contact", "")
    if chosen not in {"other", *(str(contact.pk) for contact in told)}:
        return _ask_whose(request, opened, problem=WORDS[opened.lang]["choose_one"])
    review = consent.disown(
        account_id=opened.account_id,
        bill_number=opened.head.bill_number,
        period=bill_period(opened.head.bill_number),
        contact_point_id=None if chosen == "other" else int(chosen),
        now=clock.now(),
    )
    query = f"?lang={opened.lang}"
    return redirect(reverse("portal:not_mine_done", args=[opened.token, review.reference]) + query)


def _ask_whose(request: HttpRequest, opened: Opened, *, problem: str = "") -> HttpResponse:
    contacts = people.shown(people.told_of_bill(opened.head.bill_number), opened.lang)
    return _show(
        request,
        "portal/not_mine.html",
        opened,
        title=WORDS[opened.lang]["not_mine_title"],
        told=contacts,
        problem=problem,
        status=422 if problem else 200,
    )


@require_safe
def not_mine_done(request: HttpRequest, token: str, reference: str) -> HttpResponse:
    """What happened after "not mine", with its reference."""

    @_link(points=views.PAGE_POINTS)
    def page(request: HttpRequest, opened: Opened) -> HttpResponse:
        subject = f"bill:{opened.head.bill_number}"
        review = ContactReview.objects.filter(
            account_id=opened.account_id, subject=subject, reference=reference
        ).first()
        if review is None:
            return views.gone(request)
        stopped = WORDS[opened.lang]["not_mine_done_other"]
        if review.contact_point:
            stopped = people.say_where("not_mine_done_stopped", review.contact_point, opened.lang)
        return _show(
            request,
            "portal/not_mine_done.html",
            opened,
            title=WORDS[opened.lang]["not_mine_done_title"],
            reference=review.reference,
            stopped=stopped,
        )

    return page(request, token)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@_link(points=views.FORM_POINTS)
def wishes_door(request: HttpRequest, opened: Opened) -> HttpResponse:
    """From a bill to one's wishes. The bill's link opens the bill alone: a code proves whose contact point it is."""
    return people.confirm_by_code(
        request,
        lang=opened.lang,
        account_id=opened.account_id,
        contacts=people.contacts_for_codes(opened.account_id),
        purpose="WISHES",
        back=reverse("portal:bill", args=[opened.token]),
        then=lambda contact: _to_wishes(opened, contact),
    )


def _to_wishes(opened: Opened, contact: ContactPoint) -> HttpResponse:
    expires = clock.today() + dt.timedelta(days=people.VISIT_DAYS)
    token = preference_token(opened.account_id, contact.recipient, expires=expires)
    return redirect(reverse("portal:wishes", args=[token]) + f"?lang={opened.lang}")


def _show(
    request: HttpRequest, template: str, opened: Opened, *, status: int = 200, **context: Any
) -> HttpResponse:
    """A page about the bill, with its first line and its address."""
    head = head_context(opened.head, opened.lang)
    pdf_url = f"{opened.pdf_url}?lang={opened.lang}"
    return views.show(
        request,
        template,
        {"token": opened.token, "pdf_url": pdf_url, "title": head["bill_title"], **head, **context},
        opened.lang,
        status=status,
    )


def _count(request: HttpRequest, opened: Opened) -> None:
    evidence.record_view(
        request,
        bill_number=opened.head.bill_number,
        account_id=opened.account_id,
        how=ReachHow.LINK_VIEW,
    )


def _record(request: HttpRequest, opened: Opened, action: str) -> None:
    """In the audit log, whoever it was; a browser's guess ahead opened nothing."""
    ahead = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    if request.method == "GET" and "prefetch" not in ahead:
        audit.record(
            actor="link",
            action=action,
            subject=f"bill:{opened.head.bill_number}",
            now=clock.now(),
            language=opened.lang,
        )
