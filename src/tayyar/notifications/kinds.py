"""The kinds of messages and what is true of each: lane, class, and whether one may opt out. Pure data.

Which words a kind uses: templates.py. In which steps it is sent: plans.py. Who sends it: the module that knows why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.db import models


class MessageKind(models.IntegerChoices):
    """Why a person is told something."""

    BILL_ISSUED = 1, "BILL_ISSUED"  # by the run; sent once it is certified
    SINGLE_BILL_ISSUED = 2, "SINGLE_BILL_ISSUED"  # made by itself, sent at once
    DUE_SOON = 3, "DUE_SOON"
    OVERDUE = 4, "OVERDUE"
    FINAL_NOTICE = 5, "FINAL_NOTICE"
    PAYMENT_RECEIVED = 6, "PAYMENT_RECEIVED"
    ONE_TIME_CODE = 7, "ONE_TIME_CODE"
    LOW_BALANCE = 8, "LOW_BALANCE"
    TOKEN = 9, "TOKEN"
    REQUEST_UPDATE = 10, "REQUEST_UPDATE"
    CAMPAIGN = 11, "CAMPAIGN"
    DELEGATE_INVITED = 12, "DELEGATE_INVITED"
    DELEGATE_CHANGED = 13, "DELEGATE_CHANGED"
    EMAIL_CHECK = 14, "EMAIL_CHECK"  # is this e-mail address yours?
    CONTACT_CHANGED = 15, "CONTACT_CHANGED"  # to the old contact: how a person logs in or is reached changed


class Lane(StrEnum):
    """Each lane has workers of its own, so that nothing slow stands before something urgent."""

    URGENT = "URGENT"  # someone waits with the phone in hand
    SERVICE = "SERVICE"
    BULK = "BULK"


class MessageClass(StrEnum):
    """What regulators tell apart when they speak of permitted hours."""

    PERSONAL = "PERSONAL"
    SERVICE = "SERVICE"
    WARNING = "WARNING"
    AWARENESS = "AWARENESS"
    PROMOTIONAL = "PROMOTIONAL"


@dataclass(frozen=True, slots=True)
class KindSpec:
    """`is_statutory`: the law or the contract demands it, so a person chooses how, not whether.
    `is_released`: its messages wait for their module's word (`services.release_messages`)."""

    lane: Lane
    message_class: MessageClass
    is_statutory: bool
    is_released: bool = False


SPECS: Mapping[MessageKind, KindSpec] = {
    MessageKind.BILL_ISSUED: KindSpec(Lane.BULK, MessageClass.SERVICE, True, is_released=True),
    MessageKind.SINGLE_BILL_ISSUED: KindSpec(Lane.SERVICE, MessageClass.SERVICE, True),
    MessageKind.DUE_SOON: KindSpec(Lane.BULK, MessageClass.AWARENESS, False),
    MessageKind.OVERDUE: KindSpec(Lane.BULK, MessageClass.WARNING, True),
    MessageKind.FINAL_NOTICE: KindSpec(Lane.SERVICE, MessageClass.WARNING, True),
    MessageKind.PAYMENT_RECEIVED: KindSpec(Lane.SERVICE, MessageClass.SERVICE, False),
    MessageKind.ONE_TIME_CODE: KindSpec(Lane.URGENT, MessageClass.PERSONAL, True),
    MessageKind.LOW_BALANCE: KindSpec(Lane.SERVICE, MessageClass.SERVICE, False),
    MessageKind.TOKEN: KindSpec(Lane.URGENT, MessageClass.PERSONAL, True),
    MessageKind.REQUEST_UPDATE: KindSpec(Lane.SERVICE, MessageClass.SERVICE, False),
    MessageKind.CAMPAIGN: KindSpec(Lane.BULK, MessageClass.AWARENESS, False),
    MessageKind.DELEGATE_INVITED: KindSpec(Lane.SERVICE, MessageClass.PERSONAL, True),
    MessageKind.DELEGATE_CHANGED: KindSpec(Lane.SERVICE, MessageClass.PERSONAL, True),
    MessageKind.EMAIL_CHECK: KindSpec(Lane.SERVICE, MessageClass.PERSONAL, True),
    MessageKind.CONTACT_CHANGED: KindSpec(Lane.SERVICE, MessageClass.PERSONAL, True),
}

BILL_KINDS = (MessageKind.BILL_ISSUED, MessageKind.SINGLE_BILL_ISSUED)  # those whose reach must be proven


def kinds_of(lane: Lane | None) -> list[MessageKind]:
    """The kinds of a lane, or all of them, the most urgent first."""
    order = list(Lane)
    chosen = [kind for kind, spec in SPECS.items() if lane in (None, spec.lane)]
    return sorted(chosen, key=lambda kind: (order.index(SPECS[kind].lane), kind))
