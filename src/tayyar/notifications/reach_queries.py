"""Whom a period's bills reached, by what evidence and at which price, and who was not reached; one page of truth.

Every bill, one per (period, ref), is counted once and stands in one Standing, so that the figures add up. Set-based
reads of one month's partitions; never writes. Next: the console's reach page and `tayyar reach` put it into words.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import connection

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
        """Those for which nothing more is under way and nothing proves that they arrived."""
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


UNREACHED = (Standing.AT_END, Standing.PARKED, Standing.CANCELLED)


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
    with connection.cursor() as cursor:
        cursor.execute(
            _bill(None) + "SELECT standing, count(*) FROM bill GROUP BY standing", _parameters(period, None)
        )
        return found | dict(cursor.fetchall())


def reach_summary(period: Period, *, centre: str | None = None) -> ReachSummary:
    """Count the period's bills anew. UserError when the period has no messages about bills, or no such centre is known.

    Reads the month's messages, evidence and attempts a few times: seconds for millions of bills.
    """
    parameters = _parameters(period, centre)
    with connection.cursor() as cursor:
        cursor.execute(_CUBE.format(bill=_bill(centre)), parameters)
        cube = cursor.fetchall()
        if not cube and centre is None:
            raise UserError(
                f"Nothing was to be told about bills of {period}. Run it first: tayyar billrun {period}"
            )
        cursor.execute(_TRIED.format(bill=_bill(centre)), parameters)
        tried = [
            TriedFigures(standing, MessageState(state).name, _channel(channel), reason, bills)
            for standing, state, channel, reason, bills in cursor.fetchall()
        ]
        cursor.execute(_CENTRES.format(bill=_bill(centre)), parameters)
        centres: dict[str, dict[str, int]] = {}
        for code, standing, bills in cursor.fetchall():
            centres.setdefault(code, {})[standing] = bills
        cursor.execute(_COSTS.format(only=_only(centre, table="d")), parameters)
        costs = [
            CostFigures(_channel(channel), provider, attempts, segments, cost_micro)
            for channel, provider, attempts, segments, cost_micro in cursor.fetchall()
        ]
        cursor.execute(_RELEASED, parameters)
        released_at = cursor.fetchone()[0]
    return ReachSummary(
        period=str(period),
        centre=centre or "",
        released_at=released_at.astimezone(local_zone()).isoformat() if released_at else "",
        standings=dict.fromkeys(map(str, Standing), 0) | _added(cube, "standing"),
        merged=sum(row[-1] for row in cube if row[0]),
        hows={ReachHow(how).name: bills for how, bills in _added(cube, "how").items() if how is not None},
        channels={
            _channel(channel): bills
            for channel, bills in _added(
                [row for row in cube if row[_CUBE_COLUMNS.index("how")] is not None], "reach_channel"
            ).items()
        },
        hours={
            f"{hour:%Y-%m-%dT%H}": bills
            for hour, bills in sorted(
                (hour, bills) for hour, bills in _added(cube, "hour").items() if hour is not None
            )
        },
        steps=_steps(cube),
        tried=tuple(tried),
        centres=tuple(CentreFigures(code, found) for code, found in sorted(centres.items())),
        costs=tuple(costs),
    )


def unreached(period: Period, *, centre: str | None = None) -> Iterator[UnreachedBill]:
    """Every bill that reached nobody and for which nothing is under way, by centre and account. Streamed: a cursor in
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


def _added(cube: list[tuple[Any, ...]], column: str) -> dict[Any, int]:
    """The cube's counts by one of its columns."""
    at, found = _CUBE_COLUMNS.index(column), dict[Any, int]()
    for row in cube:
        found[row[at]] = found.get(row[at], 0) + row[-1]
    return found


def _steps(cube: list[tuple[Any, ...]]) -> tuple[StepFigures, ...]:
    """The funnel: for every step and channel of the plans, how many bills stand there and how."""
    found: dict[tuple[int, int], dict[str, int]] = {}
    for _, standing, _, _, step, channel, _, bills in cube:
        row = found.setdefault((step, channel), {})
        row[standing] = row.get(standing, 0) + bills
    return tuple(
        StepFigures(step + 1, _channel(channel), standings)
        for (step, channel), standings in sorted(found.items())
    )


# ---------------------------------------------------------------------------------------------------------- statements


def _parameters(period: Period, centre: str | None) -> dict[str, Any]:
    return {
        "period": period.number,
        "start": period.start,
        "end": period.end,
        "centre": find_centre(centre).pk if centre else None,
        "zone": str(local_zone()),
        "kinds": [kind.value for kind in BILL_KINDS],
        "unreached": list(map(str, UNREACHED)),
    }


# The account's service centre in the period: that of its agreement valid then, the newest where there are several,
# else of the one before. One row per account.
_HOMES = """
    SELECT DISTINCT ON (g.account_id) g.account_id, u.service_centre_id
      FROM customers_agreement g JOIN metering_usagepoint u ON u.id = g.usage_point_id
     WHERE g.start_date < %(end)s
     ORDER BY g.account_id, (g.end_date IS NULL OR g.end_date > %(start)s) DESC, g.start_date DESC, g.id
"""

# Where the plan of a message without evidence stands. SENT and more with `next_at`: the plan waits for evidence.
_STANDING = """
    CASE WHEN how IS NOT NULL THEN 'REACHED'
         WHEN state = 11 THEN 'PARKED'
         WHEN state = 9 THEN 'CANCELLED'
         WHEN state IN (0, 1, 7, 8) OR state IN (2, 3, 4) AND next_at IS NOT NULL THEN 'UNDER_WAY'
         ELSE 'AT_END' END
"""

# One row per bill. A MERGED bill is told by its lead: the first message of the same kind to the same customer that was
# neither merged nor, if there is another, cancelled.
# `told_ref` is the message that stands for it; evidence of its own comes before its lead's.
_BILL_BODY = f"""
    told AS (
        SELECT false AS is_merged, m.kind, m.ref, m.account_id, m.ref AS told_ref, m.state, m.next_at, m.step,
               m.channel, r.how, r.channel AS reach_channel, r.reached_at
          FROM notifications_message m
          LEFT JOIN notifications_reach r ON r.period = %(period)s AND r.ref = m.ref
         WHERE m.period = %(period)s AND m.kind = ANY(%(kinds)s) AND m.recipient = 0 AND m.state <> 10
           AND (m.kind = 1 OR NOT EXISTS (SELECT FROM notifications_message o
                                           WHERE o.period = %(period)s AND o.kind = 1 AND o.ref = m.ref
                                             AND o.recipient = 0)) {{only}}
        UNION ALL
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
                                             AND o.recipient = 0)) {{only}}
    ), bill AS (SELECT *, {_STANDING} AS standing FROM told)
"""

_AT_HOME = "AND {table}.account_id IN (SELECT account_id FROM home WHERE service_centre_id = %(centre)s)"


def _only(centre: str | None, *, table: str) -> str:
    return _AT_HOME.format(table=table) if centre else ""


def _bill(centre: str | None) -> str:
    """The WITH list that ends with `bill`: of all centres, or of one. Where nothing reads `home` it costs nothing."""
    return f"WITH home AS ({_HOMES}), " + _BILL_BODY.format(only=_only(centre, table="m"))


_CUBE_COLUMNS = ("is_merged", "standing", "how", "reach_channel", "step", "channel", "hour")
_CUBE = """{bill}
    SELECT is_merged, standing, how, reach_channel, step, channel,
           date_trunc('hour', reached_at AT TIME ZONE %(zone)s) AS hour, count(*)
      FROM bill GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

_TRIED = """{bill}
    SELECT standing, state, d.channel, coalesce(d.reason, ''), count(*)
      FROM bill b LEFT JOIN LATERAL (
               SELECT d.channel, d.reason FROM notifications_delivery d
                WHERE b.standing = ANY(%(unreached)s) AND d.period = %(period)s AND d.kind = b.kind
                  AND d.ref = b.told_ref AND d.recipient = 0
                ORDER BY d.claimed_at DESC, d.attempt DESC LIMIT 1) d ON true
     WHERE b.standing <> 'REACHED'
     GROUP BY 1, 2, 3, 4 ORDER BY count(*) DESC, 1, 2, 3, 4
"""

_CENTRES = """{bill}
    SELECT coalesce(c.code, ''), f.standing, f.bills
      FROM (SELECT home.service_centre_id, standing, count(*) AS bills
              FROM bill LEFT JOIN home ON home.account_id = bill.account_id
             GROUP BY home.service_centre_id, standing) f
      LEFT JOIN metering_servicecentre c ON c.id = f.service_centre_id
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
