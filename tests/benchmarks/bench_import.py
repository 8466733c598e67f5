"""Speed of `tayyar readings import`: a Parquet file of shuffled readings, end to end, into a database of its own.

Beside it a raw binary COPY of the same rows into an empty partition with the same key: the floor that PostgreSQL
sets. Next: `make bench` prints the figures; docs/benchmarks.md keeps them.
"""

import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

FIRST_METER = 10_000_000
DAY = dt.date(2026, 11, 27)
NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)


def run(n: int) -> dict[str, Any]:
    """Import `n` readings of `n` meters; rows per second from Parquet, again as CSV over stored rows, and raw."""
    from tayyar.config.cli import prepare_database

    prepare_database()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        return _measure(n)
    finally:
        connection.creation.destroy_test_db(
            connection.settings_dict["NAME"].removeprefix("test_"), verbosity=0
        )


def _measure(n: int) -> dict[str, Any]:
    import psycopg
    from django.db import connection as django_connection

    from tayyar.metering.services import import_readings

    parameters = django_connection.get_connection_params()
    address = {
        key: parameters[key] for key in ("dbname", "user", "password", "host", "port") if parameters.get(key)
    }
    with psycopg.connect(**address) as connection, tempfile.TemporaryDirectory() as folder:
        _population(connection, n)
        readings = pl.DataFrame({"meter_serial": _serials(n), "value_wh": np.arange(n) * 1000 % 900_000_000})
        readings = readings.with_columns(read_date=pl.lit(DAY)).sample(fraction=1, shuffle=True, seed=1)
        parquet, text = Path(folder) / "readings.parquet", Path(folder) / "again.csv"
        readings.write_parquet(parquet)
        readings.write_csv(text)

        seconds = {}
        for name, path in (("parquet", parquet), ("csv_again", text)):
            start = time.perf_counter()
            result = import_readings(path=path, connection=connection, now=NOW)
            seconds[name] = time.perf_counter() - start
            stored = result.accepted if name == "parquet" else result.unchanged
            if stored != n or result.rejected:
                raise AssertionError(f"{name}: {result}")
        seconds["raw_copy"] = _raw_copy(connection, n)
    rates = {f"{name}_rows_per_second": round(n / taken) for name, taken in seconds.items()}
    return {"rows": n, **rates, "ratio": round(seconds["raw_copy"] / seconds["parquet"], 3)}


def _serials(n: int) -> pl.Series:
    return pl.select(pl.format("SN{}", pl.int_range(n).cast(pl.Utf8).str.zfill(10))).to_series()


def _population(connection: Any, n: int) -> None:
    connection.execute(
        "INSERT INTO metering_servicecentre (id, code, name_ar, name_en, name_fr) VALUES (1, 'A', 'A', 'A', 'A')"
    )
    series = f"FROM generate_series(1, {n}) g"
    connection.execute(f"INSERT INTO metering_usagepoint SELECT g, 60, 'x', 1 {series}")
    connection.execute(
        f"INSERT INTO metering_meter SELECT {FIRST_METER} + g, 'SN' || lpad((g - 1)::text, 10, '0'), 6 {series}"
    )
    connection.execute(
        "INSERT INTO metering_meterinstallation (id, installed_on, opening_wh, multiplier, meter_id, usage_point_id) "
        f"SELECT g, '2020-01-01', 0, 1, {FIRST_METER} + g, g {series}"
    )
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
    connection.autocommit = False


def _raw_copy(connection: Any, n: int) -> float:
    """Seconds to COPY the stored rows, ready encoded and sorted by key, into the empty partition again."""
    with connection.cursor().copy(
        "COPY (SELECT * FROM metering_meterreading_202611 ORDER BY usage_point_id) TO STDOUT (FORMAT binary)"
    ) as copy:
        rows = b"".join(copy)
    connection.execute("TRUNCATE metering_meterreading_202611")
    connection.commit()
    start = time.perf_counter()
    with connection.cursor().copy("COPY metering_meterreading_202611 FROM STDIN (FORMAT binary)") as copy:
        for first in range(0, len(rows), 4 << 20):
            copy.write(rows[first : first + (4 << 20)])
    connection.commit()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)))
