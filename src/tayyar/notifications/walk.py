"""Walking a plan: what a message does next when its present step brought nothing. Inside the caller's transaction.

A bill that is proven to have reached this person goes no further; nobody is called and nothing is printed for a bill
that reached anyone. Of a run that staff stopped nothing goes on. Next: the message is QUEUED at its new step, or at
its end.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from tayyar.core.arrays import ints, times
from tayyar.customers.models import Channel
from tayyar.notifications import people, rules
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import MessageBatch, MessageState
from tayyar.notifications.plans import NO_WISH, Step, by_post, next_step
from tayyar.notifications.proof import SEEN

S = MessageState
_BY_HAND = (Channel.CALL, Channel.PAPER)
# The states of attempts that may have arrived.
TAKEN = (S.SENT, S.DELIVERED, S.READ, S.EXPIRED, S.IN_DOUBT)


class _Move(NamedTuple):
    """A message and the step it goes to."""

    ref: int
    recipient: int
    number: int
    step: Step


def advance(
    cursor: Any,
    *,
    period: int,
    kind: int,
    keys: Sequence[tuple[int, int]],
    now: dt.datetime,
    standing: Collection[MessageState] = frozenset(S) - rules.CLOSED,
) -> None:
    """Move messages, named by (ref, recipient), to the next step of their plans that can be tried, or to their end:
    DELIVERED or READ when that is proven, EXPIRED when something was sent, FAILED when nothing was.

    Those that are in no state of `standing` stay as they are. A call that nobody makes in time is no step either.
    """
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
    rows = [row[:5] for row in cursor.fetchall() if row[5] in standing]
    if not rows:
        return
    gate = MessageBatch.objects.filter(period=period, kind=kind).values_list("stopped_at", "has_digests")
    stopped_at, has_digests = gate.first() or (None, False)
    moves, ends = _choose(cursor, period, kind, rows, is_stopped=stopped_at is not None)
    by_hand = [move.ref for move in moves if move.step.channel in _BY_HAND]
    if has_digests and by_hand:
        more, over = _choose(cursor, period, kind, _merged(cursor, period, kind, by_hand))
        moves, ends = moves + more, ends | over
    if moves:
        cursor.execute(
            """UPDATE notifications_message m
                  SET state = 0, step = n.step, channel = n.channel, next_at = n.next_at
                 FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::smallint[], %s::timestamptz[])
                        AS n (ref, recipient, step, channel, next_at)
                WHERE m.period = %s AND m.kind = %s AND m.ref = n.ref AND m.recipient = n.recipient""",
            [
                ints(move.ref for move in moves),
                ints(move.recipient for move in moves),
                ints(move.number for move in moves),
                ints(move.step.channel for move in moves),
                times(given_up_at(move.step, now) for move in moves),
                *(period, kind),
            ],
        )
        _join_paper(cursor, period, kind, [move for move in moves if move.step.channel == Channel.PAPER])
    if ends:
        _end(cursor, period, kind, ends)


def _join_paper(cursor: Any, period: int, kind: int, moves: Sequence[_Move]) -> None:
    """Those printed already, for people who want paper as well: the message stands where that paper stands."""
    if moves:
        cursor.execute(
            """UPDATE notifications_message m SET state = d.state
                 FROM notifications_delivery d, customers_preference p
                WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = ANY(%(refs)s::bigint[])
                  AND m.recipient = 0 AND m.state = 0 AND m.channel = 4
                  AND p.account_id = m.account_id AND p.wants_paper
                  AND d.period = %(period)s AND d.kind = %(kind)s AND d.ref = m.ref AND d.recipient = 0
                  AND d.channel = 4 AND d.state IN (1, 2, 3)""",
            {"period": period, "kind": kind, "refs": ints(move.ref for move in moves)},
        )


def given_up_at(step: Step, now: dt.datetime) -> dt.datetime | None:
    """When a message that is QUEUED at this step goes on although nobody took it: only calls are given up."""
    return now + step.wait if step.channel == Channel.CALL else None


def _choose(
    cursor: Any,
    period: int,
    kind: int,
    rows: Sequence[tuple[int, int, int, int, bool]],
    *,
    is_stopped: bool = False,
) -> tuple[list[_Move], dict[tuple[int, int], MessageState | None]]:
    """Of messages (ref, recipient, account, step, has one contact point only) those that go on, and those at their
    end with what is proven of them."""
    plans = people.delivery_rules()
    wishes = people.wishes_of(cursor, [row[2] for row in rows])
    masks = people.masks_of(cursor, [(row[2], row[1]) for row in rows])
    reached = _reached(cursor, period, [row[0] for row in rows]) if kind in BILL_KINDS else {}
    moves: list[_Move] = []
    ends: dict[tuple[int, int], MessageState | None] = {}
    for ref, recipient, account, number, is_single in rows:
        plan = plans.plan(kind, wishes[account]) if account in wishes else plans.plan(kind)
        mask = masks.get((account, recipient), 0)
        step = next_step(plan, mask, after=number, by_post=by_post(kind, recipient))
        to_whom, proven = reached.get(ref, (None, None))
        if is_single or is_stopped or step is None or to_whom == recipient:
            ends[ref, recipient] = proven if to_whom == recipient else None
        elif to_whom is not None and plan[step].channel in _BY_HAND:
            ends[ref, recipient] = None
        else:
            moves.append(_Move(ref, recipient, step, plan[step]))
    return moves, ends


def _merged(
    cursor: Any, period: int, kind: int, leads: Sequence[int]
) -> list[tuple[int, int, int, int, bool]]:
    """The messages that these spoke for, as rows of `_choose` before the first step by hand: nobody prints a digest
    or reads one out, so each bill goes on for itself."""
    cursor.execute(
        """SELECT m.ref, m.recipient, m.account_id
             FROM notifications_message lead
             JOIN customers_customeraccount a ON a.id = lead.account_id
             JOIN customers_customeraccount other ON other.customer_id = a.customer_id AND other.id <> a.id
             JOIN notifications_message m ON m.period = %(period)s AND m.kind = %(kind)s AND m.account_id = other.id
                                         AND m.recipient = 0 AND m.state = 10
            WHERE lead.period = %(period)s AND lead.kind = %(kind)s AND lead.ref = ANY(%(refs)s::bigint[])
              AND lead.recipient = 0
              FOR UPDATE OF m""",
        {"period": period, "kind": kind, "refs": ints(leads)},
    )
    rows = cursor.fetchall()
    plans = people.delivery_rules()
    wishes = people.wishes_of(cursor, [row[2] for row in rows])
    found = []
    for ref, recipient, account in rows:
        plan = plans.plan(kind, wishes.get(account, NO_WISH))
        digital = sum(step.channel not in _BY_HAND for step in plan)
        found.append((ref, recipient, account, digital - 1, False))
    return found


def _end(cursor: Any, period: int, kind: int, ends: Mapping[tuple[int, int], MessageState | None]) -> None:
    """No step is left: DELIVERED or READ if that is proven or an attempt was, EXPIRED if one may have arrived, else
    FAILED."""
    cursor.execute(
        """UPDATE notifications_message m SET next_at = NULL,
                  state = CASE WHEN greatest(d.best, d.proven) IN (3, 4) THEN greatest(d.best, d.proven)
                               WHEN d.best > 0 THEN 6 ELSE 5 END
             FROM (SELECT k.ref, k.recipient, k.proven,
                          (SELECT max(CASE WHEN d.state IN (3, 4) THEN d.state WHEN d.state = ANY(%s) THEN 2 ELSE 0 END)
                             FROM notifications_delivery d
                            WHERE d.period = %s AND d.kind = %s AND d.ref = k.ref AND d.recipient = k.recipient) AS best
                     FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[]) AS k (ref, recipient, proven)) d
            WHERE m.period = %s AND m.kind = %s AND m.ref = d.ref AND m.recipient = d.recipient""",
        [
            [state.value for state in TAKEN],
            *(period, kind),
            ints(ref for ref, _ in ends),
            ints(recipient for _, recipient in ends),
            ints(proven for proven in ends.values()),
            *(period, kind),
        ],
    )


def _reached(cursor: Any, period: int, refs: Sequence[int]) -> dict[int, tuple[int, MessageState]]:
    """Of these bills those with proof: which recipient it reached, and what that says of their message."""
    cursor.execute(
        "SELECT ref, recipient, how FROM notifications_reach WHERE period = %s AND ref = ANY(%s::bigint[])",
        [period, ints(refs)],
    )
    return {
        ref: (recipient, S.READ if how in SEEN else S.DELIVERED) for ref, recipient, how in cursor.fetchall()
    }
