"""One-time codes to a phone or e-mail address outside any account: made, sent, checked, and every bound on them.

Owns IdentityCode. Keeps hashes only; what a code opens is its caller's affair. Next: notifications sends it at once.
"""

import datetime as dt
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from tayyar.core import audit, crypto
from tayyar.customers.codes import DIGITS, FIRST_WAIT, MOST_TRIES, VALID, CodeRefused
from tayyar.customers.models import Channel, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.identity.models import IdentityCode
from tayyar.notifications.consent_words import WORDS
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.services import queue_message

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
# What somebody who pumps messages can make us send. The prefix (+966 512) bounds ranges of numbers sold for that.
MOST_PER_IDENTITY_A_DAY = 10
MOST_PER_ADDRESS_A_DAY = 10
MOST_PER_NETWORK_A_DAY = 60
MOST_PER_PREFIX_AN_HOUR = 300
MOST_A_DAY = 100_000
_FIELD = "identity.code"


@dataclass(frozen=True, slots=True)
class Standing:
    """Until when the newest code works, and from when another may be asked for."""

    expires_at: dt.datetime
    resend_at: dt.datetime


@transaction.atomic
def send(
    *,
    subject: str,
    identity_hash: bytes,
    contact_point_id: int,
    address: str,
    network: str,
    language: Language,
    now: dt.datetime,
) -> None:
    """Send six new digits for `subject` to a contact point outside any account; older ones of it stop working.

    `address` is the contact point's, in the clear; `network` as core.web.client_address names it. CodeRefused WAIT
    (`seconds`) or BUDGET.
    """
    address_hash, network = crypto.lookup_hash(address, field=ADDRESS_FIELD), network[:50]
    prefix = address[1:7] if address.startswith("+") else ""
    _one_at_a_time(identity_hash.hex(), address_hash.hex(), network)
    budgets: list[tuple[Mapping[str, Any], int, dt.timedelta]] = [
        ({"identity_hash": identity_hash}, MOST_PER_IDENTITY_A_DAY, DAY),
        ({"address_hash": address_hash}, MOST_PER_ADDRESS_A_DAY, DAY),
        ({"network": network}, MOST_PER_NETWORK_A_DAY, DAY),
        ({}, MOST_A_DAY, DAY),
    ]
    if prefix:
        budgets.append(({"prefix": prefix}, MOST_PER_PREFIX_AN_HOUR, HOUR))
    if any(_spent(by, most, span, now) for by, most, span in budgets):
        raise CodeRefused("BUDGET", "Too many codes were sent. Come tomorrow, or to a service centre.")
    ready = _ready_at(address_hash, now)
    if ready is not None and ready > now:
        seconds = -((now - ready) // dt.timedelta(seconds=1))
        raise CodeRefused("WAIT", f"Wait {seconds} seconds before another code.", seconds=seconds)
    IdentityCode.objects.filter(subject=subject, expires_at__gt=now).update(expires_at=now)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    IdentityCode.objects.create(
        subject=subject,
        code_hash=_hash(subject, code),
        identity_hash=identity_hash,
        address_hash=address_hash,
        prefix=prefix,
        network=network,
        contact_point_id=contact_point_id,
        issued_at=now,
        expires_at=now + VALID,
    )
    queue_message(
        kind=MessageKind.ONE_TIME_CODE,
        account_id=None,
        contact_point_id=contact_point_id,
        facts={"code": code, "minutes_text": WORDS[language.name]["code_valid"]},
        language=language,
        expires_at=now + VALID,
        now=now,
    )
    _record(subject, "CODE_ISSUED", now, contact_point=contact_point_id)


@transaction.atomic
def check(*, subject: str, code: str, now: dt.datetime) -> bool:
    """Whether these are the digits that were sent for `subject`; right ones are used up. Each call is a try.

    CodeRefused EXPIRED when none works any more, TRIES when this one was tried too often. Call it outside any
    transaction that a wrong code would roll back: the try must be counted.
    """
    newest = (
        IdentityCode.objects.select_for_update().filter(subject=subject).order_by("-issued_at", "-id").first()
    )
    if newest is None or newest.used_at is not None or now >= newest.expires_at:
        raise CodeRefused("EXPIRED", "This code is not valid any more. Ask for another one.")
    if newest.tries >= MOST_TRIES:
        raise CodeRefused("TRIES", f"This code was tried {MOST_TRIES} times. Ask for another one.")
    newest.tries += 1
    typed = "".join(str(int(sign)) for sign in code if sign.isdecimal())[:20]
    is_right = hmac.compare_digest(_hash(subject, typed), bytes(newest.code_hash))
    if is_right:
        newest.used_at = now
    newest.save(update_fields=["tries", "used_at"])
    _record(subject, "CODE_CONFIRMED" if is_right else "CODE_WRONG", now)
    return is_right


def standing(*, subject: str, now: dt.datetime) -> Standing | None:
    """What a page counts down; None when no code was sent for `subject`."""
    newest = IdentityCode.objects.filter(subject=subject).order_by("-issued_at", "-id").first()
    if newest is None:
        return None
    return Standing(newest.expires_at, _ready_at(bytes(newest.address_hash), now) or newest.issued_at)


def channel_of(address: str) -> Channel:
    """A telephone number is told by SMS, everything else is an e-mail address."""
    return Channel.SMS if address.startswith("+") else Channel.EMAIL


def _ready_at(address_hash: bytes, now: dt.datetime) -> dt.datetime | None:
    """30, 60, 120 ... seconds after the last of this hour's codes to the address that nobody confirmed; None: at
    once. What was confirmed reached somebody who waited for it, so the next step need not wait."""
    sent = IdentityCode.objects.filter(address_hash=address_hash, issued_at__gt=now - HOUR, used_at=None)
    moments = sorted(sent.values_list("issued_at", flat=True))
    return moments[-1] + FIRST_WAIT * 2 ** (len(moments) - 1) if moments else None


def _spent(by: Mapping[str, Any], most: int, span: dt.timedelta, now: dt.datetime) -> bool:
    found = IdentityCode.objects.filter(**by, issued_at__gt=now - span)
    return bool(found.order_by()[most - 1 : most].values_list("id", flat=True))


def _one_at_a_time(*names: str) -> None:
    """Two sends of one identity, address or network are counted one after the other, until the transaction ends."""
    with connection.cursor() as cursor:
        for name in sorted(names):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{_FIELD} {name}"])


def _hash(subject: str, code: str) -> bytes:
    return crypto.lookup_hash(f"{subject}:{code}", field=_FIELD)


def _record(subject: str, action: str, now: dt.datetime, **detail: Any) -> None:
    audit.record(actor="portal", action=action, subject=subject[:80], now=now, **detail)
