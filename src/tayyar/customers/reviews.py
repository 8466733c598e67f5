"""The only writer of contact reviews: somebody said "this bill is not mine", and staff look whose contact it is.

It marks the contact point and opens the review; it neither tells anyone nor touches proof of reach.
Next: notifications/consent.py does both around it; console/people.py decides.
"""

import datetime as dt

from django.db import connection, transaction
from django.db.models import QuerySet

from tayyar.core import audit, references
from tayyar.core.errors import UserError
from tayyar.customers.models import ContactMark, ContactPoint, ContactReview, CustomerAccount
from tayyar.customers.services import keep_contact, mark_contacts

OUTCOMES = ("REMOVED", "KEPT", "CORRECTED")


@transaction.atomic
def open_review(
    *, account_id: int, contact_point_id: int | None, subject: str, actor: str, now: dt.datetime
) -> tuple[ContactReview, bool]:
    """The review of that contact point about that document, and whether it is new; asked twice, it stays one.

    Its contact point is used no more. `contact_point_id` None: the message came by a way we do not know.
    """
    CustomerAccount.objects.select_for_update().get(id=account_id)
    known = ContactReview.objects.filter(
        account_id=account_id, contact_point_id=contact_point_id, subject=subject, closed_at=None
    ).first()
    if known:
        return known, False
    if contact_point_id is not None:
        ContactPoint.objects.get(id=contact_point_id, account_id=account_id)
        mark_contacts(ids=[contact_point_id], mark=ContactMark.NOT_MINE, now=now, actor=actor)
    made = ContactReview.objects.create(
        account_id=account_id,
        contact_point_id=contact_point_id,
        reference=next_reference("R"),
        subject=subject,
        opened_at=now,
    )
    _record(made, "CONTACT_REVIEW_OPENED", actor, now)
    return made, True


@transaction.atomic
def close_review(*, review_id: int, outcome: str, actor: str, now: dt.datetime) -> ContactReview:
    """Decide: REMOVED (it stays unused), KEPT (it is right and is used again), CORRECTED (another took its place).

    UserError when it was decided before, or when there is no contact point to keep.
    """
    if outcome not in OUTCOMES:
        raise UserError(f"A review ends as {', '.join(OUTCOMES)}.")
    review = ContactReview.objects.select_for_update().get(id=review_id)
    if review.closed_at is not None:
        raise UserError(f"Review {review.reference} was decided by {review.closed_by} already.")
    if outcome == "KEPT" and review.contact_point_id is not None:
        keep_contact(
            account_id=review.account_id, contact_point_id=review.contact_point_id, actor=actor, now=now
        )
    review.closed_at, review.closed_by, review.outcome = now, actor, outcome
    review.save(update_fields=["closed_at", "closed_by", "outcome"])
    _record(review, "CONTACT_REVIEW_CLOSED", actor, now, outcome=outcome)
    return review


def open_reviews() -> QuerySet[ContactReview]:
    """Those that wait for a decision, the oldest first."""
    waiting = ContactReview.objects.filter(closed_at=None).select_related(
        "account__customer", "contact_point"
    )
    return waiting.order_by("opened_at", "id")


def is_disowned(*, account_id: int, subject: str) -> bool:
    """Whether one whom we told of this document said that it is not theirs, and staff did not find otherwise."""
    said = ContactReview.objects.filter(account_id=account_id, subject=subject, contact_point__isnull=False)
    return said.exclude(outcome="KEPT").exists()


def others_with_address(contact: ContactPoint) -> list[ContactPoint]:
    """Contact points of other accounts with the same address: a number that changed hands shows itself so."""
    same = ContactPoint.objects.filter(address_hash=contact.address_hash, account__isnull=False)
    same = same.exclude(account_id=contact.account_id)
    return list(same.select_related("account__customer").order_by("account_id", "recipient", "channel")[:50])


def next_reference(prefix: str) -> str:
    """A reference that was never given before: "R-0007-F3K2"."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('customers_reference_serial')")
        return references.reference(prefix, int(cursor.fetchone()[0]))


def _record(review: ContactReview, action: str, actor: str, now: dt.datetime, **detail: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"account:{review.account_id}",
        now=now,
        reference=review.reference,
        about=review.subject,
        contact_point=review.contact_point_id,
        **detail,
    )
