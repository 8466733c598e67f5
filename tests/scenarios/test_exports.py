"""The exported files hold what the books hold: CSV and Excel to the last digit, Green Button valid by its schema."""

import csv
import datetime as dt
import io
import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.scenarios.cast import NASSER, SALMA, account_id, bill, day, noon, read, saudi, settle, the_bill

from tayyar.billing.exports.archive import zip_of_bills
from tayyar.billing.exports.csv_ import csv_bytes, plain
from tayyar.billing.exports.greenbutton import dst_rules, greenbutton
from tayyar.billing.exports.tables import Kind, Table, bills_table, days_table, payments_table
from tayyar.billing.exports.words import WORDS
from tayyar.billing.exports.xlsx import xlsx_bytes
from tayyar.billing.services import cancel
from tayyar.config.cli import main
from tayyar.core.money import Currency
from tayyar.core.periods import Period
from tayyar.core.references import with_check

SCHEMA = Path(os.environ.get("TAYYAR_VECTORS", "/work/shared/vectors")) / "greenbutton/schema/espi.xsd"
ATOM, ESPI = "{http://www.w3.org/2005/Atom}", "{http://naesb.org/espi}"
SAR, BHD = Currency("SAR", 2), Currency("BHD", 3)
NOW = noon("2026-11-05")
books = pytest.mark.usefixtures("books")


def two_bills() -> None:
    """Salma in September and October 2026, the second one estimated; three days in October read one by one."""
    settle(SALMA, start=day("2026-09-01"))
    settle(NASSER, start=day("2026-09-01"), category=2)
    for text, kwh in (("2026-09-28", 1540), ("2026-10-10", 1770), ("2026-10-11", 1800), ("2026-10-12", 1833)):
        read(SALMA, day(text), kwh)
    read(NASSER, day("2026-09-28"), 1900)
    bill("2026-09")
    read(SALMA, day("2026-10-28"), 2140)
    bill("2026-10")


def rows_of(data: bytes) -> list[list[str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_words_are_complete_in_three_languages() -> None:
    assert WORDS["ar"].keys() == WORDS["en"].keys() == WORDS["fr"].keys()
    assert all(text.strip() for words in WORDS.values() for text in words.values())


@pytest.mark.parametrize(
    ("value", "kind", "currency", "shown"),
    [
        (27600, Kind.MONEY, SAR, "276.00"),
        (-5, Kind.MONEY, SAR, "-0.05"),
        (27600, Kind.MONEY, BHD, "27.600"),
        (1_520_500, Kind.ENERGY, SAR, "1520.500"),
        (-500, Kind.ENERGY, SAR, "-0.500"),
        (31, Kind.COUNT, SAR, "31"),
        (dt.date(2026, 11, 5), Kind.DATE, SAR, "2026-11-05"),
        ("إشعار، دائن", Kind.TEXT, SAR, "إشعار، دائن"),
        (None, Kind.MONEY, SAR, ""),
    ],
)
def test_values_are_written_exactly(value: object, kind: Kind, currency: Currency, shown: str) -> None:
    assert plain(value, kind, currency) == shown  # type: ignore[arg-type]


@books
def test_the_csv_of_bills_has_every_document_and_its_exact_amounts() -> None:
    two_bills()
    head, newest, oldest = rows_of(csv_bytes(bills_table(account_id(SALMA), "ar"), SAR))
    stored = the_bill(SALMA, "2026-10")
    assert head[0] == "الشهر"
    assert newest[:7] == [
        "2026-10", f"{stored.number:015d}", "فاتورة", "2026-09-28", "2026-10-27", "30", "600.000",
    ]  # fmt: skip
    assert newest[11:13] == ["135.70", "SAR"]
    assert oldest[0] == "2026-09"


@books
def test_a_cancelled_bill_and_its_credit_note_add_up_to_nothing() -> None:
    two_bills()
    cancel(number=the_bill(SALMA, "2026-10").number, why="test", actor="user:1", now=NOW)
    table = bills_table(account_id(SALMA), "en")
    october = [row for row in table.rows if row[0] == "2026-10"]
    assert [row[2] for row in october] == ["Credit note", "Cancelled bill"]
    assert sum(row[11] for row in october) == 0  # type: ignore[misc]


@books
def test_days_are_exported_where_the_meter_gives_them() -> None:
    two_bills()
    rows = rows_of(csv_bytes(days_table(account_id(SALMA), "en", today=NOW.date()), SAR))
    assert [row[:2] for row in rows[1:]] == [["2026-10-10", "30.000"], ["2026-10-11", "33.000"]]
    assert days_table(account_id(NASSER), "en", today=NOW.date()).rows == []


@books
def test_a_holder_of_a_later_time_exports_nothing_of_the_time_before() -> None:
    two_bills()
    later = lambda first, end: first >= day("2026-09-28")  # noqa: E731
    assert len(bills_table(account_id(SALMA), "en", sees=later).rows) == 1
    feed = greenbutton(account_id(SALMA), Period(2026, 1), Period(2026, 12), now=NOW, sees=later)
    assert len(ElementTree.fromstring(feed).findall(f".//{ESPI}UsageSummary")) == 1


@books
def test_the_excel_file_reads_back_to_the_same_values_right_to_left() -> None:
    two_bills()
    tables = [bills_table(account_id(SALMA), "ar"), payments_table(account_id(SALMA), "ar")]
    data = xlsx_bytes(tables, SAR, "ar", now=NOW)
    assert data == xlsx_bytes(tables, SAR, "ar", now=NOW)
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/")]
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        shared = book.read("xl/sharedStrings.xml").decode()
    assert sheets == ["xl/worksheets/sheet1.xml"]  # no payments, no sheet of them
    assert 'rightToLeft="1"' in sheet
    assert "<v>135.70</v>" in sheet
    assert "<v>600.000</v>" in sheet
    assert "إجمالي" in shared


def test_a_large_amount_reaches_excel_to_the_last_digit() -> None:
    table = Table("BILLS", "Bills", (("Total", Kind.MONEY),), [(123_456_789_012_345,)])
    with zipfile.ZipFile(io.BytesIO(xlsx_bytes([table], BHD, "en", now=NOW))) as book:
        assert "<v>123456789012.345</v>" in book.read("xl/worksheets/sheet1.xml").decode()


# Green Button


def feed_of(first: str = "2026-01", last: str = "2026-12") -> ElementTree.Element:
    span = Period.parse(first), Period.parse(last)
    return ElementTree.fromstring(greenbutton(account_id(SALMA), *span, now=NOW))


@books
def test_every_resource_of_the_feed_is_valid_by_the_espi_schema() -> None:
    etree = pytest.importorskip("lxml.etree")
    if not SCHEMA.exists():
        pytest.skip("the ESPI schema is not on this machine")
    two_bills()
    schema = etree.XMLSchema(etree.parse(str(SCHEMA)))
    feed = etree.fromstring(greenbutton(account_id(SALMA), Period(2026, 1), Period(2026, 12), now=NOW))
    resources = feed.findall(f"{ATOM}entry/{ATOM}content/*")
    for resource in resources:
        assert schema.validate(resource), (resource.tag, schema.error_log)
    found = {resource.tag.removeprefix(ESPI) for resource in resources}
    assert found == {
        "LocalTimeParameters", "UsagePoint", "ReadingType", "MeterReading", "IntervalBlock", "UsageSummary",
    }  # fmt: skip
    broken = resources[1]
    broken[0].append(etree.fromstring(f'<x xmlns="{ESPI[1:-1]}"/>'))
    assert not schema.validate(broken)


@books
def test_the_envelope_is_atom_with_unique_ids_and_links_that_meet() -> None:
    two_bills()
    feed = feed_of()
    entries = feed.findall(f"{ATOM}entry")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    assert all(id and id.startswith("urn:uuid:") for id in ids)
    own = {link.get("href") for link in feed.iter(f"{ATOM}link") if link.get("rel") == "self"}
    related = {link.get("href") for link in feed.iter(f"{ATOM}link") if link.get("rel") == "related"}
    collections = {href.rsplit("/", 1)[0] for href in own if href}
    assert related <= own | collections
    assert all(
        entry.find(f"{ATOM}{name}") is not None
        for entry in entries
        for name in ("title", "published", "updated")
    )


@books
def test_bills_are_intervals_from_local_midnight_with_energy_cost_and_quality() -> None:
    two_bills()
    block = feed_of().findall(f".//{ESPI}IntervalBlock")[0]
    readings = block.findall(f"{ESPI}IntervalReading")
    october = readings[1]
    # 28 September 2026 00:00 in Riyadh (UTC+3) is 27 September 21:00 UTC; 30 days; 135.70 SAR in hundred-thousandths.
    start = int(dt.datetime(2026, 9, 27, 21, tzinfo=dt.UTC).timestamp())
    assert october.findtext(f"{ESPI}timePeriod/{ESPI}start") == str(start)
    assert october.findtext(f"{ESPI}timePeriod/{ESPI}duration") == str(30 * 86_400)
    assert october.findtext(f"{ESPI}value") == "600000"
    assert october.findtext(f"{ESPI}cost") == "13570000"
    assert october.findtext(f"{ESPI}ReadingQuality/{ESPI}quality") == "17"


@books
def test_a_summary_adds_up_to_its_bill() -> None:
    two_bills()
    stored = the_bill(SALMA, "2026-10")
    summary = feed_of("2026-10", "2026-10").findall(f".//{ESPI}UsageSummary")[0]
    details = summary.findall(f"{ESPI}costAdditionalDetailLastPeriod/{ESPI}amount")
    additional = int(summary.findtext(f"{ESPI}costAdditionalLastPeriod") or 0)
    assert sum(int(item.text or 0) for item in details) == additional
    assert additional == (stored.total_minor - stored.energy_minor) * 1000
    assert summary.findtext(f"{ESPI}billLastPeriod") == str(stored.total_minor * 1000)
    assert summary.findtext(f"{ESPI}currency") == "682"


@books
def test_days_are_a_series_of_their_own() -> None:
    two_bills()
    daily = feed_of().findall(f".//{ESPI}IntervalBlock")[1]
    values = [reading.findtext(f"{ESPI}value") for reading in daily.findall(f"{ESPI}IntervalReading")]
    assert values == ["30000", "33000"]
    types = {kind.findtext(f"{ESPI}timeAttribute") for kind in feed_of().findall(f".//{ESPI}ReadingType")}
    assert types == {"8", "11"}


@books
def test_a_cancelled_bill_is_not_in_the_feed_and_no_name_is() -> None:
    two_bills()
    cancel(number=the_bill(SALMA, "2026-10").number, why="test", actor="user:1", now=NOW)
    data = greenbutton(account_id(SALMA), Period(2026, 1), Period(2026, 12), now=NOW).decode()
    assert "سلمى" not in data
    assert len(ElementTree.fromstring(data).findall(f".//{ESPI}UsageSummary")) == 1


@books
def test_an_account_without_bills_gives_a_feed_that_says_so() -> None:
    settle(SALMA, start=day("2026-09-01"))
    assert [child.tag for child in feed_of().iter(f"{ATOM}content")] == [f"{ATOM}content"]


def test_a_zone_without_summer_time_has_no_rules() -> None:
    import zoneinfo

    assert dst_rules(zoneinfo.ZoneInfo("Asia/Riyadh"), 2026) == ("FFFFFFFF", 0, "FFFFFFFF", 10_800)


def test_summer_time_in_egypt_begins_and_ends_on_the_days_of_that_year() -> None:
    import zoneinfo

    end, offset, start, standard = dst_rules(zoneinfo.ZoneInfo("Africa/Cairo"), 2026)
    # 24 April 2026 at 00:00 (month 4, day 24: 0x4 << 28 | 24 << 20); 29 October at 24:00, so 30 October at 00:00.
    assert (start, end) == ("41800000", "A1E00000")
    assert (offset, standard) == (3600, 7200)


# The command and the archive


@books
def test_the_command_writes_the_feed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_bills()
    number, out = with_check(account_id(SALMA)), tmp_path / "feed.xml"
    period = ["--from", "2026-09", "--to", "2026-09"]
    assert main(["greenbutton", "export", str(number), *period, "--out", str(out)]) == 0
    feed = ElementTree.fromstring(out.read_bytes())
    assert len(feed.findall(f".//{ESPI}UsageSummary")) == 1


@books
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["123"], "account number"),
        (["{unknown}"], "There is no account"),
        (["{salma}", "--from", "2026-13"], "2026-13"),
        (["{salma}", "--from", "2026-10", "--to", "2026-09"], "earlier month first"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(SALMA, start=day("2026-09-01"))
    known = {"salma": with_check(account_id(SALMA)), "unknown": with_check(999_999_999)}
    assert main(["greenbutton", "export", *(text.format(**known) for text in arguments)]) == 2
    assert says in capsys.readouterr().err


@books
def test_the_archive_is_a_zip_of_the_very_pdfs_sent_in_pieces() -> None:
    two_bills()
    numbers = [the_bill(SALMA, "2026-10").number, the_bill(SALMA, "2026-09").number]
    pieces = list(zip_of_bills(numbers, "ar"))
    assert len(pieces) == 3  # a PDF each, then the directory
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"bill-{number:015d}.pdf" for number in numbers]
        assert all(archive.read(name).startswith(b"%PDF-") for name in archive.namelist())


@books
def test_payments_are_exported_by_the_day_where_the_utility_is() -> None:
    from tests.scenarios.test_account_queries import pay

    two_bills()
    pay(SALMA, 5000, 77, dt.datetime(2026, 11, 1, 22, 30, tzinfo=dt.UTC))  # 01:30 of the next day in Riyadh
    (row,) = payments_table(account_id(SALMA), "en").rows
    assert row == (day("2026-11-02"), "Payment", "77", 5000, "SAR")
    assert saudi().timezone == "Asia/Riyadh"
