"""The desk's list of "this bill is not mine": whose contact point it really is, and what is decided.

The list is a read of persons' data and recorded as such. Next: customers/reviews.py decides.
"""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tayyar.console.people import masked, review_row
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.references import with_check
from tayyar.customers import reviews
from tayyar.customers.models import Channel, ContactReview
from tayyar.customers.services import add_contact_point
from tayyar.notifications import services
from tayyar.notifications.consent_forms import Mistyped, read_address

MOST = 50


@require_safe
@staff()
def open_reviews(screen: Screen) -> HttpResponse:
    """Those that wait, the oldest first, with the other accounts that have the same address."""
    return _page(screen)


@require_POST
@staff(serving=True)
def decide(screen: Screen, review_id: int) -> HttpResponse:
    """REMOVED, KEPT, or CORRECTED with the address that is right."""
    form, now = screen.request.POST, clock.now()
    outcome = form.get("outcome", "")
    review = ContactReview.objects.filter(id=review_id).select_related("contact_point").first()
    if review is None:
        raise UserError("There is no such review.")
    try:
        with transaction.atomic():
            reviews.close_review(review_id=review_id, outcome=outcome, actor=screen.actor, now=now)
            if outcome == "CORRECTED":
                channel, address = read_address(form, calling_code=screen.profile.calling_code)
                add_contact_point(
                    account_id=review.account_id,
                    recipient=review.contact_point.recipient if review.contact_point else 0,
                    channel=channel,
                    address=address,
                    verified_at=now,
                    actor=screen.actor,
                    now=now,
                )
            services.replan_account(account_id=review.account_id, now=now)
    except Mistyped as mistyped:
        return _page(screen, problem=screen.words[f"people_{mistyped}"])
    messages.success(screen.request, screen.say("review_done", reference=screen.code(review.reference)))
    return redirect("console:reviews")


def _page(screen: Screen, *, problem: str = "") -> HttpResponse:
    waiting = reviews.open_reviews()
    rows = [_row(screen, review) for review in waiting[:MOST]]
    audit.record(
        actor=screen.actor, action="REVIEWS_READ", subject="reviews", now=clock.now(), reviews=len(rows)
    )
    context = {
        "title": screen.words["reviews_title"],
        "truth": screen.say("reviews_truth", count=screen.num(waiting.count())),
        "rows": rows,
        "problem": problem,
    }
    return screen.page("console/reviews.html", context, status=422 if problem else 200)


def _row(screen: Screen, review: ContactReview) -> dict[str, Any]:
    contact = review.contact_point
    others = reviews.others_with_address(contact) if contact else []
    return {
        **review_row(screen, review),
        "account_id": review.account_id,
        "account": screen.code(with_check(review.account_id)),
        "holder": review.account.customer.name,
        "channel": screen.words[f"channel_{Channel(contact.channel).name}"] if contact else "",
        "address": masked(contact) if contact else "",
        "others": [
            {
                "account_id": other.account.pk,
                "account": screen.code(other.account.number),
                "holder": other.account.customer.name,
                "since": screen.moment(other.verified_at) if other.verified_at else "",
            }
            for other in others
            if other.account
        ],
    }
