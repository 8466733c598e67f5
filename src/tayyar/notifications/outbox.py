"""The engine's writing: claim, settle, recover. Nobody else moves a message into SENDING or out of it.

Every call is one short transaction of set-based statements; none is open while a provider is spoken to. A message
leaves QUEUED only by a claim, and each claim is a delivery row first: nothing is sent untold. Next: delivery.py.
"""

import datetime as dt
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction

from tayyar.core.arrays import ints, texts, times
from tayyar.customers.models import Channel, ContactMark, Language
from tayyar.customers.services import mark_contacts
from tayyar.notifications import people, rules, walk
from tayyar.notifications.content import MessageKey
from tayyar.notifications.kinds import BILL_KINDS, SPECS, Lane, MessageKind
from tayyar.notifications.models import EarlyReceipt, MessageBatch, MessageState, Payload
from tayyar.notifications.plans import Step, Until, quiet_until
from tayyar.notifications.ports import DeliveryKey, Outcome, SendResult
from tayyar.notifications.sheet_statements import BESIDE

# So many deferred or doubtful messages are moved at a time: enough to keep every worker busy, a short transaction.
MOVED_AT_ONCE = 10_000
_GATES_OPEN = dt.timedelta(days=62)
_CALL_WAIT = dt.timedelta(days=3)  # where an account's own plan calls and the profile's does not
KEPT_PAYLOADS = dt.timedelta(days=7)
KEPT_EARLY_RECEIPTS = dt.timedelta(days=8)  # WhatsApp repeats its webhooks for up to seven days

# A message in any other state was moved meanwhile, by a receipt or a reader: how the attempt ended moves it no more.
_AWAITING = (MessageState.SENDING, MessageState.IN_DOUBT)
_LANGUAGES = {language.value: language.name for language in Language}
STATES: dict[str, Any] = {state.name: state.value for state in MessageState}


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that this worker, and no other, must now make, and the plan's step it belongs to."""

    key: DeliveryKey
    message: MessageKey
    address_sealed: bytes
    step: Step
    attaches_pdf: bool
    speaks_for: tuple[MessageKey, ...] = ()  # a digest's other messages


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """What a claim brought: attempts to make; how many messages had no address here and went on in their plan, or
    wait for quiet hours to end."""

    claims: list[Claim]
    without_contact: int = 0
    quiet: int = 0

    def __bool__(self) -> bool:
        return bool(self.claims or self.without_contact or self.quiet)


def open_batches() -> list[tuple[int, int]]:
    """(period, kind) of each gate that lets messages through, the most urgent first, then the newest period."""
    found = MessageBatch.objects.filter(is_open=True, paused_at=None, stopped_at=None)
    order = list(Lane)
    return sorted(
        found.values_list("period", "kind"),
        key=lambda batch: (order.index(SPECS[MessageKind(batch[1])].lane), -batch[0], batch[1]),
    )


def waiting(*, kinds: Sequence[int], channels: Sequence[int]) -> list[tuple[int, int, int]]:
    """(period, kind, channel) of the released batches that hold queued messages, in the order of `open_batches`."""
    batches = [batch for batch in open_batches() if batch[1] in kinds]
    if not batches:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT b.period, b.kind, c.channel
                 FROM unnest(%s::int[], %s::smallint[]) WITH ORDINALITY AS b (period, kind, place)
                CROSS JOIN unnest(%s::smallint[]) AS c (channel)
                WHERE EXISTS (SELECT FROM notifications_message m
                               WHERE m.period = b.period AND m.kind = b.kind AND m.channel = c.channel
                                 AND m.state = 0)
                ORDER BY b.place, c.channel""",
            [*map(list, zip(*batches, strict=True)), list(channels)],
        )
        return list(cursor.fetchall())


def claim_batch(
    *,
    period: int,
    kind: int,
    channel: Channel,
    limit: int,
    provider: int,
    now: dt.datetime,
    worker: str,
) -> ClaimedBatch:
    """Take up to `limit` queued messages of one released batch whose plan stands at `channel`, for this worker alone.

    Their state becomes SENDING and each gets its delivery row, under the provider's number. Messages without a
    contact point of that channel go on in their plan; those in their account's quiet hours are DEFERRED.
    """
    spec = SPECS[MessageKind(kind)]
    local = now.astimezone(people.local_zone())
    plans = people.delivery_rules()
    claims: list[Claim] = []
    nowhere: list[tuple[int, int]] = []
    quiet: list[tuple[int, int, dt.datetime]] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            STATES
            | {"period": period, "kind": kind, "channel": channel.value, "limit": limit, "now": now}
            | {"worker": worker, "provider": provider, "clock": local.time()}
            | {"minds_quiet": spec.lane != Lane.URGENT},
        )
        usual = plans.plan(kind)
        for row in cursor.fetchall():
            ref, recipient, account, language, number, attempt, address, is_quiet, hours, wished, attaches = (
                row
            )
            if is_quiet:
                until = quiet_until(local, tuple(hours))
                quiet.append((ref, recipient, until or now))
            elif address is None:
                nowhere.append((ref, recipient))
            else:
                plan = usual if wished is None else plans.plan(kind, people.wish(*json.loads(wished)))
                claims.append(
                    Claim(
                        DeliveryKey(period, kind, ref, recipient, channel.value, attempt),
                        MessageKey(period, kind, ref, recipient, account, _language(language)),
                        bytes(address),
                        _step(plan, number, channel),
                        attaches,
                    )
                )
        if quiet:
            cursor.execute(
                """UPDATE notifications_message m SET state = %(DEFERRED)s, next_at = q.until
                     FROM unnest(%(refs)s::bigint[], %(recipients)s::smallint[], %(untils)s::timestamptz[])
                            AS q (ref, recipient, until)
                    WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = q.ref
                      AND m.recipient = q.recipient""",
                STATES
                | {"period": period, "kind": kind, "refs": [row[0] for row in quiet]}
                | {"recipients": [row[1] for row in quiet], "untils": [row[2] for row in quiet]},
            )
        walk.advance(cursor, period=period, kind=kind, keys=nowhere, now=now)
        if claims and MessageBatch.objects.filter(period=period, kind=kind, has_digests=True).exists():
            claims = _with_merged(cursor, claims)
    return ClaimedBatch(claims, len(nowhere), len(quiet))


def pass_over(*, period: int, kind: int, channel: int, now: dt.datetime) -> int:
    """Nobody sends through this channel: queued messages whose plan stands there go on in it, at most MOVED_AT_ONCE
    of them. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """SELECT ref, recipient FROM notifications_message
                WHERE period = %s AND kind = %s AND channel = %s AND state = 0
                ORDER BY ref LIMIT %s FOR UPDATE SKIP LOCKED""",
            [period, kind, channel, MOVED_AT_ONCE],
        )
        rows = cursor.fetchall()
        walk.advance(cursor, period=period, kind=kind, keys=rows, now=now)
    return len(rows)


def _with_merged(cursor: Any, claims: Sequence[Claim]) -> list[Claim]:
    """The claims, each with the messages that were merged into it, whatever its person wishes by now: nobody else
    tells those."""
    cursor.execute(
        """SELECT lead.id, m.period, m.kind, m.ref, m.recipient, m.account_id, m.language
             FROM customers_customeraccount lead
             JOIN customers_customeraccount other ON other.customer_id = lead.customer_id AND other.id <> lead.id
             JOIN notifications_message m ON m.period = %s AND m.kind = %s AND m.account_id = other.id
                                         AND m.recipient = 0 AND m.state = %s
            WHERE lead.id = ANY(%s) ORDER BY m.ref""",
        [
            *claims[0].key[:2],
            MessageState.MERGED.value,
            [claim.message.account_id for claim in claims if not claim.key.recipient],
        ],
    )
    merged: dict[int, list[MessageKey]] = {}
    for lead, period, kind, ref, recipient, account, language in cursor.fetchall():
        merged.setdefault(lead, []).append(
            MessageKey(period, kind, ref, recipient, account, _language(language))
        )
    return [
        replace(claim, speaks_for=tuple(merged.get(claim.message.account_id, ())))
        if not claim.key.recipient
        else claim
        for claim in claims
    ]


def settle(
    *,
    results: Sequence[SendResult],
    claims: Mapping[DeliveryKey, Claim],
    now: dt.datetime,
    cost_micro: int = 0,
) -> None:
    """Store how attempts ended, in bulk. Safe to repeat, and right when it comes late: a worker that was given up
    and comes back still settles its own attempt, and what it sent is not sent again if that has not begun.

    `claims` are those the results belong to; `cost_micro` is the provider's price of one segment.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        by_batch = sorted(results, key=lambda result: result.key)
        for (period, kind), group in itertools.groupby(by_batch, key=lambda result: result.key[:2]):
            batch = list(group)
            untouched = [result for result in batch if result.outcome is Outcome.NOT_TRIED]
            if untouched:
                cursor.execute(_UNCLAIM, _arrays(period, kind, untouched))
            ended = [result for result in batch if result.outcome is not Outcome.NOT_TRIED]
            if ended:
                _settle(cursor, period, kind, ended, claims, now, cost_micro)


def _settle(
    cursor: Any,
    period: int,
    kind: int,
    ended: Sequence[SendResult],
    claims: Mapping[DeliveryKey, Claim],
    now: dt.datetime,
    cost_micro: int,
) -> None:
    steps = [claims[result.key].step for result in ended]
    settled = [
        rules.settlement(result, until=step.until, wait=step.wait, now=now)
        for result, step in zip(ended, steps, strict=True)
    ]
    charged = [result.segments if result.outcome is Outcome.SENT else 0 for result in ended]
    cursor.execute(
        _SETTLE,
        _arrays(period, kind, ended)
        | {
            "states": ints(s.delivery.value for s in settled),
            "message_states": ints(None if s.message is None else s.message.value for s in settled),
            "next_ats": times(s.next_at for s in settled),
            "reasons": texts(result.reason[:40] for result in ended),
            "provider_refs": texts(result.provider_ref[:120] for result in ended),
            "segments": ints(charged),
            "cost_micro": cost_micro,
            "now": now,
        },
    )
    current = {
        (ref, recipient, channel, attempt): contact
        for ref, recipient, channel, attempt, contact in cursor.fetchall()
    }
    bad = [
        contact
        for result, s in zip(ended, settled, strict=True)
        if s.contact_is_bad and (contact := current.get(result.key[2:])) is not None
    ]
    if bad:
        mark_contacts(ids=bad, mark=ContactMark.BOUNCED, now=now, actor="worker")
    walk.advance(
        cursor,
        period=period,
        kind=kind,
        keys=[
            (result.key.ref, result.key.recipient)
            for result, s in zip(ended, settled, strict=True)
            if s.message is None and result.key[2:] in current
        ],
        now=now,
        standing=_AWAITING,
    )


def recover(*, now: dt.datetime) -> None:
    """Set right what time has passed over: attempts whose lease ran out become IN_DOUBT, doubts that nothing
    settled are queued again (the old attempt ends as EXPIRED and is counted), deferred messages that are due are
    queued, plans whose wait is over go on, what came back to a stopped batch is called off, gates with nothing left
    are closed, and closed ones to which something came back are opened."""
    with connection.cursor() as cursor:
        cursor.execute(_REOPEN, {"after": now - _GATES_OPEN})
    batches = MessageBatch.objects.filter(is_open=True).values_list("period", "kind", "stopped_at")
    for period, kind, stopped_at in sorted(batches, key=lambda batch: batch[:2], reverse=True):
        batch = STATES | {"period": period, "kind": kind, "now": now, "most": rules.MAX_ATTEMPTS}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_LEASE_OVER, batch | {"before": now - rules.LEASE})
            cursor.execute(_DOUBT_OVER, batch | {"before": now - rules.doubt_limit(kind)})
            cursor.execute(_DEFERRED_DUE, batch)
            cursor.execute(_CALL_WAITS, batch | {"CALL": Channel.CALL.value, "until": now + _call_wait(kind)})
            cursor.execute(_WAIT_OVER, batch | {"CALL": Channel.CALL.value})
            walk.advance(cursor, period=period, kind=kind, keys=cursor.fetchall(), now=now)
            if stopped_at is not None:
                cursor.execute(_STOPPED, batch)
            open_for = dt.timedelta(0) if SPECS[MessageKind(kind)].is_released else _GATES_OPEN
            cursor.execute(_CLOSE, batch | {"before": now - open_for, "bills": list(BILL_KINDS)})
    Payload.objects.filter(created_at__lt=now - KEPT_PAYLOADS).delete()
    EarlyReceipt.objects.filter(stored_at__lt=now - KEPT_EARLY_RECEIPTS).delete()


def abandon(*, worker: str) -> int:
    """A worker is known to be dead: put its unfinished attempts in doubt now, not when their lease runs out.
    Returns how many."""
    moved = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for period, kind in MessageBatch.objects.filter(is_open=True).values_list("period", "kind"):
            cursor.execute(_WORKER_DEAD, STATES | {"period": period, "kind": kind, "worker": worker})
            moved += cursor.rowcount
    return moved


def _call_wait(kind: int) -> dt.timedelta:
    """How long a message waits for somebody who calls."""
    plan = people.delivery_rules().plan(kind)
    return next((step.wait for step in plan if step.channel == Channel.CALL), _CALL_WAIT)


def _language(number: int) -> str:
    """The language's code; Arabic for a number nobody knows, as one odd row must not stop the queue."""
    return _LANGUAGES.get(number, Language.ar.name)


def _step(plan: Sequence[Step], number: int, channel: Channel) -> Step:
    """The step that a message stands at; where its plan changed meanwhile, the one that uses this channel."""
    if number < len(plan) and plan[number].channel == channel:
        return plan[number]
    return next(
        (step for step in plan if step.channel == channel), Step(channel, dt.timedelta(0), Until.SENT)
    )


def _arrays(period: int, kind: int, results: Sequence[SendResult]) -> dict[str, Any]:
    """The batch and the attempts' keys as parameters of a statement."""
    keys = [result.key for result in results]
    return STATES | {
        "period": period,
        "kind": kind,
        "refs": ints(key.ref for key in keys),
        "recipients": ints(key.recipient for key in keys),
        "channels": ints(key.channel for key in keys),
        "attempts": ints(key.attempt for key in keys),
    }


# In every statement period and kind are constants, so that only one partition is planned and touched. A LATERAL with
# OFFSET 0 is looked up row by row through the primary key, whatever the planner believes about how many are in flight.

_CLAIM = """
    WITH picked AS (
        SELECT ref, recipient, account_id, language, step, contact_point_id AS only_id
          FROM notifications_message
         WHERE period = %(period)s AND kind = %(kind)s AND channel = %(channel)s AND state = 0
         ORDER BY ref
         LIMIT %(limit)s
           FOR UPDATE SKIP LOCKED
    ), addressed AS (
        SELECT picked.*, contact.id AS contact_point_id, contact.address_sealed,
               1 + coalesce((SELECT max(d.attempt) FROM notifications_delivery d
                              WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = picked.ref
                                AND d.recipient = picked.recipient AND d.channel = %(channel)s), 0) AS attempt,
               CASE WHEN NOT %(minds_quiet)s OR p.quiet_from IS NULL THEN false
                    WHEN p.quiet_from < p.quiet_to THEN %(clock)s >= p.quiet_from AND %(clock)s < p.quiet_to
                    ELSE %(clock)s >= p.quiet_from OR %(clock)s < p.quiet_to END AS is_quiet,
               CASE WHEN p.quiet_from IS NOT NULL THEN ARRAY[p.quiet_from, p.quiet_to] END AS hours,
               CASE WHEN p.account_id IS NOT NULL
                    THEN jsonb_build_array(p.channels, p.excluded, p.plans, p.wants_paper) END AS wished,
               coalesce(p.attaches_pdf, false) AS attaches_pdf
          FROM picked
          LEFT JOIN LATERAL (
                   (SELECT id, address_sealed FROM customers_contactpoint
                     WHERE picked.only_id IS NULL AND account_id = picked.account_id
                       AND recipient = picked.recipient AND channel = %(channel)s AND is_active
                       AND verified_at IS NOT NULL
                     ORDER BY verified_at DESC, id DESC
                     LIMIT 1)
                   UNION ALL
                   SELECT id, address_sealed FROM customers_contactpoint
                    WHERE id = picked.only_id AND channel = %(channel)s AND is_active) contact ON true
          LEFT JOIN customers_preference p ON p.account_id = picked.account_id
    ), written AS (
        INSERT INTO notifications_delivery (period, kind, ref, recipient, channel, attempt, state, account_id,
                                            contact_point_id, provider, worker, claimed_at)
        SELECT %(period)s, %(kind)s, ref, recipient, %(channel)s, attempt, %(SENDING)s, account_id,
               contact_point_id, %(provider)s, %(worker)s, %(now)s
          FROM addressed WHERE contact_point_id IS NOT NULL AND NOT is_quiet
    ), moved AS (
        UPDATE notifications_message m SET state = %(SENDING)s, next_at = NULL
          FROM addressed a
         WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = a.ref AND m.recipient = a.recipient
           AND a.contact_point_id IS NOT NULL AND NOT a.is_quiet
    )
    SELECT ref, recipient, account_id, language, step, attempt, address_sealed, is_quiet, hours, wished, attaches_pdf
      FROM addressed
"""

# Nothing was handed over: the attempt never was. Its row goes, and the message is as before the claim.
_UNCLAIM = """
    WITH gone AS (
        DELETE FROM notifications_delivery d
         USING unnest(%(refs)s::bigint[], %(recipients)s::smallint[], %(channels)s::smallint[],
                      %(attempts)s::smallint[]) AS r (ref, recipient, channel, attempt)
         WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = r.ref AND d.recipient = r.recipient
           AND d.channel = r.channel AND d.attempt = r.attempt AND d.state IN (%(SENDING)s, %(IN_DOUBT)s)
        RETURNING d.ref, d.recipient
    )
    UPDATE notifications_message m SET state = %(QUEUED)s
      FROM gone
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = gone.ref AND m.recipient = gone.recipient
       AND m.state IN (%(SENDING)s, %(IN_DOUBT)s)
"""

# `was` EXPIRED: the doubt about this attempt lasted too long and another was ordered. Word that it was taken
# still spares the reader the second one, if that is not under way; word that it was not changes only the record.
# `is_told`: a receipt overtook the answer, which still brings the provider's name for it and what it charges; a price
# that the receipt named stands.
# Returns the attempts that were still awaited, with their contact points. A NULL message state leaves the message
# to the plan (walk.advance).
_SETTLE = """
    WITH result AS (
        SELECT * FROM unnest(
            %(refs)s::bigint[], %(recipients)s::smallint[], %(channels)s::smallint[], %(attempts)s::smallint[],
            %(states)s::smallint[], %(message_states)s::smallint[], %(next_ats)s::timestamptz[],
            %(reasons)s::text[], %(provider_refs)s::text[], %(segments)s::smallint[]
        ) AS r (ref, recipient, channel, attempt, state, message_state, next_at, reason, provider_ref, segments)
    ), locked AS (
        SELECT r.*, d.state AS was, d.state NOT IN (%(SENDING)s, %(IN_DOUBT)s, %(EXPIRED)s) AS is_told,
               d.contact_point_id
          FROM result r CROSS JOIN LATERAL (
                   SELECT state, provider_ref, segments, contact_point_id, received_at FROM notifications_delivery
                    WHERE period = %(period)s AND kind = %(kind)s AND ref = r.ref AND recipient = r.recipient
                      AND channel = r.channel AND attempt = r.attempt
                   OFFSET 0 FOR UPDATE) d
         WHERE d.state IN (%(SENDING)s, %(IN_DOUBT)s)
            OR d.state = %(EXPIRED)s AND d.provider_ref = '' AND r.state <> %(IN_DOUBT)s
            OR d.state IN (%(SENT)s, %(FAILED)s, %(DELIVERED)s, %(READ)s) AND d.segments = 0
               AND d.received_at IS NOT NULL AND r.state = %(SENT)s
    ), written AS (
        UPDATE notifications_delivery d
           SET state = CASE WHEN l.is_told THEN l.was ELSE l.state END,
               reason = CASE WHEN l.is_told THEN d.reason ELSE l.reason END, provider_ref = l.provider_ref,
               segments = l.segments,
               cost_micro = CASE WHEN d.cost_micro > 0 THEN d.cost_micro ELSE l.segments * %(cost_micro)s::bigint END,
               settled_at = CASE WHEN l.state <> %(IN_DOUBT)s THEN %(now)s::timestamptz END
          FROM locked l
         WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = l.ref AND d.recipient = l.recipient
           AND d.channel = l.channel AND d.attempt = l.attempt
    ), moved AS (
        UPDATE notifications_message m SET state = l.message_state, next_at = l.next_at
          FROM locked l
         WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = l.ref AND m.recipient = l.recipient
           AND l.message_state IS NOT NULL
           AND (l.was IN (%(SENDING)s, %(IN_DOUBT)s) AND m.state IN (%(SENDING)s, %(IN_DOUBT)s)
                OR l.was = %(EXPIRED)s AND l.state = %(SENT)s
                   AND m.state IN (%(QUEUED)s, %(DEFERRED)s, %(FAILED)s, %(IN_DOUBT)s, %(EXPIRED)s, %(PARKED)s))
    )
    SELECT ref, recipient, channel, attempt, contact_point_id FROM locked
     WHERE was IN (%(SENDING)s, %(IN_DOUBT)s)
"""


def _move(condition: str, delivery: str, message: str, was: str) -> str:
    """The statement that moves deliveries for which `condition` holds, and their messages that are in state `was`."""
    return f"""
        WITH picked AS (
            SELECT ref, recipient, channel, attempt FROM notifications_delivery
             WHERE period = %(period)s AND kind = %(kind)s AND provider IS NOT NULL AND {condition}
             LIMIT {MOVED_AT_ONCE}
               FOR UPDATE SKIP LOCKED
        ), moved AS (
            UPDATE notifications_delivery d SET {delivery}
              FROM picked p
             WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = p.ref AND d.recipient = p.recipient
               AND d.channel = p.channel AND d.attempt = p.attempt
            RETURNING d.ref, d.recipient, d.attempt
        )
        UPDATE notifications_message m SET state = {message}
          FROM moved
         WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = moved.ref
           AND m.recipient = moved.recipient AND m.state = {was}
    """


_TO_DOUBT = ("state = %(IN_DOUBT)s, reason = 'WORKER_LOST'", "%(IN_DOUBT)s", "%(SENDING)s")
_LEASE_OVER = _move("state = 1 AND claimed_at < %(before)s", *_TO_DOUBT)
_WORKER_DEAD = _move("state = 1 AND worker = %(worker)s", *_TO_DOUBT)
# A message that ends in doubt every time is parked: it may be what kills the workers.
_DOUBT_OVER = _move(
    "state = 7 AND claimed_at < %(before)s",
    "state = %(EXPIRED)s, settled_at = %(now)s",
    "CASE WHEN moved.attempt < %(most)s THEN %(QUEUED)s ELSE %(PARKED)s END",
    "%(IN_DOUBT)s",
)

_DEFERRED_DUE = f"""
    UPDATE notifications_message m SET state = %(QUEUED)s, next_at = NULL
      FROM (SELECT ref, recipient FROM notifications_message
             WHERE period = %(period)s AND kind = %(kind)s AND next_at <= %(now)s AND state = %(DEFERRED)s
             LIMIT {MOVED_AT_ONCE}
               FOR UPDATE SKIP LOCKED) due
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = due.ref AND m.recipient = due.recipient
"""
# A call that was put off, or given back by a sheet, is waited for anew.
_CALL_WAITS = """
    UPDATE notifications_message SET next_at = %(until)s
     WHERE period = %(period)s AND kind = %(kind)s AND channel = %(CALL)s AND state = 0 AND next_at IS NULL
"""
_WAIT_OVER = f"""
    SELECT ref, recipient FROM notifications_message
     WHERE period = %(period)s AND kind = %(kind)s AND next_at <= %(now)s
       AND (state IN (%(SENT)s, %(DELIVERED)s) OR state = %(QUEUED)s AND channel = %(CALL)s)
     LIMIT {MOVED_AT_ONCE}
       FOR UPDATE SKIP LOCKED
"""

# What was being sent when staff stopped the batch, and would be tried again.
_STOPPED = """
    UPDATE notifications_message SET state = %(CANCELLED)s, next_at = NULL
     WHERE period = %(period)s AND kind = %(kind)s AND state IN (%(QUEUED)s, %(DEFERRED)s)
"""

# A late receipt or an envelope that came back may queue a message whose gate had closed.
_REOPEN = """
    UPDATE notifications_messagebatch b SET is_open = true
     WHERE NOT b.is_open AND b.released_at > %(after)s
       AND EXISTS (SELECT FROM notifications_message m
                    WHERE m.period = b.period AND m.kind = b.kind AND m.state = 0)
"""

# `released_at` is compared so that a release that happens at this very moment is not undone. Kinds whose messages
# come one by one keep the gates of this and the last month open (`before`); a run's stays while paper is to be printed.
_CLOSE = f"""
    UPDATE notifications_messagebatch b SET is_open = false
     WHERE b.period = %(period)s AND b.kind = %(kind)s AND b.released_at <= %(before)s
       AND b.released_at = (SELECT released_at FROM notifications_messagebatch
                             WHERE period = %(period)s AND kind = %(kind)s)
       AND NOT EXISTS (SELECT FROM notifications_message
                        WHERE period = %(period)s AND kind = %(kind)s AND state = 0)
       AND NOT EXISTS (SELECT FROM notifications_message
                        WHERE period = %(period)s AND kind = %(kind)s AND next_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM notifications_delivery
                        WHERE period = %(period)s AND kind = %(kind)s AND state IN (1, 7))
       AND (%(kind)s <> ALL(%(bills)s) OR NOT EXISTS (SELECT {BESIDE}))
"""
