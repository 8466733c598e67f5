"""Files of readings into a real PostgreSQL: what is stored, what is refused and why, and what a second try changes."""

import csv
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from django.db import connection as django_connection
from tests.scenarios import cast

from tayyar.config.commands import readings as command
from tayyar.core.errors import UserError
from tayyar.core.models import AuditEntry
from tayyar.metering import services
from tayyar.metering.models import (
    Meter,
    MeterInstallation,
    MeterReading,
    ReadingImport,
    ReadingQuality,
    Register,
    ServiceCentre,
    UsagePoint,
)
from tayyar.metering.services import ImportResult, ReadingRefused, import_readings, submit_customer_reading

NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)
NOVEMBER = dt.date(2026, 11, 27)


@pytest.fixture(autouse=True)
def ground(transactional_db: None) -> None:
    """No readings: no Django model owns their table, so pytest-django does not empty it."""
    with django_connection.cursor() as cursor:
        cursor.execute("TRUNCATE metering_meterreading")


@pytest.fixture
def connection(ground: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection like the command's."""
    parameters = django_connection.get_connection_params()
    address = {
        key: parameters[key] for key in ("dbname", "user", "password", "host", "port") if parameters.get(key)
    }
    with psycopg.connect(**address) as opened:
        yield opened


@pytest.fixture
def meters(ground: None) -> None:
    """M1 at point 1; M2 at point 2; M3 moved from point 3 to point 4 on 10 November."""
    centre = ServiceCentre.objects.create(code="RUH", name_ar="الرياض", name_en="Riyadh", name_fr="Riyad")
    for number in range(1, 5):
        UsagePoint.objects.create(id=number, service_centre=centre, breaker_a=60, address="-")
    for number in range(1, 4):
        Meter.objects.create(id=100 + number, serial=f"M{number}", digits=5)
    stays = [
        (101, 1, dt.date(2020, 1, 1), None),
        (102, 2, dt.date(2020, 1, 1), None),
        (103, 3, dt.date(2020, 1, 1), dt.date(2026, 11, 10)),
        (103, 4, dt.date(2026, 11, 10), None),
    ]
    for number, (meter, point, on, removed) in enumerate(stays):
        MeterInstallation.objects.create(
            id=number, meter_id=meter, usage_point_id=point, installed_on=on, removed_on=removed,
            opening_wh=0, closing_wh=None if removed is None else 0,
        )  # fmt: skip


def load(connection: psycopg.Connection[Any], path: Path) -> ImportResult:
    return import_readings(path=path, connection=connection, now=NOW)


def write(path: Path, *lines: str, header: str = "meter_serial,read_date,value_kwh") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def stored() -> list[tuple[int, int, str, int, int, int]]:
    rows = MeterReading.objects.order_by("usage_point_id", "read_date", "register")
    return [
        (r.usage_point_id, r.meter_id, f"{r.read_date:%m-%d}", r.register, r.value_wh, r.quality)
        for r in rows
    ]


def rejects(result: ImportResult) -> list[dict[str, str]]:
    assert result.rejects is not None
    with result.rejects.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_csv_file_is_stored_exactly(meters: None, connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "M1,2026-11-27,1234.567", "M2,2026-10-31,9", "M2,2026-11-27,10.5")
    result = load(connection, path)
    assert (result.accepted, result.unchanged, result.rejected, result.rejects) == (3, 0, 0, None)
    assert stored() == [
        (1, 101, "11-27", 0, 1_234_567, 1),
        (2, 102, "10-31", 0, 9_000, 1),
        (2, 102, "11-27", 0, 10_500, 1),
    ]
    assert set(MeterReading.objects.values_list("received_at", "period")) == {(NOW, 202610), (NOW, 202611)}


def test_registers_and_qualities_are_read_in_any_case(meters: None, connection: Any, tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.csv", "M1;2026-11-27;peak;5000;customer", "M1;2026-11-27;OFF_PEAK;7000;",
        header="Meter_Serial;Read_Date;Register;Value_Wh;Quality",
    )  # fmt: skip
    assert load(connection, path).accepted == 2
    assert [row[3:] for row in stored()] == [
        (Register.PEAK, 5000, ReadingQuality.CUSTOMER),
        (Register.OFF_PEAK, 7000, ReadingQuality.ACTUAL),
    ]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series("value_wh", [1_234_567], pl.Int64),
        pl.Series("value_kwh", ["1234.567"]),
        pl.Series("value_kwh", ["1234.567"]).cast(pl.Decimal(12, 3)),
        pl.Series("value_kwh", [1234.567], pl.Float64),
    ],
)
def test_parquet_values_of_every_kind_are_stored_exactly(
    meters: None, connection: Any, tmp_path: Path, values: pl.Series
) -> None:
    path = tmp_path / "r.parquet"
    pl.DataFrame({"meter_serial": ["M1"], "read_date": [NOVEMBER]}).with_columns(values).write_parquet(path)
    assert load(connection, path).accepted == 1
    assert stored()[0][4] == 1_234_567


def test_each_bad_row_is_refused_with_line_and_reason_and_stops_nothing(
    meters: None, connection: Any, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "r.csv",
        "M1,2026-11-27,100,,",
        "M9,2026-11-27,100,,",
        "M1,2019-12-31,100,,",
        "M1,2026-11-26,-1,,",
        "M1,2026-11-26,100000,,",
        "M1,2026-11-29,100,,",
        "M1,27/11/2026,100,,",
        "M1,2026-11-26,12.3456,,",
        "M1,2026-11-26,100,NIGHT,",
        "M1,2026-11-26,100,,GUESS",
        "M1,2026-11-26",
        ",2026-11-26,100,,",
        "M1,2026-11-27,101,,",
        "M1,2026-11-27,100,,",
        "M2,2026-11-27,200,,",
        header="meter_serial,read_date,value_kwh,register,quality",
    )
    result = load(connection, path)
    assert (result.accepted, result.unchanged, result.rejected, result.rows) == (2, 1, 12, 15)
    found = rejects(result)
    assert [(int(row["line"]), row["reason"]) for row in found] == [
        (3, "no meter has this serial"),
        (4, "the meter was not installed anywhere on this date"),
        (5, "the value is negative"),
        (6, "the value has more digits than the meter's register"),
        (7, "the date is in the future"),
        (8, "the date is not one; write it like 2026-11-27"),
        (9, "the value is not a number of kWh with at most 3 decimals"),
        (10, "the register is unknown; use one of TOTAL, PEAK, OFF_PEAK, SHOULDER"),
        (11, "the quality is unknown; use one of ACTUAL, ESTIMATED, CUSTOMER"),
        (12, "the line has too few or too many fields"),
        (13, "there is no meter serial"),
        (14, "the file gives another value for the same meter, register and date in line 2"),
    ]
    assert found[1] == {
        "line": "4", "reason": found[1]["reason"], "meter_serial": "M1", "read_date": "2019-12-31",
        "value_kwh": "100", "register": "", "quality": "",
    }  # fmt: skip
    assert [row[4] for row in stored()] == [100_000, 200_000]


def test_the_lines_of_rows_after_a_broken_line_are_right(
    meters: None, connection: Any, tmp_path: Path
) -> None:
    path = write(tmp_path / "r.csv", "broken", "", "M1,2026-11-27,1", "M8,2026-11-27,1", "a,b,c,d,e")
    assert [(row["line"], row["reason"][:12]) for row in rejects(load(connection, path))] == [
        ("2", "the line has"),
        ("5", "no meter has"),
        ("6", "the line has"),
    ]


def test_lines_are_counted_across_the_blocks_of_a_long_file(
    meters: None, connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tayyar.metering.readings_file._CSV_BLOCK_BYTES", 128)
    lines = [
        f"M{1 if n % 7 else 8},2026-11-{n % 27 + 1:02d},{n % 27}" if n % 5 else "broken" for n in range(200)
    ]
    result = load(connection, write(tmp_path / "r.csv", *lines))
    expected = [n + 2 for n in range(200) if n % 5 == 0 or n % 7 == 0]
    assert [int(row["line"]) for row in rejects(result)] == expected
    assert (result.accepted, result.rows) == (27, 200)


def test_text_that_is_not_utf8_spoils_only_its_row(meters: None, connection: Any, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(b"meter_serial,read_date,value_kwh\n\xff\xfe,2026-11-27,1\nM1,2026-11-27,1\n\xff,1\n")
    result = load(connection, path)
    assert result.accepted == 1
    assert [(row["line"], row["reason"]) for row in rejects(result)] == [
        ("2", "no meter has this serial"),
        ("4", "the line has too few or too many fields"),
    ]


def test_corrected_rejects_can_be_imported_as_they_are(meters: None, connection: Any, tmp_path: Path) -> None:
    result = load(connection, write(tmp_path / "r.csv", "M1,2026-11-27,-5"))
    assert result.rejects == tmp_path / "r.rejects.csv"
    result.rejects.write_text(result.rejects.read_text().replace("-5", "5"))
    assert load(connection, result.rejects).accepted == 1


def test_the_same_file_again_changes_nothing(meters: None, connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "M1,2026-11-27,100", "M9,2026-11-27,100")
    first, again = load(connection, path), load(connection, path)
    assert again.already_imported_at == NOW
    assert (
        (again.accepted, again.unchanged, again.rejected) == (1, 0, 1) == (first.accepted, 0, first.rejected)
    )
    assert (len(stored()), ReadingImport.objects.count()) == (1, 1)


def test_the_same_rows_in_another_file_are_unchanged(meters: None, connection: Any, tmp_path: Path) -> None:
    load(connection, write(tmp_path / "a.csv", "M1,2026-11-27,100", "M2,2026-10-31,7"))
    result = load(
        connection, write(tmp_path / "b.csv", "M2,2026-10-31,7.000", "M1,2026-11-27,100", "M1,2026-11-20,90")
    )
    assert (result.accepted, result.unchanged, result.rejected) == (1, 2, 0)


def test_a_stored_reading_is_never_overwritten(meters: None, connection: Any, tmp_path: Path) -> None:
    load(connection, write(tmp_path / "a.csv", "M1,2026-11-27,100.5"))
    result = load(connection, write(tmp_path / "b.csv", "M1,2026-11-27,101", "M2,2026-11-27,5"))
    assert (result.accepted, result.unchanged, result.rejected) == (1, 0, 1)
    assert rejects(result)[0] == {
        "line": "2",
        "reason": "another value is stored for this meter, register and date: 100.500 kWh",
        "meter_serial": "M1", "read_date": "2026-11-27", "value_kwh": "101",
    }  # fmt: skip
    assert stored()[0][4] == 100_500


def test_a_moved_meter_is_read_where_it_stood(meters: None, connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "M3,2026-11-09,1", "M3,2026-11-10,2", "M3,2026-11-11,3")
    load(connection, path)
    assert [(row[0], row[2]) for row in stored()] == [(3, "11-09"), (3, "11-10"), (4, "11-11")]


def test_an_import_that_was_cut_off_goes_on(
    meters: None, connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tayyar.metering.readings_file.BATCH_ROWS", 2)
    path = tmp_path / "r.parquet"
    days = [dt.date(2026, 11, day) for day in range(1, 8)]
    pl.DataFrame({"meter_serial": ["M1"] * 7, "read_date": days, "value_wh": range(7)}).write_parquet(path)

    def cut(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_readings(path=path, connection=connection, now=NOW, progress=cut)
    assert len(stored()) == 2
    result = load(connection, path)
    assert (result.accepted, result.unchanged) == (5, 2)
    assert [row[4] for row in stored()] == list(range(7))
    entry = AuditEntry.objects.filter(action="READINGS_IMPORTED").latest("pk")
    assert entry.detail == {"sha256": result.sha256, "accepted": 5, "unchanged": 2, "rejected": 0}


def test_a_few_readings_do_not_load_every_meter(
    meters: None, connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_LOAD_ALL_FROM", 0)  # a file as small as this beside millions of meters
    monkeypatch.setattr(services, "load_all", None)  # calling it would fail
    result = load(
        connection, write(tmp_path / "r.csv", "M1,2026-11-27,1", "M3,2026-11-09,1", "M9,2026-11-09,1")
    )
    assert (result.accepted, result.rejected) == (2, 1)
    assert [row[0] for row in stored()] == [1, 3]


def test_two_imports_at_once_are_refused(
    meters: None, connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_LOCK_WAIT", "100ms")
    path = write(tmp_path / "r.csv", "M1,2026-11-27,1")
    with psycopg.connect(connection.info.dsn, password=connection.info.password) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (services._IMPORT_LOCK,))
        with pytest.raises(UserError, match="Another import is running"):
            load(connection, path)
        other.execute("SELECT pg_advisory_unlock(%s)", (services._IMPORT_LOCK,))
    assert load(connection, path).accepted == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("meter,date,value\n1,2,3\n", "must have the columns"),
        ("meter_serial,read_date,value_kwh,value_wh\n", "one of value_kwh or value_wh"),
        ("", "must have the columns"),
        ("PAR1 but not really", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_of_readings_is_refused_whole(
    meters: None, connection: Any, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        load(connection, path)


def test_a_missing_file_is_said_to_be_missing(connection: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        load(connection, tmp_path / "nothing.csv")


def test_the_command_prints_what_became_of_the_rows(
    meters: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    connection: Any,
) -> None:
    monkeypatch.setattr("django.conf.settings.DATABASE_URL", cast.database_url(), raising=False)
    path = write(tmp_path / "r.csv", "M1,2026-11-20,1", "M9,2026-11-20,1")
    monkeypatch.setenv("TAYYAR_NOW", NOW.isoformat())

    class Arguments:
        file, json = path, True

    assert command.run(Arguments()) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["rows"], printed["accepted"], printed["rejected"]) == (2, 1, 1)
    assert printed["reasons"] == {"no meter has this serial": 1}
    Arguments.json = False
    assert command.run(Arguments()) == 0
    assert "was imported on" in capsys.readouterr().out


def test_a_customer_sends_a_reading(meters: None, connection: Any) -> None:
    sent = AuditEntry.objects.filter(action="READING_SUBMITTED", subject="usage_point:1")
    before = sent.count()
    reading = submit_customer_reading(usage_point_id=1, value_wh=5_000, read_date=NOVEMBER, now=NOW)
    assert (reading.quality, reading.meter_id, reading.period) == (ReadingQuality.CUSTOMER, 101, 202611)
    submit_customer_reading(usage_point_id=1, value_wh=5_000, read_date=NOVEMBER, now=NOW)
    assert stored() == [(1, 101, "11-27", 0, 5_000, 3)]
    assert sent.count() == before + 1


@pytest.mark.parametrize(
    ("point", "value_wh", "day", "code"),
    [
        (1, 5_000, dt.date(2026, 11, 29), "FUTURE_DATE"),
        (1, 5_000, dt.date(2019, 1, 1), "NO_METER"),
        (77, 5_000, NOVEMBER, "NO_METER"),
        (1, 100_000_000, NOVEMBER, "OUT_OF_RANGE"),
        (1, -1, NOVEMBER, "OUT_OF_RANGE"),
        (2, 6_000, NOVEMBER, "OTHER_VALUE"),
        (3, 6_000, dt.date(2026, 11, 1), "SEVERAL_REGISTERS"),
    ],
)
def test_a_customers_reading_that_cannot_be_is_refused(
    meters: None, connection: Any, tmp_path: Path, point: int, value_wh: int, day: dt.date, code: str
) -> None:
    header = "meter_serial,read_date,value_kwh,register"
    load(connection, write(tmp_path / "r.csv", "M2,2026-11-27,5,", "M3,2026-11-01,5,PEAK", header=header))
    with pytest.raises(ReadingRefused) as refused:
        submit_customer_reading(usage_point_id=point, value_wh=value_wh, read_date=day, now=NOW)
    assert refused.value.code == code
    assert len(stored()) == 2
