"""A mail's bytes: headers, text and HTML as alternatives in base64, and the files that go with them.

Written by hand because email.message needs ten times as long, which would be most of the cost of sending;
test_mime.py reads the result back with the standard library's parser. Nothing given to it can add a header.
"""

import base64
import datetime as dt
import functools
import hashlib
import re
from email.utils import format_datetime
from urllib.parse import quote

from tayyar.gateways.smtp import verp
from tayyar.notifications.ports import Attachment, EmailContent, Outgoing

_WORD_BYTES = 42  # encoded words must stay within 75 characters: 42 bytes give 56 of base64 and 12 of frame
_PLAIN_LETTERS = 60  # longer ones are folded, which only encoded words can be at any place
_LINE_BYTES = 57  # 76 characters of base64
_NAME_LETTERS = 100
_TOKEN = re.compile(r"[A-Za-z0-9.@_+-]{1,100}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,60}")
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_URL = re.compile(r"https?://[!#-;=?-Z_a-z~\[\]%]{1,800}")


def compose(
    mail: Outgoing, content: EmailContent, *, sender: str, to: str, provider: str, token: str
) -> bytes:
    """The whole mail with CRLF line ends; `token` is the attempt's (verp.py). ValueError when a part of it cannot stand
    in a header, or is no text."""
    domain = sender.rpartition("@")[2]
    name = hashlib.blake2b(mail.message_id.encode(), digest_size=12).hexdigest()
    headers = (
        f"From: {_phrase(content.sender_name)} <{sender}>\r\n"
        f"To: {to}\r\n"
        f"Subject: {_words(content.subject)}\r\n"
        f"Date: {_date(mail.dated)}\r\n"
        f"Message-ID: <{_checked(_TOKEN, mail.message_id)}@{domain}>\r\n"
        f"Content-Language: {_checked(_TOKEN, mail.language)}\r\n"
        "Auto-Submitted: auto-generated\r\n"
        f"Feedback-ID: {mail.key.period}:{mail.key.kind}:{provider}:{domain}\r\n"
        f"{verp.HEADER}: {token}\r\n"
        f"{_unsubscribe(content.preferences_url)}"
        "MIME-Version: 1.0\r\n"
    )
    parts = [headers.encode("ascii")]
    if content.attachments:
        parts.append(
            f'Content-Type: multipart/mixed; boundary="=_{name}M"\r\n\r\n--=_{name}M\r\n'.encode("ascii")
        )
    parts.append(f'Content-Type: multipart/alternative; boundary="=_{name}A"\r\n'.encode("ascii"))
    for subtype, body in (("plain", content.text), ("html", content.html)):
        head = (
            f"\r\n--=_{name}A\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n"
        )
        parts += [head.encode("ascii"), _base64(body.replace("\n", "\r\n").encode())]
    parts.append(f"\r\n--=_{name}A--\r\n".encode("ascii"))
    for attachment in content.attachments:
        parts += [
            f"\r\n--=_{name}M\r\n{_file_head(attachment)}\r\n".encode("ascii"),
            _base64(attachment.data),
        ]
    if content.attachments:
        parts.append(f"\r\n--=_{name}M--\r\n".encode("ascii"))
    return b"".join(parts)


def _unsubscribe(url: str) -> str:
    """RFC 2369 and, where the page is https as RFC 8058 wants, the one-click header."""
    if not url:
        return ""
    header = f"List-Unsubscribe: <{_checked(_URL, url)}>\r\n"
    if url.startswith("https:"):
        header += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return header


def _file_head(attachment: Attachment) -> str:
    name = attachment.filename[:_NAME_LETTERS]
    named = f'filename="{name}"' if _FILE_NAME.fullmatch(name) else f"filename*=utf-8''{quote(name, safe='')}"
    return (
        f"Content-Type: {_checked(_MEDIA_TYPE, attachment.media_type)}\r\n"
        f"Content-Disposition: attachment;\r\n {named}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
    )


def _base64(data: bytes) -> bytes:
    """In lines of 76, which also means that no line can begin with a dot."""
    encoded = base64.b64encode(data)
    width = _LINE_BYTES // 3 * 4
    lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
    return b"\r\n".join([*lines, b""])


@functools.lru_cache(maxsize=8)
def _date(moment: dt.datetime) -> str:
    return format_datetime(moment.astimezone(dt.UTC))


@functools.lru_cache(maxsize=64)
def _phrase(name: str) -> str:
    """A display name: quoted when ASCII, encoded otherwise."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' if _is_plain(name) else _words(name)


def _words(text: str) -> str:
    """Short ASCII as it is; other text as RFC 2047 encoded words, one a line, each of whole characters."""
    if _is_plain(text):
        return text
    encoded, words, start = text.encode(), [], 0
    while start < len(encoded):
        end = min(start + _WORD_BYTES, len(encoded))
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:  # in the middle of a character
            end -= 1
        words.append(encoded[start:end])
        start = end
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)


def _is_plain(text: str) -> bool:
    """Printable ASCII that reads back as itself; so a line break can never end a header early."""
    return (
        text.isascii()
        and text.isprintable()
        and len(text) <= _PLAIN_LETTERS
        and "=?" not in text
        and text == text.strip()
    )


def _checked(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"{value!r} cannot stand in a mail's header")
    return value
