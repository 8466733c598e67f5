"""Frames in and out of PostgreSQL, against a real one."""

import datetime as dt
import hashlib

import numpy as np
import polars as pl
import psycopg
import pytest
from django.db import connection

from tayyar.core import frames

pytestmark = pytest.mark.django_db
SHAPE = {
    "a": "int8",
    "b": "int4",
    "c": "int2",
    "d": "date",
    "e": "timestamptz",
    "f": "bool",
    "g": "int8[]",
}


@pytest.fixture
def table() -> psycopg.Connection:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE t (a bigint, b int, c smallint, d date, e timestamptz, f bool, g bigint[]) "
            "ON COMMIT DROP"
        )
    return connection.connection


def sample(lengths: list[int]) -> pl.DataFrame:
    n = len(lengths)
    return pl.DataFrame(
        {
            "a": np.arange(n) - 2**62,
            "b": pl.Series(range(n), dtype=pl.Int32),
            "c": pl.Series([-5] * n, dtype=pl.Int16),
            "d": [dt.date(1969, 12, 31), dt.date(2026, 11, 28)][:n] + [dt.date(1999, 12, 31)] * max(0, n - 2),
            "e": pl.Series([dt.datetime(2026, 11, 28, 1, 2, 3, 456789, tzinfo=dt.UTC)] * n),
            "f": [i % 2 == 0 for i in range(n)],
            "g": pl.Series([list(range(length)) for length in lengths], dtype=pl.List(pl.Int64)),
        }
    )


def scalars() -> dict[str, str]:
    return {name: kind for name, kind in SHAPE.items() if kind != "int8[]"}


def test_what_is_written_is_read_back(table: psycopg.Connection) -> None:
    frame = sample([0, 4, 4, 8]).sort(frames.array_order(SHAPE))
    frames.write_frame(table, "t", SHAPE, frame)
    found = frames.read_frame(table, "SELECT a, b, c, d, e, f FROM t ORDER BY a", scalars())
    assert found.equals(frame.drop("g").sort("a"))
    arrays = [row[0] for row in table.execute("SELECT g FROM t ORDER BY a").fetchall()]
    assert arrays == frame.sort("a")["g"].to_list()


def test_the_bytes_stored_are_the_bytes_written(table: psycopg.Connection) -> None:
    frame = sample([4, 0, 8, 4]).sort([*frames.array_order(SHAPE), "a"])
    blocks = frames.encode(frame, SHAPE)
    frames.write_blocks(table, "t", SHAPE, blocks)
    query = f"SELECT {', '.join(SHAPE)} FROM t ORDER BY {frames.array_order_sql(SHAPE)}, a"
    stored = hashlib.sha256(b"".join(frames.read_raw(table, query))).hexdigest()
    assert stored == hashlib.sha256(b"".join(blocks)).hexdigest()


def test_no_rows_make_an_empty_frame_of_the_right_types(table: psycopg.Connection) -> None:
    found = frames.read_frame(table, "SELECT a, b, c, d, e, f FROM t", scalars())
    assert (found.height, found.schema["d"], found.schema["a"]) == (0, pl.Date, pl.Int64)


def test_a_null_in_the_database_is_refused_by_name(table: psycopg.Connection) -> None:
    table.execute("INSERT INTO t (a) VALUES (NULL)")
    with pytest.raises(ValueError, match="column a"):
        frames.read_frame(table, "SELECT a FROM t", {"a": "int8"})


def test_a_null_in_the_frame_is_refused_by_name(table: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="column a holds 1 nulls"):
        frames.encode(pl.DataFrame({"a": [1, None]}), {"a": "int8"})


def test_a_constraint_broken_by_a_copy_raises_its_own_error(table: psycopg.Connection) -> None:
    table.execute("ALTER TABLE t ADD CHECK (a > 0)")
    with pytest.raises(psycopg.errors.CheckViolation):
        frames.write_frame(table, "t", {"a": "int8"}, pl.DataFrame({"a": [1, 0]}))
