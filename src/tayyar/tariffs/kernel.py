"""The charge kernel: a frame of bills to be in, exact lines and totals out, no Python per row.

Owns the path of a frame: group by category, find each bill's tariff segment, split bills that cross a change,
price each group as vectors (`pricing`), gather the lines in bill order. Never reads a database or a file.
The flow goes next to `billing`, which numbers, posts and writes the bills.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tayyar.tariffs.book import TariffBook
from tayyar.tariffs.pricing import (
    MAX_ENERGY_WH,
    Flags,
    Ints,
    Parts,
    Priced,
    Vector,
    energy_charge,
    price,
)
from tayyar.tariffs.ragged import Job, LineBuffer, full, take, write_lines
from tayyar.tariffs.timeline import FIRST_DAY, LAST_DAY, Segment, Timeline, epoch_day, timeline

# Why a row was not charged, by code. 0 is charged.
PROBLEMS = (
    None,
    "NO_TARIFF",
    "PRICE_UNKNOWN",
    "FEE_UNKNOWN",
    "TAX_UNKNOWN",
    "PRORATION_UNKNOWN",
    "ENERGY_NEGATIVE",
    "ENERGY_TOO_LARGE",
    "PERIOD_INVALID",
    "REGISTER_MISSING",
    "REGISTERS_DIFFER",
    "BREAKER_INVALID",
)
NO_TARIFF, ENERGY_NEGATIVE, ENERGY_TOO_LARGE, PERIOD_INVALID, BREAKER_INVALID = 1, 6, 7, 8, 11
MAX_DAYS, MAX_MONTHS = 1100, 36
SLICE_ROWS = 65_536  # the vectors of one slice fit in the processor's cache
CATEGORIES = 100
MONEY = ("energy_minor", "fixed_minor", "subsidy_minor", "tax_minor", "total_minor", "support_minor")
REGISTER_PREFIX = "energy_wh_"


@dataclass(frozen=True, slots=True)
class Lines:
    """Ragged bill lines. `line_counts[i]` lines belong to input row i, in order, in `line_values`, whose
    columns are (line code, quantity, price_micro, amount_minor); `lines.decode` names them."""

    line_counts: npt.NDArray[np.int64]
    line_values: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Charges:
    """`totals`: row, energy_minor, fixed_minor, subsidy_minor, tax_minor, total_minor, support_minor, tariff,
    problem; in input order. The amounts of a row's lines add up to its total_minor."""

    totals: pl.DataFrame
    lines: Lines


def charge(accounts: pl.DataFrame, book: TariffBook) -> Charges:
    """Charge every row of `accounts`; input order is kept.

    Columns: row, category Int16 (profile number), start_date and end_date Date (half-open), energy_wh Int64,
    breaker_a Int32, entitled Boolean, months Int32, year_wh Int64 (the 365 days before); optional
    energy_wh_<REGISTER> Int64, and standard_month Boolean (True: quote `months` standard months, no proration).
    A row that cannot be charged has zero amounts, no lines, and a `problem`.
    """
    n = accounts.height
    columns = _columns(accounts)
    money = {name: np.zeros(n, dtype=np.int64) for name in MONEY}
    tariff = np.zeros(n, dtype=np.int32)
    problem = np.zeros(n, dtype=np.int8)
    counts = np.zeros(n, dtype=np.int64)
    lines = LineBuffer(n, SLICE_ROWS)
    for first in range(0, n, SLICE_ROWS):
        here = slice(first, min(first + SLICE_ROWS, n))
        work = _Slice({name: column[here] for name, column in columns.items()}, book)
        work.money = {name: column[here] for name, column in money.items()}
        work.tariff, work.problem, work.counts = tariff[here], problem[here], counts[here]
        work.charge(lines)
    totals = pl.DataFrame(
        {"row": accounts["row"], **money, "tariff": tariff, "problem": _problem_names(problem)}
    )
    return Charges(totals, Lines(counts, lines.filled()))


def _columns(accounts: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """The columns as NumPy vectors, dates as epoch days. Raises ValueError when one has nulls."""
    wanted = ["category", "entitled", "start_date", "end_date", "energy_wh", "breaker_a", "months", "year_wh"]
    wanted += [name for name in accounts.columns if name.startswith(REGISTER_PREFIX)]
    wanted += ["standard_month"] if "standard_month" in accounts.columns else []
    for name in wanted:
        if accounts[name].null_count():
            raise ValueError(f"accounts.{name} has nulls; every bill needs a value")
    dates = ("start_date", "end_date")
    return {
        name: (accounts[name].cast(pl.Int32) if name in dates else accounts[name]).to_numpy()
        for name in wanted
    }


def _problem_names(problem: npt.NDArray[np.int8]) -> pl.Series:
    if not problem.any():
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(problem))
    return pl.Series(PROBLEMS, dtype=pl.String).gather(problem.astype(np.uint32))


class _Slice:
    """One slice of the frame on its way through the kernel."""

    money: dict[str, Vector]
    tariff: npt.NDArray[np.int32]
    problem: npt.NDArray[np.int8]
    counts: Vector
    bad: Flags | None

    def __init__(self, columns: dict[str, npt.NDArray[Any]], book: TariffBook) -> None:
        self.book, self.n = book, len(columns["category"])
        self.minor_digits = book.profile.currency.minor_digits
        # Each job holds a row at most once, and a row's jobs are in the order of time.
        self.jobs: list[Job] = []
        category: Vector = columns["category"]
        self.category = category
        # One byte: comparing it for every group is as good as free. Impossible categories are flagged below.
        self.key = (category * 2 + columns["entitled"]).astype(np.uint8)
        self.start, self.end = _common(columns["start_date"]), _common(columns["end_date"])
        self.months = _common(columns["months"])
        self.energy_wh = columns["energy_wh"].astype(np.int64, copy=False)
        self.breaker_a: Vector = columns["breaker_a"]
        self.year_wh: Vector = columns["year_wh"]
        self.registers: dict[str, Vector] = {
            name.removeprefix(REGISTER_PREFIX): column.astype(np.int64, copy=False)
            for name, column in columns.items()
            if name.startswith(REGISTER_PREFIX)
        }
        self.standard: bool | Flags = False
        if "standard_month" in columns:
            flags = columns["standard_month"]
            self.standard = bool(flags[0]) if (flags == flags[0]).all() else flags

    def charge(self, lines: LineBuffer) -> None:
        """Fill the output columns of this slice and append its lines, in row order."""
        usable = self._refuse_impossible()
        present = np.flatnonzero(np.bincount(self.key if usable is None else self.key[usable]))
        for key in present:
            mine: Flags = self.key == key
            if usable is not None:
                mine &= usable
            rows = None if len(present) == 1 and usable is None else np.flatnonzero(mine)
            self._charge_group(int(key) // 2, bool(key % 2), rows)
        self._add_up()
        write_lines(self.jobs, self.counts, self.bad, lines)

    def _refuse_impossible(self) -> Flags | None:
        """Flag rows that no tariff could charge; returns the usable rows, None when all are."""
        limits: list[tuple[Ints, int, int, int]] = [
            (self.energy_wh, 0, 2**63 - 1, ENERGY_NEGATIVE),
            (self.energy_wh, 0, MAX_ENERGY_WH, ENERGY_TOO_LARGE),
            (self.end - self.start, 1, MAX_DAYS, PERIOD_INVALID),
            (self.months, 1, MAX_MONTHS, PERIOD_INVALID),
            (self.start, epoch_day(FIRST_DAY), 2**31, PERIOD_INVALID),
            (self.end, -(2**31), epoch_day(LAST_DAY), PERIOD_INVALID),
            (self.category, 0, CATEGORIES - 1, NO_TARIFF),
            (self.breaker_a, 0, 2**31, BREAKER_INVALID),
            *((register, 0, 2**63 - 1, ENERGY_NEGATIVE) for register in self.registers.values()),
        ]
        for values, least, most, problem in limits:
            if np.min(values) < least or np.max(values) > most:
                self._flag(None, problem, (values < least) | (values > most))
        return self.problem == 0 if self.problem.any() else None

    # From a group of rows to jobs

    def _charge_group(self, category: int, entitled: bool, rows: Vector | None) -> None:
        """Charge rows of one category and entitlement: whole bills, then bills that cross a change."""
        code = self.book.categories.get(category)
        if code is None:
            self._flag(rows, NO_TARIFF)
            return
        line = timeline(self.book, code, entitled)
        start, end = take(self.start, rows), take(self.end, rows)
        first_at, last_at = int(line.at(np.asarray(np.min(start)))), int(line.at(np.asarray(np.max(end) - 1)))
        if first_at == last_at and not line.has_threshold:
            self._charge_whole(line.segments[first_at], rows)
            return
        if rows is None:
            rows = np.arange(self.n)
        first, last = (full(line.at(np.asarray(day)), len(rows)) for day in (start, end - 1))
        if line.has_threshold:
            rows, first, last = self._move_over_threshold(line, rows, first, last, entitled)
        whole = first == last
        for at in np.unique(first[whole]):
            self._charge_whole(line.segments[at], rows[whole & (first == at)])
        if not whole.all():
            self._charge_split(line, rows[~whole], first[~whole], last[~whole])

    def _move_over_threshold(
        self, line: Timeline, rows: Vector, first: Vector, last: Vector, entitled: bool
    ) -> tuple[Vector, Vector, Vector]:
        """Bills above the annual threshold in force on their last day go to the other category, whole."""
        stay = np.ones(len(rows), dtype=bool)
        used = self.year_wh[rows] + self.energy_wh[rows]
        for at in np.unique(last):
            segment = line.segments[at]
            if segment is not None and segment.version.threshold:
                over = (last == at) & (used > segment.version.threshold.limit_wh)
                if over.any():
                    moves_to = self.book.profile.category(segment.version.threshold.moves_to)
                    self._charge_group(moves_to.number, entitled, rows[over])
                    stay &= ~over
        return rows[stay], first[stay], last[stay]

    def _charge_whole(self, segment: Segment | None, rows: Vector | None) -> None:
        """Charge bills that lie in one segment."""
        if segment is None:
            self._flag(rows, NO_TARIFF)
            return
        energy_wh = take(self.energy_wh, rows)
        start = take(self.start, rows)
        days = take(self.end, rows) - start
        registers = {name: take(register, rows) for name, register in self.registers.items()}
        parts = Parts(
            n=len(energy_wh),
            energy_wh=energy_wh,
            start=start,
            days=days,
            before_days=0,
            period_days=days,
            months=take(self.months, rows),
            standard=self.standard if isinstance(self.standard, bool) else take(self.standard, rows),
            breaker_a=take(self.breaker_a, rows),
            registers=registers,
            whole=True,
            bill_energy_wh=energy_wh,
            bill_registers=registers,
        )
        self._run(segment, parts, rows)

    def _charge_split(self, line: Timeline, rows: Vector, first: Vector, last: Vector) -> None:
        """Charge bills that cross a change: energy is split by days, floor to the Wh, the rest to the last
        part; each part is charged like a bill of its own."""
        start, end = (full(take(day, rows), len(rows)) for day in (self.start, self.end))
        period_days = end - start
        given = {"": np.zeros(len(rows), dtype=np.int64)}
        given |= {name: np.zeros(len(rows), dtype=np.int64) for name in self.registers}
        for step in range(int((last - first).max()) + 1):
            at = first + step
            here = np.flatnonzero(at <= last)
            at = at[here]
            part_start = np.maximum(start[here], line.starts[at])
            days = np.minimum(end[here], line.starts[at + 1]) - part_start
            energies = {}
            for name, total in (("", self.energy_wh), *self.registers.items()):
                of_row = total[rows[here]]
                shared = of_row * days // period_days[here]
                shared = np.where(at == last[here], of_row - given[name][here], shared)
                given[name][here] += shared
                energies[name] = shared
            for segment_at in np.unique(at):
                mine = np.flatnonzero(at == segment_at)
                bills = here[mine]
                segment = line.segments[segment_at]
                if segment is None:
                    self._flag(rows[bills], NO_TARIFF)
                    continue
                standard = self.standard
                parts = Parts(
                    n=len(mine),
                    energy_wh=energies[""][mine],
                    start=part_start[mine],
                    days=days[mine],
                    before_days=part_start[mine] - start[bills],
                    period_days=period_days[bills],
                    months=take(self.months, rows[bills]),
                    standard=standard if isinstance(standard, bool) else standard[rows[bills]],
                    breaker_a=self.breaker_a[rows[bills]],
                    registers={name: energies[name][mine] for name in self.registers},
                    whole=False,
                    bill_energy_wh=self.energy_wh[rows[bills]],
                    bill_registers={name: whole[rows[bills]] for name, whole in self.registers.items()},
                )
                self._run(segment, parts, rows[bills])

    def _run(self, segment: Segment, parts: Parts, rows: Vector | None) -> None:
        """Price one job and add it to the totals of its rows."""
        priced = price(segment, parts, self.minor_digits)
        where: slice | Vector = slice(None) if rows is None else rows
        amounts = (priced.energy, priced.fixed, priced.subsidy, priced.tax)
        for name, amount in zip(MONEY[:4], amounts, strict=True):
            if isinstance(amount, int) and amount == 0:
                continue
            if parts.whole:
                self.money[name][where] = amount
            else:
                self.money[name][where] += amount
        self.tariff[where] = segment.version.number
        if priced.problem is not None:
            self._flag(rows, priced.problem)
        if segment.version.compare_with:
            self._add_support(segment, parts, priced, where)
        self.jobs.append(Job(rows, priced, bool(segment.version.subsidies)))

    def _add_support(self, segment: Segment, parts: Parts, priced: Priced, where: slice | Vector) -> None:
        """What the compared tariff in force on the part's last day would have charged, less this energy."""
        scope = segment.version.compare_with
        assert scope is not None
        line = timeline(self.book, scope.category, bool(scope.entitled))
        at = np.broadcast_to(line.at(np.asarray(parts.start + parts.days - 1)), (parts.n,))
        support = np.zeros(parts.n, dtype=np.int64)
        for segment_at in np.unique(at):
            other = line.segments[segment_at]
            if other is None or not other.season.blocks:
                continue
            compared = energy_charge(other.season, other.version.proration, parts, self.minor_digits)
            known = at == segment_at
            if compared.problem is not None:
                known &= compared.problem == 0
            support[known] = (compared.energy - priced.energy)[known]
        self.money["support_minor"][where] += support

    def _flag(
        self, rows: Vector | None, problem: int | npt.NDArray[np.int8], among: Flags | bool = True
    ) -> None:
        """Note why rows are not charged; the first reason stays."""
        where = slice(None) if rows is None else rows
        known = self.problem[where]
        self.problem[where] = np.where((known == 0) & among, problem, known)

    # From jobs to totals and lines

    def _add_up(self) -> None:
        """Totals of the slice; rows with a problem come to nothing."""
        money = self.money
        self.bad = self.problem != 0 if self.problem.any() else None
        if self.bad is not None:
            for column in money.values():
                column[self.bad] = 0
        np.add(money["energy_minor"], money["fixed_minor"], out=money["total_minor"])
        money["total_minor"] += money["tax_minor"]
        if any(job.has_subsidy for job in self.jobs):
            money["total_minor"] += money["subsidy_minor"]


def _common(column: npt.NDArray[Any]) -> Ints:
    """A plain int when every value is the same, else int64."""
    return int(column[0]) if (column == column[0]).all() else column.astype(np.int64)


def iter_lines(charges: Charges) -> Iterator[npt.NDArray[np.int64]]:
    """The lines of each row in turn: arrays of shape (count, 4). For quotes and tests, not for bulk."""
    yield from np.split(charges.lines.line_values, np.cumsum(charges.lines.line_counts)[:-1])
