"""What an account owes, its bills, payments and statement, as its holder asks for them.

Owns the reads of one account or of 400 at once: a handful of indexed queries whatever their number, no row of the
ORM. Never writes, never decides who may see an account. Next: the subscriber's pages, exports, api.

Money received is counted against the oldest bill first: what is unpaid of a bill is what remains of the balance
after the bills that are newer. So "overdue" is exactly the balance less the bills that are not due yet.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from tayyar.billing.models import BillKind
from tayyar.core.periods import Period
from tayyar.ledger.models import LedgerAccount, TransferKind

RECENT_MONTHS = 14  # a year, the month before it for comparison, and the one that is under way

Sees = Callable[[dt.date, dt.date], bool]  # whether the days [first, end) are the reader's to see


@dataclass(frozen=True, slots=True)
class BillRow:
    """One document in a list. `unpaid_minor` is what the balance leaves of it; `is_cancelled` by a credit note."""

    account_id: int
    agreement_id: int
    period: Period
    number: int
    kind: BillKind
    start_date: dt.date
    end_date: dt.date
    issue_date: dt.date
    due_date: dt.date
    energy_wh: int
    total_minor: int
    is_cancelled: bool
    unpaid_minor: int = 0

    @property
    def days(self) -> int:
        """Days in the billed period."""
        return (self.end_date - self.start_date).days

    @property
    def stands(self) -> bool:
        """Whether it is a bill that counts: not a credit note, not cancelled by one."""
        return self.kind != BillKind.CREDIT_NOTE and not self.is_cancelled

    def state(self, today: dt.date) -> str:
        """CREDIT_NOTE, CANCELLED, PAID, DUE or OVERDUE."""
        if self.kind == BillKind.CREDIT_NOTE:
            return "CREDIT_NOTE"
        if self.is_cancelled:
            return "CANCELLED"
        if self.unpaid_minor <= 0:
            return "PAID"
        return "OVERDUE" if self.due_date < today else "DUE"


@dataclass(frozen=True, slots=True)
class Standing:
    """What one account owes on a day. `balance_minor` < 0 is credit. `due_date` is that of the oldest bill that is
    not due yet and not paid, else of the oldest overdue one, else None. `bills` are the last RECENT_MONTHS, newest
    first."""

    account_id: int
    balance_minor: int
    overdue_minor: int
    due_date: dt.date | None
    overdue_since: dt.date | None
    newest: BillRow | None
    bills: tuple[BillRow, ...]

    @property
    def state(self) -> str:
        """OVERDUE, DUE, CREDIT or CLEAR."""
        if self.overdue_minor > 0:
            return "OVERDUE"
        return "DUE" if self.balance_minor > 0 else "CREDIT" if self.balance_minor < 0 else "CLEAR"


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """Money that the ledger knows of: `amount_minor` > 0 was received, < 0 given back. `period` and `ref` name it."""

    period: Period
    kind: TransferKind
    ref: int
    posted_at: dt.datetime
    amount_minor: int


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One line of a statement: a document or money, its signed amount, and the balance after it."""

    on: dt.date
    what: str  # BILL, FINAL, REBILL, CREDIT_NOTE, PAYMENT, ADJUSTMENT
    ref: int
    amount_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The entries of [first, end), oldest first; closing = opening + the sum of them."""

    opening_minor: int
    entries: tuple[StatementEntry, ...]
    closing_minor: int


def standing(account_id: int, now: dt.datetime) -> Standing:
    """What the account owes at `now`. An account without bills owes what was posted to it singly."""
    return standings([account_id], now)[account_id]


def standings(account_ids: Sequence[int], now: dt.datetime) -> dict[int, Standing]:
    """`standing` of many accounts in two or three queries, by account id."""
    ids, today = list(account_ids), now.date()
    since = Period.of(today).plus(1 - RECENT_MONTHS).number
    by_account: dict[int, list[BillRow]] = {id: [] for id in ids}
    carried: dict[int, int] = {}
    for row, billed_to_date_minor in _rows("account_id = ANY(%s) AND period >= %s", [ids, since]):
        by_account[row.account_id].append(row)
        if _is_of_a_run(row.number):
            carried.setdefault(row.account_id, billed_to_date_minor)
    carried |= _carried_of_old([id for id in ids if id not in carried])
    singly = dict(LedgerAccount.objects.filter(id__in=ids).values_list("id", "balance_minor"))
    return {
        id: _standing(id, carried.get(id, 0) + singly.get(id, 0), rows, today, was_billed=id in carried)
        for id, rows in by_account.items()
    }


def bills_of(account_id: int, first: int = 0, limit: int = 13, *, sees: Sees | None = None) -> list[BillRow]:
    """The account's documents, newest first, from the `first`-th (0) on, at most `limit`; those whose days
    `sees` allows."""
    rows = [row for row, _ in _rows("account_id = %s", [account_id])]
    paid = _with_unpaid(rows, _balance(account_id))
    return [row for row in paid if sees is None or sees(row.start_date, row.end_date)][first : first + limit]


def standing_bills(
    account_id: int, *, months: int, today: dt.date, sees: Sees | None = None
) -> list[BillRow]:
    """The bills that stand of the last `months` periods up to today's, newest first; `unpaid_minor` is not filled."""
    since = Period.of(today).plus(1 - months).number
    rows = (row for row, _ in _rows("account_id = %s AND period >= %s", [account_id, since]))
    return [row for row in rows if row.stands and (sees is None or sees(row.start_date, row.end_date))]


def payments_of(
    account_id: int, *, first: dt.date | None = None, end: dt.date | None = None
) -> list[PaymentRow]:
    """Payments and adjustments of [first, end) by the day they were posted (UTC), newest first."""
    months = ["period >= %s"] if first else []
    values: list[Any] = [Period.of(first).plus(-1).number] if first else []
    kinds = [TransferKind.PAYMENT.value, TransferKind.ADJUSTMENT.value]
    # Two branches, each by the partition's own index: kinds 6 to 8 are what the one on credits covers.
    branch = (
        "SELECT period, kind, ref, posted_at, {sign}amount_minor FROM ledger_transfer WHERE {side} = %s AND "
    )
    where = " AND ".join(["kind IN (6, 7, 8)", "kind = ANY(%s)", *months])
    with connection.cursor() as cursor:
        cursor.execute(
            branch.format(sign="", side="credit_account_id")
            + where
            + " UNION ALL "
            + branch.format(sign="-", side="debit_account_id")
            + where
            + " ORDER BY 4 DESC, 3 DESC",
            [account_id, kinds, *values, account_id, kinds, *values],
        )
        found = [
            PaymentRow(Period.from_number(period), TransferKind(kind), ref, posted_at, int(amount))
            for period, kind, ref, posted_at, amount in cursor.fetchall()
        ]
    return [
        row
        for row in found
        if (first is None or row.posted_at.date() >= first) and (end is None or row.posted_at.date() < end)
    ]


def statement(account_id: int, *, first: dt.date, end: dt.date) -> Statement:
    """Everything that moved the balance in [first, end), and the balance before and after."""
    moves: list[tuple[dt.date, str, int, int]] = [
        (row.issue_date, row.kind.name, row.number, row.total_minor)
        for row, _ in _rows("account_id = %s", [account_id])
    ]
    moves += [
        (row.posted_at.date(), row.kind.name, row.ref, -row.amount_minor) for row in payments_of(account_id)
    ]
    moves.sort()
    # What came after the end is taken off today's balance: so the statement agrees with the ledger by itself.
    closing = _balance(account_id) - sum(amount for on, _, _, amount in moves if on >= end)
    within = [move for move in moves if first <= move[0] < end]
    balance = opening = closing - sum(move[3] for move in within)
    entries = []
    for on, what, ref, amount_minor in within:
        balance += amount_minor
        entries.append(StatementEntry(on, what, ref, amount_minor, balance))
    return Statement(opening, tuple(entries), closing)


_COLUMNS = """account_id, agreement_id, period, revision, number, kind, start_date, end_date, issue_date, due_date,
              energy_wh, total_minor, billed_to_date_minor"""


def _rows(where: str, values: list[Any]) -> list[tuple[BillRow, int]]:
    """Documents by account, newest first, each with its `billed_to_date_minor`; `unpaid_minor` is still 0."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM billing_bill WHERE {where} ORDER BY account_id, period DESC, number DESC",
            values,
        )
        found = cursor.fetchall()
    cancelled = {(row[1], row[2], row[3] - 1) for row in found if row[5] == BillKind.CREDIT_NOTE}
    return [
        (
            BillRow(
                account_id=row[0],
                agreement_id=row[1],
                period=Period.from_number(row[2]),
                number=row[4],
                kind=BillKind(row[5]),
                start_date=row[6],
                end_date=row[7],
                issue_date=row[8],
                due_date=row[9],
                energy_wh=row[10],
                total_minor=row[11],
                is_cancelled=(row[1], row[2], row[3]) in cancelled,
            ),
            row[12],
        )
        for row in found
    ]


def _is_of_a_run(number: int) -> bool:
    """Series 0 (billing/numbers.py): only these carry what was billed to date."""
    return number // 10_000_000_000 % 10 == 0


def _carried_of_old(account_ids: list[int]) -> dict[int, int]:
    """What the runs billed to date, for accounts without a recent bill of a run."""
    if not account_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT ON (account_id) account_id, billed_to_date_minor FROM billing_bill
               WHERE account_id = ANY(%s) AND number / 10000000000 %% 10 = 0
               ORDER BY account_id, period DESC, number DESC""",
            [account_ids],
        )
        return dict(cursor.fetchall())


def _balance(account_id: int) -> int:
    singly = LedgerAccount.objects.filter(id=account_id).values_list("balance_minor", flat=True).first()
    return _carried_of_old([account_id]).get(account_id, 0) + (singly or 0)


def _with_unpaid(rows: Iterable[BillRow], balance_minor: int) -> list[BillRow]:
    """The rows, newest first as given, each with what the balance leaves of it unpaid."""
    left, out = balance_minor, []
    for row in rows:
        unpaid = max(0, min(left, row.total_minor)) if row.stands else 0
        left -= unpaid
        out.append(replace(row, unpaid_minor=unpaid))
    return out


def _standing(
    account_id: int, balance_minor: int, rows: list[BillRow], today: dt.date, *, was_billed: bool
) -> Standing:
    bills = _with_unpaid(rows, balance_minor)
    unpaid = [row for row in bills if row.unpaid_minor]
    ahead = [row for row in unpaid if row.due_date >= today]
    late = [row for row in unpaid if row.due_date < today]
    # What the recent bills do not explain is older than they are, so overdue; unless nothing was ever billed.
    overdue = max(0, balance_minor - sum(row.unpaid_minor for row in ahead)) if bills or was_billed else 0
    pick = min((row.due_date for row in ahead), default=min((row.due_date for row in late), default=None))
    return Standing(
        account_id=account_id,
        balance_minor=balance_minor,
        overdue_minor=overdue,
        due_date=pick,
        overdue_since=min((row.due_date for row in late), default=None) if overdue else None,
        newest=next((row for row in bills if row.stands), None),
        bills=tuple(bills),
    )
