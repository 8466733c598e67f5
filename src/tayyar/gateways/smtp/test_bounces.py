"""What comes back: notices of many makes, proven by the token, and hostile bytes that prove nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.gateways.mailbox import notices
from tayyar.gateways.smtp import verp
from tayyar.gateways.smtp.bounces import MAX_BYTES, receipts_from_message, understand
from tayyar.notifications.ports import DeliveryKey, Receipt, ReceiptState

KEY = DeliveryKey(202611, 1, 261100000001234, 0, 0, 2)
TOKEN = verp.token(KEY)
TO = f"bounces+{TOKEN}@utility.example"

DSN = """\
Return-Path: <>
{to}
From: MAILER-DAEMON@mx.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B/1"

--B/1
Content-Type: text/plain; charset=us-ascii

I'm sorry. 550 5.7.99 is only an example in words.

--B/1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Sat, 28 Nov 2026 09:30:00 +0300

{fields}

--B/1
Content-Type: {returned}

Return-Path: <{path}>
Subject: =?utf-8?b?2YHYp9iq2YjYsdip?=
{more}
--B/1--
"""


def _dsn(
    *fields: str, to: str = f"Delivered-To: {TO}", returned="text/rfc822-headers", path="x@y", more=""
) -> bytes:
    given = "\n".join(("Final-Recipient: rfc822; a@b.example", *fields))
    return DSN.format(to=to, fields=given, returned=returned, path=path, more=more).encode()


def _failed(status: str, diagnostic: str = "") -> bytes:
    return _dsn(
        "Action: failed", f"Status: {status}", *([f"Diagnostic-Code: {diagnostic}"] if diagnostic else [])
    )


@pytest.mark.parametrize(
    ("raw", "state", "reason"),
    [
        (_failed("5.1.1"), ReceiptState.BAD_CONTACT, "NO_SUCH_MAILBOX"),
        (_failed("5.1.1 (bad destination mailbox address)"), ReceiptState.BAD_CONTACT, "NO_SUCH_MAILBOX"),
        (_failed("5.1.2"), ReceiptState.BAD_CONTACT, "NO_SUCH_DOMAIN"),
        (_failed("5.2.1"), ReceiptState.BAD_CONTACT, "MAILBOX_DISABLED"),
        (_failed("5.2.2"), ReceiptState.FAILED, "MAILBOX_FULL"),
        (_failed("5.7.1"), ReceiptState.FAILED, "REFUSED_BY_POLICY"),
        (_failed("5.4.4"), ReceiptState.FAILED, "NO_ROUTE"),
        (_failed("5.4.7"), ReceiptState.EXPIRED, "GAVE_UP"),
        (_failed("4.4.7"), ReceiptState.EXPIRED, "GAVE_UP"),
        (_failed("4.2.2"), ReceiptState.EXPIRED, "MAILBOX_FULL"),
        (_failed("4.4.1"), ReceiptState.EXPIRED, "GAVE_UP"),
        (_failed("5.0.0", "smtp; 550-5.1.1 no such user here"), ReceiptState.BAD_CONTACT, "NO_SUCH_MAILBOX"),
        (_failed("5.0.0", "smtp; 552 quota"), ReceiptState.FAILED, "MAILBOX_FULL"),
        (_failed("5.5.0", "smtp; 550 whatever"), ReceiptState.FAILED, "REFUSED"),
        (_failed("nonsense"), ReceiptState.FAILED, "REFUSED"),
        (_failed("5.1.8"), ReceiptState.FAILED, "SENDER_REFUSED"),
        (_dsn("Action: delivered", "Status: 2.0.0"), ReceiptState.DELIVERED, ""),
        (_dsn("Action: relayed (to a server that tells no more)", "Status: 2.0.0"), ReceiptState.SENT, ""),
        (
            notices.complaint(sender=TO, recipient="a@b.example", original=b"X: y\n\n"),
            ReceiptState.COMPLAINED,
            "ABUSE",
        ),
        (
            notices.bounce(sender=TO, recipient="a@b.example", answer="550 5.1.1 no", original=b"X: y\n\n"),
            ReceiptState.BAD_CONTACT,
            "NO_SUCH_MAILBOX",
        ),
    ],
)
def test_a_notice_says(raw: bytes, state: ReceiptState, reason: str):
    assert receipts_from_message(raw) == [Receipt(state, key=KEY, reason=reason)]


def test_a_delay_says_nothing_yet():
    assert understand(_dsn("Action: delayed", "Status: 4.4.1")) == []


def test_an_alias_that_reached_one_of_its_people_reached():
    raw = _dsn(
        "Action: failed",
        "Status: 5.1.1",
        "",
        "Final-Recipient: rfc822; c@d",
        "Action: delivered",
        "Status: 2.0.0",
    )
    assert [receipt.state for receipt in receipts_from_message(raw)] == [ReceiptState.DELIVERED]


@pytest.mark.parametrize(
    "proof",
    [
        {"to": f"X-Original-To: {TO}"},
        {"to": f"To: <{TO.upper()}>"},
        {"to": "To: bounces@utility.example", "path": TO},
        {
            "to": "To: bounces@utility.example",
            "path": f"SRS0=ab=cd=utility.example={TO.split('@')[0]}@forwarder.example",
        },
        {"to": "To: bounces@utility.example", "more": f"X-Tayyar-Key: {TOKEN}\n"},
        {
            "to": "To: bounces@utility.example",
            "returned": "message/rfc822",
            "more": f"X-Tayyar-Key: {TOKEN}\n",
        },
    ],
)
def test_the_key_is_found_wherever_the_token_survived(proof: dict[str, str]):
    (receipt,) = receipts_from_message(_dsn("Action: failed", "Status: 5.1.1", **proof))
    assert receipt.key == KEY


@pytest.mark.parametrize(
    "proof",
    [
        {"to": "To: bounces@utility.example"},
        {"to": f"To: bounces+{KEY.text()}-aaaaaaaa@utility.example"},
        {"to": f"To: bounces+{KEY._replace(ref=1).text()}-{TOKEN[-8:]}@utility.example"},
        {"to": f"To: bounces+{TOKEN}x@utility.example"},
        {"to": f"To: bounces+9{TOKEN}@utility.example"},
        {"to": "To: bounces@utility.example", "more": f"\nX-Tayyar-Key: {TOKEN}\n"},
    ],
)
def test_without_a_true_token_nothing_is_believed(proof: dict[str, str]):
    assert understand(_dsn("Action: failed", "Status: 5.1.1", **proof)) is None


@pytest.mark.parametrize(
    ("sender", "words", "expected"),
    [
        (
            "MAILER-DAEMON@old.example",
            "<a@b>:\nRemote host said: 550 5.1.1 no user",
            ReceiptState.BAD_CONTACT,
        ),
        ("postmaster@old.example", "The server answered: 554-5.7.1 spam", ReceiptState.FAILED),
        ("MAILER-DAEMON@old.example", "Still trying. 450 4.2.0 greylisted", None),
        ("sara@b.example", "I am on holiday. Call 550 5.1.1", None),
        ("MAILER-DAEMON@old.example", "Your mail could not be delivered.", None),
    ],
)
def test_a_bounce_in_plain_words_is_believed_when_a_mailer_gives_a_code(sender, words, expected):
    raw = f"Delivered-To: {TO}\nFrom: {sender}\nSubject: failure notice\n\n{words}\n".encode()
    assert [receipt.state for receipt in receipts_from_message(raw)] == ([expected] if expected else [])


def test_a_complaint_that_is_none_says_nothing():
    raw = notices.complaint(sender=TO, recipient="a@b.example", original=b"\n")
    assert understand(raw.replace(b"Feedback-Type: abuse", b"Feedback-Type: not-spam")) == []


def test_a_complaint_without_an_address_of_ours_is_known_by_the_mail_it_returns():
    raw = notices.complaint(
        sender=TO, recipient="a@b.example", original=f"X-Tayyar-Key: {TOKEN}\n\n".encode()
    )
    raw = raw.replace(TO.encode(), b"redacted@x.example")
    assert receipts_from_message(raw) == [Receipt(ReceiptState.COMPLAINED, key=KEY, reason="ABUSE")]


@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(raw: bytes):
    assert receipts_from_message(raw) == []
    receipts_from_message(f"Delivered-To: {TO}\nContent-Type: multipart/report; boundary=B\n".encode() + raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5000)),
        b"Content-Type: message/rfc822\n\n" * 8000,
        b"To: " + b"1.1.1.1.1.1-" * 20_000 + b"\n\n",
        b"To: " + b"1" * 250_000 + b"\n\n",
        b"".join(b"To: bounces+%d.1.1.1.1.1-aaaaaaaa@x\n" % n for n in range(7000)) + b"\n",
        b"From: MAILER-DAEMON@x\nTo: " + TO.encode() + b"\n\n" + b"550-" * 60_000,
        _dsn("Action: failed", "Diagnostic-Code: " + "550 5." * 40_000),
    ],
)
def test_a_mail_made_to_be_slow_is_read_quickly(raw: bytes):
    began = time.process_time()
    understand(raw)
    assert time.process_time() - began < 1


def test_a_notice_with_a_huge_mail_behind_it_is_still_understood():
    raw = _dsn(
        "Action: failed", "Status: 5.1.1", returned="message/rfc822", more="\n" + "x" * 70 + "\n" * MAX_BYTES
    )
    assert receipts_from_message(raw)[0].state is ReceiptState.BAD_CONTACT
