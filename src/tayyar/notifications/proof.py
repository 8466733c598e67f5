"""Proof of reach: the first evidence that a bill got to a person. The only writer of Reach.

Evidence ends the plan of the person who gave it; the first evidence of all is the record. Receipts come in through
receipts.py, views through the portal, words of clerks and callers through the console.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from tayyar.core.arrays import ints, texts, times
from tayyar.core.partitions import find_or_make_partition
from tayyar.core.periods import Period
from tayyar.customers.models import Channel, CustomerAccount
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import Message, MessageBatch, MessageState, Reach, ReachHow

_OF_DIGEST = [int(how) for how in (ReachHow.RECEIPT, ReachHow.READ_RECEIPT, ReachHow.LINK_VIEW)]
SEEN = (ReachHow.LINK_VIEW, ReachHow.PORTAL_VIEW, ReachHow.READ_RECEIPT)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A row of Reach."""

    ref: int
    kind: int
    account_id: int
    how: ReachHow
    channel: int | None
    recipient: int
    at: dt.datetime
    witness: str


def record_reach(
    *,
    period: Period,
    ref: int,
    how: ReachHow,
    witness: str,
    now: dt.datetime,
    channel: Channel | None = None,
    recipient: int = 0,
) -> bool:
    """Bill `ref` got to a person. Stops that person's plan; nobody will be called for it, nothing printed.

    True when it is the first evidence. Safe to repeat; False as well for a bill nobody is told of.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """SELECT kind, account_id, state FROM notifications_message
                WHERE period = %s AND kind = ANY(%s) AND ref = %s AND recipient = %s FOR UPDATE""",
            [period.number, list(BILL_KINDS), ref, recipient],
        )
        row = cursor.fetchone()
        if row is None:
            return False
        kind, account_id, was = row
        find_or_make_partition(cursor, table="notifications_reach", period=period)
        evidence = Evidence(ref, kind, account_id, how, channel, recipient, now, witness)
        is_first = write_reach(cursor, period=period.number, found=[evidence]) == 1
        if was == MessageState.MERGED and how is ReachHow.LINK_VIEW:
            cursor.execute(
                _LEAD, {"period": period.number, "kind": kind, "account_id": account_id, "ref": ref}
            )
            for (lead,) in cursor.fetchall():
                record_reach(period=period, ref=lead, how=how, witness=witness, now=now, channel=channel)
        state = MessageState.READ if how in SEEN else MessageState.DELIVERED
        cursor.execute(
            """UPDATE notifications_message SET state = greatest(state, %(state)s), next_at = NULL
                WHERE period = %(period)s AND kind = %(kind)s AND ref = %(ref)s AND recipient = %(recipient)s
                  AND state IN (2, 3)""",
            {"state": state.value, "period": period.number, "kind": kind, "ref": ref, "recipient": recipient},
        )
        cursor.execute(
            """UPDATE notifications_message SET state = %(state)s, next_at = NULL
                WHERE period = %(period)s AND kind = %(kind)s AND ref = %(ref)s AND recipient = %(recipient)s
                  AND state IN (0, 5, 6, 7, 8, 11)""",
            {"state": state.value, "period": period.number, "kind": kind, "ref": ref, "recipient": recipient},
        )
    return is_first


def withdraw_reach(*, period: Period, ref: int, now: dt.datetime) -> bool:
    """The views of bill `ref` were a stranger's: its record goes, if it rests on a view. True when it did."""
    found = Reach.objects.filter(
        period=period.number,
        ref=ref,
        how__in=[ReachHow.LINK_VIEW, ReachHow.PORTAL_VIEW, ReachHow.READ_RECEIPT, ReachHow.RECEIPT],
    ).first()
    if found is None:
        return False
    # The same evidence of a digest proved the bills that it speaks for.
    merged = Message.objects.filter(
        period=period.number,
        kind=found.kind,
        recipient=0,
        state=MessageState.MERGED,
        account_id__in=CustomerAccount.objects.filter(
            customer_id__in=CustomerAccount.objects.filter(id=found.account_id).values("customer_id")
        ).values("id"),
    ).values_list("ref", flat=True)
    Reach.objects.filter(
        period=period.number,
        ref__in=[ref, *merged],
        how=found.how,
        reached_at=found.reached_at,
        witness=found.witness,
    ).delete()
    return True


def write_reach(cursor: Any, *, period: int, found: Sequence[Evidence]) -> int:
    """Insert what is the first evidence of its bill, in the caller's transaction. Returns how many were."""
    if not found:
        return 0
    cursor.execute(
        """INSERT INTO notifications_reach (period, ref, kind, account_id, how, channel, recipient, reached_at, witness)
           SELECT %(period)s, * FROM unnest(
                  %(refs)s::bigint[], %(kinds)s::smallint[], %(accounts)s::bigint[], %(hows)s::smallint[],
                  %(channels)s::smallint[], %(recipients)s::smallint[], %(ats)s::timestamptz[], %(witnesses)s::text[])
           ON CONFLICT DO NOTHING""",
        {
            "period": period,
            "refs": ints(e.ref for e in found),
            "kinds": ints(e.kind for e in found),
            "accounts": ints(e.account_id for e in found),
            "hows": ints(e.how.value for e in found),
            "channels": ints(e.channel for e in found),
            "recipients": ints(e.recipient for e in found),
            "ats": times(e.at for e in found),
            "witnesses": texts(e.witness for e in found),
        },
    )
    first = int(cursor.rowcount)
    if MessageBatch.objects.filter(period=period, has_digests=True).exists():
        cursor.execute(
            _FOR_MERGED, {"period": period, "refs": ints(e.ref for e in found), "hows": _OF_DIGEST}
        )
    return first


# The digest that spoke for a bill: its link stands nowhere else, so whoever opened it has the digest.
_LEAD = """
    SELECT m.ref FROM customers_customeraccount a
      JOIN customers_customeraccount other ON other.customer_id = a.customer_id AND other.id <> a.id
      JOIN notifications_message m ON m.account_id = other.id
     WHERE a.id = %(account_id)s AND m.period = %(period)s AND m.kind = %(kind)s AND m.recipient = 0
       AND m.state NOT IN (9, 10) AND m.ref < %(ref)s
     ORDER BY m.ref DESC LIMIT 1
"""

# A digest that arrived told of all the bills it speaks for; a payment, or one bill looked at by itself, did not.
_FOR_MERGED = """
    INSERT INTO notifications_reach (period, ref, kind, account_id, how, channel, recipient, reached_at, witness)
    SELECT r.period, m.ref, m.kind, m.account_id, r.how, r.channel, r.recipient, r.reached_at, r.witness
      FROM notifications_reach r
      JOIN customers_customeraccount lead ON lead.id = r.account_id
      JOIN customers_customeraccount other ON other.customer_id = lead.customer_id
      JOIN notifications_message m ON m.period = r.period AND m.kind = r.kind AND m.account_id = other.id
                                  AND m.recipient = 0 AND m.state = 10
     WHERE r.period = %(period)s AND r.ref = ANY(%(refs)s) AND r.recipient = 0 AND r.how = ANY(%(hows)s)
    ON CONFLICT DO NOTHING
"""
