"""A dry run: every stage but `write`, on the accounts as they are now. Writes nothing."""

import itertools
from typing import Any

import polars as pl
from django.conf import settings

from tayyar.billing import run
from tayyar.billing.models import BillRun
from tayyar.billing.worker import connect
from tayyar.core import clock, references
from tayyar.core.periods import Period
from tayyar.core.progress import progress
from tayyar.profiles import Profile

SAMPLES = 5


def dry_run(*, period: Period, profile: Profile) -> dict[str, Any]:
    """Totals by tariff beside the last run's, exceptions by reason, and a few samples. UserError without readings."""
    connection = connect(settings.DATABASE_URL)
    run.refuse_without_readings(connection, period=period, profile=profile, now=clock.now())
    facts = run.facts_of_period(connection, period, profile, clock.now())
    book = facts.book
    totals: dict[int, dict[str, int]] = {}
    exceptions: list[pl.DataFrame] = []
    samples: list[dict[str, Any]] = []
    eligible = 0
    starts = connection.execute(
        """SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM customers_customeraccount) AS ranked
           WHERE (place - 1) %% %s = 0 ORDER BY id""",
        [run.CHUNK_ACCOUNTS],
    ).fetchall()
    bounds = [first for (first,) in starts] + [2**63 - 1]
    with progress(f"Dry run of {period}", unit="accounts") as bar:
        for first, end in itertools.pairwise(bounds):
            result = run.compute(connection, facts, first, end)
            eligible += result.eligible
            for number, figures in run.totals_by_tariff(result.bills).items():
                into = totals.setdefault(int(number), dict.fromkeys(figures, 0))
                for name, value in figures.items():
                    into[name] += value
            exceptions.append(result.exceptions.select("outcome", "reason"))
            samples += result.bills.head(max(0, SAMPLES - len(samples))).to_dicts()
            bar.advance(result.eligible)
    counted = pl.concat(exceptions).group_by("outcome", "reason").len("accounts").sort("outcome", "reason")
    by_outcome = {
        row[0]: row[1] for row in counted.group_by("outcome").agg(pl.col("accounts").sum()).iter_rows()
    }
    previous = BillRun.objects.filter(period__lt=period.number, state="CERTIFIED").order_by("-period").first()
    return {
        "period": str(period),
        "currency": profile.currency.code,
        "minor_digits": profile.currency.minor_digits,
        "accounts": {
            "eligible": eligible,
            "billed": sum(figures["bills"] for figures in totals.values()),
            "held": by_outcome.get("HELD", 0),
            "rejected": by_outcome.get("REJECTED", 0),
        },
        "energy_wh": sum(figures["energy_wh"] for figures in totals.values()),
        "money": {name: sum(figures[name] for figures in totals.values()) for name in run.WEIGHTS},
        "tariffs": {book.version(number).id: totals[number] for number in sorted(totals)},
        "previous": previous.certificate["tariffs"] if previous and previous.certificate else {},
        "exceptions": counted.to_dicts(),
        "samples": [
            {
                "account_number": references.with_check(sample["account_id"]),
                "energy_wh": sample["energy_wh"],
                "total_minor": sample["total_minor"],
                "tariff": book.version(sample["tariff"]).id,
            }
            for sample in samples
        ],
    }
