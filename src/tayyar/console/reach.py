"""The reach page of a period's bills: whom they reached, hour by hour, who was not reached, at which price.

Figures come from a snapshot that all readers share; lists are streamed, and who took them is recorded.
Next: notifications/reach_queries.py counts.
"""

import csv
import datetime as dt
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from tayyar.console import charts
from tayyar.console.delivery import stacked, standing_context
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock, text
from tayyar.core.periods import Period
from tayyar.metering.models import ServiceCentre
from tayyar.notifications import history_queries, reach_queries
from tayyar.notifications.reach_queries import ReachSummary, Standing

HOURS_SHOWN = 72
CENTRES_SHOWN = 12
TRIED_SHOWN = 15


@require_safe
@staff()
def reach(screen: Screen, period: str) -> HttpResponse:
    """The funnel, the evidence, the hours, the unreached, the cost; of all service centres or of one."""
    wanted, code = Period.parse(period), screen.request.GET.get("centre", "")
    centres = {
        centre.code: str(getattr(centre, f"name_{screen.lang}")) for centre in ServiceCentre.objects.all()
    }
    found, kept = reach_queries.latest_reach(wanted, centre=code or None, now=clock.now())
    since = _month_begins(screen, wanted)
    marked = history_queries.marked_counts(since=since, today=clock.today())
    context = {
        "title": screen.say("reach_title", month=screen.month(wanted)),
        "period": str(wanted),
        "centre": code,
        "centres": sorted(centres.items(), key=lambda item: item[1]),
        "as_of": screen.say("as_of", moment=screen.moment(kept.computed_at)),
        **standing_context(screen, found.standings, found.merged),
        "steps": _steps(screen, found),
        "hows": _shares(screen, {screen.words[f"how_{how}"]: count for how, count in found.hows.items()}),
        "through": _shares(
            screen,
            {screen.words[f"channel_{name or 'none'}"]: count for name, count in found.channels.items()},
        ),
        "hours": _hours(screen, found),
        "unreached": _unreached(screen, found, centres),
        "tried": _tried(screen, found),
        "costs": _costs(screen, found),
        "marked_since": screen.say("marked_since", day=screen.day(wanted.start)),
        "marked_sum": screen.say(
            "marked_sum", count=screen.num(sum(count for at, _, _, count in marked if code in ("", at)))
        ),
        "marked": [
            {
                "centre": centres.get(at, screen.words["no_centre"]),
                "channel": screen.words[f"channel_{channel}"],
                "mark": screen.words[f"mark_{mark}"],
                "count": screen.num(count),
            }
            for at, channel, mark, count in marked
            if code in ("", at)
        ],
    }
    return screen.page("console/reach.html", context)


@require_safe
@staff()
def unreached_csv(screen: Screen, period: str) -> HttpResponse:
    """Who was not reached, what was tried: a file of accounts and bills, without addresses."""
    wanted, code = Period.parse(period), screen.request.GET.get("centre", "") or None
    if code:
        reach_queries.find_centre(code)  # before the answer begins
    _note(screen, "UNREACHED_READ", wanted, code)
    header = ("account_number", "service_centre", "bill_number", "standing", "state", "tried")
    rows = (
        (bill.account_number, bill.centre, bill.bill_number, bill.standing, bill.state, bill.tried)
        for bill in reach_queries.unreached(wanted, centre=code)
    )
    return _csv(screen, header, rows, f"unreached-{wanted}{'-' + code if code else ''}.csv")


@require_safe
@staff()
def marked_csv(screen: Screen, period: str) -> HttpResponse:
    """Contact points marked since the month began: what a campaign asks people to correct."""
    wanted, code = Period.parse(period), screen.request.GET.get("centre", "") or None
    if code:
        reach_queries.find_centre(code)
    _note(screen, "MARKED_CONTACTS_READ", wanted, code)
    header = ("account_number", "recipient", "service_centre", "channel", "mark", "marked_at", "address")
    rows = (
        (c.account_number, c.recipient, c.centre, c.channel, c.mark, c.marked_at.isoformat(), c.address)
        for c in history_queries.marked_contacts(
            since=_month_begins(screen, wanted), today=clock.today(), centre=code
        )
    )
    return _csv(screen, header, rows, f"marked-contacts-{wanted}{'-' + code if code else ''}.csv")


# ------------------------------------------------------------------------------------------------------------ contexts


def _note(screen: Screen, action: str, period: Period, centre: str | None) -> None:
    audit.record(
        actor=screen.actor, action=action, subject=f"run:{period}", now=clock.now(), centre=centre or ""
    )


def _month_begins(screen: Screen, period: Period) -> dt.datetime:
    return dt.datetime.combine(period.start, dt.time(), zoneinfo.ZoneInfo(screen.profile.timezone))


class _Line:
    """What csv.writer writes into: hands each line back."""

    def write(self, line: str) -> str:
        return line


def _csv(screen: Screen, header: Iterable[str], rows: Iterable[Iterable[Any]], name: str) -> HttpResponse:
    """A file that is sent while it is read. It begins with a byte order mark: spreadsheets then read Arabic right."""
    writer = csv.writer(cast(Any, _Line()))

    def lines() -> Iterator[str]:
        yield "\ufeff" + writer.writerow(header)
        for row in rows:
            yield writer.writerow(row)

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return screen.seal(cast(HttpResponse, response))


def _bar(screen: Screen, count: int, most: int) -> SafeString:
    return mark_safe(charts.share_svg(count, most, rtl=screen.rtl))  # noqa: S308 - numbers only


def _shares(screen: Screen, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    most = max(counts.values(), default=0)
    return [
        {"text": name, "count": screen.num(count), "bar": _bar(screen, count, most)}
        for name, count in sorted(counts.items(), key=lambda item: -item[1])
    ]


def _steps(screen: Screen, found: ReachSummary) -> list[dict[str, Any]]:
    most = max((row.bills for row in found.steps), default=0)
    rows = []
    for row in found.steps:
        name = screen.words["funnel_step"].format(
            step=screen.plain(row.step), channel=screen.words[f"channel_{row.channel}"]
        )
        parts = [
            (str(standing), screen.words[f"standing_{standing}"], row.standings.get(standing, 0))
            for standing in Standing
        ]
        rows.append(
            {
                "name": name,
                "total": screen.num(row.bills),
                "bar": stacked(screen, parts, most, name=name),
                "parts": [{"text": word, "count": screen.num(count)} for _, word, count in parts if count],
            }
        )
    return rows


def _hours(screen: Screen, found: ReachSummary) -> dict[str, Any]:
    """Every hour from the first on, also those in which nothing arrived; the table has those with something."""
    if not found.hours:
        return {}
    first = dt.datetime.fromisoformat(f"{min(found.hours)}:00")
    last = dt.datetime.fromisoformat(f"{max(found.hours)}:00")
    count = min((last - first) // dt.timedelta(hours=1) + 1, HOURS_SHOWN)
    moments = [first + dt.timedelta(hours=index) for index in range(count)]
    counts = [found.hours.get(f"{moment:%Y-%m-%dT%H}", 0) for moment in moments]
    later = sum(found.hours.values()) - sum(counts)
    most = max(range(count), key=lambda index: counts[index])

    def hour(moment: dt.datetime) -> SafeString:
        clock_text = text.localise_digits(f"{moment:%H:%M}", screen.lang, screen.formats.digits)
        return format_html('{} <bdi dir="ltr">{}</bdi>', screen.day(moment.date()), clock_text)

    alt = screen.words["hours_alt"].format(
        most=screen.plain(counts[most]), hour=f"{screen.day(moments[most].date())} {moments[most]:%H:%M}"
    )
    return {
        "chart": mark_safe(charts.columns_svg(counts, rtl=screen.rtl, alt=alt)),  # noqa: S308 - escaped there
        "first": hour(moments[0]),
        "last": hour(moments[-1]),
        "later": screen.say("hours_later", count=screen.num(later)) if later else "",
        "rows": [
            {"hour": hour(moment), "count": screen.num(n)}
            for moment, n in zip(moments, counts, strict=True)
            if n
        ],
    }


def _unreached(screen: Screen, found: ReachSummary, centres: Mapping[str, str]) -> dict[str, Any]:
    rows = sorted((row for row in found.centres if row.unreached), key=lambda row: (-row.unreached, row.code))
    most = rows[0].unreached if rows else 0
    return {
        "rows": [
            {
                "code": row.code,
                "name": centres.get(row.code, row.code) if row.code else screen.words["no_centre"],
                "count": screen.num(row.unreached),
                "bills": screen.num(row.bills),
                "bar": _bar(screen, row.unreached, most),
            }
            for row in rows[:CENTRES_SHOWN]
        ],
        "more": screen.say(
            "more_centres", count=screen.num(sum(row.unreached for row in rows[CENTRES_SHOWN:]))
        )
        if len(rows) > CENTRES_SHOWN
        else "",
    }


def _tried(screen: Screen, found: ReachSummary) -> list[dict[str, Any]]:
    return [
        {
            "standing": screen.words[f"standing_{row.standing}"],
            "channel": screen.words[f"channel_{row.channel}"]
            if row.channel
            else screen.words["nothing_tried"],
            "reason": screen.code(row.reason) if row.reason else "",
            "count": screen.num(row.bills),
        }
        for row in found.tried
        if row.standing in reach_queries.UNREACHED
    ][:TRIED_SHOWN]


def _costs(screen: Screen, found: ReachSummary) -> dict[str, Any]:
    total = sum(row.cost_micro for row in found.costs)
    return {
        "rows": [
            {
                "channel": screen.words[f"channel_{row.channel}"],
                "provider": screen.code(row.provider) if row.provider else screen.words["by_hand"],
                "attempts": screen.num(row.attempts),
                "segments": screen.num(row.segments),
                "cost": _money(screen, row.cost_micro),
            }
            for row in found.costs
        ],
        "total": _money(screen, total),
        "each": screen.say("cost_per_reached", cost=_money(screen, total // found.reached))
        if found.reached
        else "",
    }


def _money(screen: Screen, cost_micro: int) -> SafeString:
    """Millionths of the major unit as they are, at least the currency's decimals."""
    currency = screen.profile.currency
    decimals, value = 6, cost_micro
    while decimals > currency.minor_digits and value % 10 == 0:
        decimals, value = decimals - 1, value // 10
    return format_html(
        '<span class="money"><bdi dir="ltr">{}</bdi> <small>{}</small></span>',
        screen.plain(value, decimals=decimals),
        text.currency_word(currency, screen.lang, screen.formats),
    )
