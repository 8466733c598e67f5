"""What servers say is reduced to codes, and never carries an address along."""

import pytest

from tayyar.gateways.smtp.codes import meaning, queue_name


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
