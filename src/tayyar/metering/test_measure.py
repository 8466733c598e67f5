"""Each rule of measuring, one test a rule, with the arithmetic by hand."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tayyar.metering import models
from tayyar.metering.limits import MeasureRules
from tayyar.metering.measure import HOLD_REASONS, RELEASABLE, measure, ordinary
from tayyar.metering.segments import ACTUAL, CUSTOMER, ESTIMATED, REGISTERS, RegisterSegment, unpack

KWH = 1000
START, LIMIT = dt.date(2026, 10, 28), dt.date(2026, 11, 28)  # 31 days
RULES = MeasureRules(min_peers=3)

POINT = {
    "row": pl.UInt32,
    "usage_point_id": pl.Int64,
    "category": pl.Int16,
    "start_date": pl.Date,
    "end_limit": pl.Date,
    "is_final": pl.Boolean,
    "expected_end": pl.Date,
    "recent_daily_wh": pl.Int64,
    "last_year_daily_wh": pl.Int64,
    "last_year_prior_daily_wh": pl.Int64,
}
OPENING = {
    "row": pl.UInt32,
    "meter_id": pl.Int64,
    "register": pl.Int16,
    "read_date": pl.Date,
    "value_wh": pl.Int64,
    "quality": pl.Int16,
    "multiplier": pl.Int32,
}
READING = {
    "usage_point_id": pl.Int64,
    "meter_id": pl.Int64,
    "register": pl.Int16,
    "read_date": pl.Date,
    "value_wh": pl.Int64,
    "quality": pl.Int16,
}
INSTALLATION = {
    "usage_point_id": pl.Int64,
    "meter_id": pl.Int64,
    "installed_on": pl.Date,
    "removed_on": pl.Date,
    "opening_wh": pl.Int64,
    "closing_wh": pl.Int64,
    "multiplier": pl.Int32,
    "digits": pl.Int16,
}


@dataclass
class World:
    """A few usage points; `add` a point, then its openings, readings and installations by kWh."""

    points: list[dict[str, Any]] = field(default_factory=list)
    openings: list[dict[str, Any]] = field(default_factory=list)
    readings: list[dict[str, Any]] = field(default_factory=list)
    installations: list[dict[str, Any]] = field(default_factory=list)
    rules: MeasureRules = RULES

    def add(self, **changes: Any) -> "World":
        row = len(self.points)
        self.points.append(
            {
                "row": row,
                "usage_point_id": 1000 + row,
                "category": 1,
                "start_date": START,
                "end_limit": LIMIT,
                "is_final": False,
                "expected_end": LIMIT,
                "recent_daily_wh": 20 * KWH,
                "last_year_daily_wh": None,
                "last_year_prior_daily_wh": None,
            }
            | changes
        )
        return self

    @property
    def point(self) -> int:
        return 1000 + len(self.points) - 1

    def opened(
        self, kwh: int, *, meter: int = 7, register: int = 0, quality: int = ACTUAL, multiplier: int = 1,
        on: dt.date = START,
    ) -> "World":  # fmt: skip
        self.openings.append(
            dict(
                zip(
                    OPENING,
                    (len(self.points) - 1, meter, register, on, kwh * KWH, quality, multiplier),
                    strict=True,
                )
            )
        )
        return self

    def read(
        self, day: dt.date, kwh: int, *, meter: int = 7, register: int = 0, quality: int = ACTUAL
    ) -> "World":
        values = (self.point, meter, register, day, kwh * KWH, quality)
        self.readings.append(dict(zip(READING, values, strict=True)))
        return self

    def installed(
        self, on: dt.date, kwh: int, *, meter: int = 7, removed: dt.date | None = None,
        closing: int | None = None, multiplier: int = 1, digits: int = 6,
    ) -> "World":  # fmt: skip
        closing_wh = None if closing is None else closing * KWH
        values = (self.point, meter, on, removed, kwh * KWH, closing_wh, multiplier, digits)
        self.installations.append(dict(zip(INSTALLATION, values, strict=True)))
        return self

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        return (
            pl.DataFrame(self.points, POINT),
            pl.DataFrame(self.openings, OPENING),
            pl.DataFrame(self.readings, READING),
            pl.DataFrame(self.installations, INSTALLATION),
        )

    def needs(self) -> list[int]:
        return ordinary(*self.frames()[:3]).needs_installations.to_list()

    def result(self) -> list[dict[str, Any]]:
        return measure(*self.frames(), self.rules).to_dicts()

    def only(self) -> dict[str, Any]:
        (row,) = self.result()
        return row


def day(number: int, month: int = 11) -> dt.date:
    return dt.date(2026, month, number)


OLD = dt.date(2020, 1, 1)


def test_the_codes_are_those_of_the_models() -> None:
    assert tuple(models.ReadingQuality) == (ACTUAL, ESTIMATED, CUSTOMER)
    assert tuple(models.Register.labels) == REGISTERS
    assert set(HOLD_REASONS) >= RELEASABLE


def test_an_ordinary_bill_ends_at_the_newest_reading_up_to_the_limit() -> None:
    world = World().add().opened(5000).read(day(10), 5200).read(day(27), 5600).read(day(29), 5700)
    row = world.only()
    assert world.needs() == []
    assert (row["energy_wh"], row["end_date"], row["hold"]) == (600 * KWH, day(27), None)  # 5600 - 5000
    assert not row["is_estimated"]
    assert unpack(row["readings"]) == [
        RegisterSegment(7, 0, 1, START, day(27), 5000 * KWH, 5600 * KWH, ACTUAL, ACTUAL)
    ]


def test_a_reading_on_the_start_date_belongs_to_the_bill_before() -> None:
    world = World().add().opened(5000).read(START, 5000)
    assert world.needs() == [1000]
    assert world.only()["is_estimated"]


def test_the_multiplier_scales_the_advance() -> None:
    row = World().add(recent_daily_wh=None).opened(100, multiplier=40).read(LIMIT, 110).only()
    assert row["energy_wh"] == 400 * KWH  # (110 - 100) x 40
    assert unpack(row["readings"])[0].energy_wh == 400 * KWH


def test_time_of_use_registers_close_on_the_newest_day_on_which_all_were_read() -> None:
    world = World().add().opened(100, register=1).opened(200, register=2)
    world.read(day(25), 300, register=1).read(day(25), 500, register=2).read(day(27), 333, register=1)
    row = world.only()
    assert (row["end_date"], row["energy_wh"]) == (day(25), 500 * KWH)  # 200 + 300
    assert (row["energy_wh_PEAK"], row["energy_wh_OFF_PEAK"]) == (200 * KWH, 300 * KWH)
    assert "energy_wh_SHOULDER" not in row


def test_a_time_of_use_register_that_nobody_read_is_held() -> None:
    world = World().add().opened(100, register=1).opened(200, register=2).read(day(25), 300, register=1)
    assert world.only()["hold"] == "TOU_NO_READING"


def test_a_frame_keeps_single_and_time_of_use_points_apart() -> None:
    world = World().add().opened(100, register=1).opened(200, register=2)
    world.read(day(27), 300, register=1).read(day(27), 500, register=2)
    world.add().opened(10, meter=8).read(day(27), 610, meter=8)
    rows = world.result()
    assert [r["energy_wh"] for r in rows] == [500 * KWH, 600 * KWH]
    assert [r["energy_wh_PEAK"] for r in rows] == [200 * KWH, 0]


def test_rows_keep_the_order_of_the_points_and_their_labels() -> None:
    world = World().add(row=9).add(row=4).add(row=6)
    points, _, _, installations = world.frames()
    openings = pl.DataFrame(
        [dict(zip(OPENING, (r, r, 0, START, r * KWH, ACTUAL, 1), strict=True)) for r in (4, 6, 9)], OPENING
    )
    readings = pl.DataFrame(
        [
            dict(zip(READING, (p, m, 0, LIMIT, (m + u) * KWH, ACTUAL), strict=True))
            for p, m, u in ((1000, 9, 300), (1001, 4, 400), (1002, 6, 500))
        ],
        READING,
    )
    result = measure(points, openings, readings, installations, RULES)
    assert result["row"].to_list() == [9, 4, 6]
    assert result["energy_wh"].to_list() == [300 * KWH, 400 * KWH, 500 * KWH]


def test_a_first_bill_opens_with_the_installation_of_its_start_date() -> None:
    world = World().add(recent_daily_wh=None).installed(START, 12).read(LIMIT, 322)
    row = world.only()
    assert world.needs() == [1000]
    assert (row["energy_wh"], row["hold"], row["recent_daily_wh"]) == (310 * KWH, None, 10 * KWH)


def test_a_first_bill_on_an_older_meter_opens_with_the_reading_of_the_start_date() -> None:
    world = World().add(recent_daily_wh=None).installed(OLD, 0)
    world.read(day(1, 10), 4000).read(START, 4100).read(LIMIT, 4410)
    row = world.only()
    assert row["energy_wh"] == 310 * KWH  # 4410 - 4100
    assert unpack(row["readings"])[0].from_quality == ACTUAL


def test_an_older_reading_stands_for_the_start_date_as_an_estimate() -> None:
    row = World().add(recent_daily_wh=None).installed(OLD, 0).read(day(27, 10), 4100).read(LIMIT, 4410).only()
    (segment,) = unpack(row["readings"])
    assert (segment.from_date, segment.from_quality) == (START, ESTIMATED)
    assert row["energy_wh"] == 310 * KWH


def test_a_first_bill_on_an_older_meter_without_a_reading_is_held() -> None:
    row = World().add().installed(OLD, 0).read(LIMIT, 4410).only()
    assert (row["hold"], row["energy_wh"], row["readings"]) == ("NO_OPENING_READING", 0, [])


def test_a_point_without_a_meter_is_held() -> None:
    assert World().add().only()["hold"] == "NO_OPENING_READING"


def test_a_meter_installed_after_the_agreement_began_opens_on_its_installation() -> None:
    row = World().add(recent_daily_wh=None).installed(day(7), 0).read(LIMIT, 210).only()
    assert (row["energy_wh"], row["start_date"]) == (210 * KWH, START)
    assert unpack(row["readings"])[0].from_date == day(7)


def test_a_first_bill_of_time_of_use_registers_opens_each_at_zero() -> None:
    world = World().add(recent_daily_wh=None).installed(START, 0)
    world.read(LIMIT, 100, register=1).read(LIMIT, 200, register=2)
    assert world.only()["energy_wh"] == 300 * KWH


def test_a_value_below_the_last_one_near_the_end_of_the_register_is_a_rollover() -> None:
    world = World().add().opened(999_800).installed(OLD, 0, digits=6).read(LIMIT, 400)
    row = world.only()
    assert world.needs() == [1000]
    assert (row["energy_wh"], row["hold"]) == (600 * KWH, None)  # 1,000,000 - 999,800 + 400
    assert unpack(row["readings"])[0].energy_wh == 600 * KWH


def test_a_value_below_the_last_one_elsewhere_is_held() -> None:
    row = World().add().opened(5000).installed(OLD, 0).read(LIMIT, 4000).only()
    assert (row["hold"], row["energy_wh"]) == ("NEGATIVE_ADVANCE", 0)


def test_a_rollover_that_means_too_much_use_is_held() -> None:
    # 1,000,000 - 900,000 + 50,000 = 150,000 kWh in 31 days against 20 a day
    assert (
        World().add().opened(900_000).installed(OLD, 0).read(LIMIT, 50_000).only()["hold"]
        == "NEGATIVE_ADVANCE"
    )


def test_a_reading_below_an_estimate_asks_to_cancel_the_estimated_bill() -> None:
    row = World().add().opened(5000, quality=ESTIMATED).installed(OLD, 0).read(LIMIT, 4900).only()
    assert row["hold"] == "ESTIMATE_ABOVE_ACTUAL"


def test_a_reading_above_an_estimate_trues_it_up() -> None:
    row = World().add().opened(5000, quality=ESTIMATED).read(LIMIT, 5450).only()
    assert (row["energy_wh"], row["hold"]) == (450 * KWH, None)


def test_an_exchange_adds_what_both_meters_counted() -> None:
    world = World().add().opened(5000)
    world.installed(OLD, 0, removed=day(10), closing=5260).installed(day(10), 3, meter=8).read(
        LIMIT, 363, meter=8
    )
    row = world.only()
    assert world.needs() == [1000]
    assert (row["energy_wh"], row["hold"]) == (620 * KWH, None)  # (5260 - 5000) + (363 - 3)
    assert [(s.meter_id, s.from_date, s.to_date) for s in unpack(row["readings"])] == [
        (7, START, day(10)),
        (8, day(10), LIMIT),
    ]


def test_several_exchanges_form_a_chain_with_each_multiplier() -> None:
    world = World().add().opened(5000).installed(OLD, 0, removed=day(5), closing=5100)
    world.installed(day(5), 0, meter=8, removed=day(15), closing=10, multiplier=20)
    world.installed(day(15), 50, meter=9).read(LIMIT, 350, meter=9)
    row = world.only()
    assert row["energy_wh"] == 600 * KWH  # 100 + 10 x 20 + 300
    assert [s.multiplier for s in unpack(row["readings"])] == [1, 20, 1]


def test_a_meter_that_went_and_came_back_is_followed_when_its_installations_are_given() -> None:
    world = World().add().opened(5000).installed(OLD, 0, removed=day(5), closing=5100)
    world.installed(day(5), 0, meter=8, removed=day(15), closing=150).installed(day(15), 5100).read(
        LIMIT, 5450
    )
    assert world.only()["energy_wh"] == 600 * KWH  # 100 + 150 + 350


def test_an_exchange_on_the_day_of_the_last_bill_leaves_one_segment() -> None:
    world = World().add().opened(5000).installed(OLD, 0, removed=START, closing=5000)
    world.installed(START, 0, meter=8).read(LIMIT, 600, meter=8)
    row = world.only()
    assert row["energy_wh"] == 600 * KWH
    assert [s.meter_id for s in unpack(row["readings"])] == [8]


def test_an_exchange_on_the_last_day_closes_the_old_meter_only() -> None:
    world = World().add().opened(5000).installed(OLD, 0, removed=LIMIT, closing=5600)
    world.installed(LIMIT, 0, meter=8).read(LIMIT, 0, meter=8)
    row = world.only()
    assert (row["energy_wh"], row["end_date"]) == (600 * KWH, LIMIT)
    assert [s.meter_id for s in unpack(row["readings"])] == [7]


def test_the_reading_of_a_new_meter_on_its_first_day_does_not_end_the_bill() -> None:
    world = World().add().opened(5000).installed(OLD, 0, removed=day(18), closing=5400)
    world.installed(day(18), 0, meter=8).read(day(18), 0, meter=8)
    row = world.only()
    assert (row["end_date"], row["energy_wh"]) == (LIMIT, 600 * KWH)  # 400 read + 10 days x 20


def test_an_exchange_of_a_time_of_use_meter_needs_its_registers_read_on_the_day() -> None:
    def world() -> World:
        w = World().add().opened(100, register=1).opened(200, register=2)
        w.installed(OLD, 0, removed=day(10), closing=0).installed(day(10), 0, meter=8)
        return w.read(LIMIT, 150, register=1, meter=8).read(LIMIT, 150, register=2, meter=8)

    assert world().only()["hold"] == "TOU_NO_READING"
    read = world().read(day(10), 250, register=1).read(day(10), 350, register=2)
    assert read.only()["energy_wh"] == 600 * KWH  # 150 + 150 + 150 + 150


def test_a_reading_of_a_meter_that_is_not_installed_there_is_held() -> None:
    assert (
        World().add().opened(5000).installed(OLD, 0).read(LIMIT, 600, meter=8).only()["hold"]
        == "METER_MISMATCH"
    )


def test_an_estimate_that_ran_past_a_removal_asks_to_cancel_the_estimated_bill() -> None:
    world = World().add().opened(5000, quality=ESTIMATED).installed(OLD, 0, removed=day(1, 10), closing=4000)
    world.installed(day(1, 10), 0, meter=8).read(LIMIT, 600, meter=8)
    assert world.only()["hold"] == "ESTIMATE_ABOVE_ACTUAL"


def test_a_missing_reading_is_estimated_from_last_year_scaled_by_the_trend() -> None:
    world = World().add(
        recent_daily_wh=24 * KWH, last_year_daily_wh=18 * KWH, last_year_prior_daily_wh=20 * KWH
    )
    row = world.opened(5000).installed(OLD, 0).only()
    # trend 24/20 = 1.2; 18 x 1.2 x 31 days = 669.6 -> 669 kWh, rounded down to the register's whole kWh
    assert (row["energy_wh"], row["is_estimated"], row["end_date"]) == (669 * KWH, True, LIMIT)
    assert (row["hold"], row["recent_daily_wh"]) == (None, 24 * KWH)
    assert unpack(row["readings"])[0].to_quality == ESTIMATED


def test_the_trend_of_an_estimate_is_limited() -> None:
    world = World().add(
        recent_daily_wh=100 * KWH, last_year_daily_wh=10 * KWH, last_year_prior_daily_wh=10 * KWH
    )
    # trend 10, limited to 2: 10 x 2 x 31 = 620
    assert world.opened(5000).installed(OLD, 0).only()["energy_wh"] == 620 * KWH


def test_a_missing_reading_without_last_year_is_estimated_from_recent_use() -> None:
    assert World().add().opened(5000).installed(OLD, 0).only()["energy_wh"] == 620 * KWH  # 20 x 31


def test_a_missing_reading_without_any_history_is_held() -> None:
    row = World().add(recent_daily_wh=None).opened(5000).installed(OLD, 0).only()
    assert (row["hold"], row["energy_wh"], row["end_date"]) == ("NO_HISTORY", 0, LIMIT)


def test_an_estimate_counts_in_whole_steps_of_the_multiplied_register() -> None:
    row = World().add().opened(100, multiplier=40).installed(OLD, 0, multiplier=40).only()
    # 620 kWh / 40 = 15.5 -> 15 kWh of the register -> 600 kWh
    assert row["energy_wh"] == 600 * KWH


def test_an_estimate_passes_the_end_of_the_register() -> None:
    row = World().add().opened(999_800).installed(OLD, 0).only()
    (segment,) = unpack(row["readings"])
    assert (row["energy_wh"], segment.to_wh) == (620 * KWH, 420 * KWH)  # 999,800 + 620 - 1,000,000


def test_an_exchange_without_a_later_reading_estimates_only_the_new_meter() -> None:
    world = (
        World()
        .add()
        .opened(5000)
        .installed(OLD, 0, removed=day(8), closing=5300)
        .installed(day(8), 0, meter=8)
    )
    row = world.only()
    assert row["energy_wh"] == 700 * KWH  # 300 read + 20 days x 20
    assert [s.to_quality for s in unpack(row["readings"])] == [ACTUAL, ESTIMATED]


def test_a_final_bill_is_estimated_from_its_last_reading_to_the_last_day() -> None:
    world = World().add(is_final=True).opened(5000).installed(OLD, 0).read(day(26), 5580)
    row = world.only()
    assert world.needs() == [1000]
    assert (row["end_date"], row["energy_wh"]) == (LIMIT, 620 * KWH)  # 580 read + 2 days x 20
    assert row["is_estimated"]


def test_a_final_bill_without_history_goes_on_as_it_began() -> None:
    world = (
        World().add(is_final=True, recent_daily_wh=None).opened(5000).installed(OLD, 0).read(day(26), 5580)
    )
    assert world.only()["energy_wh"] == 620 * KWH  # 580 over 29 days = 20 a day; 2 days more = 40


def test_a_final_bill_read_on_its_last_day_is_ordinary() -> None:
    world = World().add(is_final=True).opened(5000).read(LIMIT, 5620)
    assert (world.needs(), world.only()["energy_wh"]) == ([], 620 * KWH)


def test_two_agreements_of_one_usage_point_share_the_reading_between_them() -> None:
    world = World().add(is_final=True, end_limit=day(12), expected_end=day(12)).opened(5000).installed(OLD, 0)
    world.read(day(12), 5300).read(LIMIT, 5600)
    world.add(usage_point_id=1000, start_date=day(12), recent_daily_wh=None)
    rows = world.result()
    assert [r["energy_wh"] for r in rows] == [300 * KWH, 300 * KWH]
    assert [r["hold"] for r in rows] == [None, None]


def test_a_period_that_has_no_day_is_held() -> None:
    assert World().add(expected_end=START).opened(5000).installed(OLD, 0).only()["hold"] == "EMPTY_PERIOD"


def test_a_period_beyond_the_most_days_is_held() -> None:
    world = World(rules=MeasureRules(max_days=30)).add().opened(5000).read(LIMIT, 5620)
    row = world.only()
    assert (row["hold"], row["energy_wh"]) == ("PERIOD_TOO_LONG", 620 * KWH)


def test_use_above_the_band_is_held_with_the_band() -> None:
    # expected 20 x 31 = 620; the band reaches 620 x 2.5 = 1550
    row = World().add().opened(5000).read(LIMIT, 6551).only()
    assert (row["hold"], row["energy_wh"]) == ("HIGH_USE", 1551 * KWH)
    assert (row["expected_low_wh"], row["expected_high_wh"]) == (186 * KWH, 1550 * KWH)
    assert World().add().opened(5000).read(LIMIT, 6550).only()["hold"] is None


def test_use_below_the_band_is_held() -> None:
    assert World().add().opened(5000).read(LIMIT, 5185).only()["hold"] == "LOW_USE"  # 620 x 0.3 = 186
    assert World().add().opened(5000).read(LIMIT, 5186).only()["hold"] is None


def test_a_small_difference_is_never_held() -> None:
    # expected 2 x 31 = 62 kWh; 100 kWh more or less is let through
    assert World().add(recent_daily_wh=2 * KWH).opened(5000).read(LIMIT, 5162).only()["hold"] is None
    assert World().add(recent_daily_wh=2 * KWH).opened(5000).read(LIMIT, 5163).only()["hold"] == "HIGH_USE"
    assert World().add(recent_daily_wh=2 * KWH).opened(5000).read(LIMIT, 5000).only()["hold"] is None


def test_no_use_after_use_is_held_as_such() -> None:
    assert World().add().opened(5000).read(LIMIT, 5000).only()["hold"] == "ZERO_USE"


def test_last_year_widens_the_band() -> None:
    # 60 x 31 x 2.5 = 4650 from last year
    row = World().add(last_year_daily_wh=60 * KWH).opened(5000).read(LIMIT, 9650).only()
    assert (row["hold"], row["expected_high_wh"]) == (None, 4650 * KWH)


def test_a_reading_from_the_customer_meets_a_narrower_band() -> None:
    # 620 x 1.75 = 1085
    row = World().add().opened(5000).read(LIMIT, 6086, quality=CUSTOMER).only()
    assert (row["hold"], row["expected_high_wh"]) == ("HIGH_USE", 1085 * KWH)
    assert unpack(row["readings"])[0].to_quality == CUSTOMER
    assert not row["is_estimated"]


def test_peers_move_the_band() -> None:
    # a hot month: three peers at 3 times their recent use; expected 20 x 3 x 31 = 1860, high 4650
    world = World().add().opened(5000).read(LIMIT, 9650)
    for meter in (8, 9, 10):
        world.add().opened(0, meter=meter).read(LIMIT, 1860, meter=meter)
    assert world.result()[0]["hold"] is None
    assert world.result()[0]["expected_high_wh"] == 4650 * KWH
    alone = World().add().opened(5000).read(LIMIT, 9650)
    assert alone.only()["hold"] == "HIGH_USE"


def test_peers_of_another_category_do_not_count() -> None:
    world = World().add().opened(5000).read(LIMIT, 9650)
    for meter in (8, 9, 10):
        world.add(category=2).opened(0, meter=meter).read(LIMIT, 1860, meter=meter)
    assert world.result()[0]["hold"] == "HIGH_USE"


def test_a_first_bill_above_the_ceiling_of_its_category_is_held() -> None:
    rules = MeasureRules(ceiling_daily_wh={1: 50 * KWH}, default_ceiling_daily_wh=100 * KWH)
    world = World(rules=rules).add(recent_daily_wh=None).opened(0).read(LIMIT, 1551)  # 50 x 31 = 1550
    assert (world.only()["hold"], world.only()["expected_high_wh"]) == ("HIGH_USE", 1550 * KWH)
    other = World(rules=rules).add(recent_daily_wh=None, category=2).opened(0).read(LIMIT, 1551)
    assert other.only()["hold"] is None


def test_our_own_estimate_is_not_checked_and_does_not_feed_the_average() -> None:
    row = World().add(recent_daily_wh=100, last_year_daily_wh=None).opened(5000).installed(OLD, 0).only()
    assert (row["hold"], row["recent_daily_wh"]) == (None, 100)


def test_the_rolling_average_takes_the_new_bill_as_one_of_n() -> None:
    # (20 x 2 + 800/31 = 25.806) / 3, in whole Wh: (40000 + 25806) // 3 = 21935
    assert World().add().opened(5000).read(LIMIT, 5800).only()["recent_daily_wh"] == 21935


def test_an_empty_frame_gives_an_empty_result() -> None:
    assert measure(*World().frames(), RULES).height == 0


def test_a_profile_names_the_limits() -> None:
    class Estimation:
        trend_low_percent, trend_high_percent, recent_average_bills = 40, 250, 6

    class HighLow:
        own_low_percent, own_high_percent, peer_high_percent, ignore_below_wh = 30, 300, 600, 300_000

    class Profile:
        estimation, high_low = Estimation(), HighLow()

    rules = MeasureRules.from_profile(Profile())
    assert (rules.trend_min, rules.trend_max, rules.recent_bills) == (400, 2500, 6)
    assert (rules.low_permille, rules.high_permille, rules.min_difference_wh) == (300, 3000, 300_000)
    assert (rules.customer_low_permille, rules.customer_high_permille) == (650, 2000)
