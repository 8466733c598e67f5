"""The only writer of messages' states and of deliveries: release, claim, settle, recover.

Every call is one short transaction of set-based statements; none is open while a provider is spoken to.
A message leaves QUEUED only by a claim, and each claim is a delivery row first: nothing is sent untold.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import Channel, Language
from tayyar.notifications import content, rules
from tayyar.notifications.content import MessageKey
from tayyar.notifications.models import MessageBatch, MessageKind, MessageState
from tayyar.notifications.ports import DeliveryKey, Outcome, SendResult

# So many deferred or doubtful messages are moved at a time: enough to keep every worker busy, a short transaction.
_MOVED_AT_ONCE = 10_000

_STATES: dict[str, Any] = {state.name: state.value for state in MessageState}


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that this worker, and no other, must now make."""

    key: DeliveryKey
    message: MessageKey
    address_sealed: bytes


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """What a claim brought: attempts to make, and how many messages ended because their account has no address."""

    claims: list[Claim]
    without_contact: int


def release_messages(*, period: Period, kind: MessageKind, now: dt.datetime) -> None:
    """Open the gate: messages of this kind and period may be sent from now on. Calling it again changes nothing
    but reopens a gate that closed because all was sent, for messages that were queued since."""
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partition(cursor, table="notifications_delivery", period=period, indexed=False)
        cursor.execute(
            """INSERT INTO notifications_messagebatch (period, kind, is_open, released_at)
               VALUES (%s, %s, true, %s)
               ON CONFLICT (period, kind) DO UPDATE SET is_open = true, released_at = excluded.released_at""",
            [period.number, kind, now],
        )


def claim_batch(*, limit: int, now: dt.datetime, worker: str) -> ClaimedBatch:
    """Take up to `limit` queued messages of released batches, the most urgent first, for this worker alone.

    Their state becomes SENDING and each gets its delivery row; those without a verified address become FAILED.
    """
    claims: list[Claim] = []
    without_contact = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for period, kind in _open_batches(kinds=content.known_kinds()):
            wanted = limit - len(claims) - without_contact
            if wanted <= 0:
                break
            cursor.execute(
                _CLAIM,
                _STATES
                | {"period": period, "kind": kind, "limit": wanted, "now": now, "worker": worker}
                | {"EMAIL": Channel.EMAIL.value},
            )
            for ref, recipient, account_id, language, attempt, address_sealed in cursor.fetchall():
                if address_sealed is None:
                    without_contact += 1
                    continue
                message = MessageKey(period, kind, ref, recipient, account_id, _language(language))
                key = DeliveryKey(period, kind, ref, recipient, Channel.EMAIL.value, attempt)
                claims.append(Claim(key, message, bytes(address_sealed)))
    return ClaimedBatch(claims, without_contact)


def settle(*, results: Sequence[SendResult], now: dt.datetime) -> None:
    """Store how attempts ended, in bulk. Safe to repeat, and right when it comes late: a worker that was given up
    and comes back still settles its own attempt, and what it sent is not sent again if that has not begun."""
    by_batch = sorted(results, key=lambda result: result.key)
    with transaction.atomic(), connection.cursor() as cursor:
        for (period, kind), group in itertools.groupby(by_batch, key=lambda result: result.key[:2]):
            batch = list(group)
            untouched = [result for result in batch if result.outcome is Outcome.NOT_TRIED]
            if untouched:
                cursor.execute(_UNCLAIM, _arrays(period, kind, untouched))
            ended = [result for result in batch if result.outcome is not Outcome.NOT_TRIED]
            if ended:
                settled = [rules.settlement(result, now=now) for result in ended]
                cursor.execute(
                    _SETTLE,
                    _arrays(period, kind, ended)
                    | {
                        "states": [s.delivery.value for s in settled],
                        "message_states": [s.message.value for s in settled],
                        "retries": [s.retry_at for s in settled],
                        "reasons": [result.reason[:40] for result in ended],
                        "provider_refs": [result.provider_ref[:120] for result in ended],
                        "now": now,
                    },
                )


def recover(*, now: dt.datetime) -> None:
    """Set right what time has passed over: attempts whose lease ran out become IN_DOUBT, doubts that nothing
    settled are queued again (the old attempt ends as EXPIRED and is counted), so are deferred messages that are
    due, and batches with nothing left are closed."""
    with transaction.atomic(), connection.cursor() as cursor:
        for period, kind in _open_batches():
            batch = _STATES | {"period": period, "kind": kind, "now": now, "most": rules.MAX_ATTEMPTS}
            cursor.execute(_LEASE_OVER, batch | {"before": now - rules.LEASE})
            cursor.execute(_DOUBT_OVER, batch | {"before": now - rules.DOUBT_LIMIT})
            cursor.execute(_RETRY_DUE, batch)
            cursor.execute(_CLOSE, batch)


def abandon(*, worker: str) -> int:
    """A worker is known to be dead: put its unfinished attempts in doubt now, not when their lease runs out.
    Returns how many."""
    moved = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for period, kind in _open_batches():
            cursor.execute(_WORKER_DEAD, _STATES | {"period": period, "kind": kind, "worker": worker})
            moved += cursor.rowcount
    return moved


def _open_batches(*, kinds: Sequence[int] = MessageKind.values) -> Iterable[tuple[int, int]]:
    """(period, kind) of each open gate, the newest period first."""
    batches = MessageBatch.objects.filter(is_open=True, kind__in=kinds).order_by("-period", "kind")
    return list(batches.values_list("period", "kind"))


def _language(number: int) -> str:
    """The language's code; Arabic for a number nobody knows, as one odd row must not stop the queue."""
    return Language(number).name if number in Language.values else Language.ar.name


def _arrays(period: int, kind: int, results: Sequence[SendResult]) -> dict[str, Any]:
    """The batch and the attempts' keys as parameters of a statement."""
    keys = [result.key for result in results]
    return _STATES | {
        "period": period,
        "kind": kind,
        "refs": [key.ref for key in keys],
        "recipients": [key.recipient for key in keys],
        "channels": [key.channel for key in keys],
        "attempts": [key.attempt for key in keys],
    }


# In every statement period and kind are constants, so that only one partition is planned and touched.

_CLAIM = """
    WITH picked AS (
        SELECT kind, ref, recipient, account_id, language
          FROM notifications_message
         WHERE period = %(period)s AND kind = %(kind)s AND state = 0
         ORDER BY priority, ref
         LIMIT %(limit)s
           FOR UPDATE SKIP LOCKED
    ), addressed AS (
        SELECT picked.*, contact.id AS contact_point_id, contact.address_sealed,
               1 + coalesce((SELECT max(d.attempt) FROM notifications_delivery d
                              WHERE d.period = %(period)s AND d.kind = picked.kind AND d.ref = picked.ref
                                AND d.recipient = picked.recipient AND d.channel = %(EMAIL)s), 0) AS attempt,
               CASE WHEN contact.id IS NULL THEN %(FAILED)s ELSE %(SENDING)s END::smallint AS state
          FROM picked LEFT JOIN LATERAL (
                   SELECT id, address_sealed FROM customers_contactpoint
                    WHERE account_id = picked.account_id AND channel = %(EMAIL)s
                      AND is_active AND verified_at IS NOT NULL
                    ORDER BY verified_at DESC, id DESC
                    LIMIT 1) contact ON true
    ), written AS (
        INSERT INTO notifications_delivery (period, kind, ref, recipient, channel, attempt, state, account_id,
                                            contact_point_id, worker, claimed_at, settled_at, reason)
        SELECT %(period)s, kind, ref, recipient, %(EMAIL)s, attempt, state, account_id, contact_point_id,
               %(worker)s, %(now)s, CASE WHEN contact_point_id IS NULL THEN %(now)s::timestamptz END,
               CASE WHEN contact_point_id IS NULL THEN 'NO_CONTACT' ELSE '' END
          FROM addressed
    ), moved AS (
        UPDATE notifications_message m SET state = a.state
          FROM addressed a
         WHERE m.period = %(period)s AND m.kind = a.kind AND m.ref = a.ref AND m.recipient = a.recipient
    )
    SELECT ref, recipient, account_id, language, attempt, address_sealed FROM addressed
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
_SETTLE = """
    WITH result AS (
        SELECT * FROM unnest(
            %(refs)s::bigint[], %(recipients)s::smallint[], %(channels)s::smallint[], %(attempts)s::smallint[],
            %(states)s::smallint[], %(message_states)s::smallint[], %(retries)s::timestamptz[],
            %(reasons)s::text[], %(provider_refs)s::text[]
        ) AS r (ref, recipient, channel, attempt, state, message_state, retry_at, reason, provider_ref)
    ), locked AS (
        SELECT r.*, d.state AS was
          FROM notifications_delivery d JOIN result r USING (ref, recipient, channel, attempt)
         WHERE d.period = %(period)s AND d.kind = %(kind)s
           AND (d.state IN (%(SENDING)s, %(IN_DOUBT)s)
                OR d.state = %(EXPIRED)s AND r.state <> %(IN_DOUBT)s)
           FOR UPDATE OF d
    ), written AS (
        UPDATE notifications_delivery d
           SET state = l.state, reason = l.reason, provider_ref = l.provider_ref,
               retry_at = CASE WHEN l.was <> %(EXPIRED)s THEN l.retry_at END,
               settled_at = CASE WHEN l.state <> %(IN_DOUBT)s THEN %(now)s::timestamptz END
          FROM locked l
         WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = l.ref AND d.recipient = l.recipient
           AND d.channel = l.channel AND d.attempt = l.attempt
    )
    UPDATE notifications_message m SET state = l.message_state
      FROM locked l
     WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.ref = l.ref AND m.recipient = l.recipient
       AND (l.was <> %(EXPIRED)s AND m.state IN (%(SENDING)s, %(IN_DOUBT)s)
            OR l.was = %(EXPIRED)s AND l.state = %(SENT)s
               AND m.state IN (%(QUEUED)s, %(DEFERRED)s, %(FAILED)s, %(IN_DOUBT)s, %(EXPIRED)s))
"""


def _move(condition: str, delivery: str, message: str, was: str) -> str:
    """The statement that moves deliveries for which `condition` holds, and their messages that are in state `was`."""
    return f"""
        WITH picked AS (
            SELECT ref, recipient, channel, attempt FROM notifications_delivery
             WHERE period = %(period)s AND kind = %(kind)s AND {condition}
             LIMIT {_MOVED_AT_ONCE}
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
_DOUBT_OVER = _move(
    "state = 7 AND claimed_at < %(before)s",
    "state = %(EXPIRED)s, settled_at = %(now)s",
    "CASE WHEN moved.attempt < %(most)s THEN %(QUEUED)s ELSE %(EXPIRED)s END",
    "%(IN_DOUBT)s",
)
_RETRY_DUE = _move("retry_at <= %(now)s", "retry_at = NULL", "%(QUEUED)s", "%(DEFERRED)s")

# `released_at` is compared so that a release that happens at this very moment is not undone.
_CLOSE = """
    UPDATE notifications_messagebatch b SET is_open = false
     WHERE b.period = %(period)s AND b.kind = %(kind)s
       AND b.released_at = (SELECT released_at FROM notifications_messagebatch
                             WHERE period = %(period)s AND kind = %(kind)s)
       AND NOT EXISTS (SELECT FROM notifications_message
                        WHERE period = %(period)s AND kind = %(kind)s AND state = 0)
       AND NOT EXISTS (SELECT FROM notifications_delivery
                        WHERE period = %(period)s AND kind = %(kind)s AND state IN (1, 7))
       AND NOT EXISTS (SELECT FROM notifications_delivery
                        WHERE period = %(period)s AND kind = %(kind)s AND retry_at IS NOT NULL)
"""
