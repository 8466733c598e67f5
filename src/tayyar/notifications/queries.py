"""How far the delivery of a period has come, which gates are open and how fast each provider sends, for all faces.

Owns counts over messages and deliveries; never writes. What of it reached whom is counted in reach_queries.py.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from tayyar.core.periods import Period
from tayyar.customers.models import Channel
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import MessageBatch, MessageKind, MessageState, Provider

RATE_SECONDS = 60

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


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of one kind in a period: what staff may do with its sending."""

    kind: MessageKind
    is_open: bool
    is_paused: bool
    is_stopped: bool
    released_at: dt.datetime


@dataclass(frozen=True, slots=True)
class ProviderFigures:
    """A provider as all workers see it now. `per_second_milli`: attempts settled in the last minute, thousandths a
    second; the window's counts are those by which its weight moves."""

    number: int
    code: str
    channel: Channel
    weight: int
    most_weight: int
    is_paused: bool
    per_second_milli: int
    window_sent: int
    window_failed: int
    window_received: int
    window_slow: int


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
                                ORDER BY claimed_at DESC, attempt DESC LIMIT 1) d ON true
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


def channel_states(period: Period) -> dict[str, dict[str, int]]:
    """Attempts to tell the period's bills, by channel and state: {"SMS": {"DELIVERED": 9, ...}, ...}."""
    found: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT channel, state, count(*) FROM notifications_delivery
                WHERE period = %s AND kind = ANY(%s) GROUP BY channel, state ORDER BY channel, state""",
            [period.number, [kind.value for kind in BILL_KINDS]],
        )
        for channel, state, count in cursor.fetchall():
            found.setdefault(Channel(channel).name, {})[MessageState(state).name] = count
    return found


def failed_attempts(period: Period) -> list[tuple[str, str, int]]:
    """Why attempts at the period's bills failed: (channel, reason, attempts), the most first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT channel, reason, count(*) FROM notifications_delivery
                WHERE period = %s AND kind = ANY(%s) AND state = %s
                GROUP BY channel, reason ORDER BY count(*) DESC, channel, reason""",
            [period.number, [kind.value for kind in BILL_KINDS], MessageState.FAILED.value],
        )
        return [(Channel(channel).name, reason, count) for channel, reason, count in cursor.fetchall()]


def gates(period: Period) -> list[Gate]:
    """The gates of the period's bills, the run's own first; a kind that was never released has none."""
    batches = MessageBatch.objects.filter(period=period.number, kind__in=BILL_KINDS).order_by("kind")
    return [
        Gate(
            kind=MessageKind(batch.kind),
            is_open=batch.is_open,
            is_paused=batch.paused_at is not None,
            is_stopped=batch.stopped_at is not None,
            released_at=batch.released_at,
        )
        for batch in batches
    ]


def provider_figures(period: Period, *, now: dt.datetime) -> list[ProviderFigures]:
    """Every provider, by channel and code, with its rate over the last minute in the partition of `period`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT provider, count(*) FROM notifications_delivery
                WHERE period = %s AND settled_at > %s AND settled_at <= %s AND provider IS NOT NULL
                GROUP BY provider""",
            [period.number, now - dt.timedelta(seconds=RATE_SECONDS), now],
        )
        settled = dict(cursor.fetchall())
    return [
        ProviderFigures(
            number=provider.number,
            code=provider.code,
            channel=Channel(provider.channel),
            weight=provider.weight,
            most_weight=provider.most_weight,
            is_paused=provider.is_paused,
            per_second_milli=settled.get(provider.number, 0) * 1000 // RATE_SECONDS,
            window_sent=provider.window_sent,
            window_failed=provider.window_failed,
            window_received=provider.window_received,
            window_slow=provider.window_slow,
        )
        for provider in Provider.objects.order_by("channel", "code")
    ]


def open_periods(kind: MessageKind = MessageKind.BILL_ISSUED) -> list[Period]:
    """Periods whose messages are released and not all settled, the oldest first."""
    batches = MessageBatch.objects.filter(kind=kind, is_open=True).order_by("period")
    return [Period.from_number(number) for number in batches.values_list("period", flat=True)]


def queued_count() -> int:
    """Messages that a worker could take now; calls and paper are people's work."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM notifications_message m JOIN notifications_messagebatch b USING (period, kind)
                WHERE b.is_open AND b.paused_at IS NULL AND b.stopped_at IS NULL AND m.state = %s
                  AND m.channel <> ALL(%s)""",
            [MessageState.QUEUED.value, [Channel.CALL.value, Channel.PAPER.value]],
        )
        return int(cursor.fetchone()[0])
