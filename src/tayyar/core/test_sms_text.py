"""Alphabets, limits and splitting of short messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core.errors import UserError
from tayyar.core.sms_text import decode_sms, describe, encode_sms, segments, with_headers

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),  # 2 x 153
        ("a" * 307, 3),
        ("€" * 80, 1),  # two septets each
        ("€" * 81, 2),
        ("ف" * 70, 1),
        ("ف" * 71, 2),
        ("ف" * 134, 2),  # 2 x 67
        ("ف" * 135, 3),
        ("a" * 69 + "ف", 1),
        ("😀" * 35, 1),  # two units each
        ("😀" * 36, 2),
    ],
)
def test_segments_follow_the_limits_of_each_alphabet(text: str, count: int):
    assert segments(text) == count


def test_known_octets_of_both_alphabets():
    assert encode_sms("@Àa".replace("À", "à")) == ("GSM7", (b"\x00\x7fa",))
    assert encode_sms("5€") == ("GSM7", (b"5\x1be",))
    assert encode_sms("[^]") == ("GSM7", (b"\x1b<\x1b\x14\x1b>",))
    assert encode_sms("فاتورة") == ("UCS2", (bytes.fromhex("06410627062a0648063106 29".replace(" ", "")),))
    assert encode_sms("ç") == ("UCS2", (b"\x00\xe7",))  # only the capital is in the alphabet
    assert encode_sms("\x1b").encoding == "UCS2"


def test_a_pair_is_never_split():
    escaped = encode_sms("a" * 152 + "€" + "b" * 20)
    assert [len(part) for part in escaped.parts] == [152, 22]
    surrogates = encode_sms("ف" * 66 + "😀" + "ف" * 10)
    assert [len(part) for part in surrogates.parts] == [132, 24]


def test_the_header_numbers_the_parts():
    parts = with_headers((b"x", b"y"), reference=200)
    assert parts == (b"\x05\x00\x03\xc8\x02\x01x", b"\x05\x00\x03\xc8\x02\x02y")


def test_an_editor_sees_what_is_left():
    assert describe("a" * 150) == ("GSM7", 150, 1, 10)
    assert describe("a" * 161) == ("GSM7", 161, 2, 145)  # 153 + 8; 153 - 8 left
    assert describe("ف" * 60) == ("UCS2", 60, 1, 10)
    assert describe("ف" * 71) == ("UCS2", 71, 2, 63)


def test_255_parts_and_no_more():
    assert segments("a" * 153 * 255) == 255
    with pytest.raises(UserError, match="at most 255 parts"):
        encode_sms("a" * (153 * 255 + 1))


def test_half_a_character_is_refused():
    with pytest.raises(UserError, match="half a character"):
        encode_sms("ف\ud83d")


@given(st.text(GSM, max_size=500))
def test_the_gsm_alphabet_reads_back_from_its_parts(text: str):
    encoding, parts = encode_sms(text)
    assert encoding == "GSM7"
    assert "".join(decode_sms("GSM7", part) for part in parts) == text


@given(st.text(max_size=300))
def test_any_text_reads_back_part_by_part_within_the_limits(text: str):
    encoding, parts = encode_sms(text)
    assert "".join(decode_sms(encoding, part) for part in parts) == text
    alone, in_part = (160, 153) if encoding == "GSM7" else (140, 134)
    assert all(len(part) <= (alone if len(parts) == 1 else in_part) for part in parts)
