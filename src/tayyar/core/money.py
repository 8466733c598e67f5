"""Money: integers in the minor unit of a currency, parsed from and printed as exact decimals.

`Currency` carries the code and the number of decimals. Nothing here accepts or returns a float.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tayyar.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 currency: `code` ("SAR") and `minor_digits` (2: 100 halalas make a riyal)."""

    code: str
    minor_digits: int

    @property
    def minor_per_major(self) -> int:
        """How many minor units make one major unit."""
        return int(10**self.minor_digits)

    def to_decimal(self, amount_minor: int) -> Decimal:
        """12345 -> Decimal("123.45") for a currency of two decimals."""
        return Decimal(amount_minor).scaleb(-self.minor_digits)

    def format(self, amount_minor: int) -> str:
        """12345 -> "123.45": always all decimals, no grouping; for JSON, files and logs."""
        return f"{self.to_decimal(amount_minor):.{self.minor_digits}f}"

    def parse(self, text: str) -> int:
        """ "123.45" -> 12345. Raises UserError when not a number or finer than the minor unit."""
        try:
            amount = Decimal(text).scaleb(self.minor_digits)
        except InvalidOperation:
            raise UserError(f"{text!r} is not an amount. Write it like 123.45.") from None
        if not amount.is_finite() or amount != amount.to_integral_value():
            raise UserError(f"{text!r} is finer than {self.code} allows ({self.minor_digits} decimals).")
        return int(amount)


def divide_half_up(numerator: int, denominator: int) -> int:
    """The rounding rule HALF_UP: nearest integer, halves away from zero. `denominator` > 0."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((-2 * numerator + denominator) // (2 * denominator))
