"""Claims: the books' own people at once, others by papers; what may be shown, budgets, days, and what changes hands."""

import datetime as dt

import pytest
from tests.scenarios.cast import NASSER, SALMA, account_id, answer_profile, day, noon, settle
from tests.scenarios.claim_cast import OWNER, claim, claim_own, person, stranger

from tayyar.claims import queries
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Beneficiary, Claim, ClaimState, Evidence, Holding

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books")]
NOW = noon("2026-11-22")
TODAY = day("2026-11-22")


def test_who_has_the_account_in_the_books_holds_it_at_once() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    made = claim_own(salma, SALMA, NOW)
    assert (made.state, made.evidence) == (ClaimState.APPROVED, Evidence.AUTHORITY)
    held = queries.held(salma, account_id(SALMA), today=TODAY)
    assert held is not None
    assert (held.role, held.start_date, held.may_pay, held.may_manage) == (
        "OWNER",
        day("2025-01-01"),
        True,
        True,
    )


def test_the_reference_of_a_claim_is_its_request() -> None:
    settle(SALMA, start=day("2025-01-01"))
    made = claim_own(person(SALMA, NOW), SALMA, NOW)
    assert made.request.reference.startswith("R-")
    assert made.request.state == "APPROVED"


def test_a_tenant_with_a_lease_is_disputed_and_nothing_changes_hands() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    made = claim(laila, account_id(SALMA), NOW)
    assert made.state == ClaimState.DISPUTED
    assert queries.accounts_of(laila, today=TODAY) == []
    assert not Holding.objects.exists()
