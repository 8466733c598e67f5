"""A forgotten password: identity number and mobile together get a code to that mobile, and the code a new password.

Owns both steps. Whether such a person exists shows neither in an answer nor in how long it takes. Second factors stay:
who lost those too proves who they are at a branch. Next: codes.py sends, attempts.py bounds, contacts.py tells.
"""

import base64
import datetime as dt
import json
import time

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction

from tayyar.core import audit, crypto
from tayyar.customers.addresses import AddressMistyped, clean_address
from tayyar.customers.codes import CodeRefused
from tayyar.customers.models import Channel, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.identity import attempts, codes, contacts, people
from tayyar.identity.login_models import How
from tayyar.identity.models import Person
from tayyar.profiles.installation import installed_profile

ANSWER_SECONDS = 0.4  # every answer takes this long, whether a code was sent or not
_FIELD = "identity.recovery"


def ask(*, number: str, mobile: str, network: str, now: dt.datetime) -> None:
    """Send a code to the mobile, if a person with this number has it. Never says whether.

    SignInRefused when this pair or this network asks too often: counted alike for pairs that belong to nobody.
    """
    begun = time.monotonic()
    try:
        attempts.begin(
            how=How.RECOVERY, subject=_subject(number, mobile), browser_hash=None, network=network, now=now
        )
        person = _person(number, mobile)
        if person is not None:
            _send(person, network=network, now=now)
    finally:
        _take_as_long_as_always(begun)


def set_password(*, number: str, mobile: str, code: str, password: str, now: dt.datetime) -> bool:
    """Set a new password with the code; every login of the person ends. False when the code is not right, not valid
    any more, or was never sent. PasswordsBusy. The password must have been validated."""
    begun = time.monotonic()
    try:
        hashed = make_password(password)
        person = _person(number, mobile)
        if person is None or not _code_is_right(person, code, now):
            return False
    finally:
        _take_as_long_as_always(begun)
    with transaction.atomic():
        # Sessions are bound to the password: all end.
        User.objects.filter(pk=person.user_id).update(password=hashed)
        audit.record(actor="visitor", action="PASSWORD_RECOVERED", subject=f"person:{person.pk}", now=now)
        contacts.tell_change(person=person, what="PASSWORD", now=now)
    return True


def seal(number: str, mobile: str) -> str:
    """Both, as the session may keep them between the two steps."""
    return base64.b64encode(crypto.seal(json.dumps([number, mobile]), field=_FIELD)).decode()


def unseal(sealed: str) -> tuple[str, str]:
    """What was sealed."""
    number, mobile = json.loads(crypto.unseal(base64.b64decode(sealed), field=_FIELD))
    return number, mobile


def _send(person: Person, *, network: str, now: dt.datetime) -> None:
    try:
        codes.send(
            subject=_code_subject(person),
            identity_hash=bytes(person.id_hash),
            contact_point_id=person.mobile_id,
            address=crypto.unseal(bytes(person.mobile.address_sealed), field=ADDRESS_FIELD),
            network=network,
            language=Language(person.language),
            now=now,
        )
    except CodeRefused:
        return  # the answer is the same; the bounds on codes are codes.py's


def _code_is_right(person: Person, code: str, now: dt.datetime) -> bool:
    try:
        return codes.check(subject=_code_subject(person), code=code, now=now)
    except CodeRefused:
        return False


def _person(number: str, mobile: str) -> Person | None:
    """The person with this verified mobile, when the number is theirs."""
    try:
        address = clean_address(mobile, channel=Channel.SMS, calling_code=installed_profile().calling_code)
    except AddressMistyped:
        address = ""
    found = Person.objects.select_related("user", "customer", "mobile").filter(
        mobile__address_hash=crypto.lookup_hash(address, field=ADDRESS_FIELD),
        mobile__is_active=True,
        mobile__verified_at__isnull=False,
        user__is_active=True,
        user__is_staff=False,
    )
    given = _plain(number)
    return next((person for person in found if _plain(people.id_number(person)) == given), None)


def _code_subject(person: Person) -> str:
    return f"recovery:{person.pk}"


def _subject(number: str, mobile: str) -> str:
    return f"{_plain(number)}:{_plain(mobile)}"


def _plain(text: str) -> str:
    """Letters and digits alone; Arabic digits as 0 to 9."""
    return "".join(str(int(c)) if c.isdecimal() else c.upper() for c in text if c.isalnum())


def _take_as_long_as_always(begun: float) -> None:
    time.sleep(max(0.0, ANSWER_SECONDS - (time.monotonic() - begun)))
