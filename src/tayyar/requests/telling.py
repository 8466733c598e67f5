"""Whom a request's news goes to, and in which words: REQUEST_UPDATE messages, queued in the caller's transaction.

It goes to the people of the account only where the account is the asker's own; somebody who claims another's account
is told at their own contact points, and the present holder learns nothing from here. Next: notifications.
"""

import datetime as dt
import zoneinfo

from django.conf import settings

from tayyar.core import text
from tayyar.customers.models import ContactPoint, Language
from tayyar.identity.models import Person
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.services import queue_message
from tayyar.profiles import Profile
from tayyar.profiles.installation import installed_profile
from tayyar.requests.catalogue import request_type
from tayyar.requests.models import ServiceRequest, Via
from tayyar.requests.words import TOLD

LONGEST_QUOTE = 300  # characters of what staff wrote; the page shows all of it


def local_day(now: dt.datetime, profile: Profile) -> dt.date:
    """The calendar day of the utility."""
    return now.astimezone(zoneinfo.ZoneInfo(profile.timezone)).date()


def language_of(request: ServiceRequest) -> Language:
    """The asker's language now, else the one it was asked in."""
    return Language(request.person.language if request.person else request.language)


def request_url(request: ServiceRequest) -> str:
    """The person's page about it."""
    return f"{settings.SITE_URL}/me/requests/{request.reference}"


def tell(request: ServiceRequest, what: str, *, now: dt.datetime, said: str = "", step: str = "") -> None:
    """Tell the asker, by the sentence `what` of words.py; `said` is what staff wrote to them.

    What a business's file opens, and what is decided of it without staff, is shown on the file's page alone: up to
    thousands of rows are no reason for as many messages.
    """
    if request.via == Via.FILE and (what == "OPENED" or request.ended_by == "system"):
        return
    language = language_of(request)
    person, account_id = request.person, request.account_id
    if account_id is not None and (person is None or _is_own(request, person)):
        _queue(request, what, language, now, said, step, account_id=account_id, contact_point_id=None)
    elif person is not None and (contact := _own_contact(person)) is not None:
        _queue(request, what, language, now, said, step, account_id=None, contact_point_id=contact)


def warn(request: ServiceRequest, what: str, *, contact_point_id: int, now: dt.datetime) -> None:
    """Tell it through exactly this contact point of the request's account."""
    language = language_of(request)
    _queue(
        request,
        what,
        language,
        now,
        "",
        "",
        account_id=request.account_id,
        contact_point_id=contact_point_id,
    )


def _queue(
    request: ServiceRequest,
    what: str,
    language: Language,
    now: dt.datetime,
    said: str,
    step: str,
    *,
    account_id: int | None,
    contact_point_id: int | None,
) -> None:
    profile, lang, kind = installed_profile(), language.name, request_type(request.type)
    quote = said if len(said) <= LONGEST_QUOTE else said[: LONGEST_QUOTE - 1].rstrip() + "…"
    sentence = TOLD[lang][what].format(
        due=text.format_date(request.due_on, lang, profile.formats),
        step=kind.step(step or request.step).names[lang],
        text=" ".join(quote.split()),
    )
    phone = next((str(one["value"]) for one in profile.complaint_contacts if one["kind"] == "PHONE"), "")
    queue_message(
        kind=MessageKind.REQUEST_UPDATE,
        account_id=account_id,
        contact_point_id=contact_point_id,
        facts={
            "reference": request.reference,
            "subject_text": kind.names[lang],
            "update_text": sentence,
            "complaint_text": phone,
        },
        url=request_url(request),
        language=language,
        now=now,
    )


def _is_own(request: ServiceRequest, person: Person) -> bool:
    """Whether the account is billed to the person's own customer, and its people can be told at all."""
    account = request.account
    if account is None or account.customer_id != person.customer_id:
        return False
    return ContactPoint.objects.filter(
        account_id=account.pk, recipient=0, is_active=True, verified_at__isnull=False
    ).exists()


def _own_contact(person: Person) -> int | None:
    """The person's mobile, else their e-mail, whichever is in use."""
    for contact in (person.mobile, person.email):
        if contact is not None and contact.is_active and contact.verified_at is not None:
            return contact.pk
    return None
