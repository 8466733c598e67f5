"""Whose a kept receipt is that fits no attempt by its name: found by the address it names, and only where no other
attempt could be meant. A wrong guess would prove a message that never went out, so in doubt there is none.

Reads only. Next: receipts.py applies what is found.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tayyar.core.arrays import ints, texts, times
from tayyar.notifications.models import EarlyReceipt
from tayyar.notifications.ports import DeliveryKey

_DECIMAL = re.compile(r"[1-9][0-9]{0,18}")
_HEX = re.compile(r"[1-9A-F][0-9A-F]{0,15}")


def owners_of(
    cursor: Any, *, provider: int, kept: Sequence[EarlyReceipt], periods: Sequence[int]
) -> dict[object, DeliveryKey]:
    """By the row's id, the attempt that a receipt with an address and without a key must be about.

    First the one that was answered with the same number in another base; else the only one in doubt to that address
    that began before the receipt came, unless the provider's name for a second message to it is unknown, too.
    """
    rows = [row for row in kept if row.address_hash and not row.delivery_key]
    if not rows or not periods:
        return {}
    found = _in_other_base(cursor, provider, rows, periods)
    return found | _in_doubt(cursor, provider, [row for row in rows if row.pk not in found], periods)


def _in_other_base(
    cursor: Any, provider: int, rows: Sequence[EarlyReceipt], periods: Sequence[int]
) -> dict[object, DeliveryKey]:
    """SMSCs answer in hexadecimal and tell in decimal, or the other way round. A worker learns that from its own
    answers, and receipts come to those that have sent too little to know, as after every restart."""
    spelled = [(row, other) for row in rows for other in _other_bases(row.provider_ref)]
    if not spelled:
        return {}
    cursor.execute(
        """SELECT r.id, d.period, d.kind, d.ref, d.recipient, d.channel, d.attempt
             FROM unnest(%s::bigint[], %s::bytea[], %s::text[]) AS r (id, address_hash, provider_ref)
             JOIN notifications_delivery d ON d.provider_ref = r.provider_ref AND d.provider_ref <> ''
                                          AND d.provider = %s AND d.period = ANY(%s)
             JOIN customers_contactpoint c ON c.id = d.contact_point_id AND c.address_hash = r.address_hash""",
        [
            ints(row.pk for row, _ in spelled),
            [bytes(row.address_hash or b"") for row, _ in spelled],
            texts(other for _, other in spelled),
            provider,
            list(periods),
        ],
    )
    return _only_ones(cursor.fetchall())


def _in_doubt(
    cursor: Any, provider: int, rows: Sequence[EarlyReceipt], periods: Sequence[int]
) -> dict[object, DeliveryKey]:
    if not rows:
        return {}
    cursor.execute(
        _IN_DOUBT,
        {
            "ids": ints(row.pk for row in rows),
            "hashes": [bytes(row.address_hash or b"") for row in rows],
            "came_ats": times(row.stored_at for row in rows),
            "provider": provider,
            "periods": list(periods),
        },
    )
    return _only_ones(cursor.fetchall())


def _only_ones(found: Sequence[Sequence[Any]]) -> dict[object, DeliveryKey]:
    """The receipts for which one attempt was found and no second."""
    keys: dict[object, list[DeliveryKey]] = defaultdict(list)
    for row, *key in found:
        keys[row].append(DeliveryKey(*key))
    return {row: attempts[0] for row, attempts in keys.items() if len(attempts) == 1}


def _other_bases(provider_ref: str) -> list[str]:
    others = []
    if _DECIMAL.fullmatch(provider_ref):
        others.append(f"{int(provider_ref):X}")
    if _HEX.fullmatch(provider_ref):
        others.append(str(int(provider_ref, 16)))
    return others


# Rivals: attempts at other messages to this address whose name at the provider is unknown, too, because the answer is
# still to come or never came. The receipt may be theirs. Clocks are set back at times, so that one which seems to have
# begun after the receipt is a rival all the same.
_IN_DOUBT = """
    SELECT r.id, d.period, d.kind, d.ref, d.recipient, d.channel, d.attempt
      FROM unnest(%(ids)s::bigint[], %(hashes)s::bytea[], %(came_ats)s::timestamptz[]) AS r (id, address_hash, came_at)
      JOIN customers_contactpoint c ON c.address_hash = r.address_hash
      JOIN notifications_delivery d ON d.contact_point_id = c.id AND d.state = 7 AND d.provider = %(provider)s
                                   AND d.claimed_at <= r.came_at
     WHERE NOT EXISTS (
           SELECT FROM customers_contactpoint o
             JOIN notifications_message m ON m.account_id = o.account_id AND m.recipient = o.recipient
                                         AND m.period = ANY(%(periods)s)
             JOIN notifications_delivery e ON e.period = m.period AND e.kind = m.kind AND e.ref = m.ref
                                          AND e.recipient = m.recipient AND e.contact_point_id = o.id
            WHERE o.address_hash = r.address_hash AND e.provider = %(provider)s
              AND e.state IN (1, 6, 7) AND e.provider_ref = '' AND e.claimed_at > r.came_at - interval '8 days'
              AND (e.period, e.kind, e.ref, e.recipient) <> (d.period, d.kind, d.ref, d.recipient))
"""
