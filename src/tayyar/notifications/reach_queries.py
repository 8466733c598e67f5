"""Whom a period's bills reached, by what evidence and at which price, and who was not reached; one page of truth.

Every bill, one per (period, ref), is counted once and stands in one Standing, so that the figures add up. Set-based
reads of one month's partitions; never writes. Next: the console's reach page and `tayyar reach` put it into words.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from django.db import connection, transaction

from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Channel
from tayyar.metering.models import ServiceCentre
from tayyar.notifications.kinds import BILL_KINDS
from tayyar.notifications.models import MessageState, ReachHow, Snapshot
from tayyar.notifications.people import local_zone
from tayyar.notifications.snapshots import snapshot

FETCHED_AT_ONCE = 2000


class Standing(StrEnum):
    """Where one bill stands on its way to a person."""

    REACHED = "REACHED"  # there is evidence
    UNDER_WAY = "UNDER_WAY"  # the plan goes on
    BY_HAND = "BY_HAND"  # no provider could: it waits for a call, or on paper for its handing over
    AT_END = "AT_END"  # the plan is at its end without evidence
    PARKED = "PARKED"  # a person must look
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One step of the plan through one channel (numbered from 1): bills whose plan stands or ended there."""

    step: int
    channel: str
    standings: Mapping[str, int]

    @property
    def bills(self) -> int:
        """All of them."""
        return sum(self.standings.values())


@dataclass(frozen=True, slots=True)
class TriedFigures:
    """Bills not reached: where they stand, and the last thing that was tried ("" where nothing was, or goes on)."""

    standing: str
    state: str
    channel: str
    reason: str
    bills: int


@dataclass(frozen=True, slots=True)
class CentreFigures:
    """The bills of one service centre; `code` "" for accounts without an agreement."""

    code: str
    standings: Mapping[str, int]

    @property
    def bills(self) -> int:
        """All of them."""
        return sum(self.standings.values())

    @property
    def unreached(self) -> int:
        """Those for which no provider does more, and nothing proves that they arrived."""
        return sum(self.standings.get(standing, 0) for standing in UNREACHED)


@dataclass(frozen=True, slots=True)
class CostFigures:
    """What one provider (or people, "") did through one channel: attempts, what it charges for, and its price."""

    channel: str
    provider: str
    attempts: int
    segments: int
    cost_micro: int


@dataclass(frozen=True, slots=True)
class ReachSummary:
    """The reach of one period's bills, of all centres or of one.

    bills = sum of `standings` = sum of `steps` = sum of `centres`; reached = sum of `hows` = of `channels` ("" where
    no channel of ours was the way) = of `hours` (local, "2026-11-28T09"); the others are those of `tried`.
    `merged`: so many of the bills were told in another bill's message and stand where that one does.
    """

    period: str
    centre: str
    released_at: str  # ISO 8601, local; "" before the release
    standings: Mapping[str, int]
    merged: int
    hows: Mapping[str, int]
    channels: Mapping[str, int]
    hours: Mapping[str, int]
    steps: tuple[StepFigures, ...]
    tried: tuple[TriedFigures, ...]
    centres: tuple[CentreFigures, ...]
    costs: tuple[CostFigures, ...]

    @property
    def bills(self) -> int:
        """All bills."""
        return sum(self.standings.values())

    @property
    def reached(self) -> int:
        """Bills for which there is evidence."""
        return self.standings[Standing.REACHED]

    def as_json(self) -> dict[str, Any]:
        """As it is stored and printed."""
        return {"bills": self.bills, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ReachSummary":
        """The summary that `as_json` wrote."""
        kinds: dict[str, Any] = {
            "steps": StepFigures,
            "tried": TriedFigures,
            "centres": CentreFigures,
            "costs": CostFigures,
        }
        fields = {field.name: data[field.name] for field in dataclasses.fields(cls)}
        return cls(
            **fields | {name: tuple(kind(**row) for row in data[name]) for name, kind in kinds.items()}
        )


@dataclass(frozen=True, slots=True)
class UnreachedBill:
    """One bill that reached nobody, and what was tried: "SMS FAILED NO_SUCH_NUMBER; EMAIL EXPIRED"."""

    account_number: int
    centre: str
    bill_number: int
    standing: str
    state: str
    tried: str


UNREACHED = (Standing.BY_HAND, Standing.AT_END, Standing.PARKED, Standing.CANCELLED)


def find_centre(code: str) -> ServiceCentre:
    """The service centre of that code; UserError names those there are."""
    found = ServiceCentre.objects.filter(code=code).first()
    if found is None:
        known = ", ".join(ServiceCentre.objects.order_by("code").values_list("code", flat=True)[:20])
        raise UserError(f"There is no service centre {code!r}. There are: {known or 'none yet'}.")
    return found


def latest_reach(
    period: Period, *, centre: str | None = None, now: dt.datetime
) -> tuple[ReachSummary, Snapshot]:
    """`reach_summary` for a screen: from the snapshot, counted anew when that is too old; and how old it is."""
    kept = snapshot(
        period=period,
        name=f"reach:{centre}" if centre else "reach",
        count=lambda: reach_summary(period, centre=centre).as_json(),
        now=now,
    )
    return ReachSummary.from_json(kept.data), kept


def standings(period: Period) -> dict[str, int]:
    """All bills of the period by Standing, every one also with 0; the cheapest true answer."""
    found = dict.fromkeys(map(str, Standing), 0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FOR_COUNTING)
        for part in (_PLAIN, _MERGED):
            cursor.execute(
                f"{_bill(None, part)} SELECT standing, count(*) FROM bill GROUP BY standing",
                _parameters(period, None),
            )
            for standing, bills in cursor.fetchall():
                found[standing] += bills
    return found


def reach_summary(period: Period, *, centre: str | None = None) -> ReachSummary:
    """Count the period's bills anew. UserError when the period has no messages about bills, or no such centre is known.

    Reads the month's messages, evidence and attempts a few times: seconds for millions of bills.
    """
    parameters = _parameters(period, centre)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FOR_COUNTING)
        cube = []
        for part in (_PLAIN, _MERGED):
            cursor.execute(_CUBE.format(bill=_bill(centre, part)), parameters)
            cube += [_Cell(*row) for row in cursor.fetchall()]
        if not cube and centre is None:
            raise UserError(
                f"Nothing was to be told about bills of {period}. Run it first: tayyar billrun {period}"
            )
        cursor.execute(_TRIED.format(bill=_bill(centre)), parameters)
        tried = [
            TriedFigures(standing, MessageState(state).name, _channel(channel), reason, bills)
            for standing, state, channel, reason, bills in cursor.fetchall()
        ]
        cursor.execute(_COSTS.format(only=_only(centre, table="d")), parameters)
        costs = [
            CostFigures(_channel(channel), provider, attempts, segments, cost_micro)
            for channel, provider, attempts, segments, cost_micro in cursor.fetchall()
        ]
        cursor.execute(_RELEASED, parameters)
        released_at = cursor.fetchone()[0]
    zone, codes = local_zone(), dict(ServiceCentre.objects.values_list("pk", "code"))
    reached = [cell for cell in cube if cell.standing == Standing.REACHED]
    going_on = _added(
        (cell for cell in cube if cell.standing == Standing.UNDER_WAY),
        lambda cell: MessageState(cell.state).name,
    )
    tried += [TriedFigures(str(Standing.UNDER_WAY), state, "", "", n) for state, n in going_on.items()]
    return ReachSummary(
        period=str(period),
        centre=centre or "",
        released_at=released_at.astimezone(zone).isoformat() if released_at else "",
        standings=dict.fromkeys(map(str, Standing), 0) | _added(cube, lambda cell: cell.standing),
        merged=sum(cell.bills for cell in cube if cell.is_merged),
        hows=_added(reached, lambda cell: ReachHow(cell.how).name),
        channels=_added(reached, lambda cell: _channel(cell.reach_channel)),
        hours=dict(
            sorted(_added(reached, lambda cell: f"{cell.half_hour.astimezone(zone):%Y-%m-%dT%H}").items())
        ),
        steps=tuple(
            StepFigures(step + 1, _channel(channel), found)
            for (step, channel), found in sorted(_by_standing(cube, lambda c: (c.step, c.channel)).items())
        ),
        tried=tuple(
            sorted(tried, key=lambda row: (-row.bills, row.standing, row.state, row.channel, row.reason))
        ),
        centres=tuple(
            CentreFigures(code, found)
            for code, found in sorted(
                _by_standing(cube, lambda cell: codes.get(cell.service_centre_id, "")).items()
            )
        ),
        costs=tuple(costs),
    )


def unreached(period: Period, *, centre: str | None = None) -> Iterator[UnreachedBill]:
    """Every bill that reached nobody and for which no provider does more, by centre and account. Streamed: a cursor in
    the server, so memory does not grow with the list."""
    parameters = _parameters(period, centre)
    with connection.chunked_cursor() as cursor:
        cursor.execute(_UNREACHED_LIST.format(bill=_bill(centre)), parameters)
        while rows := cursor.fetchmany(FETCHED_AT_ONCE):
            for account_id, code, ref, standing, state, tried in rows:
                attempts = [
                    " ".join(filter(None, (_channel(channel), MessageState(attempt_state).name, reason)))
                    for channel, attempt_state, reason in tried or ()
                ]
                yield UnreachedBill(
                    account_number=with_check(account_id),
                    centre=code,
                    bill_number=ref,
                    standing=standing,
                    state=MessageState(state).name,
                    tried="; ".join(attempts),
                )


# ------------------------------------------------------------------------------------------------- from rows to words


def _channel(number: int | None) -> str:
    return "" if number is None else Channel(number).name


class _Cell(NamedTuple):
    """So many bills are alike in all these."""

    is_merged: bool
    standing: str
    how: Any
    reach_channel: Any
    step: int
    channel: int
    state: int
    half_hour: Any
    service_centre_id: Any
    bills: int


def _added(cells: Iterable[_Cell], key: Callable[[_Cell], str]) -> dict[str, int]:
    """The bills of cells that are alike in `key`."""
    found: dict[str, int] = {}
    for cell in cells:
        name = key(cell)
        found[name] = found.get(name, 0) + cell.bills
    return found


def _by_standing(cells: Iterable[_Cell], key: Callable[[_Cell], Any]) -> dict[Any, dict[str, int]]:
    """The same, by standing."""
    found: dict[Any, dict[str, int]] = {}
    for cell in cells:
        row = found.setdefault(key(cell), {})
        row[cell.standing] = row.get(cell.standing, 0) + cell.bills
    return found


# ---------------------------------------------------------------------------------------------------------- statements


def _parameters(period: Period, centre: str | None) -> dict[str, Any]:
    return {
        "period": period.number,
        "start": period.start,
        "end": period.end,
        "centre": find_centre(centre).pk if centre else None,
        "kinds": [kind.value for kind in BILL_KINDS],
        "unreached": list(map(str, UNREACHED)),
    }


# One session counts at a time (snapshots.py), so it may join a month in memory. The groups are few, which the planner
# cannot know: it would sort millions of rows to group them.
_FOR_COUNTING = "SET LOCAL work_mem = '128MB'; SET LOCAL enable_sort = off; SET LOCAL jit = off"

# The account's service centre in the period: that of its agreement valid then, the newest where there are several,
# else of the one before. One row per account: that agreement to which no other of the account is to be preferred.
_RANK = "({0}.end_date IS NULL OR {0}.end_date > %(start)s, {0}.start_date, {0}.id)"
_HOMES = f"""
    SELECT g.account_id, u.service_centre_id
      FROM customers_agreement g JOIN metering_usagepoint u ON u.id = g.usage_point_id
     WHERE g.start_date < %(end)s
       AND NOT EXISTS (SELECT FROM customers_agreement b
                        WHERE b.account_id = g.account_id AND b.id <> g.id AND b.start_date < %(end)s
                          AND {_RANK.format("b")} > {_RANK.format("g")})
"""

# Where the plan of a message without evidence stands. SENT and more with `next_at`: the plan waits for evidence.
_STANDING = """
    CASE WHEN how IS NOT NULL THEN 'REACHED'
         WHEN state = 11 THEN 'PARKED'
         WHEN state = 9 THEN 'CANCELLED'
         WHEN channel IN (4, 5) AND state IN (0, 1, 8) THEN 'BY_HAND'
         WHEN state IN (0, 1, 7, 8) OR state IN (2, 3, 4) AND next_at IS NOT NULL THEN 'UNDER_WAY'
         ELSE 'AT_END' END
"""

# One row per bill. A MERGED bill is told by its lead: the first message of the same kind to the same customer that was
# neither merged nor, if there is another, cancelled.
# Counted one after the other where both are: only the plain ones, nearly all, can be read by several processes.
# OFFSET 0: few bills have a message of the second kind, so each is looked up, and not all of the first kind hashed.
# `told_ref` is the message that stands for it; evidence of its own comes before its lead's.
_PLAIN = """
    SELECT false, m.kind, m.ref, m.account_id, m.ref, m.state, m.next_at, m.step, m.channel, r.how, r.channel,
           r.reached_at
      FROM notifications_message m
      LEFT JOIN notifications_reach r ON r.period = %(period)s AND r.ref = m.ref
     WHERE m.period = %(period)s AND m.kind = ANY(%(kinds)s) AND m.recipient = 0 AND m.state <> 10
       AND (m.kind = 1 OR NOT EXISTS (SELECT FROM notifications_message o
                                       WHERE o.period = %(period)s AND o.kind = 1 AND o.ref = m.ref
                                         AND o.recipient = 0 OFFSET 0)) {only}
"""
_MERGED = """
    SELECT true, m.kind, m.ref, m.account_id, coalesce(l.ref, m.ref), coalesce(l.state, 10::smallint), l.next_at,
           coalesce(l.step, m.step), coalesce(l.channel, m.channel), r.how, r.channel, r.reached_at
      FROM notifications_message m
      JOIN customers_customeraccount a ON a.id = m.account_id
      LEFT JOIN LATERAL (
               SELECT l.ref, l.state, l.next_at, l.step, l.channel
                 FROM customers_customeraccount b
                 JOIN notifications_message l ON l.period = %(period)s AND l.account_id = b.id
                WHERE b.customer_id = a.customer_id AND l.kind = m.kind AND l.recipient = 0 AND l.state <> 10
                ORDER BY l.state = 9, l.ref LIMIT 1) l ON true
      LEFT JOIN LATERAL (
               SELECT how, channel, reached_at FROM notifications_reach
                WHERE period = %(period)s AND ref IN (m.ref, l.ref)
                ORDER BY ref = m.ref DESC LIMIT 1) r ON true
     WHERE m.period = %(period)s AND m.kind = ANY(%(kinds)s) AND m.recipient = 0 AND m.state = 10
       AND (m.kind = 1 OR NOT EXISTS (SELECT FROM notifications_message o
                                       WHERE o.period = %(period)s AND o.kind = 1 AND o.ref = m.ref
                                         AND o.recipient = 0 OFFSET 0)) {only}
"""
_AT_HOME = "AND {table}.account_id IN (SELECT account_id FROM home WHERE service_centre_id = %(centre)s)"


def _only(centre: str | None, *, table: str) -> str:
    return _AT_HOME.format(table=table) if centre else ""


def _bill(centre: str | None, *parts: str) -> str:
    """The WITH list that ends with `bill`, of `parts` (both, unless named): of all centres, or of one. Where nothing
    reads `home` it costs nothing."""
    only = _only(centre, table="m")
    told = "UNION ALL".join(part.format(only=only) for part in parts or (_PLAIN, _MERGED))
    return f"""
        WITH home AS ({_HOMES}),
             told (is_merged, kind, ref, account_id, told_ref, state, next_at, step, channel, how, reach_channel,
                   reached_at) AS ({told}),
             bill AS (SELECT *, {_STANDING} AS standing FROM told)
    """


# Half hours, so that they can be added up to the local hours of any zone.
_CUBE_COLUMNS = ", ".join(_Cell._fields[:-1])
_CUBE = f"""{{bill}}
    SELECT {_CUBE_COLUMNS}, count(*)
      FROM (SELECT bill.*, home.service_centre_id,
                   date_bin('30 minutes', reached_at, timestamptz '2000-01-01 00:00+00') AS half_hour
              FROM bill LEFT JOIN home ON home.account_id = bill.account_id) placed
     GROUP BY {_CUBE_COLUMNS}
"""

# Of the bills for which no provider does more: the last attempt.
_TRIED = """{bill}
    SELECT standing, state, d.channel, coalesce(d.reason, ''), count(*)
      FROM bill b LEFT JOIN LATERAL (
               SELECT d.channel, d.reason FROM notifications_delivery d
                WHERE d.period = %(period)s AND d.kind = b.kind AND d.ref = b.told_ref AND d.recipient = 0
                ORDER BY d.claimed_at DESC, d.attempt DESC LIMIT 1) d ON true
     WHERE b.standing = ANY(%(unreached)s)
     GROUP BY 1, 2, 3, 4
"""

# Of everybody told about the bills, delegates too: their messages cost the same.
_COSTS = f"""
    WITH home AS ({_HOMES})
    SELECT f.channel, coalesce(p.code, ''), f.attempts, f.segments, f.cost_micro
      FROM (SELECT d.channel, d.provider, count(*) AS attempts, sum(d.segments)::bigint AS segments,
                   sum(d.cost_micro)::bigint AS cost_micro
              FROM notifications_delivery d
             WHERE d.period = %(period)s AND d.kind = ANY(%(kinds)s) {{only}}
             GROUP BY d.channel, d.provider) f
      LEFT JOIN notifications_provider p ON p.number = f.provider
     ORDER BY f.channel, 2
"""

_RELEASED = """
    SELECT min(released_at) FROM notifications_messagebatch WHERE period = %(period)s AND kind = ANY(%(kinds)s)
"""

_UNREACHED_LIST = """{bill}
    SELECT b.account_id, coalesce(c.code, ''), b.ref, b.standing, b.state, d.tried
      FROM bill b
      LEFT JOIN home ON home.account_id = b.account_id
      LEFT JOIN metering_servicecentre c ON c.id = home.service_centre_id
      LEFT JOIN LATERAL (
               SELECT json_agg(json_build_array(d.channel, d.state, d.reason) ORDER BY d.claimed_at, d.attempt) AS tried
                 FROM notifications_delivery d
                WHERE d.period = %(period)s AND d.kind = b.kind AND d.ref = b.told_ref AND d.recipient = 0) d ON true
     WHERE b.standing = ANY(%(unreached)s)
     ORDER BY 2, b.account_id, b.ref
"""
