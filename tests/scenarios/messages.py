"""The ground of the delivery scenarios: people with contact points, bills to be told, and a provider one can script."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from django.db import connection, transaction

from tayyar.core import crypto
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import (
    FIRST_ACCOUNT_ID,
    Channel,
    ContactPoint,
    Customer,
    CustomerAccount,
    Language,
)
from tayyar.notifications import content, services
from tayyar.notifications.delivery import Engine
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message, MessageState
from tayyar.notifications.people import delivery_rules
from tayyar.notifications.plans import first_channels
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    Gateway,
    Outcome,
    Outgoing,
    Pace,
    Receipt,
    ReceiptState,
    SendResult,
)
from tayyar.notifications.providers import ProviderConfig

PERIOD = Period(2026, 11)
NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)  # 09:00 in Riyadh
KIND = MessageKind.BILL_ISSUED
FIRST_REF = 261100000000001
SMS, EMAIL, WHATSAPP, PUSH, PAPER, CALL = (
    Channel.SMS,
    Channel.EMAIL,
    Channel.WHATSAPP,
    Channel.PUSH,
    Channel.PAPER,
    Channel.CALL,
)


def address_of(person: int, channel: Channel) -> str:
    """person 1's number is +966500000001, their mail person1@mail.example."""
    return f"person{person}@mail.example" if channel == EMAIL else f"+9665{person:08d}"


def facts(key: content.MessageKey) -> content.Facts:
    """A bill's facts that name the message, so that what arrives can be told apart."""
    arabic = key.language == "ar"
    return content.Facts(
        ref=key.ref,
        recipient=key.recipient,
        template="bill_issued",
        values={
            "amount_text": "276.00 ريال" if arabic else "276.00 SAR",
            "due_date_text": "11 ديسمبر 2026" if arabic else "11 December 2026",
            "due_day_text": "11 ديسمبر" if arabic else "11 December",
            "account_number": str(key.account_id),
            "period_text": "نوفمبر 2026" if arabic else "November 2026",
            "month_text": "نوفمبر" if arabic else "November",
            "total_text": "276.00 SAR",
            "complaint_text": "933",
        },
        utility_name="الكهرباء",
        url=f"https://bills.example/b/{key.ref}",
    )


def settle_people(count: int, channels: Sequence[Channel], *, language: Language = Language.ar) -> None:
    """Persons 1 to `count`, one customer and account each, with a verified contact point of each channel."""
    have = CustomerAccount.objects.count()
    people = range(have + 1, have + count + 1)
    Customer.objects.bulk_create(Customer(id=n, kind="PERSON", name="سلمى") for n in people)
    CustomerAccount.objects.bulk_create(
        CustomerAccount(id=account_of(n), customer_id=n, opened_on=NOW.date(), language=language)
        for n in people
    )
    ContactPoint.objects.bulk_create(
        contact_point(account_of(n), channel, address_of(n, channel)) for n in people for channel in channels
    )


def account_of(person: int) -> int:
    """The account of person 1, 2, ..."""
    return FIRST_ACCOUNT_ID + person - 1


def contact_point(account_id: int, channel: Channel, address: str, *, recipient: int = 0) -> ContactPoint:
    """Verified and not yet stored."""
    return ContactPoint(
        account_id=account_id,
        recipient=recipient,
        channel=channel,
        address_sealed=crypto.seal(address, field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        verified_at=NOW,
    )


def queue_bills(
    *people: int, release: bool = True, kind: MessageKind = KIND, period: Period = PERIOD
) -> None:
    """A bill message for each person, as the run queues it; person n's bill is FIRST_REF + n - 1."""
    firsts = first_channels(delivery_rules().plan(kind))
    messages = []
    for person in people:
        account = CustomerAccount.objects.get(id=account_of(person))
        mask = 0
        for contact in ContactPoint.objects.filter(account=account, recipient=0, is_active=True):
            mask |= 1 << contact.channel
        step, channel = firsts[mask]
        messages.append(
            Message(
                period=period.number,
                kind=kind,
                ref=ref_of(person),
                recipient=0,
                account_id=account.id,
                language=account.language,
                step=step,
                channel=channel,
                state=MessageState.QUEUED,
                created_at=NOW,
            )
        )
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partition(cursor, table="notifications_message", period=period)
        Message.objects.bulk_create(messages)
    if release:
        services.release_messages(period=period, kind=kind, now=NOW)


def ref_of(person: int) -> int:
    """The number of a person's bill."""
    return FIRST_REF + person - 1


def message_of(person: int, *, recipient: int = 0) -> Message:
    """A person's bill message as it stands."""
    return Message.objects.get(period=PERIOD.number, ref=ref_of(person), recipient=recipient)


def states() -> dict[str, int]:
    """Messages by state."""
    found = Counter(MessageState(state).name for state in Message.objects.values_list("state", flat=True))
    return dict(found)


class Scripted:
    """A provider that does as it is told: `script(outgoing)` says how each attempt ends; what it takes lies in `taken`,
    in order. Receipts put into `says` are handed out once, and again until they are confirmed."""

    def __init__(self, script: Callable[[Outgoing], Outcome | SendResult] | None = None) -> None:
        self.script = script or (lambda outgoing: Outcome.SENT)
        self.taken: list[Outgoing] = []
        self.says: list[Receipt] = []
        self.confirmed: list[Receipt] = []
        self.closed = 0
        self._lock = threading.Lock()

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """As scripted."""
        results = []
        for outgoing in batch:
            result = self.script(outgoing)
            if isinstance(result, Outcome):
                reference = f"ref-{outgoing.key.text()}" if result is Outcome.SENT else ""
                reason = "" if result is Outcome.SENT else result.value
                result = SendResult(outgoing.key, result, reason, provider_ref=reference)
            if result.outcome in (Outcome.SENT, Outcome.IN_DOUBT):
                self.taken.append(outgoing)
            results.append(result)
        return results

    def receipts(self) -> list[Receipt]:
        """What it says."""
        with self._lock:
            said, self.says = self.says, []
        return said

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """Remembered."""
        self.confirmed += receipts

    def close(self) -> None:
        """Counted."""
        self.closed += 1

    def receipt(
        self, outgoing: Outgoing, state: ReceiptState = ReceiptState.DELIVERED, **more: object
    ) -> Receipt:
        """A receipt by the provider's own name for the message."""
        return Receipt(state, provider_ref=f"ref-{outgoing.key.text()}", **more)  # type: ignore[arg-type]


def provider(
    code: str, channel: Channel, gateway: Gateway, *, weight: int = 100, **more: object
) -> tuple[ProviderConfig, Gateway]:
    """A provider's entry with its gateway."""
    return ProviderConfig(code, channel, "SCRIPTED", weight=weight, **more), gateway  # type: ignore[arg-type]


def deliver(
    *providers: tuple[ProviderConfig, Gateway], now: dt.datetime = NOW, worker: str = "test"
) -> Counter[str]:
    """One worker until nothing is left to send; how many attempts ended how."""
    total: Counter[str] = Counter()
    engine = Engine(
        providers=providers,
        worker=worker,
        clock=lambda: now,
        report=total.update,
    )
    engine.run(once=True, stopping=lambda: False)
    return total
