"""Writing readings: a file of any size, or the one a customer sends.

Owns every insert into metering_meterreading; a stored reading is never overwritten. Never bills.
Next: the bill run selects what was stored before its cut-off.
"""

import csv
import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import polars as pl
import psycopg
from django.db import connection as django_connection
from django.db import transaction

from tayyar.core import audit, frames
from tayyar.core.errors import UserError
from tayyar.core.partitions import ensure_partition, partition_name
from tayyar.core.paths import data_dir
from tayyar.core.periods import Period
from tayyar.metering.meter_index import MeterIndex, load_all, load_some
from tayyar.metering.models import MeterInstallation, MeterReading, ReadingImport, ReadingQuality, Register
from tayyar.metering.readings_file import COLUMNS, check_file, count_rows, parse, read_batches

TABLE = "metering_meterreading"
SHAPE: dict[str, str] = {
    "period": "int4",
    "usage_point_id": "int8",
    "meter_id": "int8",
    "read_date": "date",
    "register": "int2",
    "value_wh": "int8",
    "quality": "int2",
    "received_at": "timestamptz",
}
_KEY = ["period", "usage_point_id", "meter_id", "read_date", "register"]
_LOAD_ALL_FROM = 8  # a file with more than an eighth of the meters is worth the whole index
_COPY_HEADER, _COPY_TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_IMPORT_LOCK, _LOCK_WAIT = 7236202, "3s"


@dataclass(slots=True)
class ImportResult:
    """What became of a file. `reasons` counts the rejected rows by reason; `rejects` is their file, if any."""

    name: str
    sha256: str
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    rejects: Path | None = None
    already_imported_at: dt.datetime | None = None

    @property
    def rows(self) -> int:
        """Every row of the file, accounted for."""
        return self.accepted + self.unchanged + self.rejected


class ReadingRefused(UserError):
    """A customer's reading cannot be taken; `code` says why, for the faces to word in the reader's language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch, ready to store: the good rows sorted by key, the encoded records by period, the refused rows."""

    rows: pl.DataFrame
    blocks: dict[int, list[bytes]]
    original: pl.DataFrame
    refused: list[tuple[int, str]]
    repeated: int


def import_readings(
    *,
    path: Path,
    connection: psycopg.Connection[Any],
    now: dt.datetime,
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportResult:
    """Store the readings of a CSV or Parquet file (docs/metering.md); rows that cannot be stored go to a rejects file.

    Each batch is its own transaction on `connection`. Stopped at any moment and run again, it goes on: rows already
    stored are unchanged. A file whose content was imported before is not read again. UserError when the file is no
    table of readings. `progress` is told of rows done.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}. Check the name.")
    check_file(path)
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    with _one_at_a_time(connection, path):
        record, _ = ReadingImport.objects.get_or_create(
            sha256=sha256, defaults={"name": path.name[:200], "started_at": now}
        )
        result = ImportResult(path.name, sha256, record.accepted, record.unchanged, record.rejected)
        if record.finished_at:
            result.already_imported_at = record.finished_at
            return result
        with _Rejects(path) as rejects:
            _store_all(path, connection, now, progress, result, rejects)
        result.rejects = rejects.path
        with transaction.atomic():
            record.accepted, record.unchanged, record.rejected = (
                result.accepted,
                result.unchanged,
                result.rejected,
            )
            record.finished_at = now
            record.save()
            audit.record(
                actor="command",
                action="READINGS_IMPORTED",
                subject=f"import:{record.pk}",
                now=now,
                sha256=sha256,
                accepted=result.accepted,
                unchanged=result.unchanged,
                rejected=result.rejected,
            )
    return result


def submit_customer_reading(
    *, usage_point_id: int, value_wh: int, read_date: dt.date, now: dt.datetime
) -> MeterReading:
    """Take the reading of a TOTAL register that a customer sends; the same one again returns what is stored.

    Raises ReadingRefused with code FUTURE_DATE, NO_METER, SEVERAL_REGISTERS, OUT_OF_RANGE or OTHER_VALUE.
    """
    if read_date > now.date():
        raise ReadingRefused(
            "FUTURE_DATE", "The date lies in the future. Send the value the meter shows today."
        )
    standing = MeterInstallation.objects.select_related("meter").filter(
        usage_point_id=usage_point_id, installed_on__lte=read_date
    )
    installation = standing.exclude(removed_on__lte=read_date).first()
    if installation is None:
        raise ReadingRefused("NO_METER", f"No meter was installed here on {read_date}. Check the date.")
    meter = installation.meter
    if not 0 <= value_wh < 1000 * 10**meter.digits:
        raise ReadingRefused(
            "OUT_OF_RANGE",
            f"The meter shows {meter.digits} digits of kWh. Write the number as it stands there.",
        )
    key: dict[str, Any] = {"usage_point_id": usage_point_id, "meter_id": meter.pk}
    if MeterReading.objects.filter(**key, register__gt=Register.TOTAL).exists():
        raise ReadingRefused(
            "SEVERAL_REGISTERS",
            "This meter has several registers, which are read at a distance. Nothing to send.",
        )
    period = Period.of(read_date)
    key |= {"period": period.number, "read_date": read_date, "register": Register.TOTAL}
    with transaction.atomic(), django_connection.cursor() as cursor:
        ensure_partition(cursor, table=TABLE, period=period)
        columns = [*key, "value_wh", "quality", "received_at"]
        values = [*key.values(), value_wh, ReadingQuality.CUSTOMER, now]
        cursor.execute(
            f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}) "
            "ON CONFLICT DO NOTHING",
            values,
        )
        added = cursor.rowcount
        stored = MeterReading.objects.get(**key)
        if stored.value_wh != value_wh:
            raise ReadingRefused(
                "OTHER_VALUE",
                f"For {read_date} the meter already has another reading. If it is wrong, tell us and we look into it.",
            )
        if added:
            audit.record(
                actor="customer",
                action="READING_SUBMITTED",
                subject=f"usage_point:{usage_point_id}",
                now=now,
                read_date=read_date.isoformat(),
                value_wh=value_wh,
            )
    return stored


class _one_at_a_time:
    """Hold the import lock of the database: two imports at once would only wait for each other's rows."""

    def __init__(self, connection: psycopg.Connection[Any], path: Path) -> None:
        self._connection, self._path = connection, path

    def __enter__(self) -> None:
        try:
            with self._connection.transaction():
                # A killed import leaves its lock a moment later than its process.
                self._connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_WAIT,))
                self._connection.execute("SELECT pg_advisory_lock(%s)", (_IMPORT_LOCK,))
        except psycopg.errors.LockNotAvailable:
            raise UserError(
                f"Another import is running. Import {self._path.name} when it has ended."
            ) from None

    def __exit__(self, *error: object) -> None:
        if not self._connection.closed:
            self._connection.rollback()
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (_IMPORT_LOCK,))
            self._connection.commit()


class _Rejects:
    """The rejects file: line, reason, and the fields as they came. Made at the first refused row."""

    def __init__(self, source: Path) -> None:
        self._name = f"{source.stem}.rejects.csv"
        self._folders = [source.parent, data_dir() / "rejects"]
        self._file: TextIO | None = None
        self.path: Path | None = None

    def __enter__(self) -> "_Rejects":
        for folder in self._folders:  # those of an earlier try say nothing about this one
            (folder / self._name).unlink(missing_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()

    def write(self, original: pl.DataFrame, refused: list[tuple[int, str]]) -> None:
        """Append the rows of `original` named by (line, reason), in the order of lines."""
        if not refused:
            return
        fields = [name for name in COLUMNS if name in original.columns]
        if self._file is None:
            self._file, self.path = self._open()
            csv.writer(self._file).writerow(["line", "reason", *fields])
        reasons = pl.DataFrame(refused, {"line": pl.Int64, "reason": pl.Utf8}, orient="row").unique("line")
        rows = reasons.join(original, on="line").sort("line")
        writer = csv.writer(self._file)
        for line, reason, broken, *values in rows.select("line", "reason", "broken", *fields).iter_rows():
            writer.writerow([line, reason, *([broken] if broken is not None else values)])

    def _open(self) -> tuple[TextIO, Path]:
        for folder in self._folders:
            path = folder / self._name
            try:
                folder.mkdir(parents=True, exist_ok=True)
                return path.open("w", encoding="utf-8", newline=""), path
            except OSError:
                continue
        raise UserError(
            f"Neither {self._folders[0]} nor {self._folders[1]} can be written: no place for rejects."
        )


def _store_all(
    path: Path,
    connection: psycopg.Connection[Any],
    now: dt.datetime,
    progress: Callable[[int], None],
    result: ImportResult,
    rejects: _Rejects,
) -> None:
    """Prepare each batch in a second thread while the one before is stored."""
    store = _Store(connection)
    with ThreadPoolExecutor(1) as preparing:
        batches = _prepared(path, connection, now)
        waiting = preparing.submit(next, batches, None)
        while (batch := waiting.result()) is not None:
            waiting = preparing.submit(next, batches, None)
            accepted, conflicts = store.write(batch)
            refused = batch.refused + conflicts
            rejects.write(batch.original, refused)
            result.accepted += accepted
            result.unchanged += batch.rows.height - accepted - len(conflicts) + batch.repeated
            result.rejected += len(refused)
            result.reasons.update(reason for _, reason in refused)
            progress(batch.original.height)


def _prepared(path: Path, connection: psycopg.Connection[Any], now: dt.datetime) -> Iterator[_Batch]:
    """The file's batches with their meters found. Reads the meters through connections of its own."""

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True)

    with connect() as reader:
        row = reader.execute(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE relname = 'metering_meter'"
        )
        (meters,) = row.fetchone() or (0,)
        whole = load_all(connect) if count_rows(path) * _LOAD_ALL_FROM > meters else None
        for original in read_batches(path):
            parsed = parse(original, today=now.date())
            index = whole or load_some(reader, parsed["serial"])
            yield _prepare(original, parsed, index, now)


def _prepare(original: pl.DataFrame, parsed: pl.DataFrame, index: MeterIndex, now: dt.datetime) -> _Batch:
    found = index.find(parsed["serial"], parsed["read_day"].fill_null(0).to_numpy())
    rows = parsed.with_columns(
        pl.Series("known", found.known),
        pl.Series("installed", found.installed),
        pl.Series("meter_id", found.meter_id),
        pl.Series("usage_point_id", found.usage_point_id),
        pl.Series("most_wh", np.power(10, found.digits.astype(np.int64)) * 1000),
    ).with_columns(
        reason=pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(~pl.col("known"))
        .then(pl.lit("no meter has this serial"))
        .when(~pl.col("installed"))
        .then(pl.lit("the meter was not installed anywhere on this date"))
        .when(pl.col("value_wh") >= pl.col("most_wh"))
        .then(pl.lit("the value has more digits than the meter's register"))
    )
    refused = list(rows.filter(pl.col("reason").is_not_null()).select("line", "reason").iter_rows())
    date = pl.col("read_day").cast(pl.Date)
    good = rows.filter(pl.col("reason").is_null()).select(
        "line",
        (date.dt.year() * 100 + date.dt.month()).cast(pl.Int32).alias("period"),
        "usage_point_id",
        "meter_id",
        date.alias("read_date"),
        "register",
        "value_wh",
        "quality",
        pl.lit(now).cast(pl.Datetime("us", "UTC")).alias("received_at"),
    )
    # In the order of the primary key its index grows at one end of each page.
    good = good.sort(*_KEY, "line")
    height = good.height
    good, doubles = _without_doubles(good)
    parts = good.partition_by("period", as_dict=True, maintain_order=True)
    blocks = {int(period): frames.encode(part, SHAPE) for (period,), part in parts.items()}
    return _Batch(good, blocks, original, refused + doubles, height - good.height - len(doubles))


def _without_doubles(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """The first row of each key; of the others, those with another value are refused."""
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _KEY).fill_null(False)
    marked = rows.with_columns(again=again)
    if not marked["again"].any():
        return rows, []
    first = pl.when(~pl.col("again")).then(pl.struct("line", "value_wh")).forward_fill()
    later = marked.with_columns(first=first).filter("again").unnest("first", separator="_")
    refused = (
        later.filter(pl.col("value_wh") != pl.col("first_value_wh")).select("line", "first_line").iter_rows()
    )
    return marked.filter(~pl.col("again")).drop("again"), [
        (line, f"the file gives another value for the same meter, register and date in line {first_line}")
        for line, first_line in refused
    ]


class _Store:
    """Writes batches: straight into the partition, or through a staging table when rows are there already."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._ready: set[int] = set()
        self._straight = True

    def write(self, batch: _Batch) -> tuple[int, list[tuple[int, str]]]:
        """Store one batch in one transaction; how many rows are new, and those stored before with another value."""
        for period in batch.blocks.keys() - self._ready:
            with self._connection.transaction():
                ensure_partition(self._connection, table=TABLE, period=Period.from_number(period))
            self._ready.add(period)
        if self._straight:
            try:
                with self._connection.transaction():
                    for period, blocks in batch.blocks.items():
                        self._copy(partition_name(TABLE, Period.from_number(period)), SHAPE, blocks)
                return batch.rows.height, []
            except psycopg.errors.UniqueViolation:
                pass
        with self._connection.transaction():
            accepted, conflicts = self._merge(batch)
        # Where one batch met stored rows the next will; where one met none, the rest of the file is new.
        self._straight = accepted == batch.rows.height
        return accepted, conflicts

    def _merge(self, batch: _Batch) -> tuple[int, list[tuple[int, str]]]:
        self._connection.execute(
            f"CREATE TEMP TABLE reading_staging (LIKE {TABLE}, line bigint NOT NULL) ON COMMIT DROP"
        )
        shape = SHAPE | {"line": "int8"}
        self._copy("reading_staging", shape, frames.encode(batch.rows, shape))
        self._connection.execute("ANALYZE reading_staging")
        accepted, conflicts = 0, []
        for period in batch.blocks:
            partition = partition_name(TABLE, Period.from_number(period))
            columns = ", ".join(SHAPE)
            accepted += self._connection.execute(
                f"INSERT INTO {partition} ({columns}) SELECT {columns} FROM reading_staging "
                f"WHERE period = {period} ON CONFLICT DO NOTHING"
            ).rowcount
            conflicts += self._connection.execute(
                f"SELECT s.line, r.value_wh FROM reading_staging s JOIN {partition} r USING ({', '.join(_KEY)}) "
                "WHERE r.value_wh <> s.value_wh"
            ).fetchall()
        return accepted, [
            (
                line,
                f"another value is stored for this meter, register and date: {_kwh(value_wh)} kWh",
            )
            for line, value_wh in conflicts
        ]

    def _copy(self, table: str, shape: dict[str, str], blocks: list[bytes]) -> None:
        # psycopg's own COPY lets other threads run while the server works; the next batch is prepared meanwhile.
        statement = f"COPY {table} ({', '.join(shape)}) FROM STDIN (FORMAT binary)"
        with self._connection.cursor().copy(statement) as copy:
            copy.write(_COPY_HEADER)
            for block in blocks:
                copy.write(block)
            copy.write(_COPY_TRAILER)


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh // 1000}.{energy_wh % 1000:03d}"
