"""Receipts by TLV and by text, in all the spellings that occur."""

import pytest

from tayyar.gateways.smpp import codec
from tayyar.gateways.smpp.codec import parse_short_message, short_message_body, tlv
from tayyar.gateways.smpp.codes import ERRORS
from tayyar.gateways.smpp.receipts import IdSpelling, ReceiptIds, canonical, read_receipt, state_and_reason
from tayyar.notifications.ports import ReceiptState

USUAL = (
    "id:6979472133000356212 sub:001 dlvrd:001 submit date:2611211843 done date:2611211843 "
    "stat:DELIVRD err:000 Text:x"
)


def _read(text: str = "", *, esm_class: int = 4, tlvs: bytes = b""):
    body = short_message_body(
        source="966512345678", source_ton=1, source_npi=1, destination="Tayyar", esm_class=esm_class,
        text=text.encode(), tlvs=tlvs,
    )  # fmt: skip
    return read_receipt(parse_short_message(body))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (USUAL, ("6979472133000356212", "DELIVRD", "000")),
        ("ID:0A1B STAT:undeliv ERR:001", ("0A1B", "UNDELIV", "001")),
        ("stat:EXPIRED id:77", ("77", "EXPIRED", "")),
        ("id: 77 done date: 2611211843 stat: REJECTD err: 8 text: id:1 stat:DELIVRD", ("77", "REJECTD", "8")),
        ("id:77 stat:DELIVERED", ("77", "DELIVRD", "")),
        ("id:77", None),
        ("stat:DELIVRD", None),
        ("id:77 stat:NOTHING", None),
        ("", None),
    ],
)
def test_texts_in_any_case_and_order(text: str, expected: tuple[str, ...] | None):
    assert _read(text) == expected


def test_an_observed_receipt():
    assert _read(USUAL, tlvs=tlv(0x1E, b"6979472133000356212\0")).message_id == "6979472133000356212"


def test_tlvs_count_before_the_text():
    tlvs = tlv(codec.RECEIPTED_MESSAGE_ID, b"0A1B\0") + tlv(codec.MESSAGE_STATE, b"\x05")
    assert _read("id:2587 stat:DELIVRD err:001", tlvs=tlvs) == ("0A1B", "UNDELIV", "001")
    assert _read(tlvs=tlvs + tlv(codec.NETWORK_ERROR_CODE, b"\x03\x00\x06")) == ("0A1B", "UNDELIV", "6")


def test_a_text_too_long_for_its_field_is_read_from_the_payload():
    assert _read(f"{USUAL}{'x' * 300}") == ("6979472133000356212", "DELIVRD", "000")


def test_a_phone_cannot_write_a_receipt():
    assert _read(USUAL, esm_class=0) is None
    assert _read("", esm_class=0, tlvs=tlv(0x1E, b"9\0") + tlv(0x0427, b"\x02")) is not None


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        ("stat:DELIVRD err:001", ReceiptState.DELIVERED, ""),
        ("stat:ACCEPTD", ReceiptState.SENT, ""),
        ("stat:ENROUTE", ReceiptState.SENT, ""),
        ("stat:EXPIRED err:006", ReceiptState.EXPIRED, "EXPIRED"),
        ("stat:DELETED", ReceiptState.FAILED, "DELETED"),
        ("stat:UNKNOWN", ReceiptState.FAILED, "STATE_UNKNOWN"),
        ("stat:REJECTD err:000", ReceiptState.FAILED, "REJECTED"),
        ("stat:UNDELIV err:006", ReceiptState.FAILED, "PHONE_OFF"),
        ("stat:UNDELIV err:999", ReceiptState.FAILED, "UNDELIVERABLE"),
        ("stat:UNDELIV err:001", ReceiptState.BAD_CONTACT, "NO_SUCH_NUMBER"),
    ],
)
def test_states_and_errors_are_data(text: str, state: ReceiptState, reason: str):
    assert state_and_reason(_read(f"id:1 {text}"), ERRORS) == (state, reason)


@pytest.mark.parametrize(
    ("spelling", "answered", "receipted"),
    [
        (IdSpelling.SAME, "0a1b", "A1B"),
        (IdSpelling.DECIMAL_TO_HEX, "0A1B", "2587"),
        (IdSpelling.DECIMAL_TO_HEX, "00001000", "4096"),
        (IdSpelling.HEX_TO_DECIMAL, "2587", "0a1b"),
        (IdSpelling.SAME, "b0c1-f", "b0c1-f"),
        (IdSpelling.AUTO, "0A1B", "2587"),
        (IdSpelling.AUTO, "2587", "00000A1B"),
        (IdSpelling.AUTO, "0A1B", "a1b"),
    ],
)
def test_identifiers_match_whatever_their_base(spelling: IdSpelling, answered: str, receipted: str):
    ids = ReceiptIds(spelling)
    stored = ids.answered(answered)
    ids.learn([receipted])
    assert ids.receipted(receipted) == stored == canonical(answered)


def test_what_was_learnt_holds_for_identifiers_never_seen():
    ids = ReceiptIds(IdSpelling.AUTO)
    for number in range(0xA00, 0xA20):
        ids.answered(f"{number:X}")
        ids.learn([str(number)])
    assert ids.spelling is IdSpelling.DECIMAL_TO_HEX
    assert ids.receipted(str(0x1000)) == "1000"


def test_an_identifier_that_could_be_two_messages_teaches_nothing():
    ids = ReceiptIds(IdSpelling.AUTO)
    for answered in ("10", "A"):  # decimal "10" may be either
        ids.answered(answered)
    ids.learn(["10"] * 20)
    assert ids.spelling is IdSpelling.AUTO


def test_the_memory_of_answers_is_bounded():
    ids = ReceiptIds(IdSpelling.AUTO)
    for number in range(10_000):
        ids.answered(str(number))
    assert len(ids._answered) == ReceiptIds._REMEMBERED
