"""The conversation, word by word: what is sent ahead, what an answer settles, what may have been taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.gateways.smtp.dialogue import Answer, Dialogue, Envelope, Step

FIRST = Envelope(0, "s@s.example", "a@a.example", b"Subject: 1\r\n\r\n.dot\r\n")
SECOND = Envelope(1, "s@s.example", "b@b.example", b"Subject: 2\r\n\r\n")
GROUP = b"MAIL FROM:<s@s.example>\r\nRCPT TO:<a@a.example>\r\nDATA\r\n"
GROUP_2 = GROUP.replace(b"a@a", b"b@b")
CONTENT = b"Subject: 1\r\n\r\n..dot\r\n.\r\n"
GO_AHEAD = b"250 ok\r\n250 ok\r\n354 go\r\n"


def _said(dialogue: Dialogue) -> bytes:
    """What it wants to send, as if the socket took all of it."""
    out = bytes(dialogue.out)
    dialogue.out.clear()
    dialogue.handed_out = dialogue.put_out
    return out


def _handed_over() -> Dialogue:
    """A dialogue whose first mail's dot was sent."""
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    dialogue.receive(GO_AHEAD)
    _said(dialogue)
    return dialogue


def test_with_pipelining_a_content_and_the_next_mails_commands_leave_together():
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    assert _said(dialogue) == GROUP and not dialogue.is_ready
    assert dialogue.receive(GO_AHEAD) == [] and dialogue.is_ready
    dialogue.begin(SECOND)
    assert _said(dialogue) == CONTENT + GROUP_2
    assert dialogue.receive(b"250 2.0.0 queued as X1\r\n" + GO_AHEAD) == [
        Answer(FIRST, Step.CONTENT, 250, b"2.0.0 queued as X1")
    ]


def test_without_pipelining_nothing_is_said_before_the_answer():
    dialogue = Dialogue(pipelining=False)
    dialogue.begin(FIRST)
    for command, answer in zip(
        GROUP.splitlines(keepends=True), GO_AHEAD.splitlines(keepends=True), strict=True
    ):
        assert _said(dialogue) == command
        assert dialogue.receive(answer) == []
    assert _said(dialogue) == CONTENT and not dialogue.is_ready
    assert [answer.code for answer in dialogue.receive(b"250 ok\r\n")] == [250] and dialogue.is_ready


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refused_recipient_settles_its_mail_and_the_next_begins_with_a_reset(pipelining: bool):
    dialogue = Dialogue(pipelining=pipelining)
    dialogue.begin(FIRST)
    rest = b"554 5.5.1 no valid recipients\r\n" if pipelining else b""
    (answer,) = dialogue.receive(b"250 ok\r\n550-5.1.1 no\r\n550 5.1.1 such\r\n" + rest)
    assert answer == Answer(FIRST, Step.RCPT, 550, b"5.1.1 no\n5.1.1 such")
    _said(dialogue)
    dialogue.begin(SECOND)
    assert _said(dialogue).startswith(b"RSET\r\n")
    assert dialogue.leftover() == [(SECOND, False)]


def test_data_granted_with_no_recipient_left_is_ended_by_a_lone_dot():
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    _said(dialogue)
    (answer,) = dialogue.receive(b"250 ok\r\n550 5.1.1 no\r\n354 go\r\n")
    assert (answer.step, answer.code) == (Step.RCPT, 550)
    assert _said(dialogue) == b".\r\n"
    assert dialogue.receive(b"554 5.5.1 no recipients\r\n") == [] and dialogue.is_ready


def test_data_granted_to_a_refused_sender_ends_the_connection_with_nothing_handed_over():
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    _said(dialogue)
    (answer,) = dialogue.receive(b"550 5.7.1 not you\r\n250 ok\r\n354 go\r\n")
    assert answer.step is Step.MAIL and dialogue.ended and _said(dialogue) == b""


def test_a_refusal_of_data_itself_settles_the_mail():
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    (answer,) = dialogue.receive(b"250 ok\r\n250 ok\r\n451 4.3.0 later\r\n")
    assert (answer.step, answer.code) == (Step.DATA, 451)


def test_a_mail_whose_dot_has_not_left_is_not_in_doubt():
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    dialogue.receive(GO_AHEAD)
    dialogue.handed_out = dialogue.put_out - 1
    assert dialogue.leftover() == [(FIRST, False)]


def test_a_mail_whose_dot_has_left_is_in_doubt_and_the_one_behind_it_is_not():
    dialogue = _handed_over()
    dialogue.begin(SECOND)
    _said(dialogue)
    assert dialogue.leftover() == [(FIRST, True), (SECOND, False)]


def test_a_server_that_says_it_closes_has_not_taken_the_mail():
    dialogue = _handed_over()
    dialogue.begin(SECOND)
    assert dialogue.receive(b"421 4.3.2 closing\r\n") == []
    assert dialogue.ended == "THROTTLED" and dialogue.leftover() == [(FIRST, False), (SECOND, False)]


@pytest.mark.parametrize(
    "nonsense", [b"HTTP/1.1 200 OK\r\n", b"250+ok\r\n", b"354 go\r\n", b"150 hm\r\n", b"\r\n", b"x" * 10_000]
)
def test_an_answer_that_is_none_ends_the_connection_and_leaves_the_mail_in_doubt(nonsense: bytes):
    dialogue = _handed_over()
    assert dialogue.receive(nonsense) == []
    assert dialogue.ended == "CONNECTION_LOST" and dialogue.leftover() == [(FIRST, True)]


def test_a_word_that_nobody_asked_for_ends_the_connection():
    dialogue = Dialogue(pipelining=True)
    dialogue.receive(b"250 hello?\r\n")
    assert dialogue.ended == "CONNECTION_LOST"


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_it_does_not_matter_how_the_servers_bytes_are_cut(sizes: list[int]):
    stream = GO_AHEAD + b"250-2.0.0 taken\r\n250 queued as X1\r\n"
    dialogue = Dialogue(pipelining=True)
    dialogue.begin(FIRST)
    answers, start = [], 0
    for size in [*sizes, len(stream)]:
        answers += dialogue.receive(stream[start : start + size])
        start += size
    assert answers == [Answer(FIRST, Step.CONTENT, 250, b"2.0.0 taken\nqueued as X1")]
