"""Use by month and by day, and the next bill's forecast, on the books of real runs."""

import pytest
from tests.scenarios.cast import SALMA, account_id, bill, day, read, settle, the_bill

from tayyar.billing.consumption import daily, forecast, monthly, split
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement
from tayyar.metering.models import MeterReading, ReadingQuality
from tayyar.metering.use_queries import advance_wh, daily_use
from tayyar.tariffs.book import load_book
from tayyar.tariffs.reference import Bill as ReferenceBill
from tayyar.tariffs.reference import charge_one

books = pytest.mark.usefixtures("books")


def two_bills() -> None:
    """Salma: 1 to 28 September 540 kWh (27 days), to 28 October 600 kWh (30 days); both 20 kWh a day."""
    settle(SALMA, start=day("2026-09-01"))
    read(SALMA, day("2026-09-28"), 1540)
    read(SALMA, day("2026-10-28"), 2140)
    bill("2026-09")
    bill("2026-10")


@books
def test_months_are_the_bills_that_stand_oldest_first() -> None:
    two_bills()
    found = monthly(account_id(SALMA), today=day("2026-11-05"))
    assert [(use.period, use.energy_wh, use.days) for use in found] == [
        (Period(2026, 9), 540_000, 27),
        (Period(2026, 10), 600_000, 30),
    ]
    assert found[1].amount_minor == the_bill(SALMA, "2026-10").total_minor
    assert [use.period for use in monthly(account_id(SALMA), 2, today=day("2026-11-05"))] == [
        Period(2026, 10)
    ]


@books
def test_without_daily_readings_there_are_no_days() -> None:
    two_bills()
    assert daily(account_id(SALMA), today=day("2026-11-05")) == []


@books
def test_a_day_is_the_energy_between_its_reading_and_the_next_and_its_share_of_the_bill() -> None:
    two_bills()
    read(SALMA, day("2026-10-10"), 1770)
    read(SALMA, day("2026-10-11"), 1800)
    read(SALMA, day("2026-10-12"), 1810, quality=ReadingQuality.ESTIMATED)
    found = daily(account_id(SALMA), today=day("2026-11-05"))
    # The bill of 600 kWh comes to 135.70: a twentieth of it is 6.785, so 6.79; a sixtieth 2.2617, so 2.26.
    assert the_bill(SALMA, "2026-10").total_minor == 13570
    assert [(use.day, use.energy_wh, use.is_actual) for use in found] == [
        (day("2026-10-10"), 30_000, True),
        (day("2026-10-11"), 10_000, False),
    ]
    assert [use.amount_minor for use in found] == [679, 226]


@books
def test_a_day_that_is_not_billed_has_no_amount_yet() -> None:
    two_bills()
    read(SALMA, day("2026-10-29"), 2170)
    (today,) = daily(account_id(SALMA), today=day("2026-10-29"))
    assert (today.day, today.energy_wh, today.amount_minor) == (day("2026-10-28"), 30_000, None)


@books
def test_a_missing_day_leaves_a_gap_and_is_not_guessed() -> None:
    two_bills()
    for text, kwh in (("2026-10-10", 1770), ("2026-10-11", 1800), ("2026-10-13", 1860)):
        read(SALMA, day(text), kwh)
    assert [use.day for use in daily(account_id(SALMA), today=day("2026-11-05"))] == [day("2026-10-10")]


@books
def test_a_reader_sees_the_days_of_their_own_time_alone() -> None:
    two_bills()
    for text, kwh in (("2026-10-10", 1770), ("2026-10-11", 1800), ("2026-10-12", 1830)):
        read(SALMA, day(text), kwh)
    found = daily(
        account_id(SALMA), today=day("2026-11-05"), sees=lambda first, end: first >= day("2026-10-11")
    )
    assert [use.day for use in found] == [day("2026-10-11")]


@books
def test_a_day_needs_every_register_of_the_meter() -> None:
    settle(SALMA, start=day("2026-09-01"))
    read(SALMA, day("2026-09-10"), 1100)
    read(SALMA, day("2026-09-11"), 1110)
    first = MeterReading.objects.get(read_date=day("2026-09-10"))
    MeterReading.objects.create(
        period=202609,
        usage_point_id=SALMA,
        meter_id=SALMA,
        read_date=day("2026-09-10"),
        register=1,
        value_wh=first.value_wh,
        quality=1,
        received_at=first.received_at,
    )
    assert daily_use([SALMA], first=day("2026-09-01"), end=day("2026-10-01")) == []


@pytest.mark.parametrize(
    ("start", "end", "advance"),
    [
        (1_000, 3_000, 2_000),
        (999_000_000, 5_000_000, 6_000_000),  # 999,000 kWh of 1,000,000: the register passed its end
        (500_000_000, 5_000_000, None),  # half way: somebody misread
    ],
)
def test_a_lower_value_is_a_rollover_from_the_top_tenth_alone(
    start: int, end: int, advance: int | None
) -> None:
    assert advance_wh(start, end, 6) == advance


@books
def test_the_forecast_of_a_steady_account_is_its_steady_use_priced_by_the_tariff() -> None:
    two_bills()
    found = forecast(account_id(SALMA), day("2026-11-05"))
    assert found is not None
    # 28 October to 28 November: 31 days of 20 kWh; both bills as expected, so 10 percent less and more.
    assert (found.start, found.until) == (day("2026-10-28"), day("2026-11-28"))
    assert (found.method, found.energy_wh, found.low_wh, found.high_wh) == (
        "RECENT",
        620_000,
        558_000,
        682_000,
    )
    assert (found.amount_minor, found.low_minor, found.high_minor) == tuple(
        by_the_reference(wh) for wh in (620_000, 558_000, 682_000)
    )


def by_the_reference(energy_wh: int) -> int:
    """The coming bill by the tariffs' plain reference, which the kernel shares nothing with."""
    from tests.scenarios.cast import saudi

    agreement = Agreement.objects.get(pk=SALMA)
    start, end = day("2026-10-28"), day("2026-11-28")
    category = next(c.code for c in saudi().categories if c.number == agreement.category)
    asked = ReferenceBill(category, False, start, end, energy_wh, 60)
    result = charge_one(load_book(saudi()), asked)
    assert result.problem is None
    return result.total


@books
def test_what_the_meter_showed_since_the_bill_is_taken_as_it_is() -> None:
    two_bills()
    read(SALMA, day("2026-11-07"), 2640)
    found = forecast(account_id(SALMA), day("2026-11-08"))
    assert found is not None
    # 500 kWh in 10 days are certain; 21 days of 20 kWh are left, 10 percent less and more.
    assert (found.known_until, found.energy_wh) == (day("2026-11-07"), 920_000)
    assert (found.low_wh, found.high_wh) == (878_000, 962_000)


@books
def test_a_reading_of_the_future_is_not_known_yet() -> None:
    two_bills()
    read(SALMA, day("2026-11-07"), 2640)
    found = forecast(account_id(SALMA), day("2026-11-05"))
    assert found is not None
    assert found.known_until is None


@books
def test_there_is_no_forecast_without_a_bill() -> None:
    settle(SALMA, start=day("2026-09-01"))
    assert forecast(account_id(SALMA), day("2026-09-20")) is None


@books
def test_there_is_no_forecast_of_a_bill_that_is_a_month_late() -> None:
    two_bills()
    assert forecast(account_id(SALMA), day("2026-12-29")) is not None
    assert forecast(account_id(SALMA), day("2026-12-30")) is None


@books
def test_an_agreement_that_ended_with_its_last_bill_has_no_next_one() -> None:
    two_bills()
    Agreement.objects.filter(pk=SALMA).update(end_date=day("2026-10-28"))
    assert forecast(account_id(SALMA), day("2026-11-05")) is None


def test_registers_share_energy_in_proportion_and_lose_nothing() -> None:
    assert split(100, {"PEAK": 1, "OFF": 2}) == {"PEAK": 33, "OFF": 67}
    assert split(7, {"PEAK": 0, "OFF": 0}) == {"PEAK": 4, "OFF": 3}
