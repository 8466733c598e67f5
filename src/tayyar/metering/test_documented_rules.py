"""The tables of docs/metering.md, each row a case."""

from pathlib import Path

import pytest

from tayyar.metering.measure import HOLD_REASONS, RELEASABLE
from tayyar.metering.segments import ACTUAL, CUSTOMER, ESTIMATED
from tayyar.metering.test_measure import KWH, LIMIT, OLD, World

PAGE = Path(__file__).parents[3] / "docs" / "metering.md"
QUALITY = {"ACTUAL": ACTUAL, "ESTIMATED": ESTIMATED, "CUSTOMER": CUSTOMER}


def table(first_column: str, second_column: str) -> list[dict[str, str]]:
    """The rows of the page's table that begins with these columns."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(
        i for i, line in enumerate(lines) if line.startswith(f"| {first_column} | {second_column} |")
    )
    head = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(head, (cell.strip() for cell in line[1:-1].split("|")), strict=True)))
    return rows


def wh(text: str) -> int | None:
    whole, _, rest = text.partition(".")
    return int(whole) * KWH + int(rest.ljust(3, "0")) if text else None


@pytest.mark.parametrize("case", table("opening_kwh", "opening_quality"), ids=lambda c: "-".join(c.values()))
def test_an_advance_is_as_documented(case: dict[str, str]) -> None:
    multiplier = int(case["multiplier"])
    world = World().add()
    world.opened(int(case["opening_kwh"]), quality=QUALITY[case["opening_quality"]], multiplier=multiplier)
    world.installed(OLD, 0, digits=int(case["digits"]), multiplier=multiplier)
    row = world.read(LIMIT, int(case["closing_kwh"])).only()
    assert (row["energy_wh"], row["hold"] or "") == (wh(case["energy_kwh"]), case["hold"])


@pytest.mark.parametrize("case", table("last_year", "last_year_prior"), ids=lambda c: "-".join(c.values()))
def test_an_estimate_is_as_documented(case: dict[str, str]) -> None:
    multiplier = int(case["multiplier"])
    world = World().add(
        recent_daily_wh=wh(case["recent"]),
        last_year_daily_wh=wh(case["last_year"]),
        last_year_prior_daily_wh=wh(case["last_year_prior"]),
    )
    row = world.opened(100, multiplier=multiplier).installed(OLD, 0, multiplier=multiplier).only()
    assert (row["energy_wh"], row["hold"] or "") == (wh(case["energy_kwh"]), case["hold"])


@pytest.mark.parametrize(
    "case", table("recent_daily_kwh", "last_year_daily_kwh"), ids=lambda c: "-".join(c.values())
)
def test_the_band_is_as_documented(case: dict[str, str]) -> None:
    world = World().add(
        recent_daily_wh=wh(case["recent_daily_kwh"]), last_year_daily_wh=wh(case["last_year_daily_kwh"])
    )
    row = world.opened(0).read(LIMIT, int(case["energy_kwh"]), quality=QUALITY[case["quality"]]).only()
    assert row["hold"] == (case["hold"] or None)
    assert (row["expected_low_wh"], row["expected_high_wh"]) == (wh(case["low_kwh"]), wh(case["high_kwh"]))


def test_every_reason_is_documented_in_its_order() -> None:
    assert tuple(row["reason"] for row in table("reason", "meaning")) == HOLD_REASONS
    assert frozenset(HOLD_REASONS[-4:]) == RELEASABLE
