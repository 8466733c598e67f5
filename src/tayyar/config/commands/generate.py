"""`tayyar generate`: a believable population with readings."""

import argparse


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = sub.add_parser(
        "generate",
        help="make a believable population with months of readings",
        description="Load made-up customers, meters and monthly readings into an empty database. "
        "The same seed gives the same population.",
    )
    parser.add_argument("--profile", required=True, metavar="CODE", help="country: sa, eg, bh, mr, ...")
    parser.add_argument("--accounts", type=int, required=True, metavar="N", help="how many")
    parser.add_argument("--months", type=int, default=1, metavar="M", help="months of readings (default 1)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="default: 1")
    parser.set_defaults(run=run, needs_database=True)


def run(arguments: argparse.Namespace) -> int:
    """Generate and say what to do next."""
    from django.conf import settings

    from tayyar.billing.worker import connect
    from tayyar.core import clock
    from tayyar.demo.answers import answer_for_demo
    from tayyar.demo.population import generate, last_readable_period
    from tayyar.profiles.installation import choose_profile

    answer_for_demo(arguments.profile)
    profile = choose_profile(arguments.profile)
    periods = generate(
        connect(settings.DATABASE_URL),
        profile=profile,
        accounts=arguments.accounts,
        last=last_readable_period(clock.today(), profile),
        months=arguments.months,
        seed=arguments.seed,
    )
    print(
        f"{arguments.accounts:,} accounts with readings of {periods[0]} to {periods[-1]}.\n"
        f"Bill them, oldest first: tayyar billrun {periods[0]}"
    )
    return 0
