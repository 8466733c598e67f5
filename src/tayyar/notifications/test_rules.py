"""One row per outcome: how an attempt's end moves its delivery and its message."""

import datetime as dt

import pytest

from tayyar.notifications import rules
from tayyar.notifications.models import MessageState as S
from tayyar.notifications.ports import DeliveryKey, Outcome, SendResult

NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)


def _settled(outcome: Outcome, attempt: int) -> tuple[S, S, dt.timedelta | None]:
    key = DeliveryKey(202611, 1, 7, 0, 0, attempt)
    found = rules.settlement(SendResult(key, outcome), now=NOW)
    return found.delivery, found.message, found.retry_at and found.retry_at - NOW


@pytest.mark.parametrize(
    ("outcome", "attempt", "expected"),
    [
        (Outcome.SENT, 1, (S.SENT, S.SENT, None)),
        (Outcome.REFUSED, 1, (S.FAILED, S.FAILED, None)),
        (Outcome.IN_DOUBT, 1, (S.IN_DOUBT, S.IN_DOUBT, None)),
        (Outcome.TRY_LATER, 1, (S.FAILED, S.DEFERRED, dt.timedelta(minutes=1))),
        (Outcome.TRY_LATER, 2, (S.FAILED, S.DEFERRED, dt.timedelta(minutes=5))),
        (Outcome.TRY_LATER, 5, (S.FAILED, S.DEFERRED, dt.timedelta(hours=4))),
        (Outcome.TRY_LATER, 6, (S.FAILED, S.FAILED, None)),
        (Outcome.TRY_LATER, 99, (S.FAILED, S.FAILED, None)),
    ],
)
def test_each_outcome_moves_delivery_and_message(outcome, attempt, expected):
    assert _settled(outcome, attempt) == expected


def test_what_was_not_tried_settles_nothing():
    with pytest.raises(ValueError, match="settles nothing"):
        _settled(Outcome.NOT_TRIED, 1)


def test_a_worker_stops_sending_long_before_its_lease_ends_and_doubt_outlasts_the_lease():
    # the last mail may begin at 5 min and wait for 2 x 5 answers of 60 s and a connection: still within 20 min
    assert rules.SENDING_WINDOW + 12 * dt.timedelta(seconds=60) < rules.LEASE < rules.DOUBT_LIMIT
