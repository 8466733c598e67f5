"""The forms of wishes and invitations, as portal and console post them, read into values.

Owns what a mistyped field is called: Mistyped carries the key of the words that each face has for it. Pure: no
database. Next: consent.py.
"""

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass

from django.http import QueryDict

from tayyar.customers.addresses import AddressMistyped, clean_address
from tayyar.customers.delegates import RELATIONS
from tayyar.customers.models import Channel, Language
from tayyar.customers.wishes import DIGITAL, Wishes
from tayyar.notifications.consent import OPTIONAL

INVITABLE = (Channel.SMS, Channel.WHATSAPP, Channel.EMAIL)


class Mistyped(Exception):
    """A field that cannot be read; the argument is the key of the words that say so."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What was typed to invite a delegate, read and checked; every value as text, so that it can be typed again."""

    name: str
    relation: str
    channel: str
    address: str
    rights: str
    language: str
    until: str

    @property
    def fingerprint(self) -> str:
        """What a code confirms: these values and no others."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    @property
    def expires_on(self) -> dt.date | None:
        """The first day without: `until` is the last day with."""
        return dt.date.fromisoformat(self.until) + dt.timedelta(days=1) if self.until else None


def read_wishes(form: QueryDict, before: Wishes) -> Wishes:
    """The wishes that a form says; what it does not ask stays as `before`."""
    first = form.get("first", "")
    used = set(form.getlist("use"))
    told = set(form.getlist("tell"))
    known = {channel.name for channel in DIGITAL}
    channels = before.channels if before.channels[:1] == (first,) else (first,) if first in known else ()
    language = form.get("language", "")
    return Wishes(
        channels=channels,
        excluded=tuple(channel.name for channel in DIGITAL if channel.name not in used),
        wants_paper="paper" in form,
        attaches_pdf="pdf" in form,
        wants_digest="digest" in form if "holds_many" in form else before.wants_digest,
        quiet=_quiet(form.get("quiet_from", ""), form.get("quiet_to", "")),
        opted_out=frozenset(kind.value for kind in OPTIONAL if kind.name not in told),
        language=Language[language] if language in Language.__members__ else before.language,
    )


def read_invitation(form: QueryDict, *, today: dt.date, calling_code: str) -> Invitation:
    """The invitation that a form says."""
    typed = {name: form.get(name, "").strip() for name in Invitation.__slots__}
    if not typed["name"] or len(typed["name"]) > 120:
        raise Mistyped("delegate_name_missing")
    if typed["relation"] not in RELATIONS or typed["rights"] not in ("see", "pay"):
        raise Mistyped("choose_one")
    if typed["language"] not in Language.__members__:
        raise Mistyped("choose_one")
    if typed["until"]:
        try:
            last = dt.date.fromisoformat(typed["until"])
        except ValueError:
            raise Mistyped("date_mistyped") from None
        if last < today:
            raise Mistyped("delegate_refused_PAST")
    _, typed["address"] = read_address(form, calling_code=calling_code)
    return Invitation(**typed)


def read_address(form: QueryDict, *, calling_code: str) -> tuple[Channel, str]:
    """The channel and the address, in its one spelling, that a form says."""
    channel = next((channel for channel in INVITABLE if channel.name == form.get("channel")), None)
    if channel is None:
        raise Mistyped("choose_one")
    try:
        return channel, clean_address(form.get("address", ""), channel=channel, calling_code=calling_code)
    except AddressMistyped:
        raise Mistyped("email_mistyped" if channel == Channel.EMAIL else "phone_mistyped") from None


def _quiet(start: str, end: str) -> tuple[dt.time, dt.time] | None:
    if not start and not end:
        return None
    try:
        hours = dt.time.fromisoformat(start), dt.time.fromisoformat(end)
    except ValueError:
        raise Mistyped("quiet_mistyped") from None
    if hours[0] == hours[1]:
        raise Mistyped("quiet_equal")
    return hours
