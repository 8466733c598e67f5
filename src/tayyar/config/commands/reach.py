"""`tayyar reach`: whom a month's bills reached, by what, at which price; and how many they did not."""

import argparse
import json
from collections.abc import Mapping

from tayyar.core.periods import Period
from tayyar.core.text import format_number

MOST_CENTRES = 30


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "reach",
        help="whom a month's bills reached",
        description="Every bill of a month once: reached and by what evidence, under way, or not reached and what was "
        "tried last; with what it cost. The figures are counted now.",
    )
    parser.add_argument("period", metavar="PERIOD", help="the bills' month, like 2026-11")
    parser.add_argument("--centre", metavar="CODE", help="only the bills of this service centre")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Count and print."""
    from tayyar.notifications.reach_queries import reach_summary
    from tayyar.profiles.installation import installed_profile

    found = reach_summary(Period.parse(arguments.period), centre=arguments.centre)
    if arguments.json:
        print(json.dumps(found.as_json(), indent=1, ensure_ascii=False))
        return 0
    currency = installed_profile().currency.code
    of_centre = f" of service centre {found.centre}" if found.centre else ""
    left = {name: count for name, count in found.standings.items() if name != "REACHED"}
    print(f"{found.period}{of_centre}: {found.reached:,} of {found.bills:,} bills reached; {_list(left)}.")
    if found.merged:
        print(f"{found.merged:,} of them were told in another bill's message.")
    _table("Reached by", [(how, count) for how, count in _largest(found.hows)])
    _table("Reached through", [(channel or "none of ours", n) for channel, n in _largest(found.channels)])
    _table(
        "Not reached (where it stands, last tried)",
        [(" ".join(filter(None, (t.standing, t.state, t.channel, t.reason))), t.bills) for t in found.tried],
    )
    centres = sorted(found.centres, key=lambda row: (-row.unreached, row.code))
    _table(
        "Not reached and no provider does more, by service centre",
        [(row.code or "without agreement", row.unreached) for row in centres if row.unreached][:MOST_CENTRES],
    )
    if found.costs:
        print("\nCost")
        for cost in found.costs:
            price = format_number(cost.cost_micro, "en", "latn", decimals=6, trim=True)
            print(
                f"  {cost.channel:<10} {cost.provider or 'by hand':<30} {cost.attempts:>13,} attempts "
                f"{cost.segments:>13,} charged {price:>16} {currency}"
            )
        total = format_number(
            sum(cost.cost_micro for cost in found.costs), "en", "latn", decimals=6, trim=True
        )
        print(f"  {total} {currency} in all")
    return 0


def _list(counts: Mapping[str, int]) -> str:
    words = {
        "UNDER_WAY": "under way",
        "BY_HAND": "waiting for a call or paper",
        "AT_END": "at the end of their plan",
        "PARKED": "parked",
        "CANCELLED": "cancelled",
    }
    return ", ".join(f"{count:,} {words[name]}" for name, count in counts.items())


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _table(title: str, rows: list[tuple[str, int]]) -> None:
    if rows:
        print(f"\n{title}")
        for name, count in rows:
            print(f"  {name:<60} {count:>13,}")
