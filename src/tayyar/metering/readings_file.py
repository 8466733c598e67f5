"""Files of readings, CSV or Parquet, as frames with a reason on every row that cannot be a reading.

Owns what a file may look like (docs/metering.md, "The file"). Never looks at the database.
Next: services.py finds the meters and stores the rows.
"""

import codecs
import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tayyar.core.errors import UserError
from tayyar.metering.segments import ACTUAL, REGISTERS

BATCH_ROWS = 500_000
COLUMNS = ("meter_serial", "read_date", "register", "value_kwh", "value_wh", "quality")
QUALITIES = ("ACTUAL", "ESTIMATED", "CUSTOMER")

_CSV_BLOCK_BYTES = 8 << 20
_LARGEST_WH = 10**15  # beyond every register; keeps the parsed number inside int64


def is_parquet(path: Path) -> bool:
    """Whether the file is Parquet, by its first bytes. UserError when it cannot be read."""
    try:
        with path.open("rb") as handle:
            return handle.read(4) == b"PAR1"
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Check the name and the rights.") from None


def count_rows(path: Path) -> int:
    """How many rows the file holds; for CSV its lines less the header, blank and broken ones included."""
    if is_parquet(path):
        return int(_open_parquet(path).metadata.num_rows)
    lines, last = 0, b"\n"
    with path.open("rb") as handle:
        while block := handle.read(_CSV_BLOCK_BYTES):
            lines += block.count(b"\n")
            last = block[-1:]
    return max(0, lines + (last != b"\n") - 1)


def check_file(path: Path) -> None:
    """UserError, saying what is missing, unless the file is a table with the columns of readings."""
    if is_parquet(path):
        _check_columns(path, [name.strip().lower() for name in _open_parquet(path).schema_arrow.names])
    else:
        _check_columns(path, [name.strip().lower() for name in _csv_header(path)[0]])


def read_batches(path: Path) -> Iterator[pl.DataFrame]:
    """The file in frames of at most about BATCH_ROWS rows: `line` (Int64; in Parquet the row, from 1), the known
    columns that the file has, and `broken` (null, or the text of a line that has too few or too many fields)."""
    batches = _parquet_batches(path) if is_parquet(path) else _csv_batches(path)
    try:
        yield from batches
    except (pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from None


def _check_columns(path: Path, names: list[str]) -> None:
    known = [name for name in names if name in COLUMNS]
    missing = [name for name in ("meter_serial", "read_date") if name not in known]
    values = [name for name in known if name.startswith("value_")]
    if missing or len(values) != 1 or len(set(known)) != len(known):
        raise UserError(
            f"{path.name} must have the columns meter_serial, read_date and one of value_kwh or value_wh, each once "
            f"(register and quality if you like). It has: {', '.join(names) or 'none'}."
        )


def _open_parquet(path: Path) -> Any:
    try:
        return pa.parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise UserError(f"{path.name} cannot be read as Parquet: {error}") from None


def _parquet_batches(path: Path) -> Iterator[pl.DataFrame]:
    file = _open_parquet(path)
    names = {name: name.strip().lower() for name in file.schema_arrow.names}
    wanted = [name for name, plain in names.items() if plain in COLUMNS]
    line = 1
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
        frame = pl.DataFrame(pa.Table.from_batches([batch])).rename(names, strict=False)
        yield frame.select(
            pl.int_range(line, line + pl.len(), dtype=pl.Int64).alias("line"),
            pl.all(),
            pl.lit(None, pl.Utf8).alias("broken"),
        )
        line += frame.height


def _csv_batches(path: Path) -> Iterator[pl.DataFrame]:
    names, delimiter = _csv_header(path)
    broken: dict[int, str] = {}

    def note(row: Any) -> str:
        broken[row.number] = row.text
        return "skip"

    reader = pa.csv.open_csv(
        _Utf8(path),
        read_options=pa.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False),
        parse_options=pa.csv.ParseOptions(
            delimiter=delimiter, invalid_row_handler=note, ignore_empty_lines=False
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=[name for name in names if name.strip().lower() in COLUMNS],
        ),
    )
    plain = {name: name.strip().lower() for name in names}
    line = 2
    for batch in reader:
        frame = pl.DataFrame(pa.Table.from_batches([batch])).rename(plain, strict=False)
        frame = frame.select(pl.all().str.strip_chars())
        lines: list[int] = []
        skipped: list[int] = []
        while len(lines) < frame.height:  # broken rows took a line each, but are not in the batch
            (skipped if line in broken else lines).append(line)
            line += 1
        yield _with_broken(frame, lines, {number: broken.pop(number) for number in skipped})
    if broken:
        empty = pl.DataFrame(schema={name: pl.Utf8 for name in COLUMNS if name in plain.values()})
        yield _with_broken(empty, [], broken)


class _Utf8(io.RawIOBase):
    """A file as UTF-8 whatever its bytes: what is not becomes a replacement sign and spoils only its own row."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("rb")
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._ready) < size:
            block = self._handle.read(_CSV_BLOCK_BYTES)
            self._ready += self._decoder.decode(block, final=not block).encode()
            if not block:
                break
        taken = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(taken) :]
        return taken

    def close(self) -> None:
        self._handle.close()
        super().close()


def _with_broken(frame: pl.DataFrame, lines: list[int], broken: dict[int, str]) -> pl.DataFrame:
    whole = frame.select(pl.Series("line", lines, pl.Int64), pl.all(), pl.lit(None, pl.Utf8).alias("broken"))
    fields = [name for name in COLUMNS if name in frame.columns]  # a line of nothing is no row
    whole = whole.filter(pl.any_horizontal(pl.col(fields) != "").fill_null(True))
    if not broken:
        return whole
    odd = pl.DataFrame(
        {"line": list(broken), "broken": list(broken.values())}, {"line": pl.Int64, "broken": pl.Utf8}
    )
    return pl.concat([whole, odd], how="diagonal")


def _csv_header(path: Path) -> tuple[list[str], str]:
    with path.open("rb") as handle:
        first = handle.readline(1 << 16)
    try:
        head = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path.name} does not begin with UTF-8 text. Save it as CSV UTF-8.") from None
    delimiter = max(",;\t", key=head.count)
    return next(csv.reader([head], delimiter=delimiter), []), delimiter


def parse(batch: pl.DataFrame, *, today: dt.date) -> pl.DataFrame:
    """A batch as readings: line, serial Utf8, read_day Int32, register and quality Int16, value_wh Int64, and
    `reason`, null for a row that can be a reading."""
    days = _as_days(batch["read_date"])
    register, quality = (
        _as_code(batch, "register", REGISTERS, 0),
        _as_code(batch, "quality", QUALITIES, ACTUAL),
    )
    name = "value_wh" if "value_wh" in batch.columns else "value_kwh"
    frame = batch.select(
        "line",
        "broken",
        pl.col("meter_serial").cast(pl.Utf8).alias("serial"),
        days.alias("read_day"),
        register.alias("register"),
        quality.alias("quality"),
        _as_wh(batch[name], 0 if name == "value_wh" else 3).alias("value_wh"),
    )
    last_day = (today - dt.date(1970, 1, 1)).days
    what = "a whole number of Wh" if name == "value_wh" else "a number of kWh with at most 3 decimals"
    reason = (
        pl.when(pl.col("broken").is_not_null())
        .then(pl.lit("the line has too few or too many fields"))
        .when(pl.col("serial").is_null() | (pl.col("serial") == ""))
        .then(pl.lit("there is no meter serial"))
        .when(pl.col("read_day").is_null())
        .then(pl.lit("the date is not one; write it like 2026-11-27"))
        .when(pl.col("read_day") > last_day)
        .then(pl.lit("the date is in the future"))
        .when(pl.col("register").is_null())
        .then(pl.lit(f"the register is unknown; use one of {', '.join(REGISTERS)}"))
        .when(pl.col("quality").is_null())
        .then(pl.lit(f"the quality is unknown; use one of {', '.join(QUALITIES)}"))
        .when(pl.col("value_wh").is_null())
        .then(pl.lit(f"the value is not {what}"))
        .when(pl.col("value_wh") < 0)
        .then(pl.lit("the value is negative"))
    )
    return frame.with_columns(reason=reason).drop("broken")


def _as_days(dates: pl.Series) -> pl.Series:
    if dates.dtype == pl.Utf8:
        dates = dates.str.to_date("%Y-%m-%d", strict=False)
    elif dates.dtype != pl.Date:
        dates = (
            dates.cast(pl.Date, strict=False)
            if dates.dtype.is_temporal()
            else dates.cast(pl.Utf8).str.to_date(strict=False)
        )
    return dates.to_physical().cast(pl.Int32)


def _as_code(batch: pl.DataFrame, name: str, words: tuple[str, ...], default: int) -> pl.Expr:
    """The number of a word; the default where there is none; null where the word is unknown."""
    if name not in batch.columns:
        return pl.lit(default, pl.Int16)
    first = 0 if words is REGISTERS else 1
    numbers = {word: number for number, word in enumerate(words, first)}
    text = pl.col(name).cast(pl.Utf8).fill_null("").str.strip_chars().str.to_uppercase()
    return text.replace_strict(numbers | {"": default}, default=None, return_dtype=pl.Int16)


def _as_wh(values: pl.Series, decimals: int) -> pl.Series:
    """Exact Wh; null where the value is none. Numbers with a fraction go by their shortest decimal text."""
    if values.dtype.is_integer():
        unit = 10**decimals
        most = _LARGEST_WH // unit
        whole = values.cast(pl.Int64, strict=False)
        return whole.set(whole.is_between(-most, most).not_(), None) * unit
    parts = (
        values.cast(pl.Utf8)
        .str.strip_chars()
        .str.extract_groups(rf"^([+-]?)(\d{{1,12}})(?:\.(\d{{0,{decimals}}})0*)?$")
    )
    fields = parts.struct.unnest()
    sign, whole, rest = (fields[column] for column in fields.columns)
    size = whole.cast(pl.Int64, strict=False) * 10**decimals
    if decimals:
        size = size + rest.fill_null("").str.pad_end(decimals, "0").cast(pl.Int64, strict=False)
    return pl.select(pl.when(sign == "-").then(-size).otherwise(size)).to_series()
