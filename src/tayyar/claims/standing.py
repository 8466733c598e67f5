"""Who stands where: whose an account is in the books, who is supplied now, and who would have to give way to a claim.

Reads only. Next: services.py when a claim comes, transfers.py when it is carried out.
"""

from dataclasses import dataclass

from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Claim, ClaimRole, Holding
from tayyar.customers.models import Agreement, Customer, CustomerAccount
from tayyar.identity.models import Person


@dataclass(frozen=True, slots=True)
class Supply:
    """A usage point that an account has or had last, and the agreement under which it is supplied now, if any."""

    last: Agreement
    current: Agreement | None


@dataclass(frozen=True, slots=True)
class GivesWay:
    """The account whose holder a claim is against, and their holding, where they claimed it themselves."""

    account_id: int
    holding: Holding | None


def is_own(account: CustomerAccount, customer: Customer, person: Person) -> bool:
    """Whether the books have the account under this very customer, or under another record of the same identity."""
    if account.customer_id == customer.pk:
        return True
    known = account.customer.national_id_hash
    if known is None or account.customer.kind != customer.kind:
        return False
    hashes = [customer.national_id_hash]
    if customer.pk == person.customer_id:
        hashes.append(person.id_hash)
    return any(value is not None and bytes(value) == bytes(known) for value in hashes)


def supplies(account_id: int) -> list[Supply]:
    """The usage points of an account: those it has, else those it had until its last day."""
    agreements = list(Agreement.objects.filter(account_id=account_id).order_by("id"))
    standing = [agreement for agreement in agreements if agreement.end_date is None]
    if not standing and agreements:
        last_day = max(agreement.end_date for agreement in agreements if agreement.end_date)
        standing = [agreement for agreement in agreements if agreement.end_date == last_day]
    points = [agreement.usage_point_id for agreement in standing]
    now = Agreement.objects.filter(usage_point_id__in=points, end_date=None).select_related("account")
    current = {agreement.usage_point_id: agreement for agreement in now}
    return [Supply(agreement, current.get(agreement.usage_point_id)) for agreement in standing]


def open_holding(account_id: int) -> Holding | None:
    """The holding in whose name an account's supply runs: a tenant's before an owner's."""
    found = Holding.objects.filter(account_id=account_id, end_date=None).select_related("reverts_to")
    return found.order_by("-role").first()  # TENANT before OWNER


def gives_way(account: CustomerAccount, customer_id: int, role: str) -> GivesWay | None:
    """Who would lose something if `customer_id` became the account's owner or tenant; None: nobody.

    ClaimRefused MOVED_ON when the supply runs under another number whose holder we cannot name; HELD when the claimant
    is supplied there already.
    """
    for supply in supplies(account.pk):
        if supply.current is None:
            holding = open_holding(account.pk)
            if holding and holding.customer_id != customer_id:
                return GivesWay(account.pk, holding)
            continue
        supplied = supply.current.account
        holding = open_holding(supplied.pk)
        if supplied.customer_id == customer_id:
            raise ClaimRefused("HELD", "This supply is in your name already, under another account number.")
        if is_beneath_tenant(holding, customer_id, role):
            owner = _owner_of(holding, account)
            if owner and owner.customer_id != customer_id:
                return GivesWay(owner.account_id, owner)
            continue
        if supplied.pk != account.pk and holding is None:
            raise ClaimRefused(
                "MOVED_ON", "This supply is billed under another account number now. Claim that number."
            )
        return GivesWay(supplied.pk, holding)
    return None


def is_beneath_tenant(holding: Holding | None, customer_id: int, role: str) -> bool:
    """Whether an owner comes while a tenant has the supply, which the tenant keeps.

    Not when the owner to whom the supply returns asks for it: then it is the tenant who would give way.
    """
    if holding is None or holding.role != ClaimRole.TENANT or role != ClaimRole.OWNER:
        return False
    return holding.reverts_to is None or holding.reverts_to.customer_id != customer_id


def heard(claim: Claim) -> int | None:
    """The account whose holder was asked about a claim; None when nobody was."""
    if claim.against is not None:
        return claim.against.account_id
    return claim.account_id if claim.answer_until else None


def _owner_of(tenancy: Holding | None, typed: CustomerAccount) -> Holding | None:
    """The owner above a tenant: where the supply returns to, else the declared owner of the number that was typed."""
    returns_to = tenancy.reverts_to_id if tenancy and tenancy.reverts_to_id else typed.pk
    return Holding.objects.filter(account_id=returns_to, role=ClaimRole.OWNER, end_date=None).first()
