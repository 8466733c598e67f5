"""What an account owes, its bills, payments and statement, after real runs, payments and corrections."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.scenarios.cast import (
    HUDA,
    NASSER,
    SALMA,
    account_id,
    bill,
    day,
    noon,
    read,
    settle,
    the_bill,
)

from tayyar.billing.account_queries import bills_of, payments_of, standing, standings, statement
from tayyar.billing.services import balance_of, cancel, rebill
from tayyar.core.periods import Period
from tayyar.ledger.models import SystemAccount, TransferKind
from tayyar.ledger.services import Posting, post

pytestmark = pytest.mark.usefixtures("books")


def pay(person: int, amount_minor: int, ref: int, moment: dt.datetime) -> None:
    """A payment as the payments module will post it."""
    posting = Posting(
        Period.of(moment.date()),
        TransferKind.PAYMENT,
        ref,
        SystemAccount.CASH.value,
        account_id(person),
        amount_minor,
    )
    post(postings=[posting], now=moment)


def two_bills() -> tuple[int, int]:
    """Salma in September (500 kWh) and October 2026 (600 kWh): the totals of both, in minor units."""
    settle(SALMA, start=day("2026-09-01"))
    read(SALMA, day("2026-09-28"), 1500)
    read(SALMA, day("2026-10-28"), 2100)
    bill("2026-09")
    bill("2026-10")
    return the_bill(SALMA, "2026-09").total_minor, the_bill(SALMA, "2026-10").total_minor


def test_an_account_that_was_never_billed_owes_nothing() -> None:
    settle(SALMA, start=day("2026-09-01"))
    found = standing(account_id(SALMA), noon("2026-09-20"))
    assert (found.balance_minor, found.state, found.due_date, found.newest) == (0, "CLEAR", None, None)


def test_before_the_first_due_date_all_is_due_and_nothing_overdue() -> None:
    first, second = two_bills()
    due = the_bill(SALMA, "2026-09").due_date
    found = standing(account_id(SALMA), dt.datetime.combine(due, dt.time(12), dt.UTC))
    assert (found.balance_minor, found.overdue_minor) == (first + second, 0)
    assert (found.state, found.due_date) == ("DUE", due)
    assert found.newest is not None
    assert found.newest.number == the_bill(SALMA, "2026-10").number


def test_the_day_after_the_due_date_the_bill_is_overdue_and_the_next_one_is_due() -> None:
    first, _ = two_bills()
    september, october = the_bill(SALMA, "2026-09"), the_bill(SALMA, "2026-10")
    after = dt.datetime.combine(september.due_date + dt.timedelta(1), dt.time(12), dt.UTC)
    found = standing(account_id(SALMA), after)
    assert found.state == "OVERDUE"
    assert (found.overdue_minor, found.overdue_since) == (first, september.due_date)
    assert found.due_date == october.due_date


def test_a_payment_counts_against_the_oldest_bill_first() -> None:
    first, second = two_bills()
    pay(SALMA, first + 100, 1, noon("2026-11-10"))
    rows = bills_of(account_id(SALMA))
    assert [row.unpaid_minor for row in rows] == [second - 100, 0]
    assert [row.state(day("2026-11-11")) for row in rows] == ["DUE", "PAID"]


def test_money_beyond_all_bills_is_credit() -> None:
    first, second = two_bills()
    pay(SALMA, first + second + 250, 1, noon("2026-11-10"))
    found = standing(account_id(SALMA), noon("2026-12-30"))
    assert (found.balance_minor, found.overdue_minor, found.state) == (-250, 0, "CREDIT")
    assert found.due_date is None


def test_a_cancelled_bill_stands_no_more_and_its_credit_note_is_listed() -> None:
    two_bills()
    number = the_bill(SALMA, "2026-10").number
    cancel(number=number, why="wrong reading", actor="user:1", now=noon("2026-11-05"))
    rows = bills_of(account_id(SALMA))
    states = {row.number: row.state(day("2026-11-06")) for row in rows}
    assert states[number] == "CANCELLED"
    assert sorted(states.values()) == ["CANCELLED", "CREDIT_NOTE", "OVERDUE"]
    found = standing(account_id(SALMA), noon("2026-11-06"))
    assert found.newest is not None
    assert found.newest.period == Period(2026, 9)
    assert found.balance_minor == balance_of(account_id=account_id(SALMA))


def test_a_bill_made_again_is_the_one_that_counts() -> None:
    two_bills()
    _, again = rebill(
        number=the_bill(SALMA, "2026-10").number, why="check", actor="user:1", now=noon("2026-11-05")
    )
    assert next(row.number for row in bills_of(account_id(SALMA)) if row.stands) == again


def test_a_reader_sees_the_bills_of_their_own_days_alone() -> None:
    two_bills()
    rows = bills_of(account_id(SALMA), sees=lambda first, end: first >= day("2026-09-28"))
    assert [row.period for row in rows] == [Period(2026, 10)]


def test_bills_come_in_pages() -> None:
    two_bills()
    whole = bills_of(account_id(SALMA))
    assert [bills_of(account_id(SALMA), at, 1) for at in (0, 1, 2)] == [[whole[0]], [whole[1]], []]


def test_payments_are_those_of_the_account_and_of_the_days_asked_for() -> None:
    two_bills()
    settle(NASSER, start=day("2026-09-01"))
    pay(SALMA, 1000, 1, noon("2026-11-10"))
    pay(SALMA, 2000, 2, noon("2026-12-10"))
    pay(NASSER, 4000, 3, noon("2026-11-10"))
    assert [row.amount_minor for row in payments_of(account_id(SALMA))] == [2000, 1000]
    since = payments_of(account_id(SALMA), first=day("2026-11-11"), end=day("2027-01-01"))
    assert [row.ref for row in since] == [2]
    assert payments_of(account_id(SALMA), first=day("2026-11-01"), end=day("2026-11-10")) == []


def test_money_given_back_is_negative() -> None:
    two_bills()
    back = Posting(
        Period(2026, 11),
        TransferKind.ADJUSTMENT,
        9,
        account_id(SALMA),
        SystemAccount.CASH.value,
        700,
    )
    post(postings=[back], now=noon("2026-11-12"))
    assert [(row.kind, row.amount_minor) for row in payments_of(account_id(SALMA))] == [
        (TransferKind.ADJUSTMENT, -700)
    ]


def test_a_statement_adds_up_from_its_opening_to_its_closing_balance() -> None:
    first, second = two_bills()
    pay(SALMA, 1000, 1, noon("2026-10-20"))
    pay(SALMA, 500, 2, noon("2026-12-20"))
    start = the_bill(SALMA, "2026-09").issue_date + dt.timedelta(1)
    found = statement(account_id(SALMA), first=start, end=day("2026-12-01"))
    assert found.opening_minor == first
    assert [(entry.what, entry.amount_minor) for entry in found.entries] == [
        ("PAYMENT", -1000),
        ("BILL", second),
    ]
    assert [entry.balance_minor for entry in found.entries] == [first - 1000, first - 1000 + second]
    assert found.closing_minor == first - 1000 + second


def test_many_accounts_cost_as_many_queries_as_one() -> None:
    two_bills()
    for person in (NASSER, HUDA):
        settle(person, start=day("2026-09-01"))
    ids = [account_id(person) for person in (SALMA, NASSER, HUDA)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = standings(ids, noon("2026-11-11"))
    assert len(queries) <= 3
    assert {id: found[id].balance_minor for id in ids} == {id: balance_of(account_id=id) for id in ids}


def test_a_balance_older_than_the_recent_months_is_still_owed_and_overdue() -> None:
    first, second = two_bills()
    found = standing(account_id(SALMA), noon("2028-06-01"))
    assert found.balance_minor == first + second
    assert (found.newest, found.state) == (None, "OVERDUE")
