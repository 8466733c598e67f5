"""Finds profile folders, reads them, checks them, and joins the utility's answers to the open questions.

Owns discovery: the folders shipped beside this file, then those on the TAYYAR_PROFILES path.
Never prices anything; the result is a `model.Profile` for `tayyar.tariffs` and everyone above.
"""

import datetime as dt
import os
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

from tayyar.core.errors import UserError
from tayyar.core.money import Currency
from tayyar.core.text import Formats
from tayyar.profiles.calendar import MOVES, WEEKDAYS, HolidayRule, WorkingCalendar
from tayyar.profiles.model import (
    Alias,
    Answer,
    Category,
    Estimation,
    HighLow,
    IdentityType,
    PaymentWay,
    Profile,
    Question,
    Rounding,
    Unverified,
)
from tayyar.profiles.reader import LANGUAGES, ProfileError, Section, read_yaml

SHIPPED = Path(__file__).parent
KINDS = ("RATE", "PRICE", "AMOUNT", "DATE", "DIVISOR")
DIVISOR_NAMES = ("DAYS_IN_MONTH", "YEAR_365")
ID_CODES = ("NATIONAL_ID", "RESIDENCE", "GULF_ID", "PASSPORT", "COMMERCIAL_REGISTER")
ID_CHECKS = ("", "LUHN", "MOD97", "EGYPT")
NEVER = "NEVER"  # the answer to a DATE question: it does not come into force


def _folders() -> dict[str, Path]:
    """Code -> folder. A folder on TAYYAR_PROFILES replaces a shipped one of the same name."""
    extra = [Path(part) for part in os.environ.get("TAYYAR_PROFILES", "").split(os.pathsep) if part]
    found: dict[str, Path] = {}
    for root in (SHIPPED, *extra):
        if not root.is_dir():
            raise ProfileError(f"{root}: TAYYAR_PROFILES: is not a folder")
        for folder in sorted(root.iterdir()):
            if (folder / "profile.yaml").is_file():
                found[folder.name.lower()] = folder
    return found


def codes() -> tuple[str, ...]:
    """The codes of all profiles that can be loaded, sorted."""
    return tuple(sorted(_folders()))


def load(code: str, answers: Mapping[str, Any] | None = None) -> Profile:
    """The profile of a country ("sa"), with the utility's answers to its open questions.

    Raises UserError for an unknown code and ProfileError (file: key: reason) for a file that is wrong.
    The same code and answers give the same object.
    """
    folders = _folders()
    folder = folders.get(code.lower())
    if folder is None:
        raise UserError(f"There is no profile {code!r}. Known profiles: {', '.join(sorted(folders))}.")
    given = tuple(sorted((str(key), str(value)) for key, value in (answers or {}).items()))
    return _load(folder, given)


def answers_file(data_dir: Path | str, code: str) -> Path:
    """Where a utility writes its answers: `profile-<code>.yaml` in the data folder."""
    return Path(data_dir) / f"profile-{code.lower()}.yaml"


def read_answers(path: Path) -> dict[str, Any]:
    """The answers in a file (`KEY: value` lines); empty when there is no such file."""
    if not path.exists():
        return {}
    values = read_yaml(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ProfileError(f"{path}: the file: expected lines like VAT_RATE: 0.10")
    return {str(key): value for key, value in values.items() if value is not None}


def demo_answers(profile: Profile) -> dict[str, str]:
    """Values good enough for a demonstration, never for a bill that a person must pay."""
    return {q.key: q.demo_value for q in profile.open_questions if q.demo_value is not None}


@lru_cache(maxsize=32)
def _load(folder: Path, given: tuple[tuple[str, str], ...]) -> Profile:
    s = Section(read_yaml(folder / "profile.yaml"), str(folder / "profile.yaml"))
    code = s.text("code")
    if code != folder.name.lower():
        raise s.fail("code", f"is {code!r} but the folder is named {folder.name!r}")
    currency = _currency(s.section("currency"))
    languages = s.texts("languages", required=True)
    for language in languages:
        if language not in LANGUAGES:
            raise s.fail("languages", f"{language!r} is not one of {', '.join(LANGUAGES)}")
    questions = tuple(_question(q) for q in s.sections("open_questions"))
    weekend = frozenset(_weekday(s, day) for day in s.texts("weekend", required=True))
    issue = s.section("issue_day")
    categories = tuple(_category(c) for c in s.sections("categories"))
    _check_unique(s, categories)
    profile = Profile(
        code=code,
        folder=folder,
        names=s.names("names"),
        utility_names=s.names("utility_names"),
        currency=currency,
        languages=languages,
        default_language=s.choice("default_language", languages),
        formats=_formats(s.section("formats")),
        timezone=s.text("timezone"),
        calling_code=s.text("calling_code", required=False) or "",
        calendar=WorkingCalendar(weekend, _holidays(folder / "holidays.yaml")),
        issue_day=issue.integer("day"),
        issue_day_move=issue.choice("move", MOVES),
        issue_day_confidence=issue.text("confidence"),
        days_to_due=s.integer("days_to_due"),
        months_per_bill=s.integer("months_per_bill"),
        rounding=_rounding(s.section("rounding"), currency),
        default_proration=dict(s.section("default_proration").values),
        default_breaker_a=s.integer("default_breaker_a"),
        estimation=_estimation(s.section("estimation")),
        high_low=_high_low(s.section("high_low")),
        categories=categories,
        consumer_rules=dict(s.section("consumer_rules").values),
        delivery=read_yaml(folder / "delivery.yaml") if (folder / "delivery.yaml").exists() else {},
        complaint_contacts=tuple(_contact(c) for c in s.sections("complaint_contacts")),
        payment_ways=tuple(_payment_way(w) for w in s.sections("payment_ways")),
        identity_types=tuple(_identity_type(i) for i in s.sections("identity_types")),
        terms_version=s.text("terms_version"),
        open_questions=questions,
        answers={key: _answer(folder, questions, key, value) for key, value in given},
        unverified=tuple(_unverified(u) for u in s.sections("unverified")),
        shared_charges=_shared(folder / "tariffs" / "shared.yaml"),
        tariff_documents=tuple(
            (str(path), read_yaml(path))
            for path in sorted((folder / "tariffs").glob("*.yaml"))
            if path.name != "shared.yaml"
        ),
    )
    issue.done()
    s.done()
    if not 1 <= profile.issue_day <= 28:
        raise s.fail("issue_day.day", "must be 1 to 28, so that every month has it")
    if profile.months_per_bill < 1:
        raise s.fail("months_per_bill", "must be 1 or more")
    return profile


def _currency(s: Section) -> Currency:
    currency = Currency(s.text("code"), s.integer("minor_digits"))
    if not 0 <= currency.minor_digits <= 3:
        raise s.fail("minor_digits", "must be 0 to 3")
    s.done()
    return currency


def _formats(s: Section) -> Formats:
    months = s.take("months") or {}
    if not isinstance(months, Mapping) or any(len(names) != 12 for names in months.values()):
        raise s.fail("months", "expected twelve month names per language")
    made = Formats(
        digits=s.choice("digits", ("latn", "arab")),
        hijri=s.flag("hijri"),
        months={language: tuple(names) for language, names in months.items()},
        currency_words=s.names("currency_words"),
    )
    s.done()
    return made


def _weekday(s: Section, day: str) -> int:
    if day not in WEEKDAYS:
        raise s.fail("weekend", f"{day!r} is not one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(day)


def _rounding(s: Section, currency: Currency) -> Rounding:
    step = s.number("cash_step", required=False)
    try:
        step_minor = 0 if step is None else currency.parse(str(step))
    except UserError as error:
        raise s.fail("cash_step", str(error)) from None
    made = Rounding(
        line=s.choice("line", ("HALF_UP",)),
        tax=s.choice("tax", ("HALF_UP_ON_SUM",)),
        block_size=s.choice("block_size", ("HALF_UP",)),
        cash_step_minor=step_minor,
    )
    s.text("note", "")
    s.done()
    return made


def _estimation(s: Section) -> Estimation:
    made = Estimation(
        same_period_window_days=s.integer("same_period_window_days"),
        trend_bills=s.integer("trend_bills"),
        trend_low_percent=s.integer("trend_low_percent"),
        trend_high_percent=s.integer("trend_high_percent"),
        recent_average_bills=s.integer("recent_average_bills"),
        max_consecutive_estimates=s.integer("max_consecutive_estimates"),
        confidence=s.text("confidence"),
    )
    s.done()
    return made


def _high_low(s: Section) -> HighLow:
    made = HighLow(
        own_low_percent=s.integer("own_low_percent"),
        own_high_percent=s.integer("own_high_percent"),
        peer_low_percent=s.integer("peer_low_percent"),
        peer_high_percent=s.integer("peer_high_percent"),
        ignore_below_wh=s.integer("ignore_below_kwh") * 1000,
        confidence=s.text("confidence"),
    )
    s.done()
    return made


def _category(s: Section) -> Category:
    aliases = [Alias(text, None) for text in s.texts("aliases")]
    aliases += [Alias(text, True) for text in s.texts("aliases_entitled")]
    aliases += [Alias(text, False) for text in s.texts("aliases_not_entitled")]
    made = Category(s.integer("number"), s.text("code"), s.names("names"), tuple(aliases))
    if not 1 <= made.number <= 99:
        raise s.fail("number", "must be 1 to 99")
    if made.code != made.code.upper():
        raise s.fail("code", "must be upper case")
    s.done()
    return made


def _check_unique(s: Section, categories: tuple[Category, ...]) -> None:
    seen: dict[str, str] = {}
    numbers: set[int] = set()
    for category in categories:
        if category.number in numbers:
            raise s.fail("categories", f"the number {category.number} is used twice")
        numbers.add(category.number)
        for word in (category.code, *(alias.text for alias in category.aliases)):
            if seen.setdefault(word.casefold(), category.code) != category.code:
                raise s.fail("categories", f"{word!r} names both {seen[word.casefold()]} and {category.code}")


def _contact(s: Section) -> dict[str, Any]:
    made = {"kind": s.text("kind"), "value": s.text("value"), "example": s.flag("example")}
    s.done()
    return made


def _payment_way(s: Section) -> PaymentWay:
    made = PaymentWay(names=s.names("names"), how=s.names("how"), example=s.flag("example"))
    s.done()
    return made


def _identity_type(s: Section) -> IdentityType:
    made = IdentityType(
        code=s.choice("code", ID_CODES),
        kind=s.choice("kind", ("PERSON", "BUSINESS")),
        names=s.names("names"),
        least=s.integer("least"),
        most=s.integer("most"),
        has_letters=s.flag("letters"),
        prefixes=s.texts("prefixes"),
        check=s.choice("check", ID_CHECKS, ""),
        nationalities=s.texts("nationalities"),
        confidence=s.text("confidence"),
    )
    if not 1 <= made.least <= made.most <= 20:
        raise s.fail("most", "a number has 1 to 20 signs, and not fewer than `least`")
    if any(len(code) != 2 or not code.isupper() for code in made.nationalities):
        raise s.fail("nationalities", "expected codes of ISO 3166-1 like SA")
    s.done()
    return made


def _question(s: Section) -> Question:
    made = Question(
        key=s.text("key"),
        question=s.names("question"),
        kind=s.choice("kind", KINDS),
        candidates=s.texts("candidates"),
        why=s.text("why"),
        source=s.texts("source", required=True),
        demo_value=s.text("demo_value", required=False),
        blocking=s.flag("blocking"),
    )
    for value in (*made.candidates, *([made.demo_value] if made.demo_value else [])):
        try:
            parse_answer(made.kind, value)
        except ValueError as error:
            raise s.fail("candidates", f"{value!r} {error}") from None
    s.done()
    return made


def parse_answer(kind: str, text: str) -> Answer:
    """An answer as its value: RATE, PRICE, AMOUNT Decimal; DIVISOR int or name; DATE date or NEVER.

    Raises ValueError saying what was expected.
    """
    if kind == "DATE":
        if text == NEVER:
            return NEVER
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"is not a date like 2026-01-31, nor {NEVER}") from None
    if kind == "DIVISOR":
        if text in DIVISOR_NAMES:
            return text
        if text.isdecimal() and 28 <= int(text) <= 31:
            return int(text)
        raise ValueError(f"is not a number of days 28 to 31, nor {' or '.join(DIVISOR_NAMES)}")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("is not a number like 0.10") from None
    if not value.is_finite() or value < 0 or (kind == "RATE" and value > 1):
        raise ValueError("must be 0 to 1, so 10 % is 0.10" if kind == "RATE" else "must be 0 or more")
    return value


def _answer(folder: Path, questions: tuple[Question, ...], key: str, text: str) -> Answer:
    file = f"profile-{folder.name.lower()}.yaml"
    for question in questions:
        if question.key == key:
            try:
                return parse_answer(question.kind, text)
            except ValueError as error:
                raise ProfileError(f"{file}: {key}: {text!r} {error}") from None
    known = ", ".join(q.key for q in questions) or "none"
    raise ProfileError(f"{file}: {key}: is not an open question of this profile (known: {known})")


def _unverified(s: Section) -> Unverified:
    made = Unverified(
        category=s.text("category"),
        first_day=s.date("first_day", required=True),
        last_day=s.date("last_day", required=True),
        remembered=s.text("remembered"),
    )
    s.done()
    return made


def _holidays(path: Path) -> tuple[HolidayRule, ...]:
    if not path.exists():
        return ()
    s = Section(read_yaml(path), str(path))
    s.text("note", "")
    rules = tuple(_holiday(h) for h in s.sections("holidays"))
    s.done()
    return rules


def _holiday(s: Section) -> HolidayRule:
    hijri = s.has("hijri")
    key = "hijri" if hijri else "gregorian"
    text = s.text(key)
    month, _, day = text.partition("-")
    last = 30 if hijri else 31
    if not (month.isdecimal() and day.isdecimal() and 1 <= int(month) <= 12 and 1 <= int(day) <= last):
        raise s.fail(key, f"{text!r} is not month-day like 09-23")
    announced = s.take("announced") or []
    if not isinstance(announced, list) or not all(isinstance(item, dt.date) for item in announced):
        raise s.fail("announced", "expected a list of dates like 2026-03-20")
    rule = HolidayRule(
        code=s.text("code"),
        names=s.names("names"),
        hijri=hijri,
        month=int(month),
        day=int(day),
        days=s.integer("days", 1),
        from_year=s.integer("from_year", 1),
        announced=tuple(announced),
        source=s.texts("source", required=True),
        confidence=s.text("confidence"),
    )
    s.done()
    return rule


def _shared(path: Path) -> tuple[str, Mapping[str, Any]]:
    """The charges that several tariffs name: (file, values); empty when there is no such file."""
    if not path.exists():
        return str(path), {}
    return str(path), Section(read_yaml(path), str(path)).values
