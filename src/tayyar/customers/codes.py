"""One-time codes: six digits that prove who holds a contact point, for one purpose and one subject.

Owns their making, their checking and every bound on guessing and on sending. Keeps hashes only and never sends.
Next: notifications/consent.py sends what `issue_code` returns.
"""

import datetime as dt
import hmac
import secrets

from django.db import transaction

from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, OneTimeCode

DIGITS = 6
VALID = dt.timedelta(seconds=60)
MOST_TRIES = 5  # of one code: a guesser wins once in 200,000 codes
FIRST_WAIT = dt.timedelta(seconds=30)  # before another code; doubles with each sent in the last hour
MOST_A_DAY = 10  # for all people of an account together
CHANNELS = (Channel.SMS, Channel.WHATSAPP, Channel.EMAIL)
_FIELD = "customers.one_time_code"


class CodeRefused(UserError):
    """No code is sent, or none can be right any more. `reason`: WAIT (`seconds`), BUDGET, EXPIRED, TRIES."""

    def __init__(self, reason: str, message: str, *, seconds: int = 0) -> None:
        super().__init__(message)
        self.reason, self.seconds = reason, seconds


@transaction.atomic
def issue_code(
    *, account_id: int, contact_point_id: int, purpose: str, subject: str = "", actor: str, now: dt.datetime
) -> str:
    """A new code for this contact point; an older one of the account and purpose stops working.

    CodeRefused WAIT or BUDGET when too many were asked for; UserError when the contact point cannot take a code.
    """
    CustomerAccount.objects.select_for_update().get(id=account_id)  # two requests at once are counted as two
    contact = ContactPoint.objects.filter(
        id=contact_point_id,
        account_id=account_id,
        channel__in=CHANNELS,
        is_active=True,
        verified_at__isnull=False,
    ).first()
    if contact is None:
        raise UserError("This contact point cannot take a code. Choose another one.")
    sent = list(
        OneTimeCode.objects.filter(account_id=account_id, issued_at__gt=now - dt.timedelta(days=1))
        .order_by("-issued_at")
        .values_list("issued_at", flat=True)
    )
    if len(sent) >= MOST_A_DAY:
        raise CodeRefused(
            "BUDGET", f"{MOST_A_DAY} codes were sent for this account in 24 hours. Come tomorrow."
        )
    if wait := _wait(sent, now):
        raise CodeRefused("WAIT", f"Wait {wait} seconds before another code.", seconds=wait)
    OneTimeCode.objects.filter(account_id=account_id, purpose=purpose, expires_at__gt=now).update(
        expires_at=now
    )
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    made = OneTimeCode.objects.create(
        account_id=account_id,
        contact_point=contact,
        purpose=purpose,
        subject=subject,
        code_hash=_hash(account_id, purpose, subject, code),
        issued_at=now,
        expires_at=now + VALID,
    )
    _record(made, "CODE_ISSUED", actor, now)
    return code


@transaction.atomic
def check_code(
    *, account_id: int, purpose: str, subject: str = "", code: str, actor: str, now: dt.datetime
) -> OneTimeCode | None:
    """The code that this is, used up by it; None when it is another number, which counts as a try.

    CodeRefused EXPIRED when none is valid any more, TRIES when this one was tried too often.
    """
    newest = (
        OneTimeCode.objects.select_for_update()
        .filter(account_id=account_id, purpose=purpose, subject=subject)
        .order_by("-issued_at", "-id")
        .first()
    )
    if newest is None or newest.used_at is not None or now >= newest.expires_at:
        raise CodeRefused("EXPIRED", "This code is not valid any more. Ask for another one.")
    if newest.tries >= MOST_TRIES:
        raise CodeRefused("TRIES", f"This code was tried {MOST_TRIES} times. Ask for another one.")
    newest.tries += 1
    given = _hash(account_id, purpose, subject, _digits(code))
    is_right = hmac.compare_digest(given, bytes(newest.code_hash))
    if is_right:
        newest.used_at = now
    newest.save(update_fields=["tries", "used_at"])
    _record(newest, "CODE_CONFIRMED" if is_right else "CODE_WRONG", actor, now)
    return newest if is_right else None


def _wait(sent: list[dt.datetime], now: dt.datetime) -> int:
    """Seconds until another code may be sent: 30, 60, 120, ... after the last one. `sent` newest first."""
    recent = [moment for moment in sent if moment > now - dt.timedelta(hours=1)]
    if not recent:
        return 0
    ready = recent[0] + FIRST_WAIT * 2 ** (len(recent) - 1)
    return max(0, -((now - ready) // dt.timedelta(seconds=1)))


def _digits(code: str) -> str:
    """As people type it: Arabic digits too, with spaces."""
    return "".join(str(int(c)) for c in code if c.isdecimal())[:20]


def _hash(account_id: int, purpose: str, subject: str, code: str) -> bytes:
    return crypto.lookup_hash(f"{account_id}:{purpose}:{subject}:{code}", field=_FIELD)


def _record(code: OneTimeCode, action: str, actor: str, now: dt.datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=f"account:{code.account_id}",
        now=now,
        purpose=code.purpose,
        contact_point=code.contact_point_id,
    )
