"""A claim against somebody who holds the account: they are asked, may object or give way, and have a last day to.

Nothing changes hands here: silence brings the claim to the staff, marked so, and never a home to somebody else.
Next: staff decide the claim or the objection (handlers.py), transfers.py carries out.
"""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from tayyar.claims import notices, queries
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Answer, Claim, ClaimState
from tayyar.claims.rules import ANSWER_WORKING_DAYS
from tayyar.claims.standing import heard
from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.customers.models import CustomerAccount, Language
from tayyar.identity.models import Person
from tayyar.notifications.people import local_zone
from tayyar.profiles.installation import installed_profile
from tayyar.requests import services as requests
from tayyar.requests.documents import Upload
from tayyar.requests.models import ServiceRequest, Via
from tayyar.requests.rules import due_on
from tayyar.requests.sealed import open_form

DISPUTE = "CLAIM_DISPUTE"


def ask_holder(claim: Claim, account_id: int, *, today: dt.date, now: dt.datetime) -> None:
    """The claim waits for the holder of `account_id`, who is told with a link to object."""
    profile = installed_profile()
    days = answer_days()
    claim.state, claim.answer_until = ClaimState.DISPUTED, due_on(today, days, profile.calendar)
    claim.save(update_fields=["state", "answer_until"])
    requests.move_on(request_id=claim.request_id, step="HOLDER", actor="system", now=now)
    told = notices.tell_contested(claim, account_id, now=now)
    if told is None:
        requests.note(
            request_id=claim.request_id,
            text="The present holder wants no such messages. Call or write before you decide.",
            actor="system",
            now=now,
        )


def answer_days() -> int:
    """Working days that the present holder has. UserError when the profile's number is none."""
    days = installed_profile().consumer_rules.get("claim_answer_working_days", ANSWER_WORKING_DAYS)
    if not isinstance(days, int) or days < 1:
        raise UserError(f"consumer_rules.claim_answer_working_days is a number of days, not {days!r}.")
    return days


def object_to(
    *,
    claim_id: int,
    person: Person | None,
    text: str,
    documents: Sequence[Upload] = (),
    via: Via = Via.WEB,
    now: dt.datetime,
    actor: str | None = None,
) -> ServiceRequest:
    """The present holder objects, with a reference of their own. Without `person`: by the link, or a clerk for them.

    The same text again is the same objection. ClaimRefused NOT_OPEN alike for an unknown claim, another's, and one that
    cannot be answered any more; refusals of requests for text and papers.
    """
    claim = _answerable(claim_id, person, now)
    account_id = heard(claim)
    assert account_id is not None
    language = person.language if person else CustomerAccount.objects.get(id=account_id).language
    return requests.open_request(
        type_code=DISPUTE,
        person=person,
        account_id=account_id,
        form={"claim_reference": claim.request.reference, "text": text},
        documents=documents,
        via=via,
        language=Language(language),
        once_key=f"objection:{claim_id}",
        now=now,
        actor=actor or (None if person else "link"),
    )


@transaction.atomic
def give_way(*, claim_id: int, person: Person | None, now: dt.datetime, actor: str | None = None) -> Claim:
    """The present holder agrees. Staff still look at the papers before anything changes. ClaimRefused NOT_OPEN.

    An objection is taken back by the holder who is signed in, not by the link.
    """
    claim = _answerable(claim_id, person, now)
    if claim.answer == Answer.OBJECTED and person is None:
        raise _closed()
    _answer(claim, Answer.GAVE_WAY, actor or (f"person:{person.pk}" if person else "link"), now)
    return claim


@transaction.atomic
def objected(*, request: ServiceRequest, claim_reference: str, now: dt.datetime) -> None:
    """An objection was opened: the claim knows it. ClaimRefused NOT_OPEN as `object_to`."""
    found = Claim.objects.filter(request__reference=claim_reference).first()
    claim = _answerable(found.pk if found else 0, request.person, now)
    if request.account_id != heard(claim):
        raise _closed()
    actor = f"person:{request.person_id}" if request.person_id else "link"
    _answer(claim, Answer.OBJECTED, actor, now)


@transaction.atomic
def decide_objection(*, claim_reference: str, is_upheld: bool, now: dt.datetime) -> None:
    """Staff decided an objection: upheld, the claim is refused; else the claim waits for its own decision."""
    claim = Claim.objects.select_related("request").get(request__reference=claim_reference)
    if claim.ended_at is not None:
        return
    if is_upheld:
        language = Language(claim.request.language).name
        requests.decide(
            request_id=claim.request_id,
            is_approved=False,
            text=notices.WORDS[language]["objection_upheld"],
            actor="system",
            now=now,
        )
    else:
        requests.note(request_id=claim.request_id, text="The objection was refused.", actor="system", now=now)


def settle(claim: Claim, *, is_upheld: bool, now: dt.datetime) -> None:
    """The claim ended: objections to it that are still open end with it."""
    account_id = heard(claim)
    if account_id is None:
        return
    still_open = ServiceRequest.objects.filter(account_id=account_id, type=DISPUTE, ended_at=None)
    for request in still_open:
        if open_form(request.form_sealed).get("claim_reference") != claim.request.reference:
            continue
        words = notices.WORDS[Language(request.language).name]
        requests.decide(
            request_id=request.pk,
            is_approved=is_upheld,
            text=words["claim_ended" if is_upheld else "objection_refused"],
            actor="system",
            now=now,
        )


def expire_disputes(*, now: dt.datetime) -> int:
    """Claims whose present holder let the last day pass: to the staff, marked SILENT. Returns how many."""
    today = now.astimezone(local_zone()).date()
    late = Claim.objects.filter(state=ClaimState.DISPUTED, answer="", answer_until__lt=today)
    done = 0
    for claim_id in late.order_by("answer_until", "id").values_list("id", flat=True):
        with transaction.atomic():
            claim = Claim.objects.select_for_update().get(id=claim_id)
            if claim.state == ClaimState.DISPUTED and not claim.answer:
                _answer(claim, Answer.SILENT, "system", now)
                done += 1
    return done


def _answerable(claim_id: int, person: Person | None, now: dt.datetime) -> Claim:
    today = now.astimezone(local_zone()).date()
    if person is not None and claim_id not in {c.claim_id for c in queries.contests_of(person, today=today)}:
        raise _closed()
    with transaction.atomic():
        claim = Claim.objects.select_for_update(of=("self",)).select_related("request").filter(id=claim_id)
        found = claim.first()
    if (
        found is None
        or found.state != ClaimState.DISPUTED
        or found.answer_until is None
        or found.answer_until < today
    ):
        raise _closed()
    return found


def _answer(claim: Claim, answer: Answer, actor: str, now: dt.datetime) -> None:
    claim.answer = answer
    claim.save(update_fields=["answer"])
    requests.move_on(request_id=claim.request_id, step="DECISION", actor="system", now=now)
    notes = {
        Answer.OBJECTED: "The present holder objects. Their request holds the reasons and papers.",
        Answer.GAVE_WAY: "The present holder gives way.",
        Answer.SILENT: "The present holder did not answer by the last day. Call or visit before you decide.",
    }
    requests.note(request_id=claim.request_id, text=notes[answer], actor="system", now=now)
    audit.record(
        actor=actor,
        action=f"CLAIM_{answer}",
        subject=f"account:{heard(claim)}",
        now=now,
        claim=claim.pk,
    )


def _closed() -> ClaimRefused:
    return ClaimRefused("NOT_OPEN", "This claim cannot be answered any more.")
