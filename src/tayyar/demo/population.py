"""`tayyar generate`: a believable population with months of readings, bulk loaded in one transaction.

Everything follows from the seed. Besides ordinary customers there are what real books hold: meters exchanged inside a
period, registers that roll over, readings missed, mistyped or sent by customers, people who moved in and out.
No figure here is money; energy is drawn at random once and is whole Wh from then on.
"""

import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import yaml

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.core.frames import Shape, write_frame
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.core.progress import progress
from tayyar.customers.models import FIRST_ACCOUNT_ID, Channel
from tayyar.customers.services import NATIONAL_ID_FIELD
from tayyar.demo.bulk import indexes_put_aside
from tayyar.gateways.identity_authority.people import number_of
from tayyar.identity.models import IdType
from tayyar.identity.people import id_hash
from tayyar.profiles import Profile

BLOCK = 200_000
DIGITS = 6  # whole kWh digits of a meter's register
ADDRESS_FIELD = "customers.contact_point.address"
TABLES = (
    "customers_customer",
    "customers_customeraccount",
    "customers_agreement",
    "customers_contactpoint",
    "metering_usagepoint",
    "metering_meter",
    "metering_meterinstallation",
    "ledger_ledgeraccount",
)

ACCOUNT: Shape = {
    "id": "int8",
    "customer_id": "int8",
    "opened_on": "date",
    "language": "int2",
    "is_entitled": "bool",
}
AGREEMENT: Shape = {
    "id": "int8",
    "account_id": "int8",
    "usage_point_id": "int8",
    "category": "int2",
    "start_date": "date",
}
INSTALLATION: Shape = {
    "id": "int8",
    "usage_point_id": "int8",
    "meter_id": "int8",
    "installed_on": "date",
    "opening_wh": "int8",
    "multiplier": "int4",
}
READING: Shape = {
    "period": "int4",
    "usage_point_id": "int8",
    "meter_id": "int8",
    "read_date": "date",
    "register": "int2",
    "value_wh": "int8",
    "quality": "int2",
    "received_at": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class World:
    """What the made-up utility looks like: world.yaml, the part of one profile."""

    shares: dict[str, int]
    daily_kwh: dict[str, int]
    typical_daily_kwh: int
    season: list[int]
    entitled_permille: int
    centres: list[list[str]]
    streets: list[str]
    first: list[str]
    family: list[str]
    contacts: dict[str, int]  # permille with a telephone; of these on WhatsApp; with an e-mail address
    phone: tuple[str, int]  # how a mobile number begins, and how many digits follow


def world(profile: Profile) -> World:
    """The world of a profile, or the default one for a country nobody described."""
    raw = yaml.safe_load((Path(__file__).parent / "world.yaml").read_text())
    return World(**{**raw["default"], **raw.get(profile.code, {})})


def last_readable_period(today: dt.date, profile: Profile) -> Period:
    """The newest period whose issue day has come."""
    period = Period.of(today)
    return period if today >= period.day(profile.issue_day) else period.plus(-1)


def generate(
    connection: psycopg.Connection[Any],
    *,
    profile: Profile,
    accounts: int,
    last: Period,
    months: int,
    seed: int,
) -> list[Period]:
    """Load `accounts` accounts with `months` monthly readings that end in `last`; returns those periods.

    All in one transaction. UserError when the database holds customers already.
    """
    if not 1 <= accounts <= 90_000_000 or not 1 <= months <= 60:
        raise UserError("--accounts is 1 to 90,000,000 and --months 1 to 60.")
    periods = [last.plus(-back) for back in range(months - 1, -1, -1)]
    with connection.transaction():
        if connection.execute("SELECT 1 FROM customers_customer LIMIT 1").fetchone():
            raise UserError("This database holds customers already. Name another data folder in TAYYAR_DATA.")
        setting = world(profile)
        centres = _centres(connection, setting)
        for period in periods:
            ensure_partition(connection, table="metering_meterreading", period=period)
        with (
            indexes_put_aside(connection, TABLES),
            progress("Generating", total=accounts, unit="accounts") as bar,
        ):
            for start in range(0, accounts, BLOCK):
                count = min(BLOCK, accounts - start)
                _block(connection, profile, setting, centres, start, count, periods, seed)
                bar.advance(count)
    for table in (*TABLES, "metering_meterreading"):
        connection.execute(f"ANALYZE {table}")
    return periods


def _centres(connection: psycopg.Connection[Any], setting: World) -> list[int]:
    ids = []
    for place, (arabic, english, french) in enumerate(setting.centres, start=1):
        row = connection.execute(
            """INSERT INTO metering_servicecentre (code, name_ar, name_en, name_fr) VALUES (%s, %s, %s, %s)
               RETURNING id""",
            [f"C{place:02d}", arabic, english, french],
        ).fetchone()
        assert row is not None
        ids.append(int(row[0]))
    return ids


def _block(
    connection: psycopg.Connection[Any],
    profile: Profile,
    setting: World,
    centres: list[int],
    start: int,
    count: int,
    periods: list[Period],
    seed: int,
) -> None:
    """One block of accounts, drawn from a generator of its own, so that blocks do not depend on each other."""
    draw = np.random.default_rng([seed, start])
    place = np.arange(start, start + count, dtype=np.int64)
    ids = place + 1
    categories, median_wh = _categories(profile, setting, draw, count)
    opened = np.datetime64(periods[0].start, "D") - draw.integers(60, 3650, count).astype("timedelta64[D]")
    # The books begin a month before the first reading: agreements and meters start there, people came earlier.
    read_day = draw.integers(9, 24, count)
    begins = np.datetime64(periods[0].plus(-1).start, "D") + (read_day - 1).astype("timedelta64[D]")
    entitled = draw.integers(0, 1000, count) < setting.entitled_permille
    customers = place - place // 20 + 1  # every twentieth account is a second one of the customer before
    accounts = FIRST_ACCOUNT_ID + place
    breakers = np.array([20, 30, 40, 60, 100, 150, 200, 400], np.int32)
    breaker = breakers[draw.choice(len(breakers), count, p=[0.12, 0.18, 0.25, 0.25, 0.12, 0.04, 0.03, 0.01])]

    _copy_text(connection, "customers_customer", _people(profile, setting, draw, customers))
    write_frame(
        connection,
        "customers_customeraccount",
        ACCOUNT,
        pl.DataFrame(
            {
                "id": accounts,
                "customer_id": customers,
                "opened_on": opened,
                "language": draw.choice(np.array([1, 2, 3], np.int16), count, p=[0.86, 0.12, 0.02]),
                "is_entitled": entitled,
            }
        ),
    )
    _copy_text(
        connection,
        "metering_usagepoint",
        pl.DataFrame(
            {
                "id": ids,
                "service_centre_id": np.array(centres)[place // 500 % len(centres)],
                "breaker_a": breaker,
                "address": pl.Series(np.array(setting.streets)[draw.integers(0, len(setting.streets), count)])
                + " "
                + pl.Series(draw.integers(1, 400, count)).cast(pl.String),
            }
        ),
    )
    serials = "M" + pl.Series(ids).cast(pl.String).str.zfill(10)
    _copy_text(
        connection, "metering_meter", pl.DataFrame({"id": ids, "serial": serials, "digits": [DIGITS] * count})
    )
    write_frame(
        connection,
        "customers_agreement",
        AGREEMENT,
        pl.DataFrame(
            {
                "id": ids,
                "account_id": accounts,
                "usage_point_id": ids,
                "category": categories,
                "start_date": begins,
            }
        ),
    )
    _copy_text(connection, "customers_contactpoint", _contacts(setting, draw, accounts, opened))
    write_frame(
        connection,
        "ledger_ledgeraccount",
        {"id": "int8", "balance_minor": "int8"},
        pl.DataFrame({"id": accounts, "balance_minor": np.zeros(count, np.int64)}),
    )
    _meters_and_readings(connection, setting, draw, ids, begins, median_wh, periods)


def _categories(
    profile: Profile, setting: World, draw: np.random.Generator, count: int
) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    shares = [setting.shares.get(category.code, 0) for category in profile.categories]
    if not any(shares):
        shares[0] = 1
    weights = np.array(shares) / sum(shares)
    which = draw.choice(len(shares), count, p=weights)
    numbers = np.array([category.number for category in profile.categories], np.int16)
    medians = np.array(
        [setting.daily_kwh.get(c.code, setting.typical_daily_kwh) * 1000 for c in profile.categories],
        np.int64,
    )
    return numbers[which], medians[which]


def _people(
    profile: Profile, setting: World, draw: np.random.Generator, customers: "np.ndarray[Any, Any]"
) -> pl.DataFrame:
    """Customers with the identity numbers that the local authority knows them by."""
    unique = np.unique(customers)
    if customers[0] > 1:  # the first account of a later block is a second one of a customer already written
        unique = unique[1:]
    n = len(unique)
    first, family = np.array(setting.first), np.array(setting.family)
    name = (
        pl.Series(first[draw.integers(0, len(first), n)])
        + " "
        + pl.Series(first[draw.integers(0, max(len(first) // 2, 1), n)])
        + " "
        + pl.Series(family[draw.integers(0, len(family), n)])
    )
    numbers = [number_of(profile.code, customer) for customer in unique.tolist()]
    return pl.DataFrame(
        {
            "id": unique,
            "kind": ["PERSON"] * n,
            "name": name,
            "is_citizen": [True] * n,
            "wants_digest": [False] * n,
            "national_id_sealed": [
                "\\x" + crypto.seal(number, field=NATIONAL_ID_FIELD).hex() for number in numbers
            ],
            "national_id_hash": ["\\x" + id_hash(IdType.NATIONAL_ID, number).hex() for number in numbers],
        }
    )


def _contacts(
    setting: World,
    draw: np.random.Generator,
    accounts: "np.ndarray[Any, Any]",
    opened: "np.ndarray[Any, Any]",
) -> pl.DataFrame:
    """Verified contact points, by the world's shares. Who uses WhatsApp has the telephone number there, too."""
    verified = str(opened.max()) + " 09:00:00+00"
    prefix, digits = setting.phone
    rows: list[tuple[int, int, str]] = []
    luck = draw.integers(0, 1000, (len(accounts), 3))
    for account, (phone, whatsapp, mail) in zip(accounts.tolist(), luck.tolist(), strict=True):
        number = f"{prefix}{(account - FIRST_ACCOUNT_ID + 1) % 10**digits:0{digits}d}"
        if phone < setting.contacts["SMS"]:
            rows.append((account, Channel.SMS.value, number))
            if whatsapp < setting.contacts["WHATSAPP"]:
                rows.append((account, Channel.WHATSAPP.value, number))
        if mail < setting.contacts["EMAIL"]:
            rows.append((account, Channel.EMAIL.value, f"customer{account}@mail.example"))
    ids, channels, addresses = zip(*rows, strict=True) if rows else ((), (), ())
    return pl.DataFrame(
        {
            "account_id": ids,
            "recipient": [0] * len(rows),
            "channel": channels,
            "address_sealed": ["\\x" + crypto.seal(text, field=ADDRESS_FIELD).hex() for text in addresses],
            "address_hash": [
                "\\x" + crypto.lookup_hash(text, field=ADDRESS_FIELD).hex() for text in addresses
            ],
            "verified_at": [verified] * len(rows),
            "is_active": [True] * len(rows),
            "mark": pl.Series([""] * len(rows), dtype=pl.String),
        }
    )


def _meters_and_readings(
    connection: psycopg.Connection[Any],
    setting: World,
    draw: np.random.Generator,
    ids: "np.ndarray[Any, Any]",
    begins: "np.ndarray[Any, Any]",
    median_wh: "np.ndarray[Any, Any]",
    periods: list[Period],
) -> None:
    """Installations and a reading a month. Registers count in whole kWh, as mechanical ones show them."""
    n, span = len(ids), 10**DIGITS * 1000
    daily_wh = (median_wh * draw.lognormal(0.0, 0.55, n)).astype(np.int64)
    value = draw.integers(0, 10**DIGITS, n) * 1000
    previous_day = begins.copy()
    standing = {
        "id": ids,
        "usage_point_id": ids,
        "meter_id": ids,
        "installed_on": begins,
        "opening_wh": value.copy(),
        "multiplier": np.where(median_wh >= 500_000, 10, 1).astype(np.int32),
    }
    write_frame(connection, "metering_meterinstallation", INSTALLATION, pl.DataFrame(standing))
    for period in periods:
        same_day = np.datetime64(period.start, "D") + (
            begins - begins.astype("datetime64[M]").astype("datetime64[D]")
        )
        day = same_day + draw.integers(-1, 2, n).astype("timedelta64[D]")
        days = (day - previous_day).astype(np.int64)
        noise = draw.normal(1.0, 0.08, n).clip(0.6, 1.5)
        used_wh = (daily_wh * days * (setting.season[period.month - 1] / 1000) * noise).astype(np.int64)
        used_wh = used_wh // standing["multiplier"] // 1000 * 1000
        value, previous_day = (value + used_wh) % span, day
        luck = draw.integers(0, 100_000, n)
        quality = np.where(luck < 1_000, 3, 1).astype(np.int16)  # one in a hundred read by the customer
        shown = np.where((luck >= 99_900) & (used_wh > 0), (value + 40 * used_wh) % span, value)  # mistyped
        kept = (luck < 97_500) | (luck >= 99_900)  # the others were not read
        count = int(kept.sum())
        write_frame(
            connection,
            f"metering_meterreading_{period.number}",
            READING,
            pl.DataFrame(
                {
                    "period": np.full(count, period.number, np.int32),
                    "usage_point_id": ids[kept],
                    "meter_id": ids[kept],
                    "read_date": day[kept],
                    "register": np.zeros(count, np.int16),
                    "value_wh": shown[kept],
                    "quality": quality[kept],
                    "received_at": (day[kept] + np.timedelta64(1, "D")).astype("datetime64[us]"),
                }
            ).with_columns(pl.col("received_at").dt.replace_time_zone("UTC")),
        )


def _copy_text(connection: psycopg.Connection[Any], table: str, frame: pl.DataFrame) -> None:
    """COPY a frame with text columns, as CSV."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False)
    query = f"COPY {table} ({', '.join(frame.columns)}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for piece in _pieces(buffer.getbuffer()):
            copy.write(piece)


def _pieces(view: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(view), 1 << 20):
        yield view[start : start + (1 << 20)]
