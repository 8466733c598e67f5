"""Reads of the portal that no lower module offers: how to ask the utility, what a person was told.

Never writes. Next: views.py, wishes_views.py.
"""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError

from tayyar.billing.documents.page import contact_href
from tayyar.billing.numbers import bill_period
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.notifications.kinds import BILL_KINDS, MessageKind
from tayyar.notifications.models import Message, MessageState
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile

MOST_MESSAGES = 200

_S = MessageState
# What a message's state means to its reader: the key of the words.
STATE_WORDS: Mapping[int, str] = {
    **dict.fromkeys((_S.QUEUED, _S.SENDING, _S.IN_DOUBT, _S.DEFERRED), "state_under_way"),
    _S.SENT: "state_sent",
    _S.DELIVERED: "state_delivered",
    _S.READ: "state_read",
    **dict.fromkeys((_S.FAILED, _S.EXPIRED, _S.PARKED), "state_not_arrived"),
    _S.CANCELLED: "state_cancelled",
    _S.MERGED: "state_merged",
}


def utility(lang: str) -> tuple[str, list[dict[str, Any]]]:
    """The utility's name and its contacts as kind, value, href; both empty when it cannot be known just now."""
    try:
        profile = installed_profile()
    except (UserError, DatabaseError):
        return "", []
    contacts: list[dict[str, Any]] = []
    for contact in profile.complaint_contacts:
        entry = {"kind": str(contact["kind"]), "value": str(contact["value"])}
        contacts.append({**entry, "href": contact_href(entry)})
    return str(profile.utility_names.get(lang, "")), contacts


def local_zone(profile: Profile) -> zoneinfo.ZoneInfo:
    """Where the utility's clocks are."""
    return zoneinfo.ZoneInfo(profile.timezone)


def messages_of(account_id: int, recipient: int, *, today: dt.date) -> list[Message]:
    """What one person was told in the last 13 months, the newest first, at most MOST_MESSAGES. Codes are not kept."""
    first = Period.of(today).plus(-13).number
    found = Message.objects.filter(period__gte=first, account_id=account_id, recipient=recipient)
    return list(found.exclude(kind=MessageKind.ONE_TIME_CODE).order_by("-created_at", "-ref")[:MOST_MESSAGES])


def was_told_of(account_id: int, recipient: int, *, bill_number: int) -> bool:
    """Whether a message about this bill was made for this person."""
    try:
        period = bill_period(bill_number)
    except (UserError, ValueError):
        return False
    return Message.objects.filter(
        period=period.number,
        kind__in=BILL_KINDS,
        ref=bill_number,
        recipient=recipient,
        account_id=account_id,
    ).exists()
