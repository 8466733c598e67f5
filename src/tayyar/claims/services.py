"""The writer of claims: looked at before (preview), made, registered with their request, decided; and what holders set.

Evidence decides the way: the books themselves (approved at once), a clerk's check, or papers that staff look at. An
unknown account answers like a foreign one until papers are given. Next: disputes.py asks who would have to give way,
transfers.py carries out, requests tells.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from tayyar.billing.models import Bill, BillRun
from tayyar.billing.numbers import bill_period
from tayyar.billing.services import balance_of
from tayyar.claims import disputes, queries, rules, transfers
from tayyar.claims.disputes import expire_disputes, give_way, object_to
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Beneficiary, Claim, ClaimAttempt, ClaimRole, ClaimState, Evidence, Holding
from tayyar.claims.standing import gives_way, is_own
from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Agreement, Customer, CustomerAccount, Language
from tayyar.identity.models import Person, TermsAcceptance
from tayyar.notifications.people import local_zone
from tayyar.profiles.installation import installed_profile
from tayyar.requests import services as requests
from tayyar.requests.documents import Upload
from tayyar.requests.models import ServiceRequest, Via

__all__ = [
    "ClaimPreview", "approve", "check_claimant", "claim", "clear_attempts", "declare_beneficiary", "describe_holding",
    "end_holding", "end_without", "expire_disputes", "give_way", "object_to", "preview", "register",
]  # fmt: skip

MOST_A_DAY = 20  # other people's account numbers that one person may ask about in 24 hours
LONGEST_NICKNAME = 40
MOST_BUDGET_MINOR = 10**15
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClaimPreview:
    """What may be shown before a claim. All but the number is empty for an account that is not theirs."""

    account_number: int
    is_own: bool
    address: str  # theirs in full, else masked
    holder_initials: str
    category: str
    balance_minor: int | None


def preview(
    *, person: Person, account_id: int, now: dt.datetime, bill_number: int | None = None
) -> ClaimPreview:
    """What a person may see of an account before they claim it. ClaimRefused BUDGET.

    Theirs in the books: address, category, balance. With `bill_number` of a bill of this account whose link they
    opened (its QR code): the masked address and the holder's initials. Else, and for no account at all: nothing.
    """
    nothing = ClaimPreview(with_check(account_id), False, "", "", "", None)
    account = _account(account_id)
    if account is not None and _is_theirs(account, person):
        return ClaimPreview(
            account.number,
            True,
            _address(account.pk),
            rules.initials(account.customer.name),
            _category(account.pk),
            balance_of(account_id=account.pk),
        )
    _spend(person, with_check(account_id), now)
    if account is None or bill_number is None or not _is_bill_of(account.pk, bill_number):
        return nothing
    return ClaimPreview(
        account.number,
        False,
        rules.masked_place(_address(account.pk)),
        rules.initials(account.customer.name),
        _category(account.pk),
        None,
    )


def claim(
    *,
    person: Person,
    customer_id: int,
    account_id: int,
    role: ClaimRole,
    is_beneficiary: bool,
    start_date: dt.date,
    evidence: Evidence,
    documents: Sequence[Upload] = (),
    via: Via,
    terms_version: str,
    language: Language,
    once_key: str | None,
    now: dt.datetime,
    clerk: str | None = None,
) -> Claim:
    """Claim an account for the person, or for a business whose ADMIN they are. The same `once_key`: the same claim.

    Approved at once when the books have it under the same identity, or `clerk` ("user:7", via BRANCH) checked the
    papers and nobody would have to give way; else DISPUTED or in the staff's queue. ClaimRefused says what is in the
    way, as do the refusals of requests (papers, too many open).
    """
    customer = check_claimant(person=person, customer_id=customer_id, terms_version=terms_version)
    rules.check_start(start_date, first=earliest_start(now), today=local_day(now))
    if (clerk is not None) != (evidence is Evidence.CLERK) or (clerk is not None and via is not Via.BRANCH):
        raise ClaimRefused("CLERK", "Papers are checked by a clerk at a branch, who is named.")
    account = _account(account_id)
    own = account is not None and is_own(account, customer, person)
    if not own:
        if via is not Via.FILE:  # a file says no more of a foreign row than that a paper is needed
            _spend(person, with_check(account_id), now)
        if (not documents and clerk is None) or via is Via.FILE:
            raise ClaimRefused(
                "EVIDENCE", "Add the deed or the lease: we compare it with this account number."
            )
    if account is None:
        raise ClaimRefused("UNKNOWN", "We know no account with this number. Compare it with a bill.")
    form = {
        "role": role.value,
        "start_date": start_date,
        "is_beneficiary": is_beneficiary,
        "evidence": _evidence(own, evidence, role).value,
    }
    if customer_id != person.customer_id:
        form["customer"] = customer_id
    with transaction.atomic():
        TermsAcceptance.objects.get_or_create(
            person=person, terms="CLAIM", version=terms_version, defaults={"accepted_at": now}
        )
        request = requests.open_request(
            type_code="ACCOUNT_CLAIM",
            person=person,
            account_id=account_id,
            form=form,
            documents=documents,
            via=via,
            language=language,
            once_key=once_key,
            now=now,
            actor=clerk,
        )
        return Claim.objects.select_related("request", "account", "holding").get(request=request)


def check_claimant(*, person: Person, customer_id: int, terms_version: str) -> Customer:
    """For whom a claim is made. ClaimRefused NOT_YOURS, TERMS."""
    customer = _customer(person, customer_id)
    if terms_version != installed_profile().terms_version:
        raise ClaimRefused("TERMS", "The terms have changed. Read and accept the present ones.")
    return customer


@transaction.atomic
def register(
    *,
    request: ServiceRequest,
    customer_id: int,
    role: ClaimRole,
    is_beneficiary: bool,
    start_date: dt.date,
    evidence: Evidence,
    now: dt.datetime,
) -> Claim:
    """The claim behind a request that was just opened; where nothing stands in its way it is decided here.

    ClaimRefused HELD, OPEN, EVIDENCE, MOVED_ON, TERMS.
    """
    person = request.person
    if person is None or request.account_id is None:
        raise ClaimRefused("NOT_YOURS", "A claim is made by a person, for an account.")
    account = (
        CustomerAccount.objects.select_for_update(of=("self",))
        .select_related("customer")
        .get(id=request.account_id)
    )
    customer = _customer(person, customer_id)
    own = is_own(account, customer, person)
    _check_terms(person)
    if not own and evidence is not Evidence.CLERK and not request.documents.exists():
        raise ClaimRefused("EVIDENCE", "Add the deed or the lease: we compare it with this account number.")
    if evidence is Evidence.CLERK and request.via != Via.BRANCH:
        raise ClaimRefused("CLERK", "Papers are checked by a clerk at a branch.")
    if Holding.objects.filter(account=account, customer=customer, end_date=None).exists():
        raise ClaimRefused("HELD", "This account is yours already.")
    under_way = Claim.objects.filter(account=account, customer=customer, role=role, ended_at=None)
    if under_way.exists():
        raise ClaimRefused("OPEN", "You claimed this account already. We tell you when it is decided.")
    against = None if own else gives_way(account, customer.pk, role)
    made = Claim.objects.create(
        request=request,
        account=account,
        customer=customer,
        person=person,
        role=role,
        is_beneficiary=is_beneficiary,
        start_date=start_date,
        evidence=_evidence(own, evidence, role),
        state=ClaimState.OPEN,
        against=against.holding if against else None,
    )
    audit.record(
        actor=f"person:{person.pk}",
        action="ACCOUNT_CLAIMED",
        subject=f"account:{account.pk}",
        now=now,
        claim=made.pk,
        role=role.value,
        evidence=made.evidence,
        disputed=against is not None,
    )
    if against is not None:
        disputes.ask_holder(made, against.account_id, today=local_day(now), now=now)
    elif own or evidence is Evidence.CLERK:
        requests.decide(request_id=request.pk, is_approved=True, text="", actor="system", now=now)
        made.refresh_from_db()
    return made


@transaction.atomic
def approve(*, claim_id: int, actor: str, now: dt.datetime) -> Claim:
    """Its request was approved. ClaimRefused NOT_OPEN while the present holder may still answer."""
    found = Claim.objects.select_for_update().get(id=claim_id)
    if found.state == ClaimState.APPROVED:
        return found
    if found.state == ClaimState.DISPUTED and not found.answer:
        raise ClaimRefused(
            "NOT_OPEN", f"The present holder may answer until {found.answer_until}. Decide after that day."
        )
    _end(found, ClaimState.APPROVED, actor, now)
    disputes.settle(found, is_upheld=False, now=now)
    transfers.carry_out(claim_id=claim_id, actor=actor, now=now)
    found.refresh_from_db()
    return found


@transaction.atomic
def end_without(*, claim_id: int, state: ClaimState, actor: str, now: dt.datetime) -> None:
    """Its request was refused or withdrawn: nothing changes hands."""
    found = Claim.objects.select_for_update().get(id=claim_id)
    if found.state in (ClaimState.OPEN, ClaimState.DISPUTED):
        _end(found, state, actor, now)
        disputes.settle(found, is_upheld=True, now=now)


@transaction.atomic
def describe_holding(
    *, person: Person, holding_id: int, nickname: str, budget_minor: int | None, now: dt.datetime
) -> Holding:
    """What the holder calls the account and means to spend in a month. ClaimRefused NOT_YOURS, NICKNAME."""
    holding = Holding.objects.select_for_update().filter(id=holding_id).first()
    mine = queries.held(person, holding.account_id, today=local_day(now)) if holding else None
    if holding is None or mine is None or mine.holding_id != holding_id or not mine.may_manage:
        raise ClaimRefused("NOT_YOURS", "There is no such account.")
    name = " ".join(nickname.split())
    is_budget = budget_minor is None or 0 < budget_minor <= MOST_BUDGET_MINOR
    if len(name) > LONGEST_NICKNAME or "\0" in name or not is_budget:
        raise ClaimRefused(
            "NICKNAME", f"A name has at most {LONGEST_NICKNAME} letters; a budget is above zero."
        )
    if (holding.nickname, holding.budget_minor) != (name, budget_minor):
        holding.nickname, holding.budget_minor = name, budget_minor
        holding.save(update_fields=["nickname", "budget_minor"])
        audit.record(
            actor=f"person:{person.pk}",
            action="HOLDING_DESCRIBED",
            subject=f"account:{holding.account_id}",
            now=now,
            has_budget=budget_minor is not None,
        )
    return holding


@transaction.atomic
def declare_beneficiary(
    *, person: Person, account_id: int, start_date: dt.date, now: dt.datetime
) -> Beneficiary:
    """The holder declares to use the supply from that day on. ClaimRefused NOT_YOURS, START_EARLY, START_LATE."""
    holding = _managed(person, account_id, now)
    today = local_day(now)
    rules.check_start(start_date, first=max(earliest_start(now), holding.start_date), today=today)
    return transfers.set_beneficiary(holding, since=start_date, actor=f"person:{person.pk}", now=now)


def end_holding(
    *, person: Person, account_id: int, end_date: dt.date, value_wh: int | None, now: dt.datetime
) -> None:
    """The holder moves out: a final bill; a tenant's supply returns to the owner.

    ClaimRefused NOT_YOURS, NOT_OPEN, END. RunUnderWay while a bill run is at the account: the same call succeeds when
    it is finished.
    """
    holding = _managed(person, account_id, now)
    transfers.end_holding(
        account_id=account_id,
        customer_id=holding.customer_id,
        end_date=end_date,
        value_wh=value_wh,
        actor=f"person:{person.pk}",
        now=now,
    )


def clear_attempts(*, now: dt.datetime) -> int:
    """Forget the attempts that no budget counts any more; returns how many."""
    return ClaimAttempt.objects.filter(at__lte=now - DAY).delete()[0]


def earliest_start(now: dt.datetime) -> dt.date:
    """Where the current bill's period began: the newest run's month, before the first run this month."""
    newest = BillRun.objects.order_by("-period").values_list("period", flat=True).first()
    return (Period.from_number(newest) if newest else Period.of(local_day(now))).start


def local_day(now: dt.datetime) -> dt.date:
    """The day where the utility is."""
    return now.astimezone(local_zone()).date()


# ------------------------------------------------------------------------------------------------------------- helpers


def _account(account_id: int) -> CustomerAccount | None:
    return CustomerAccount.objects.select_related("customer").filter(id=account_id).first()


def _customer(person: Person, customer_id: int) -> Customer:
    if not queries.may_act_for(person, customer_id):
        raise ClaimRefused("NOT_YOURS", "Only an administrator of a business claims in its name.")
    return Customer.objects.get(id=customer_id)


def _is_theirs(account: CustomerAccount, person: Person) -> bool:
    """In the books under the person, or under a business whose ADMIN they are."""
    return is_own(account, person.customer, person) or queries.may_act_for(person, account.customer_id)


def _managed(person: Person, account_id: int, now: dt.datetime) -> Holding:
    mine = queries.held(person, account_id, today=local_day(now))
    if mine is None or not mine.may_manage or not mine.is_open:
        raise ClaimRefused("NOT_YOURS", "There is no such account.")
    return Holding.objects.get(id=mine.holding_id)


def _evidence(own: bool, given: Evidence, role: ClaimRole) -> Evidence:
    """What the claim really rests on: nobody's word makes it AUTHORITY."""
    if own:
        return Evidence.AUTHORITY
    if given is Evidence.AUTHORITY:
        return Evidence.DEED if role is ClaimRole.OWNER else Evidence.LEASE
    return given


def _check_terms(person: Person) -> None:
    version = installed_profile().terms_version
    if not TermsAcceptance.objects.filter(person=person, terms="CLAIM", version=version).exists():
        raise ClaimRefused("TERMS", "Read and accept the terms of claims first.")


@transaction.atomic
def _spend(person: Person, number: int, now: dt.datetime) -> None:
    """Count that the person asked about this number; the same one again costs nothing. ClaimRefused BUDGET.

    A transaction of its own: what is refused afterwards was asked all the same.
    """
    if not 0 <= number < 2**63:
        number = 0  # no account has such a number; all of them are counted as one
    Person.objects.select_for_update(of=("self",)).get(id=person.pk)
    asked = ClaimAttempt.objects.filter(person=person, at__gt=now - DAY)
    if asked.filter(account_number=number).exists():
        return
    if asked.count() >= MOST_A_DAY:
        raise ClaimRefused("BUDGET", f"You asked about {MOST_A_DAY} accounts in 24 hours. Come tomorrow.")
    ClaimAttempt.objects.create(person=person, account_number=number, at=now)


def _end(found: Claim, state: ClaimState, actor: str, now: dt.datetime) -> None:
    found.state, found.ended_at = state, now
    found.save(update_fields=["state", "ended_at"])
    audit.record(
        actor=actor, action=f"CLAIM_{state}", subject=f"account:{found.account_id}", now=now, claim=found.pk
    )


def _agreement(account_id: int) -> Agreement | None:
    found = Agreement.objects.filter(account_id=account_id).select_related("usage_point")
    return found.order_by("-start_date", "id").first()


def _address(account_id: int) -> str:
    agreement = _agreement(account_id)
    return agreement.usage_point.address if agreement else ""


def _category(account_id: int) -> str:
    agreement = _agreement(account_id)
    known = {category.number: category.code for category in installed_profile().categories}
    return known.get(agreement.category, "") if agreement else ""


def _is_bill_of(account_id: int, bill_number: int) -> bool:
    try:
        period = bill_period(bill_number).number
    except (UserError, ValueError):
        return False
    return Bill.objects.filter(period=period, number=bill_number, account_id=account_id).exists()
