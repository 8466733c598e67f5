"""Numbers people read out on the telephone: each carries check digits, so a slip of the tongue is noticed.

Account and bill numbers are integers closed by two digits of ISO 7064 MOD 97-10, which finds every single
wrong digit and every swap of two neighbours. Works on one int and on a whole numpy column alike.
References of letters ("R-7F3K-22") use Crockford's alphabet, without I, L, O, U.
"""

from typing import TypeVar

import numpy as np

from tayyar.core.errors import UserError

Number = TypeVar("Number", int, "np.ndarray[tuple[int], np.dtype[np.int64]]")

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})


def with_check(body: Number) -> Number:
    """Append the two check digits: the result is 1 modulo 97."""
    return body * 100 + (98 - (body * 100) % 97)


def without_check(number: int, *, what: str) -> int:
    """The body of a number; UserError when its check digits do not agree."""
    if number % 97 != 1:
        raise UserError(
            f"{number} is not a valid {what}: its check digits do not agree. Look for a wrong digit."
        )
    return number // 100


def parse_number(text: str, *, what: str, digits: int) -> int:
    """A number as people type it (spaces, dashes, Arabic digits), checked for length and check digits."""
    compact = "".join(str(int(c)) if c.isdecimal() else c for c in text if not c.isspace() and c not in "-‑")
    if not compact.isdecimal():
        raise UserError(f"{text!r} is not a valid {what}: it has {digits} digits and nothing else.")
    if len(compact) != digits:
        raise UserError(f"A {what} has {digits} digits; {text!r} has {len(compact)}.")
    number = int(compact)
    without_check(number, what=what)
    return number


def reference(prefix: str, serial: int) -> str:
    """A short reference such as R-0007-F3K2 for a serial number: six symbols and two of check (modulo 1021)."""
    if not 0 <= serial < 32**6:
        raise UserError(f"Serial {serial} does not fit a reference.")
    symbols, rest = "", serial * 1024 + serial * 7919 % 1021
    for _ in range(8):
        symbols, rest = _ALPHABET[rest % 32] + symbols, rest // 32
    return f"{prefix}-{symbols[:4]}-{symbols[4:]}"


def parse_reference(text: str) -> tuple[str, int]:
    """The prefix and serial of a reference, forgiving case and look-alike letters."""
    prefix, _, body = text.strip().upper().partition("-")
    symbols = body.replace("-", "").translate(_READ_AS)
    if len(symbols) != 8 or any(c not in _ALPHABET for c in symbols):
        raise UserError(f"{text!r} is not a reference. It looks like R-0007-F3K2.")
    value = 0
    for symbol in symbols:
        value = value * 32 + _ALPHABET.index(symbol)
    serial, check = divmod(value, 1024)
    if serial * 7919 % 1021 != check:
        raise UserError(f"{text!r} is not a reference we gave: one of its letters is wrong.")
    return prefix, serial
