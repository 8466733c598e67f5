"""How far the delivery of a period has come, for the console and the command line."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from tayyar.core.periods import Period
from tayyar.notifications.models import MessageBatch, MessageKind, MessageState

# States of an attempt that the reader may have received.
_MAY_HAVE_ARRIVED = (
    MessageState.SENDING,
    MessageState.SENT,
    MessageState.DELIVERED,
    MessageState.READ,
    MessageState.EXPIRED,
    MessageState.IN_DOUBT,
)


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """Messages of one kind and period by state (every state, also those with 0), why some failed for good,
    and how many may have been received more than once."""

    is_released: bool
    states: Mapping[str, int]
    failures: Mapping[str, int]
    possible_duplicates: int

    @property
    def total(self) -> int:
        """All messages."""
        return sum(self.states.values())


def delivery_summary(period: Period, kind: MessageKind = MessageKind.BILL_ISSUED) -> DeliverySummary:
    """Counts for one period. Reads the whole partition: about a second for ten million messages."""
    batch = {"period": period.number, "kind": kind.value, "failed": MessageState.FAILED.value}
    states = dict.fromkeys((state.name for state in MessageState), 0)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT state, count(*) FROM notifications_message
                WHERE period = %(period)s AND kind = %(kind)s GROUP BY state""",
            batch,
        )
        states |= {MessageState(state).name: count for state, count in cursor.fetchall()}
        cursor.execute(
            """SELECT d.reason, count(*)
                 FROM notifications_message m
                 JOIN LATERAL (SELECT reason FROM notifications_delivery
                                WHERE period = %(period)s AND kind = %(kind)s AND ref = m.ref
                                  AND recipient = m.recipient
                                ORDER BY claimed_at DESC LIMIT 1) d ON true
                WHERE m.period = %(period)s AND m.kind = %(kind)s AND m.state = %(failed)s
                GROUP BY d.reason ORDER BY count(*) DESC, d.reason""",
            batch,
        )
        failures = dict(cursor.fetchall())
    released = MessageBatch.objects.filter(period=period.number, kind=kind).exists()
    return DeliverySummary(released, states, failures, possible_duplicates(period, kind))


def possible_duplicates(period: Period, kind: MessageKind = MessageKind.BILL_ISSUED) -> int:
    """Attempts that may have arrived although an earlier one of the same message and channel may have, too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM notifications_delivery d
                WHERE d.period = %(period)s AND d.kind = %(kind)s AND d.attempt > 1 AND d.state = ANY(%(may)s)
                  AND EXISTS (SELECT FROM notifications_delivery e
                               WHERE e.period = %(period)s AND e.kind = %(kind)s AND e.ref = d.ref
                                 AND e.recipient = d.recipient AND e.channel = d.channel
                                 AND e.attempt < d.attempt AND e.state = ANY(%(may)s))""",
            {
                "period": period.number,
                "kind": kind.value,
                "may": [state.value for state in _MAY_HAVE_ARRIVED],
            },
        )
        return int(cursor.fetchone()[0])


def open_periods(kind: MessageKind = MessageKind.BILL_ISSUED) -> list[Period]:
    """Periods whose messages are released and not all settled, the oldest first."""
    batches = MessageBatch.objects.filter(kind=kind, is_open=True).order_by("period")
    return [Period.from_number(number) for number in batches.values_list("period", flat=True)]


def queued_count() -> int:
    """Messages that a worker could take now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM notifications_message m JOIN notifications_messagebatch b USING (period, kind)
                WHERE b.is_open AND m.state = 0"""
        )
        return int(cursor.fetchone()[0])
