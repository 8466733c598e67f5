"""SMPP 3.4 on the wire: PDUs to octets and back. No sockets, no state.

Whatever comes from outside is bounded and checked; CodecError means that the stream can no longer be trusted and
its connection has to go. Fast paths first: these functions run several times for every message.
"""

import struct
from typing import Final, NamedTuple

GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x00000001
BIND_TRANSMITTER: Final = 0x00000002
BIND_TRANSCEIVER: Final = 0x00000009
SUBMIT_SM: Final = 0x00000004
DELIVER_SM: Final = 0x00000005
UNBIND: Final = 0x00000006
ENQUIRE_LINK: Final = 0x00000015
RESPONSE: Final = 0x80000000  # added to a command's number by its answer
SUBMIT_SM_RESP: Final = SUBMIT_SM | RESPONSE
DELIVER_SM_RESP: Final = DELIVER_SM | RESPONSE
BIND_COMMANDS: Final = (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER)

RECEIPTED_MESSAGE_ID: Final = 0x001E
NETWORK_ERROR_CODE: Final = 0x0423
MESSAGE_PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427

UDHI: Final = 0x40  # esm_class: the text begins with a header
RECEIPT_TYPES: Final = 0x24  # esm_class: a receipt, or one on the way
LARGEST_PDU: Final = 65_536
LARGEST_SEQUENCE: Final = 0x7FFFFFFF
_INTERFACE: Final = 0x34

_HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")
pack_header = _HEADER.pack


class CodecError(ValueError):
    """What came is no SMPP."""


class Pdu(NamedTuple):
    """One PDU; `body` is what follows the header."""

    command: int
    status: int
    sequence: int
    body: bytes


class ShortMessage(NamedTuple):
    """The body of a submit_sm or deliver_sm. Addresses are as sent, without their types."""

    source: str
    destination: str
    esm_class: int
    validity: str
    registered_delivery: int
    data_coding: int
    text: bytes
    tlvs: bytes

    def octets(self) -> bytes:
        """The text, wherever it travelled: long ones come as message_payload."""
        return self.text or parse_tlvs(self.tlvs).get(MESSAGE_PAYLOAD, b"")


class Bind(NamedTuple):
    """The body of a bind request."""

    system_id: str
    password: str


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """A whole PDU."""
    return pack_header(16 + len(body), command, status, sequence) + body


def split(buffer: bytes | bytearray) -> tuple[list[Pdu], int]:
    """(the whole PDUs at the beginning of `buffer`, how many octets they take). CodecError for a length that no PDU
    has: without it nothing tells where the next one begins."""
    found: list[Pdu] = []
    add, unpack, make = found.append, _HEADER.unpack_from, Pdu._make
    start, end = 0, len(buffer)
    while end - start >= 16:
        length, command, status, sequence = unpack(buffer, start)
        if not 16 <= length <= LARGEST_PDU:
            raise CodecError(f"a PDU of {length} octets")
        if end - start < length:
            break
        add(make((command, status, sequence, bytes(buffer[start + 16 : start + length]))))
        start += length
    return found, start


def cstring(body: bytes, *, most: int = 65) -> str:
    """The text up to the first zero octet, as in submit_sm_resp; a missing zero is forgiven."""
    end = body.find(0)
    return (body if end < 0 else body[:end])[:most].decode("ascii", "replace")


def bind_body(system_id: str, password: str) -> bytes:
    """Body of a bind request: no system type, any address."""
    return b"%s\0%s\0\0%c\0\0\0" % (system_id.encode(), password.encode(), _INTERFACE)


def parse_bind(body: bytes) -> Bind:
    """What a bind request says. CodecError when it is cut short."""
    fields = body.split(b"\0", 2)
    if len(fields) < 3:
        raise CodecError("a bind cut short")
    return Bind(fields[0].decode("ascii", "replace"), fields[1].decode("ascii", "replace"))


def short_message_body(
    *,
    source: str,
    source_ton: int,
    source_npi: int,
    destination: str,
    destination_ton: int = 1,
    destination_npi: int = 1,
    esm_class: int = 0,
    validity: str = "",
    registered_delivery: int = 0,
    data_coding: int = 0,
    text: bytes = b"",
    tlvs: bytes = b"",
) -> bytes:
    """Body of a submit_sm or deliver_sm. `text` holds at most 254 octets; longer ones go as message_payload."""
    if len(text) > 254:
        text, tlvs = b"", tlvs + tlv(MESSAGE_PAYLOAD, text)
    return b"".join(
        (
            message_head(source, source_ton, source_npi, destination_ton, destination_npi),
            destination.encode(),
            message_middle(esm_class, validity, registered_delivery, data_coding),
            bytes((len(text),)),
            text,
            tlvs,
        )
    )


def message_head(
    source: str, source_ton: int, source_npi: int, destination_ton: int, destination_npi: int
) -> bytes:
    """What stands before the destination: the same for every message of a sender."""
    return b"\0%c%c%s\0%c%c" % (source_ton, source_npi, source.encode(), destination_ton, destination_npi)


def message_middle(esm_class: int, validity: str, registered_delivery: int, data_coding: int) -> bytes:
    """What stands between the destination and the text's length."""
    return b"\0%c\0\0\0%s\0%c\0%c\0" % (esm_class, validity.encode(), registered_delivery, data_coding)


def parse_short_message(body: bytes) -> ShortMessage:
    """What a submit_sm or deliver_sm says. CodecError when it is cut short or its lengths are not true."""
    try:
        at = body.index(0) + 3  # past service_type, source TON and NPI
        end = body.index(0, at)
        source = body[at:end].decode("ascii", "replace")
        at = end + 3
        end = body.index(0, at)
        destination = body[at:end].decode("ascii", "replace")
        esm_class = body[end + 1]
        end = body.index(0, end + 4)  # past protocol_id, priority and the schedule
        at = end + 1
        end = body.index(0, at)
        validity = body[at:end].decode("ascii", "replace")
        length = body[end + 5]
        at = end + 6
        if at + length > len(body):
            raise CodecError("a text shorter than its length")
        return ShortMessage(
            source,
            destination,
            esm_class,
            validity,
            body[end + 1],
            body[end + 3],
            body[at : at + length],
            body[at + length :],
        )
    except (ValueError, IndexError) as error:
        raise error if isinstance(error, CodecError) else CodecError("a message cut short") from None


def tlv(tag: int, value: bytes) -> bytes:
    """One optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def parse_tlvs(octets: bytes) -> dict[int, bytes]:
    """Optional parameters by tag; the first of a tag counts. What is cut short at the end is left out: everything
    that can be read was, and the message around it is sound."""
    found: dict[int, bytes] = {}
    at, end = 0, len(octets)
    while end - at >= 4:
        tag, length = _TLV.unpack_from(octets, at)
        at += 4
        if at + length > end:
            break
        found.setdefault(tag, octets[at : at + length])
        at += length
    return found
