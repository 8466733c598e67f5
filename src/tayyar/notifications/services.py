"""What other modules and staff ask of messages: queue, release, pause, stop, resend, retry, cancel, plan anew.

Every call is one transaction. Sending is the engine's (outbox.py, delivery.py); evidence is proof.py's.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.db import connection, transaction

from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.core.partitions import ensure_partition
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
from tayyar.notifications.kinds import SPECS, Lane, MessageKind
from tayyar.notifications.models import Message, MessageBatch, MessageState, Payload
from tayyar.notifications.payloads import seal_facts
from tayyar.notifications.plans import Plan, next_step

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
    account_id: int,
    facts: Mapping[str, str],
    now: dt.datetime,
    recipient: int = 0,
    contact_point_id: int | None = None,
    url: str = "",
    language: Language | None = None,
) -> MessageRef | None:
    """Tell a person something that stands in no stored document; the facts are sealed until they are sent.

    To the contact points of `recipient`, as their plan says, or to `contact_point_id` and nowhere else. None when
    the people of the account opted out of such messages.
    """
    spec, period = SPECS[kind], Period.of(now.date())
    if not spec.is_statutory and OptOut.objects.filter(account_id=account_id, kind=kind).exists():
        return None
    with transaction.atomic(), connection.cursor() as cursor:
        if contact_point_id is not None:
            channel, step = Channel(ContactPoint.objects.get(id=contact_point_id).channel), 0
        else:
            step, channel = _first(cursor, kind, account_id, recipient)
        if language is None:
            language = _language(account_id, recipient)
        payload = Payload.objects.create(
            period=period.number, kind=kind, facts_sealed=seal_facts(facts, url=url), created_at=now
        )
        _open_gate(cursor, period, kind, now)
        ensure_partition(cursor, table="notifications_message", period=period)
        Message.objects.create(
            period=period.number,
            kind=kind,
            ref=payload.ref,
            recipient=recipient,
            account_id=account_id,
            language=language,
            step=step,
            channel=channel,
            state=S.QUEUED,
            created_at=now,
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
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partition(cursor, table="notifications_delivery", period=period)
        ensure_partition(cursor, table="notifications_reach", period=period)
        cursor.execute(
            _FOR_DELEGATES, {"period": period.number, "kind": kind, "now": now, "today": now.date()}
        )
        cursor.execute(
            """SELECT m.ref, m.recipient, m.account_id FROM notifications_message m
                WHERE m.period = %s AND m.kind = %s AND m.state = 0
                  AND (m.recipient > 0 OR m.account_id IN (SELECT account_id FROM customers_preference))""",
            [period.number, kind],
        )
        _plan(cursor, period.number, kind, cursor.fetchall())
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
        _plan(cursor, period.number, kind, [(ref, recipient, found.account_id)])
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
        _plan(cursor, period.number, kind, rows)
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
    """Contact points, wishes, opt-outs or delegates of the account changed: what has not begun follows them, and
    what failed for want of a contact point is tried again."""
    with transaction.atomic(), connection.cursor() as cursor:
        opted_out = set(OptOut.objects.filter(account_id=account_id).values_list("kind", flat=True))
        gone = set(
            Delegate.objects.filter(account_id=account_id)
            .exclude(state__in=[DelegateState.ACTIVE, DelegateState.INVITED])
            .values_list("recipient", flat=True)
        )
        for period, kind in MessageBatch.objects.filter(is_open=True).values_list("period", "kind"):
            cursor.execute(
                """SELECT ref, recipient, account_id, step FROM notifications_message
                    WHERE period = %s AND kind = %s AND account_id = %s AND contact_point_id IS NULL
                      AND (state = %s OR state = %s AND step = 0) FOR UPDATE""",
                [period, kind, account_id, S.QUEUED, S.FAILED],
            )
            rows = cursor.fetchall()
            off = [
                row
                for row in rows
                if row[1] in gone or (kind in opted_out and not SPECS[MessageKind(kind)].is_statutory)
            ]
            for row in off:
                Message.objects.filter(period=period, kind=kind, ref=row[0], recipient=row[1]).update(
                    state=S.CANCELLED, next_at=None
                )
            _plan(cursor, period, kind, [row[:3] for row in rows if row not in off])


def advance(*, keys: Collection[tuple[int, int, int, int]], now: dt.datetime) -> None:
    """The present step of these messages (period, kind, ref, recipient) brought nothing: go on in their plans."""
    with transaction.atomic(), connection.cursor() as cursor:
        for period, kind in sorted({key[:2] for key in keys}):
            here = [(key[2], key[3]) for key in keys if key[:2] == (period, kind)]
            walk.advance(cursor, period=period, kind=kind, keys=here, now=now)


def _first(cursor: Any, kind: int, account_id: int, recipient: int) -> tuple[int, Channel]:
    """Step and channel with which a message begins."""
    wish = people.wishes_of(cursor, [account_id]).get(account_id)
    plan = people.delivery_rules().plan(kind, wish) if wish else people.delivery_rules().plan(kind)
    mask = people.masks_of(cursor, [(account_id, recipient)]).get((account_id, recipient), 0)
    return _begin(plan, mask)


def _begin(plan: Plan, mask: int) -> tuple[int, Channel]:
    step = next_step(plan, mask)
    step = len(plan) - 1 if step is None else step  # its claim finds no contact point, and the plan ends
    return step, plan[step].channel


def _plan(cursor: Any, period: int, kind: int, rows: Collection[tuple[int, int, int]]) -> None:
    """Set (ref, recipient, account) at the first step of their plans, QUEUED."""
    if not rows:
        return
    plans = people.delivery_rules()
    wishes = people.wishes_of(cursor, [row[2] for row in rows])
    masks = people.masks_of(cursor, [(row[2], row[1]) for row in rows])
    begins = []
    for ref, recipient, account in rows:
        plan = plans.plan(kind, wishes[account]) if account in wishes else plans.plan(kind)
        step, channel = _begin(plan, masks.get((account, recipient), 0))
        begins.append((ref, recipient, step, channel.value))
    cursor.execute(
        """UPDATE notifications_message m SET state = 0, step = b.step, channel = b.channel, next_at = NULL
             FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::smallint[])
                    AS b (ref, recipient, step, channel)
            WHERE m.period = %s AND m.kind = %s AND m.ref = b.ref AND m.recipient = b.recipient""",
        [*map(list, zip(*begins, strict=True)), period, kind],
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
        ensure_partition(cursor, table="notifications_delivery", period=period)
        ensure_partition(cursor, table="notifications_reach", period=period)
        cursor.execute(
            """INSERT INTO notifications_messagebatch (period, kind, is_open, released_at, has_digests)
               VALUES (%s, %s, true, %s, false) ON CONFLICT DO NOTHING""",
            [period.number, kind, now],
        )


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

# One message for a person with many accounts: the one with the lowest number speaks for all of them.
_MERGE = """
    UPDATE notifications_message m SET state = 10
      FROM (SELECT m.ref, row_number() OVER (PARTITION BY c.id ORDER BY m.ref) AS place
              FROM customers_customer c
              JOIN customers_customeraccount a ON a.customer_id = c.id
              JOIN notifications_message m ON m.account_id = a.id
             WHERE c.wants_digest AND m.period = %(period)s AND m.kind = %(kind)s AND m.recipient = 0
               AND m.state = 0) d
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = d.ref AND m.recipient = 0 AND d.place > 1
"""
