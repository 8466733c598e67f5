"""Rows for tests of reach, written as they are stored: accounts at centres, messages, attempts and evidence."""

import datetime as dt
from collections.abc import Sequence

from django.db import connection, transaction

from tayyar.core import crypto
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import (
    FIRST_ACCOUNT_ID,
    Agreement,
    Channel,
    ContactPoint,
    Customer,
    CustomerAccount,
    Language,
)
from tayyar.metering.models import ServiceCentre, UsagePoint
from tayyar.notifications.models import (
    Delivery,
    Message,
    MessageBatch,
    MessageKind,
    MessageState,
    Provider,
    Reach,
    ReachHow,
)
from tayyar.notifications.ports import ADDRESS_FIELD

PERIOD = Period(2026, 11)
NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)  # nine o'clock in Riyadh
FIRST_REF = 261100000000000
SETTLED_NOT = (MessageState.SENDING, MessageState.IN_DOUBT)


def centre(code: str) -> ServiceCentre:
    """A service centre."""
    names = {"name_ar": f"مركز {code}", "name_en": f"Centre {code}", "name_fr": f"Centre {code}"}
    return ServiceCentre.objects.get_or_create(code=code, defaults=names)[0]


def account(index: int, *, customer: int | None = None, at: str = "C01") -> int:
    """The account `index` (1, 2, ...) of a customer of that number (its own: `index`), supplied by a centre."""
    holder, _ = Customer.objects.get_or_create(
        id=customer or index, defaults={"kind": "PERSON", "name": f"شخص {customer or index}"}
    )
    made = CustomerAccount.objects.create(
        id=FIRST_ACCOUNT_ID + index, customer=holder, opened_on=dt.date(2024, 1, 1)
    )
    if at:
        move_in(index, at=at, start=dt.date(2024, 1, 1), number=index)
    return made.pk


def move_in(index: int, *, at: str, start: dt.date, end: dt.date | None = None, number: int) -> None:
    """An agreement, numbered `number`, of account `index` at a usage point of its own."""
    point = UsagePoint.objects.create(
        id=number, service_centre=centre(at), breaker_a=60, address="شارع التحلية 12"
    )
    Agreement.objects.create(
        id=number,
        account_id=FIRST_ACCOUNT_ID + index,
        usage_point=point,
        category=1,
        start_date=start,
        end_date=end,
    )


def empty() -> None:
    """No messages, attempts and evidence: tables that Django's flush does not know of."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_message, notifications_delivery, notifications_reach")


def partitions(period: Period = PERIOD) -> None:
    """The month's tables."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in ("notifications_message", "notifications_delivery", "notifications_reach"):
            ensure_partition(cursor, table=table, period=period)


def message(
    index: int,
    state: MessageState = MessageState.QUEUED,
    *,
    kind: MessageKind = MessageKind.BILL_ISSUED,
    ref: int | None = None,
    recipient: int = 0,
    step: int = 0,
    channel: Channel = Channel.SMS,
    next_at: dt.datetime | None = None,
    created_at: dt.datetime = NOW,
    period: Period = PERIOD,
) -> int:
    """A message to account `index`; the number of what it tells of."""
    made = Message.objects.create(
        period=period.number,
        kind=kind,
        ref=ref or FIRST_REF + index,
        recipient=recipient,
        account_id=FIRST_ACCOUNT_ID + index,
        language=Language.ar,
        step=step,
        channel=channel,
        state=state,
        created_at=created_at,
        next_at=next_at,
    )
    return made.ref


def attempt(
    index: int,
    state: MessageState,
    *,
    channel: Channel = Channel.SMS,
    number: int = 1,
    reason: str = "",
    provider: int | None = None,
    segments: int = 1,
    cost_micro: int = 0,
    at: dt.datetime = NOW,
    kind: MessageKind = MessageKind.BILL_ISSUED,
    recipient: int = 0,
    ref: int | None = None,
    contact_point_id: int | None = None,
) -> None:
    """One attempt to tell account `index`."""
    Delivery.objects.create(
        period=PERIOD.number,
        kind=kind,
        ref=ref or FIRST_REF + index,
        recipient=recipient,
        channel=channel,
        attempt=number,
        state=state,
        account_id=FIRST_ACCOUNT_ID + index,
        contact_point_id=contact_point_id,
        provider=provider,
        worker="test",
        claimed_at=at,
        settled_at=None if state in SETTLED_NOT else at,
        reason=reason,
        segments=segments,
        cost_micro=cost_micro,
    )


def evidence(
    index: int,
    how: ReachHow = ReachHow.RECEIPT,
    *,
    channel: Channel | None = Channel.SMS,
    at: dt.datetime = NOW,
    ref: int | None = None,
) -> None:
    """The bill of account `index` reached somebody."""
    Reach.objects.create(
        period=PERIOD.number,
        ref=ref or FIRST_REF + index,
        kind=MessageKind.BILL_ISSUED,
        account_id=FIRST_ACCOUNT_ID + index,
        how=how,
        channel=channel,
        recipient=0,
        reached_at=at,
        witness="provider:sms-one",
    )


def provider(code: str, channel: Channel = Channel.SMS, *, weight: int = 100) -> int:
    """A provider; its number."""
    return Provider.objects.create(code=code, channel=channel, weight=weight, most_weight=100).number


def release(kind: MessageKind = MessageKind.BILL_ISSUED, *, at: dt.datetime = NOW) -> None:
    """The gate, open."""
    MessageBatch.objects.create(period=PERIOD.number, kind=kind, is_open=True, released_at=at)


def contact(index: int, channel: Channel, address: str, *, mark: str = "") -> ContactPoint:
    """A contact point of account `index`, in use unless marked."""
    return ContactPoint.objects.create(
        account_id=FIRST_ACCOUNT_ID + index,
        channel=channel,
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        verified_at=NOW,
        is_active=not mark,
        mark=mark,
        marked_at=NOW if mark else None,
    )


def accounts(count: int, *, centres: Sequence[str] = ("C01",)) -> None:
    """Accounts 1 to `count`, spread over centres in turn."""
    for index in range(1, count + 1):
        account(index, at=centres[index % len(centres)])
