"""Plans: in which steps a message is told, and when that has been done. Pure: no database, no clock.

A plan is an ordered list of steps (channel, how long to wait, what evidence ends it). It comes from the profile's
delivery.yaml for a kind, is reordered by what the people of an account prefer, and is walked by services.py.
"""

import contextlib
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.notifications.kinds import BILL_KINDS, SPECS, Lane, MessageClass, MessageKind

MASKS = 1 << len(Channel)  # every combination of channels that a person can have


class Until(IntEnum):
    """The evidence that ends a plan at this step; more is always enough."""

    SENT = 2
    DELIVERED = 3
    READ = 4


@dataclass(frozen=True, slots=True)
class Step:
    """Tell through `channel`; when `until` has not come after `wait`, go on to the next step."""

    channel: Channel
    wait: dt.timedelta
    until: Until


@dataclass(frozen=True, slots=True)
class Wish:
    """What matters here of an account's Preference."""

    channels: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    plans: Mapping[str, Any] | None = None
    wants_paper: bool = False


NO_WISH = Wish()
PAPER = Step(Channel.PAPER, dt.timedelta(0), Until.SENT)
Plan = tuple[Step, ...]
Hours = tuple[dt.time, dt.time]

_DEFAULT: list[dict[str, Any]] = [
    {"channel": "WHATSAPP", "wait_minutes": 120, "until": "DELIVERED"},
    {"channel": "SMS", "wait_minutes": 720, "until": "DELIVERED"},
    {"channel": "EMAIL", "wait_minutes": 2880, "until": "DELIVERED"},
]


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """A profile's delivery.yaml: the plan of each kind, the class's quiet hours, local time."""

    plans: Mapping[MessageKind, Plan]
    quiet: Mapping[MessageClass, Hours]

    def plan(self, kind: int, wish: Wish = NO_WISH) -> Plan:
        """The steps for a message of `kind`, as the people of the account wish it.

        Empty where they excluded every way of something that need not be told. What must be told is told: a bill on
        paper, anything else as the profile plans it. An account's own plan that cannot be read counts for nothing, as
        one odd row must not stop the queue.
        """
        found = MessageKind(kind)
        steps = self.plans[found]
        if wish == NO_WISH:
            return steps
        if wish.plans and found.name in wish.plans:
            with contextlib.suppress(UserError):
                steps = read_plan(wish.plans[found.name], where=f"the account's plan for {found.name}")
        kept = wished(steps, wish)
        if kept or not SPECS[found].is_statutory:
            return kept
        return (PAPER,) if found in BILL_KINDS else steps

    def permitted(self, kinds: Iterable[MessageKind], now: dt.datetime) -> list[MessageKind]:
        """The kinds whose class has no quiet hours at `now` (aware, local). A code that somebody waits for has none."""
        return [
            kind
            for kind in kinds
            if SPECS[kind].lane is Lane.URGENT
            or quiet_until(now, self.quiet.get(SPECS[kind].message_class)) is None
        ]


def wished(steps: Plan, wish: Wish) -> Plan:
    """The steps in the order the person prefers, without the channels they excluded.

    Calls and paper keep their place at the end; whoever asked for paper and nothing else is not called before it. A
    printed bill beside others is no step: sheets.py takes it whatever else arrives.
    """
    digital = [step for step in steps if step.channel not in (Channel.CALL, Channel.PAPER)]
    by_hand = [step for step in steps if step.channel in (Channel.CALL, Channel.PAPER)]
    if wish.channels:
        place = {name: index for index, name in enumerate(wish.channels)}
        digital.sort(
            key=lambda step: place.get(step.channel.name, len(place))
        )  # stable: the others as planned
    digital = [step for step in digital if step.channel.name not in wish.excluded]
    by_hand = [step for step in by_hand if step.channel.name not in wish.excluded]
    if wish.wants_paper and not digital:
        by_hand.sort(key=lambda step: step.channel != Channel.PAPER)
    return (*digital, *by_hand)


def available(mask: int, *, by_post: bool = True) -> int:
    """The channels that can be tried with contact points of `mask` (bits are Channel numbers): paper where there is a
    postal address, a call where there is a telephone."""
    phone = mask & (1 << Channel.SMS | 1 << Channel.WHATSAPP)
    return mask | by_post << Channel.PAPER | (1 << Channel.CALL if phone else 0)


def by_post(kind: int, recipient: int) -> bool:
    """Whether paper can be a step: bills alone are printed, and of a delegate no postal address is known."""
    return kind in BILL_KINDS and recipient == 0


def next_step(plan: Plan, mask: int, *, after: int = -1, by_post: bool = True, used: int = 0) -> int | None:
    """The index of the first step behind `after` that can be tried; None at the plan's end. Not `by_post` where
    nothing can be printed. `used`: channels, as bits, to pass over."""
    usable = available(mask, by_post=by_post) & ~used
    return next((i for i in range(after + 1, len(plan)) if usable >> plan[i].channel & 1), None)


@lru_cache(maxsize=64)
def first_channels(plan: Plan) -> list[tuple[int, int]]:
    """For every mask of contact points the (step, channel) to begin with; the plan's last step when none fits."""
    firsts = []
    for mask in range(MASKS):
        step = next_step(plan, mask)
        step = len(plan) - 1 if step is None else step
        firsts.append((step, plan[step].channel.value))
    return firsts


def quiet_until(now: dt.datetime, hours: Hours | None) -> dt.datetime | None:
    """When the quiet hours that `now` (aware, local) falls in end; None when it falls in none."""
    if hours is None:
        return None
    start, end = hours
    today = now.timetz().replace(tzinfo=None)
    inside = start <= today < end if start < end else today >= start or today < end
    if not inside:
        return None
    day = now.date() if today < end else now.date() + dt.timedelta(days=1)
    return dt.datetime.combine(day, end, now.tzinfo)


def read_rules(raw: Mapping[str, Any], *, where: str) -> DeliveryRules:
    """Check and read a delivery.yaml. Kinds without a plan get the one of OTHERS. UserError says what is wrong."""
    if unknown := set(raw) - {"plans", "quiet_hours", "sources"}:
        raise UserError(f"{where}: {', '.join(sorted(map(str, unknown)))} is not known.")
    for name in ("plans", "quiet_hours"):
        if not isinstance(raw.get(name) or {}, Mapping):
            raise UserError(f"{where}: {name} are names with values.")
    plans = dict(raw.get("plans") or {})
    others = read_plan(plans.pop("OTHERS", _DEFAULT), where=f"{where}, OTHERS")
    if unknown := set(plans) - set(MessageKind.names):
        raise UserError(f"{where}: {', '.join(sorted(map(str, unknown)))} is no kind of message.")
    read = {
        kind: read_plan(plans[kind.name], where=f"{where}, {kind.name}") if kind.name in plans else others
        for kind in SPECS
    }
    quiet = {}
    for name, hours in (raw.get("quiet_hours") or {}).items():
        if name not in MessageClass.__members__ or not isinstance(hours, list) or len(hours) != 2:
            raise UserError(f"{where}: quiet hours are CLASS: ['21:00', '09:00'], not {name}: {hours!r}.")
        quiet[MessageClass[name]] = (_time(hours[0], where), _time(hours[1], where))
    return DeliveryRules(read, quiet)


def read_plan(raw: Any, *, where: str) -> Plan:
    """Check and read one plan: [{channel, wait_minutes, until}, ...]."""
    if not isinstance(raw, list | tuple) or not raw:
        raise UserError(f"{where}: a plan is a list of steps.")
    return tuple(_step(step, where) for step in raw)


def _step(raw: Any, where: str) -> Step:
    if not isinstance(raw, Mapping) or set(raw) - {"channel", "wait_minutes", "until"}:
        raise UserError(f"{where}: a step has channel, wait_minutes and until; {raw!r} has not.")
    channel, until, wait = raw.get("channel"), raw.get("until", "DELIVERED"), raw.get("wait_minutes", 0)
    if channel not in Channel.names or until not in Until.__members__:
        raise UserError(f"{where}: {raw!r} names no known channel, or waits for something unknown.")
    if not isinstance(wait, int) or isinstance(wait, bool) or not 0 <= wait <= 60 * 24 * 60:
        raise UserError(f"{where}: wait_minutes is 0 to 86,400; {raw!r}.")
    return Step(Channel[channel], dt.timedelta(minutes=wait), Until[until])


def _time(text: Any, where: str) -> dt.time:
    try:
        return dt.time.fromisoformat(str(text))
    except ValueError:
        raise UserError(f"{where}: {text!r} is no time like '21:00'.") from None
