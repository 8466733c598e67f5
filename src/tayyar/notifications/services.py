"""What other modules and staff ask of messages: queue, release, pause, stop, resend, retry, cancel, plan anew.

Every call is one transaction. Sending is the engine's (outbox.py, delivery.py); evidence is proof.py's.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db import connection, transaction

from tayyar.core import audit
from tayyar.core.arrays import ints, times
from tayyar.core.errors import UserError
from tayyar.core.partitions import find_or_make_partition
from tayyar.core.periods import Period
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    CustomerAccount,
    Delegate,
    DelegateState,
    Language,
    OptOut,
)
from tayyar.notifications import people, walk
from tayyar.notifications.content import NO_ACCOUNT
from tayyar.notifications.kinds import SPECS, Lane, MessageKind
from tayyar.notifications.models import Message, MessageBatch, MessageState, Payload
from tayyar.notifications.payloads import seal_facts
from tayyar.notifications.plans import NO_WISH, Plan, by_post, next_step

WAKE = "tayyar_urgent"  # the PostgreSQL channel on which workers hear that somebody waits
S = MessageState
# What has not begun, or is waiting for something: it may still be planned otherwise or called off.
_PENDING = (S.QUEUED, S.DEFERRED)


class MessageRef(NamedTuple):
    """Names one message."""

    period: int
    kind: int
    ref: int
    recipient: int


def queue_message(
    *,
    kind: MessageKind,
    account_id: int | None,
    facts: Mapping[str, str],
    now: dt.datetime,
    recipient: int = 0,
    contact_point_id: int | None = None,
    url: str = "",
    language: Language | None = None,
    expires_at: dt.datetime | None = None,
) -> MessageRef | None:
    """Tell a person something that stands in no stored document; the facts are sealed until they are sent.

    To the contact points of `recipient`, as their plan says, or to `contact_point_id` and nowhere else; without an
    account both `contact_point_id` and `language` are needed. Not sent from `expires_at` on. None when the people of
    the account opted out of such messages, or of every way to tell them.
    """
    if account_id is None:
        assert contact_point_id is not None and language is not None
        account_id = NO_ACCOUNT
    spec, period = SPECS[kind], Period.of(now.date())
    if not spec.is_statutory and OptOut.objects.filter(account_id=account_id, kind=kind).exists():
        return None
    with transaction.atomic(), connection.cursor() as cursor:
        if contact_point_id is not None:
            channel, step = Channel(ContactPoint.objects.get(id=contact_point_id).channel), 0
            next_at, state = None, S.QUEUED
        elif first := _first(cursor, kind, account_id, recipient, now):
            step, channel, next_at, state = first
        else:
            return None
        if language is None:
            language = _language(account_id, recipient)
        payload = Payload.objects.create(
            period=period.number,
            kind=kind,
            facts_sealed=seal_facts(facts, url=url),
            created_at=now,
            expires_at=expires_at,
        )
        _open_gate(cursor, period, kind, now)
        Message.objects.create(
            period=period.number,
            kind=kind,
            ref=payload.ref,
            recipient=recipient,
            account_id=account_id,
            language=language,
            step=step,
            channel=channel,
            state=state,
            created_at=now,
            next_at=next_at,
            contact_point_id=contact_point_id,
        )
        if spec.lane is Lane.URGENT:
            cursor.execute(f"NOTIFY {WAKE}")
    return MessageRef(period.number, kind.value, payload.ref, recipient)


def release_messages(*, period: Period, kind: MessageKind, now: dt.datetime) -> None:
    """Open the gate: messages of this kind and period may be sent from now on.

    Delegates get a message of their own, accounts with wishes get their own plan, and digests are put together.
    Calling it again changes nothing but reopens a gate that closed because all was sent, for messages queued since.
    """
    today = now.astimezone(people.local_zone()).date()
    with transaction.atomic(), connection.cursor() as cursor:
        _open_tables(cursor, period)
        cursor.execute(_FOR_DELEGATES, {"period": period.number, "kind": kind, "now": now, "today": today})
        cursor.execute(
            """SELECT m.ref, m.recipient, m.account_id FROM notifications_message m
                WHERE m.period = %s AND m.kind = %s AND m.state = 0
                  AND (m.recipient > 0 OR m.account_id IN (SELECT account_id FROM customers_preference))
                  AND NOT EXISTS (SELECT FROM notifications_delivery d
                                   WHERE d.period = m.period AND d.kind = m.kind AND d.ref = m.ref
                                     AND d.recipient = m.recipient)
                  FOR UPDATE OF m SKIP LOCKED""",  # the gate may be open: nothing under way is taken back
            [period.number, kind],
        )
        _plan(cursor, period.number, kind, cursor.fetchall(), now)
        cursor.execute(_MERGE, {"period": period.number, "kind": kind})
        merged = cursor.rowcount > 0
        _open_gate(cursor, period, kind, now)
        gate = MessageBatch.objects.filter(period=period.number, kind=kind)
        gate.update(is_open=True, released_at=now)
        if merged:
            gate.update(has_digests=True)


def pause_batch(*, period: Period, kind: MessageKind, actor: str, now: dt.datetime) -> None:
    """Send no more of it until it is resumed. What is being sent at this moment is finished."""
    _batch(period, kind, actor, "SENDING_PAUSED", now, paused_at=now)


def resume_batch(*, period: Period, kind: MessageKind, actor: str, now: dt.datetime) -> None:
    """Go on after a pause. What was stopped stays stopped."""
    _batch(period, kind, actor, "SENDING_RESUMED", now, paused_at=None)


def stop_batch(*, period: Period, kind: MessageKind, actor: str, now: dt.datetime) -> int:
    """Call off all of it that has not begun. Returns how many messages were CANCELLED."""
    with transaction.atomic():
        _batch(period, kind, actor, "SENDING_STOPPED", now, stopped_at=now)
        return cancel_messages(period=period, kind=kind, states=_PENDING, actor=actor, now=now)


def resend(
    *, period: Period, kind: MessageKind, ref: int, recipient: int, actor: str, now: dt.datetime
) -> None:
    """Tell it again, from the first step of the plan. UserError while it is being sent, or when there is none."""
    with transaction.atomic(), connection.cursor() as cursor:
        message = Message.objects.select_for_update().filter(
            period=period.number, kind=kind, ref=ref, recipient=recipient
        )
        found = message.first()
        if found is None:
            raise UserError("There is no such message.")
        if found.state in (S.SENDING, S.IN_DOUBT):
            raise UserError("This message is being sent right now. Wait until that has ended.")
        message.update(state=S.QUEUED, next_at=None)
        _plan(cursor, period.number, kind, [(ref, recipient, found.account_id)], now)
        _reopen(period, kind, now)
        audit.record(
            actor=actor,
            action="MESSAGE_RESENT",
            subject=f"message:{period.number}.{int(kind)}.{ref}.{recipient}",
            now=now,
        )


def retry_messages(
    *, period: Period, kind: MessageKind, states: Collection[int], actor: str, now: dt.datetime
) -> int:
    """Queue again, from the first step, what ended in one of `states` (FAILED, EXPIRED, PARKED, CANCELLED).
    Returns how many."""
    allowed = {S.FAILED, S.EXPIRED, S.PARKED, S.CANCELLED}
    if not states or set(states) - allowed:
        raise UserError("Only FAILED, EXPIRED, PARKED and CANCELLED messages can be tried again.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notifications_message SET state = 0, next_at = NULL
                WHERE period = %s AND kind = %s AND state = ANY(%s) RETURNING ref, recipient, account_id""",
            [period.number, kind, [int(state) for state in states]],
        )
        rows = cursor.fetchall()
        _plan(cursor, period.number, kind, rows, now)
        if rows:
            _reopen(period, kind, now)
        _note(actor, "MESSAGES_RETRIED", period, kind, now, len(rows))
    return len(rows)


def cancel_messages(
    *, period: Period, kind: MessageKind, states: Collection[int], actor: str, now: dt.datetime
) -> int:
    """Call off what is in one of `states` (QUEUED, DEFERRED, PARKED). Returns how many."""
    if not states or set(states) - {*_PENDING, S.PARKED}:
        raise UserError("Only QUEUED, DEFERRED and PARKED messages can be called off.")
    with transaction.atomic():
        count = Message.objects.filter(
            period=period.number, kind=kind, state__in=[int(state) for state in states]
        ).update(state=S.CANCELLED, next_at=None)
        _note(actor, "MESSAGES_CANCELLED", period, kind, now, count)
    return count


def replan_account(*, account_id: int, now: dt.datetime) -> None:
    """Contact points, wishes, opt-outs or delegates of the account changed: what is queued or deferred follows them,
    and what failed for want of a contact point is tried again.

    Its plan begins anew, but for the contact points through which it went out already.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        opted_out = set(OptOut.objects.filter(account_id=account_id).values_list("kind", flat=True))
        gone = set(
            Delegate.objects.filter(account_id=account_id)
            .exclude(state__in=[DelegateState.ACTIVE, DelegateState.INVITED])
            .values_list("recipient", flat=True)
        )
        gates = MessageBatch.objects.filter(is_open=True, stopped_at=None)
        for period, kind in gates.values_list("period", "kind"):
            cursor.execute(
                _CHANGEABLE,
                {"period": period, "kind": kind, "account_id": account_id, "taken": list(walk.TAKEN)},
            )
            rows = cursor.fetchall()
            is_off = kind in opted_out and not SPECS[MessageKind(kind)].is_statutory
            off = [row for row in rows if is_off or row[1] in gone]
            if is_off or gone:
                cursor.execute(
                    _NO_FURTHER,
                    [period, kind, account_id, is_off, list(gone)],
                )
            _call_off(cursor, period, kind, [row[:2] for row in off])
            used = {(row[0], row[1]): row[3] for row in rows}
            _plan(cursor, period, kind, [row[:3] for row in rows if row not in off], now, used)


def advance(*, keys: Collection[tuple[int, int, int, int]], now: dt.datetime) -> None:
    """The present step of these messages (period, kind, ref, recipient) brought nothing: go on in their plans."""
    with transaction.atomic(), connection.cursor() as cursor:
        for period, kind in sorted({key[:2] for key in keys}):
            here = [(key[2], key[3]) for key in keys if key[:2] == (period, kind)]
            walk.advance(cursor, period=period, kind=kind, keys=here, now=now)


def _first(cursor: Any, kind: int, account_id: int, recipient: int, now: dt.datetime) -> "_Begin | None":
    """How a message begins; None when all its ways are excluded."""
    wish = people.wishes_of(cursor, [account_id]).get(account_id, NO_WISH)
    mask = people.masks_of(cursor, [(account_id, recipient)]).get((account_id, recipient), 0)
    plan = people.delivery_rules().plan(kind, wish)
    return _begin(plan, mask, by_post(kind, recipient), now)


class _Begin(NamedTuple):
    """The first step of a message, and when it is given up; where no step can be tried, EXPIRED or FAILED."""

    step: int
    channel: Channel
    next_at: dt.datetime | None
    state: MessageState


def _begin(plan: Plan, mask: int, on_paper: bool, now: dt.datetime, used: int = 0) -> _Begin | None:
    if not plan:
        return None
    found = next_step(plan, mask, by_post=on_paper, used=used)
    if found is None:
        return _Begin(len(plan) - 1, plan[-1].channel, None, S.EXPIRED if used else S.FAILED)
    return _Begin(found, plan[found].channel, walk.given_up_at(plan[found], now), S.QUEUED)


def _plan(
    cursor: Any,
    period: int,
    kind: int,
    rows: Collection[tuple[int, int, int]],
    now: dt.datetime,
    used: Mapping[tuple[int, int], int] = MappingProxyType({}),
) -> None:
    """Set (ref, recipient, account) at the first step of their plans, QUEUED; FAILED when none can be tried, CANCELLED
    when all their ways are excluded. `used`: the channels, as bits, that are to be passed over."""
    if not rows:
        return
    plans = people.delivery_rules()
    wishes = people.wishes_of(cursor, [row[2] for row in rows])
    masks = people.masks_of(cursor, [(row[2], row[1]) for row in rows])
    columns: list[list[Any]] = [[], [], [], [], [], []]
    off: list[tuple[int, int]] = []
    for ref, recipient, account in rows:
        plan, mask = plans.plan(kind, wishes.get(account, NO_WISH)), masks.get((account, recipient), 0)
        begin = _begin(plan, mask, by_post(kind, recipient), now, used.get((ref, recipient), 0))
        if begin is None:
            off.append((ref, recipient))
        else:
            for column, value in zip(columns, (ref, recipient, *begin), strict=True):
                column.append(value)
    cursor.execute(
        """UPDATE notifications_message m
                SET state = b.state, step = b.step, channel = b.channel, next_at = b.next_at
               FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::smallint[], %s::timestamptz[],
                           %s::smallint[]) AS b (ref, recipient, step, channel, next_at, state)
              WHERE m.period = %s AND m.kind = %s AND m.ref = b.ref AND m.recipient = b.recipient""",
        [*map(ints, columns[:4]), times(columns[4]), ints(columns[5]), period, kind],
    )
    _call_off(cursor, period, kind, off)


def _call_off(cursor: Any, period: int, kind: int, keys: Collection[tuple[int, int]]) -> None:
    cursor.execute(
        """UPDATE notifications_message m SET state = %s, next_at = NULL
             FROM unnest(%s::bigint[], %s::smallint[]) AS k (ref, recipient)
            WHERE m.period = %s AND m.kind = %s AND m.ref = k.ref AND m.recipient = k.recipient""",
        [S.CANCELLED, ints(ref for ref, _ in keys), ints(recipient for _, recipient in keys), period, kind],
    )


def _language(account_id: int, recipient: int) -> Language:
    if recipient:
        return Language(Delegate.objects.get(account_id=account_id, recipient=recipient).language)
    return Language(CustomerAccount.objects.get(id=account_id).language)


def _open_gate(cursor: Any, period: Period, kind: MessageKind, now: dt.datetime) -> None:
    """Make the gate, open, unless there is one. Does not touch one that exists: everybody passes here."""
    cursor.execute(
        "SELECT 1 FROM notifications_messagebatch WHERE period = %s AND kind = %s", [period.number, kind]
    )
    if cursor.fetchone() is None:
        _open_tables(cursor, period)
        cursor.execute(
            """INSERT INTO notifications_messagebatch (period, kind, is_open, released_at, has_digests)
               VALUES (%s, %s, true, %s, false) ON CONFLICT DO NOTHING""",
            [period.number, kind, now],
        )


def _open_tables(cursor: Any, period: Period) -> None:
    for table in ("notifications_message", "notifications_delivery", "notifications_reach"):
        find_or_make_partition(cursor, table=table, period=period)


def _reopen(period: Period, kind: MessageKind, now: dt.datetime) -> None:
    MessageBatch.objects.filter(period=period.number, kind=kind).update(
        is_open=True, released_at=now, stopped_at=None
    )


def _batch(
    period: Period, kind: MessageKind, actor: str, action: str, now: dt.datetime, **change: dt.datetime | None
) -> None:
    with transaction.atomic():
        if not MessageBatch.objects.filter(period=period.number, kind=kind).update(**change):
            raise UserError(f"The messages {kind.name} of {period} have not been released yet.")
        _note(actor, action, period, kind, now, None)


def _note(
    actor: str, action: str, period: Period, kind: MessageKind, now: dt.datetime, count: int | None
) -> None:
    detail = {} if count is None else {"messages": count}
    audit.record(
        actor=actor,
        action=action,
        subject=f"messages:{period}",
        now=now,
        kind=MessageKind(kind).name,
        **detail,
    )


_FOR_DELEGATES = """
    INSERT INTO notifications_message
           (period, kind, ref, recipient, account_id, language, step, channel, state, created_at)
    SELECT m.period, m.kind, m.ref, d.recipient, m.account_id, d.language, 0, m.channel, 0, %(now)s
      FROM customers_delegate d
      JOIN notifications_message m ON m.account_id = d.account_id AND m.recipient = 0
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.state = 0
       AND d.state = 'ACTIVE' AND (d.expires_on IS NULL OR d.expires_on > %(today)s)
    ON CONFLICT DO NOTHING
"""

# Messages that may still follow a change, and as bits the channels through whose present contact point they went out:
# nobody is told twice through the same one because a wish changed. FAILED: nothing could be tried at all.
_CHANGEABLE = """
    SELECT m.ref, m.recipient, m.account_id,
           coalesce((SELECT bit_or(1 << d.channel) FROM notifications_delivery d
                      WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = m.ref
                        AND d.recipient = m.recipient AND d.state = ANY(%(taken)s)
                        AND d.contact_point_id = (SELECT c.id FROM customers_contactpoint c
                                                   WHERE c.account_id = m.account_id AND c.recipient = m.recipient
                                                     AND c.channel = d.channel AND c.is_active
                                                     AND c.verified_at IS NOT NULL
                                                   ORDER BY c.verified_at DESC, c.id DESC LIMIT 1)), 0)
      FROM notifications_message m
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.account_id = %(account_id)s
       AND m.contact_point_id IS NULL
       AND (m.state IN (0, 8)
            OR m.state = 5 AND NOT EXISTS (SELECT FROM notifications_delivery d
                                            WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = m.ref
                                              AND d.recipient = m.recipient))
       FOR UPDATE OF m
"""

# What was sent already goes to no other channel.
_NO_FURTHER = """
    UPDATE notifications_message SET next_at = NULL
     WHERE period = %s AND kind = %s AND account_id = %s AND state IN (2, 3) AND next_at IS NOT NULL
       AND (%s OR recipient = ANY(%s::smallint[]))
"""

# One message for a person with many accounts: the one with the lowest number speaks for all of them. Not for bills
# that are to be printed or read out.
_MERGE = """
    UPDATE notifications_message m SET state = 10
      FROM (SELECT m.ref, row_number() OVER (PARTITION BY c.id ORDER BY m.ref) AS place
              FROM customers_customer c
              JOIN customers_customeraccount a ON a.customer_id = c.id
              JOIN notifications_message m ON m.account_id = a.id
             WHERE c.wants_digest AND m.period = %(period)s AND m.kind = %(kind)s AND m.recipient = 0
               AND m.state = 0 AND m.channel NOT IN (4, 5)) d
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = d.ref AND m.recipient = 0 AND d.place > 1
       AND m.state = 0
"""
