"""A composed mail, read back by the standard library, is what was meant."""

import datetime as dt
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.gateways.smtp.mime import compose
from tayyar.notifications.ports import Attachment, DeliveryKey, EmailContent, Outgoing

KEY = DeliveryKey(202611, 1, 261100000001234, 0, 0, 1)
DATED = dt.datetime(2026, 11, 28, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=3)))


def _compose(*, sender: str = "s@s.example", **changes: object) -> bytes:
    words = {"sender_name": "الكهرباء", "subject": "فاتورة", "text": "نص\n", "html": "<p>نص</p>"} | changes
    content = EmailContent(**words)
    mail = Outgoing(KEY, b"", "ar", content, "f00", DATED)
    return compose(
        mail, content, sender=sender, to="a@b.example", provider="mta", token="1.2.3.4.5.6-abcdefgh"
    )


def _read(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage) and not mail.defects
    return mail


def test_headers_say_who_what_when_and_that_a_machine_wrote_it():
    mail = _read(_compose(sender="bills@tayyar.example"))
    assert mail["From"] == "الكهرباء <bills@tayyar.example>"
    assert mail["To"] == "a@b.example"
    assert mail["Date"].datetime == DATED
    assert mail["Message-ID"] == "<f00@tayyar.example>"
    assert mail["Content-Language"] == "ar"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_text_comes_first_and_html_is_its_alternative():
    mail = _read(_compose())
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=120),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300),
)
def test_any_words_survive_and_every_line_is_short(words: str, body: str):
    raw = _compose(subject="ف" + words, text=body, html=body)
    assert all(len(line) <= 78 for line in raw.split(b"\r\n")) and b"\n" not in raw.replace(b"\r\n", b"")
    mail = _read(raw)
    assert mail["Subject"] == "ف" + words
    for part in mail.iter_parts():
        assert part.get_payload(decode=True).decode() == body.replace("\n", "\r\n")


@given(st.text(max_size=60))
def test_no_subject_or_name_can_add_a_header(words: str):
    words = words.encode("utf-8", "ignore").decode() + "\r\nBcc: evil@x.example"
    raw = _compose(subject=words, sender_name=words)
    assert b"\r\nBcc" not in raw and b"\nBcc" not in raw


def test_an_english_subject_stays_readable_on_the_wire():
    raw = _compose(subject="Bill: 12.00", sender_name='The "Power" Co')
    assert b"\r\nSubject: Bill: 12.00\r\n" in raw
    assert _read(raw)["From"].addresses[0].display_name == 'The "Power" Co'


def test_a_bill_goes_along_behind_the_words():
    data = bytes(range(256)) * 40
    files = (
        Attachment("bill.pdf", "application/pdf", data),
        Attachment('فاتورة "1".pdf', "application/pdf", b""),
    )
    mail = _read(_compose(attachments=files))
    assert mail.get_content_type() == "multipart/mixed"
    assert mail.get_body(("html",)).get_content() == "<p>نص</p>"
    found = list(mail.iter_attachments())
    assert [part.get_filename() for part in found] == ["bill.pdf", 'فاتورة "1".pdf']
    assert [part.get_content() for part in found] == [data, b""]


def test_the_readers_choice_is_one_click_away_where_the_page_is_https():
    mail = _read(_compose(preferences_url="https://x.example/p/Abc_-1?l=ar"))
    assert mail["List-Unsubscribe"] == "<https://x.example/p/Abc_-1?l=ar>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain = _read(_compose(preferences_url="http://127.0.0.1:8000/p/a"))
    assert plain["List-Unsubscribe"] == "<http://127.0.0.1:8000/p/a>" and "List-Unsubscribe-Post" not in plain
    assert "List-Unsubscribe" not in _read(_compose())


def test_a_complaint_can_be_told_by_its_headers():
    mail = _read(_compose())
    assert mail["X-Tayyar-Key"] == "1.2.3.4.5.6-abcdefgh"
    assert mail["Feedback-ID"] == "202611:1:mta:s.example"


@pytest.mark.parametrize(
    "changes",
    [
        {"preferences_url": "https://x.example/\r\nBcc: evil@x.example"},
        {"preferences_url": "https://x.example/> <mailto:a@b.example"},
        {"attachments": (Attachment("a.pdf", "text/html\r\nX: y", b""),)},
        {"text": "\ud800"},
    ],
)
def test_what_cannot_stand_in_a_mail_is_refused(changes: dict[str, object]):
    with pytest.raises(ValueError):
        _compose(**changes)


def test_a_long_english_subject_is_folded_and_reads_the_same():
    words = "Your bill " + "of many words " * 20
    raw = _compose(subject=words)
    assert max(map(len, raw.split(b"\r\n"))) <= 78 and _read(raw)["Subject"] == words


def test_words_that_look_encoded_are_not_decoded_by_the_reader():
    assert _read(_compose(subject="=?utf-8?q?paid?="))["Subject"] == "=?utf-8?q?paid?="
