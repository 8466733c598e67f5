"""Posting transfers one by one: payments, credit notes, single bills. The bill run posts in bulk by itself."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.ledger.models import LedgerAccount, Transfer, TransferKind


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
    """Post all of them or none; returns how many were new.

    The same posting again changes nothing; the same key with another content raises IdempotencyError.
    Balances are locked in the order of their ids, so that two posters never wait for each other in a circle.
    """
    fresh = []
    for posting in postings:
        with connection.cursor() as cursor:
            ensure_partition(cursor, table="ledger_transfer", period=posting.period)
            known = Transfer.objects.filter(
                period=posting.period.number, kind=posting.kind, ref=posting.ref
            ).first()
            if known is None:
                fresh.append(posting)
            elif (known.debit_account_id, known.credit_account_id, known.amount_minor) != (
                posting.debit_account_id,
                posting.credit_account_id,
                posting.amount_minor,
            ):
                raise IdempotencyError(
                    f"{posting.kind.label} {posting.ref} is posted already with {known.amount_minor} from account "
                    f"{known.credit_account_id} to {known.debit_account_id}; now {posting.amount_minor} was asked for."
                )
    changes: dict[int, int] = {}
    for posting in fresh:
        changes[posting.debit_account_id] = changes.get(posting.debit_account_id, 0) + posting.amount_minor
        changes[posting.credit_account_id] = changes.get(posting.credit_account_id, 0) - posting.amount_minor
    LedgerAccount.objects.bulk_create(
        [LedgerAccount(id=key) for key in sorted(changes)], ignore_conflicts=True
    )
    for account in LedgerAccount.objects.select_for_update().filter(id__in=changes).order_by("id"):
        account.balance_minor += changes[account.id]
        account.save(update_fields=["balance_minor"])
    Transfer.objects.bulk_create(
        Transfer(
            period=posting.period.number,
            kind=posting.kind,
            ref=posting.ref,
            debit_account_id=posting.debit_account_id,
            credit_account_id=posting.credit_account_id,
            amount_minor=posting.amount_minor,
            posted_at=now,
        )
        for posting in fresh
    )
    return len(fresh)
