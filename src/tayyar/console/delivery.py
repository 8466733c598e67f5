"""The screen of a run's sending while it lasts: how far it is, how fast, what fails; pause, resume, stop.

Figures come from a snapshot that all readers share; every change is a service's, or recorded here. Next: reach.py.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.console import charts
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.customers.models import Channel
from tayyar.notifications import health, queries, reach_queries, services
from tayyar.notifications.kinds import BILL_KINDS, MessageKind
from tayyar.notifications.models import MessageState, Snapshot
from tayyar.notifications.providers import ProviderConfig, configured
from tayyar.notifications.reach_queries import Standing
from tayyar.notifications.snapshots import snapshot

POLL = "every 5s"
MOST_FAILURES = 12

# Sent and better first, so that a bar fills from the reading side; each state keeps its colour in every chart.
STATE_ORDER = (
    *(MessageState.READ, MessageState.DELIVERED, MessageState.SENT, MessageState.SENDING),
    *(MessageState.IN_DOUBT, MessageState.EXPIRED, MessageState.FAILED),
)


@require_safe
@staff()
def delivery(screen: Screen, period: str) -> HttpResponse:
    """The whole page: what staff can do, and the figures."""
    wanted = Period.parse(period)
    gates = queries.gates(wanted)
    figures = queries.provider_figures(wanted, now=clock.now())
    context = {
        "title": screen.say("delivery_title", month=screen.month(wanted)),
        "gates": [_gate(screen, gate) for gate in gates],
        "provider_switches": [
            {"code": provider.code, "shown": screen.code(provider.code), "is_paused": provider.is_paused}
            for provider in figures
        ],
        **_live(screen, wanted, gates, figures),
    }
    return screen.page("console/delivery.html", context)


@require_safe
@staff()
def delivery_live(screen: Screen, period: str) -> HttpResponse:
    """The figures alone, asked for while sending lasts. When somebody paused or stopped something, the page loads anew,
    as its buttons would be wrong."""
    wanted = Period.parse(period)
    context = _live(screen, wanted, queries.gates(wanted), queries.provider_figures(wanted, now=clock.now()))
    response = screen.page("console/delivery_live.html", context)
    if screen.request.GET.get("seen") != context["controls"]:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@staff(acting=True)
def switch(screen: Screen, period: str, kind: str, action: str) -> HttpResponse:
    """Pause or resume the sending of one kind."""
    act = services.pause_batch if action == "pause" else services.resume_batch
    act(period=Period.parse(period), kind=_kind(kind), actor=screen.actor, now=clock.now())
    messages.success(screen.request, screen.words[f"done_{action}"])
    return redirect("console:delivery", period=period)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(acting=True)
def stop(screen: Screen, period: str, kind: str) -> HttpResponse:
    """Ask once more, then call off what has not begun."""
    wanted, which = Period.parse(period), _kind(kind)
    if screen.request.method == "POST":
        services.stop_batch(period=wanted, kind=which, actor=screen.actor, now=clock.now())
        messages.success(screen.request, screen.words["done_stop"])
        return redirect("console:delivery", period=period)
    states = queries.delivery_summary(wanted, which).states
    waiting = states[MessageState.QUEUED.name] + states[MessageState.DEFERRED.name]
    what = screen.words[f"kind_{which.name}"]
    context = {
        "title": screen.say("stop_title", what=what, month=screen.month(wanted)),
        "text": screen.say("stop_text", waiting=screen.num(waiting)),
        "button": screen.words["stop"],
        "back": "console:delivery",
        "back_to": str(wanted),
    }
    return screen.page("console/confirm.html", context)


@require_POST
@staff(acting=True)
def switch_provider(screen: Screen, period: str, code: str, action: str) -> HttpResponse:
    """Use a provider no more, or again, for everything that is sent."""
    now = clock.now()
    known = {provider.code: provider for provider in queries.provider_figures(Period.parse(period), now=now)}
    if code not in known:
        raise UserError(f"There is no provider {code!r}. There are: {', '.join(known) or 'none yet'}.")
    with transaction.atomic():
        health.set_paused(number=known[code].number, is_paused=action == "pause")
        audit.record(
            actor=screen.actor,
            action="PROVIDER_PAUSED" if action == "pause" else "PROVIDER_RESUMED",
            subject=f"provider:{code}",
            now=now,
        )
    messages.success(screen.request, screen.say(f"done_provider_{action}", code=screen.code(code)))
    return redirect("console:delivery", period=period)


# ------------------------------------------------------------------------------------------------------------ contexts


def latest(period: Period) -> Snapshot:
    """The figures of a period's sending that all readers share."""
    return snapshot(period=period, name="delivery", count=lambda: _count(period), now=clock.now())


def standing_context(screen: Screen, standings: Mapping[str, int], merged: int = 0) -> dict[str, Any]:
    """The line of truth about a period's bills, its bar and its legend."""
    ordered = {str(standing): standings[standing] for standing in Standing}  # JSON keeps no order
    bills = sum(ordered.values())
    shown = {name: screen.num(count) for name, count in ordered.items()}
    more = standings["PARKED"] or standings["CANCELLED"]
    return {
        "bills": bills,
        "truth": screen.say(
            "reach_truth",
            reached=shown["REACHED"],
            bills=screen.num(bills),
            under_way=shown["UNDER_WAY"],
            by_hand=shown["BY_HAND"],
            at_end=shown["AT_END"],
        ),
        "truth_more": screen.say("reach_truth_more", parked=shown["PARKED"], cancelled=shown["CANCELLED"])
        if more
        else "",
        "truth_merged": screen.say("reach_merged", merged=screen.num(merged)) if merged else "",
        "bar": stacked(
            screen,
            [(name, screen.words[f"standing_{name}"], count) for name, count in ordered.items()],
            bills,
            name=screen.words["standing"],
        ),
        "legend": [
            {"kind": name, "text": screen.words[f"standing_{name}"], "count": shown[name]}
            for name, count in ordered.items()
            if count
        ],
    }


def stacked(screen: Screen, parts: list[tuple[str, str, int]], total: int, *, name: str) -> SafeString:
    """A stacked bar of (class, word, count) with its text alternative."""
    said = ", ".join(
        screen.words["tick_part"].format(name=word, count=screen.plain(count))
        for _, word, count in parts
        if count
    )
    return mark_safe(  # noqa: S308 - charts escapes every text
        charts.stack_svg(
            [(kind, count) for kind, _, count in parts],
            total,
            rtl=screen.rtl,
            alt=screen.words["chart_states_alt"].format(name=name, parts=said),
        )
    )


def _kind(text: str) -> MessageKind:
    if text not in {kind.name for kind in BILL_KINDS}:
        raise UserError(f"{text!r} is no kind of message about a bill.")
    return MessageKind[text]


def _gate(screen: Screen, gate: queries.Gate) -> dict[str, Any]:
    state = (
        "stopped" if gate.is_stopped else "paused" if gate.is_paused else "open" if gate.is_open else "closed"
    )
    return {
        "kind": gate.kind.name,
        "text": screen.words[f"kind_{gate.kind.name}"],
        "state": state,
        "state_text": screen.words[f"gate_{state}"],
        "can_pause": state == "open",
        "can_resume": state == "paused",
        "can_stop": state in ("open", "paused"),
    }


def _live(
    screen: Screen, period: Period, gates: list[queries.Gate], providers: list[queries.ProviderFigures]
) -> dict[str, Any]:
    """What changes while sending lasts."""
    kept = latest(period)
    data = kept.data
    is_sending = any(gate.is_open and not gate.is_stopped for gate in gates)
    return {
        **standing_context(screen, data["standings"]),
        "period": str(period),
        "none": screen.say("reach_none", month=screen.month(period)),
        "poll": POLL if is_sending else "",
        "controls": _controls(gates, providers),
        "as_of": screen.say("as_of", moment=screen.moment(kept.computed_at)),
        "providers": _providers(screen, providers),
        "channels": _channels(screen, data["channels"]),
        "channel_legend": [
            {"kind": state.name, "text": screen.words[f"delivery_{state.name}"]} for state in STATE_ORDER
        ],
        "failures": [
            {
                "channel": screen.words[f"channel_{channel}"],
                "reason": screen.code(reason or "–"),
                "count": screen.num(count),
            }
            for channel, reason, count in data["failures"][:MOST_FAILURES]
        ],
        "doubles": screen.say("doubles_line", count=screen.num(data["doubles"])),
    }


def _count(period: Period) -> dict[str, Any]:
    """The snapshot "delivery"."""
    return {
        "standings": reach_queries.standings(period),
        "channels": queries.channel_states(period),
        "failures": queries.failed_attempts(period),
        "doubles": sum(queries.possible_duplicates(period, kind) for kind in BILL_KINDS),
    }


def _controls(gates: list[queries.Gate], providers: list[queries.ProviderFigures]) -> str:
    """What the page's buttons depend on, in a few letters."""
    states = [f"{gate.kind.value}{gate.is_open:d}{gate.is_paused:d}{gate.is_stopped:d}" for gate in gates]
    return "-".join(states + [f"{provider.number}{provider.is_paused:d}" for provider in providers])


def _channels(screen: Screen, found: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    most = max((sum(states.values()) for states in found.values()), default=0)
    rows = []
    for channel in (name for name in Channel.names if name in found):
        states = found[channel]
        parts = [
            (state.name, screen.words[f"delivery_{state.name}"], states.get(state.name, 0))
            for state in STATE_ORDER
        ]
        name = screen.words[f"channel_{channel}"]
        rows.append(
            {
                "name": name,
                "total": screen.num(sum(states.values())),
                "bar": stacked(screen, parts, most, name=name),
                "states": [{"text": word, "count": screen.num(count)} for _, word, count in parts if count],
            }
        )
    return rows


def _providers(screen: Screen, providers: list[queries.ProviderFigures]) -> list[dict[str, Any]]:
    try:
        known: Mapping[str, ProviderConfig] = configured()
    except UserError:  # this machine shows figures of providers that only others are told how to reach
        known = {}
    rows = []
    for provider in providers:
        config = known.get(provider.code)
        rate = screen.plain(provider.per_second_milli // 100, decimals=1)
        permitted = config.permitted_per_second if config else None
        rows.append(
            {
                "name": screen.code(provider.code),
                "channel": screen.words[f"channel_{provider.channel.name}"],
                "is_paused": provider.is_paused,
                "rate": screen.say("provider_rate", rate=_ltr(rate), permitted=screen.num(permitted))
                if permitted
                else screen.say("provider_rate_free", rate=_ltr(rate)),
                "bar": mark_safe(  # noqa: S308 - numbers only
                    charts.share_svg(
                        min(provider.per_second_milli, permitted * 1000), permitted * 1000, rtl=screen.rtl
                    )
                )
                if permitted
                else "",
                "weight": screen.say(
                    "provider_weight",
                    weight=screen.num(provider.weight),
                    configured=screen.num(provider.most_weight),
                ),
                "window": screen.say(
                    "provider_window",
                    sent=screen.num(provider.window_sent),
                    failed=screen.num(provider.window_failed),
                    received=screen.num(provider.window_received),
                    slow=screen.num(provider.window_slow),
                ),
            }
        )
    return rows


def _ltr(text: str) -> SafeString:
    return mark_safe(f'<bdi dir="ltr">{text}</bdi>')  # noqa: S308 - a formatted number
