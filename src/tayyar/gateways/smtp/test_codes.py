"""What servers say is reduced to codes, and never carries an address along."""

import pytest

from tayyar.gateways.smtp.codes import meaning, outcome, queue_name
from tayyar.notifications.ports import Outcome


@pytest.mark.parametrize(
    ("code", "answer", "expected"),
    [
        (550, b"5.1.1 <sara@x.example>: unknown", ("NO_SUCH_MAILBOX", "550 5.1.1")),
        (452, b"4.2.2 over quota", ("MAILBOX_FULL", "452 4.2.2")),
        (450, b"greylisted, come back", ("MAILBOX_BUSY", "450")),
        (550, b"sara@x.example rejected", ("REFUSED", "550")),
        (550, b"5.9.99 new code", ("REFUSED", "550 5.9.99")),
        (499, b"", ("TRY_LATER", "499")),
        (599, b"", ("REFUSED", "599")),
    ],
)
def test_an_answer_means(code, answer, expected):
    assert meaning(code, answer) == expected


def test_the_name_a_server_gave_is_kept_and_nothing_else_of_its_words():
    assert queue_name(b"2.0.0 Ok: queued as 4Bx9Qz") == "4Bx9Qz"
    assert queue_name(b"2.0.0 thanks, sara@x.example") == ""


def test_a_full_mailbox_is_for_now_even_where_the_server_says_for_ever():
    assert outcome(552, "MAILBOX_FULL") is Outcome.TRY_LATER


def test_a_bad_address_is_only_tried_again_while_the_server_is_not_sure():
    assert outcome(550, "NO_SUCH_MAILBOX") is Outcome.BAD_CONTACT
    assert outcome(450, "NO_SUCH_MAILBOX") is Outcome.TRY_LATER
