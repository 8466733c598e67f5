"""Posting transfers one by one: payments, credit notes, single bills. The bill run posts in bulk by itself."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.ledger.models import TransferKind


class IdempotencyError(Exception):
    """A transfer with this key exists and says something else. Nothing was posted."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One transfer to post. `kind` and `ref` are its idempotency key within `period`; `amount_minor` > 0."""

    period: Period
    kind: TransferKind
    ref: int
    debit_account_id: int
    credit_account_id: int
    amount_minor: int


@transaction.atomic
def post(*, postings: Iterable[Posting], now: dt.datetime) -> int:
    """Post all of them or none, one or many thousands at a time; returns how many were new.

    The same posting again changes nothing; the same key with another content raises IdempotencyError.
    Balances are locked in the order of their ids, so that two posters never wait for each other in a circle.
    """
    wanted = list(postings)
    with connection.cursor() as cursor:
        for period in sorted({posting.period for posting in wanted}):
            ensure_partition(cursor, table="ledger_transfer", period=period)
        cursor.execute(_INSERT, [now, *_columns(wanted)])
        fresh = cursor.fetchall()
        if len(fresh) < len(wanted):
            _refuse_other_content(cursor, wanted)
        changes: dict[int, int] = {}
        for debit, credit, amount_minor in fresh:
            changes[debit] = changes.get(debit, 0) + amount_minor
            changes[credit] = changes.get(credit, 0) - amount_minor
        ids = sorted(changes)
        cursor.execute(_OPEN, [ids])
        cursor.execute("SELECT 1 FROM ledger_ledgeraccount WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
        cursor.execute(_MOVE, [ids, [changes[id] for id in ids]])
    return len(fresh)


_VALUES = """unnest(%s::int[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
             AS wanted (period, kind, ref, debit, credit, amount)"""
_INSERT = f"""INSERT INTO ledger_transfer
                  (period, kind, ref, debit_account_id, credit_account_id, amount_minor, posted_at)
              SELECT wanted.*, %s FROM {_VALUES}
              ON CONFLICT DO NOTHING RETURNING debit_account_id, credit_account_id, amount_minor"""
_OTHER = f"""SELECT wanted.kind, wanted.ref, known.amount_minor, known.credit_account_id, known.debit_account_id,
                    wanted.amount
             FROM {_VALUES} JOIN ledger_transfer known USING (period, kind, ref)
             WHERE (known.debit_account_id, known.credit_account_id, known.amount_minor)
                <> (wanted.debit, wanted.credit, wanted.amount) LIMIT 1"""
_OPEN = """INSERT INTO ledger_ledgeraccount (id, balance_minor) SELECT unnest(%s::bigint[]), 0 ON CONFLICT DO NOTHING"""
_MOVE = """UPDATE ledger_ledgeraccount AS account SET balance_minor = account.balance_minor + change.amount
           FROM unnest(%s::bigint[], %s::bigint[]) AS change (id, amount) WHERE account.id = change.id"""


def _columns(postings: list[Posting]) -> list[list[int]]:
    return [
        [posting.period.number for posting in postings],
        [int(posting.kind) for posting in postings],
        [posting.ref for posting in postings],
        [posting.debit_account_id for posting in postings],
        [posting.credit_account_id for posting in postings],
        [posting.amount_minor for posting in postings],
    ]


def _refuse_other_content(cursor: CursorWrapper, wanted: list[Posting]) -> None:
    """IdempotencyError when a key is known with another content. What was inserted meanwhile is rolled back."""
    cursor.execute(_OTHER, _columns(wanted))
    other = cursor.fetchone()
    if other:
        kind, ref, amount_minor, credit, debit, asked = other
        raise IdempotencyError(
            f"{TransferKind(kind).label} {ref} is posted already with {amount_minor} from account {credit} to {debit}; "
            f"now {asked} was asked for."
        )
