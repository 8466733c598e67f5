"""Reads a tariff document: YAML values to `documents.Version`, with every mistake named by file and key.

Owns the meaning of each key, open questions (`{question: KEY}`) and shared charges included. Never chooses a
tariff and never prices. The flow goes next to `book`.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from tayyar.core.errors import UserError
from tayyar.core.money import Currency
from tayyar.profiles.model import Profile
from tayyar.profiles.reader import LANGUAGES, Section
from tayyar.tariffs.documents import (
    AnnualThreshold,
    Band,
    Block,
    FixedFee,
    Minimum,
    Proration,
    Register,
    Scope,
    Season,
    Subsidy,
    Tax,
    Version,
)

MICRO = 1_000_000
MAX_EDGE_KWH = 100_000_000  # keeps edge x days inside int64 in the kernel
MAX_PRICE = 9_000  # major units per kWh; keeps energy x price inside int64
MAX_BLOCKS = 19  # per season: line codes leave 20 numbers for each
MAX_SEASONS = 4
MAX_AMPERE = 100_000
RESERVED = ("demand_charges", "net_billing")
CONFIDENCES = ("high", "medium", "low", "partial", "unverified", "assumed")
NO_NAMES = dict.fromkeys(LANGUAGES, "")


def parse_version(values: Any, file: str, profile: Profile) -> Version:
    """One document as a Version. Raises ProfileError `file: key: reason`."""
    return _Document(Section(values, file), profile).read()


class _Document:
    """Reads one document; keeps the profile at hand for currency, answers and shared charges."""

    def __init__(self, section: Section, profile: Profile) -> None:
        self.s, self.profile = section, profile
        self.currency: Currency = profile.currency

    def read(self) -> Version:
        s = self.s
        for key in RESERVED:
            if s.has(key):
                raise s.fail(key, "is reserved in the schema and not supported yet; remove it")
        self._check_currency()
        first_day, selectable, question = self._first_day()
        version = Version(
            id=s.text("id"),
            number=s.integer("number"),
            names=s.names("names"),
            published_category=s.text("published_category", required=False),
            applies_to=tuple(self._scope(item) for item in s.sections("applies_to")),
            first_day=first_day,
            end_day=self._end_day(s),
            selectable=selectable,
            question=question,
            proration=self._proration(),
            seasons=self._seasons(),
            fixed=tuple(self._fixed(item) for item in self._charges("fixed")),
            subsidies=tuple(self._subsidy(item) for item in s.sections("subsidies")),
            minimum=self._minimum(),
            taxes=tuple(self._tax(item) for item in self._charges("taxes")),
            compare_with=self._scope(s.section("compare_with")) if s.has("compare_with") else None,
            threshold=self._threshold(),
            source=s.texts("source", required=True),
            confidence=s.choice("confidence", CONFIDENCES),
            note=s.text("note", ""),
            content_hash="",
            file=s.file,
        )
        s.done()
        if not version.applies_to:
            raise s.fail("applies_to", "is missing; name at least one category")
        if not 1 <= version.number <= 999_999:
            raise s.fail("number", "must be 1 to 999999")
        if version.first_day and version.end_day and version.first_day >= version.end_day:
            raise s.fail("last_day", "is before first_day")
        object.__setattr__(version, "content_hash", _content_hash(version))
        return version

    # Dates and scope

    def _check_currency(self) -> None:
        code = self.s.text("currency", self.currency.code)
        if code != self.currency.code:
            raise self.s.fail("currency", f"is {code} but the profile bills in {self.currency.code}")

    def _first_day(self) -> tuple[dt.date | None, bool, str | None]:
        """(first day or None, may be selected by date, open question)."""
        value = self.s.take("first_day")
        if isinstance(value, dt.date):
            return value, True, None
        if value == "unknown":
            if not self.s.has("last_day"):
                raise self.s.fail("first_day", "is unknown and there is no last_day: ask an open question")
            return None, True, None
        if isinstance(value, Mapping):
            answer, question = self._ask(self.s, "first_day")
            if isinstance(answer, dt.date):
                return answer, True, question
            return None, False, question
        raise self.s.fail("first_day", "expected a date like 2026-01-31, `unknown`, or {question: KEY}")

    @staticmethod
    def _end_day(s: Section) -> dt.date | None:
        last_day = s.date("last_day")
        return None if last_day is None else last_day + dt.timedelta(days=1)

    def _scope(self, s: Section) -> Scope:
        scope = Scope(s.text("category"), s.flag("entitled", None))
        s.done()
        self._known_category(s, "category", scope.category)
        return scope

    def _known_category(self, s: Section, key: str, code: str) -> None:
        if code not in {category.code for category in self.profile.categories}:
            known = ", ".join(category.code for category in self.profile.categories)
            raise s.fail(key, f"{code!r} is not a category of the profile (known: {known})")

    def _threshold(self) -> AnnualThreshold | None:
        if not self.s.has("annual_threshold"):
            return None
        inner = self.s.section("annual_threshold")
        limit_wh = self._wh(inner, "limit_kwh")
        moves_to = inner.text("moves_to")
        self._known_category(inner, "moves_to", moves_to)
        inner.done()
        return AnnualThreshold(limit_wh, moves_to)

    def _proration(self) -> Proration:
        s = (
            self.s.section("proration")
            if self.s.has("proration")
            else Section(self.profile.default_proration, self.s.file, "the profile's default_proration")
        )
        s.texts("source")
        s.text("note", "")
        s.text("confidence", "")
        rule = s.choice("rule", ("MONTHS", "DAYS"))
        if rule == "MONTHS":
            s.done()
            return Proration("MONTHS", 0, None)
        if isinstance(s.values.get("divisor"), Mapping):
            divisor, question = self._ask(s, "divisor")
        else:
            divisor, question = s.take("divisor"), None
        s.done()
        if divisor is None and question:
            return Proration("UNKNOWN", 0, question)
        if divisor in ("DAYS_IN_MONTH", "YEAR_365"):
            return Proration(str(divisor), 0, question)
        if isinstance(divisor, int) and 28 <= divisor <= 31:
            return Proration("DAYS", divisor, question)
        raise s.fail("divisor", f"expected 28 to 31, DAYS_IN_MONTH or YEAR_365, found {divisor!r}")

    # Energy

    def _seasons(self) -> tuple[Season, ...]:
        s = self.s
        if not s.has("seasons"):
            return (self._season(s, None, NO_NAMES, (1, 1)),)
        if s.has("blocks") or s.has("registers"):
            raise s.fail("seasons", "holds the prices; remove blocks and registers beside it")
        seasons = []
        for inner in s.sections("seasons"):
            season = self._season(inner, inner.text("code"), inner.names("names"), self._month_day(inner))
            inner.done()
            seasons.append(season)
        starts = [season.start for season in seasons]
        if len(seasons) < 2 or starts != sorted(set(starts)):
            raise s.fail("seasons", "write two or more, in the order of their first_day, each once")
        if len(seasons) > MAX_SEASONS:
            raise s.fail("seasons", f"at most {MAX_SEASONS} fit")
        return tuple(seasons)

    @staticmethod
    def _month_day(s: Section) -> tuple[int, int]:
        text = s.text("first_day")
        try:
            day = dt.date.fromisoformat(f"2001-{text}")  # not a leap year: 02-29 is no season start
        except ValueError:
            raise s.fail("first_day", f"{text!r} is not month-day like 05-01") from None
        return day.month, day.day

    def _season(self, s: Section, code: str | None, names: dict[str, str], start: tuple[int, int]) -> Season:
        blocks = tuple(self._block(item) for item in s.sections("blocks"))
        registers = tuple(self._register(item) for item in s.sections("registers"))
        if bool(blocks) == bool(registers):
            raise s.fail("blocks", "write either blocks or registers")
        edges = [block.up_to_wh for block in blocks]
        if blocks and (
            edges[-1] is not None
            or None in edges[:-1]
            or edges[:-1] != sorted({edge for edge in edges[:-1] if edge})
        ):
            raise s.fail("blocks", "up_to_kwh must rise from block to block, and only the last has none")
        if len(blocks) > MAX_BLOCKS or len(registers) > MAX_BLOCKS:
            raise s.fail("blocks", f"at most {MAX_BLOCKS} fit")
        return Season(code, names, start, blocks, registers)

    def _block(self, s: Section) -> Block:
        up_to_wh = self._wh(s, "up_to_kwh") if s.has("up_to_kwh") else s.take("up_to_kwh")
        price, question = self._price(s)
        block = Block(up_to_wh, price, s.flag("reprices_all"), question)
        s.text("note", "")
        s.done()
        return block

    def _register(self, s: Section) -> Register:
        code, names = s.text("code"), s.names("names")
        if not code.isascii() or not code.isalnum() or code != code.upper():
            raise s.fail("code", "use capital letters and digits, like PEAK")
        price, question = self._price(s)
        s.done()
        return Register(code, names, price, question)

    def _price(self, s: Section) -> tuple[int | None, str | None]:
        if isinstance(s.values.get("price"), Mapping):
            answer, question = self._ask(s, "price")
            return (None if answer is None else self._micro(s, "price", Decimal(str(answer)))), question
        return self._micro(s, "price", s.number("price")), None

    # Fees, subsidies, minimum, taxes

    def _charges(self, kind: str) -> Iterator[Section]:
        """The entries of `fixed` or `taxes`; a bare name stands for that entry of tariffs/shared.yaml."""
        entries = self.s.take(kind) or []
        if not isinstance(entries, list):
            raise self.s.fail(kind, "expected a list")
        file, shared = self.profile.shared_charges
        for position, entry in enumerate(entries, start=1):
            if isinstance(entry, str):
                found = Section(shared, file).values.get(kind, {}).get(entry)
                if found is None:
                    raise self.s.fail(f"{kind}[{position}]", f"{entry!r} is not in {file}")
                yield Section(found, file, f"{kind}.{entry}")
            else:
                yield Section(entry, self.s.file, f"{kind}[{position}]")

    def _fixed(self, s: Section) -> FixedFee:
        by = s.choice("by", ("FLAT", "BREAKER", "CONSUMPTION"), "FLAT")
        question = None
        if by == "FLAT":
            amount, question = self._amount(s)
            bands: tuple[Band, ...] = (Band(None, amount, None),)
        else:
            bands = self._bands(s, by)
        fee = FixedFee(
            s.text("code"), s.names("names"), s.choice("per", ("MONTH", "DAY")), by, bands, question
        )
        self._skip_provenance(s)
        s.done()
        return fee

    def _amount(self, s: Section) -> tuple[int | None, str | None]:
        if isinstance(s.values.get("amount"), Mapping):
            answer, question = self._ask(s, "amount")
            return (None if answer is None else self._minor(s, "amount", Decimal(str(answer)))), question
        return self._minor(s, "amount", s.number("amount")), None

    def _bands(self, s: Section, by: str) -> tuple[Band, ...]:
        """Bands as inclusive uppers. They must meet without gap: each starts where the one before ended."""
        unit, size = ("a", 1) if by == "BREAKER" else ("kwh", 1000)
        bands: list[Band] = []
        open_from = -1 if by == "CONSUMPTION" else 0  # the first unit value not yet covered is open_from + 1
        for item in s.sections("bands"):
            if bands and bands[-1].upper is None:
                raise item.fail(f"up_to_{unit}", "comes after a band without end")
            upper = self._band_upper(item, unit, size, open_from)
            amount = self._minor(item, "amount", item.number("amount"))
            bands.append(Band(upper, amount, item.text("confidence", required=False)))
            item.text("note", "")
            item.done()
            open_from = open_from if upper is None else upper
        if not bands or bands[-1].upper is not None:
            raise s.fail("bands", f"the last band must have no end (above_{unit} or from_{unit})")
        return tuple(bands)

    @staticmethod
    def _band_upper(item: Section, unit: str, size: int, covered: int) -> int | None:
        """The inclusive upper bound of a band written with from/above and below/up_to/exactly."""

        def bound(word: str) -> int | None:
            value = item.integer(f"{word}_{unit}", required=False)
            return None if value is None else value * size

        start, above, below, up_to, exactly = map(bound, ("from", "above", "below", "up_to", "exactly"))
        first = exactly if exactly is not None else start
        if first is None and above is not None:
            first = above + 1
        if first is not None and first != covered + 1:
            raise item.fail("the band", f"does not start where the one before ends ({covered // size})")
        upper = exactly if exactly is not None else up_to
        if upper is None and below is not None:
            upper = below - 1
        if upper is not None and unit == "a" and upper > MAX_AMPERE:
            raise item.fail("the band", f"ends above {MAX_AMPERE} A")
        if upper is not None and upper <= covered:
            raise item.fail("the band", "ends before it starts")
        return upper

    def _subsidy(self, s: Section) -> Subsidy:
        percent = self._fraction(s, "share") if s.has("share") else None
        per_kwh = self._micro(s, "per_kwh", s.number("per_kwh")) if s.has("per_kwh") else None
        up_to_wh = self._wh(s, "up_to_kwh") if s.has("up_to_kwh") else None
        if (percent is None) == (per_kwh is None):
            raise s.fail("share", "write either share (0.20 is 20 % of the energy charge) or per_kwh")
        if percent is not None and up_to_wh is not None:
            raise s.fail("up_to_kwh", "goes with per_kwh, not with share")
        made = Subsidy(s.text("code"), s.names("names"), percent, per_kwh, up_to_wh)
        self._skip_provenance(s)
        s.done()
        return made

    def _minimum(self) -> Minimum | None:
        if not self.s.has("minimum_charge"):
            self.s.take("minimum_charge")
            return None
        s = self.s.section("minimum_charge")
        made = Minimum(s.names("names"), self._minor(s, "amount", s.number("amount")))
        s.choice("per", ("MONTH",), "MONTH")
        self._skip_provenance(s)
        s.done()
        return made

    def _tax(self, s: Section) -> Tax:
        question = None
        if isinstance(s.values.get("rate"), Mapping):
            answer, question = self._ask(s, "rate")
            rate = None if answer is None else int(Decimal(str(answer)) * MICRO)
        else:
            rate = self._fraction(s, "rate")
        base = frozenset(s.texts("base", required=True))
        if not base <= {"ENERGY", "FIXED", "SUBSIDY"}:
            raise s.fail("base", "expected some of ENERGY, FIXED, SUBSIDY")
        first_day = s.date("first_day")
        tax = Tax(s.text("code"), s.names("names"), rate, question, base, first_day, self._end_day(s))
        self._skip_provenance(s)
        s.done()
        return tax

    # Values

    def _ask(self, s: Section, key: str) -> tuple[Any, str]:
        """(the utility's answer or None, the question's key) for a value written {question: KEY}."""
        inner = s.section(key)
        question = inner.text("question")
        inner.done()
        if question not in {q.key for q in self.profile.open_questions}:
            raise inner.fail("question", f"{question!r} is not in open_questions of the profile")
        return self.profile.answers.get(question), question

    def _wh(self, s: Section, key: str) -> int:
        value = s.number(key) * 1000
        if value != value.to_integral_value() or not 0 < value <= MAX_EDGE_KWH * 1000:
            raise s.fail(key, f"expected more than 0 and at most {MAX_EDGE_KWH} kWh, at most three decimals")
        return int(value)

    def _micro(self, s: Section, key: str, value: Decimal) -> int:
        scaled = value * MICRO
        if scaled != scaled.to_integral_value() or not 0 <= value <= MAX_PRICE:
            raise s.fail(key, f"expected 0 to {MAX_PRICE} with at most six decimals, found {value}")
        return int(scaled)

    def _fraction(self, s: Section, key: str) -> int:
        value = s.number(key)
        if value > 1:
            raise s.fail(key, f"expected 0 to 1 (0.15 is 15 %), found {value}")
        return self._micro(s, key, value)

    def _minor(self, s: Section, key: str, value: Decimal) -> int:
        try:
            amount = self.currency.parse(str(value))
        except UserError as error:
            raise s.fail(key, str(error)) from None
        if not 0 <= amount <= 10**12:
            raise s.fail(key, "expected 0 or more")
        return amount

    @staticmethod
    def _skip_provenance(s: Section) -> None:
        s.texts("source")
        s.text("note", "")
        s.text("confidence", "")


def _content_hash(version: Version) -> str:
    """SHA-256 of everything that can change a charge or its wording; not of notes, sources or file name."""
    skip = {"content_hash", "file", "note", "source", "confidence"}
    # repr of frozen values is stable: ints, texts, dates, tuples; sets are sorted first.
    values = {name: repr(getattr(version, name)) for name in Version.__dataclass_fields__ if name not in skip}
    values["taxes"] = repr(
        [(tax.code, tax.rate_micro, sorted(tax.base), tax.first_day, tax.end_day) for tax in version.taxes]
    )
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
