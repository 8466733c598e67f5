"""What a proven visitor may see: their accounts, the bills of each, one bill.

Reads only. A bill of somebody else and one that does not exist are the same None. Next: bills.py, asks.py.
"""

import datetime as dt
from dataclasses import dataclass

from tayyar.billing import account_queries
from tayyar.billing.account_queries import BillRow
from tayyar.billing.models import Bill
from tayyar.billing.numbers import bill_period
from tayyar.claims import queries as claims
from tayyar.claims.queries import Held
from tayyar.core.errors import UserError
from tayyar.core.references import with_check
from tayyar.kiosk.models import Visit, Way

MOST_BILLS = 13  # of one account: a year and the month before it
MOST_ACCOUNTS = 20  # more than that is no business for a standing person


@dataclass(frozen=True, slots=True)
class Seen:
    """An account of the visitor. `held` None: they proved to be its holder by a code to its own contact point."""

    account_id: int
    held: Held | None = None

    @property
    def number(self) -> int:
        """Eleven digits."""
        return with_check(self.account_id)

    @property
    def nickname(self) -> str:
        """What they call it."""
        return self.held.nickname if self.held else ""

    @property
    def may_ask(self) -> bool:
        """Whether they may open requests for it."""
        return self.held is None or self.held.may_manage

    def bills(self) -> list[BillRow]:
        """The newest that are theirs and stand, newest first."""
        rows = account_queries.bills_of(self.account_id, 0, MOST_BILLS, sees=self.sees_days)
        return [row for row in rows if row.stands]

    def sees_days(self, first: dt.date, last: dt.date) -> bool:
        """Whether a bill over [first, last) is theirs."""
        return self.held is None or self.held.sees_days(first, last)


def accounts_of(visit: Visit, *, today: dt.date) -> list[Seen]:
    """The accounts that this visit opens; none for a visit with a bill's QR code."""
    if visit.way == Way.ACCOUNT and visit.account_id:
        return [Seen(visit.account_id)]
    if visit.way == Way.IDENTITY and visit.person:
        held = claims.accounts_of(visit.person, today=today)
        return [Seen(one.account.pk, one) for one in held[:MOST_ACCOUNTS]]
    return []


def find_bill(visit: Visit, number: int, *, today: dt.date) -> Bill | None:
    """A bill that this visit may see."""
    try:
        period = bill_period(number)
    except UserError:
        return None
    bill = Bill.objects.filter(period=period.number, number=number).first()
    if bill is None:
        return None
    if visit.way == Way.BILL:
        return bill if number == visit.bill_number else None
    own = (seen for seen in accounts_of(visit, today=today) if seen.account_id == bill.account_id)
    return bill if any(seen.sees_days(bill.start_date, bill.end_date) for seen in own) else None
