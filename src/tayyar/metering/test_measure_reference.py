"""Measuring against a slow reference that follows each meter one at a time: ordinary, rollover and exchanges."""

import datetime as dt
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tayyar.metering.limits import MeasureRules
from tayyar.metering.segments import ACTUAL, pack, unpack
from tayyar.metering.test_measure import LIMIT, OLD, START, World

DAYS = (LIMIT - START).days
OPEN_RULES = MeasureRules(  # nothing is unusual
    min_peers=10_000, high_permille=1000, min_difference_wh=10**9, default_ceiling_daily_wh=10**10
)


@dataclass(frozen=True)
class Stay:
    """One meter at the point: what it shows first, what it counts (kWh), its ratio, and the day it goes."""

    opening: int
    counts: int
    multiplier: int
    digits: int
    until: int | None  # days after START; None: stays

    @property
    def last(self) -> int:
        return (self.opening + self.counts) % 10**self.digits

    @property
    def used(self) -> int:
        return self.counts * self.multiplier


@st.composite
def stays(draw: st.DrawFn) -> list[Stay]:
    cuts = sorted(draw(st.sets(st.integers(1, DAYS - 1), max_size=3)))
    result = []
    for until in [*cuts, None]:
        digits = draw(st.sampled_from([5, 6]))
        near_the_end = draw(st.booleans())
        low = 10**digits - 300 if near_the_end else 0
        opening = draw(st.integers(low, 10**digits - (1 if near_the_end else 500)))
        result.append(
            Stay(opening, draw(st.integers(0, 400)), draw(st.sampled_from([1, 1, 20])), digits, until)
        )
    return result


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Stay], int, bool]:
    chain = draw(stays())
    first_reading = 1 + max((s.until or 0) for s in chain)
    return chain, draw(st.integers(first_reading, DAYS)), draw(st.booleans())


@settings(max_examples=150, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=6))
def test_energy_and_end_agree_with_a_reference_that_follows_each_meter(
    points: list[tuple[list[Stay], int, bool]],
) -> None:
    world = World(rules=OPEN_RULES)
    expected = []
    for number, (chain, read_after, billed) in enumerate(points):
        world.add(recent_daily_wh=None if not billed else 0)
        end = START + dt.timedelta(read_after)
        since = OLD if billed else START
        begun = START
        for index, stay in enumerate(chain):
            meter = 10 * number + index
            until = None if stay.until is None else START + dt.timedelta(stay.until)
            opening_on_record = 0 if billed and index == 0 else stay.opening
            world.installed(
                since, opening_on_record, meter=meter, removed=until, closing=None if until is None else stay.last,
                multiplier=stay.multiplier, digits=stay.digits,
            )  # fmt: skip
            if billed and index == 0:
                world.opened(stay.opening, meter=meter, multiplier=stay.multiplier)
            if until is None:
                world.read(end, stay.last, meter=meter)
            else:
                since = begun = until
        expected.append((sum(s.used for s in chain) * 1000, end, begun))
    rows = world.result()
    for row, (energy_wh, end, begun) in zip(rows, expected, strict=True):
        assert row["hold"] is None
        assert (row["energy_wh"], row["end_date"], row["is_estimated"]) == (energy_wh, end, False)
        segments = unpack(row["readings"])
        assert sum(s.energy_wh for s in segments) == energy_wh
        assert pack(segments) == row["readings"]
        assert {s.to_quality for s in segments} == {ACTUAL}
        assert max(s.from_date for s in segments) == begun


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 500_000),
            st.lists(st.tuples(st.integers(-3, DAYS + 3), st.integers(0, 900)), max_size=4, unique_by=lambda r: r[0]),
        ),
        min_size=1,
        max_size=8,
    )
)  # fmt: skip
def test_the_newest_reading_in_the_window_closes_or_an_estimate_does(
    points: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    world = World(rules=OPEN_RULES)
    for number, (opening, reads) in enumerate(points):
        world.add().opened(opening, meter=number).installed(OLD, 0, meter=number)
        for after, advance in reads:
            world.read(START + dt.timedelta(after), opening + advance, meter=number)
    for row, (_, reads) in zip(world.result(), points, strict=True):
        closing = max(((after, advance) for after, advance in reads if 0 < after <= DAYS), default=None)
        after, advance = closing or (DAYS, 20 * DAYS)
        assert row["energy_wh"] == advance * 1000
        assert row["end_date"] == START + dt.timedelta(after)
        assert row["is_estimated"] == (closing is None)
