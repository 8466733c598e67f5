"""Claims: the books' own people at once, others by papers; what may be shown, budgets, days, businesses, files."""

import datetime as dt
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook
from procrastinate.contrib.django.models import ProcrastinateJob
from tests.scenarios.cast import (
    HUDA,
    NASSER,
    SALMA,
    account_id,
    bill,
    day,
    noon,
    read,
    saudi,
    settle,
    the_bill,
)
from tests.scenarios.claim_cast import (
    OWNER,
    STAFF,
    TENANT,
    claim,
    claim_own,
    decide,
    member,
    paper,
    person,
    stranger,
)

from tayyar.claims import bulk, queries, services, tasks
from tayyar.claims.bulk import Outcome
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Beneficiary, Claim, ClaimAttempt, ClaimState, Evidence, Holding
from tayyar.core import clock
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import ContactPoint, Customer, CustomerAccount, Language
from tayyar.identity.models import MemberRole, Person, TermsAcceptance
from tayyar.requests import services as requests
from tayyar.requests.errors import FormRefused
from tayyar.requests.models import ServiceRequest, Via

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books")]
NOW = noon("2026-11-22")
TODAY = day("2026-11-22")
SALMAS, UNKNOWN = account_id(SALMA), 100_999_999
BUSINESS = 5000


def refusal(who: Person, account: int, now: dt.datetime = NOW, **other: object) -> tuple[str, str]:
    """Why a claim is refused, with all that it says."""
    with pytest.raises(ClaimRefused) as refused:
        claim(who, account, now, **other)
    return refused.value.reason, str(refused.value)


def business_with(*members: tuple[Person, MemberRole], accounts: int = 3) -> list[int]:
    """A business with these members; its account ids."""
    Customer.objects.create(id=BUSINESS, kind="BUSINESS", name="مخابز النور")
    for who, role in members:
        member(who, BUSINESS, role, NOW)
    ids = [200_000_000 + n for n in range(accounts)]
    CustomerAccount.objects.bulk_create(
        CustomerAccount(id=n, customer_id=BUSINESS, opened_on=day("2024-01-01")) for n in ids
    )
    return ids


# ------------------------------------------------------------------------------------ theirs in the books


def test_who_has_the_account_in_the_books_holds_it_at_once() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    made = claim_own(salma, SALMA, NOW)
    assert (made.state, made.evidence) == (ClaimState.APPROVED, Evidence.AUTHORITY)
    held = queries.held(salma, SALMAS, today=TODAY)
    assert held is not None
    assert (held.role, held.start_date, held.may_pay, held.may_manage) == (
        "OWNER",
        day("2025-01-01"),
        True,
        True,
    )


def test_another_record_of_the_same_identity_is_joined_and_the_number_stays() -> None:
    settle(SALMA, start=day("2025-01-01"))
    again = stranger(NOW, name="سلمى العتيبي")
    Customer.objects.filter(id=SALMA).update(national_id_hash=again.id_hash)
    made = claim_own(again, SALMA, NOW)
    assert made.state == ClaimState.APPROVED
    assert CustomerAccount.objects.get(id=SALMAS).customer_id == again.customer_id
    assert CustomerAccount.objects.count() == 1


def test_the_reference_of_a_claim_is_its_request_and_the_terms_are_kept() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    made = claim_own(salma, SALMA, NOW)
    assert (made.request.type, made.request.state) == ("ACCOUNT_CLAIM", "APPROVED")
    kept = TermsAcceptance.objects.get(person=salma, terms="CLAIM")
    assert (kept.version, kept.accepted_at) == (saudi().terms_version, NOW)


def test_old_terms_are_refused() -> None:
    settle(SALMA, start=day("2025-01-01"))
    assert refusal(person(SALMA, NOW), SALMAS, terms_version="1999-01")[0] == "TERMS"


def test_the_same_form_twice_is_one_claim() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    first = claim_own(salma, SALMA, NOW, once_key="form")
    assert claim_own(salma, SALMA, NOW, once_key="form") == first
    assert refusal(salma, SALMAS, role=OWNER, documents=())[0] == "HELD"


def test_who_declares_to_use_the_supply_is_its_beneficiary() -> None:
    settle(SALMA, start=day("2025-01-01"))
    claim_own(person(SALMA, NOW), SALMA, NOW)
    assert [(b.customer_id, b.start_date, b.end_date) for b in Beneficiary.objects.all()] == [
        (SALMA, TODAY, None)
    ]


def test_bills_go_to_the_claimants_own_mobile() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    claim_own(salma, SALMA, NOW)
    point = ContactPoint.objects.get(account_id=SALMAS)
    assert bytes(point.address_hash) == bytes(salma.mobile.address_hash)
    assert point.verified_at is not None


def test_an_account_of_theirs_is_offered_until_it_is_claimed() -> None:
    settle(SALMA, start=day("2025-01-01"))
    settle(NASSER, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    offers = queries.offered_to(salma, today=TODAY)
    assert [(offer.account.pk, offer.customer_id) for offer in offers] == [(SALMAS, SALMA)]
    claim_own(salma, SALMA, NOW)
    assert queries.offered_to(salma, today=TODAY) == []


# ----------------------------------------------------------------------------------- not theirs, or unknown


def test_without_a_paper_a_foreign_account_answers_like_one_that_does_not_exist() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    answers = {refusal(laila, number, documents=()) for number in (SALMAS, UNKNOWN)}
    assert len(answers) == 1
    assert answers.pop()[0] == "EVIDENCE"


def test_no_first_day_tells_a_foreign_account_from_an_unknown_one() -> None:
    settle(SALMA, start=day("2026-06-15"))
    read(SALMA, day("2026-09-14"), 1900)
    bill("2026-09")
    laila, now = stranger(NOW), noon("2026-10-05")
    for start in ("2026-08-31", "2026-09-01", "2026-12-04", "2026-12-05"):
        answers = {
            refusal(laila, number, now, start_date=day(start), documents=()) for number in (SALMAS, UNKNOWN)
        }
        assert len(answers) == 1, start


def test_with_a_paper_an_unknown_account_is_said_to_be_unknown() -> None:
    assert refusal(stranger(NOW), UNKNOWN)[0] == "UNKNOWN"


def test_nobodys_word_makes_a_claim_confirmed_by_the_authority() -> None:
    settle(SALMA, start=day("2025-01-01"))
    made = claim(stranger(NOW), SALMAS, NOW, evidence=Evidence.AUTHORITY)
    assert (made.evidence, made.state) == (Evidence.LEASE, ClaimState.DISPUTED)


def test_a_disputed_claim_shows_nothing_of_the_account() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    claim(laila, SALMAS, NOW)
    assert queries.accounts_of(laila, today=TODAY) == []
    assert queries.held(laila, SALMAS, today=TODAY) is None
    assert not Holding.objects.exists()


def test_after_twenty_numbers_of_others_a_person_waits_until_tomorrow() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    for number in range(20):
        assert refusal(laila, UNKNOWN - number, documents=())[0] == "EVIDENCE"
    assert refusal(laila, UNKNOWN, documents=())[0] == "EVIDENCE"  # asked about before: costs nothing
    for number in (SALMAS, UNKNOWN - 20):
        assert refusal(laila, number, documents=())[0] == "BUDGET"
        with pytest.raises(ClaimRefused):
            services.preview(person=laila, account_id=number, now=NOW)
    tomorrow = NOW + dt.timedelta(days=1)
    assert services.clear_attempts(now=tomorrow) == 20
    assert refusal(laila, SALMAS, tomorrow, documents=())[0] == "EVIDENCE"


def test_the_budget_is_not_spent_on_ones_own_accounts() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    services.preview(person=salma, account_id=SALMAS, now=NOW)
    claim_own(salma, SALMA, NOW)
    assert not ClaimAttempt.objects.exists()


def test_a_preview_of_a_foreign_account_is_that_of_an_unknown_one() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    foreign = services.preview(person=laila, account_id=SALMAS, now=NOW)
    unknown = services.preview(person=laila, account_id=UNKNOWN, now=NOW)
    assert (foreign.address, foreign.holder_initials, foreign.category, foreign.balance_minor) == (
        unknown.address,
        unknown.holder_initials,
        unknown.category,
        unknown.balance_minor,
    )
    assert foreign.balance_minor is None and foreign.address == ""


def test_a_bill_that_was_opened_shows_initials_and_a_masked_address_but_no_balance() -> None:
    settle(SALMA, start=day("2026-08-15"))
    settle(NASSER, start=day("2026-08-15"))
    for who in (SALMA, NASSER):
        read(who, day("2026-09-14"), 1900)
    bill("2026-09")
    laila, number = stranger(NOW), the_bill(SALMA, "2026-09").number
    shown = services.preview(person=laila, account_id=SALMAS, now=NOW, bill_number=number)
    assert (shown.holder_initials, shown.address, shown.balance_minor) == ("س. ا.", "ش••• ا••• •••", None)
    other = services.preview(person=laila, account_id=account_id(NASSER), now=NOW, bill_number=number)
    assert other.address == ""


def test_ones_own_preview_shows_what_is_owed() -> None:
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)
    bill("2026-09")
    shown = services.preview(person=person(SALMA, NOW), account_id=SALMAS, now=NOW)
    # 900 kWh x 0.18 = 162.00; fee 10.00; VAT 25.80; total 197.80
    assert (shown.is_own, shown.balance_minor, shown.category) == (True, 19780, "RESIDENTIAL")


def test_liability_begins_with_the_current_bills_period_at_the_earliest_and_60_days_ahead_at_the_latest() -> (
    None
):
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)
    bill("2026-09")
    laila, now = stranger(NOW), noon("2026-10-05")
    assert refusal(laila, SALMAS, now, start_date=day("2026-08-31"))[0] == "START_EARLY"
    assert refusal(laila, SALMAS, now, start_date=day("2026-12-05"))[0] == "START_LATE"
    assert claim(laila, SALMAS, now, start_date=day("2026-12-04")).state == ClaimState.DISPUTED
    assert claim(stranger(NOW), SALMAS, now, start_date=day("2026-09-01")).state == ClaimState.DISPUTED


def test_a_second_claim_while_one_is_under_way_is_refused() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    claim(laila, SALMAS, NOW)
    assert refusal(laila, SALMAS)[0] == "OPEN"


# ------------------------------------------------------------------------------------ clerks, transfers


def test_a_clerk_who_checked_papers_hands_over_a_vacant_place_at_once() -> None:
    settle(SALMA, start=day("2026-08-15"), end=day("2026-11-01"))
    made = claim(
        stranger(NOW), SALMAS, NOW, evidence=Evidence.CLERK, clerk=STAFF, documents=(), via=Via.BRANCH
    )
    assert (made.state, made.holding is not None) == (ClaimState.APPROVED, True)


def test_a_clerk_cannot_hand_over_somebodys_home_at_once() -> None:
    settle(SALMA, start=day("2026-08-15"))
    made = claim(
        stranger(NOW), SALMAS, NOW, evidence=Evidence.CLERK, clerk=STAFF, documents=(), via=Via.BRANCH
    )
    assert made.state == ClaimState.DISPUTED


def test_a_person_at_home_is_no_clerk() -> None:
    settle(SALMA, start=day("2025-01-01"))
    assert refusal(stranger(NOW), SALMAS, evidence=Evidence.CLERK)[0] == "CLERK"
    assert refusal(stranger(NOW), SALMAS, evidence=Evidence.CLERK, clerk=STAFF, via=Via.WEB)[0] == "CLERK"


def open_transfer(who: Person, **form: object) -> ServiceRequest:
    asked = {"role": "TENANT", "start_date": TODAY, "is_beneficiary": True}
    return requests.open_request(
        type_code="TRANSFER", person=who, account_id=SALMAS, form=asked | form, documents=[paper()],
        via=Via.APP, language=Language.ar, once_key="t", now=NOW,
    )  # fmt: skip


def test_a_transfer_is_a_claim_by_papers_and_needs_the_terms_too() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    with pytest.raises(ClaimRefused) as refused:
        open_transfer(laila)
    assert refused.value.reason == "TERMS"
    TermsAcceptance.objects.create(
        person=laila, terms="CLAIM", version=saudi().terms_version, accepted_at=NOW
    )
    with pytest.raises(FormRefused) as wrong:
        open_transfer(laila, start_date=day("2020-01-01"))
    assert wrong.value.errors == {"start_date": "START_EARLY"}
    made = Claim.objects.get(request=open_transfer(laila))
    assert (made.state, made.evidence) == (ClaimState.DISPUTED, Evidence.LEASE)


def test_a_refused_claim_may_be_made_again() -> None:
    settle(SALMA, start=day("2025-01-01"))
    laila = stranger(NOW)
    assert decide(claim(laila, SALMAS, NOW), NOW, is_approved=False).state == ClaimState.REFUSED
    assert claim(laila, SALMAS, NOW).state == ClaimState.DISPUTED


# ---------------------------------------------------------------------------------------- businesses, files


def test_the_members_of_a_business_see_its_accounts_by_their_roles() -> None:
    admin, payer, viewer, former, invited = (stranger(NOW) for _ in range(5))
    first, *_ = business_with(
        (admin, MemberRole.ADMIN), (payer, MemberRole.PAYER), (viewer, MemberRole.VIEWER)
    )
    member(former, BUSINESS, MemberRole.ADMIN, NOW)
    former.membership_set.update(ended_at=NOW)
    member(invited, BUSINESS, MemberRole.ADMIN, NOW)
    invited.membership_set.update(accepted_at=None)
    claim(admin, first, NOW, customer_id=BUSINESS, role=OWNER, evidence=Evidence.AUTHORITY, documents=())
    rights = {}
    for name, who in (("admin", admin), ("payer", payer), ("viewer", viewer)):
        (held,) = queries.accounts_of(who, today=TODAY)
        rights[name] = (held.member_role, held.may_pay, held.may_manage)
    assert rights == {
        "admin": ("ADMIN", True, True),
        "payer": ("PAYER", True, False),
        "viewer": ("VIEWER", False, False),
    }
    assert queries.accounts_of(former, today=TODAY) == queries.accounts_of(invited, today=TODAY) == []


def test_only_an_admin_claims_for_a_business() -> None:
    payer = stranger(NOW)
    first, *_ = business_with((payer, MemberRole.PAYER))
    assert refusal(payer, first, customer_id=BUSINESS)[0] == "NOT_YOURS"
    assert refusal(stranger(NOW), first, customer_id=BUSINESS)[0] == "NOT_YOURS"


def test_four_hundred_accounts_are_one_indexed_query() -> None:
    admin = stranger(NOW)
    ids = business_with((admin, MemberRole.ADMIN), accounts=400)
    Holding.objects.bulk_create(
        Holding(account_id=n, customer_id=BUSINESS, role=OWNER, start_date=TODAY, created_at=NOW) for n in ids
    )
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert len(queries.accounts_of(admin, today=TODAY)) == 400
        assert queries.held(admin, ids[7], today=TODAY) is not None
        assert queries.held(admin, UNKNOWN, today=TODAY) is None
        assert queries.offered_to(admin, today=TODAY) == []
    assert len(asked) == 4
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            for query in asked.captured_queries[:3]:
                cursor.execute("EXPLAIN " + query["sql"])
                plan = "\n".join(row[0] for row in cursor.fetchall())
                assert "Seq Scan" not in plan, plan
        finally:
            cursor.execute("SET enable_seqscan = on")


def file_of(*rows: str, heading: str = "account_number,role,start_date,is_beneficiary") -> bytes:
    return "\n".join([heading, *rows]).encode()


def send(who: Person, data: bytes, name: str = "accounts.csv", now: dt.datetime = NOW) -> bulk.BulkResult:
    return bulk.claim_file(
        person=who, customer_id=BUSINESS, name=name, data=data, terms_version=saudi().terms_version,
        language=Language.ar, now=now,
    )  # fmt: skip


def test_a_file_claims_each_row_by_itself() -> None:
    settle(SALMA, start=day("2025-01-01"))
    admin = stranger(NOW)
    first, second, third = (with_check(n) for n in business_with((admin, MemberRole.ADMIN)))
    result = send(
        admin,
        file_of(
            f"{first},OWNER,2026-11-22,yes",
            f"{second},,,",
            f"{second},,,",
            f"{with_check(SALMAS)},TENANT,,",
            f"{with_check(UNKNOWN)},TENANT,,",
            f"{third + 1},OWNER,,",
            f"{third},LODGER,,",
            f"{third},OWNER,22/11/2026,",
            f"{third},OWNER,2020-01-01,",
            "",
        ),
    )
    assert [(row.line, row.outcome, row.reason) for row in result.rows] == [
        (2, Outcome.CLAIMED, ""),
        (3, Outcome.CLAIMED, ""),
        (4, Outcome.ALREADY, ""),
        (5, Outcome.EVIDENCE, ""),
        (6, Outcome.EVIDENCE, ""),
        (7, Outcome.INVALID, "NUMBER"),
        (8, Outcome.INVALID, "ROLE"),
        (9, Outcome.INVALID, "DATE"),
        (10, Outcome.INVALID, "START_EARLY"),
    ]
    assert result.rows[0].reference.startswith("R-")
    assert len(queries.accounts_of(admin, today=TODAY)) == 2
    assert not ClaimAttempt.objects.exists()


def test_a_file_that_is_sent_twice_changes_nothing_more() -> None:
    admin = stranger(NOW)
    rows = [f"{with_check(n)},,," for n in business_with((admin, MemberRole.ADMIN))]
    assert send(admin, file_of(*rows)).counts == {Outcome.CLAIMED: 3}
    assert send(admin, file_of(*rows)).counts == {Outcome.ALREADY: 3}
    assert (Holding.objects.count(), ServiceRequest.objects.count()) == (3, 3)


def test_a_spreadsheet_is_read_like_a_table_of_commas() -> None:
    admin = stranger(NOW)
    first, second, _ = (with_check(n) for n in business_with((admin, MemberRole.ADMIN)))
    book, held = Workbook(), io.BytesIO()
    book.active.append(["account_number", "role", "start_date", "is_beneficiary"])
    book.active.append([first, "TENANT", dt.datetime(2026, 11, 22), True])
    book.active.append([float(second), None, None, None])
    book.save(held)
    result = send(admin, held.getvalue(), name="accounts.xlsx")
    assert result.counts == {Outcome.CLAIMED: 2}
    assert Holding.objects.get(account_id=first // 100).role == TENANT
    assert Beneficiary.objects.get().account_id == first // 100


def test_a_file_is_taken_once_and_worked_through_in_the_background() -> None:
    admin = stranger(NOW)
    rows = [f"{with_check(n)},,," for n in business_with((admin, MemberRole.ADMIN))]
    asked = {
        "person": admin, "customer_id": BUSINESS, "name": "a.csv", "data": file_of(*rows),
        "terms_version": saudi().terms_version, "language": Language.ar, "now": NOW,
    }  # fmt: skip
    kept = tasks.submit_file(**asked)
    assert tasks.submit_file(**asked) == kept
    jobs = ProcrastinateJob.objects.filter(task_name="claim_file")
    assert [job.args for job in jobs] == [{"file_id": kept.pk}]
    assert (kept.rows, bulk.results_of(kept).rows, Holding.objects.count()) == (3, [], 0)
    with clock.at(NOW):
        tasks.claim_file(kept.pk)
        tasks.claim_file(kept.pk)
    (done,) = queries.files_of(admin)
    assert bulk.results_of(done).counts == {Outcome.CLAIMED: 3}
    assert (done.done_at, done.content_sealed, Holding.objects.count()) == (NOW, None, 3)
    assert list(queries.files_of(stranger(NOW))) == []


def test_a_file_of_an_admin_who_is_none_any_more_claims_nothing() -> None:
    admin = stranger(NOW)
    rows = [f"{with_check(n)},,," for n in business_with((admin, MemberRole.ADMIN))]
    kept = tasks.submit_file(
        person=admin, customer_id=BUSINESS, name="a.csv", data=file_of(*rows),
        terms_version=saudi().terms_version, language=Language.ar, now=NOW,
    )  # fmt: skip
    admin.membership_set.update(ended_at=NOW)
    with clock.at(NOW):
        tasks.claim_file(kept.pk)
    assert not Holding.objects.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"account_number\n",
        b"number,role\n1,OWNER\n",
        b"\xff\xfe\x00binary",
        b"PK\x03\x04 no archive",
        file_of(*["1,,,"] * 2001),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_whole(data: bytes) -> None:
    admin = stranger(NOW)
    business_with((admin, MemberRole.ADMIN))
    with pytest.raises(ClaimRefused) as refused:
        send(admin, data)
    assert refused.value.reason == "FILE"


# -------------------------------------------------------------------------------------------- what is seen


def test_a_holding_that_ended_on_an_account_in_anothers_name_shows_its_own_time_only() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, NOW)
    claim_own(salma, SALMA, NOW)
    Holding.objects.update(end_date=day("2026-10-10"))
    CustomerAccount.objects.filter(id=SALMAS).update(customer=stranger(NOW).customer)
    held = queries.held(salma, SALMAS, today=TODAY)
    assert held is not None
    assert (held.may_pay, held.may_manage) == (False, False)
    assert held.sees(Period(2026, 10)) and not held.sees(Period(2026, 11))
    assert held.sees_days(day("2026-09-10"), day("2026-10-10"))
    assert not held.sees_days(day("2026-09-14"), day("2026-10-14"))


def test_a_nickname_and_a_budget_are_the_holders_own() -> None:
    settle(SALMA, start=day("2025-01-01"))
    settle(HUDA, start=day("2025-01-01"))
    salma, huda = person(SALMA, NOW), person(HUDA, NOW)
    mine, other = claim_own(salma, SALMA, NOW).holding, claim_own(huda, HUDA, NOW).holding
    services.describe_holding(
        person=salma, holding_id=mine.pk, nickname="  بيت  أمي ", budget_minor=30000, now=NOW
    )
    held = queries.held(salma, SALMAS, today=TODAY)
    assert held is not None and (held.nickname, held.budget_minor) == ("بيت أمي", 30000)
    for holding_id in (other.pk, 10**9):
        with pytest.raises(ClaimRefused) as refused:
            services.describe_holding(
                person=salma, holding_id=holding_id, nickname="x", budget_minor=None, now=NOW
            )
        assert refused.value.reason == "NOT_YOURS"


def test_no_number_however_large_is_an_error_instead_of_not_there() -> None:
    laila = stranger(NOW)
    for number in (-1, 0, 2**63, 10**30):
        assert queries.held(laila, number, today=TODAY) is None
