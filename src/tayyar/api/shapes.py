"""Shapes that several operations share: money, names of things, what may be typed, and the problem.

Owns how values look in JSON. Amounts are minor units of the currency beside them, energy is Wh, dates are ISO 8601.
"""

import datetime as dt
import re
from typing import Annotated, Any, Literal, cast

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from tayyar.claims.queries import Held
from tayyar.core.references import with_check
from tayyar.customers.models import Language
from tayyar.profiles.installation import installed_profile
from tayyar.requests.forms import is_storable

Lang = Literal["ar", "en", "fr"]
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("a text that cannot be stored")
    return text


def only_iso(typed: Any) -> Any:
    if isinstance(typed, str) and not _DATE.fullmatch(typed):
        raise ValueError("a date is written 2026-11-02")
    if not isinstance(typed, str | dt.date):
        raise ValueError("a date is written 2026-11-02")
    return typed


Text = Annotated[str, AfterValidator(storable)]
Day = Annotated[dt.date, BeforeValidator(only_iso)]


class Given(Schema):
    """What a caller sends: nothing beside the fields that are named."""

    model_config = ConfigDict(extra="forbid")


class Money(Schema):
    """An exact amount: `amount_minor` units, of which 10 to the power of `decimals` make one of the currency."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"amount_minor": 27600, "currency": "SAR", "decimals": 2}]}
    )
    amount_minor: int
    currency: str
    decimals: int


class FieldProblem(Schema):
    """What is wrong with one field."""

    field: str
    code: str
    message: str


class ProblemBody(Schema):
    """RFC 9457: why the call was refused. `code` is stable; `title` is in the caller's language."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:tayyar:problem:INVALID",
                    "title": "Look at the fields that are named.",
                    "status": 422,
                    "code": "INVALID",
                    "errors": [
                        {"field": "start_date", "code": "DATE", "message": "Write the date like 2026-11-02."}
                    ],
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    code: str
    errors: list[FieldProblem]


class Choice(Schema):
    """A code and its name in the caller's language."""

    code: str
    name: str


AccountNumber = Annotated[
    str, Field(examples=["10000000154"], description="Eleven digits, two of them check digits.")
]


def lang_of(language: int) -> Lang:
    """A stored language as its code."""
    return cast(Lang, Language(language).name)


def money(amount_minor: int) -> Money:
    """An amount in the currency of the utility."""
    currency = installed_profile().currency
    return Money(amount_minor=amount_minor, currency=currency.code, decimals=currency.minor_digits)


def maybe_money(amount_minor: int | None) -> Money | None:
    """An amount, or nothing."""
    return None if amount_minor is None else money(amount_minor)


def number_of(account_id: int) -> str:
    """An account's eleven digits."""
    return str(with_check(account_id))


def shows_balance(held: Held) -> bool:
    """Whether what the account owes today is theirs to know: a former holder keeps the bills of their time alone."""
    return held.is_open or held.in_their_name


def money_days(held: Held) -> tuple[dt.date | None, dt.date | None]:
    """The days [first, end) whose payments are theirs to see."""
    return (None, None) if held.in_their_name else (held.start_date, held.end_date)


_PROBLEMS = (400, 401, 403, 404, 405, 409, 413, 422, 429, 503)
PROBLEMS: dict[int, Any] = dict.fromkeys(_PROBLEMS, ProblemBody)
