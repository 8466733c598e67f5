"""The charge kernel: a frame of bills to be in, exact lines and totals out, no Python per row.

Owns the path of a frame: group by category, find each bill's tariff segment, split bills that cross a change,
price each group as vectors (`pricing`), gather the lines in bill order. Never reads a database or a file.
The flow goes next to `billing`, which numbers, posts and writes the bills.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

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
)
NO_TARIFF, ENERGY_NEGATIVE, ENERGY_TOO_LARGE, PERIOD_INVALID = 1, 6, 7, 8
MAX_DAYS, MAX_MONTHS = 1100, 36
SLICE_ROWS = 32_768  # the vectors of one slice fit in the processor's cache
CATEGORIES = 100
MONEY = ("energy_minor", "fixed_minor", "subsidy_minor", "tax_minor", "total_minor", "support_minor")
REGISTER_PREFIX = "energy_wh_"
Kind = TypeVar("Kind", bound=np.generic)


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
    money = {name: np.zeros(n, dtype=np.int64) for name in MONEY}
    tariff = np.zeros(n, dtype=np.int32)
    problem = np.zeros(n, dtype=np.int8)
    counts = np.zeros(n, dtype=np.int64)
    values: list[Vector] = []
    for first in range(0, n, SLICE_ROWS):
        here = slice(first, min(first + SLICE_ROWS, n))
        work = _Slice(accounts.slice(first, SLICE_ROWS), book)
        work.money = {name: column[here] for name, column in money.items()}
        work.tariff, work.problem, work.counts = tariff[here], problem[here], counts[here]
        values.append(work.charge())
    totals = pl.DataFrame(
        {"row": accounts["row"], **money, "tariff": tariff, "problem": _problem_names(problem)}
    )
    lines = values[0] if len(values) == 1 else np.concatenate([np.zeros((0, 4), dtype=np.int64), *values])
    return Charges(totals, Lines(counts, lines))


def _problem_names(problem: npt.NDArray[np.int8]) -> pl.Series:
    if not problem.any():
        return pl.repeat(None, len(problem), dtype=pl.String, eager=True)
    return pl.Series(PROBLEMS, dtype=pl.String).gather(problem.astype(np.uint32))


@dataclass(slots=True)
class _Job:
    """Rows priced together. `rows` None: all rows of the slice, in order."""

    rows: Vector | None
    priced: Priced


class _Slice:
    """One slice of the frame on its way through the kernel."""

    money: dict[str, Vector]
    tariff: npt.NDArray[np.int32]
    problem: npt.NDArray[np.int8]
    counts: Vector

    def __init__(self, frame: pl.DataFrame, book: TariffBook) -> None:
        self.book, self.n = book, frame.height
        self.minor_digits = book.profile.currency.minor_digits
        # Each job holds a row at most once, and a row's jobs are in the order of time.
        self.jobs: list[_Job] = []
        self.key = _integers(frame, "category") * 2 + frame["entitled"].to_numpy()
        self.start, self.end = _integers(frame, "start_date"), _integers(frame, "end_date")
        self.energy_wh = _integers(frame, "energy_wh")
        self.breaker_a = _integers(frame, "breaker_a")
        self.months, self.year_wh = _integers(frame, "months"), _integers(frame, "year_wh")
        self.registers = {
            name.removeprefix(REGISTER_PREFIX): _integers(frame, name)
            for name in frame.columns
            if name.startswith(REGISTER_PREFIX)
        }
        self.standard: bool | Flags = False
        if "standard_month" in frame.columns:
            flags = frame["standard_month"].to_numpy()
            self.standard = bool(flags[0]) if self.n and (flags == flags[0]).all() else flags

    def charge(self) -> Vector:
        """Fill the output columns of this slice; returns its lines, in row order."""
        usable = self._refuse_impossible()
        present = np.flatnonzero(np.bincount(self.key[usable] if usable is not None else self.key))
        for key in present:
            mine: Flags = self.key == key
            if usable is not None:
                mine &= usable
            rows = None if len(present) == 1 and usable is None else np.flatnonzero(mine)
            self._charge_group(int(key) // 2, bool(key % 2), rows)
        return self._gather_lines()

    def _refuse_impossible(self) -> Flags | None:
        """Flag rows that no tariff could charge; returns the usable rows, None when all are."""
        if self.n == 0:
            return None
        days = self.end - self.start
        checks = (
            (self.energy_wh < 0, ENERGY_NEGATIVE),
            (self.energy_wh > MAX_ENERGY_WH, ENERGY_TOO_LARGE),
            (days < 1, PERIOD_INVALID),
            (days > MAX_DAYS, PERIOD_INVALID),
            (self.months < 1, PERIOD_INVALID),
            (self.months > MAX_MONTHS, PERIOD_INVALID),
            (self.start < epoch_day(FIRST_DAY), PERIOD_INVALID),
            (self.end > epoch_day(LAST_DAY), PERIOD_INVALID),
            (self.key < 0, NO_TARIFF),
            (self.key >= 2 * CATEGORIES, NO_TARIFF),
            *((register < 0, ENERGY_NEGATIVE) for register in self.registers.values()),
        )
        for where, problem in checks:
            if where.any():
                self.problem[where] = problem
        return self.problem == 0 if self.problem.any() else None

    # From a group of rows to jobs

    def _charge_group(self, category: int, entitled: bool, rows: Vector | None) -> None:
        """Charge rows of one category and entitlement: whole bills, then bills that cross a change."""
        code = self.book.categories.get(category)
        if code is None:
            self._flag(rows, NO_TARIFF)
            return
        line = timeline(self.book, code, entitled)
        start, end = _take(self.start, rows), _take(self.end, rows)
        if len(start) == 0:
            return
        first_at, last_at = int(line.at(start.min())), int(line.at(end.max() - 1))
        if first_at == last_at and not line.has_threshold:
            self._charge_whole(line.segments[first_at], rows)
            return
        first, last = line.at(start), line.at(end - 1)
        if rows is None:
            rows = np.arange(self.n)
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
        energy_wh = _take(self.energy_wh, rows)
        days = _common(_take(self.end, rows) - _take(self.start, rows))
        registers = {name: _take(register, rows) for name, register in self.registers.items()}
        parts = Parts(
            n=len(energy_wh),
            energy_wh=energy_wh,
            start=_common(_take(self.start, rows)),
            days=days,
            before_days=0,
            period_days=days,
            months=_common(_take(self.months, rows)),
            standard=self.standard if isinstance(self.standard, bool) else _take(self.standard, rows),
            breaker_a=_take(self.breaker_a, rows),
            registers=registers,
            whole=True,
            bill_energy_wh=energy_wh,
            bill_registers=registers,
        )
        self._run(segment, parts, rows)

    def _charge_split(self, line: Timeline, rows: Vector, first: Vector, last: Vector) -> None:
        """Charge bills that cross a change: energy is split by days, floor to the Wh, the rest to the last
        part; each part is charged like a bill of its own."""
        start, end = self.start[rows], self.end[rows]
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
                    months=self.months[rows[bills]],
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
        self.money["energy_minor"][where] += priced.energy
        self.money["fixed_minor"][where] += priced.fixed
        if segment.version.subsidies:
            self.money["subsidy_minor"][where] += priced.subsidy
        if segment.taxes_at:
            self.money["tax_minor"][where] += priced.tax
        self.tariff[where] = segment.version.number
        if priced.problem is not None:
            self.problem[where] = np.where(self.problem[where] == 0, priced.problem, self.problem[where])
        if segment.version.compare_with:
            self._add_support(segment, parts, priced, where)
        self.jobs.append(_Job(rows, priced))

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

    def _flag(self, rows: Vector | None, problem: int) -> None:
        where = slice(None) if rows is None else rows
        self.problem[where] = np.where(self.problem[where] == 0, problem, self.problem[where])

    # From jobs to lines

    def _gather_lines(self) -> Vector:
        """Totals of the slice, problem rows cleared, and all lines in row order and, in a row, in time order."""
        money = self.money
        bad = self.problem != 0
        has_bad = bool(bad.any())
        if has_bad:
            for column in money.values():
                column[bad] = 0
        np.add(money["energy_minor"], money["fixed_minor"], out=money["total_minor"])
        money["total_minor"] += money["subsidy_minor"]
        money["total_minor"] += money["tax_minor"]
        packed = []
        for job in self.jobs:
            counts, lines = _pack(job, bad if has_bad else None)
            if job.rows is None:
                self.counts[:] = counts
                return lines
            self.counts[job.rows] += counts
            packed.append((job.rows, counts, lines))
        position = np.cumsum(self.counts) - self.counts  # where the next line of each row goes
        values = np.empty((int(self.counts.sum()), 4), dtype=np.int64)
        for rows, counts, lines in packed:
            before = np.cumsum(counts) - counts
            values[np.repeat(position[rows] - before, counts) + np.arange(len(lines))] = lines
            position[rows] += counts
        return values


def _pack(job: _Job, bad: Flags | None) -> tuple[Vector, Vector]:
    """(lines per part, lines of all parts in part order): empty energy lines and zero amounts are left out."""
    components, n = job.priced.components, job.priced.n
    dense = np.empty((n, len(components), 4), dtype=np.int64)
    keep = np.empty((n, len(components)), dtype=bool)
    for at, (code, quantity, price_micro, amount) in enumerate(components):
        dense[:, at, 0] = code
        dense[:, at, 1] = quantity
        dense[:, at, 2] = price_micro
        dense[:, at, 3] = amount
        is_energy = code % 1000 < 500
        np.not_equal(quantity if is_energy else amount, 0, out=keep[:, at])
    if bad is not None:
        keep &= ~(bad if job.rows is None else bad[job.rows])[:, None]
    return keep.sum(axis=1), dense[keep]


def _integers(frame: pl.DataFrame, name: str) -> Vector:
    column = frame[name]
    if column.null_count():
        raise ValueError(f"accounts.{name} has nulls; every bill needs a value")
    return column.to_physical().to_numpy().astype(np.int64, copy=False)


def _take(column: npt.NDArray[Kind], rows: Vector | None) -> npt.NDArray[Kind]:
    return column if rows is None else column[rows]


def _common(column: Vector) -> Ints:
    """A plain int when every value is the same."""
    return int(column[0]) if (column == column[0]).all() else column


def iter_lines(charges: Charges) -> Iterator[npt.NDArray[np.int64]]:
    """The lines of each row in turn: arrays of shape (count, 4). For quotes and tests, not for bulk."""
    yield from np.split(charges.lines.line_values, np.cumsum(charges.lines.line_counts)[:-1])
