"""`tayyar review`: decide what a run held."""

import argparse
import datetime as dt
import getpass
import json
from decimal import Decimal, InvalidOperation

from tayyar.core.errors import UserError
from tayyar.core.periods import Period

MOST_KWH = 10**12
MOST_ROWS = 1_000_000


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its actions."""
    parser = sub.add_parser("review", help="list what a run held; release, correct, estimate or dismiss it")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="held and rejected agreements, with the reason")
    listing.add_argument("--reason", metavar="CODE", help="only these, such as HIGH_USE")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="how many (default 50)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    release = actions.add_parser("release", help="bill as measured")
    estimate = actions.add_parser("estimate", help="bill an estimate instead")
    correct = actions.add_parser("correct", help="put a right reading in place, and bill it")
    correct.add_argument("--kwh", required=True, metavar="Q", help="what the register shows")
    correct.add_argument("--date", required=True, metavar="D", help="when it was read, like 2026-11-15")
    dismiss = actions.add_parser("dismiss", help="do not bill this month")
    dismiss.add_argument("--why", required=True, metavar="TEXT", help="the reason; goes into the audit log")
    for action in (listing, release, estimate, correct, dismiss):
        action.add_argument("period", metavar="PERIOD", help="the run's month, like 2026-11")
    for action in (release, estimate, correct, dismiss):
        action.add_argument(
            "agreement", type=int, metavar="AGREEMENT", help="its number in the first column of `review list`"
        )
    for action, function in (
        (listing, _list),
        (release, _release),
        (estimate, _estimate),
        (correct, _correct),
        (dismiss, _dismiss),
    ):
        action.set_defaults(run=function, needs_database=True)


def _actor() -> str:
    return f"shell:{getpass.getuser()}"


def _list(arguments: argparse.Namespace) -> int:
    from tayyar.billing.queries import held_list, run_status

    period = Period.parse(arguments.period)
    if not 1 <= arguments.limit <= MOST_ROWS:
        raise UserError(f"--limit is 1 to {MOST_ROWS:,}.")
    rows = held_list(period=period, reason=arguments.reason, limit=arguments.limit)
    if arguments.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False, default=str))
        return 0
    if not rows:
        run_status(period=period)  # refuses a period that was not billed
        print("Nothing is held.")
        return 0
    print(f"{'agreement':>10}  {'account':<11}  {'reason':<22} {'measured':>14}  decision")
    for row in rows:
        print(
            f"{row['agreement_id']:>10}  {row['account_number']}  {row['reason']:<22} "
            f"{row['detail'].get('energy_wh', 0) // 1000:>10,} kWh  {row['resolution'] or 'open'}"
        )
    return 0


def _release(arguments: argparse.Namespace) -> int:
    from tayyar.billing.services import release
    from tayyar.core import clock

    period = Period.parse(arguments.period)
    number = release(period=period, agreement_id=arguments.agreement, actor=_actor(), now=clock.now())
    print(f"Billed as measured: {number}")
    return 0


def _estimate(arguments: argparse.Namespace) -> int:
    from tayyar.billing.services import estimate
    from tayyar.core import clock

    period = Period.parse(arguments.period)
    number = estimate(period=period, agreement_id=arguments.agreement, actor=_actor(), now=clock.now())
    print(f"Billed by an estimate: {number}")
    return 0


def _correct(arguments: argparse.Namespace) -> int:
    from tayyar.billing.services import correct
    from tayyar.core import clock

    number = correct(
        period=Period.parse(arguments.period),
        agreement_id=arguments.agreement,
        value_wh=parse_kwh(arguments.kwh),
        read_date=parse_day(arguments.date),
        actor=_actor(),
        now=clock.now(),
    )
    print(f"Billed by the right reading: {number}")
    return 0


def _dismiss(arguments: argparse.Namespace) -> int:
    from tayyar.billing.services import dismiss
    from tayyar.core import clock

    period = Period.parse(arguments.period)
    dismiss(
        period=period, agreement_id=arguments.agreement, why=arguments.why, actor=_actor(), now=clock.now()
    )
    print("Not billed this month; its days are billed with the next.")
    return 0


def parse_kwh(text: str) -> int:
    """ "1234.5" -> 1234500 Wh."""
    try:
        energy_kwh = Decimal(text)
    except InvalidOperation:
        raise UserError(f"{text!r} is not a number of kWh. Write it like 48213 or 48213.5.") from None
    if not energy_kwh.is_finite() or abs(energy_kwh) >= MOST_KWH:
        raise UserError(f"{text!r}: no register shows so much.")
    energy_wh = energy_kwh * 1000
    if energy_wh < 0 or energy_wh != energy_wh.to_integral_value():
        raise UserError(f"{text!r}: a register shows 0 or more kWh, with at most three decimals.")
    return int(energy_wh)


def parse_day(text: str) -> dt.date:
    """ "2026-11-15" as a date."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is not a date. Write it like 2026-11-15.") from None
