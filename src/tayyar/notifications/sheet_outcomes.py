"""How entries of sheets end, inside the caller's transaction: deliveries settled, messages moved, proof written.

Fenced by state: an entry that ended otherwise meanwhile is left alone. Called by sheets.py only.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tayyar.notifications import people, proof, walk
from tayyar.notifications import sheet_statements as statements
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import MessageState, ReachHow, Sheet
from tayyar.notifications.plans import NO_WISH, Until
from tayyar.notifications.rules import ends_plan

S = MessageState
Entry = tuple[int, int, int]  # kind, ref, recipient


class Moved(NamedTuple):
    """A delivery whose outcome was entered."""

    kind: int
    ref: int
    recipient: int
    account_id: int
    state: int
    attempt: int
    contact_point_id: int | None

    @property
    def key(self) -> Entry:
        return self.kind, self.ref, self.recipient


def keys_of(cursor: Any, sheet: Sheet, states: Iterable[S]) -> set[Entry]:
    """The entries of a sheet in one of these states."""
    cursor.execute(
        """SELECT kind, ref, recipient FROM notifications_delivery
            WHERE period = %s AND provider_ref = %s AND provider IS NULL AND state = ANY(%s)""",
        [sheet.period, str(sheet), [int(state) for state in states]],
    )
    return set(cursor.fetchall())


def settle(
    cursor: Any, sheet: Sheet, results: Mapping[Entry, tuple[S, str]], *, now: dt.datetime
) -> list[Moved]:
    """Write the states of deliveries that are open, and of their messages where they succeeded; the others' messages
    are the caller's to move. Returns the deliveries that changed."""
    if not results:
        return []
    keys = list(results)
    cursor.execute(
        statements.SETTLE,
        {
            "period": sheet.period,
            "sheet": str(sheet),
            "channel": sheet.channel,
            "kinds": [key[0] for key in keys],
            "refs": [key[1] for key in keys],
            "recipients": [key[2] for key in keys],
            "states": [int(results[key][0]) for key in keys],
            "reasons": [results[key][1] for key in keys],
            "now": now,
            "open": [int(S.SENDING), int(S.SENT)],
            "DELIVERED": S.DELIVERED,
        },
    )
    moved = [Moved(*row) for row in cursor.fetchall()]
    _succeed(cursor, sheet, [row for row in moved if row.state != S.FAILED], now=now)
    return moved


def _succeed(cursor: Any, sheet: Sheet, rows: Sequence[Moved], *, now: dt.datetime) -> None:
    """Messages of deliveries that are SENT or DELIVERED: their state, and when the plan goes on all the same."""
    if not rows:
        return
    cursor.execute(
        """SELECT m.kind, m.ref, m.recipient, m.step FROM notifications_message m
             JOIN unnest(%s::smallint[], %s::bigint[], %s::smallint[]) AS k (kind, ref, recipient)
            USING (kind, ref, recipient)
            WHERE m.period = %s AND m.channel = %s AND m.state = ANY(%s) FOR UPDATE OF m""",
        [
            *map(list, zip(*(row.key for row in rows), strict=True)),
            *(sheet.period, sheet.channel, [int(S.SENDING), int(S.SENT)]),
        ],
    )
    steps = {row[:3]: row[3] for row in cursor.fetchall()}
    moving = [row for row in rows if row.key in steps]
    if not moving:
        return
    plans, wishes = people.delivery_rules(), people.wishes_of(cursor, [row.account_id for row in moving])
    nexts = []
    for row in moving:
        plan = plans.plan(row.kind, wishes.get(row.account_id, NO_WISH))
        step = plan[steps[row.key]] if steps[row.key] < len(plan) else None
        until = step.until if step else Until.SENT
        ended = row.state == S.DELIVERED or ends_plan(S(row.state), until=until)
        nexts.append(None if ended or step is None else now + step.wait)
    cursor.execute(
        statements.SUCCEED,
        {
            "period": sheet.period,
            "kinds": [row.kind for row in moving],
            "refs": [row.ref for row in moving],
            "recipients": [row.recipient for row in moving],
            "states": [row.state for row in moving],
            "nexts": nexts,
        },
    )


def prove(
    cursor: Any, sheet: Sheet, rows: Sequence[Moved], how: ReachHow, *, actor: str, now: dt.datetime
) -> None:
    """Evidence for the bills among `rows`, with `actor` as witness; the first of each bill is the record."""
    proof.write_reach(
        cursor,
        period=sheet.period,
        found=[
            proof.Evidence(row.ref, row.kind, row.account_id, how, sheet.channel, row.recipient, now, actor)
            for row in rows
            if row.kind in BILL_KINDS
        ],
    )


def go_on(cursor: Any, sheet: Sheet, keys: Sequence[Entry], *, now: dt.datetime) -> None:
    """What failed goes to the next step of its plan, if it still stands where the sheet took it. A bill that reached
    its person by other ways meanwhile is DELIVERED."""
    for kind in sorted({key[0] for key in keys}):
        here = {
            "period": sheet.period,
            "kind": kind,
            "channel": sheet.channel,
            "refs": [key[1] for key in keys if key[0] == kind],
            "recipients": [key[2] for key in keys if key[0] == kind],
            "open": [int(S.SENDING), int(S.SENT)],
            "DELIVERED": S.DELIVERED,
        }
        cursor.execute(statements.REACHED_MEANWHILE, here)
        cursor.execute(statements.STILL_HERE, here)
        walk.advance(cursor, period=sheet.period, kind=kind, keys=cursor.fetchall(), now=now)
