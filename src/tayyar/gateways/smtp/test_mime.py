"""A composed mail, read back by the standard library, is what was meant."""

import datetime as dt
from email import message_from_bytes, policy
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from tayyar.gateways.smtp.mime import compose
from tayyar.notifications.ports import DeliveryKey, Outgoing

KEY = DeliveryKey(202611, 1, 261100000001234, 0, 0, 1)
DATED = dt.datetime(2026, 11, 28, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=3)))


def _mail(**changes: str) -> Outgoing:
    words = {"sender_name": "الكهرباء", "subject": "فاتورة", "text": "نص\n", "html": "<p>نص</p>"} | changes
    return Outgoing(key=KEY, address_sealed=b"", language="ar", message_id="f00", dated=DATED, **words)


def _read(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage) and not mail.defects
    return mail


def test_headers_say_who_what_when_and_that_a_machine_wrote_it():
    mail = _read(compose(_mail(), sender="bills@tayyar.example", to="a@b.example"))
    assert mail["From"] == "الكهرباء <bills@tayyar.example>"
    assert mail["To"] == "a@b.example"
    assert mail["Date"].datetime == DATED
    assert mail["Message-ID"] == "<f00@tayyar.example>"
    assert mail["Content-Language"] == "ar"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_text_comes_first_and_html_is_its_alternative():
    mail = _read(compose(_mail(), sender="s@s.example", to="a@b.example"))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=120),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300),
)
def test_any_words_survive_and_every_line_is_short(words: str, body: str):
    raw = compose(_mail(subject="ف" + words, text=body, html=body), sender="s@s.example", to="a@b.example")
    assert all(len(line) <= 78 for line in raw.split(b"\r\n")) and b"\n" not in raw.replace(b"\r\n", b"")
    mail = _read(raw)
    assert mail["Subject"] == "ف" + words
    for part in mail.iter_parts():
        assert part.get_payload(decode=True).decode() == body.replace("\n", "\r\n")


@given(st.text(max_size=60))
def test_no_subject_or_name_can_add_a_header(words: str):
    words = words.encode("utf-8", "ignore").decode() + "\r\nBcc: evil@x.example"
    raw = compose(_mail(subject=words, sender_name=words), sender="s@s.example", to="a@b.example")
    assert b"\r\nBcc" not in raw and b"\nBcc" not in raw


def test_an_english_subject_stays_readable_on_the_wire():
    raw = compose(
        _mail(subject="Bill: 12.00", sender_name='The "Power" Co'), sender="s@s.example", to="a@b.example"
    )
    assert b"\r\nSubject: Bill: 12.00\r\n" in raw
    assert _read(raw)["From"].addresses[0].display_name == 'The "Power" Co'
