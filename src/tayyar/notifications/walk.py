"""Walking a plan: what a message does next when its present step brought nothing. Inside the caller's transaction.

A bill that is proven to have reached this person goes no further; nobody is called and nothing is printed for a bill
that reached anyone. Next: the message is QUEUED at its new step, or at its end.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from tayyar.core.arrays import ints, times
from tayyar.customers.models import Channel
from tayyar.notifications import people, rules
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import MessageState
from tayyar.notifications.plans import next_step

S = MessageState
_BY_HAND = (Channel.CALL, Channel.PAPER)
# The states of attempts that may have arrived.
TAKEN = (S.SENT, S.DELIVERED, S.READ, S.EXPIRED, S.IN_DOUBT)


def advance(
    cursor: Any, *, period: int, kind: int, keys: Sequence[tuple[int, int]], now: dt.datetime
) -> None:
    """Move messages, named by (ref, recipient), to the next step of their plans that can be tried, or to their end:
    EXPIRED when something was sent, FAILED when nothing was. A call that nobody makes in time is no step either."""
    if not keys:
        return
    cursor.execute(
        """SELECT m.* FROM unnest(%s::bigint[], %s::smallint[]) AS k (ref, recipient)
             CROSS JOIN LATERAL (
                   SELECT ref, recipient, account_id, step, contact_point_id IS NOT NULL, state
                     FROM notifications_message
                    WHERE period = %s AND kind = %s AND ref = k.ref AND recipient = k.recipient
                   OFFSET 0 FOR UPDATE) m""",
        [ints(ref for ref, _ in keys), ints(recipient for _, recipient in keys), period, kind],
    )
    rows = [row for row in cursor.fetchall() if row[5] not in rules.CLOSED]
    plans = people.delivery_rules()
    wishes = people.wishes_of(cursor, [row[2] for row in rows])
    masks = people.masks_of(cursor, [(row[2], row[1]) for row in rows])
    reached = _reached(cursor, period, [row[0] for row in rows]) if kind in BILL_KINDS else {}
    moves: list[tuple[int, int, int, int, int]] = []  # ref, recipient, state, step, channel
    untils: list[dt.datetime | None] = []
    ends: list[tuple[int, int]] = []
    for ref, recipient, account, number, is_single, _ in rows:
        plan = plans.plan(kind, wishes[account]) if account in wishes else plans.plan(kind)
        step = None if is_single else next_step(plan, masks.get((account, recipient), 0), after=number)
        stop = reached.get(ref)
        if stop is not None and (stop == recipient or (step is not None and plan[step].channel in _BY_HAND)):
            step = None
        if step is None:
            ends.append((ref, recipient))
        else:
            moves.append((ref, recipient, S.QUEUED.value, step, plan[step].channel.value))
            untils.append(now + plan[step].wait if plan[step].channel == Channel.CALL else None)
    if moves:
        cursor.execute(
            """UPDATE notifications_message m
                  SET state = n.state, step = n.step, channel = n.channel, next_at = n.next_at
                 FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::smallint[], %s::smallint[],
                             %s::timestamptz[]) AS n (ref, recipient, state, step, channel, next_at)
                WHERE m.period = %s AND m.kind = %s AND m.ref = n.ref AND m.recipient = n.recipient""",
            [*map(ints, zip(*moves, strict=True)), times(untils), period, kind],
        )
    if ends:
        _end(cursor, period, kind, ends)


def _end(cursor: Any, period: int, kind: int, keys: Iterable[tuple[int, int]]) -> None:
    """No step is left: DELIVERED if an attempt was, EXPIRED if one may have arrived, else FAILED."""
    refs, recipients = zip(*keys, strict=True)
    cursor.execute(
        """UPDATE notifications_message m SET next_at = NULL,
                  state = CASE WHEN d.best IN (3, 4) THEN d.best WHEN d.best > 0 THEN 6 ELSE 5 END
             FROM (SELECT k.ref, k.recipient,
                          (SELECT max(CASE WHEN d.state IN (3, 4) THEN d.state WHEN d.state = ANY(%s) THEN 2 ELSE 0 END)
                             FROM notifications_delivery d
                            WHERE d.period = %s AND d.kind = %s AND d.ref = k.ref AND d.recipient = k.recipient) AS best
                     FROM unnest(%s::bigint[], %s::smallint[]) AS k (ref, recipient)) d
            WHERE m.period = %s AND m.kind = %s AND m.ref = d.ref AND m.recipient = d.recipient""",
        [[state.value for state in TAKEN], period, kind, ints(refs), ints(recipients), period, kind],
    )


def _reached(cursor: Any, period: int, refs: Sequence[int]) -> dict[int, int]:
    """Of these bills those with proof, and which recipient it reached."""
    cursor.execute(
        "SELECT ref, recipient FROM notifications_reach WHERE period = %s AND ref = ANY(%s::bigint[])",
        [period, ints(refs)],
    )
    return dict(cursor.fetchall())
