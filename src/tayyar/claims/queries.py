"""Which accounts a person may see, and as what: every face asks here, and nowhere else.

One indexed query each, also for a business with 400 accounts. A foreign account and one that does not exist are both
None. Never writes. Next: the pages and the API.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from tayyar.claims import rules
from tayyar.claims.models import Beneficiary, Claim, ClaimFile, ClaimState, Holding
from tayyar.core.periods import Period
from tayyar.customers.models import Customer, CustomerAccount
from tayyar.identity.models import MemberRole, Membership, Person

SELF = "SELF"
MANAGERS = (SELF, MemberRole.ADMIN.value)
PAYERS = (*MANAGERS, MemberRole.PAYER.value)


@dataclass(frozen=True, slots=True)
class Held:
    """An account that a person may see. `role`: OWNER or TENANT; `member_role`: SELF, or their role in the business.

    `tenant_since`: an owner's, while a tenant has the supply; the tenant's bills are under the tenant's own number.
    """

    account: CustomerAccount
    holding_id: int
    role: str
    nickname: str
    budget_minor: int | None
    start_date: dt.date
    end_date: dt.date | None
    customer_id: int
    member_role: str
    is_open: bool
    tenant_since: dt.date | None

    @property
    def in_their_name(self) -> bool:
        """Whether the books still have it under their customer: then all of its bills are theirs."""
        return self.account.customer_id == self.customer_id

    @property
    def may_pay(self) -> bool:
        """Everybody but a VIEWER, for what is in their name or still theirs."""
        return self.member_role in PAYERS and (self.is_open or self.in_their_name)

    @property
    def may_manage(self) -> bool:
        """The person themselves, or an ADMIN of the business."""
        return self.member_role in MANAGERS and (self.is_open or self.in_their_name)

    def sees(self, period: Period) -> bool:
        """Whether a bill of that month can be theirs. Of a single bill, `sees_days` is exact."""
        return self.in_their_name or rules.touches(self.start_date, self.end_date, period.start, period.end)

    def sees_days(self, first: dt.date, last: dt.date) -> bool:
        """Whether a bill over [first, last) is theirs to see."""
        return self.in_their_name or rules.covers(self.start_date, self.end_date, first, last)


@dataclass(frozen=True, slots=True)
class Offer:
    """An account that is theirs in the books and was never claimed: one tap is enough."""

    account: CustomerAccount
    customer_id: int  # for whom to claim it: the person, or a business


@dataclass(frozen=True, slots=True)
class Contest:
    """A claim against an account, as its present holder may see it: nothing of who claims."""

    claim_id: int
    reference: str
    account_number: int
    role: str
    start_date: dt.date
    answer_until: dt.date
    answer: str


def accounts_of(person: Person, *, today: dt.date) -> list[Held]:
    """Every account the person may see: their own and their businesses', those that are open first."""
    return _once(_holdings(person, today), today)


def held(person: Person, account_id: int, *, today: dt.date) -> Held | None:
    """That account, if the person may see it."""
    if not 0 <= account_id < 2**63:
        return None
    found = _once(_holdings(person, today).filter(account_id=account_id), today)
    return found[0] if found else None


def may_manage(person: Person, account_id: int, today: dt.date) -> bool:
    """Whether the person may ask for something in the name of the account's holder."""
    found = held(person, account_id, today=today)
    return found is not None and found.may_manage


def offered_to(person: Person, *, today: dt.date) -> list[Offer]:
    """The open accounts that the books have under the person's identity or business, and that nobody claimed for it."""
    theirs = Customer.objects.filter(id=person.customer_id).values("id")
    same = Customer.objects.filter(national_id_hash=person.id_hash).values("id")
    claimed = Holding.objects.filter(account=OuterRef("pk"))
    accounts = (
        CustomerAccount.objects.filter(customer_id__in=theirs.union(same, _administered(person)))
        .filter(Q(closed_on=None) | Q(closed_on__gt=today))
        .exclude(Exists(claimed))
        .select_related("customer")
        .order_by("id")
    )
    return [
        Offer(
            account, account.customer_id if account.customer.kind == "BUSINESS" else int(person.customer_id)
        )
        for account in accounts
    ]


def may_act_for(person: Person, customer_id: int) -> bool:
    """Whether the person may claim for this customer: themselves, or a business whose ADMIN they are."""
    return customer_id == person.customer_id or _administered(person).filter(business=customer_id).exists()


def claims_of(person: Person) -> QuerySet[Claim]:
    """The person's claims, the newest first."""
    return Claim.objects.filter(person=person).select_related("request", "account").order_by("-id")


def contest(claim_id: int, *, today: dt.date) -> Contest | None:
    """What a present holder is asked about; None when it is over, was never asked, or there is no such claim."""
    found = _contests(today).filter(id=claim_id).first()
    return _contest(found) if found else None


def contests_of(person: Person, *, today: dt.date) -> list[Contest]:
    """The claims against accounts that this person manages, and may still answer."""
    theirs = Customer.objects.filter(id=person.customer_id).values("id")
    mine = theirs.union(_administered(person))
    found = _contests(today).filter(
        Q(against__isnull=False, against__account__customer_id__in=mine)
        | Q(against=None, account__customer_id__in=mine)
    )
    return [_contest(claim) for claim in found.order_by("answer_until", "id")]


def beneficiaries_of(account_id: int) -> QuerySet[Beneficiary]:
    """Who declared to use the supply, the newest first."""
    return (
        Beneficiary.objects.filter(account_id=account_id).select_related("customer").order_by("-start_date")
    )


def files_of(person: Person) -> QuerySet[ClaimFile]:
    """The files sent for businesses whose ADMIN the person is, the newest first."""
    found = ClaimFile.objects.filter(customer_id__in=_administered(person))
    return found.defer("content_sealed").order_by("-sent_at", "-id")


def _administered(person: Person) -> QuerySet[Membership, Any]:
    member = Membership.objects.filter(person=person, accepted_at__isnull=False, ended_at=None)
    return member.filter(role=MemberRole.ADMIN).values("business_id")


def _holdings(person: Person, today: dt.date) -> QuerySet[Holding]:
    member = Membership.objects.filter(person=person, accepted_at__isnull=False, ended_at=None)
    own = Customer.objects.filter(id=person.customer_id).values("id")
    tenants = Holding.objects.filter(reverts_to=OuterRef("account"), start_date__lte=today).filter(
        Q(end_date=None) | Q(end_date__gt=today)
    )
    return (
        Holding.objects.filter(
            customer_id__in=own.union(member.values("business_id"), all=True), start_date__lte=today
        )
        .annotate(
            own_id=Subquery(own),
            member_role=Subquery(member.filter(business=OuterRef("customer")).values("role")[:1]),
            tenant_since=Subquery(tenants.order_by("start_date").values("start_date")[:1]),
        )
        .select_related("account__customer")
        .order_by(F("end_date").desc(nulls_first=True), "account_id", "-start_date")
    )


def _once(holdings: QuerySet[Holding], today: dt.date) -> list[Held]:
    """One for each account: the holding that is open, else the one that ended last."""
    found: dict[int, Held] = {}
    for holding in holdings:
        if holding.account_id not in found:
            is_own = holding.customer_id == holding.own_id  # type: ignore[attr-defined]
            found[holding.account_id] = Held(
                account=holding.account,
                holding_id=holding.pk,
                role=holding.role,
                nickname=holding.nickname,
                budget_minor=holding.budget_minor,
                start_date=holding.start_date,
                end_date=holding.end_date,
                customer_id=holding.customer_id,
                member_role=SELF if is_own else holding.member_role,  # type: ignore[attr-defined]
                is_open=holding.end_date is None or holding.end_date > today,
                tenant_since=holding.tenant_since,  # type: ignore[attr-defined]
            )
    return list(found.values())


def _contests(today: dt.date) -> QuerySet[Claim]:
    open_ones = Claim.objects.filter(state=ClaimState.DISPUTED, answer_until__gte=today)
    return open_ones.select_related("request", "account", "against__account")


def _contest(claim: Claim) -> Contest:
    account = claim.against.account if claim.against else claim.account
    assert claim.answer_until is not None
    return Contest(
        claim_id=claim.pk,
        reference=claim.request.reference,
        account_number=account.number,
        role=claim.role,
        start_date=claim.start_date,
        answer_until=claim.answer_until,
        answer=claim.answer,
    )
