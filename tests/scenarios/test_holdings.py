"""Holdings: the supply passes on under a number of its own; tenants, owners beneath them, and what nobody else sees."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from tests.scenarios.cast import SALMA, account_id, bill, day, noon, read, settle
from tests.scenarios.claim_cast import OWNER, TENANT, claim, claim_own, decide, person, stranger

from tayyar.billing.models import Bill, BillKind, BillRun
from tayyar.billing.services import balance_of
from tayyar.claims import queries, services, transfers
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import Beneficiary, Claim, ClaimState, Holding
from tayyar.core.errors import UserError
from tayyar.core.links import open_preference_token, preference_token
from tayyar.customers import wishes
from tayyar.customers.delegates import invite
from tayyar.customers.models import (
    Agreement,
    Channel,
    ContactPoint,
    CustomerAccount,
    Delegate,
    Language,
    OptOut,
    Preference,
)
from tayyar.identity.models import Person
from tayyar.notifications.models import Message

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books")]
CLAIMED = noon("2026-10-22")
AFTER = noon("2026-11-05")  # five working days and more later: nobody answered
LATER = day("2026-11-05")
SALMAS = account_id(SALMA)


def autumn_of_salma() -> None:
    """Billed to 14 September (900 kWh, 197.80) and to 14 October (800 kWh, 177.10); nothing was paid."""
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)
    bill("2026-09")
    read(SALMA, day("2026-10-14"), 2700)
    bill("2026-10")


def passed_to(who: Person, account: int, start: str, **other: object) -> Claim:
    """Claimed on 22 October; the present holder is silent; staff approve on 5 November."""
    made = claim(who, account, CLAIMED, start_date=day(start), **other)
    services.expire_disputes(now=AFTER)
    return decide(made, AFTER)


def test_a_tenant_gets_a_number_of_their_own_from_their_first_day() -> None:
    autumn_of_salma()
    laila = stranger(CLAIMED)
    made = passed_to(laila, SALMAS, "2026-10-20")
    assert made.holding is not None and made.holding.account_id != SALMAS
    agreement = Agreement.objects.get(account_id=made.holding.account_id)
    assert (agreement.usage_point_id, agreement.start_date, agreement.category) == (
        SALMA,
        day("2026-10-20"),
        1,
    )
    mine = queries.accounts_of(laila, today=LATER)
    assert [(h.account.pk, h.role, h.start_date) for h in mine] == [
        (made.holding.account_id, "TENANT", day("2026-10-20"))
    ]


def test_who_leaves_gets_a_final_bill_to_the_day_before_and_keeps_the_debt() -> None:
    autumn_of_salma()
    made = passed_to(stranger(CLAIMED), SALMAS, "2026-10-20")
    final = Bill.objects.get(account_id=SALMAS, kind=BillKind.FINAL)
    assert (final.start_date, final.end_date) == (day("2026-10-14"), day("2026-10-20"))
    # 197.80 + 177.10 unpaid before, and the final bill
    assert final.balance_before_minor == 19780 + 17710
    assert balance_of(account_id=SALMAS) == 19780 + 17710 + final.total_minor
    assert balance_of(account_id=made.holding.account_id) == 0


def test_the_next_run_bills_each_for_their_own_days_and_no_unit_is_lost() -> None:
    autumn_of_salma()
    made = passed_to(stranger(CLAIMED), SALMAS, "2026-10-20")
    read(SALMA, day("2026-11-14"), 3500)
    bill("2026-11")
    new = Bill.objects.get(account_id=made.holding.account_id)
    final = Bill.objects.get(account_id=SALMAS, kind=BillKind.FINAL)
    assert (new.start_date, new.end_date, new.balance_before_minor) == (
        day("2026-10-20"),
        day("2026-11-14"),
        0,
    )
    assert final.energy_wh + new.energy_wh == 800_000  # 3500 - 2700 kWh on the register


def test_a_first_day_within_the_newest_bill_reopens_that_bill_and_no_other() -> None:
    autumn_of_salma()
    made = passed_to(stranger(CLAIMED), SALMAS, "2026-10-05")
    documents = Bill.objects.filter(account_id=SALMAS).order_by("period", "revision")
    assert [(BillKind(b.kind).name, b.start_date, b.end_date) for b in documents] == [
        ("BILL", day("2026-08-15"), day("2026-09-14")),
        ("BILL", day("2026-09-14"), day("2026-10-14")),
        ("CREDIT_NOTE", day("2026-09-14"), day("2026-10-14")),
        ("FINAL", day("2026-09-14"), day("2026-10-05")),
    ]
    assert Agreement.objects.get(account_id=made.holding.account_id).start_date == day("2026-10-05")
    read(SALMA, day("2026-11-14"), 3500)
    bill("2026-11")
    billed = sum(b.energy_wh for b in Bill.objects.filter(account_id__in=[SALMAS, made.holding.account_id]))
    assert billed == 2_500_000  # 3500 - 1000 kWh: all the register counted since it began


def test_where_all_days_are_billed_the_supply_passes_without_a_final_bill() -> None:
    autumn_of_salma()
    made = passed_to(stranger(CLAIMED), SALMAS, "2026-10-14")
    assert not Bill.objects.filter(kind=BillKind.FINAL).exists()
    assert Agreement.objects.get(account_id=made.holding.account_id).start_date == day("2026-10-14")
    assert Agreement.objects.get(account_id=SALMAS).end_date == day("2026-10-14")


def test_a_first_day_that_has_not_come_waits_for_its_day() -> None:
    autumn_of_salma()
    laila = stranger(CLAIMED)
    made = passed_to(laila, SALMAS, "2026-11-20")
    assert (made.state, made.holding) == (ClaimState.APPROVED, None)
    assert transfers.carry_out_due(now=noon("2026-11-19")) == 0
    assert queries.accounts_of(laila, today=day("2026-11-19")) == []
    assert transfers.carry_out_due(now=noon("2026-11-20")) == 1
    assert transfers.carry_out_due(now=noon("2026-11-20")) == 0
    assert queries.accounts_of(laila, today=day("2026-11-20"))[0].start_date == day("2026-11-20")


def test_nothing_of_the_former_holder_is_on_the_new_account() -> None:
    autumn_of_salma()
    former = person(SALMA, CLAIMED)
    claim_own(former, SALMA, CLAIMED)
    wishes.set_wishes(
        account_id=SALMAS,
        wishes=wishes.Wishes(excluded=("EMAIL",), wants_paper=True, opted_out=frozenset({11})),
        actor="holder",
        now=CLAIMED,
    )
    invite(
        account_id=SALMAS, name="نورة", relation="RELATIVE", channel=Channel.SMS, address="+966511111111",
        may_pay=False, language=Language.ar, expires_on=None, actor="holder", now=CLAIMED,
    )  # fmt: skip
    laila = stranger(CLAIMED)
    new = passed_to(laila, SALMAS, "2026-10-20").holding.account_id
    assert not Preference.objects.filter(account_id=new).exists()
    assert not OptOut.objects.filter(account_id=new).exists()
    assert not Delegate.objects.filter(account_id=new).exists()
    assert not Bill.objects.filter(account_id=new).exists()
    theirs = set(ContactPoint.objects.filter(account_id=new).values_list("address_hash", flat=True))
    assert {bytes(value) for value in theirs} == {bytes(laila.mobile.address_hash)}
    assert queries.held(laila, SALMAS, today=LATER) is None
    assert queries.held(former, new, today=LATER) is None


def test_the_former_holder_still_sees_their_own_bills_and_may_pay_them() -> None:
    autumn_of_salma()
    former = person(SALMA, CLAIMED)
    claim_own(former, SALMA, CLAIMED, role=TENANT)
    passed_to(stranger(CLAIMED), SALMAS, "2026-10-20")
    held = queries.held(former, SALMAS, today=LATER)
    assert held is not None
    assert (held.is_open, held.end_date, held.may_pay) == (False, day("2026-10-20"), True)
    final = Bill.objects.get(account_id=SALMAS, kind=BillKind.FINAL)
    assert held.sees_days(final.start_date, final.end_date)


def test_an_owner_keeps_the_account_while_it_is_let_and_sees_since_when() -> None:
    autumn_of_salma()
    owner = person(SALMA, CLAIMED)
    claim_own(owner, SALMA, CLAIMED)
    laila = stranger(CLAIMED)
    passed_to(laila, SALMAS, "2026-10-20")
    held = queries.held(owner, SALMAS, today=LATER)
    assert held is not None
    assert (held.is_open, held.tenant_since) == (True, day("2026-10-20"))
    assert [h.tenant_since for h in queries.accounts_of(laila, today=LATER)] == [None]


def test_when_the_tenant_leaves_the_supply_is_the_owners_again() -> None:
    autumn_of_salma()
    owner = person(SALMA, CLAIMED)
    claim_own(owner, SALMA, CLAIMED)
    laila = stranger(CLAIMED)
    let = passed_to(laila, SALMAS, "2026-10-20").holding
    services.end_holding(
        person=laila, account_id=let.account_id, end_date=day("2026-12-01"), value_wh=3_900_000,
        now=noon("2026-12-02"),
    )  # fmt: skip
    final = Bill.objects.get(account_id=let.account_id)
    assert (final.kind, final.start_date, final.end_date) == (
        BillKind.FINAL,
        day("2026-10-20"),
        day("2026-12-01"),
    )
    again = Agreement.objects.get(account_id=SALMAS, end_date=None)
    assert (again.usage_point_id, again.start_date) == (SALMA, day("2026-12-01"))
    held = queries.held(owner, SALMAS, today=day("2026-12-02"))
    assert held is not None and (held.is_open, held.tenant_since) == (True, None)


def test_a_holding_that_was_never_an_owners_leaves_the_place_vacant() -> None:
    autumn_of_salma()
    salma = person(SALMA, CLAIMED)
    claim_own(salma, SALMA, CLAIMED, role=TENANT)
    services.end_holding(
        person=salma, account_id=SALMAS, end_date=day("2026-10-20"), value_wh=None, now=CLAIMED
    )
    assert not Agreement.objects.filter(end_date=None).exists()
    assert CustomerAccount.objects.get(id=SALMAS).closed_on == day("2026-10-20")
    laila = stranger(CLAIMED)
    made = claim(laila, SALMAS, CLAIMED, start_date=day("2026-10-22"))
    assert made.state == ClaimState.OPEN  # nobody would have to give way: the staff look at the lease
    new = decide(made, CLAIMED).holding
    assert Agreement.objects.get(account=new.account).start_date == day("2026-10-22")


def test_a_new_owner_beneath_a_tenant_leaves_the_tenants_supply_alone() -> None:
    autumn_of_salma()
    salma = person(SALMA, CLAIMED)
    claim_own(salma, SALMA, CLAIMED, role=TENANT)
    owner = stranger(CLAIMED, name="فهد المالكي")
    made = claim(owner, SALMAS, CLAIMED, role=OWNER, start_date=day("2026-10-20"))
    assert made.state == ClaimState.OPEN
    owned = decide(made, CLAIMED).holding
    assert not Agreement.objects.filter(account=owned.account).exists()
    assert Agreement.objects.get(account_id=SALMAS).end_date is None
    assert Holding.objects.get(account_id=SALMAS).reverts_to_id == owned.account_id
    held = queries.held(owner, owned.account_id, today=LATER)
    assert held is not None and held.tenant_since == day("2026-08-15")
    services.end_holding(
        person=salma, account_id=SALMAS, end_date=day("2026-10-22"), value_wh=None, now=CLAIMED
    )
    assert Agreement.objects.get(account=owned.account).start_date == day("2026-10-22")


def test_an_owner_takes_back_from_a_tenant_only_after_the_tenant_was_asked() -> None:
    autumn_of_salma()
    owner = person(SALMA, CLAIMED)
    claim_own(owner, SALMA, CLAIMED)
    tenant = stranger(CLAIMED)
    let = passed_to(tenant, SALMAS, "2026-10-20").holding
    made = claim(owner, let.account_id, noon("2026-11-10"), role=OWNER, start_date=day("2026-11-10"))
    assert (made.state, made.against_id) == (ClaimState.DISPUTED, let.pk)
    services.give_way(claim_id=made.pk, person=tenant, now=noon("2026-11-11"))
    with pytest.raises(UserError, match="Enter a reading"):  # three weeks, never read: nothing to estimate by
        decide(made, noon("2026-11-12"))
    read(SALMA, day("2026-11-10"), 3300)
    back = decide(made, noon("2026-11-12")).holding
    assert back.account_id == SALMAS
    assert Agreement.objects.get(account_id=SALMAS, end_date=None).start_date == day("2026-11-10")
    assert Agreement.objects.get(account=let.account).end_date == day("2026-11-10")


def test_of_two_claims_on_one_home_the_first_that_is_approved_wins() -> None:
    autumn_of_salma()
    first, second = stranger(CLAIMED), stranger(CLAIMED, name="مها السبيعي")
    one = claim(first, SALMAS, CLAIMED, start_date=day("2026-10-20"))
    two = claim(second, SALMAS, CLAIMED, start_date=day("2026-10-20"))
    services.expire_disputes(now=AFTER)
    decide(one, AFTER)
    with pytest.raises(ClaimRefused) as refused:
        decide(two, AFTER)
    assert refused.value.reason == "MOVED_ON"
    assert Claim.objects.get(id=two.pk).state == ClaimState.DISPUTED
    assert queries.accounts_of(second, today=LATER) == []


def test_two_decisions_at_the_same_moment_hand_over_once() -> None:
    autumn_of_salma()
    claims = [claim(stranger(CLAIMED), SALMAS, CLAIMED, start_date=day("2026-10-20")) for _ in range(2)]
    services.expire_disputes(now=AFTER)

    def approve(made: Claim) -> str:
        try:
            decide(made, AFTER)
        except UserError as refused:
            return getattr(refused, "reason", str(refused))
        finally:
            connection.close()
        return "APPROVED"

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(approve, claims)) == ["APPROVED", "MOVED_ON"]
    assert Agreement.objects.filter(usage_point_id=SALMA, end_date=None).count() == 1


def test_one_tap_twice_at_the_same_moment_makes_one_holding() -> None:
    settle(SALMA, start=day("2025-01-01"))
    salma = person(SALMA, CLAIMED)

    def tap(key: str) -> str:
        try:
            claim_own(salma, SALMA, CLAIMED, once_key=key)
        except ClaimRefused as refused:
            return refused.reason
        finally:
            connection.close()
        return "HELD BY ME"

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(tap, ["a", "b"])) == ["HELD", "HELD BY ME"]
    assert Holding.objects.count() == 1


def test_the_database_refuses_two_holders_of_a_kind_at_a_time() -> None:
    settle(SALMA, start=day("2025-01-01"))
    claim_own(person(SALMA, CLAIMED), SALMA, CLAIMED)
    other = stranger(CLAIMED)
    with pytest.raises(IntegrityError), transaction.atomic():
        Holding.objects.create(
            account_id=SALMAS, customer=other.customer, role=OWNER, start_date=day("2026-10-01"),
            created_at=CLAIMED,
        )  # fmt: skip


def test_the_history_of_who_uses_the_supply_has_no_gap_that_a_declaration_left() -> None:
    autumn_of_salma()
    salma = person(SALMA, CLAIMED)
    claim_own(salma, SALMA, CLAIMED, is_beneficiary=False, start_date=day("2026-10-22"))
    assert not Beneficiary.objects.exists()
    services.declare_beneficiary(person=salma, account_id=SALMAS, start_date=day("2026-10-22"), now=CLAIMED)
    services.declare_beneficiary(person=salma, account_id=SALMAS, start_date=day("2026-10-22"), now=CLAIMED)
    services.end_holding(
        person=salma, account_id=SALMAS, end_date=day("2026-10-25"), value_wh=None, now=noon("2026-10-26")
    )
    history = [(b.customer_id, b.start_date, b.end_date) for b in queries.beneficiaries_of(SALMAS)]
    assert history == [(SALMA, day("2026-10-22"), day("2026-10-25"))]


def test_while_a_run_is_at_the_account_the_supply_waits_and_passes_after_it() -> None:
    autumn_of_salma()
    laila = stranger(CLAIMED)
    made = claim(laila, SALMAS, CLAIMED, start_date=day("2026-10-20"))
    services.expire_disputes(now=AFTER)
    running = BillRun.objects.create(
        period=202611, profile="sa", cutoff_at=AFTER, issue_date=LATER, due_date=LATER, tariff_hash="0" * 64
    )
    chunk = running.chunks.create(index=0, first_account_id=SALMAS, end_account_id=SALMAS + 1)
    made = decide(made, AFTER)
    assert (made.state, made.holding) == (ClaimState.APPROVED, None)
    assert not Bill.objects.filter(kind=BillKind.FINAL).exists()
    assert CustomerAccount.objects.count() == 1  # no account is left over from the attempt
    chunk.delete()
    running.delete()
    assert transfers.carry_out_due(now=AFTER) == 1
    assert queries.accounts_of(laila, today=LATER)[0].start_date == day("2026-10-20")


def test_the_links_of_the_former_holder_open_nothing_of_the_new_one() -> None:
    autumn_of_salma()
    made = passed_to(stranger(CLAIMED), SALMAS, "2026-10-20")
    read(SALMA, day("2026-11-14"), 3500)
    bill("2026-11")
    new = made.holding.account_id
    bills = {b.number: b.account_id for b in Bill.objects.all()}
    messages = Message.objects.filter(ref__in=list(bills)).values_list("ref", "account_id")
    assert {account for _, account in messages} == {SALMAS, new}
    assert all(bills[ref] == account for ref, account in messages)  # each is told of their own bills alone
    wishes_link = preference_token(SALMAS, 0, expires=day("2027-10-01"))
    assert open_preference_token(wishes_link, today=LATER) == (
        SALMAS,
        0,
    )  # the former number's people, for ever
    assert set(CustomerAccount.objects.values_list("id", "customer_id")) == {
        (SALMAS, SALMA),
        (new, made.customer_id),
    }


def test_what_cannot_be_carried_out_is_noted_for_the_staff_and_tried_again() -> None:
    autumn_of_salma()
    made = passed_to(stranger(CLAIMED), SALMAS, "2026-11-20")
    Agreement.objects.filter(account_id=SALMAS).update(end_date=dt.date(2026, 11, 1))
    Agreement.objects.create(
        id=99, account_id=settle_other(), usage_point_id=SALMA, category=1, start_date=dt.date(2026, 11, 1)
    )
    assert transfers.carry_out_due(now=noon("2026-11-20")) == 0
    from tayyar.requests.queries import history_of

    notes = [h for h in history_of(made.request, with_internal=True) if h.what == "NOTE"]
    assert "Not carried out yet" in notes[-1].text
    Agreement.objects.filter(id=99).delete()
    assert transfers.carry_out_due(now=noon("2026-11-21")) == 1


def settle_other() -> int:
    """Another customer's account, of which the claim knows nothing."""
    from tests.scenarios.cast import HUDA

    settle(HUDA, start=day("2026-08-15"))
    return account_id(HUDA)
