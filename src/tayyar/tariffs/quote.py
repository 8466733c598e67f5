"""What some consumption costs, with every line, source and caveat: one question or a hundred thousand.

Owns turning words (a category, a date, kWh) into kernel rows and charges into readable quotes. It refuses what
is unknown, with the reason and what to do. Never computes an amount itself: that is `kernel.charge`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tayyar.core.errors import UserError
from tayyar.profiles import Profile, Question, answers_file, load, read_answers
from tayyar.tariffs.book import TariffBook, book_with_file, load_book, scope_of
from tayyar.tariffs.documents import Version
from tayyar.tariffs.kernel import MAX_DAYS, Charges, charge, iter_lines
from tayyar.tariffs.lines import FIXED, FIXED_SHARE, PER_TARIFF, SUBSIDY, decode, kwh_text
from tayyar.tariffs.pricing import MAX_ENERGY_WH
from tayyar.tariffs.timeline import EPOCH, timeline

Quote = dict[str, Any]
ASSUMED_ZERO = ("RATE", "AMOUNT")  # kinds of open question a quote may leave out, if it says so
UNIT_WORDS = {"MONTH": "month", "DAY": "day", "DAY_SHARE": "day share of month"}
MONEY_COLUMNS = ("energy", "fixed", "subsidy", "tax", "total")


@dataclass(frozen=True, slots=True)
class Case:
    """One question. `days` None: `months` standard months at the prices of `day`, nothing prorated.
    With `days`, the period begins on `day`. `category` is a code, an alias or a tariff id."""

    category: str
    day: dt.date
    energy_wh: int
    days: int | None = None
    months: int = 1
    breaker_a: int | None = None
    entitled: bool | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    """What a category word means: rows for `category` and `entitled` in the whole book or in one version."""

    pinned: str | None
    category: str
    number: int
    entitled: bool


class Quoter:
    """Answers cases for one profile. `data_dir` holds the utility's answers to open questions."""

    def __init__(self, code: str, data_dir: Path, tariff_file: Path | None = None) -> None:
        self.answers_path = answers_file(data_dir, code)
        given: Mapping[str, Any] = read_answers(self.answers_path)
        open_questions = [q for q in load(code, given).open_questions if q.key not in given]
        self.assumed = {q.key: q for q in open_questions if q.kind in ASSUMED_ZERO}
        self.divisors = [q for q in open_questions if q.kind == "DIVISOR"]
        given = {**given, **dict.fromkeys(self.assumed, "0")}
        self.profiles = [load(code, {**given, **choice}) for choice in _choices(self.divisors)]
        self.profile: Profile = self.profiles[0]
        self.tariff_file = tariff_file
        self.file_version: Version | None = None
        self.books = [self._book(profile, None) for profile in self.profiles]
        self._targets: dict[tuple[str, bool | None], _Target | UserError] = {}
        self._version_notes: dict[tuple[int, str | None], list[str]] = {}
        # A file of cases asks for the same few labels, prices and refusals a hundred thousand times.
        digits = self.profile.currency.minor_digits
        self._labels = lru_cache(maxsize=10_000)(lambda code: decode(self.books[0], code))
        self._price_texts = lru_cache(maxsize=10_000)(lambda price: _price_text(price, digits))
        self._explained = lru_cache(maxsize=10_000)(
            lambda book, category, day, entitled: book.explain_missing(category, day, entitled)
        )

    def quote(self, case: Case) -> Quote:
        """The answer to one case. Raises UserError with the reason when it cannot be answered."""
        (answer,) = self.quote_many([case])
        if isinstance(answer, UserError):
            raise answer
        return answer

    def quote_many(self, cases: Sequence[Case]) -> list[Quote | UserError]:
        """An answer, or the reason for none, for every case, in order; one pass of the kernel per book."""
        answers: list[Quote | UserError | None] = [None] * len(cases)
        groups: dict[str | None, list[tuple[int, _Target]]] = {}
        for at, case in enumerate(cases):
            try:
                target = self._target(case.category, case.entitled)
                _check(case)
            except UserError as error:
                answers[at] = error
            else:
                groups.setdefault(target.pinned, []).append((at, target))
        for pinned, members in groups.items():
            chosen = [cases[at] for at, _ in members]
            targets = [target for _, target in members]
            for (at, _), answer in zip(members, self._answer(pinned, chosen, targets), strict=True):
                answers[at] = answer
        return [answer for answer in answers if answer is not None]

    # What the words mean

    def _book(self, profile: Profile, pinned: str | None) -> TariffBook:
        if self.tariff_file is not None:
            book, self.file_version = book_with_file(profile, self.tariff_file)
            return book
        book = load_book(profile)
        version = book.find(pinned) if pinned else None
        return book.only(version) if version else book

    def _target(self, text: str, entitled: bool | None) -> _Target:
        """Resolve a category word once; the same word gives the same answer or the same error."""
        key = (text, entitled)
        if key not in self._targets:
            try:
                self._targets[key] = self._resolve(text, entitled)
            except UserError as error:
                self._targets[key] = error
        found = self._targets[key]
        if isinstance(found, UserError):
            raise found
        return found

    def _resolve(self, text: str, entitled: bool | None) -> _Target:
        version = self.books[0].find(text.strip())
        if version is not None:
            scope = scope_of(version)
            code, implied = scope.category, scope.entitled
        else:
            category, implied = self.profile.resolve_category(text)
            code = category.code
        if implied is not None and entitled is not None and implied != entitled:
            who = "is" if implied else "is not"
            raise UserError(
                f"{text!r} {who} for the entitled: leave --entitled out or choose another category."
            )
        if self.file_version and code not in {scope.category for scope in self.file_version.applies_to}:
            raise UserError(
                f"{self.tariff_file} is not a tariff for {code}. Quote one of its own categories."
            )
        chosen = entitled if implied is None else implied
        pinned = None if version is None or self.file_version else version.id
        return _Target(pinned, code, self.profile.category(code).number, bool(chosen))

    # From cases to answers

    def _answer(
        self, pinned: str | None, cases: list[Case], targets: list[_Target]
    ) -> list[Quote | UserError]:
        frame = self._frame(cases, targets)
        books = self.books if pinned is None else [self._book(profile, pinned) for profile in self.profiles]
        charged = [charge(frame, book) for book in books]
        agree = _agree(charged)
        first = charged[0]
        columns = [first.totals[f"{name}_minor"].to_list() for name in MONEY_COLUMNS]
        support = first.totals["support_minor"].to_list()
        tariffs, problems = first.totals["tariff"].to_list(), first.totals["problem"].to_list()
        answers: list[Quote | UserError] = []
        for at, lines in enumerate(iter_lines(first)):
            case, target = cases[at], targets[at]
            if not agree[at]:
                answers.append(UserError(self._divisor_reason(case)))
            elif problems[at] is not None:
                answers.append(UserError(self._reason(problems[at], books[0], case, target, tariffs[at])))
            else:
                version = books[0].version(tariffs[at])
                money = [column[at] for column in columns]
                answers.append(self._written(version, case, target, money, support[at], lines.tolist()))
        return answers

    def _frame(self, cases: list[Case], targets: list[_Target]) -> pl.DataFrame:
        starts = np.array([case.day for case in cases], dtype="datetime64[D]")
        days = np.array([case.days or 1 for case in cases], dtype="timedelta64[D]")
        breaker_a = [case.breaker_a or self.profile.default_breaker_a for case in cases]
        return pl.DataFrame(
            {
                "row": np.arange(len(cases), dtype=np.int64),
                "category": np.array([target.number for target in targets], dtype=np.int16),
                "entitled": np.array([target.entitled for target in targets], dtype=bool),
                "start_date": starts,
                "end_date": starts + days,
                "energy_wh": np.array([case.energy_wh for case in cases], dtype=np.int64),
                "breaker_a": np.array(breaker_a, dtype=np.int32),
                "months": np.array([case.months for case in cases], dtype=np.int32),
                "year_wh": np.zeros(len(cases), dtype=np.int64),
                "standard_month": np.array([case.days is None for case in cases], dtype=bool),
            }
        )

    def _written(
        self,
        version: Version,
        case: Case,
        target: _Target,
        money: list[int],
        support_minor: int,
        lines: list[list[int]],
    ) -> Quote:
        currency = self.profile.currency
        digits = currency.minor_digits
        amounts = {
            name: _amount_text(minor, digits) for name, minor in zip(MONEY_COLUMNS, money, strict=True)
        }
        quote: Quote = {"currency": currency.code, **amounts, "tariff": version.id}
        quote["source"] = list(version.source)
        quote["lines"] = [self._line(*line) for line in lines]
        if support_minor:
            quote["support"] = _amount_text(support_minor, digits)
        notes = self._notes(version, case, target, lines)
        if notes:
            quote["notes"] = notes
        return quote

    def _line(self, code: int, quantity: int, price_micro: int, amount_minor: int) -> dict[str, str]:
        """A line of the kernel in words: kWh, major units."""
        label = self._labels(code)
        digits = self.profile.currency.minor_digits
        if label.unit == "WH":
            written, unit = kwh_text(quantity), "kWh"
        elif label.unit == "MINOR":
            written, unit = _amount_text(quantity, digits), self.profile.currency.code
        else:
            written, unit = str(quantity), UNIT_WORDS[label.unit]
        return {
            "code": label.code,
            "quantity": written,
            "unit": unit,
            "price": self._price_texts(price_micro),
            "amount": _amount_text(amount_minor, digits),
        }

    # Caveats and refusals

    def _notes(self, version: Version, case: Case, target: _Target, lines: list[list[int]]) -> list[str]:
        notes = []
        if case.breaker_a is None and any(fee.by == "BREAKER" for fee in version.fixed):
            notes.append(
                f"No breaker rating given: {self.profile.default_breaker_a} A is assumed for the fee."
            )
        notes += self._doubtful_fees(version, lines)
        if case.days is not None:
            numbers = sorted({line[0] // PER_TARIFF for line in lines})
            shared = any(FIXED_SHARE <= line[0] % PER_TARIFF < SUBSIDY for line in lines)
            if len(numbers) > 1 or shared:
                ids = ", ".join(self.books[0].version(number).id for number in numbers)
                notes.append(f"The period crosses a change, so the energy is split by days ({ids}).")
        key = (version.number, target.category)
        if key not in self._version_notes:
            self._version_notes[key] = list(self._notes_of(version, target))
        return notes + self._version_notes[key]

    def _doubtful_fees(self, version: Version, lines: list[list[int]]) -> Iterable[str]:
        """A word about each fee on the quote whose amount no source confirms."""
        charged = {(line[0] % PER_TARIFF, line[2]) for line in lines}
        for at, fee in enumerate(version.fixed):
            for band in fee.bands:
                price_micro = (band.amount_minor or 0) * 10 ** (6 - self.profile.currency.minor_digits)
                if band.confidence == "unverified" and (FIXED + at, price_micro) in charged:
                    amount = self.profile.currency.format(band.amount_minor or 0)
                    yield f"{fee.names['en']}: {amount} is confirmed by no source."

    def _notes_of(self, version: Version, target: _Target) -> Iterable[str]:
        """Caveats that belong to the version whatever the case."""
        asked = {tax.question for tax in version.taxes} | {fee.question for fee in version.fixed}
        for key in sorted(key for key in asked if key in self.assumed):
            assert key is not None
            question = self.assumed[key]
            what = "tax" if question.kind == "RATE" else "fee"
            yield f"Without a {what} that is not known ({key}: {question.why}) {self._how_to_answer(question)}"
        if version.first_day is None and version.end_day is not None:
            last_day = version.end_day - dt.timedelta(days=1)
            yield f"{version.id} is known to be in force until {last_day}; its first day is not known."
        if version.first_day is None and version.end_day is None:
            yield f"The days on which {version.id} is in force are not known; it was asked for by its id."
        for other in self.books[0].candidates(target.category, target.entitled):
            if not other.selectable and other.question and other.number != version.number:
                question = self.profile.question(other.question)
                yield f"{other.id} may have replaced these prices ({question.key}): {question.why}"
        if version.threshold:
            limit = kwh_text(version.threshold.limit_wh)
            yield f"Only this bill is counted towards the {limit} kWh a year up to which this tariff holds."
        elif target.category not in {scope.category for scope in version.applies_to}:
            yield f"The consumption passes the annual limit of {target.category}, so {version.id} applies."
        if version.note or version.confidence != "high":
            yield f"{version.id}: confidence {version.confidence}. {version.note}".strip()

    def _reason(self, problem: str, book: TariffBook, case: Case, target: _Target, number: int) -> str:
        if problem == "NO_TARIFF":
            return book.explain_missing(
                target.category, self._missing_day(book, case, target), target.entitled
            )
        if problem == "PRICE_UNKNOWN":
            return self._unknown_price(book.version(number), case)
        if problem == "REGISTER_MISSING":
            return (
                f"{book.version(number).id} is priced by time of use; a quote has one total. "
                "Bill it from readings."
            )
        return f"This cannot be quoted ({problem}). Check the consumption, the date and the days."

    @staticmethod
    def _missing_day(book: TariffBook, case: Case, target: _Target) -> dt.date:
        """The first day of the case without a tariff."""
        line = timeline(book, target.category, target.entitled)
        first = (case.day - EPOCH).days
        last = first + (case.days or 1) - 1
        at = np.arange(int(line.at(np.array(first))), int(line.at(np.array(last))) + 1)
        gap = next(int(i) for i in at if line.segments[i] is None)
        return EPOCH + dt.timedelta(days=max(first, int(line.starts[gap])))

    def _unknown_price(self, version: Version, case: Case) -> str:
        for season in version.seasons:
            lower = 0
            for block in season.blocks:
                if block.price_micro is None and case.energy_wh > lower:
                    question = self.profile.question(block.question or "")
                    size = f"{kwh_text(lower)} kWh" + (
                        f" up to {kwh_text(block.up_to_wh)}" if block.up_to_wh else ""
                    )
                    return (
                        f"{version.id}: the price above {size} is not known. {question.why} "
                        f"{self._how_to_answer(question)}"
                    )
                lower = block.up_to_wh or lower
        return f"{version.id}: a price that this consumption reaches is not known."

    def _divisor_reason(self, case: Case) -> str:
        (question,) = self.divisors
        return (
            f"A period of {case.days} days cannot be quoted: the amounts differ with the answer to "
            f"{question.key} ({', '.join(question.candidates)}). {question.why} {self._how_to_answer(question)} "
            "Without --days a standard month is quoted."
        )

    def _how_to_answer(self, question: Question) -> str:
        return f"To settle it, write `{question.key}: <value>` in {self.answers_path}."


def _choices(divisors: list[Question]) -> list[dict[str, str]]:
    """Every candidate of an unanswered day-divisor question; one empty choice when nothing is open."""
    if not divisors:
        return [{}]
    (question,) = divisors  # a profile asks this once
    return [{question.key: candidate} for candidate in question.candidates]


def _agree(charged: list[Charges]) -> npt.NDArray[np.bool_]:
    """Where all books give the same amounts or the same problem."""
    agree = np.ones(charged[0].totals.height, dtype=bool)
    for other in charged[1:]:
        for name in ("total_minor", "fixed_minor", "energy_minor"):
            agree &= (charged[0].totals[name] == other.totals[name]).to_numpy()
        agree &= charged[0].totals["problem"].eq_missing(other.totals["problem"]).to_numpy()
    return agree


def _check(case: Case) -> None:
    if not 0 <= case.energy_wh <= MAX_ENERGY_WH:
        raise UserError("The consumption must be 0 to 1000000000 kWh.")
    if case.days is not None and not 1 <= case.days <= MAX_DAYS:
        raise UserError(f"The days must be 1 to {MAX_DAYS}.")
    if not 1 <= case.months <= 36:
        raise UserError("The months must be 1 to 36.")
    if not 1950 <= case.day.year <= 2140:
        raise UserError("The date must lie between 1950 and 2140.")
    if case.breaker_a is not None and not 1 <= case.breaker_a <= 100_000:
        raise UserError("The breaker rating must be 1 to 100000 ampere.")


def _amount_text(amount_minor: int, minor_digits: int) -> str:
    """What Currency.format writes, from integers alone: faster for files of cases."""
    if minor_digits == 0:
        return str(amount_minor)
    whole, rest = divmod(abs(amount_minor), 10**minor_digits)
    return f"{'-' if amount_minor < 0 else ''}{whole}.{rest:0{minor_digits}d}"


def _price_text(price_micro: int, decimals: int) -> str:
    """Millionths as a decimal text with at least the currency's decimals: 180000 -> "0.18"."""
    text = f"{Decimal(price_micro).scaleb(-6):.6f}"
    shortest = len(text) - 6 + decimals
    return text[:shortest] + text[shortest:].rstrip("0")
