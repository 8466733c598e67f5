"""All that was said to the people of one account, and their contact points that are not used any more.

Owns reads for the desk and for campaigns; who read them is recorded by the faces. Never opens a one-time code.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from tayyar.core import crypto
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.addresses import masked_address
from tayyar.customers.models import Channel, ContactMark, ContactPoint, Language
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import (
    Delivery,
    Message,
    MessageKind,
    MessageState,
    Provider,
    Reach,
    ReachHow,
)
from tayyar.notifications.ports import ADDRESS_FIELD

HISTORY_MONTHS = 14
FETCHED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class HistoryDelivery:
    """One attempt. `settled_at`: the provider's answer; `received_at`: its last receipt; `address`: masked."""

    channel: Channel
    attempt: int
    state: MessageState
    reason: str
    provider: str
    address: str
    claimed_at: dt.datetime
    settled_at: dt.datetime | None
    received_at: dt.datetime | None
    segments: int
    cost_micro: int


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One message with its attempts, the oldest first, and the evidence that its bill reached somebody, if any."""

    period: Period
    kind: MessageKind
    ref: int
    recipient: int
    language: str
    state: MessageState
    step: int
    channel: Channel
    created_at: dt.datetime
    next_at: dt.datetime | None
    deliveries: tuple[HistoryDelivery, ...]
    reach: Reach | None

    @property
    def is_bill(self) -> bool:
        """Whether it tells of a bill, whose reach is proven."""
        return self.kind in BILL_KINDS


@dataclass(frozen=True, slots=True)
class MarkedContact:
    """A contact point that is not used any more. `address` is masked; `centre` "" without an agreement."""

    account_number: int
    recipient: int
    centre: str
    channel: str
    mark: str
    marked_at: dt.datetime
    address: str


def message_history(account_id: int, *, today: dt.date) -> list[HistoryMessage]:
    """The account's messages of the last months, the newest first."""
    first = Period.of(today).plus(1 - HISTORY_MONTHS).number
    messages = list(Message.objects.filter(period__gte=first, account_id=account_id))
    providers = dict(Provider.objects.values_list("number", "code"))
    addresses = {
        point.pk: masked_address(
            crypto.unseal(bytes(point.address_sealed), field=ADDRESS_FIELD), channel=Channel(point.channel)
        )
        for point in ContactPoint.objects.filter(account_id=account_id)
    }
    deliveries: dict[tuple[int, int, int, int], list[HistoryDelivery]] = {}
    evidence: dict[tuple[int, int], Reach] = {}
    for period in {message.period for message in messages}:
        refs = [message.ref for message in messages if message.period == period]
        for reach in Reach.objects.filter(period=period, ref__in=refs):
            evidence[period, reach.ref] = reach
        found = Delivery.objects.filter(
            period=period, kind__in=MessageKind.values, ref__in=refs, account_id=account_id
        ).order_by("claimed_at", "attempt")
        for row in found:
            deliveries.setdefault((period, row.kind, row.ref, row.recipient), []).append(
                HistoryDelivery(
                    channel=Channel(row.channel),
                    attempt=row.attempt,
                    state=MessageState(row.state),
                    reason=row.reason,
                    provider=providers.get(row.provider, "") if row.provider is not None else "",
                    address=addresses.get(row.contact_point_id, "") if row.contact_point_id else "",
                    claimed_at=row.claimed_at,
                    settled_at=row.settled_at,
                    received_at=row.received_at,
                    segments=row.segments,
                    cost_micro=row.cost_micro,
                )
            )
    history = [
        HistoryMessage(
            period=Period.from_number(message.period),
            kind=MessageKind(message.kind),
            ref=message.ref,
            recipient=message.recipient,
            language=Language(message.language).name,
            state=MessageState(message.state),
            step=message.step,
            channel=Channel(message.channel),
            created_at=message.created_at,
            next_at=message.next_at,
            deliveries=tuple(
                deliveries.get((message.period, message.kind, message.ref, message.recipient), ())
            ),
            reach=evidence.get((message.period, message.ref)) if message.kind in BILL_KINDS else None,
        )
        for message in messages
    ]
    return sorted(history, key=lambda message: (message.created_at, message.ref), reverse=True)


def reach_evidence(period: Period, ref: int) -> tuple[ReachHow, dt.datetime] | None:
    """What proved first that the bill reached somebody, and when."""
    found = Reach.objects.filter(period=period.number, ref=ref).first()
    return (ReachHow(found.how), found.reached_at) if found else None


def marked_counts(*, since: dt.datetime, today: dt.date) -> list[tuple[str, str, str, int]]:
    """Contact points marked since then: (centre, channel, mark, how many), by centre."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT h.code, p.channel, p.mark, count(*) FROM {_MARKED} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
            {"since": since, "today": today, "centre": None},
        )
        return [
            (code, Channel(channel).name, mark, count) for code, channel, mark, count in cursor.fetchall()
        ]


def marked_contacts(
    *, since: dt.datetime, today: dt.date, centre: str | None = None
) -> Iterator[MarkedContact]:
    """The same one by one, by centre and account, streamed; of one service centre where one is named."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"""SELECT p.account_id, p.recipient, h.code, p.channel, p.mark, p.marked_at, p.address_sealed
                  FROM {_MARKED} ORDER BY h.code, p.account_id, p.id""",
            {"since": since, "today": today, "centre": centre},
        )
        while rows := cursor.fetchmany(FETCHED_AT_ONCE):
            for account_id, recipient, code, channel, mark, marked_at, address_sealed in rows:
                address = crypto.unseal(bytes(address_sealed), field=ADDRESS_FIELD)
                yield MarkedContact(
                    account_number=with_check(account_id),
                    recipient=recipient,
                    centre=code,
                    channel=Channel(channel).name,
                    mark=ContactMark(mark).name,
                    marked_at=marked_at,
                    address=masked_address(address, channel=Channel(channel)),
                )


# Found by the index on marked_at; each with its account's present service centre.
_MARKED = """
    customers_contactpoint p
    LEFT JOIN LATERAL (
        SELECT coalesce(max(c.code), '') AS code
          FROM (SELECT u.service_centre_id
                  FROM customers_agreement g JOIN metering_usagepoint u ON u.id = g.usage_point_id
                 WHERE g.account_id = p.account_id AND g.start_date <= %(today)s
                 ORDER BY (g.end_date IS NULL OR g.end_date > %(today)s) DESC, g.start_date DESC, g.id
                 LIMIT 1) newest
          JOIN metering_servicecentre c ON c.id = newest.service_centre_id) h ON true
    WHERE p.mark <> '' AND p.marked_at >= %(since)s
      AND (%(centre)s::text IS NULL OR h.code = %(centre)s)
"""
