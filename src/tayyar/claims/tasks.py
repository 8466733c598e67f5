"""Background work of claims: businesses' files, last days that passed, transfers whose day has come."""

import datetime as dt

from django.db import transaction
from procrastinate.contrib.django import app

from tayyar.claims import bulk, services, transfers
from tayyar.claims.models import ClaimFile
from tayyar.core import clock
from tayyar.customers.models import Language
from tayyar.identity.models import Person


@app.periodic(cron="35 1 * * *")
@app.task(queue="notifications", name="settle_claims", queueing_lock="settle_claims")
def settle_claims(timestamp: int) -> None:
    """Each claim by itself; run twice, it changes nothing more."""
    now = clock.now()
    services.expire_disputes(now=now)
    transfers.carry_out_due(now=now)
    services.clear_attempts(now=now)


@app.task(queue="notifications", name="claim_file")
def claim_file(file_id: int) -> None:
    """Work through a business's file."""
    bulk.work_through(file_id=file_id, now=clock.now())


@transaction.atomic
def submit_file(
    *,
    person: Person,
    customer_id: int,
    name: str,
    data: bytes,
    terms_version: str,
    language: Language,
    now: dt.datetime,
) -> ClaimFile:
    """Take a business's file; a worker works through it. Refusals of the whole file as bulk.claim_file, at once."""
    kept, is_new = bulk.keep_file(
        person=person,
        customer_id=customer_id,
        name=name,
        data=data,
        terms_version=terms_version,
        language=language,
        now=now,
    )
    if is_new:
        claim_file.defer(file_id=kept.pk)
    return kept
