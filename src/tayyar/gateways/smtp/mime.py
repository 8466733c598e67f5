"""A mail's bytes: headers, then text and HTML as alternatives, both in base64.

Written by hand because email.message needs ten times as long, which would be most of the cost of sending;
test_mime.py reads the result back with the standard library's parser.
"""

import base64
import datetime as dt
import hashlib
from email.utils import format_datetime

from tayyar.notifications.ports import OutgoingEmail

_WORD_BYTES = 42  # encoded words must stay within 75 characters: 42 bytes give 56 of base64 and 12 of frame


def compose(mail: OutgoingEmail, *, sender: str, to: str) -> bytes:
    """The whole mail with CRLF line ends, no line above 78 characters but those an address makes longer."""
    boundary = "=_" + hashlib.blake2b(mail.message_id.encode(), digest_size=12).hexdigest()
    headers = (
        f"From: {_phrase(mail.sender_name)} <{sender}>\r\n"
        f"To: {to}\r\n"
        f"Subject: {_words(mail.subject)}\r\n"
        f"Date: {format_datetime(mail.dated.astimezone(dt.UTC))}\r\n"
        f"Message-ID: <{mail.message_id}@{sender.rpartition('@')[2]}>\r\n"
        f"Content-Language: {mail.language}\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
    )
    parts = [headers.encode("ascii")]
    for subtype, body in (("plain", mail.text), ("html", mail.html)):
        head = (
            f"\r\n--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n"
        )
        parts += [
            head.encode("ascii"),
            base64.encodebytes(body.replace("\n", "\r\n").encode()).replace(b"\n", b"\r\n"),
        ]
    parts.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
    return b"".join(parts)


def _phrase(name: str) -> str:
    """A display name: quoted when ASCII, encoded otherwise."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' if _is_plain(name) else _words(name)


def _words(text: str) -> str:
    """ASCII as it is; other text as RFC 2047 encoded words, one a line, each of whole characters."""
    if _is_plain(text):
        return text
    words, current = [], b""
    for letter in text:
        encoded = letter.encode()
        if len(current) + len(encoded) > _WORD_BYTES:
            words.append(current)
            current = b""
        current += encoded
    words.append(current)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)


def _is_plain(text: str) -> bool:
    """Printable ASCII; so a line break can never end a header early."""
    return text.isascii() and text.isprintable()
