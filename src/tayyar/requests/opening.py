"""Opening a request: the form and papers checked, limits kept, one reference given, its deadline set, the asker told.

The same once_key gives the same request back. What follows from it is the type's handler's. Next: services.py.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from tayyar.core.crypto import lookup_hash
from tayyar.customers.models import CustomerAccount, Language
from tayyar.customers.reviews import next_reference
from tayyar.identity.models import Person
from tayyar.profiles.installation import installed_profile
from tayyar.requests import registry, rules
from tayyar.requests.catalogue import RequestType, request_type
from tayyar.requests.documents import Upload
from tayyar.requests.errors import RequestRefused
from tayyar.requests.forms import Form, check_form
from tayyar.requests.history import happen
from tayyar.requests.models import RequestState, ServiceRequest, Via
from tayyar.requests.papers import clean_papers, keep_papers
from tayyar.requests.sealed import open_form, seal_form
from tayyar.requests.telling import local_day, tell

MOST_OPEN = 20  # of one person, of all types
MOST_A_DAY = 20  # opened by one person in 24 hours, however they ended: each may send a message


def open_request(
    *,
    type_code: str,
    person: Person | None,
    account_id: int | None,
    form: Mapping[str, Any],
    documents: Sequence[Upload] = (),
    via: Via,
    language: Language,
    once_key: str | None,
    now: dt.datetime,
    actor: str | None = None,
) -> ServiceRequest:
    """A new request at its first step, or the one that the same `once_key` opened before.

    `actor` is who typed it, by default the person. FormRefused, UploadRefused and RequestRefused (TOO_MANY, NOT_YOURS,
    OTHER_FORM, DOCUMENTS, DOCUMENT_KIND, DOCUMENT_MISSING) say what is in the way; UserError for an unknown type.
    """
    kind = request_type(type_code)
    handler = registry.handler_of(type_code)
    values = check_form(kind, form)
    if known := _known(person, account_id, once_key, type_code, values):
        return known
    papers = clean_papers(kind, documents)
    for required in kind.documents:
        if required.is_required and not any(name == required.code for name, _, _ in papers):
            raise RequestRefused("DOCUMENT_MISSING", f"This request needs a paper: {required.names['en']}.")
    actor = actor or (f"person:{person.pk}" if person else "system")
    with transaction.atomic():
        _lock(person, account_id)
        if known := _known(person, account_id, once_key, type_code, values):
            return known
        _check_holder(kind, person, account_id, now)
        if via is not Via.FILE:
            _check_limits(kind, person, account_id, now)
        profile = installed_profile()
        request = ServiceRequest.objects.create(
            reference=next_reference("R"),
            type=type_code,
            step=kind.steps[0].code,
            state=RequestState.OPEN,
            person=person,
            account_id=account_id,
            via=via,
            language=language,
            form_sealed=seal_form(values),
            opened_at=now,
            due_on=rules.due_on(local_day(now, profile), kind.working_days, profile.calendar),
            once_key=_stored_key(once_key),
        )
        happen(request, "OPENED", actor=actor, now=now, type=type_code, account=account_id, via=via.value)
        keep_papers(request, papers, actor=actor, now=now)
        if handler is not None:
            handler.opened(request=request, form=values, now=now)
            request.refresh_from_db()
        if request.ended_at is None:
            tell(request, "OPENED", now=now)
    return request


def _stored_key(once_key: str | None) -> str | None:
    """What a page or program chose as its key, in the column's length."""
    return None if once_key is None else lookup_hash(once_key, field="requests.request.once_key").hex()


def _known(
    person: Person | None, account_id: int | None, once_key: str | None, type_code: str, values: Form
) -> ServiceRequest | None:
    """The request that this form opened before. RequestRefused OTHER_FORM when its key opened something else."""
    if once_key is None:
        return None
    found = ServiceRequest.objects.filter(person=person, once_key=_stored_key(once_key))
    if person is None:
        found = found.filter(account_id=account_id)
    known = found.first()
    if known is None:
        return None
    if (known.type, known.account_id, open_form(known.form_sealed)) != (type_code, account_id, values):
        raise RequestRefused(
            "OTHER_FORM", f"This form was sent already as {known.reference}. Open a new form for another."
        )
    return known


def _lock(person: Person | None, account_id: int | None) -> None:
    """Whoever asks twice at once asks one after the other."""
    if person is not None:
        Person.objects.select_for_update(of=("self",)).get(pk=person.pk)
    elif account_id is not None:
        CustomerAccount.objects.select_for_update().get(id=account_id)


def _check_holder(kind: RequestType, person: Person | None, account_id: int | None, now: dt.datetime) -> None:
    if kind.opened_by != "HOLDER":
        return
    today = local_day(now, installed_profile())
    is_theirs = account_id is not None and (
        person is None or registry.may_open_for(person, account_id, today)
    )
    if not is_theirs:
        raise RequestRefused(
            "NOT_YOURS", "This request is for the holder of an account. Choose your account."
        )


def _check_limits(kind: RequestType, person: Person | None, account_id: int | None, now: dt.datetime) -> None:
    whose = {"person": person} if person else {"person": None, "account_id": account_id}
    asked = ServiceRequest.objects.filter(**whose).exclude(via=Via.FILE)
    still_open = asked.filter(ended_at=None)
    if (
        still_open.filter(type=kind.code).count() >= kind.most_open
        or still_open.count() >= MOST_OPEN
        or asked.filter(opened_at__gt=now - dt.timedelta(days=1)).count() >= MOST_A_DAY
    ):
        raise RequestRefused(
            "TOO_MANY", "Too many requests are open already. Wait for an answer, or withdraw one of them."
        )
