"""The desk's view of an account's people: contact points, wishes, delegates; what a clerk changes for them.

Addresses are masked until revealed; every read of a person's data is recorded here, every change by the service that
makes it. Holds no rule. Next: notifications/consent.py and customers/services.py.
"""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock, crypto
from tayyar.core.errors import UserError
from tayyar.customers.addresses import masked_address
from tayyar.customers.delegates import DelegateRefused, delegates_of, is_over
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    ContactReview,
    CustomerAccount,
    Delegate,
    DelegateState,
    Language,
)
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point, remove_contact
from tayyar.customers.wishes import DIGITAL, NothingLeft, wishes_of
from tayyar.notifications import consent, services
from tayyar.notifications.consent_forms import Mistyped, read_address, read_invitation, read_wishes


@require_safe
@staff()
def people(screen: Screen, account_id: int) -> HttpResponse:
    """Everybody who is told about the account, and how."""
    return _page(screen, account_id)


@require_POST
@staff(serving=True)
def reveal(screen: Screen, account_id: int, contact_id: int) -> HttpResponse:
    """One address in full, once, and on record."""
    contact = _contact(account_id, contact_id)
    audit.record(
        actor=screen.actor,
        action="CONTACT_REVEALED",
        subject=f"account:{account_id}",
        now=clock.now(),
        contact_point=contact.pk,
    )
    return _page(screen, account_id, revealed=contact.pk)


@require_POST
@staff(serving=True)
def remove(screen: Screen, account_id: int, contact_id: int) -> HttpResponse:
    """Use a contact point no more; what waits is planned without it."""
    now = clock.now()
    with transaction.atomic():
        contact = _contact(account_id, contact_id)
        remove_contact(account_id=account_id, contact_point_id=contact.pk, actor=screen.actor, now=now)
        services.replan_account(account_id=account_id, now=now)
    return _done(screen, account_id, "contact_removed")


@require_POST
@staff(serving=True)
def add_contact(screen: Screen, account_id: int) -> HttpResponse:
    """A new contact point, verified at the desk, in place of an old one if the form names one."""
    form, now = screen.request.POST, clock.now()
    _account(account_id)
    try:
        channel, address = read_address(form, calling_code=screen.profile.calling_code)
    except Mistyped as mistyped:
        return _page(screen, account_id, problem=screen.words[f"people_{mistyped}"])
    if "verified" not in form:
        return _page(screen, account_id, problem=screen.words["people_not_verified"])
    with transaction.atomic():
        replaced = (
            _contact(account_id, int(form["replaces"])) if form.get("replaces", "").isdecimal() else None
        )
        add_contact_point(
            account_id=account_id,
            recipient=replaced.recipient if replaced else 0,
            channel=channel,
            address=address,
            verified_at=now,
            actor=screen.actor,
            now=now,
        )
        if replaced and _address(replaced) != address:
            remove_contact(account_id=account_id, contact_point_id=replaced.pk, actor=screen.actor, now=now)
        services.replan_account(account_id=account_id, now=now)
    return _done(screen, account_id, "contact_added")


@require_POST
@staff(serving=True)
def save_wishes(screen: Screen, account_id: int) -> HttpResponse:
    """The holder's wishes, said at the desk."""
    _account(account_id)
    try:
        wanted = read_wishes(screen.request.POST, wishes_of(account_id=account_id))
        consent.save_wishes(account_id=account_id, wishes=wanted, actor=screen.actor, now=clock.now())
    except NothingLeft:
        return _page(screen, account_id, problem=screen.words["people_nothing_left"])
    except Mistyped as mistyped:
        return _page(screen, account_id, problem=screen.words[f"people_{mistyped}"])
    return _done(screen, account_id, "wishes_saved")


@require_POST
@staff(serving=True)
def register_delegate(screen: Screen, account_id: int) -> HttpResponse:
    """A delegate for a holder who stands at the desk; active at once where a signed form lies there."""
    form = screen.request.POST
    _account(account_id)
    try:
        invitation = read_invitation(form, today=clock.today(), calling_code=screen.profile.calling_code)
        consent.invite_delegate(
            account_id=account_id,
            name=invitation.name,
            relation=invitation.relation,
            channel=Channel[invitation.channel],
            address=invitation.address,
            may_pay=invitation.rights == "pay",
            language=Language[invitation.language],
            expires_on=invitation.expires_on,
            actor=screen.actor,
            now=clock.now(),
            has_consented="consented" in form,
        )
    except Mistyped as mistyped:
        return _page(screen, account_id, problem=screen.words[f"people_{mistyped}"])
    except DelegateRefused as refusal:
        return _page(screen, account_id, problem=screen.words[f"people_delegate_refused_{refusal.reason}"])
    return _done(screen, account_id, "delegate_registered" if "consented" in form else "delegate_asked")


@require_POST
@staff(serving=True)
def end_delegate(screen: Screen, account_id: int, recipient: int) -> HttpResponse:
    """End a delegation for the holder; both sides are told."""
    found = Delegate.objects.filter(account_id=account_id, recipient=recipient).first()
    if found is None:
        raise UserError("This account has no such delegate.")
    consent.end_delegate(
        delegate_id=found.pk, state=DelegateState.REVOKED, actor=screen.actor, now=clock.now()
    )
    return _done(screen, account_id, "delegate_ended")


def _page(screen: Screen, account_id: int, *, revealed: int | None = None, problem: str = "") -> HttpResponse:
    account = _account(account_id)
    audit.record(actor=screen.actor, action="PEOPLE_READ", subject=f"account:{account_id}", now=clock.now())
    wanted = wishes_of(account_id=account_id)
    delegates = list(delegates_of(account_id=account_id))
    names = {0: account.customer.name, **{found.recipient: found.name for found in delegates}}
    contacts = ContactPoint.objects.filter(account_id=account_id).order_by(
        "recipient", "-is_active", "channel", "id"
    )
    reviews = ContactReview.objects.filter(account_id=account_id).order_by("-opened_at")
    context = {
        "title": screen.say("people_title", number=screen.code(account.number)),
        "account_id": account_id,
        "holder": account.customer.name,
        "problem": problem,
        "contacts": [_contact_row(screen, contact, names, revealed) for contact in contacts],
        "delegates": [_delegate_row(screen, found) for found in delegates],
        "reviews": [review_row(screen, review) for review in reviews],
        "wanted": wanted,
        "as_planned": not wanted.channels,
        "channels": [
            {
                "code": channel.name,
                "name": screen.words[f"channel_{channel.name}"],
                "on": channel.name not in wanted.excluded,
                "first": wanted.channels[:1] == (channel.name,),
            }
            for channel in DIGITAL
        ],
        "quiet": [f"{moment:%H:%M}" for moment in wanted.quiet] if wanted.quiet else ["", ""],
        "language_now": wanted.language.name,
        "spoken": [{"code": language.name, "name": language.label} for language in Language],
        "optional": [
            {
                "kind": kind.name,
                "text": screen.words[f"people_kind_{kind.name}"],
                "on": kind not in wanted.opted_out,
            }
            for kind in consent.OPTIONAL
        ],
        "tomorrow": (clock.today() + dt.timedelta(days=1)).isoformat(),
    }
    return screen.page("console/people.html", context, status=422 if problem else 200)


def _contact_row(
    screen: Screen, contact: ContactPoint, names: dict[int, str], revealed: int | None
) -> dict[str, Any]:
    state = contact.mark or ("USED" if contact.is_active and contact.verified_at else "")
    state = state or ("UNVERIFIED" if contact.is_active else "REMOVED")
    return {
        "id": contact.pk,
        "whose": names.get(contact.recipient, ""),
        "is_holder": contact.recipient == 0,
        "channel": screen.words[f"channel_{Channel(contact.channel).name}"],
        "address": _address(contact) if contact.pk == revealed else masked(contact),
        "can_reveal": contact.pk != revealed and contact.channel != Channel.PUSH,
        "state": screen.words[f"people_contact_{state}"],
        "since": screen.moment(contact.verified_at) if contact.verified_at else "",
        "is_active": contact.is_active,
    }


def _delegate_row(screen: Screen, found: Delegate) -> dict[str, Any]:
    is_open = found.state in (DelegateState.INVITED, DelegateState.ACTIVE) and not is_over(
        found, now=clock.now()
    )
    state = found.state if is_open or found.ended_at else DelegateState.EXPIRED
    last = found.expires_on - dt.timedelta(days=1) if found.expires_on else None
    return {
        "recipient": found.recipient,
        "name": found.name,
        "relation": screen.words[f"people_relation_{found.relation}"],
        "rights": screen.words["people_pay" if found.may_pay else "people_see"],
        "state": screen.words[f"people_delegate_{state}"],
        "since": screen.moment(found.accepted_at or found.invited_at),
        "until": screen.day(last) if last else "",
        "by": found.invited_by,
        "is_open": is_open,
    }


def review_row(screen: Screen, review: ContactReview) -> dict[str, Any]:
    """A review in words."""
    return {
        "id": review.pk,
        "reference": screen.code(review.reference),
        "opened": screen.moment(review.opened_at),
        "bill": review.subject.removeprefix("bill:"),
        "outcome": screen.words[f"review_{review.outcome or 'OPEN'}"],
        "by": review.closed_by,
    }


def masked(contact: ContactPoint) -> str:
    """The address as it is shown until somebody asks for it."""
    return masked_address(_address(contact), channel=Channel(contact.channel))


def _address(contact: ContactPoint) -> str:
    return crypto.unseal(bytes(contact.address_sealed), field=ADDRESS_FIELD)


def _account(account_id: int) -> CustomerAccount:
    account = CustomerAccount.objects.select_related("customer").filter(id=account_id).first()
    if account is None:
        raise UserError("There is no such account. Look the number up again.")
    return account


def _contact(account_id: int, contact_id: int) -> ContactPoint:
    contact = ContactPoint.objects.filter(account_id=account_id, id=contact_id).first()
    if contact is None:
        raise UserError("This account has no such contact point.")
    return contact


def _done(screen: Screen, account_id: int, what: str) -> HttpResponse:
    messages.success(screen.request, screen.words[f"people_done_{what}"])
    return redirect("console:contacts", account_id=account_id)
