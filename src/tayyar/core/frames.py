"""Frames in and out of PostgreSQL by binary COPY, without touching a row in Python.

A shape names the columns and their types; every column is NOT NULL, so each record (or each group of records with
arrays of equal length) has a fixed size and is one numpy structured array. The bytes that COPY FROM takes are the
bytes that COPY TO gives back, so a hash of what was written can be checked against what is stored.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
import psycopg
from psycopg import pq

from tayyar.core.errors import UserError

Shape = Mapping[str, str]  # column -> "int2" | "int4" | "int8" | "bool" | "date" | "timestamptz" | "int8[]"

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_BLOCK_BYTES = 4 << 20
_INT8_OID = 20
_ARRAY_HEADER = 20

_WIRE = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "bool": "?", "date": ">i4", "timestamptz": ">i8"}
_POLARS: dict[str, Any] = {
    "int2": pl.Int16,
    "int4": pl.Int32,
    "int8": pl.Int64,
    "bool": pl.Boolean,
    "date": pl.Int32,
    "timestamptz": pl.Int64,
}
# PostgreSQL counts from 2000-01-01, Polars from 1970-01-01.
_EPOCH = {"date": 10957, "timestamptz": 946_684_800_000_000}


def read_frame(connection: psycopg.Connection[Any], query: str, shape: Shape) -> pl.DataFrame:
    """Run `query` (its columns in the order of `shape`, none NULL, no arrays) and return its rows as a frame.

    Each column comes back as one array in one value, so that no row is touched on the way.
    """
    wanted = ", ".join(f"array_agg({name})" for name in shape)
    result = connection.pgconn.exec_params(
        f"SELECT {wanted} FROM ({query}) AS rows ({', '.join(shape)})".encode(), [], result_format=1
    )
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.lookup(_sqlstate(result))(_message(result))
    columns = []
    for index, (name, kind) in enumerate(shape.items()):
        values = _array_values(result.get_value(0, index), kind, name)
        if kind in _EPOCH:
            values += _EPOCH[kind]
        series = pl.Series(name, values, dtype=_POLARS[kind])
        if kind == "date":
            series = series.cast(pl.Date)
        elif kind == "timestamptz":
            series = series.cast(pl.Datetime("us", "UTC"))
        columns.append(series)
    return pl.DataFrame(columns)


def _array_values(value: bytes | None, kind: str, name: str) -> "np.ndarray[Any, Any]":
    """The elements of an array as PostgreSQL sends it: dimensions, has-nulls, type; size and base; then each."""
    item = np.dtype([("size", ">i4"), ("value", _WIRE[kind])])
    native = item["value"].newbyteorder("=")
    if value is None:
        return np.empty(0, native)
    dimensions, nulls, _, length, _ = np.frombuffer(value, ">i4", 5)
    if dimensions != 1 or nulls or len(value) != _ARRAY_HEADER + int(length) * item.itemsize:
        raise ValueError(f"column {name} is not {kind}, or holds NULL")
    return np.frombuffer(value, item, offset=_ARRAY_HEADER)["value"].astype(native)


def read_raw(connection: psycopg.Connection[Any], query: str) -> Iterator[bytes]:
    """The records of `query` as COPY gives them, one bytes object a row, without header and trailer."""
    pgconn = connection.pgconn
    result = pgconn.exec_(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode())
    if result.status != pq.ExecStatus.COPY_OUT:
        raise psycopg.errors.lookup(_sqlstate(result))(_message(result))
    header = len(_HEADER)
    while True:
        size, data = pgconn.get_copy_data(0)
        if size < 0:
            break
        row = bytes(data[header:])
        header = 0
        if row and row != _TRAILER:
            yield row
    _finish(pgconn)


def encode(frame: pl.DataFrame, shape: Shape) -> list[bytes]:
    """The frame's rows as COPY records in blocks. Array columns must have one length throughout the frame's runs
    of rows; sort by the arrays' lengths first (`array_order`)."""
    kinds = list(shape.values())
    arrays = [name for name, kind in shape.items() if kind == "int8[]"]
    if not arrays:
        return _encode_group(frame, shape, kinds, [0] * len(kinds))
    lengths = np.stack([frame[name].list.len().to_numpy() for name in arrays], axis=1)
    cuts = np.flatnonzero((lengths[1:] != lengths[:-1]).any(axis=1)) + 1
    bounds = [0, *cuts.tolist(), frame.height]
    blocks: list[bytes] = []
    for start, end in itertools.pairwise(bounds):
        if start < end:
            sizes = dict(zip(arrays, lengths[start].tolist(), strict=True))
            part = frame.slice(start, end - start)
            blocks += _encode_group(part, shape, kinds, [sizes.get(name, 0) for name in shape])
    return blocks


def array_order(shape: Shape) -> list[pl.Expr]:
    """Sort keys that bring rows with arrays of equal length together."""
    return [pl.col(name).list.len() for name, kind in shape.items() if kind == "int8[]"]


def array_order_sql(shape: Shape) -> str:
    """The same order in SQL."""
    return ", ".join(f"cardinality({name})" for name, kind in shape.items() if kind == "int8[]")


def write_blocks(
    connection: psycopg.Connection[Any], table: str, shape: Shape, blocks: Iterable[bytes]
) -> None:
    """COPY encoded records into `table`, inside the caller's transaction."""
    pgconn = connection.pgconn
    result = pgconn.exec_(f"COPY {table} ({', '.join(shape)}) FROM STDIN (FORMAT binary)".encode())
    if result.status != pq.ExecStatus.COPY_IN:
        raise psycopg.errors.lookup(_sqlstate(result))(_message(result))
    pgconn.put_copy_data(_HEADER)
    for block in blocks:
        pgconn.put_copy_data(block)
    pgconn.put_copy_data(_TRAILER)
    pgconn.put_copy_end()
    _finish(pgconn)


def write_frame(connection: psycopg.Connection[Any], table: str, shape: Shape, frame: pl.DataFrame) -> None:
    """Encode and COPY a frame without arrays, or one already in `array_order`."""
    write_blocks(connection, table, shape, encode(frame, shape))


def _fields(kinds: list[str], lengths: list[int]) -> list[tuple[str, str] | tuple[str, Any]]:
    fields: list[Any] = []
    for index, (kind, length) in enumerate(zip(kinds, lengths, strict=True)):
        fields.append((f"n{index}", ">i4"))
        if kind == "int8[]":
            if length:
                item = np.dtype([("n", ">i4"), ("v", ">i8")])
                head = [("dims", ">i4"), ("nulls", ">i4"), ("oid", ">i4"), ("size", ">i4"), ("base", ">i4")]
                fields.append((f"v{index}", np.dtype([*head, ("items", item, (length,))])))
            else:
                fields.append((f"v{index}", np.dtype([("dims", ">i4"), ("nulls", ">i4"), ("oid", ">i4")])))
        else:
            fields.append((f"v{index}", _WIRE[kind]))
    return fields


def _encode_group(frame: pl.DataFrame, shape: Shape, kinds: list[str], lengths: list[int]) -> list[bytes]:
    record = np.dtype([("fields", ">i2"), *_fields(kinds, lengths)])
    rows = np.zeros(frame.height, record)
    rows["fields"] = len(kinds)
    for index, (name, kind) in enumerate(shape.items()):
        series, value = frame[name], rows[f"v{index}"]
        if series.null_count():
            raise ValueError(f"column {name} holds {series.null_count()} nulls")
        rows[f"n{index}"] = rows.dtype[f"v{index}"].itemsize
        if kind == "int8[]":
            value["oid"] = _INT8_OID
            if lengths[index]:
                value["dims"], value["size"], value["base"] = 1, lengths[index], 1
                value["items"]["n"] = 8
                value["items"]["v"] = series.explode().to_numpy().reshape(frame.height, lengths[index])
        elif kind in _EPOCH:
            value[...] = series.to_physical().to_numpy() - _EPOCH[kind]
        else:
            value[...] = series.to_numpy()
    step = max(1, _BLOCK_BYTES // record.itemsize)
    return [rows[start : start + step].tobytes() for start in range(0, frame.height, step)]


def _finish(pgconn: pq.abc.PGconn) -> None:
    error = None
    while (result := pgconn.get_result()) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            error = psycopg.errors.lookup(_sqlstate(result))(_message(result))
    if error:
        raise error


def _sqlstate(result: pq.abc.PGresult) -> str:
    return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"08006").decode()


def _message(result: pq.abc.PGresult) -> str:
    return result.error_message.decode(errors="replace").strip()


def check_connection(url: str) -> None:
    """UserError when the database cannot be reached, saying what to look at."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        raise UserError(
            f"The database does not answer: {str(error).strip()}\nLook at DATABASE_URL."
        ) from None
