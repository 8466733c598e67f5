"""The accounts that the person may see, what each owes, and what the person calls it.

Holds no rule: who may see what is claims/queries.py's, what is owed billing/account_queries.py's. A page of accounts
costs as many queries as one account. Next: bills.py, use.py, wishes.py.
"""

import datetime as dt
from typing import Annotated, Literal, cast

from django.http import HttpRequest
from ninja import Path, Router, Schema
from pydantic import Field

from tayyar.api.door import Caller
from tayyar.api.paging import Cursor, Limit, page
from tayyar.api.problems import not_found
from tayyar.api.shapes import PROBLEMS, AccountNumber, Given, Money, Text, maybe_money, shows_balance
from tayyar.billing.account_queries import Standing, standings
from tayyar.claims.queries import Held, accounts_of
from tayyar.claims.queries import held as held_account
from tayyar.claims.services import LONGEST_NICKNAME, describe_holding
from tayyar.core import references
from tayyar.core.errors import UserError

router = Router(tags=["Accounts"])
NO_ACCOUNT = 0
Role = Literal["OWNER", "TENANT"]
AccountPath = Annotated[str, Path(description="The account's eleven digits.", examples=["10000000154"])]


class Account(Schema):
    """An account and what it owes. `balance` below zero is credit; it is null for a former holder, who keeps the bills
    of their own time. `state`: OVERDUE, DUE, CREDIT, CLEAR or ENDED."""

    number: AccountNumber
    nickname: str
    budget: Money | None
    role: Role
    member_role: str = Field(description="SELF, or the role in the business: ADMIN, PAYER, VIEWER.")
    customer_id: int
    start_date: dt.date
    end_date: dt.date | None = Field(description="The first day without.")
    tenant_since: dt.date | None
    is_open: bool
    may_pay: bool
    may_manage: bool
    state: str
    balance: Money | None
    overdue: Money | None
    due_date: dt.date | None
    newest_bill: str | None


class Accounts(Schema):
    """A page of accounts, open ones first."""

    items: list[Account]
    next_cursor: str | None


class AccountChange(Given):
    """The name that the person gives the account, and what they mean to spend in a month: null for neither."""

    nickname: Text = Field("", max_length=LONGEST_NICKNAME, examples=["My flat"])
    budget_minor: int | None = Field(None, gt=0, le=10**15, strict=True, examples=[25000])


@router.get(
    "/accounts",
    response={200: Accounts, **PROBLEMS},
    operation_id="listAccounts",
    summary="The person's accounts",
)
def list_accounts(request: HttpRequest, limit: Limit, cursor: Cursor = None) -> Accounts:
    """Their own and their businesses' accounts with what each owes."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    every = accounts_of(caller.person, today=caller.today)
    shown, following = page(every, lambda held: held.account.pk, limit=limit, cursor=cursor)
    found = standings([held.account.pk for held in shown], caller.local_now)
    return Accounts(items=[_account(one, found[one.account.pk]) for one in shown], next_cursor=following)


@router.get(
    "/accounts/{number}",
    response={200: Account, **PROBLEMS},
    operation_id="getAccount",
    summary="One account",
)
def get_account(request: HttpRequest, number: AccountPath) -> Account:
    """One account with what it owes."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return _one(caller, held_of(caller, number))


@router.patch(
    "/accounts/{number}",
    response={200: Account, **PROBLEMS},
    operation_id="describeAccount",
    summary="Name and budget of an account",
)
def describe_account(request: HttpRequest, number: AccountPath, change: AccountChange) -> Account:
    """Keep the account's name and monthly budget; a field that is left out stays. For who may manage it."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    held = held_of(caller, number)
    given = change.model_fields_set
    describe_holding(
        person=caller.person,
        holding_id=held.holding_id,
        nickname=change.nickname if "nickname" in given else held.nickname,
        budget_minor=change.budget_minor if "budget_minor" in given else held.budget_minor,
        now=caller.now,
    )
    return _one(caller, held_of(caller, number))


def account_id_of(typed: str) -> int | None:
    """The account of an eleven-digit number with right check digits."""
    try:
        return references.parse_number(typed, what="account number", digits=11) // 100
    except UserError:
        return None


def held_of(caller: Caller, typed: str) -> Held:
    """The account of that number, if the person may see it. The same Problem, by the same query, for any other."""
    wanted = account_id_of(typed)
    found = held_account(caller.person, wanted if wanted is not None else NO_ACCOUNT, today=caller.today)
    if found is None:
        raise not_found()
    return found


def managed_of(caller: Caller, typed: str) -> Held:
    """The same for an account that is open, theirs to manage and in their name."""
    found = held_of(caller, typed)
    if not (found.is_open and found.may_manage):
        raise not_found()
    return found


def _one(caller: Caller, held: Held) -> Account:
    return _account(held, standings([held.account.pk], caller.local_now)[held.account.pk])


def _account(held: Held, one: Standing) -> Account:
    is_shown = shows_balance(held)
    newest = next(
        (bill for bill in one.bills if bill.stands and held.sees_days(bill.start_date, bill.end_date)), None
    )
    return Account(
        number=str(held.account.number),
        nickname=held.nickname,
        budget=maybe_money(held.budget_minor),
        role=cast(Role, held.role),
        member_role=held.member_role,
        customer_id=held.customer_id,
        start_date=held.start_date,
        end_date=held.end_date,
        tenant_since=held.tenant_since,
        is_open=held.is_open,
        may_pay=held.may_pay,
        may_manage=held.may_manage,
        state=one.state if is_shown else "ENDED",
        balance=maybe_money(one.balance_minor if is_shown else None),
        overdue=maybe_money(one.overdue_minor if is_shown else None),
        due_date=one.due_date if is_shown else None,
        newest_bill=f"{newest.number:015d}" if newest else None,
    )
