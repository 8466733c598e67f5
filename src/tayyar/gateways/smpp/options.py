"""What the gateway must be told about one operator: the provider's options, checked before anything is sent."""

import re
from dataclasses import dataclass, field
from typing import Any

from tayyar.core.errors import UserError
from tayyar.gateways.smpp.codes import ERRORS
from tayyar.gateways.smpp.receipts import IdSpelling

_ALPHANUMERIC = re.compile(r"[A-Za-z0-9 ._&-]{1,11}")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Options:
    """One SMSC account.

    `source` is the sender shown: up to 11 letters and digits, a number with "+", or a short code. `binds` are
    connections kept, each with at most `window` messages unanswered. `bind_as` SEPARATE uses a transmitter and a
    receiver for each, for SMSCs without transceivers; TRANSMITTER hears no receipts, others do. `receipt_errors`: err
    of a receipt -> our reason, in place of the usual table. Urgent messages live `urgent_validity_minutes`, others
    `validity_minutes`.
    """

    host: str
    port: int
    system_id: str
    password: str
    source: str
    binds: int = 2
    window: int = 100
    bind_as: str = "TRANSCEIVER"
    validity_minutes: int = 1440
    urgent_validity_minutes: int = 10
    receipt_id: IdSpelling = IdSpelling.AUTO
    receipt_errors: dict[str, str] = field(default_factory=lambda: ERRORS)
    answer_timeout_seconds: float = 30.0

    @property
    def source_type(self) -> tuple[int, int]:
        """TON and NPI of `source`: international, a short code, or alphanumeric."""
        if not _NUMBER.fullmatch(self.source):
            return 5, 0
        return (1, 1) if self.source.startswith("+") else (3, 0)

    @property
    def source_digits(self) -> str:
        """`source` as it goes on the wire."""
        return self.source.removeprefix("+")


def read_options(code: str, options: dict[str, Any]) -> Options:
    """The options of the provider `code`. UserError names it and the option that is wrong."""
    rules: dict[str, tuple[Any, str]] = {
        "host": (_text(255), "a host name or address"),
        "port": (_whole(1, 65_535), "a port, 1 to 65535"),
        "system_id": (_text(15), "1 to 15 letters of ASCII, as the operator gave it"),
        "password": (_text(64), "1 to 64 letters of ASCII; most operators take 8"),
        "source": (_is_source, "a sender of at most 11 letters and digits, a number with + or a short code"),
        "binds": (_whole(1, 64), "1 to 64 connections"),
        "window": (_whole(1, 10_000), "1 to 10000 unanswered messages on each connection"),
        "bind_as": (
            ("TRANSCEIVER", "SEPARATE", "TRANSMITTER").__contains__,
            "TRANSCEIVER, SEPARATE or TRANSMITTER",
        ),
        "validity_minutes": (_whole(1, 10_080), "1 to 10080 minutes (7 days)"),
        "urgent_validity_minutes": (_whole(1, 1440), "1 to 1440 minutes"),
        "receipt_id": (IdSpelling.__members__.__contains__, f"one of {', '.join(IdSpelling)}"),
        "receipt_errors": (_is_errors, 'codes with reasons in capitals, such as {"001": NO_SUCH_NUMBER}'),
        "answer_timeout_seconds": (_seconds, "more than 0 and at most 300 seconds"),
    }
    if unknown := sorted(set(options) - set(rules)):
        raise UserError(
            f"Provider {code}: the option {unknown[0]} is not known. Known are {', '.join(rules)}."
        )
    for name in ("host", "port", "system_id", "password", "source"):
        if name not in options:
            raise UserError(f"Provider {code}: the option {name} is missing; it is {rules[name][1]}.")
    for name, value in options.items():
        good, wanted = rules[name]
        if not good(value):
            raise UserError(f"Provider {code}: the option {name} must be {wanted}.")
    given = dict(options)
    if "receipt_id" in given:
        given["receipt_id"] = IdSpelling[given["receipt_id"]]
    if "receipt_errors" in given:
        given["receipt_errors"] = {
            str(err).lstrip("0").upper(): reason for err, reason in given["receipt_errors"].items()
        }
    return Options(**given)


def _whole(least: int, most: int) -> Any:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _text(most: int) -> Any:
    return lambda value: (
        isinstance(value, str) and 1 <= len(value) <= most and value.isascii() and value.isprintable()
    )


def _seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 300


def _is_source(value: Any) -> bool:
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value) or _ALPHANUMERIC.fullmatch(value))


def _is_errors(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(reason, str) and _REASON.fullmatch(reason) for reason in value.values()
    )
