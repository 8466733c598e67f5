"""The token by which a mail is known again when it comes back: an attempt's key and a MAC that only we can make.

It stands in the envelope's sender (VERP), where a bounce returns it, and in a header, where a complaint does. Whoever
shows it was sent the mail or carried it; nobody else can speak about a message.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator

from tayyar.core.crypto import keys
from tayyar.notifications.ports import DeliveryKey

HEADER = "X-Tayyar-Key"
_PURPOSE = b"tayyar mail key\0"
_MAC_BYTES = 5  # 40 bits: 10^12 forged bounces for one that is believed
_TOKEN = re.compile(r"(?<![0-9.])([0-9]{1,18}(?:\.[0-9]{1,18}){5})-([a-z2-7]{8})(?![a-z0-9])", re.IGNORECASE)


def token(key: DeliveryKey) -> str:
    """ "202611.1.123.0.1.1-k3vq7x2a": fit for the local part of an address, in any case of letters."""
    text = key.text()
    return f"{text}-{_mac(text)}"


def envelope_sender(token: str, bounce_address: str) -> str:
    """bounces@d -> bounces+<token>@d."""
    name, _, domain = bounce_address.rpartition("@")
    return f"{name}+{token}@{domain}"


def proven_keys(text: str) -> Iterator[DeliveryKey]:
    """The keys whose tokens stand in `text` with a true MAC."""
    for match in _TOKEN.finditer(text):
        if hmac.compare_digest(_mac(match[1]), match[2].lower()) and (key := DeliveryKey.parse(match[1])):
            yield key


def _mac(text: str) -> str:
    digest = hmac.digest(keys().links, _PURPOSE + text.encode(), hashlib.sha256)
    return base64.b32encode(digest[:_MAC_BYTES]).decode().lower()
