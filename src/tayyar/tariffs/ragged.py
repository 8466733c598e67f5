"""Puts the lines of many jobs into one ragged array, each written once, straight to its place.

Owns the order of lines and which are left out. Never computes an amount.
The flow goes back to `kernel`, which hands the array to its caller.
"""

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from tayyar.tariffs.lines import FIXED, PER_TARIFF
from tayyar.tariffs.pricing import Component, Flags, Priced, Vector

Kind = TypeVar("Kind")


@dataclass(slots=True)
class Job:
    """Rows priced together. `rows` None: all rows of the slice, in order."""

    rows: Vector | None
    priced: Priced
    has_subsidy: bool


class LineBuffer:
    """Lines of all slices, one after the other, in memory that is touched only as far as it is filled."""

    def __init__(self, rows: int, slice_rows: int) -> None:
        self._rows, self._slice_rows, self._filled = rows, slice_rows, 0
        self._values = np.empty((0, 4), dtype=np.int64)

    def take(self, count: int) -> Vector:
        """Room for the next `count` lines."""
        needed = self._filled + count
        if needed > len(self._values):
            # One slice fits exactly; with more to come, leave room for what the rest will need.
            capacity = needed if self._rows <= self._slice_rows else max(2 * needed, 6 * self._rows)
            grown = np.empty((capacity, 4), dtype=np.int64)
            grown[: self._filled] = self._values[: self._filled]
            self._values = grown
        first, self._filled = self._filled, needed
        return self._values[first:needed]

    def filled(self) -> Vector:
        """All lines so far."""
        return self._values[: self._filled]


def write_lines(jobs: list[Job], counts: Vector, bad: Flags | None, lines: LineBuffer) -> None:
    """Append the lines of a slice in row order and, within a row, in the order of its jobs; fills `counts`.

    First every component says which of its rows show a line, which gives each row its place; then
    each component writes its lines there.
    """
    shown = []
    for job in jobs:
        for component in job.priced.components:
            rows, at = _shown(job, component, bad)
            if at is None or len(at):
                shown.append((component, rows, at))
                counts[slice(None) if rows is None else rows] += 1
    place = np.cumsum(counts)
    total = int(place[-1])
    place -= counts
    columns = lines.take(total).T
    for (code, quantity, price_micro, amount), rows, at in shown:
        where = slice(None) if rows is None else rows
        to = place[where]
        columns[0][to] = code
        for column, values in zip(columns[1:], (quantity, price_micro, amount), strict=True):
            column[to] = take(values, at)
        to += 1
        place[where] = to


def _shown(job: Job, component: Component, bad: Flags | None) -> tuple[Vector | None, Vector | None]:
    """(rows of the slice, positions in the job) that show this component; None stands for all.

    Left out are energy lines without energy, other lines without an amount, and rows with a problem.
    """
    code, quantity, _, amount = component
    is_energy = code % PER_TARIFF < FIXED
    show: Flags | np.bool_ = np.not_equal(quantity if is_energy else amount, 0)
    if bad is not None:
        show = show & ~take(bad, job.rows)
    if np.all(show):
        return job.rows, None
    at = np.flatnonzero(full(show, job.priced.n))
    return (at if job.rows is None else job.rows[at]), at


def take(column: Kind, rows: Vector | None) -> Kind:
    """The values of some rows; a plain int stays what it is for all."""
    if rows is None or not isinstance(column, np.ndarray):
        return column
    return cast(Kind, column[rows])


def full(values: Any, n: int) -> npt.NDArray[Any]:
    """A vector of n values from one value or from n."""
    return np.broadcast_to(values, (n,))
