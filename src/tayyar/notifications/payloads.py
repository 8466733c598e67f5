"""Facts of messages that tell of no stored document (a one-time code, a campaign): sealed, and opened when sent.

Owns the seal and its shape. Never writes: services.queue_message stores what `seal_facts` returns. Next: content.py
gives the facts to the engine.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

from django.conf import settings

from tayyar.core.crypto import seal, unseal
from tayyar.core.links import preference_token
from tayyar.notifications.content import NO_ACCOUNT, Facts, MessageKey
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Payload
from tayyar.notifications.variables import templates_of
from tayyar.profiles.installation import installed_profile

PAYLOAD_FIELD = "notifications.payload.facts"
PREFERENCE_DAYS = 120  # how long the link to a reader's wishes works
KINDS = (
    MessageKind.DUE_SOON,
    MessageKind.OVERDUE,
    MessageKind.FINAL_NOTICE,
    MessageKind.PAYMENT_RECEIVED,
    MessageKind.ONE_TIME_CODE,
    MessageKind.LOW_BALANCE,
    MessageKind.TOKEN,
    MessageKind.REQUEST_UPDATE,
    MessageKind.CAMPAIGN,
    MessageKind.DELEGATE_INVITED,
    MessageKind.DELEGATE_CHANGED,
    MessageKind.EMAIL_CHECK,
    MessageKind.CONTACT_CHANGED,
)
_WITHOUT_WISHES = (MessageKind.ONE_TIME_CODE, MessageKind.TOKEN, MessageKind.DELEGATE_INVITED)


def seal_facts(values: Mapping[str, str], *, url: str = "") -> bytes:
    """A message's variables and its link, for Payload.facts_sealed."""
    return seal(json.dumps({"values": dict(values), "url": url}, ensure_ascii=False), field=PAYLOAD_FIELD)


def payload_facts(keys: Sequence[MessageKey]) -> list[Facts]:
    """The facts of messages of one kind. One whose payload is gone has nothing to say any more."""
    profile, kind = installed_profile(), MessageKind(keys[0].kind)
    found = Payload.objects.filter(ref__in={key.ref for key in keys}, kind=kind)
    payloads = {
        ref: (bytes(sealed), at, until)
        for ref, sealed, at, until in found.values_list("ref", "facts_sealed", "created_at", "expires_at")
    }
    template = templates_of(kind)[0]
    facts = []
    for key in keys:
        if key.ref not in payloads:
            continue
        sealed, created_at, expires_at = payloads[key.ref]
        raw = json.loads(unseal(sealed, field=PAYLOAD_FIELD))
        wishes = ""
        if kind not in _WITHOUT_WISHES and key.account_id != NO_ACCOUNT:
            wishes = preferences_url(key, expires=created_at.date() + dt.timedelta(days=PREFERENCE_DAYS))
        facts.append(
            Facts(
                ref=key.ref,
                recipient=key.recipient,
                template=template,
                values=raw["values"],
                utility_name=profile.utility_names[key.language],
                url=raw["url"],
                preferences_url=wishes,
                expires_at=expires_at,
            )
        )
    return facts


def preferences_url(key: MessageKey, *, expires: dt.date) -> str:
    """Where the reader of this message chooses how to be told."""
    return f"{settings.SITE_URL}/p/{preference_token(key.account_id, key.recipient, expires=expires)}"
