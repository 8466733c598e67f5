"""Meta's answers, and what becomes of the message: one row per meaning."""

import json

import pytest

from tayyar.gateways.http import Answer
from tayyar.gateways.whatsapp.codes import judge
from tayyar.notifications.ports import Outcome


def _answer(status: int, code: int, subcode: int | None = None) -> Answer:
    return Answer(status, json.dumps({"error": {"code": code, "error_subcode": subcode}}).encode())


@pytest.mark.parametrize(
    ("status", "code", "outcome", "reason"),
    [
        (500, 131000, Outcome.TRY_LATER, "SERVER_ERROR"),
        (503, 2, Outcome.TRY_LATER, "SERVER_UNAVAILABLE"),
        (400, 131056, Outcome.TRY_LATER, "PAIR_RATE"),
        (400, 131026, Outcome.BAD_CONTACT, "NOT_ON_WHATSAPP"),
        (400, 131047, Outcome.REFUSED, "TEMPLATE_NEEDED"),
        (404, 132001, Outcome.REFUSED, "TEMPLATE_UNKNOWN"),
        (400, 100, Outcome.REFUSED, "BAD_PARAMETER"),
        (400, 555555, Outcome.REFUSED, "WHATSAPP_555555"),
        (401, 190, Outcome.NOT_TRIED, "TOKEN_INVALID"),
        (403, 200, Outcome.NOT_TRIED, "NO_PERMISSION"),
        (403, 299, Outcome.NOT_TRIED, "NO_PERMISSION"),
        (403, 368, Outcome.NOT_TRIED, "ACCOUNT_LOCKED"),
        (403, 131031, Outcome.NOT_TRIED, "ACCOUNT_LOCKED"),
    ],
)
def test_an_error_code_says_whose_fault_it_is(status: int, code: int, outcome: Outcome, reason: str):
    verdict = judge(_answer(status, code))
    assert (verdict.outcome, verdict.reason, verdict.is_throttled) == (outcome, reason, False)


@pytest.mark.parametrize("code", [4, 80007, 130429])
def test_the_rate_limits_of_app_account_and_number_slow_down_all(code: int):
    assert judge(_answer(429, code)).is_throttled


def test_an_unknown_sender_is_our_configurations_fault_not_the_messages():
    verdict = judge(_answer(400, 100, 33))
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_TRIED, "SENDER_UNKNOWN")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (302, Outcome.NOT_TRIED),
        (404, Outcome.NOT_TRIED),
        (418, Outcome.REFUSED),
        (500, Outcome.TRY_LATER),
        (502, Outcome.IN_DOUBT),
        (503, Outcome.TRY_LATER),
        (504, Outcome.IN_DOUBT),
        (507, Outcome.TRY_LATER),
    ],
)
def test_an_answer_that_is_not_metas_is_judged_by_its_status(status: int, outcome: Outcome):
    assert judge(Answer(status, b"<html>")).outcome is outcome


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"messages": []}', b'{"messages": [{"id": 7}]}'])
def test_a_yes_that_cannot_be_read_leaves_the_message_in_doubt(body: bytes):
    assert judge(Answer(200, body)).outcome is Outcome.IN_DOUBT
