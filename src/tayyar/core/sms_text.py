"""The text of a short message as octets: GSM-7 where the text permits, else UCS-2, split as 3GPP TS 23.040 asks.

It owns alphabets, lengths and the header of a part; it knows no protocol and keeps no state. Septets stay one to an
octet, as SMPP takes them. Next: gateways/smpp hands the parts over; a template's editor shows `describe`.
"""

import codecs
from typing import Literal, NamedTuple

from tayyar.core.errors import UserError

Encoding = Literal["GSM7", "UCS2"]

MOST_PARTS = 255
_ESCAPE = "\x1b"
# 3GPP TS 23.038, 6.2.1: the default alphabet in the order of its codes, and its extension table (code -> character).
_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\n": "\f", "Λ": "^", "(": "{", ")": "}", "/": "\\", "<": "[", "=": "~", ">": "]", "¡": "|", "e": "€",
}  # fmt: skip
_DEFAULT_TABLE = codecs.charmap_build(_DEFAULT + "\ufffe" * 128)  # U+FFFE: "undefined" to the charmap codec
_TO_ESCAPED = str.maketrans({shown: _ESCAPE + base for base, shown in _EXTENSION.items()})
_SHOWN = {ord(base): shown for base, shown in _EXTENSION.items()}


class SmsText(NamedTuple):
    """A text ready to be handed over: its encoding and the octets of each part, without headers."""

    encoding: Encoding
    parts: tuple[bytes, ...]


class SmsDescription(NamedTuple):
    """What an editor shows. `length` and `left` count septets (GSM7) or 16-bit units (UCS2); `left` fit in the last
    part before another one is charged."""

    encoding: Encoding
    length: int
    segments: int
    left: int


class _Limits(NamedTuple):
    """Octets: all alone, in a part beside a header, and of one unit."""

    alone: int
    in_part: int
    unit: int


_LIMITS: dict[Encoding, _Limits] = {"GSM7": _Limits(160, 153, 1), "UCS2": _Limits(140, 134, 2)}


def encode_sms(text: str) -> SmsText:
    """`text` in as few parts as may be. UserError: more than 255 parts, or half a character (a lone surrogate)."""
    encoding, octets = _octets(text)
    limits = _LIMITS[encoding]
    if len(octets) <= limits.alone:
        return SmsText(encoding, (octets,))
    return SmsText(encoding, tuple(_split(octets, encoding, limits.in_part)))


def segments(text: str) -> int:
    """In how many parts `text` travels, which is what a provider charges. UserError as `encode_sms`."""
    return len(encode_sms(text).parts)


def describe(text: str) -> SmsDescription:
    """Encoding, length, segments and room left of `text`. UserError as `encode_sms`."""
    encoding, parts = encode_sms(text)
    limits = _LIMITS[encoding]
    room = limits.alone if len(parts) == 1 else limits.in_part
    length = sum(map(len, parts)) // limits.unit
    return SmsDescription(encoding, length, len(parts), (room - len(parts[-1])) // limits.unit)


def with_headers(parts: tuple[bytes, ...], *, reference: int) -> tuple[bytes, ...]:
    """Each part behind the header that lets a phone put them together; `reference` (0-255) tells messages apart."""
    head = b"\x05\x00\x03" + bytes((reference, len(parts)))
    return tuple(head + bytes((number,)) + part for number, part in enumerate(parts, 1))


def decode_sms(encoding: Encoding, octets: bytes) -> str:
    """The text of one part, or of the parts of a message put together; what is no character becomes U+FFFD."""
    if encoding == "UCS2":
        return octets.decode("utf-16-be", "replace")
    shown: list[str] = []
    escaped = False
    for octet in octets:
        base = _DEFAULT[octet] if octet < len(_DEFAULT) else "\ufffd"
        if escaped:
            shown.append(_SHOWN.get(ord(base), base))
            escaped = False
        elif base == _ESCAPE:
            escaped = True
        else:
            shown.append(base)
    return "".join(shown)


def _octets(text: str) -> tuple[Encoding, bytes]:
    if _ESCAPE not in text:  # the escape is no character of its own
        try:
            return "GSM7", codecs.charmap_encode(text, "strict", _DEFAULT_TABLE)[0]
        except UnicodeEncodeError as error:
            if text[error.start] in _EXTENSION.values():
                try:
                    return "GSM7", codecs.charmap_encode(
                        text.translate(_TO_ESCAPED), "strict", _DEFAULT_TABLE
                    )[0]
                except UnicodeEncodeError:
                    pass
    try:
        return "UCS2", text.encode("utf-16-be")
    except UnicodeEncodeError:
        raise UserError(
            "The text of a short message holds half a character. Write that character again."
        ) from None


def _split(octets: bytes, encoding: Encoding, most: int) -> list[bytes]:
    """Parts of at most `most` octets; an escape stays with what it escapes, a surrogate with its other half."""
    parts = []
    start, end = 0, len(octets)
    while start < end:
        cut = min(start + most, end)
        if cut < end:
            if encoding == "GSM7":
                cut -= octets[cut - 1] == 0x1B
            elif 0xD8 <= octets[cut - 2] <= 0xDB:
                cut -= 2
        parts.append(octets[start:cut])
        start = cut
    if len(parts) > MOST_PARTS:
        raise UserError(
            f"A short message has at most {MOST_PARTS} parts; this text needs {len(parts)}. Shorten the text."
        )
    return parts
