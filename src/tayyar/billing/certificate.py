"""The run's certificate: what came out, counted from the tables, hashed and signed; and its verification.

Every bill of a run lies in one chunk's hash, every chunk's hash in the run's, and the run's in the signed
certificate. Verification reads the stored bills back in the bytes in which they were written.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from typing import Any

import psycopg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tayyar.billing import numbers, shapes
from tayyar.billing.select import run_series
from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.core.frames import array_order_sql, read_raw
from tayyar.core.partitions import build_indexes
from tayyar.core.periods import Period
from tayyar.ledger.models import SystemAccount, TransferKind
from tayyar.profiles import Profile
from tayyar.tariffs.book import load_book

Connection = psycopg.Connection[Any]
MONEY = ("energy_minor", "fixed_minor", "subsidy_minor", "tax_minor", "total_minor")


class CertificateError(UserError):
    """The books do not agree; the run is not certified. The message says what differs."""


def certify(connection: Connection, run_id: int, *, profile: Profile, now: dt.datetime) -> dict[str, Any]:
    """Build the indexes, count everything from the tables, sign, and mark the run CERTIFIED. Idempotent.

    Raises UserError while chunks are open or failed, CertificateError when sums disagree.
    """
    period = _period(connection, run_id)
    for table in ("billing_bill", "ledger_transfer", "notifications_message"):
        with connection.transaction():
            build_indexes(connection, table=table, period=period)
    with connection.transaction():
        state, known = _one(
            connection, "SELECT state, certificate FROM billing_billrun WHERE id = %s FOR UPDATE", run_id
        )
        if state == "CERTIFIED":
            return dict(known)
        certificate = _count(connection, run_id, period=period, profile=profile, now=now)
        signature = crypto.keys().signing_key().sign(canonical(certificate))
        connection.execute(
            """UPDATE billing_billrun SET state = 'CERTIFIED', certificate = %s, signature = %s, certified_at = %s
               WHERE id = %s""",
            [json.dumps(certificate), signature, now, run_id],
        )
    return certificate


def canonical(certificate: dict[str, Any]) -> bytes:
    """The bytes that are signed: JSON with sorted keys and no spaces, in UTF-8."""
    return json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def verify(
    connection: Connection, period: Period, *, advance: Callable[[int], None] = lambda count: None
) -> list[str]:
    """What is wrong with the run of `period`; an empty list when nothing is. `advance` hears of bills read."""
    row = connection.execute(
        "SELECT id, state, certificate, signature FROM billing_billrun WHERE period = %s", [period.number]
    ).fetchone()
    if row is None or row[1] != "CERTIFIED":
        raise UserError(f"{period} has no certificate: it was not billed, or its run is not finished.")
    run_id, _, certificate, signature = row
    problems = []
    public = crypto.keys().signing_key().public_key().public_bytes_raw()
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes(signature), canonical(certificate))
    except InvalidSignature:
        problems.append(
            "The certificate was altered, or signed with another key: its signature does not fit."
        )
    chained = hashlib.sha256()
    for index, first, end, sha256, billed in connection.execute(
        """SELECT index, first_account_id, end_account_id, sha256, billed FROM billing_billrunchunk
           WHERE run_id = %s ORDER BY index""",
        [run_id],
    ).fetchall():
        chained.update(bytes.fromhex(sha256))
        if chunk_hash(connection, period, first, end) != sha256:
            problems.append(
                f"Bills of accounts {first} to {end - 1} (chunk {index}) are not what was issued."
            )
        advance(billed)
    if chained.hexdigest() != certificate["bills_sha256"]:
        problems.append("The chunks' hashes do not make the certificate's hash.")
    stored = _stored_totals(connection, period)
    problems += [
        f"{name}: the certificate says {certificate['money'][name]}, the bills add up to {stored[name]}."
        for name in MONEY
        if stored[name] != certificate["money"][name]
    ]
    if stored["bills"] != certificate["accounts"]["billed"]:
        problems.append(
            f"{certificate['accounts']['billed']} bills were issued, {stored['bills']} are stored."
        )
    return problems


def chunk_hash(connection: Connection, period: Period, first: int, end: int) -> str:
    """SHA-256 of the chunk's bills as PostgreSQL stores them, in the order in which they were written."""
    digest = hashlib.sha256()
    for record in read_raw(
        connection,
        f"""SELECT {", ".join(shapes.BILLS)} FROM billing_bill
            WHERE period = {period.number} AND account_id >= {first} AND account_id < {end} AND {run_series(period)}
            ORDER BY {array_order_sql(shapes.BILLS)}, agreement_id""",
    ):
        digest.update(record)
    return digest.hexdigest()


def _one(connection: Connection, query: str, *parameters: object) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return tuple(row)


def _period(connection: Connection, run_id: int) -> Period:
    return Period.from_number(_one(connection, "SELECT period FROM billing_billrun WHERE id = %s", run_id)[0])


def _stored_totals(connection: Connection, period: Period) -> dict[str, int]:
    sums = ", ".join(f"COALESCE(sum({name}), 0)::bigint" for name in ("energy_wh", *MONEY))
    row = _one(
        connection,
        f"SELECT count(*), {sums} FROM billing_bill WHERE period = {period.number} AND {run_series(period)}",
    )
    return dict(zip(("bills", "energy_wh", *MONEY), row, strict=True))


def _ledger_totals(connection: Connection, period: Period, chunk_limit: int) -> dict[int, tuple[int, int]]:
    """Per transfer kind: (debits less credits of the clearing account, rows)."""
    first, end = numbers.series_bounds(period, numbers.RUN)
    clearing = SystemAccount.BILLING_CLEARING.value
    return {
        kind: (int(net), count)
        for kind, net, count in connection.execute(
            f"""SELECT kind, sum(CASE WHEN debit_account_id = {clearing} THEN amount_minor ELSE -amount_minor END),
                       count(*)
                FROM ledger_transfer
                WHERE period = {period.number}
                  AND (kind = {TransferKind.BILL.value} AND ref >= {first} AND ref < {end}
                       OR kind IN (2, 3, 4, 5) AND ref <= {chunk_limit})
                GROUP BY kind"""
        ).fetchall()
    }


def _count(
    connection: Connection, run_id: int, *, period: Period, profile: Profile, now: dt.datetime
) -> dict[str, Any]:
    chunks = connection.execute(
        """SELECT index, state, counted, eligible, billed, held, rejected, messages, energy_wh, totals, sha256
           FROM billing_billrunchunk WHERE run_id = %s ORDER BY index""",
        [run_id],
    ).fetchall()
    open_chunks = [row[0] for row in chunks if row[1] != "DONE"]
    if open_chunks:
        raise UserError(
            f"{len(open_chunks)} of {len(chunks)} chunks of {period} are not done (first: {open_chunks[0]}). "
            f"`tayyar billrun status {period}` shows why; `tayyar billrun {period}` goes on."
        )
    stored = _stored_totals(connection, period)
    by_tariff = _by_tariff(chunks, profile)
    accounts = {
        name: sum(row[3 + place] for row in chunks)
        for place, name in enumerate(("eligible", "billed", "held", "rejected"))
    }
    ledger = _ledger_totals(connection, period, max((row[0] for row in chunks), default=0) + 1)
    first, end = numbers.series_bounds(period, numbers.RUN)
    messages = _one(
        connection,
        f"SELECT count(*) FROM notifications_message WHERE period = {period.number} AND kind = 1"
        f" AND recipient = 0 AND ref >= {first} AND ref < {end}",
    )[0]
    _agree("bills", stored["bills"], accounts["billed"])
    _agree("accounts", accounts["eligible"], accounts["billed"] + accounts["held"] + accounts["rejected"])
    _agree("energy_wh", stored["energy_wh"], sum(row[8] for row in chunks))
    _agree("messages", messages, sum(row[7] for row in chunks))
    for name in MONEY:
        _agree(name, stored[name], sum(tariff[name] for tariff in by_tariff.values()))
    _agree("clearing of bills", ledger.get(TransferKind.BILL.value, (0, 0))[0], -stored["total_minor"])
    revenue = sum(net for kind, (net, _) in ledger.items() if kind != TransferKind.BILL.value)
    _agree("clearing of revenue and tax", revenue, stored["total_minor"])
    issue_date, due_date, tariff_hash = _one(
        connection, "SELECT issue_date, due_date, tariff_hash FROM billing_billrun WHERE id = %s", run_id
    )
    return {
        "certificate": "tayyar bill run",
        "period": str(period),
        "profile": profile.code,
        "currency": profile.currency.code,
        "minor_digits": profile.currency.minor_digits,
        "issue_date": str(issue_date),
        "due_date": str(due_date),
        "accounts": accounts,
        "exceptions": _exceptions(connection, run_id),
        "messages": messages,
        "energy_wh": stored["energy_wh"],
        "money": {name: stored[name] for name in MONEY},
        "tariffs": by_tariff,
        "ledger": {
            "debited_to_customers": -ledger.get(TransferKind.BILL.value, (0, 0))[0],
            "credited_to_revenue_and_tax": revenue,
            "transfers": sum(count for _, count in ledger.values()),
        },
        "first_number": numbers.bill_number(period, numbers.RUN, 1),
        "last_number": numbers.bill_number(period, numbers.RUN, sum(row[2] for row in chunks)),
        "void_serials": _void_serials(chunks),
        "tariff_sha256": tariff_hash,
        "bills_sha256": hashlib.sha256(b"".join(bytes.fromhex(row[10]) for row in chunks)).hexdigest(),
        "certified_at": now.isoformat(),
        "public_key": crypto.keys().signing_key().public_key().public_bytes_raw().hex(),
    }


def _agree(what: str, left: int, right: int) -> None:
    if left != right:
        raise CertificateError(
            f"{what}: the tables say {left}, the chunks say {right}. The run is not certified."
        )


def _by_tariff(chunks: list[tuple[Any, ...]], profile: Profile) -> dict[str, dict[str, Any]]:
    book, total = load_book(profile), dict[int, dict[str, Any]]()
    for row in chunks:
        for number, figures in row[9].items():
            into = total.setdefault(int(number), dict.fromkeys(figures, 0))
            for name, value in figures.items():
                into[name] += value
    return {book.version(number).id: total[number] for number in sorted(total)}


def _exceptions(connection: Connection, run_id: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        """SELECT outcome, reason, count(*), COALESCE(sum((detail->>'energy_wh')::bigint), 0)::bigint
           FROM billing_billexception WHERE run_id = %s GROUP BY 1, 2 ORDER BY 1, 2""",
        [run_id],
    ).fetchall()
    return [dict(zip(("outcome", "reason", "accounts", "energy_wh"), row, strict=True)) for row in rows]


def _void_serials(chunks: list[tuple[Any, ...]]) -> list[list[int]]:
    """[first, end) of serials that a chunk counted and then did not use: see run._fit_to_count."""
    voids, before = [], 1
    for row in chunks:
        if row[4] < row[2]:
            voids.append([before + row[4], before + row[2]])
        before += row[2]
    return voids
