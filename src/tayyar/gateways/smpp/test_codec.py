"""PDUs there and back, and whatever garbage comes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tayyar.gateways.smpp import codec
from tayyar.gateways.smpp.codec import CodecError

NUMBERS = st.text("0123456789", min_size=1, max_size=20)
PDUS = st.lists(
    st.tuples(
        st.sampled_from([codec.SUBMIT_SM, codec.SUBMIT_SM_RESP, codec.DELIVER_SM, codec.ENQUIRE_LINK]),
        st.integers(0, 0xFFFFFFFF),
        st.integers(1, codec.LARGEST_SEQUENCE),
        st.binary(max_size=300),
    ),
    max_size=20,
)


@given(PDUS, st.lists(st.integers(1, 200), max_size=30))
def test_pdus_read_back_however_the_stream_is_cut(pdus, cuts):
    stream = b"".join(codec.pdu(*pdu) for pdu in pdus)
    found, unread = [], b""
    for cut in [*cuts, len(stream)]:
        unread, stream = unread + stream[:cut], stream[cut:]
        part, used = codec.split(unread)
        found += part
        unread = unread[used:]
    rest, used = codec.split(unread + stream)
    assert [tuple(pdu) for pdu in found + rest] == pdus


@given(
    source=st.text("ABCabc 0123", max_size=11),
    destination=NUMBERS,
    esm_class=st.integers(0, 255),
    validity=st.sampled_from(["", "000000001000000R"]),
    registered=st.integers(0, 255),
    coding=st.integers(0, 255),
    text=st.binary(max_size=400),
    tlvs=st.dictionaries(st.integers(0x1000, 0x1FFF), st.binary(max_size=70), max_size=4),
)
def test_a_message_reads_back(source, destination, esm_class, validity, registered, coding, text, tlvs):
    body = codec.short_message_body(
        source=source,
        source_ton=5,
        source_npi=0,
        destination=destination,
        esm_class=esm_class,
        validity=validity,
        registered_delivery=registered,
        data_coding=coding,
        text=text,
        tlvs=b"".join(codec.tlv(tag, value) for tag, value in tlvs.items()),
    )
    message = codec.parse_short_message(body)
    assert message[:6] == (source, destination, esm_class, validity, registered, coding)
    assert message.octets() == text
    found = codec.parse_tlvs(message.tlvs)
    assert {tag: found[tag] for tag in tlvs} == tlvs
    assert (codec.MESSAGE_PAYLOAD in found) == (len(text) > 254)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_codec_error(octets):
    for read in (codec.split, codec.parse_short_message, codec.parse_bind):
        with contextlib.suppress(CodecError):
            read(octets)
    codec.parse_tlvs(octets)
    codec.cstring(octets)


@pytest.mark.parametrize("length", [0, 15, codec.LARGEST_PDU + 1, 0xFFFFFFFF])
def test_a_length_that_no_pdu_has_is_the_end_of_the_stream(length: int):
    with pytest.raises(CodecError):
        codec.split(codec.pack_header(length, codec.ENQUIRE_LINK, 0, 1))


def test_a_submit_is_the_octets_of_the_specification():
    body = codec.short_message_body(
        source="Tayyar",
        source_ton=5,
        source_npi=0,
        destination="966512345678",
        registered_delivery=1,
        text=b"hi",
    )
    assert body == (
        b"\0"  # service_type
        b"\x05\x00Tayyar\0"
        b"\x01\x01966512345678\0"
        b"\x00\x00\x00"  # esm_class, protocol_id, priority
        b"\0\0"  # schedule, validity
        b"\x01\x00\x00\x00"  # registered_delivery, replace, data_coding, default message
        b"\x02hi"
    )


def test_a_bind_reads_back():
    assert codec.parse_bind(codec.bind_body("user", "secret")) == ("user", "secret")
