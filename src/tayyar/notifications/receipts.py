"""Receipts: what providers tell of messages they took. Stored before the provider is told so, matched at once where
they can be, kept for later where they overtook the answer.

May come twice, late, early and out of order: an attempt only ever moves forward (rules.received). Next: proof.py.
"""

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction

from tayyar.core import crypto
from tayyar.core.arrays import ints, texts, times
from tayyar.customers.models import ContactMark
from tayyar.customers.services import mark_contacts
from tayyar.notifications import people, rules, walk
from tayyar.notifications.health import SLOW, number_of, tally
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import EarlyReceipt, MessageState, ReachHow
from tayyar.notifications.owners import owners_of
from tayyar.notifications.plans import Until
from tayyar.notifications.ports import ADDRESS_FIELD, DeliveryKey, Receipt, ReceiptState
from tayyar.notifications.proof import Evidence, write_reach

S = MessageState
# Receipts speak of messages of batches that were released in this time.
_MEMORY = dt.timedelta(days=62)
# How long a receipt that names nothing but an address waits for its answer before it is held against doubts.
_EARLY = dt.timedelta(seconds=30)
_PAGE = 5000  # kept receipts looked at in one transaction


def store(*, provider: str, receipts: Sequence[Receipt], now: dt.datetime) -> None:
    """Apply receipts of one provider, or keep those that fit nothing yet. When this returns they are safe."""
    left = apply(provider=provider, receipts=receipts, now=now)
    if left:
        keep(provider=provider, receipts=left, now=now)


def apply(*, provider: str, receipts: Sequence[Receipt], now: dt.datetime) -> list[Receipt]:
    """Apply receipts of one provider. Returns those that fit nothing yet: they are nowhere, and may be tried again."""
    if not receipts:
        return []
    number = number_of(provider)
    with transaction.atomic(), connection.cursor() as cursor:
        left, slow = _apply(cursor, number, provider, receipts, now)
    tally(provider=number, now=now, received=len(receipts) - len(left), slow=slow)
    return left


def keep(*, provider: str, receipts: Sequence[Receipt], now: dt.datetime) -> None:
    """Store receipts that fit nothing yet; `settle_early` tries them again."""
    number = number_of(provider)
    EarlyReceipt.objects.bulk_create(
        [_early(number, receipt, now) for receipt in receipts], ignore_conflicts=True
    )


def settle_early(*, provider: str, now: dt.datetime) -> int:
    """Try again what was kept: its answer may have come since, or an attempt to that address may be in doubt.
    Returns how many were matched."""
    number, matched, last = number_of(provider), 0, 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            waiting = EarlyReceipt.objects.select_for_update(skip_locked=True).filter(
                provider=number, id__gt=last
            )
            kept = list(waiting.order_by("id")[:_PAGE])
            if not kept:
                return matched
            matched, last = matched + _settle_kept(cursor, number, provider, kept, now), kept[-1].pk


def _settle_kept(
    cursor: Any, number: int, provider: str, kept: Sequence[EarlyReceipt], now: dt.datetime
) -> int:
    receipts = [
        Receipt(
            ReceiptState(row.state),
            DeliveryKey.parse(row.delivery_key),
            row.provider_ref,
            reason=row.reason,
            at=row.at,
            cost_micro=row.cost_micro,
            token=row.pk,
        )
        for row in kept
    ]
    unmatched, _ = _apply(cursor, number, provider, receipts, now)
    left = {receipt.token for receipt in unmatched}
    old = [row for row in kept if row.pk in left and row.stored_at <= now - _EARLY]
    owners = owners_of(cursor, provider=number, kept=old, periods=_periods(cursor, now)) if old else {}
    settling = [
        replace(receipt, key=owners[receipt.token]) for receipt in unmatched if receipt.token in owners
    ]
    unmatched, _ = _apply(cursor, number, provider, settling, now)
    left -= {receipt.token for receipt in settling} - {receipt.token for receipt in unmatched}
    matched = [row.pk for row in kept if row.pk not in left]
    EarlyReceipt.objects.filter(pk__in=matched).delete()
    return len(matched)


def _early(number: int, receipt: Receipt, now: dt.datetime) -> EarlyReceipt:
    return EarlyReceipt(
        provider=number,
        provider_ref=receipt.provider_ref[:120],
        delivery_key=receipt.key.text() if receipt.key else "",
        address_hash=crypto.lookup_hash(receipt.address, field=ADDRESS_FIELD) if receipt.address else None,
        state=receipt.state.value,
        reason=receipt.reason[:40],
        at=receipt.at,
        cost_micro=receipt.cost_micro,
        stored_at=now,
    )


@dataclass(frozen=True, slots=True)
class _Match:
    """A receipt and the attempt it speaks of."""

    key: DeliveryKey
    account_id: int
    contact_point_id: int | None
    was: MessageState
    settled_at: dt.datetime | None
    receipt: Receipt


def _apply(
    cursor: Any, number: int, provider: str, receipts: Iterable[Receipt], now: dt.datetime
) -> tuple[list[Receipt], int]:
    """Match and write; the receipts that fit no attempt of this provider, and how many of the others came late."""
    by_key: dict[DeliveryKey, list[Receipt]] = defaultdict(list)
    by_ref: dict[str, list[Receipt]] = defaultdict(list)
    left: list[Receipt] = []
    for receipt in receipts:
        if receipt.key is not None:
            by_key[receipt.key].append(receipt)
        elif receipt.provider_ref:
            by_ref[receipt.provider_ref].append(receipt)
        else:
            left.append(receipt)
    found: list[_Match] = []
    periods = _periods(cursor, now)
    for period, keys in itertools.groupby(sorted(by_key), key=lambda key: key.period):
        if period not in periods:
            continue
        wanted = list(keys)
        for row in _by_key(cursor, number, period, wanted):
            for receipt in by_key.pop(DeliveryKey(period, *row[:5]), ()):
                found.append(_match(period, row, receipt))
    for period in periods:
        if not by_ref:
            break
        for row in _by_ref(cursor, number, period, list(by_ref)):
            for receipt in by_ref.pop(row[9], ()):
                found.append(_match(period, row, receipt))
    for key in sorted({(match.key.period, match.key.kind) for match in found}):
        _write(cursor, key, provider, [m for m in found if (m.key.period, m.key.kind) == key], now)
    left += [receipt for group in (*by_key.values(), *by_ref.values()) for receipt in group]
    slow = sum(_is_slow(match, now) for match in found)
    return left, slow


def _is_slow(match: _Match, now: dt.datetime) -> bool:
    """Whether the provider was slow, not the reader: nobody reads within minutes."""
    if match.settled_at is None or match.receipt.state not in (ReceiptState.SENT, ReceiptState.DELIVERED):
        return False
    return (match.receipt.at or now) - match.settled_at > SLOW


def _match(period: int, row: Sequence[Any], receipt: Receipt) -> _Match:
    return _Match(DeliveryKey(period, *row[:5]), row[5], row[6], S(row[7]), row[8], receipt)


_COLUMNS = """d.kind, d.ref, d.recipient, d.channel, d.attempt, d.account_id, d.contact_point_id, d.state,
              d.settled_at, d.provider_ref"""


def _by_key(cursor: Any, number: int, period: int, keys: Sequence[DeliveryKey]) -> list[Any]:
    cursor.execute(
        f"""SELECT d.* FROM unnest(%(kinds)s::smallint[], %(refs)s::bigint[], %(recipients)s::smallint[],
                                   %(channels)s::smallint[], %(attempts)s::smallint[])
                              AS k (kind, ref, recipient, channel, attempt)
             CROSS JOIN LATERAL (
                   SELECT {_COLUMNS} FROM notifications_delivery d
                    WHERE d.period = %(period)s AND d.kind = k.kind AND d.ref = k.ref AND d.recipient = k.recipient
                      AND d.channel = k.channel AND d.attempt = k.attempt AND d.provider = %(provider)s
                   OFFSET 0 FOR UPDATE) d""",
        {
            "kinds": ints(key.kind for key in keys),
            "refs": ints(key.ref for key in keys),
            "recipients": ints(key.recipient for key in keys),
            "channels": ints(key.channel for key in keys),
            "attempts": ints(key.attempt for key in keys),
            "period": period,
            "provider": number,
        },
    )
    return list(cursor.fetchall())


def _by_ref(cursor: Any, number: int, period: int, refs: Sequence[str]) -> list[Any]:
    cursor.execute(
        f"""SELECT {_COLUMNS} FROM notifications_delivery d
             WHERE d.period = %s AND d.provider_ref = ANY(%s::text[]) AND d.provider_ref <> '' AND d.provider = %s
               FOR UPDATE""",
        [period, texts(refs), number],
    )
    return list(cursor.fetchall())


def _periods(cursor: Any, now: dt.datetime) -> list[int]:
    cursor.execute(
        "SELECT DISTINCT period FROM notifications_messagebatch WHERE released_at > %s ORDER BY period DESC",
        [now - _MEMORY],
    )
    return [period for (period,) in cursor.fetchall()]


def _write(
    cursor: Any, batch: tuple[int, int], provider: str, matches: Sequence[_Match], now: dt.datetime
) -> None:
    """Move attempts and messages of one batch on, and write the proof. All locks on attempts are held."""
    period, kind = batch
    best: dict[DeliveryKey, tuple[MessageState, _Match]] = {}
    for match in matches:  # several receipts of one attempt: the furthest counts
        state = rules.received(best[match.key][0] if match.key in best else match.was, match.receipt.state)
        if state is not None:
            best[match.key] = (state, match)
    priced = {m.key: m.receipt for m in matches if m.receipt.cost_micro is not None or m.receipt.pricing}
    moved = [(key, state, match) for key, (state, match) in best.items()]
    if moved or priced:
        _move_deliveries(cursor, period, kind, moved, priced, now)
    if moved:
        _move_messages(cursor, period, kind, moved, provider, now)
    for told, mark in (
        (ReceiptState.BAD_CONTACT, ContactMark.BOUNCED),
        (ReceiptState.COMPLAINED, ContactMark.COMPLAINED),
    ):
        bad = {
            m.contact_point_id
            for m in matches
            if m.receipt.state is told and m.contact_point_id is not None and m.was is not S.FAILED
        }  # one that is told again may have been verified anew meanwhile
        if bad:
            mark_contacts(ids=sorted(bad), mark=mark, now=now, actor=f"provider:{provider}")


def _move_deliveries(
    cursor: Any,
    period: int,
    kind: int,
    moved: Sequence[tuple[DeliveryKey, MessageState, _Match]],
    priced: Mapping[DeliveryKey, Receipt],
    now: dt.datetime,
) -> None:
    if moved:
        cursor.execute(
            """UPDATE notifications_delivery d
                  SET state = r.state, received_at = r.at, settled_at = coalesce(d.settled_at, %(now)s),
                      reason = r.reason,
                      provider_ref = CASE WHEN d.provider_ref = '' THEN r.provider_ref ELSE d.provider_ref END
                 FROM unnest(%(refs)s::bigint[], %(recipients)s::smallint[], %(channels)s::smallint[],
                             %(attempts)s::smallint[], %(states)s::smallint[], %(ats)s::timestamptz[],
                             %(reasons)s::text[], %(provider_refs)s::text[])
                        AS r (ref, recipient, channel, attempt, state, at, reason, provider_ref)
                WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.ref = r.ref AND d.recipient = r.recipient
                  AND d.channel = r.channel AND d.attempt = r.attempt""",
            {
                "period": period,
                "kind": kind,
                "now": now,
                "refs": ints(key.ref for key, _, _ in moved),
                "recipients": ints(key.recipient for key, _, _ in moved),
                "channels": ints(key.channel for key, _, _ in moved),
                "attempts": ints(key.attempt for key, _, _ in moved),
                "states": ints(state.value for _, state, _ in moved),
                "ats": times(match.receipt.at or now for _, _, match in moved),
                "reasons": texts(match.receipt.reason[:40] for _, _, match in moved),
                "provider_refs": texts(match.receipt.provider_ref[:120] for _, _, match in moved),
            },
        )
    if priced:
        cursor.execute(
            """UPDATE notifications_delivery d
                  SET cost_micro = coalesce(r.cost, d.cost_micro),
                      pricing = CASE WHEN r.pricing = '' THEN d.pricing ELSE r.pricing END
                 FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::smallint[], %s::bigint[], %s::text[])
                        AS r (ref, recipient, channel, attempt, cost, pricing)
                WHERE d.period = %s AND d.kind = %s AND d.ref = r.ref AND d.recipient = r.recipient
                  AND d.channel = r.channel AND d.attempt = r.attempt""",
            [
                *(ints(key[place] for key in priced) for place in (2, 3, 4, 5)),
                ints(receipt.cost_micro for receipt in priced.values()),
                texts(receipt.pricing[:60] for receipt in priced.values()),
                period,
                kind,
            ],
        )


def _latest(cursor: Any, period: int, kind: int, keys: Sequence[DeliveryKey]) -> dict[tuple[int, ...], int]:
    """The number of the last attempt by (ref, recipient, channel): what became of earlier ones moves no message."""
    if not keys:
        return {}
    cursor.execute(
        """SELECT k.ref, k.recipient, k.channel,
                  (SELECT max(attempt) FROM notifications_delivery
                    WHERE period = %s AND kind = %s AND ref = k.ref AND recipient = k.recipient
                      AND channel = k.channel)
             FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[]) AS k (ref, recipient, channel)""",
        [period, kind, *(ints(key[place] for key in keys) for place in (2, 3, 4))],
    )
    return {row[:3]: row[3] for row in cursor.fetchall()}


def _strangers(cursor: Any, matches: Sequence[_Match]) -> set[int | None]:
    """Of the contact points through which these arrived, those whose reader said that they are another's: what
    arrives there is no proof, and the plan goes on."""
    cursor.execute(
        "SELECT id FROM customers_contactpoint WHERE id = ANY(%s::bigint[]) AND mark = %s",
        [ints({match.contact_point_id for match in matches}), ContactMark.NOT_MINE],
    )
    return {id for (id,) in cursor.fetchall()}


def _move_messages(
    cursor: Any,
    period: int,
    kind: int,
    moved: Sequence[tuple[DeliveryKey, MessageState, _Match]],
    provider: str,
    now: dt.datetime,
) -> None:
    cursor.execute(
        """SELECT m.* FROM unnest(%s::bigint[], %s::smallint[]) AS k (ref, recipient)
             CROSS JOIN LATERAL (
                   SELECT ref, recipient, state, step, channel FROM notifications_message
                    WHERE period = %s AND kind = %s AND ref = k.ref AND recipient = k.recipient
                   OFFSET 0 FOR UPDATE) m""",
        [ints(key.ref for key, _, _ in moved), ints(key.recipient for key, _, _ in moved), period, kind],
    )
    messages = {(row[0], row[1]): (S(row[2]), row[4]) for row in cursor.fetchall()}
    latest = _latest(
        cursor, period, kind, [key for key, state, _ in moved if state < S.DELIVERED or state > S.READ]
    )
    plans = people.delivery_rules()
    wishes = people.wishes_of(cursor, [match.account_id for _, _, match in moved])
    usual = plans.plan(kind)
    # ref, recipient: state, is over, next_at
    updates: dict[tuple[int, int], tuple[MessageState, bool, dt.datetime | None]] = {}
    failed: list[tuple[int, int]] = []
    again: list[tuple[int, int]] = []
    proof: list[Evidence] = []
    strangers = _strangers(cursor, [match for _, state, match in moved if state in (S.DELIVERED, S.READ)])
    for key, state, match in sorted(moved, key=lambda item: item[1] not in (S.DELIVERED, S.READ)):
        name = key.ref, key.recipient
        if match.contact_point_id in strangers:
            continue
        if state in (S.DELIVERED, S.READ) and kind in BILL_KINDS:
            how = ReachHow.READ_RECEIPT if state is S.READ else ReachHow.RECEIPT
            said_at, witness = match.receipt.at or now, f"provider:{provider}"
            proof.append(
                Evidence(key.ref, kind, match.account_id, how, key.channel, key.recipient, said_at, witness)
            )
        if name not in messages:
            continue
        was, channel = messages[name]
        plan = plans.plan(kind, wishes[match.account_id]) if match.account_id in wishes else usual
        here = next((s for s in plan if s.channel == key.channel), None)
        until = here.until if here else Until.DELIVERED
        if kind in BILL_KINDS:  # proof that it arrived is all that a bill's plan is for
            until = min(until, Until.DELIVERED)
        next_at = now + here.wait if here and until > Until.SENT else None
        is_last = was in (S.SENDING, S.IN_DOUBT, S.SENT) and latest.get(key[2:5]) == key.attempt
        if state in (S.DELIVERED, S.READ):
            is_over = rules.ends_plan(state, until=until)
            after = rules.message_after(was, state, is_over=is_over, is_here=channel == key.channel)
            if after is None:
                continue
            updates[name] = after, is_over, next_at if was in rules.UNDER_WAY - {S.SENT} else None
            messages[name] = after, channel
        elif channel == key.channel and is_last:
            if state is S.SENT:
                updates[name] = S.SENT, False, next_at
            elif match.receipt.state is ReceiptState.BAD_CONTACT:
                again.append(name)
            else:
                failed.append(name)
    if updates:
        states = updates.values()
        cursor.execute(
            """UPDATE notifications_message m
                  SET state = r.state, next_at = CASE WHEN r.is_over THEN NULL ELSE coalesce(r.next_at, m.next_at) END
                 FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::int[]::boolean[], %s::timestamptz[])
                        AS r (ref, recipient, state, is_over, next_at)
                WHERE m.period = %s AND m.kind = %s AND m.ref = r.ref AND m.recipient = r.recipient""",
            [
                *map(ints, zip(*updates, strict=True)),
                ints(state.value for state, _, _ in states),
                ints(is_over for _, is_over, _ in states),
                times(next_at for _, _, next_at in states),
                *(period, kind),
            ],
        )
    if again:  # the same step once more: there may be another contact point
        cursor.execute(
            """UPDATE notifications_message m SET state = 0, next_at = NULL
                 FROM unnest(%s::bigint[], %s::smallint[]) AS r (ref, recipient)
                WHERE m.period = %s AND m.kind = %s AND m.ref = r.ref AND m.recipient = r.recipient""",
            [*map(list, zip(*again, strict=True)), period, kind],
        )
    write_reach(cursor, period=period, found=sorted(proof, key=lambda evidence: evidence.at))
    walk.advance(cursor, period=period, kind=kind, keys=failed, now=now)
