"""The charge kernel against the same arithmetic written out bare, and against the reference.

Owns two figures of docs/benchmarks.md: speed (bare time / kernel time, one thread) and exactness (rows that
differ from the reference in any amount or line). Run it with a number of rows: `python bench_kernel.py 1000000`.
"""

import datetime as dt
import os
import sys
import time
from collections.abc import Callable
from statistics import median

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # both sides on one thread; must precede the import

import numpy as np
import polars as pl

from tayyar.profiles import codes, demo_answers, load
from tayyar.tariffs.book import TariffBook, load_book
from tayyar.tariffs.kernel import SLICE_ROWS, charge, iter_lines
from tayyar.tariffs.reference import charge_one
from tayyar.tariffs.sampling import bills, random_accounts

ROUNDS = 7
CHUNK_ROWS = 20_000  # a bill run's chunk


def run(n: int = 1_000_000) -> dict[str, object]:
    """Measure with `n` rows; every `*_seconds` is a median on one thread.

    `ratio`: the fastest bare way to the same outputs, totals and ragged lines, over the kernel.
    `ratio_totals_only`: bare totals without lines, over the kernel with them. `differing_rows` must be 0.
    """
    book = load_book(_with_answers("sa"))
    accounts = _month_of_bills(n)
    _check_bare(accounts, book)
    # Alternating rounds, so that a noisy neighbour disturbs all sides alike.
    sides: dict[str, Callable[[], object]] = {
        "kernel": lambda: charge(accounts, book),
        "bare_polars_totals": lambda: _bare_polars(accounts),
        "bare_numpy_totals": lambda: _bare_numpy(accounts),
        "bare_polars_with_lines": lambda: _in_slices(accounts, lambda part: _columns_of(_bare_polars(part))),
        "bare_numpy_with_lines": lambda: _in_slices(accounts, _bare_numpy),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, side in sides.items():
            times[name].append(_seconds(side))
    seconds = {name: median(measured) for name, measured in times.items()}
    bare_totals = min(seconds["bare_polars_totals"], seconds["bare_numpy_totals"])
    bare_lines = min(seconds["bare_polars_with_lines"], seconds["bare_numpy_with_lines"])
    chunk = accounts.head(CHUNK_ROWS)
    compared, differing, uncharged = _compare(n)
    return {
        "rows": n,
        **{f"{name}_seconds": round(value, 4) for name, value in seconds.items()},
        "ratio": round(bare_lines / seconds["kernel"], 3),
        "ratio_totals_only": round(bare_totals / seconds["kernel"], 3),
        "chunk_milliseconds": round(
            1000 * median(_seconds(lambda: charge(chunk, book)) for _ in range(15)), 2
        ),
        "compared_rows": compared,
        "differing_rows": differing,
        "uncharged_rows": uncharged,
    }


def _with_answers(code: str):  # type: ignore[no-untyped-def]
    profile = load(code)
    return load(code, demo_answers(profile))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# Speed: a month of Saudi bills in six tariffs

# category: (share, block edge kWh, price below, price above, as millionths)
TARIFFS = {
    1: (0.78, 6000, 180_000, 300_000),
    2: (0.15, 6000, 200_000, 300_000),
    3: (0.03, 6000, 160_000, 200_000),
    5: (0.01, None, 210_000, 0),
    7: (0.02, None, 180_000, 0),
    8: (0.01, None, 320_000, 0),
}
DAYS = 31
BREAKERS = ((100, 1000), (200, 1500), (300, 2100), (400, 2200), (401, 2500), (10**6, 3000))


def _month_of_bills(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(42)
    return pl.DataFrame(
        {
            "row": np.arange(n, dtype=np.int64),
            "category": rng.choice(list(TARIFFS), n, p=[t[0] for t in TARIFFS.values()]).astype(np.int16),
            "energy_wh": rng.gamma(2.0, 1_500_000, n).astype(np.int64),
            "breaker_a": rng.choice([20, 30, 60, 100, 150, 200, 400, 500], n).astype(np.int32),
            "entitled": np.zeros(n, dtype=bool),
            "months": np.ones(n, dtype=np.int32),
            "year_wh": np.zeros(n, dtype=np.int64),
        }
    ).with_columns(start_date=pl.lit(dt.date(2025, 10, 28)), end_date=pl.lit(dt.date(2025, 11, 28)))


def _bare_polars(accounts: pl.DataFrame) -> pl.DataFrame:
    """The same sums as hand-written Polars expressions: quantities, amounts and totals, no documents, no lines."""
    category, wh = pl.col("category"), pl.col("energy_wh")

    def by_category(values: dict[int, int]) -> pl.Expr:
        found = pl.lit(0, dtype=pl.Int64)
        for key, value in values.items():
            found = pl.when(category == key).then(pl.lit(value, dtype=pl.Int64)).otherwise(found)
        return found

    edges = {
        key: 10**13 if edge is None else edge * 1000 * DAYS // 30 for key, (_, edge, _, _) in TARIFFS.items()
    }
    fee = pl.lit(BREAKERS[-1][1], dtype=pl.Int64)
    for below, amount in reversed(BREAKERS[:-1]):
        fee = pl.when(pl.col("breaker_a") < below).then(pl.lit(amount, dtype=pl.Int64)).otherwise(fee)
    return (
        accounts.lazy()
        .with_columns(first_wh=pl.min_horizontal(wh, by_category(edges)), fixed_minor=fee)
        .with_columns(second_wh=wh - pl.col("first_wh"))
        .with_columns(
            first=(pl.col("first_wh") * by_category({k: t[2] for k, t in TARIFFS.items()}) + 5_000_000)
            // 10_000_000,
            second=(pl.col("second_wh") * by_category({k: t[3] for k, t in TARIFFS.items()}) + 5_000_000)
            // 10_000_000,
        )
        .with_columns(energy_minor=pl.col("first") + pl.col("second"))
        .with_columns(base=pl.col("energy_minor") + pl.col("fixed_minor"))
        .with_columns(tax_minor=(pl.col("base") * 150_000 + 500_000) // 1_000_000)
        .with_columns(total_minor=pl.col("base") + pl.col("tax_minor"))
        .collect()
    )


def _bare_numpy(accounts: pl.DataFrame) -> list[np.ndarray]:
    """The same sums as hand-written NumPy, in slices that fit the cache."""
    tables = np.zeros((3, 100), dtype=np.int64)
    for key, (_, edge, low, high) in TARIFFS.items():
        tables[:, key] = (10**13 if edge is None else edge * 1000 * DAYS // 30, low, high)
    uppers = np.array([below for below, _ in BREAKERS])
    fees = np.array([amount for _, amount in BREAKERS], dtype=np.int64)
    n = accounts.height
    out = [np.empty(n, dtype=np.int64) for _ in range(9)]
    columns = [accounts[name].to_numpy() for name in ("category", "energy_wh", "breaker_a")]
    for at in range(0, n, 32_768):
        here = slice(at, at + 32_768)
        category, wh, breaker = (column[here] for column in columns)
        first_wh = np.minimum(wh, tables[0][category])
        second_wh = wh - first_wh
        first = (first_wh * tables[1][category] + 5_000_000) // 10_000_000
        second = (second_wh * tables[2][category] + 5_000_000) // 10_000_000
        energy = first + second
        fixed = fees[np.searchsorted(uppers, breaker, side="right")]
        base = energy + fixed
        tax = (base * 150_000 + 500_000) // 1_000_000
        values = (first_wh, first, second_wh, second, energy, fixed, base, tax, base + tax)
        for column, value in zip(out, values, strict=True):
            column[here] = value
    return out


def _columns_of(charged: pl.DataFrame) -> list[np.ndarray]:
    """The columns of `_bare_polars` in the order of `_bare_numpy`."""
    names = (
        "first_wh",
        "first",
        "second_wh",
        "second",
        "energy_minor",
        "fixed_minor",
        "base",
        "tax_minor",
        "total_minor",
    )
    return [charged[name].to_numpy() for name in names]


def _in_slices(
    accounts: pl.DataFrame, totals: Callable[[pl.DataFrame], list[np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Bare totals and lines slice by slice, as cache-friendly as the kernel works: (total_minor, line values)."""
    parts = [accounts.slice(at, SLICE_ROWS) for at in range(0, accounts.height, SLICE_ROWS)]
    charged = [totals(part) for part in parts]
    lines = [_bare_lines(part, columns)[1] for part, columns in zip(parts, charged, strict=True)]
    return np.concatenate([columns[-1] for columns in charged]), np.concatenate(lines)


def _bare_lines(accounts: pl.DataFrame, columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The kernel's ragged lines from the bare columns, written out for these tariffs: (counts, values)."""
    first_wh, first, second_wh, second, _, fixed, base, tax, _ = columns
    numbers = np.zeros(100, dtype=np.int64)
    prices = np.zeros((2, 100), dtype=np.int64)
    for number, (key, tariff) in zip((1, 2, 4, 5, 6, 7), TARIFFS.items(), strict=True):
        numbers[key] = number * 1000
        prices[:, key] = tariff[2:]
    category = accounts["category"].to_numpy()
    number = numbers[category]
    one = np.ones(len(base), dtype=np.int64)
    rate = np.full(len(base), 150_000)
    blocks = ((1, first_wh, prices[0][category], first), (2, second_wh, prices[1][category], second))
    rest = ((500, one, fixed * 10_000, fixed), (901, base, rate, tax))
    counts = 2 + (first_wh != 0).astype(np.int64) + (second_wh != 0)
    place = np.cumsum(counts) - counts
    values = np.empty((int(counts.sum()), 4), dtype=np.int64)
    for component, quantity, price, amount in (*blocks, *rest):
        shown = np.flatnonzero(quantity)
        to = place[shown]
        values[to, 0] = number[shown] + component
        values[to, 1] = quantity[shown]
        values[to, 2] = price[shown]
        values[to, 3] = amount[shown]
        place[shown] += 1
    return counts, values


def _check_bare(accounts: pl.DataFrame, book: TariffBook) -> None:
    """All sides must agree, or the comparison is worth nothing."""
    charges = charge(accounts, book)
    total = charges.totals["total_minor"].to_numpy()
    _, values = _in_slices(accounts, _bare_numpy)
    if not np.array_equal(values, charges.lines.line_values):
        raise SystemExit("the bare lines and the kernel's differ")
    if not (total == _bare_polars(accounts)["total_minor"].to_numpy()).all():
        raise SystemExit("bare Polars and the kernel differ")
    if not (total == _bare_numpy(accounts)[-1]).all():
        raise SystemExit("bare NumPy and the kernel differ")


# Exactness: every tariff of every profile


def _compare(n: int) -> tuple[int, int, int]:
    """(rows compared, rows that differ, rows not charged because something is unknown)."""
    names = codes()
    compared = differing = uncharged = 0
    for at, code in enumerate(names):
        book = load_book(_with_answers(code))
        left = n // len(names) + (1 if at < n % len(names) else 0)
        seed = 0
        while left > 0:
            size = min(left, 50_000)
            accounts = random_accounts(book, size, seed)
            differing += differences(book, accounts)
            uncharged += size - charge(accounts, book).totals["problem"].null_count()
            compared, left, seed = compared + size, left - size, seed + 1
    return compared, differing, uncharged


def differences(book: TariffBook, accounts: pl.DataFrame) -> int:
    """How many rows differ from the reference in an amount, a line or the problem."""
    charges = charge(accounts, book)
    columns = [
        charges.totals[name].to_list()
        for name in (
            "energy_minor",
            "fixed_minor",
            "subsidy_minor",
            "tax_minor",
            "total_minor",
            "support_minor",
        )
    ]
    problems = charges.totals["problem"].to_list()
    count = 0
    for at, (bill, lines) in enumerate(zip(bills(book, accounts), iter_lines(charges), strict=True)):
        want = charge_one(book, bill)
        amounts = [want.energy, want.fixed, want.subsidy, want.tax, want.total, want.support]
        same = [column[at] for column in columns] == amounts and problems[at] == want.problem
        count += not (same and [tuple(line) for line in lines.tolist()] == want.lines)
    return count


if __name__ == "__main__":
    for name, value in run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000).items():
        print(f"{name:<22} {value}")
