"""`tayyar messages`: try again, or give up, messages of a month that wait or stand still."""

import argparse
import getpass
import json

from tayyar.core.errors import UserError
from tayyar.core.periods import Period

# Which states each action moves when none is named.
RETRIED = ("FAILED", "EXPIRED", "PARKED")
CANCELLED = ("QUEUED", "DEFERRED", "PARKED")


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its actions."""
    parser = sub.add_parser("messages", help="try messages again, or cancel them")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    retry = actions.add_parser(
        "retry",
        help="tell again, from the first step of the plan",
        description="Queue messages of a month again, from the first step of their plan. Look first with "
        "`tayyar reach PERIOD`.",
    )
    cancel = actions.add_parser(
        "cancel",
        help="do not tell",
        description="Give up messages of a month. What a provider took already arrives all the same.",
    )
    for action, states, function in ((retry, RETRIED, _retry), (cancel, CANCELLED, _cancel)):
        action.add_argument("period", metavar="PERIOD", help="the messages' month, like 2026-11")
        action.add_argument(
            "--kind", default="BILL_ISSUED", metavar="KIND", help="what they tell of (default BILL_ISSUED)"
        )
        action.add_argument(
            "--state",
            action="append",
            metavar="STATE",
            help=f"only messages in this state; may be given several times (default {', '.join(states)})",
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(run=function, needs_database=True, default_states=states)


def _retry(arguments: argparse.Namespace) -> int:
    return _move(arguments, "retry", "Queued again")


def _cancel(arguments: argparse.Namespace) -> int:
    return _move(arguments, "cancel", "Cancelled")


def _move(arguments: argparse.Namespace, action: str, done: str) -> int:
    """Call the service and say how many messages it moved."""
    from tayyar.core import clock
    from tayyar.notifications import services
    from tayyar.notifications.kinds import MessageKind
    from tayyar.notifications.models import MessageState

    period = Period.parse(arguments.period)
    if arguments.kind not in MessageKind.names:
        raise UserError(f"{arguments.kind!r} is no kind of message: {', '.join(MessageKind.names)}.")
    names = arguments.state or arguments.default_states
    if unknown := [name for name in names if name not in MessageState.names]:
        raise UserError(f"{unknown[0]!r} is no state of a message: {', '.join(MessageState.names)}.")
    service = services.retry_messages if action == "retry" else services.cancel_messages
    count = service(
        period=period,
        kind=MessageKind[arguments.kind],
        states=[MessageState[name] for name in names],
        actor=f"shell:{getpass.getuser()}",
        now=clock.now(),
    )
    if arguments.json:
        print(
            json.dumps({"period": str(period), "kind": arguments.kind, "action": action, "messages": count})
        )
    else:
        print(f"{done}: {count:,} messages of {period} ({arguments.kind}; {', '.join(names)}).")
    return 0
