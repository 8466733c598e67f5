"""One row per outcome, and one per receipt: how they move an attempt and its message."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.notifications import rules
from tayyar.notifications.kinds import Lane, MessageKind
from tayyar.notifications.models import MessageState as S
from tayyar.notifications.plans import Until
from tayyar.notifications.ports import DeliveryKey, Outcome, ReceiptState, SendResult

NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)
WAIT = dt.timedelta(hours=2)


def settled(
    outcome: Outcome, *, attempt: int = 1, reason: str = "", until: Until = Until.DELIVERED
) -> tuple[S, S | None, dt.timedelta | None]:
    key = DeliveryKey(202611, 1, 7, 0, 0, attempt)
    found = rules.settlement(SendResult(key, outcome, reason), until=until, wait=WAIT, now=NOW)
    return found.delivery, found.message, found.next_at and found.next_at - NOW


@pytest.mark.parametrize(
    ("outcome", "attempt", "reason", "expected"),
    [
        (Outcome.SENT, 1, "", (S.SENT, S.SENT, WAIT)),
        (Outcome.IN_DOUBT, 1, "NO_ANSWER", (S.IN_DOUBT, S.IN_DOUBT, None)),
        (Outcome.TRY_LATER, 1, "BUSY", (S.FAILED, S.DEFERRED, dt.timedelta(minutes=1))),
        (Outcome.TRY_LATER, 2, "BUSY", (S.FAILED, S.DEFERRED, dt.timedelta(minutes=5))),
        (Outcome.TRY_LATER, 3, "BUSY", (S.FAILED, S.DEFERRED, dt.timedelta(minutes=20))),
        (Outcome.TRY_LATER, 4, "BUSY", (S.FAILED, S.DEFERRED, dt.timedelta(hours=1))),
        (Outcome.TRY_LATER, 5, "BUSY", (S.FAILED, S.DEFERRED, dt.timedelta(hours=4))),
        (Outcome.TRY_LATER, 6, "BUSY", (S.FAILED, None, None)),
        (Outcome.TRY_LATER, 99, "BUSY", (S.FAILED, None, None)),
        (Outcome.TRY_LATER, 6, rules.CONTENT_ERROR, (S.FAILED, S.PARKED, None)),
        (Outcome.REFUSED, 1, "TOO_LONG", (S.FAILED, None, None)),
        (Outcome.REFUSED, 1, rules.BAD_CONTENT, (S.FAILED, S.PARKED, None)),
        (Outcome.REFUSED, 1, rules.NO_CONTENT, (S.FAILED, S.CANCELLED, None)),
        (Outcome.REFUSED, 1, rules.TOO_LATE, (S.FAILED, S.EXPIRED, None)),
        (Outcome.BAD_CONTACT, 1, "NO_SUCH_MAILBOX", (S.FAILED, S.QUEUED, None)),
    ],
)
def test_each_outcome_moves_delivery_and_message(outcome, attempt, reason, expected):
    assert settled(outcome, attempt=attempt, reason=reason) == expected


@pytest.mark.parametrize(("until", "wait"), [(Until.SENT, None), (Until.DELIVERED, WAIT), (Until.READ, WAIT)])
def test_what_was_sent_waits_for_more_unless_that_was_all_the_plan_wanted(until, wait):
    assert settled(Outcome.SENT, until=until) == (S.SENT, S.SENT, wait)


def test_only_an_address_that_does_not_exist_marks_the_contact():
    key = DeliveryKey(202611, 1, 7, 0, 0, 1)
    bad = {
        outcome
        for outcome in set(Outcome) - {Outcome.NOT_TRIED}
        if rules.settlement(SendResult(key, outcome), until=Until.SENT, wait=WAIT, now=NOW).contact_is_bad
    }
    assert bad == {Outcome.BAD_CONTACT}


def test_what_was_not_tried_settles_nothing():
    with pytest.raises(ValueError, match="settles nothing"):
        settled(Outcome.NOT_TRIED)


def test_a_worker_stops_sending_long_before_its_lease_ends():
    # the last mail may begin at 5 min and wait for 2 x 5 answers of 60 s and a connection: still within 20 min
    assert rules.SENDING_WINDOW + 12 * dt.timedelta(seconds=60) < rules.LEASE


def test_a_bill_may_be_in_doubt_for_an_hour_and_a_code_for_two_minutes():
    assert rules.doubt_limit(MessageKind.BILL_ISSUED) == dt.timedelta(hours=1)
    assert rules.doubt_limit(MessageKind.ONE_TIME_CODE) == dt.timedelta(minutes=2)
    assert set(rules.DOUBT_LIMIT) == set(Lane)


T = ReceiptState


@pytest.mark.parametrize(
    ("was", "told", "after"),
    [
        (S.SENDING, T.SENT, S.SENT),
        (S.IN_DOUBT, T.SENT, S.SENT),
        (S.SENT, T.SENT, None),
        (S.SENDING, T.DELIVERED, S.DELIVERED),
        (S.SENT, T.DELIVERED, S.DELIVERED),
        (S.DELIVERED, T.DELIVERED, None),
        (S.FAILED, T.DELIVERED, S.DELIVERED),
        (S.EXPIRED, T.DELIVERED, S.DELIVERED),
        (S.SENT, T.READ, S.READ),
        (S.READ, T.DELIVERED, None),
        (S.SENT, T.FAILED, S.FAILED),
        (S.DELIVERED, T.FAILED, None),
        (S.READ, T.EXPIRED, None),
        (S.SENT, T.EXPIRED, S.EXPIRED),
        (S.EXPIRED, T.FAILED, None),
        (S.SENT, T.BAD_CONTACT, S.FAILED),
        (S.DELIVERED, T.BAD_CONTACT, None),
        (S.SENT, T.COMPLAINED, S.DELIVERED),
    ],
)
def test_a_receipt_only_ever_moves_an_attempt_forward(was, told, after):
    assert rules.received(was, told) == after


# The states that no receipt of the list may hide: of FAILED and EXPIRED the first stands, as both say "not delivered".
_ORDERLESS = [T.SENT, T.DELIVERED, T.READ, T.FAILED, T.COMPLAINED]


@given(st.lists(st.sampled_from(_ORDERLESS), max_size=5))
def test_the_order_of_receipts_does_not_matter(receipts):
    def after(order):
        state = S.SENDING
        for told in order:
            state = rules.received(state, told) or state
        return state

    assert len({after(order) for order in itertools.permutations(receipts)}) == 1


@pytest.mark.parametrize("state", [S.READ, S.CANCELLED, S.MERGED])
def test_a_message_that_is_over_is_not_moved_by_what_becomes_of_an_attempt(state):
    assert rules.message_after(state, S.READ, is_over=True, is_here=True) is None


@pytest.mark.parametrize(
    ("was", "delivery", "is_over", "is_here", "after"),
    [
        (S.SENT, S.DELIVERED, True, True, S.DELIVERED),
        (S.SENT, S.DELIVERED, True, False, S.DELIVERED),  # a late receipt of an earlier step
        (S.QUEUED, S.DELIVERED, True, False, S.DELIVERED),
        (S.SENT, S.DELIVERED, False, True, S.DELIVERED),  # the plan wants READ and waits on
        (S.SENT, S.DELIVERED, False, False, None),  # it went on to the next step, which stands
        (S.QUEUED, S.DELIVERED, False, False, None),
        (S.EXPIRED, S.DELIVERED, False, False, S.DELIVERED),  # at its end, what is known counts
        (S.DELIVERED, S.DELIVERED, True, True, None),
        (S.DELIVERED, S.READ, True, True, S.READ),
        (S.PARKED, S.READ, True, True, S.READ),
    ],
)
def test_an_attempt_that_arrived_moves_its_message(was, delivery, is_over, is_here, after):
    assert rules.message_after(was, delivery, is_over=is_over, is_here=is_here) == after


@pytest.mark.parametrize(
    ("delivery", "ends"),
    [
        (S.SENT, {Until.SENT}),
        (S.DELIVERED, {Until.SENT, Until.DELIVERED}),
        (S.READ, set(Until)),
        (S.FAILED, set()),
        (S.EXPIRED, set()),
        (S.IN_DOUBT, set()),
    ],
)
def test_more_evidence_than_wanted_ends_a_plan_and_failure_never_does(delivery, ends):
    assert {until for until in Until if rules.ends_plan(delivery, until=until)} == ends
