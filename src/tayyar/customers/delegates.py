"""The only writer of delegations: invited, accepted or declined, revoked by either side, expired.

Owns their states and the delegate's contact point. It tells nobody. Next: notifications/consent.py tells the other.
"""

import datetime as dt

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    CustomerAccount,
    Delegate,
    DelegateState,
    Language,
)
from tayyar.customers.services import add_contact_point

INVITATION = dt.timedelta(days=14)
LAST_WORD = dt.timedelta(days=2)  # how long after its end a delegate can still be told of it
MOST = 5  # invited or active at a time, per account
RELATIONS = ("RELATIVE", "ACCOUNTANT", "OTHER")
_OPEN = (DelegateState.INVITED, DelegateState.ACTIVE)


class DelegateRefused(UserError):
    """`reason`: TOO_MANY, NOT_OPEN (the invitation or delegation is over), PAST (it would end before it begins)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@transaction.atomic
def invite(
    *,
    account_id: int,
    name: str,
    relation: str,
    channel: Channel,
    address: str,
    may_pay: bool,
    language: Language,
    expires_on: dt.date | None,
    actor: str,
    now: dt.datetime,
) -> tuple[Delegate, ContactPoint]:
    """A new delegation in state INVITED with its contact point, not verified yet.

    DelegateRefused TOO_MANY beyond MOST, PAST when `expires_on` is not in the future; UserError without a name.
    """
    account = CustomerAccount.objects.select_for_update().get(id=account_id)
    if not name.strip() or relation not in RELATIONS:
        raise UserError("A delegate has a name and a relation.")
    if expires_on is not None and expires_on <= now.date():
        raise DelegateRefused("PAST", "The last day lies in the past. Choose a later one, or none.")
    if Delegate.objects.filter(account=account, state__in=_OPEN).count() >= MOST:
        raise DelegateRefused("TOO_MANY", f"An account has at most {MOST} delegates. End one first.")
    delegate = Delegate.objects.create(
        account=account,
        recipient=_next_recipient(account_id),
        name=name.strip()[:120],
        relation=relation,
        language=language,
        may_pay=may_pay,
        state=DelegateState.INVITED,
        invited_at=now,
        invited_by=actor,
        expires_on=expires_on,
    )
    contact = add_contact_point(
        account_id=account_id,
        recipient=delegate.recipient,
        channel=channel,
        address=address,
        verified_at=None,
        actor=actor,
        now=now,
    )
    _record(delegate, "DELEGATE_INVITED", actor, now, may_pay=may_pay, relation=relation)
    return delegate, contact


@transaction.atomic
def accept(*, delegate_id: int, actor: str, now: dt.datetime) -> Delegate:
    """INVITED to ACTIVE: the link came to the contact point, so that is verified. Accepting again changes nothing."""
    delegate = Delegate.objects.select_for_update().get(id=delegate_id)
    if delegate.state == DelegateState.ACTIVE:
        return delegate
    if delegate.state != DelegateState.INVITED or is_over(delegate, now=now):
        raise DelegateRefused("NOT_OPEN", "This invitation is not open any more. Ask for a new one.")
    delegate.state, delegate.accepted_at = DelegateState.ACTIVE, now
    delegate.save(update_fields=["state", "accepted_at"])
    ContactPoint.objects.filter(
        account_id=delegate.account_id, recipient=delegate.recipient, is_active=True, verified_at=None
    ).update(verified_at=now)
    _record(delegate, "DELEGATE_ACCEPTED", actor, now)
    return delegate


@transaction.atomic
def end(*, delegate_id: int, state: DelegateState, actor: str, now: dt.datetime) -> tuple[Delegate, bool]:
    """End it as DECLINED, REVOKED or EXPIRED, and whether that is new.

    The delegate's contact points lose their verification: no bill goes there any more, but the word of the end still
    can; `forget_ended` puts them away. What is over stays as it ended. DelegateRefused NOT_OPEN when an accepted
    delegation is declined: revoke it.
    """
    delegate = Delegate.objects.select_for_update().get(id=delegate_id)
    if delegate.state not in _OPEN:
        return delegate, False
    if state == DelegateState.DECLINED and delegate.state != DelegateState.INVITED:
        raise DelegateRefused("NOT_OPEN", "This invitation was accepted. End the delegation instead.")
    delegate.state, delegate.ended_at, delegate.ended_by = state, now, actor
    delegate.save(update_fields=["state", "ended_at", "ended_by"])
    ContactPoint.objects.filter(account_id=delegate.account_id, recipient=delegate.recipient).update(
        verified_at=None
    )
    _record(delegate, f"DELEGATE_{state}", actor, now)
    return delegate, True


def forget_ended(*, now: dt.datetime) -> int:
    """Put away the contact points of delegations that ended LAST_WORD ago or earlier; returns how many."""
    ended = Delegate.objects.exclude(state__in=_OPEN).filter(
        ended_at__lte=now - LAST_WORD,
        account_id=OuterRef("account_id"),
        recipient=OuterRef("recipient"),
    )
    return ContactPoint.objects.filter(Exists(ended), recipient__gte=1, is_active=True).update(
        is_active=False
    )


@transaction.atomic
def set_language(*, delegate_id: int, language: Language, actor: str, now: dt.datetime) -> None:
    """The language in which the delegate is told."""
    delegate = Delegate.objects.select_for_update().get(id=delegate_id)
    if delegate.language != language:
        delegate.language = language
        delegate.save(update_fields=["language"])
        _record(delegate, "DELEGATE_LANGUAGE", actor, now, language=language.name)


def is_over(delegate: Delegate, *, now: dt.datetime) -> bool:
    """Whether its time has passed, also where nobody has written so yet."""
    lapsed = delegate.state == DelegateState.INVITED and now >= delegate.invited_at + INVITATION
    return lapsed or (delegate.expires_on is not None and delegate.expires_on <= now.date())


def overdue(*, now: dt.datetime) -> list[int]:
    """The delegations that are open although their time has passed."""
    over = Q(state__in=_OPEN, expires_on__lte=now.date()) | Q(
        state=DelegateState.INVITED, invited_at__lte=now - INVITATION
    )
    return list(Delegate.objects.filter(over).order_by("id").values_list("id", flat=True))


def delegates_of(*, account_id: int) -> QuerySet[Delegate]:
    """All delegations of an account, the newest first."""
    return Delegate.objects.filter(account_id=account_id).order_by("-recipient")


def _next_recipient(account_id: int) -> int:
    """A number that no person of the account ever had."""
    delegates = Delegate.objects.filter(account_id=account_id).aggregate(top=Max("recipient"))["top"] or 0
    contacts = ContactPoint.objects.filter(account_id=account_id).aggregate(top=Max("recipient"))["top"] or 0
    return max(delegates, contacts) + 1


def _record(delegate: Delegate, action: str, actor: str, now: dt.datetime, **detail: object) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"account:{delegate.account_id}",
        now=now,
        recipient=delegate.recipient,
        **detail,
    )
