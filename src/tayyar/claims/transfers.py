"""What an approved claim does: holdings, and where the supply passes on, final bills, new agreements, new accounts.

An account number never changes hands (billing/handover.py), so nothing of the former holder can leak to the next: not
a balance, a bill, a link, a wish, a delegate or a contact point. Never decides. Next: notices.py tells both sides.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from tayyar.billing import handover
from tayyar.billing.services import RunUnderWay
from tayyar.claims import notices
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Beneficiary, Claim, ClaimRole, ClaimState, Holding
from tayyar.claims.standing import Supply, gives_way, heard, is_beneath_tenant, is_own, open_holding, supplies
from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, Language
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point
from tayyar.identity.models import Person
from tayyar.requests import services as requests


@dataclass(frozen=True, slots=True)
class _Passed:
    """One usage point that passed on: from which account (None: it stood vacant), and from which day."""

    account_id: int | None
    day: dt.date


@transaction.atomic
def carry_out(*, claim_id: int, actor: str, now: dt.datetime) -> Holding | None:
    """Do what an approved claim asks, once; None while its first day has not come or a bill run is at the account.

    ClaimRefused MOVED_ON when the supply passed to somebody whom nobody asked; UserError as handover.leave.
    """
    claim = Claim.objects.select_for_update().get(id=claim_id)
    if claim.state != ClaimState.APPROVED:
        raise ClaimRefused("NOT_OPEN", "Only an approved claim is carried out.")
    if claim.holding is not None:
        return claim.holding
    account = (
        CustomerAccount.objects.select_for_update(of=("self",))
        .select_related("customer")
        .get(id=claim.account_id)
    )
    if is_own(account, claim.customer, claim.person):
        holding = _confirm_books(claim, account, actor, now)
    elif claim.start_date > now.date():
        return None
    else:
        try:
            with transaction.atomic():
                holding = _pass_on(claim, account, actor, now)
        except RunUnderWay:
            return None
    claim.holding = holding
    claim.save(update_fields=["holding"])
    if claim.is_beneficiary:
        set_beneficiary(holding, since=max(claim.start_date, holding.start_date), actor=actor, now=now)
    _reach_claimant(claim.person, holding.account_id, actor, now)
    audit.record(
        actor=actor,
        action="CLAIM_CARRIED_OUT",
        subject=f"account:{holding.account_id}",
        now=now,
        claim=claim.pk,
        claimed_account=claim.account_id,
        role=claim.role,
    )
    return holding


def carry_out_due(*, now: dt.datetime) -> int:
    """Carry out every approved claim whose day has come, each by itself; returns how many were.

    One that cannot be is noted on its request for the staff, and tried again the next day.
    """
    due = Claim.objects.filter(state=ClaimState.APPROVED, holding=None, start_date__lte=now.date())
    done = 0
    for claim in due.order_by("start_date", "id"):
        try:
            done += carry_out(claim_id=claim.pk, actor="system", now=now) is not None
        except UserError as error:
            requests.note(
                request_id=claim.request_id, text=f"Not carried out yet: {error}", actor="system", now=now
            )
    return done


@transaction.atomic
def end_holding(
    *,
    account_id: int,
    customer_id: int,
    end_date: dt.date,
    value_wh: int | None,
    actor: str,
    now: dt.datetime,
) -> list[handover.HandedOver]:
    """The holder leaves: final bills on their account; a tenant's supply returns to the owner's account.

    `value_wh` is the register on that day, for an account with one meter. ClaimRefused NOT_OPEN when they hold nothing,
    END for a day that has not come or lies before their time; UserError as handover.leave.
    """
    account = CustomerAccount.objects.select_for_update().get(id=account_id)
    holding = Holding.objects.select_for_update(of=("self",)).filter(
        account=account, customer=customer_id, end_date=None
    )
    found = holding.select_related("reverts_to").first()
    if found is None:
        raise ClaimRefused("NOT_OPEN", "This account is not held any more.")
    if not found.start_date < end_date <= now.date():
        raise ClaimRefused("END", f"The last day lies between {found.start_date} and today.")
    current = [supply.current for supply in supplies(account_id)]
    standing = [agreement for agreement in current if agreement and agreement.account_id == account_id]
    if value_wh is not None and len(standing) != 1:
        raise ClaimRefused("END", "This account has several meters or none: leave the reading out.")
    left = []
    for agreement in standing:
        handed = handover.leave(
            agreement_id=agreement.pk, on=end_date, value_wh=value_wh, actor=actor, now=now
        )
        left.append(handed)
        if found.reverts_to is not None:
            handover.open_agreement(
                account_id=found.reverts_to.pk,
                usage_point_id=agreement.usage_point_id,
                category=agreement.category,
                start_date=handed.day,
                actor=actor,
                now=now,
            )
    last = max([end_date, *(handed.day for handed in left)])
    _close(found, last, actor, now)
    if found.reverts_to is not None and left:
        notices.tell_account(found.reverts_to.pk, "returned", claim=None, day=last, now=now)
    return left


def set_beneficiary(holding: Holding, *, since: dt.date, actor: str, now: dt.datetime) -> Beneficiary:
    """The holder declares to use the supply themselves, from that day on; whoever did so before ends there."""
    rows = Beneficiary.objects.select_for_update().filter(account_id=holding.account_id)
    present = rows.filter(end_date=None).first()
    if present and present.customer_id == holding.customer_id:
        return present
    _end_beneficiary(holding.account_id, since)
    newest = rows.order_by("-start_date").first()
    first = max(since, newest.end_date or since) if newest else since
    made = Beneficiary.objects.create(
        account_id=holding.account_id,
        customer_id=holding.customer_id,
        start_date=first,
        declared_at=now,
        declared_by=actor,
    )
    audit.record(
        actor=actor,
        action="BENEFICIARY_DECLARED",
        subject=f"account:{holding.account_id}",
        now=now,
        customer=holding.customer_id,
        start=str(first),
    )
    return made


def _end_beneficiary(account_id: int, day: dt.date) -> None:
    """Whoever uses the supply does so no more from that day on; a declaration of that day or later never was."""
    present = Beneficiary.objects.filter(account_id=account_id, end_date=None)
    present.filter(start_date__gte=day).delete()
    present.update(end_date=day)


def _confirm_books(claim: Claim, account: CustomerAccount, actor: str, now: dt.datetime) -> Holding:
    """The books have it under the claimant: the number stays, with all of its past. Only the record may be another."""
    if account.customer_id != claim.customer_id:
        audit.record(
            actor=actor,
            action="ACCOUNT_HOLDER_JOINED",
            subject=f"account:{account.pk}",
            now=now,
            former_record=account.customer_id,
            customer=claim.customer_id,
        )
        CustomerAccount.objects.filter(id=account.pk).update(customer=claim.customer_id)
    for other in Holding.objects.filter(account=account, end_date=None).exclude(customer=claim.customer_id):
        _close(other, max(now.date(), other.start_date), actor, now, is_account_closed=False)
    mine = Holding.objects.filter(account=account, customer=claim.customer_id, end_date=None).first()
    if mine is not None:
        return mine
    earlier = Holding.objects.filter(account=account, role=claim.role).order_by("-end_date").first()
    began = max(account.opened_on, earlier.end_date) if earlier and earlier.end_date else account.opened_on
    return _hold(claim, account.pk, min(began, now.date()), None, now)


def _pass_on(claim: Claim, account: CustomerAccount, actor: str, now: dt.datetime) -> Holding:
    """The supply, or the ownership beneath a tenant, passes to the claimant under a number of their own."""
    asked = heard(claim)
    present = gives_way(account, claim.customer_id, claim.role)
    if present is not None and present.account_id != asked:
        raise ClaimRefused(
            "MOVED_ON",
            "Since this claim was made the supply passed to somebody who was not asked. Refuse it; a new claim may "
            "be made.",
        )
    points = supplies(account.pk)
    if not points:
        raise UserError(f"Account {account.number} has no usage point. There is nothing to pass on.")
    now_held = {s.current.account_id: open_holding(s.current.account_id) for s in points if s.current}
    mine = _returning_to(claim, list(now_held.values()))
    if mine is None:
        mine = handover.open_account(
            customer_id=claim.customer_id,
            opened_on=claim.start_date,
            language=Language(claim.person.language),
            actor=actor,
            now=now,
        ).pk
    passed: list[_Passed] = []
    reverts_to: int | None = None
    for supply in points:
        tenancy = now_held.get(supply.current.account_id) if supply.current else None
        if is_beneath_tenant(tenancy, claim.customer_id, claim.role):
            assert tenancy is not None
            Holding.objects.filter(id=tenancy.pk).update(reverts_to=mine)
        else:
            passed.append(_pass_supply(supply, mine, claim.start_date, actor, now))
            reverts_to = reverts_to or _owner_account(tenancy, claim)
    day = max((step.day for step in passed), default=claim.start_date)
    for former in {step.account_id for step in passed} - {None}:
        assert former is not None
        _leave_account(former, claim, day, actor, now)
    if present is not None and present.holding is not None and claim.role == ClaimRole.OWNER:
        _end_if_open(present.holding, day, actor, now)
    CustomerAccount.objects.filter(id=mine).update(closed_on=None)
    still = Holding.objects.filter(account=mine, customer=claim.customer_id, end_date=None).first()
    holding = still or _hold(claim, mine, day, reverts_to, now)
    notices.tell_claimant(claim, holding, now=now)
    return holding


def _pass_supply(
    supply: Supply, account_id: int, start_date: dt.date, actor: str, now: dt.datetime
) -> _Passed:
    """One usage point: whoever has it leaves with a final bill, and `account_id` is billed from that day on."""
    former: int | None = None
    if supply.current is None:
        day = max(start_date, supply.last.end_date or start_date)
    else:
        former = supply.current.account_id
        handed = handover.leave(
            agreement_id=supply.current.pk, on=start_date, value_wh=None, actor=actor, now=now
        )
        day = handed.day
    handover.open_agreement(
        account_id=account_id,
        usage_point_id=supply.last.usage_point_id,
        category=(supply.current or supply.last).category,
        start_date=day,
        actor=actor,
        now=now,
    )
    return _Passed(former, day)


def _returning_to(claim: Claim, holdings: list[Holding | None]) -> int | None:
    """The claimant's own account to which a tenant's supply is to return, if there is one."""
    for holding in holdings:
        if holding and holding.reverts_to and holding.reverts_to.customer_id == claim.customer_id:
            return int(holding.reverts_to.pk)
    return None


def _owner_account(former: Holding | None, claim: Claim) -> int | None:
    """Where a new tenant's supply will return to: the declared owner's account; None when no owner is known."""
    if claim.role != ClaimRole.TENANT or former is None:
        return None
    return former.account_id if former.role == ClaimRole.OWNER else former.reverts_to_id


def _leave_account(account_id: int, claim: Claim, day: dt.date, actor: str, now: dt.datetime) -> None:
    """The former holder's side: an owner whose place is let keeps the account; all others' time ends."""
    holding = open_holding(account_id)
    stays = holding is not None and holding.role == ClaimRole.OWNER and claim.role == ClaimRole.TENANT
    if stays:
        _end_beneficiary(account_id, day)
    elif holding is not None:
        _close(holding, day, actor, now)
    else:
        CustomerAccount.objects.filter(id=account_id).update(closed_on=day)
    notices.tell_account(account_id, "let" if stays else "passed_on", claim=claim, day=day, now=now)


def _end_if_open(holding: Holding, day: dt.date, actor: str, now: dt.datetime) -> None:
    """An owner beneath a tenant was replaced: their holding ends though no supply passed."""
    fresh = Holding.objects.get(id=holding.pk)
    if fresh.end_date is None:
        _close(fresh, day, actor, now)
        notices.tell_account(fresh.account_id, "passed_on", claim=None, day=day, now=now)


def _close(
    holding: Holding, day: dt.date, actor: str, now: dt.datetime, *, is_account_closed: bool = True
) -> None:
    """A holding ends, and the use that was declared with it."""
    holding.end_date = max(day, holding.start_date)
    holding.save(update_fields=["end_date"])
    _end_beneficiary(holding.account_id, day)
    if is_account_closed:
        CustomerAccount.objects.filter(Q(closed_on=None), id=holding.account_id).update(closed_on=day)
    audit.record(
        actor=actor,
        action="HOLDING_ENDED",
        subject=f"account:{holding.account_id}",
        now=now,
        customer=holding.customer_id,
        role=holding.role,
        end=str(holding.end_date),
    )


def _hold(
    claim: Claim, account_id: int, start_date: dt.date, reverts_to: int | None, now: dt.datetime
) -> Holding:
    return Holding.objects.create(
        account_id=account_id,
        customer_id=claim.customer_id,
        role=claim.role,
        start_date=start_date,
        reverts_to_id=reverts_to,
        created_at=now,
    )


def _reach_claimant(person: Person, account_id: int, actor: str, now: dt.datetime) -> None:
    """Bills go to the claimant's own mobile and e-mail, which they proved when they signed up."""
    for contact in (person.mobile, person.email):
        if isinstance(contact, ContactPoint) and contact.verified_at and contact.is_active:
            add_contact_point(
                account_id=account_id,
                channel=Channel(contact.channel),
                address=crypto.unseal(bytes(contact.address_sealed), field=ADDRESS_FIELD),
                verified_at=contact.verified_at,
                actor=actor,
                now=now,
            )
