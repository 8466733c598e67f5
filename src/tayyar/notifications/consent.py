"""What the people of an account decide about being told, and who is told of it: wishes, codes, "not mine", delegates.

Each call is one transaction over customers' services and the messages and plans that follow from them.
It owns no state and no page. Next: services.py queues and plans again; portal and console call here.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings
from django.db import transaction

from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.core.links import delegate_token, preference_token
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers import codes, delegates, reviews
from tayyar.customers import wishes as stored
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    ContactReview,
    CustomerAccount,
    Delegate,
    DelegateState,
    Language,
)
from tayyar.customers.services import remove_contact
from tayyar.customers.wishes import Wishes
from tayyar.notifications import proof, services
from tayyar.notifications.consent_words import WORDS
from tayyar.notifications.kinds import BILL_KINDS, SPECS, MessageKind
from tayyar.notifications.models import Message, MessageState, Reach, ReachHow
from tayyar.profiles.installation import installed_profile

LINK_DAYS = 400  # how long the links to one's own wishes and delegation open
# What one may do without. Nobody chooses about codes, tokens and bills.
OPTIONAL = tuple(kind for kind, spec in SPECS.items() if not spec.is_statutory)
STATUTORY = tuple(kind for kind, spec in SPECS.items() if spec.is_statutory)


def wishes_url(account_id: int, recipient: int, *, now: dt.datetime) -> str:
    """Where one person of an account chooses how to be told."""
    token = preference_token(account_id, recipient, expires=now.date() + dt.timedelta(days=LINK_DAYS))
    return f"{settings.SITE_URL}/p/{token}"


@transaction.atomic
def save_wishes(*, account_id: int, wishes: Wishes, actor: str, now: dt.datetime) -> bool:
    """Store the wishes and plan again what is not sent yet; False when nothing changed.

    UserError when a statutory kind is opted out of, or nothing would be left (customers.wishes.NothingLeft).
    """
    if not wishes.opted_out.issubset(OPTIONAL):
        raise UserError("Bills and legal notices can change their channel; they cannot be switched off.")
    ways = {Channel(contact.channel).name for contact in _contacts(account_id, 0)}
    if ways and ways.issubset(wishes.excluded) and not wishes.wants_paper:
        raise stored.NothingLeft("Every channel with an address is off. Leave one on, or ask for paper.")
    changed = stored.set_wishes(account_id=account_id, wishes=wishes, actor=actor, now=now)
    if changed:
        services.replan_account(account_id=account_id, now=now)
    return changed


@transaction.atomic
def unsubscribe(*, account_id: int, recipient: int, now: dt.datetime) -> None:
    """RFC 8058, one click in a mail program: no more e-mail where there is another way to the person.

    The holder with e-mail alone keeps what the law demands and is spared the rest. A delegate need not be told at all:
    with e-mail alone the delegation ends. Clicked twice, it changes nothing more.
    """
    audit.record(
        actor="link", action="UNSUBSCRIBED", subject=f"account:{account_id}", now=now, recipient=recipient
    )
    if recipient:
        _unsubscribe_delegate(account_id, recipient, now)
        return
    before = stored.wishes_of(account_id=account_id)
    ways = {Channel(contact.channel).name for contact in _contacts(account_id, 0)}
    has_other = bool(ways - {Channel.EMAIL.name, *before.excluded})
    if has_other:
        after = replace(before, excluded=tuple(dict.fromkeys((*before.excluded, Channel.EMAIL.name))))
    else:
        after = replace(before, opted_out=before.opted_out | frozenset(OPTIONAL))
    save_wishes(account_id=account_id, wishes=after, actor="link", now=now)


def _unsubscribe_delegate(account_id: int, recipient: int, now: dt.datetime) -> None:
    contacts = _contacts(account_id, recipient)
    mails = [contact for contact in contacts if contact.channel == Channel.EMAIL]
    if len(mails) < len(contacts):
        for mail in mails:
            remove_contact(account_id=account_id, contact_point_id=mail.pk, actor="delegate", now=now)
        services.replan_account(account_id=account_id, now=now)
        return
    delegate = Delegate.objects.filter(account_id=account_id, recipient=recipient).first()
    if delegate:
        end_delegate(delegate_id=delegate.pk, state=DelegateState.REVOKED, actor="delegate", now=now)


@transaction.atomic
def send_code(
    *, account_id: int, contact_point_id: int, purpose: str, subject: str = "", actor: str, now: dt.datetime
) -> ContactPoint:
    """Send a one-time code to a verified contact point of the account. Refusals: customers.codes."""
    code = codes.issue_code(
        account_id=account_id,
        contact_point_id=contact_point_id,
        purpose=purpose,
        subject=subject,
        actor=actor,
        now=now,
    )
    contact = ContactPoint.objects.get(id=contact_point_id)
    language = language_of(account_id, contact.recipient)
    services.queue_message(
        kind=MessageKind.ONE_TIME_CODE,
        account_id=account_id,
        recipient=contact.recipient,
        contact_point_id=contact.pk,
        facts={"code": code, "minutes_text": WORDS[language.name]["code_valid"]},
        language=language,
        expires_at=now + codes.VALID,
        now=now,
    )
    return contact


@transaction.atomic
def disown(
    *, account_id: int, bill_number: int, period: Period, contact_point_id: int | None, now: dt.datetime
) -> ContactReview:
    """ "This bill is not mine": the contact point is used no more, evidence that came through it is void, the bill is
    told again by the ways that are left, and staff look into it. Said twice, it is the same review.

    Without a contact point the link was passed on by somebody whom it had reached: only the review is opened.
    """
    review, is_new = reviews.open_review(
        account_id=account_id,
        contact_point_id=contact_point_id,
        subject=f"bill:{bill_number}",
        actor="link",
        now=now,
    )
    if not is_new:
        return review
    if review.contact_point is not None:
        reach = Reach.objects.filter(period=period.number, ref=bill_number).first()
        if reach and _rests_on(reach, review.contact_point):
            proof.withdraw_reach(period=period, ref=bill_number, now=now)
            reach = None
        if reach is None:
            _tell_again(period, bill_number, review.contact_point, now)
    services.replan_account(account_id=account_id, now=now)
    return review


def _tell_again(period: Period, bill_number: int, contact: ContactPoint, now: dt.datetime) -> None:
    """The bill's message to the person whose contact point that was: from the start, by the ways that are left."""
    ended = Message.objects.filter(
        period=period.number, kind__in=BILL_KINDS, ref=bill_number, recipient=contact.recipient
    ).exclude(
        state__in=[MessageState.SENDING, MessageState.IN_DOUBT, MessageState.CANCELLED, MessageState.MERGED]
    )
    for message in ended:
        services.resend(
            period=period,
            kind=MessageKind(message.kind),
            ref=bill_number,
            recipient=contact.recipient,
            actor="link",
            now=now,
        )


def _rests_on(reach: Reach, contact: ContactPoint) -> bool:
    """Whether the proof is a view of the link, which does not say whose, or a receipt through this contact point."""
    if reach.how == ReachHow.LINK_VIEW:
        return True
    through = (reach.channel, reach.recipient)
    is_receipt = reach.how in (ReachHow.RECEIPT, ReachHow.READ_RECEIPT)
    return is_receipt and through == (contact.channel, contact.recipient)


# ------------------------------------------------------------------------------------------------------------ delegates


@transaction.atomic
def invite_delegate(
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
    has_consented: bool = False,
) -> Delegate:
    """A delegate by the holder's or a clerk's word; a link to accept goes to the delegate.

    `has_consented`: a signed form lies at the branch, so it is active at once. Refusals: customers.delegates.
    """
    delegate, contact = delegates.invite(
        account_id=account_id,
        name=name,
        relation=relation,
        channel=channel,
        address=address,
        may_pay=may_pay,
        language=language,
        expires_on=expires_on,
        actor=actor,
        now=now,
    )
    if has_consented:
        return accept_delegate(delegate_id=delegate.pk, actor=actor, now=now)
    account = CustomerAccount.objects.select_related("customer").get(id=account_id)
    rights = WORDS[language.name]["may_pay" if may_pay else "may_see"]
    services.queue_message(
        kind=MessageKind.DELEGATE_INVITED,
        account_id=account_id,
        recipient=delegate.recipient,
        contact_point_id=contact.pk,
        facts={"holder_name": account.customer.name, "rights_text": rights, **_common(account_id)},
        url=delegate_url(delegate, now=now, days=delegates.INVITATION.days),
        language=language,
        now=now,
    )
    if actor != "holder":
        _tell_holder(delegate, "invited", now)
    return delegate


@transaction.atomic
def accept_delegate(*, delegate_id: int, actor: str, now: dt.datetime) -> Delegate:
    """The delegate receives bills from now on; both sides are told. Accepting again changes nothing."""
    was = Delegate.objects.get(id=delegate_id).state
    delegate = delegates.accept(delegate_id=delegate_id, actor=actor, now=now)
    if was != DelegateState.ACTIVE:
        _tell_holder(delegate, "accepted", now)
        _tell_delegate(delegate, "you_accepted", now)
        services.replan_account(account_id=delegate.account_id, now=now)
    return delegate


@transaction.atomic
def end_delegate(*, delegate_id: int, state: DelegateState, actor: str, now: dt.datetime) -> Delegate:
    """DECLINED or REVOKED by the delegate ("delegate"), REVOKED by the holder or staff, or EXPIRED ("worker").

    Each side that did not do it itself is told. What is over stays as it ended.
    """
    was_active = Delegate.objects.get(id=delegate_id).state == DelegateState.ACTIVE
    delegate, is_new = delegates.end(delegate_id=delegate_id, state=state, actor=actor, now=now)
    if is_new:
        if actor != "holder":
            _tell_holder(delegate, {"DECLINED": "declined", "EXPIRED": "expired"}.get(state, "ended"), now)
        if actor != "delegate" and was_active:
            _tell_delegate(delegate, "you_expired" if state == DelegateState.EXPIRED else "you_ended", now)
        services.replan_account(account_id=delegate.account_id, now=now)
    return delegate


def expire_delegates(*, now: dt.datetime) -> int:
    """End the delegations and invitations whose time has passed, each by itself; returns how many. For a daily job."""
    over = delegates.overdue(now=now)
    for delegate_id in over:
        end_delegate(delegate_id=delegate_id, state=DelegateState.EXPIRED, actor="worker", now=now)
    delegates.forget_ended(now=now)
    return len(over)


def delegate_url(delegate: Delegate, *, now: dt.datetime, days: int = LINK_DAYS) -> str:
    """Where the delegate accepts, declines or ends."""
    token = delegate_token(delegate.pk, expires=now.date() + dt.timedelta(days=days))
    return f"{settings.SITE_URL}/d/{token}"


def language_of(account_id: int, recipient: int) -> Language:
    """The language of one person of an account."""
    if recipient:
        found = Delegate.objects.filter(account_id=account_id, recipient=recipient).first()
        if found:
            return Language(found.language)
    return Language(CustomerAccount.objects.values_list("language", flat=True).get(id=account_id))


def _tell_holder(delegate: Delegate, what: str, now: dt.datetime) -> None:
    language = language_of(delegate.account_id, 0)
    services.queue_message(
        kind=MessageKind.DELEGATE_CHANGED,
        account_id=delegate.account_id,
        facts={
            "change_text": WORDS[language.name][what].format(name=delegate.name),
            **_common(delegate.account_id),
        },
        url=wishes_url(delegate.account_id, 0, now=now),
        language=language,
        now=now,
    )


def _tell_delegate(delegate: Delegate, what: str, now: dt.datetime) -> None:
    """Through the contact point of the invitation: verified or not any more, it is the delegate's."""
    contact = (
        ContactPoint.objects.filter(
            account_id=delegate.account_id, recipient=delegate.recipient, is_active=True
        )
        .exclude(channel=Channel.PUSH)
        .order_by("id")
        .first()
    )
    if contact is None:
        return
    language = Language(delegate.language)
    services.queue_message(
        kind=MessageKind.DELEGATE_CHANGED,
        account_id=delegate.account_id,
        recipient=delegate.recipient,
        contact_point_id=contact.pk,
        facts={"change_text": WORDS[language.name][what], **_common(delegate.account_id)},
        url=delegate_url(delegate, now=now),
        language=language,
        now=now,
    )


def _contacts(account_id: int, recipient: int) -> list[ContactPoint]:
    """What is in use of one person."""
    return list(
        ContactPoint.objects.filter(
            account_id=account_id, recipient=recipient, is_active=True, verified_at__isnull=False
        )
    )


def _common(account_id: int) -> Mapping[str, str]:
    """Facts that every message about a delegation carries."""
    contacts = installed_profile().complaint_contacts
    phone = next((str(contact["value"]) for contact in contacts if contact["kind"] == "PHONE"), "")
    return {"account_number": str(with_check(account_id)), "complaint_text": phone}
