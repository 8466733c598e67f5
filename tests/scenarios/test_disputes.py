"""Disputes: who holds an account is asked, in time; silence is no consent, and neither side learns who the other is."""

import re

import pytest
from django.conf import settings
from tests.scenarios.cast import SALMA, account_id, day, noon, read, settle
from tests.scenarios.claim_cast import (
    OWNER,
    STAFF,
    claim,
    claim_own,
    decide,
    own_point,
    paper,
    person,
    said_to,
    stranger,
)

from tayyar.claims import queries, services
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Answer, Claim, ClaimState, Holding
from tayyar.core.links import open_claim_token
from tayyar.core.models import AuditEntry
from tayyar.customers.models import ContactPoint, OptOut
from tayyar.notifications.kinds import MessageKind
from tayyar.requests import services as requests
from tayyar.requests.errors import RequestRefused
from tayyar.requests.models import RequestState, ServiceRequest
from tayyar.requests.queries import form_of, history_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books")]
NOW = noon("2026-11-22")  # a Sunday: the week begins
LAST = noon("2026-11-29")  # five working days later: Monday to Thursday, then Sunday
LATE = noon("2026-11-30")
SALMAS = account_id(SALMA)


def home_of_salma(*, with_phone: bool = True) -> None:
    settle(SALMA, start=day("2026-11-01"))
    if with_phone:
        point = own_point("+966500000777", NOW)
        ContactPoint.objects.filter(id=point.pk).update(account=SALMAS)


def link_of(text: str) -> str:
    found = re.search(rf"{re.escape(settings.SITE_URL)}/c/([A-Za-z0-9_-]+)", text)
    assert found is not None
    return found[1]


def test_the_present_holder_is_told_with_a_link_that_opens_this_claim_alone() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    (told,) = said_to(account_id=SALMAS)
    assert open_claim_token(link_of(told), today=day("2026-11-25")) == made.pk
    found = queries.contest(made.pk, today=day("2026-11-25"))
    assert found is not None
    assert (found.reference, found.answer_until) == (made.request.reference, LAST.date())


def test_neither_side_learns_who_the_other_is() -> None:
    home_of_salma()
    laila = stranger(NOW, name="ليلى الحربي")
    made = claim(laila, SALMAS, NOW)
    services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW)
    to_holder = "".join(said_to(account_id=SALMAS))
    to_claimant = "".join(said_to(contact_point_id=laila.mobile_id))
    assert to_holder and to_claimant
    assert "ليلى" not in to_holder and "سلمى" not in to_claimant
    assert "سلمى" not in repr(queries.contest(made.pk, today=NOW.date()))


def test_an_objection_has_its_own_reference_text_and_papers() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    objection = services.object_to(
        claim_id=made.pk, person=None, text="هذا بيتي منذ 2019.", documents=[paper("DEED")], now=NOW
    )
    assert objection.reference != made.request.reference
    assert form_of(objection)["text"] == "هذا بيتي منذ 2019."
    assert objection.documents.count() == 1
    assert Claim.objects.get(id=made.pk).answer == Answer.OBJECTED
    made.request.refresh_from_db()
    assert made.request.step == "DECISION"


def test_the_same_objection_twice_is_one() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    first = services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW)
    assert services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW) == first
    with pytest.raises(RequestRefused) as refused:
        services.object_to(claim_id=made.pk, person=None, text="شيء آخر.", now=NOW)
    assert refused.value.reason == "OTHER_FORM"


def test_an_objection_that_is_upheld_refuses_the_claim() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    objection = services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW)
    requests.decide(request_id=objection.pk, is_approved=True, text="", actor=STAFF, now=NOW)
    made.refresh_from_db()
    made.request.refresh_from_db()
    assert (made.state, made.request.state) == (ClaimState.REFUSED, RequestState.REFUSED)
    assert not Holding.objects.exists()


def test_an_objection_that_is_refused_leaves_the_claim_to_a_decision_of_its_own() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    objection = services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW)
    requests.decide(request_id=objection.pk, is_approved=False, text="عقده صحيح.", actor=STAFF, now=NOW)
    made.refresh_from_db()
    assert made.state == ClaimState.DISPUTED
    assert not Holding.objects.exists()


def test_a_decided_claim_ends_the_objections_to_it() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    objection = services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW)
    decide(made, NOW, is_approved=False)
    objection.refresh_from_db()
    assert objection.state == RequestState.APPROVED


def test_staff_cannot_approve_before_the_holder_had_the_time_to_answer() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    with pytest.raises(ClaimRefused) as refused:
        decide(made, LAST)
    assert refused.value.reason == "NOT_OPEN"
    assert ServiceRequest.objects.get(id=made.request_id).state == RequestState.OPEN
    assert decide(made, LAST, is_approved=False).state == ClaimState.REFUSED


def test_silence_brings_the_claim_to_the_staff_and_hands_nothing_over() -> None:
    home_of_salma()
    laila = stranger(NOW)
    made = claim(laila, SALMAS, NOW)
    assert services.expire_disputes(now=LAST) == 0
    assert services.expire_disputes(now=LATE) == 1
    assert services.expire_disputes(now=LATE) == 0
    made.refresh_from_db()
    made.request.refresh_from_db()
    assert (made.state, made.answer, made.request.step) == (ClaimState.DISPUTED, Answer.SILENT, "DECISION")
    assert queries.accounts_of(laila, today=LATE.date()) == []
    assert any("did not answer" in h.text for h in history_of(made.request, with_internal=True))


def test_after_the_last_day_nobody_can_object_any_more() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    services.object_to(claim_id=made.pk, person=None, text="في اليوم الأخير.", now=LAST)
    other = claim(stranger(NOW), SALMAS, NOW)
    assert queries.contest(other.pk, today=LATE.date()) is None
    with pytest.raises(ClaimRefused) as refused:
        services.object_to(claim_id=other.pk, person=None, text="بعده.", now=LATE)
    assert refused.value.reason == "NOT_OPEN"


def test_a_holder_who_gives_way_still_leaves_the_papers_to_the_staff() -> None:
    home_of_salma()
    salma = person(SALMA, NOW)
    claim_own(salma, SALMA, NOW)
    made = claim(stranger(NOW), SALMAS, NOW)
    services.give_way(claim_id=made.pk, person=salma, now=NOW)
    made.refresh_from_db()
    assert (made.state, made.answer, made.holding) == (ClaimState.DISPUTED, Answer.GAVE_WAY, None)
    read(SALMA, day("2026-11-22"), 1200)
    assert decide(made, NOW).state == ClaimState.APPROVED


def test_a_link_cannot_take_an_objection_back() -> None:
    home_of_salma()
    salma = person(SALMA, NOW)
    claim_own(salma, SALMA, NOW)
    made = claim(stranger(NOW), SALMAS, NOW)
    services.object_to(claim_id=made.pk, person=salma, text="هذا بيتي.", now=NOW)
    with pytest.raises(ClaimRefused):
        services.give_way(claim_id=made.pk, person=None, now=NOW)
    assert Claim.objects.get(id=made.pk).answer == Answer.OBJECTED


def test_nobody_but_the_present_holder_answers_and_the_answer_tells_nothing() -> None:
    home_of_salma()
    salma, laila = person(SALMA, NOW), stranger(NOW)
    claim_own(salma, SALMA, NOW)
    made = claim(laila, SALMAS, NOW)
    refusals = set()
    for who, claim_id in [(laila, made.pk), (stranger(NOW), made.pk), (laila, 10**9)]:
        with pytest.raises(ClaimRefused) as refused:
            services.object_to(claim_id=claim_id, person=who, text="لا.", now=NOW)
        refusals.add((refused.value.reason, str(refused.value)))
    assert len(refusals) == 1
    assert [c.claim_id for c in queries.contests_of(salma, today=NOW.date())] == [made.pk]
    assert queries.contests_of(laila, today=NOW.date()) == []


def test_a_claim_that_is_withdrawn_cannot_be_answered_and_changes_nothing() -> None:
    home_of_salma()
    laila = stranger(NOW)
    made = claim(laila, SALMAS, NOW)
    requests.withdraw(request_id=made.request_id, actor=f"person:{laila.pk}", now=NOW)
    made.refresh_from_db()
    assert (made.state, made.ended_at) == (ClaimState.WITHDRAWN, NOW)
    assert queries.contest(made.pk, today=NOW.date()) is None
    assert claim(laila, SALMAS, NOW).state == ClaimState.DISPUTED  # and may be made again


def test_a_holder_who_wants_no_messages_is_noted_for_the_staff() -> None:
    home_of_salma()
    OptOut.objects.create(account_id=SALMAS, kind=MessageKind.REQUEST_UPDATE, since=NOW)
    made = claim(stranger(NOW), SALMAS, NOW)
    assert said_to(account_id=SALMAS) == []
    assert any("Call or write" in h.text for h in history_of(made.request, with_internal=True))


def test_an_owners_claim_against_an_owner_is_disputed_too() -> None:
    home_of_salma()
    claim_own(person(SALMA, NOW), SALMA, NOW)
    made = claim(stranger(NOW), SALMAS, NOW, role=OWNER)
    assert made.state == ClaimState.DISPUTED
    assert made.against is not None and made.against.account_id == SALMAS


def test_what_happened_to_a_claim_is_audited_without_names() -> None:
    home_of_salma()
    made = claim(stranger(NOW), SALMAS, NOW)
    services.object_to(claim_id=made.pk, person=None, text="هذا بيتي.", now=NOW)
    decide(made, NOW, is_approved=False)
    entries = AuditEntry.objects.filter(subject=f"account:{SALMAS}", action__contains="CLAIM")
    actions = set(entries.values_list("action", flat=True))
    assert {"ACCOUNT_CLAIMED", "CLAIM_OBJECTED", "CLAIM_REFUSED"} <= actions
    assert all("ليلى" not in str(entry.detail) for entry in entries)
