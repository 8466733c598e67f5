"""Telephone numbers and e-mail addresses: as people type them, as they are stored, and as they may be shown.

Owns the one spelling under which equal addresses are equal. Pure: no database. Next: services.py seals them.
"""

import re

from tayyar.core.errors import UserError
from tayyar.customers.models import Channel

TELEPHONE = (Channel.SMS, Channel.WHATSAPP, Channel.CALL)
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}")
HIDDEN = "•••"


class AddressMistyped(UserError):
    """A text that is no telephone number or e-mail address."""


def clean_address(text: str, *, channel: Channel, calling_code: str = "") -> str:
    """ "+966500000021" of "050 000 0021" (with calling code 966), "s@mail.example" of " S@Mail.example".

    Arabic digits are read too. AddressMistyped says what is wrong.
    """
    return _telephone(text, calling_code) if channel in TELEPHONE else _mail(text)


def masked_address(address: str, *, channel: Channel) -> str:
    """Enough for its owner to know it and for nobody else: "••• 21", "s•••@m•••.example"; empty for a browser."""
    if channel in TELEPHONE:
        return f"{HIDDEN} {address[-2:]}"
    if channel == Channel.EMAIL:
        local, _, domain = address.rpartition("@")
        name, _, top = domain.rpartition(".")
        return f"{local[:1]}{HIDDEN}@{name[:1]}{HIDDEN}.{top}"
    return ""


def _telephone(text: str, calling_code: str) -> str:
    plain = "".join(
        str(int(c)) if c.isdecimal() else c for c in text.strip() if c not in " \u00a0-()./\u200e\u200f"
    )
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    elif not plain.startswith("+") and calling_code:
        is_whole = plain.startswith(calling_code) and len(plain) > len(calling_code) + 7
        plain = "+" + (plain if is_whole else calling_code + plain.removeprefix("0"))
    if not re.fullmatch(r"\+[1-9][0-9]{7,14}", plain, re.ASCII):
        raise AddressMistyped("A telephone number has 8 to 15 digits. Look for a missing or extra digit.")
    return plain


def _mail(text: str) -> str:
    plain = text.strip().lower()
    if len(plain) > 254 or not _EMAIL.fullmatch(plain):
        raise AddressMistyped("An e-mail address looks like name@mail.example. Check it letter by letter.")
    return plain
