"""All ways to a person at once, each behind a scripted provider, and the receipts they give: the ground on which plans,
receipts and wishes are proven."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from tests.scenarios import cast
from tests.scenarios.messages import (
    EMAIL,
    KIND,
    NOW,
    PERIOD,
    PUSH,
    SMS,
    WHATSAPP,
    Scripted,
    account_of,
    contact_point,
    deliver,
    facts,
    message_of,
    provider,
    ref_of,
)

from tayyar.customers.models import Channel, Customer, CustomerAccount, Delegate, DelegateState, Language
from tayyar.notifications import content, delivery, health, receipts
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageState, Reach
from tayyar.notifications.ports import Outcome, Receipt, ReceiptState

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
NOTICE = MessageKind.PAYMENT_RECEIVED  # neither statutory nor a bill: nothing about it must be proven
DIGITAL = (PUSH, WHATSAPP, SMS, EMAIL)


def prepare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty tables, words for bills and notices, and no patience. For an autouse fixture over `transactional_db`."""
    cast.empty_big_tables()
    cast.answer_profile()
    health.number_of.cache_clear()
    for kind in (KIND, NOTICE):
        monkeypatch.setitem(content._providers, kind, lambda keys: [with_document(key) for key in keys])
    monkeypatch.setitem(content._digests, KIND, lambda keys: with_document(keys[0]))
    monkeypatch.setattr(delivery, "_LINGER_SECONDS", 0.1)
    monkeypatch.setattr(delivery, "_RESTS_SECONDS", (0.05,))
    yield
    connection.close()


def with_document(key: content.MessageKey) -> content.Facts:
    """A bill's facts that also WhatsApp can show."""
    return dataclasses.replace(
        facts(key), document_url=f"https://bills.example/b/{key.ref}.pdf", document_name="b.pdf"
    )


def share_digest(*people: int) -> None:
    """One customer, who wants one message about all, holds the accounts of these people."""
    Customer.objects.filter(id=people[0]).update(wants_digest=True)
    CustomerAccount.objects.filter(id__in=map(account_of, people)).update(customer=people[0])


class Ways:
    """A provider for each channel, named after it: "push", "whatsapp", ..."""

    def __init__(self, *channels: Channel) -> None:
        self.by_channel = {channel: Scripted() for channel in channels or DIGITAL}

    def __getitem__(self, channel: Channel) -> Scripted:
        return self.by_channel[channel]

    def refuse(self, *channels: Channel, outcome: Outcome = Outcome.REFUSED) -> "Ways":
        """These channels end every attempt so."""
        for channel in channels:
            self.by_channel[channel].script = lambda outgoing: outcome
        return self

    def deliver(self, now: dt.datetime = NOW) -> list[str]:
        """One worker at `now`, until nothing is left; the channels of what it sent, in their order."""
        before = {channel: len(way.taken) for channel, way in self.by_channel.items()}
        providers = [provider(name(channel), channel, way) for channel, way in self.by_channel.items()]
        deliver(*providers, now=now)
        return [
            channel.name for channel, way in self.by_channel.items() for _ in way.taken[before[channel] :]
        ]

    def tell(
        self,
        channel: Channel,
        state: ReceiptState = ReceiptState.DELIVERED,
        *,
        now: dt.datetime = NOW,
        index: int = -1,
        **more: Any,
    ) -> None:
        """The provider of `channel` says so of a message it took, the last unless `index` names another."""
        way = self.by_channel[channel]
        say(channel, way.receipt(way.taken[index], state, **more), now=now)


def name(channel: Channel) -> str:
    """The code of its provider."""
    return channel.name.lower()


def say(channel: Channel, *told: Receipt, now: dt.datetime = NOW) -> None:
    """The provider of `channel` says this."""
    health.enrol([provider(name(channel), channel, Scripted())[0]])
    receipts.store(provider=name(channel), receipts=told, now=now)


def standing(person: int = 1, *, recipient: int = 0) -> tuple[str, str]:
    """(state, channel) of a person's message."""
    message = message_of(person, recipient=recipient)
    return MessageState(message.state).name, Channel(message.channel).name


def attempts(person: int = 1, *, recipient: int = 0) -> list[tuple[str, int, str]]:
    """(channel, attempt, state) of each attempt at a person's bill, in the order of claims."""
    found = Delivery.objects.filter(ref=ref_of(person), recipient=recipient).order_by(
        "claimed_at", "channel", "attempt"
    )
    return [(Channel(d.channel).name, d.attempt, MessageState(d.state).name) for d in found]


def reach_of(person: int = 1) -> Reach | None:
    """The proof for a person's bill."""
    return Reach.objects.filter(period=PERIOD.number, ref=ref_of(person)).first()


def add_delegate(
    person: int, channel: Channel, *, state: DelegateState = DelegateState.ACTIVE, **more: Any
) -> Delegate:
    """A delegate of the person's account with a verified contact point, reading English."""
    recipient = 1 + Delegate.objects.filter(account_id=account_of(person)).count()
    address = "huda@mail.example" if channel == EMAIL else f"+9665999{recipient:05d}"
    contact_point(account_of(person), channel, address, recipient=recipient).save()
    fields = {"language": Language.en, "invited_at": NOW, "invited_by": "holder", **more}
    return Delegate.objects.create(
        account_id=account_of(person), recipient=recipient, name="هدى", state=state, **fields
    )


def messages_of(kind: MessageKind) -> list[str]:
    """The states of the messages of a kind, the oldest first."""
    found = Message.objects.filter(kind=kind).order_by("ref", "recipient")
    return [MessageState(state).name for state in found.values_list("state", flat=True)]
