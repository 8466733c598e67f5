"""Supply passes from one account to another: final bill for who leaves, a new agreement for who comes.

Owns the opening of accounts and agreements one by one. An account number never changes hands: debts, bills, links and
contact points stay with the number they belong to. Never decides who is right (claims). Next: the bill run.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Max

from tayyar.billing import services
from tayyar.billing.models import Bill, BillKind
from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.customers.models import FIRST_ACCOUNT_ID, Agreement, CustomerAccount, Language
from tayyar.ledger.models import LedgerAccount

_LAST_ACCOUNT_ID = 999_999_999  # nine digits, so that an account number always has eleven


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of one agreement. `day`: the first day that is not its account's any more."""

    agreement_id: int
    day: dt.date
    cancelled: int | None  # the bill that reached beyond that day
    final_bill: int | None  # None: all days before were billed already


@transaction.atomic
def open_account(
    *, customer_id: int, opened_on: dt.date, language: Language, actor: str, now: dt.datetime
) -> CustomerAccount:
    """A new account with the next free number, and its place in the ledger. UserError when the numbers are used up."""
    _one_opener()
    newest = CustomerAccount.objects.aggregate(top=Max("id"))["top"] or FIRST_ACCOUNT_ID - 1
    if newest >= _LAST_ACCOUNT_ID:
        raise UserError(f"Account numbers end at {_LAST_ACCOUNT_ID}. No account can be opened.")
    account = CustomerAccount.objects.create(
        id=newest + 1, customer_id=customer_id, opened_on=opened_on, language=language
    )
    LedgerAccount.objects.create(id=account.pk)
    audit.record(
        actor=actor, action="ACCOUNT_OPENED", subject=f"account:{account.pk}", now=now, customer=customer_id
    )
    return account


@transaction.atomic
def open_agreement(
    *,
    account_id: int,
    usage_point_id: int,
    category: int,
    start_date: dt.date,
    actor: str,
    now: dt.datetime,
) -> Agreement:
    """Supply of this usage point is billed to the account from `start_date` on.

    UserError while another agreement supplies the usage point on that day or later.
    """
    _one_opener()
    others = Agreement.objects.filter(usage_point_id=usage_point_id)
    if others.filter(end_date=None).exists() or others.filter(end_date__gt=start_date).exists():
        raise UserError(f"Usage point {usage_point_id} is supplied under another agreement. End that first.")
    newest = Agreement.objects.aggregate(top=Max("id"))["top"] or 0
    agreement = Agreement.objects.create(
        id=newest + 1,
        account_id=account_id,
        usage_point_id=usage_point_id,
        category=category,
        start_date=start_date,
    )
    audit.record(
        actor=actor,
        action="MOVED_IN",
        subject=f"agreement:{agreement.pk}",
        now=now,
        account=account_id,
        start=str(start_date),
    )
    return agreement


@transaction.atomic
def leave(
    *, agreement_id: int, on: dt.date, value_wh: int | None, actor: str, now: dt.datetime
) -> HandedOver:
    """End an agreement on `on` and bill its rest, if any. `value_wh` is the register on that day, else it is estimated.

    At most the newest bill is reopened: when it reaches beyond `on` it is cancelled, and the agreement ends on `on`,
    but not before that bill began. UserError as services.move_out; RunUnderWay while a run is at the account.
    """
    agreement = services.hold_still(agreement_id)
    if agreement.end_date:
        raise UserError(f"Agreement {agreement_id} ended already, on {agreement.end_date}.")
    day, cancelled = max(on, agreement.start_date + dt.timedelta(days=1)), None
    if day > now.date():
        raise UserError(f"{day} has not come yet; end the agreement on that day.")
    newest = services.newest_bill(agreement_id)
    if newest and newest.kind != BillKind.CREDIT_NOTE and newest.end_date > day:
        day = max(day, newest.start_date)
        cancelled = newest.number
        services.cancel(number=cancelled, why=f"The supply passed on on {day}.", actor=actor, now=now)
        newest = services.newest_bill(agreement_id)
    if newest:
        billed_to = newest.start_date if newest.kind == BillKind.CREDIT_NOTE else newest.end_date
        day = max(day, billed_to)
        if day == billed_to:
            _end_billed(agreement, day, value_wh, actor, now)
            return HandedOver(agreement_id, day, cancelled, None)
    final = services.move_out(
        agreement_id=agreement_id, end_date=day, value_wh=value_wh, actor=actor, now=now
    )
    return HandedOver(agreement_id, day, cancelled, final)


def _end_billed(
    agreement: Agreement, day: dt.date, value_wh: int | None, actor: str, now: dt.datetime
) -> None:
    """All its days are billed: it only ends. Whoever comes opens at the register where its last bill closed."""
    if value_wh is not None:
        raise UserError(
            f"The days before {day} are billed already, by another reading. Leave the reading out."
        )
    agreement.end_date = day
    agreement.save(update_fields=["end_date"])
    last = Bill.objects.filter(agreement_id=agreement.pk, end_date=day).exclude(kind=BillKind.CREDIT_NOTE)
    closing = last.order_by("-period", "-revision").first()
    if closing is not None:
        services.store_estimated_closing(closing.number, agreement.usage_point_id, now)
    audit.record(
        actor=actor,
        action="MOVED_OUT",
        subject=f"agreement:{agreement.pk}",
        now=now,
        end=str(day),
        bill=None,
    )


def _one_opener() -> None:
    """One transaction at a time takes the next number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tayyar_open_account'))")
