"""A business claims its accounts by a file: CSV or XLSX, up to 2,000 rows, each row checked and answered by itself.

Only what the books have under the business is claimed so; for anything else a paper is needed, and a foreign account
answers like one that does not exist. Sent twice, nothing changes. Next: services.claim for each row.
"""

import base64
import csv
import datetime as dt
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import transaction
from openpyxl import load_workbook

from tayyar.claims import services
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import ClaimFile, ClaimRole, Evidence
from tayyar.core import audit
from tayyar.core.crypto import seal, unseal
from tayyar.core.errors import UserError
from tayyar.core.references import parse_number
from tayyar.customers.models import Customer, Language
from tayyar.identity.models import Person
from tayyar.requests.errors import FormRefused, RequestRefused
from tayyar.requests.models import Via

MOST_ROWS = 2000
MOST_BYTES = 2 * 1024 * 1024
_FIELD = "claims.file.content"
_MOST_UNPACKED = 50 * 1024 * 1024
_MOST_COLUMNS = 64  # read of a spreadsheet: one far cell makes a row of 16,384 otherwise
COLUMNS = ("account_number", "role", "start_date", "is_beneficiary")
_YES, _NO = ("YES", "TRUE", "1", "نعم", "OUI"), ("NO", "FALSE", "0", "لا", "NON", "")
_ROLES = {"OWNER": ClaimRole.OWNER, "TENANT": ClaimRole.TENANT}


class Outcome(StrEnum):
    """What became of a row."""

    CLAIMED = "CLAIMED"
    ALREADY = "ALREADY"  # theirs before, or claimed by a row above
    EVIDENCE = "EVIDENCE"  # not theirs in the books, or unknown: claim it singly, with a paper
    INVALID = "INVALID"  # `reason` says what is wrong with the row


@dataclass(frozen=True, slots=True)
class RowResult:
    """One row of the file. `line` as a spreadsheet counts; `reason` of INVALID: NUMBER, ROLE, DATE, YES_NO, START_*."""

    line: int
    account_number: str
    outcome: Outcome
    reason: str = ""
    reference: str = ""


@dataclass(slots=True)
class BulkResult:
    """Every row with its outcome, in the order of the file."""

    rows: list[RowResult] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Outcome]:
        """How many rows ended how."""
        return Counter(row.outcome for row in self.rows)


def claim_file(
    *,
    person: Person,
    customer_id: int,
    name: str,
    data: bytes,
    terms_version: str,
    language: Language,
    now: dt.datetime,
) -> BulkResult:
    """Claim every account of a file for the business. Columns: account_number, role, start_date, is_beneficiary.

    Without role, OWNER; without start_date, today; without is_beneficiary, no. ClaimRefused FILE when it is no such
    table, NOT_YOURS when the person is no ADMIN of the business, TERMS.
    """
    table = _table(name, data)
    services.check_claimant(person=person, customer_id=customer_id, terms_version=terms_version)
    result, seen = BulkResult(), set[int]()
    for line, row in table:
        result.rows.append(_claim_row(line, row, seen, person, customer_id, terms_version, language, now))
    audit.record(
        actor=f"person:{person.pk}",
        action="CLAIMS_BY_FILE",
        subject=f"customer:{customer_id}",
        now=now,
        rows=len(table),
        **{outcome.value.lower(): count for outcome, count in result.counts.items()},
    )
    return result


@transaction.atomic
def keep_file(
    *,
    person: Person,
    customer_id: int,
    name: str,
    data: bytes,
    terms_version: str,
    language: Language,
    now: dt.datetime,
) -> tuple[ClaimFile, bool]:
    """Keep a file to be worked through later, and whether it is new: the same file is under way once.

    Refusals of the whole file as `claim_file`, at once.
    """
    rows = len(_table(name, data))
    services.check_claimant(person=person, customer_id=customer_id, terms_version=terms_version)
    Customer.objects.select_for_update().get(id=customer_id)
    sha256 = hashlib.sha256(data).hexdigest()
    under_way = ClaimFile.objects.filter(customer=customer_id, sha256=sha256, done_at=None).first()
    if under_way is not None:
        return under_way, False
    made = ClaimFile.objects.create(
        customer_id=customer_id,
        person=person,
        name=_text(name)[:120],
        sha256=sha256,
        content_sealed=seal(base64.b64encode(data).decode(), field=_FIELD),
        terms_version=terms_version,
        language=language,
        rows=rows,
        sent_at=now,
    )
    return made, True


def work_through(*, file_id: int, now: dt.datetime) -> ClaimFile:
    """Claim a kept file and keep its results. Killed at any moment and run again, the rows claimed are ALREADY theirs.

    Where the person lost their right meanwhile, or the terms changed, it ends without a row.
    """
    kept = ClaimFile.objects.select_related("person").get(id=file_id)
    if kept.done_at is not None or kept.content_sealed is None:
        return kept
    try:
        result = claim_file(
            person=kept.person,
            customer_id=kept.customer_id,
            name=kept.name,
            data=base64.b64decode(unseal(bytes(kept.content_sealed), field=_FIELD)),
            terms_version=kept.terms_version,
            language=Language(kept.language),
            now=now,
        )
    except ClaimRefused:
        result = BulkResult()
    kept.results = [
        [row.line, row.account_number, row.outcome, row.reason, row.reference] for row in result.rows
    ]
    kept.done_at, kept.content_sealed = now, None
    kept.save(update_fields=["results", "done_at", "content_sealed"])
    return kept


def results_of(kept: ClaimFile) -> BulkResult:
    """The rows of a kept file, as `claim_file` gives them; empty while it is under way."""
    return BulkResult([RowResult(line, n, Outcome(o), why, ref) for line, n, o, why, ref in kept.results])


def _table(name: str, data: bytes) -> list[tuple[int, Mapping[str, Any]]]:
    table = list(_rows(name, data))
    if not table:
        raise ClaimRefused("FILE", "The file has no rows below its headings.")
    return table


def _claim_row(
    line: int,
    row: Mapping[str, Any],
    seen: set[int],
    person: Person,
    customer_id: int,
    terms_version: str,
    language: Language,
    now: dt.datetime,
) -> RowResult:
    typed = _text(row.get("account_number"))[:40]
    try:
        number = parse_number(typed, what="account number", digits=11)
        role, start_date, is_beneficiary = _values(row, services.local_day(now))
    except _Unreadable as unreadable:
        return RowResult(line, typed, Outcome.INVALID, str(unreadable))
    except UserError:
        return RowResult(line, typed, Outcome.INVALID, "NUMBER")
    if number in seen:
        return RowResult(line, typed, Outcome.ALREADY)
    seen.add(number)
    try:
        made = services.claim(
            person=person,
            customer_id=customer_id,
            account_id=number // 100,
            role=role,
            is_beneficiary=is_beneficiary,
            start_date=start_date,
            evidence=Evidence.AUTHORITY,
            via=Via.FILE,
            terms_version=terms_version,
            language=language,
            once_key=None,
            now=now,
        )
    except ClaimRefused as refused:
        return _refused(line, typed, refused.reason)
    except (FormRefused, RequestRefused):
        return RowResult(line, typed, Outcome.INVALID, "FORM")
    return RowResult(line, typed, Outcome.CLAIMED, reference=made.request.reference)


def _refused(line: int, typed: str, reason: str) -> RowResult:
    if reason in ("HELD", "OPEN"):
        return RowResult(line, typed, Outcome.ALREADY)
    if reason in ("EVIDENCE", "UNKNOWN"):
        return RowResult(line, typed, Outcome.EVIDENCE)
    return RowResult(line, typed, Outcome.INVALID, reason)


class _Unreadable(Exception):
    """The argument is the reason."""


def _values(row: Mapping[str, Any], today: dt.date) -> tuple[ClaimRole, dt.date, bool]:
    role = _ROLES.get(_text(row.get("role")).upper() or "OWNER")
    if role is None:
        raise _Unreadable("ROLE")
    word = _text(row.get("is_beneficiary")).upper()
    if word not in (*_YES, *_NO):
        raise _Unreadable("YES_NO")
    return role, _date(row.get("start_date"), today), word in _YES


def _date(raw: Any, today: dt.date) -> dt.date:
    if isinstance(raw, dt.datetime):
        return raw.date()
    if isinstance(raw, dt.date):
        return raw
    text = _text(raw)
    if not text:
        return today
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise _Unreadable("DATE") from None


def _text(raw: Any) -> str:
    """A cell as text: spreadsheets keep numbers as floats, 10000000165.0. Without the zero that no text holds."""
    if raw is None:
        return ""
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    return str(raw).replace("\0", "").strip()


def _rows(name: str, data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line, cells by heading) of each row that is not empty. ClaimRefused FILE."""
    if len(data) > MOST_BYTES:
        raise ClaimRefused("FILE", f"The file is larger than {MOST_BYTES // 1024**2} MB.")
    lines = _sheet(data) if name.lower().endswith(".xlsx") or data[:2] == b"PK" else _comma_lines(data)
    headings = [_text(cell).lower() for cell in next(lines, ())]
    if "account_number" not in headings:
        raise ClaimRefused("FILE", f"The first row names the columns: {', '.join(COLUMNS)}.")
    count = 0
    for line, cells in enumerate(lines, start=2):
        row = dict(zip(headings, cells, strict=False))
        if not any(_text(value) for value in row.values()):
            continue
        count += 1
        if count > MOST_ROWS:
            raise ClaimRefused("FILE", f"The file has more than {MOST_ROWS:,} rows. Send it in parts.")
        yield line, row


def _comma_lines(data: bytes) -> Iterator[Sequence[Any]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ClaimRefused(
            "FILE", "The file is neither XLSX nor CSV in UTF-8. Save it again as one."
        ) from None
    first = text.partition("\n")[0]
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",")
    except csv.Error:
        raise ClaimRefused(
            "FILE", "The file is no table of commas and lines. Save it again as CSV."
        ) from None


def _sheet(data: bytes) -> Iterator[Sequence[Any]]:
    """The first sheet's rows. What would unpack to far more than a table is not opened at all."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(part.file_size for part in packed.infolist()) > _MOST_UNPACKED:
                raise ClaimRefused("FILE", "The spreadsheet is too large. Keep the four columns only.")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        yield from book.worksheets[0].iter_rows(values_only=True, max_col=_MOST_COLUMNS)
    except ClaimRefused:
        raise
    except Exception as error:  # a broken spreadsheet fails in as many ways as there are parts
        raise ClaimRefused("FILE", "The spreadsheet cannot be read. Save it again as XLSX or CSV.") from error
