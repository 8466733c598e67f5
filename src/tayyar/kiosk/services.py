"""A visit from its first touch to its end: who is meant, the code that proves it, the paper it printed.

The only writer of Visit and CodeAsked. Codes are those of customers/codes.py and identity/codes.py; here are the bounds
of the machine, and the rule that an unknown number is treated as a known one to which no code goes. Next: entry.py.
"""

import datetime as dt
import logging
import secrets

from django.db import transaction

from tayyar.core import audit, crypto
from tayyar.core.errors import UserError
from tayyar.core.links import open_bill_token
from tayyar.customers import codes
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.devices.models import Device
from tayyar.identity import codes as identity_codes
from tayyar.identity.models import Person
from tayyar.kiosk.models import CodeAsked, Goal, Visit, Way
from tayyar.notifications import consent

log = logging.getLogger(__name__)
IDLE = dt.timedelta(seconds=60)  # without a touch
LONGEST = dt.timedelta(minutes=15)  # of one visit, however often somebody touches
MOST_AN_HOUR, MOST_A_DAY = 30, 200  # codes that one machine may ask for: a busy hall stays below
MOST_PRINTS = 6  # sheets and slips of one visit
PURPOSE = "KIOSK"
_CHANNELS = (Channel.SMS, Channel.WHATSAPP, Channel.EMAIL)  # in this order, the first that the holder has
_FIELD = "kiosk.visit.key"


class VisitRefused(UserError):
    """`reason`: WAIT (`seconds`), BUDGET (of the machine), EXPIRED, TRIES."""

    def __init__(self, reason: str, message: str, *, seconds: int = 0) -> None:
        super().__init__(message)
        self.reason, self.seconds = reason, seconds


# ---------------------------------------------------------------------------------------------------- begin and end


@transaction.atomic
def begin(*, device: Device, goal: Goal, now: dt.datetime) -> tuple[Visit, str]:
    """A new visit and its key. Whoever was there before is forgotten."""
    Device.objects.select_for_update().get(id=device.pk)  # two touches at once make one visit
    Visit.objects.filter(device=device).delete()
    key = secrets.token_urlsafe(32)
    visit = Visit.objects.create(
        device=device, key_hash=_hash(key), goal=goal, started_at=now, touched_at=now
    )
    return visit, key


def current(*, device: Device, key: str, now: dt.datetime) -> Visit | None:
    """The visit that has this key, now touched; None when there is none. One that is over is forgotten here."""
    visit = Visit.objects.filter(device=device).select_related("account", "person").first()
    if visit is None:
        return None
    if is_over(visit, now):
        visit.delete()
        return None
    if not secrets.compare_digest(bytes(visit.key_hash), _hash(key)):
        return None
    Visit.objects.filter(id=visit.pk).update(touched_at=now)
    visit.touched_at = now
    return visit


def is_over(visit: Visit, now: dt.datetime) -> bool:
    """Whether nobody touched for 60 seconds, or it lasted 15 minutes."""
    return now - visit.touched_at >= IDLE or now - visit.started_at >= LONGEST


def leave(*, device: Device) -> None:
    """Forget whoever is there. Leaving twice changes nothing."""
    Visit.objects.filter(device=device).delete()


def forget_visits(*, now: dt.datetime) -> int:
    """Forget visits that nobody came back to, and counts older than a day. Returns how many visits. For a job."""
    over, _ = Visit.objects.filter(touched_at__lte=now - IDLE).delete()
    CodeAsked.objects.filter(asked_at__lte=now - dt.timedelta(days=1)).delete()
    return over


# ---------------------------------------------------------------------------------------------------- coming in


def by_account(*, visit: Visit, account_id: int, now: dt.datetime) -> None:
    """Somebody says they hold this account: a code goes to the holder's contact point, if there is one."""
    account = CustomerAccount.objects.filter(id=account_id).first()
    contact = None
    if account:
        points = ContactPoint.objects.filter(
            account=account,
            recipient=0,
            channel__in=_CHANNELS,
            is_active=True,
            verified_at__isnull=False,
        ).order_by("id")
        contact = min(points, key=lambda point: _CHANNELS.index(Channel(point.channel)), default=None)
    _meant(visit, Way.ACCOUNT, account=account if contact else None, contact=contact)
    send_code(visit=visit, now=now)


def by_person(*, visit: Visit, id_hash: bytes, now: dt.datetime) -> None:
    """Somebody says they are the person with this identity document: a code goes to that person's mobile, if any."""
    found = Person.objects.select_related("mobile").filter(id_hash=id_hash, user__is_active=True)
    person = found.first()
    _meant(visit, Way.IDENTITY, person=person, contact=person.mobile if person else None)
    send_code(visit=visit, now=now)


@transaction.atomic
def by_bill(*, visit: Visit, text: str, now: dt.datetime) -> bool:
    """What a scanner read from a bill's QR code. True when it opens a bill: that bill and nothing else."""
    _, found, token = text.strip().rpartition("/b/")
    number = open_bill_token(token.split("?")[0].split("/")[0], today=now.date()) if found else None
    if number is None:
        return False
    _meant(visit, Way.BILL, bill_number=number)
    visit.proven_at = now
    visit.save(update_fields=["proven_at"])
    _record(visit, "KIOSK_ENTERED", now, subject=f"bill:{number}")
    return True


def send_code(*, visit: Visit, now: dt.datetime) -> None:
    """Send a code, or do as if. VisitRefused WAIT and BUDGET by what this machine and visit did, whoever is meant:
    what refuses the person's own budget is not told, as it would tell that the number is known."""
    if visit.code_sent_at and (seconds := _wait(visit, now)):
        raise VisitRefused("WAIT", f"Wait {seconds} seconds before another code.", seconds=seconds)
    with transaction.atomic():
        Device.objects.select_for_update().get(id=visit.device_id)  # two requests at once are counted as two
        _spend(visit.device_id, now)
        visit.codes_sent, visit.code_sent_at, visit.code_tries = visit.codes_sent + 1, now, 0
        visit.save(update_fields=["codes_sent", "code_sent_at", "code_tries"])
        _record(visit, "KIOSK_CODE_ASKED", now, subject=f"device:{visit.device_id}", way=visit.way)
    if visit.contact_point is None:
        return
    try:
        _send(visit, visit.contact_point, now)
    except UserError as refusal:
        log.info("Device %s: a code was not sent: %s", visit.device_id, refusal)


def check_code(*, visit: Visit, code: str, now: dt.datetime) -> bool:
    """Whether it is the code; then the visit is proven. VisitRefused EXPIRED after 60 seconds, TRIES after 5."""
    if visit.code_sent_at is None or now - visit.code_sent_at >= codes.VALID:
        raise VisitRefused("EXPIRED", "This code is not valid any more. Ask for another one.")
    with transaction.atomic():
        Visit.objects.select_for_update().get(id=visit.pk)
        visit.refresh_from_db(fields=["code_tries"])
        if visit.code_tries >= codes.MOST_TRIES:
            raise VisitRefused("TRIES", f"This code was tried {codes.MOST_TRIES} times. Ask for another one.")
        visit.code_tries += 1
        visit.save(update_fields=["code_tries"])
    if not _is_right(visit, code, now):
        return False
    visit.proven_at = now
    visit.save(update_fields=["proven_at"])
    who = f"account:{visit.account_id}" if visit.account_id else f"person:{visit.person_id}"
    _record(visit, "KIOSK_ENTERED", now, subject=who)
    return True


def _send(visit: Visit, contact: ContactPoint, now: dt.datetime) -> None:
    if visit.account_id:
        consent.send_code(
            account_id=visit.account_id,
            contact_point_id=contact.pk,
            purpose=PURPOSE,
            subject=_subject(visit),
            actor=_actor(visit),
            now=now,
        )
    elif visit.person:
        identity_codes.send(
            subject=_subject(visit),
            identity_hash=bytes(visit.person.id_hash),
            contact_point_id=contact.pk,
            address=crypto.unseal(bytes(contact.address_sealed), field=ADDRESS_FIELD),
            network=f"{_actor(visit)}:{now:%H}",  # a machine serves a hall: its own budget bounds it, see _spend
            language=Language(visit.person.language),
            now=now,
        )


def _is_right(visit: Visit, code: str, now: dt.datetime) -> bool:
    """None of the refusals is told: each says something about a number that may not be the visitor's."""
    try:
        if visit.account_id:
            used = codes.check_code(
                account_id=visit.account_id,
                purpose=PURPOSE,
                subject=_subject(visit),
                code=code,
                actor=_actor(visit),
                now=now,
            )
            return used is not None and used.contact_point_id == visit.contact_point_id
        if visit.person_id is None:
            return False
        return identity_codes.check(subject=_subject(visit), code=code, now=now)
    except codes.CodeRefused:
        return False


def _meant(
    visit: Visit,
    way: Way,
    *,
    account: CustomerAccount | None = None,
    person: Person | None = None,
    bill_number: int | None = None,
    contact: ContactPoint | None = None,
) -> None:
    """Whom the visitor says to be. Whatever was proven before is not any more."""
    visit.way, visit.account, visit.person, visit.bill_number = way, account, person, bill_number
    visit.contact_point, visit.proven_at, visit.request_reference = contact, None, ""
    visit.save()


def _spend(device_id: int, now: dt.datetime) -> None:
    for most, span in ((MOST_AN_HOUR, dt.timedelta(hours=1)), (MOST_A_DAY, dt.timedelta(days=1))):
        if CodeAsked.objects.filter(device_id=device_id, asked_at__gt=now - span).count() >= most:
            raise VisitRefused("BUDGET", "This machine asked for too many codes. Scan a bill, or come later.")
    CodeAsked.objects.create(device_id=device_id, asked_at=now)


def _wait(visit: Visit, now: dt.datetime) -> int:
    """Seconds until another code may be asked for: 30, 60, 120, ... after the last one of this visit."""
    assert visit.code_sent_at is not None
    ready = visit.code_sent_at + codes.FIRST_WAIT * 2 ** (visit.codes_sent - 1)
    return max(0, -((now - ready) // dt.timedelta(seconds=1)))


# ---------------------------------------------------------------------------------------------------- while there


def take_print(*, visit: Visit, once: str) -> bool:
    """Whether to print now: False for a form that was sent before. VisitRefused BUDGET after MOST_PRINTS."""
    if not once.isdecimal() or len(once) > 3:
        return False
    if int(once) >= MOST_PRINTS:
        raise VisitRefused("BUDGET", f"{MOST_PRINTS} prints are the most for one visit.")
    return Visit.objects.filter(id=visit.pk, prints=int(once)).update(prints=int(once) + 1) == 1


def keep_reference(*, visit: Visit, reference: str) -> None:
    """The request that was opened in this visit, to show and print it."""
    Visit.objects.filter(id=visit.pk).update(request_reference=reference)


def _subject(visit: Visit) -> str:
    return f"kiosk:{visit.pk}"


def _actor(visit: Visit) -> str:
    return f"kiosk:{visit.device_id}"


def _hash(key: str) -> bytes:
    return crypto.lookup_hash(key, field=_FIELD)


def _record(visit: Visit, action: str, now: dt.datetime, *, subject: str, **detail: object) -> None:
    audit.record(actor=_actor(visit), action=action, subject=subject, now=now, **detail)
