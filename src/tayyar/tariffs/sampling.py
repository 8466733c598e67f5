"""Random bills over every tariff of a book, for the tests and the benchmark of the kernel.

Owns the choice of awkward values: consumption on and around block edges, breaker ratings on band edges, periods that
cross changes. Never checks anything. The same seed gives the same bills.
"""

import datetime as dt
from itertools import chain

import numpy as np
import polars as pl

from tayyar.tariffs.book import TariffBook
from tayyar.tariffs.documents import Version
from tayyar.tariffs.reference import Bill

EPOCH = np.datetime64("1970-01-01")


def random_accounts(book: TariffBook, n: int, seed: int) -> pl.DataFrame:
    """`n` rows for `kernel.charge`: each aims at a random version, days beside its first and last included."""
    rng = np.random.default_rng(seed)
    versions = rng.integers(0, len(book.versions), n)
    frames = []
    for at, version in enumerate(book.versions):
        count = int((versions == at).sum())
        if count:
            frames.append(_aimed_at(book, version, count, rng))
    frame = pl.concat(frames, how="diagonal").with_columns(pl.col("^energy_wh_.*$").fill_null(0))
    order = rng.permutation(n)
    return frame[order].with_columns(row=pl.arange(0, n, dtype=pl.Int64))


def _aimed_at(book: TariffBook, version: Version, n: int, rng: np.random.Generator) -> pl.DataFrame:
    scope = version.applies_to[int(rng.integers(len(version.applies_to)))]
    number = book.profile.category(scope.category).number
    entitled = np.full(n, scope.entitled) if scope.entitled is not None else rng.random(n) < 0.5
    first = version.first_day or dt.date(2014, 1, 1)
    last = version.end_day or max(first + dt.timedelta(days=900), dt.date(2026, 6, 1))
    low = (first - dt.date(1970, 1, 1)).days - 20
    high = (last - dt.date(1970, 1, 1)).days + 5
    start = rng.integers(low, high, n)
    months = rng.choice([1, 1, 1, 2, 3], n)
    usual = rng.choice([28, 29, 30, 31], n) + 30 * (months - 1)
    days = np.where(rng.random(n) < 0.2, rng.integers(1, 130, n), usual)
    edges = list(
        chain.from_iterable((block.up_to_wh for block in season.blocks) for season in version.seasons)
    )
    known = np.array([edge for edge in edges if edge] or [1_000_000], dtype=np.int64)
    near = rng.choice(known, n) * months + rng.integers(-2, 3, n)
    spread = np.exp(rng.uniform(0, np.log(3 * known.max()), n)).astype(np.int64)
    energy = np.where(rng.random(n) < 0.3, near, spread)
    energy = np.where(rng.random(n) < 0.03, 0, energy)
    bands = [band.upper for fee in version.fixed if fee.by == "BREAKER" for band in fee.bands if band.upper]
    near_band = rng.choice(np.array(bands or [60]), n) + rng.integers(-1, 2, n)
    columns: dict[str, np.ndarray | pl.Series] = {
        "category": np.full(n, number, dtype=np.int16),
        "entitled": entitled.astype(bool),
        "start_date": (EPOCH + start).astype("datetime64[D]"),
        "end_date": (EPOCH + start + days).astype("datetime64[D]"),
        "energy_wh": energy,
        "breaker_a": np.where(rng.random(n) < 0.5, near_band, rng.integers(1, 700, n)).astype(np.int32),
        "months": months.astype(np.int32),
        "year_wh": rng.integers(0, 2_400_000, n),
        "standard_month": rng.random(n) < 0.1,
    }
    codes = {register.code for season in version.seasons for register in season.registers}
    left = energy.copy()
    for position, code in enumerate(sorted(codes)):
        part = left if position == len(codes) - 1 else (left * rng.random(n)).astype(np.int64)
        columns[f"energy_wh_{code}"] = part
        left = left - part
    return pl.DataFrame(columns)


def bills(book: TariffBook, accounts: pl.DataFrame) -> list[Bill]:
    """The rows of a frame as bills for the reference."""
    registers = [name for name in accounts.columns if name.startswith("energy_wh_")]
    return [
        Bill(
            category=book.categories[row["category"]],
            entitled=row["entitled"],
            start=row["start_date"],
            end=row["end_date"],
            energy_wh=row["energy_wh"],
            breaker_a=row["breaker_a"],
            months=row["months"],
            year_wh=row["year_wh"],
            standard=row["standard_month"],
            registers={name.removeprefix("energy_wh_"): row[name] for name in registers},
        )
        for row in accounts.iter_rows(named=True)
    ]
