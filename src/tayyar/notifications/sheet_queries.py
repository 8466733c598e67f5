"""Reads of sheets: what waits for people, the sheets of a period, the entries of one. Never opens an address."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.db import connection

from tayyar.core.periods import Period
from tayyar.customers.models import Channel, Language
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import MessageBatch, MessageState, Sheet
from tayyar.notifications.sheet_statements import BESIDE


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """One message on a sheet, and how it ended if it did. `is_reached`: the bill got to somebody by now.

    `number_hash` is the same for calls to one telephone number.
    """

    kind: int
    ref: int
    recipient: int
    account_id: int
    contact_point_id: int | None
    attempt: int
    state: MessageState
    reason: str
    settled_at: dt.datetime | None
    language: str
    is_reached: bool
    number_hash: bytes = b""

    @property
    def is_open(self) -> bool:
        """Whether an outcome can still be entered: on paper also after the carriers left with it."""
        return self.state in (MessageState.SENDING, MessageState.SENT)


@dataclass(frozen=True, slots=True)
class SheetCounts:
    """How far a sheet is: entries without any outcome, sent, proven, failed."""

    sending: int
    sent: int
    delivered: int
    failed: int


def periods_by_hand() -> list[Period]:
    """The months with messages that may be sent, or with a sheet; the newest first."""
    gates = MessageBatch.objects.filter(is_open=True).values_list("period", flat=True)
    sheets = Sheet.objects.values_list("period", flat=True).distinct()
    return [Period.from_number(number) for number in sorted({*gates, *sheets}, reverse=True)]


def paper_waiting(period: Period) -> dict[int, int]:
    """Bills that wait to be printed, by service centre (of the account's newest agreement)."""
    waiting: Counter[int] = Counter()
    with connection.cursor() as cursor:
        for kind in _open_kinds(period, BILL_KINDS):
            cursor.execute(
                f"""SELECT (SELECT u.service_centre_id
                              FROM customers_agreement a JOIN metering_usagepoint u ON u.id = a.usage_point_id
                             WHERE a.account_id = m.account_id
                             ORDER BY a.start_date DESC, a.id DESC LIMIT 1), count(*) {BESIDE} GROUP BY 1""",
                {"period": period.number, "kind": kind},
            )
            waiting.update(dict(cursor.fetchall()))
        cursor.execute(
            """SELECT (SELECT p.service_centre_id
                         FROM customers_agreement a JOIN metering_usagepoint p ON p.id = a.usage_point_id
                        WHERE a.account_id = m.account_id
                        ORDER BY a.start_date DESC, a.id DESC LIMIT 1) AS centre, count(*)
                 FROM notifications_message m
                WHERE m.period = %s AND m.kind = ANY(%s) AND m.channel = %s AND m.state = 0
                GROUP BY 1 ORDER BY 1""",
            [period.number, _open_kinds(period, BILL_KINDS), Channel.PAPER],
        )
        waiting.update(dict(cursor.fetchall()))
    return {centre: waiting[centre] for centre in sorted(key for key in waiting if key is not None)}


def calls_waiting(period: Period) -> int:
    """Messages that wait for somebody to telephone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM notifications_message
                WHERE period = %s AND kind = ANY(%s) AND channel = %s AND state = 0""",
            [period.number, _open_kinds(period, None), Channel.CALL],
        )
        return int(cursor.fetchone()[0])


def _open_kinds(period: Period, among: tuple[int, ...] | None) -> list[int]:
    gates = MessageBatch.objects.filter(period=period.number, is_open=True, paused_at=None, stopped_at=None)
    return [kind for kind in gates.values_list("kind", flat=True) if among is None or kind in among]


def sheets_of(period: Period) -> list[Sheet]:
    """The sheets of a month, the newest first."""
    return list(Sheet.objects.filter(period=period.number).order_by("-id"))


def counts_of(sheet: Sheet) -> SheetCounts:
    """How far a sheet is."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2),
                      count(*) FILTER (WHERE state IN (3, 4)), count(*) FILTER (WHERE state IN (5, 6))
                 FROM notifications_delivery
                WHERE period = %s AND provider_ref = %s AND provider IS NULL""",
            [sheet.period, str(sheet)],
        )
        return SheetCounts(*cursor.fetchone())


def entries_of(sheet: Sheet) -> list[SheetEntry]:
    """The entries of a sheet: calls to one number beside each other, otherwise by kind and document."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT d.kind, d.ref, d.recipient, d.account_id, d.contact_point_id, d.attempt, d.state, d.reason,
                      d.settled_at, coalesce(m.language, 1),
                      EXISTS (SELECT FROM notifications_reach r
                               WHERE r.period = d.period AND r.ref = d.ref AND r.kind = d.kind),
                      c.address_hash
                 FROM notifications_delivery d
                 LEFT JOIN notifications_message m USING (period, kind, ref, recipient)
                 LEFT JOIN customers_contactpoint c ON c.id = d.contact_point_id
                WHERE d.period = %s AND d.provider_ref = %s AND d.provider IS NULL
                ORDER BY min(d.ref) OVER (PARTITION BY c.address_hash, CASE WHEN c.id IS NULL THEN d.ref END),
                         c.address_hash, d.kind, d.ref, d.recipient""",
            [sheet.period, str(sheet)],
        )
        return [
            SheetEntry(
                kind=row[0],
                ref=row[1],
                recipient=row[2],
                account_id=row[3],
                contact_point_id=row[4],
                attempt=row[5],
                state=MessageState(row[6]),
                reason=row[7],
                settled_at=row[8],
                language=_language(row[9]),
                is_reached=row[10],
                number_hash=bytes(row[11] or b""),
            )
            for row in cursor.fetchall()
        ]


def _language(number: int) -> str:
    return Language(number).name if number in Language.values else Language.ar.name
