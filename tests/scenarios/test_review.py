"""Corners of the books that a reviewer found: what comes late, twice, out of order or at the same moment."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from tests.scenarios.cast import (
    COMMERCIAL,
    HUDA,
    NASSER,
    SALMA,
    account_id,
    bill,
    database_url,
    day,
    noon,
    read,
    saudi,
    settle,
    the_bill,
)

from tayyar.billing import chunks, run, services
from tayyar.billing.dry_run import dry_run
from tayyar.billing.models import Bill, BillException, BillKind, BillRun
from tayyar.billing.queries import bill_by_number
from tayyar.billing.worker import connect
from tayyar.config.commands.review import parse_kwh
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement
from tayyar.metering.models import Meter, MeterInstallation, MeterReading, UsagePoint

pytestmark = pytest.mark.usefixtures("books")
AUGUST, SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = "2026-08", "2026-09", "2026-10", "2026-11", "2026-12"
OFFICE = 60  # an agreement, usage point and meter beside those of the cast


def september_of_salma() -> None:
    """Salma moves in on 15 August at 1,000 kWh and is read on 14 September: 30 days, 900 kWh."""
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)


def office(*, of: int, start: str, opening_kwh: int = 5000) -> None:
    """A second agreement of a member of the cast, with a usage point and meter of its own."""
    point = UsagePoint.objects.create(
        id=OFFICE,
        service_centre_id=UsagePoint.objects.get(id=of).service_centre_id,
        breaker_a=60,
        address="2",
    )
    meter = Meter.objects.create(id=OFFICE, serial="M0000000060", digits=6)
    MeterInstallation.objects.create(
        id=OFFICE, usage_point=point, meter=meter, installed_on=day(start), opening_wh=opening_kwh * 1000
    )
    Agreement.objects.create(
        id=OFFICE, account_id=account_id(of), usage_point=point, category=COMMERCIAL, start_date=day(start)
    )


def days_billed(agreement_id: int) -> list[tuple[str, str]]:
    """Start and end of the standing bills of an agreement, oldest first."""
    found = Bill.objects.filter(agreement_id=agreement_id).exclude(kind=BillKind.CREDIT_NOTE)
    return [(str(b.start_date), str(b.end_date)) for b in found.order_by("period", "revision")]


# ------------------------------------------------------------------------------ accounts with several agreements


def test_one_agreement_held_a_month_goes_on_where_it_was_billed_last_although_the_other_was_billed() -> None:
    september_of_salma()
    office(of=SALMA, start="2026-08-15")
    read(OFFICE, day("2026-09-14"), 6000)
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 2700)
    read(OFFICE, day("2026-10-14"), 25000)  # 19,000 kWh after 1,000: held
    bill(OCTOBER)
    read(SALMA, day("2026-11-14"), 3600)
    read(OFFICE, day("2026-11-14"), 8000)
    MeterReading.objects.filter(usage_point_id=OFFICE, period=202610).delete()
    bill(NOVEMBER)
    assert days_billed(OFFICE) == [("2026-08-15", "2026-09-14"), ("2026-09-14", "2026-11-14")]
    assert the_bill(OFFICE, NOVEMBER).energy_wh == 2_000_000


def test_an_agreement_that_ended_long_ago_is_not_billed_again_beside_the_next_one_of_its_account() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    services.move_out(
        agreement_id=SALMA, end_date=day("2026-10-05"), value_wh=2_400_000, actor="u", now=noon("2026-10-06")
    )
    Agreement.objects.create(
        id=61,
        account_id=account_id(SALMA),
        usage_point_id=SALMA,
        category=COMMERCIAL,
        start_date=day("2026-10-05"),
    )  # the house became a shop
    for month, kwh in ((10, 2800), (11, 3700), (12, 4600)):
        read(SALMA, day(f"2026-{month}-14"), kwh)
        bill(f"2026-{month}")
    assert days_billed(SALMA) == [("2026-08-15", "2026-09-14"), ("2026-09-14", "2026-10-05")]
    assert days_billed(61) == [
        ("2026-10-05", "2026-10-14"),
        ("2026-10-14", "2026-11-14"),
        ("2026-11-14", "2026-12-14"),
    ]


def test_each_bill_of_an_account_with_two_agreements_stands_on_the_ones_before() -> None:
    september_of_salma()
    office(of=SALMA, start="2026-08-15")
    read(OFFICE, day("2026-09-14"), 6000)
    bill(SEPTEMBER)
    home, shop = the_bill(SALMA, SEPTEMBER), the_bill(OFFICE, SEPTEMBER)
    # 900 x 0.18 = 162.00; 10.00; VAT 25.80: 197.80.  1,000 x 0.20 = 200.00; 10.00; VAT 31.50: 241.50
    assert (home.total_minor, home.balance_before_minor) == (19780, 0)
    assert (shop.total_minor, shop.balance_before_minor) == (24150, 19780)
    assert services.balance_of(account_id=account_id(SALMA)) == 43930


# ------------------------------------------------------------------------------------- held for two months


def hold_october_and_bill_november() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    MeterReading.objects.filter(period=202610).update(value_wh=2_700_000)
    read(SALMA, day("2026-11-14"), 3600)
    bill(NOVEMBER)


@pytest.mark.parametrize("decide", [services.release, services.estimate])
def test_a_hold_whose_days_the_next_run_billed_cannot_be_billed_a_second_time(decide: Any) -> None:
    hold_october_and_bill_november()
    assert days_billed(SALMA)[-1] == ("2026-09-14", "2026-11-14")
    with pytest.raises(UserError, match=r"billed .* already"):
        decide(period=Period.parse(OCTOBER), agreement_id=SALMA, actor="u", now=noon("2026-11-30"))
    services.dismiss(
        period=Period.parse(OCTOBER),
        agreement_id=SALMA,
        why="billed since",
        actor="u",
        now=noon("2026-11-30"),
    )


def test_a_hold_of_an_agreement_that_got_its_final_bill_since_cannot_be_released() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 9900)
    bill(OCTOBER)
    services.move_out(
        agreement_id=SALMA, end_date=day("2026-10-30"), value_wh=9_950_000, actor="u", now=noon("2026-10-30")
    )
    with pytest.raises(UserError, match=r"billed .* already"):
        services.release(period=Period.parse(OCTOBER), agreement_id=SALMA, actor="u", now=noon("2026-10-31"))


def test_two_held_months_are_released_one_after_the_other() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 9900)
    bill(OCTOBER)
    read(SALMA, day("2026-11-14"), 17900)
    bill(NOVEMBER)
    for period in (OCTOBER, NOVEMBER):
        services.release(period=Period.parse(period), agreement_id=SALMA, actor="u", now=noon("2026-11-30"))
    assert days_billed(SALMA) == [
        ("2026-08-15", "2026-09-14"),
        ("2026-09-14", "2026-10-14"),
        ("2026-10-14", "2026-11-14"),
    ]


# ------------------------------------------------------------- final bills before, after and between the runs


def test_a_final_bill_in_a_month_that_was_never_run_is_not_made_again_by_the_next_run() -> None:
    settle(SALMA, start=day("2026-08-15"))
    settle(NASSER, start=day("2026-08-15"))
    services.move_out(
        agreement_id=SALMA, end_date=day("2026-09-10"), value_wh=1_500_000, actor="u", now=noon("2026-09-10")
    )
    read(NASSER, day("2026-10-14"), 1900)
    bill(OCTOBER)  # the first run of these books
    assert days_billed(SALMA) == [("2026-08-15", "2026-09-10")]


def test_a_final_bill_made_before_a_late_run_of_the_month_before_is_not_made_again_by_it() -> None:
    september_of_salma()
    office(of=SALMA, start="2026-08-15")
    read(OFFICE, day("2026-09-14"), 6000)
    bill(SEPTEMBER)
    services.move_out(
        agreement_id=SALMA, end_date=day("2026-11-02"), value_wh=2_400_000, actor="u", now=noon("2026-11-02")
    )
    read(OFFICE, day("2026-10-14"), 7000)
    bill(OCTOBER)
    assert days_billed(SALMA) == [("2026-08-15", "2026-09-14"), ("2026-09-14", "2026-11-02")]
    read(OFFICE, day("2026-11-14"), 8000)
    bill(NOVEMBER)
    # 197.80 + final 500 kWh x 0.18 + fee by months + VAT + three months of the office: what transfers say
    last = the_bill(OFFICE, NOVEMBER)
    assert last.balance_before_minor + last.total_minor == services.balance_of(account_id=account_id(SALMA))
    assert last.balance_before_minor == sum(
        Bill.objects.exclude(number=last.number).values_list("total_minor", flat=True)
    )


def test_a_supply_cannot_end_in_the_future() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    with pytest.raises(UserError, match="has not come"):
        services.move_out(
            agreement_id=SALMA, end_date=day("2027-01-01"), value_wh=None, actor="u", now=noon("2026-10-06")
        )


def test_the_reading_on_the_last_day_closes_an_agreement_also_when_the_empty_house_is_read_later() -> None:
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)
    bill(SEPTEMBER)
    Agreement.objects.filter(id=SALMA).update(end_date=day("2026-09-30"))
    read(SALMA, day("2026-09-30"), 2300)
    read(SALMA, day("2026-10-25"), 2301)
    bill(OCTOBER)
    october = the_bill(SALMA, OCTOBER)
    assert (october.kind, str(october.end_date), october.energy_wh) == (BillKind.FINAL, "2026-09-30", 400_000)
    assert bill_by_number(number=october.number).readings[0].to_quality.value == "ACTUAL"


def test_a_cancelled_final_bill_is_made_again_by_the_next_run() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    number = services.move_out(
        agreement_id=SALMA, end_date=day("2026-10-05"), value_wh=2_400_000, actor="u", now=noon("2026-10-06")
    )
    services.cancel(number=number, why="wrong price", actor="u", now=noon("2026-10-07"))
    settle(NASSER, start=day("2026-09-15"))
    for month in (10, 11):
        read(NASSER, day(f"2026-{month}-14"), month * 1000)
        bill(f"2026-{month}")
    assert the_bill(SALMA, NOVEMBER).kind == BillKind.FINAL
    assert the_bill(SALMA, NOVEMBER).energy_wh == 500_000


# ---------------------------------------------------------------------------------------- what a reviewer types


def correct_october(read_date: str, kwh: int) -> int:
    """A reviewer's reading of Salma's meter for October, which was held at 27,000."""
    return services.correct(
        period=Period.parse(OCTOBER),
        agreement_id=SALMA,
        value_wh=kwh * 1000,
        read_date=day(read_date),
        actor="u",
        now=noon("2026-11-03"),
    )


def test_a_corrected_reading_of_a_day_billed_already_is_refused_instead_of_billing_an_estimate() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    with pytest.raises(UserError, match="billed to 2026-09-14"):
        correct_october("2026-09-10", 1800)
    assert not BillException.objects.get().resolution
    assert not MeterReading.objects.filter(read_date=day("2026-09-10")).exists()


def test_a_meter_read_again_after_the_issue_day_is_billed_to_that_day() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    number = correct_october("2026-11-02", 3370)
    # 49 days at 30 kWh: 3,370 - 1,900 = 1,470 kWh
    found = Bill.objects.get(number=number)
    assert (str(found.end_date), found.energy_wh) == ("2026-11-02", 1_470_000)
    read(SALMA, day("2026-11-14"), 3730)
    bill(NOVEMBER)
    assert the_bill(SALMA, NOVEMBER).energy_wh == 360_000


def test_a_bill_on_which_a_later_one_stands_cannot_be_cancelled() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 2700)
    bill(OCTOBER)
    later = the_bill(SALMA, OCTOBER).number
    with pytest.raises(UserError, match=f"not the newest of its agreement: {later}"):
        services.cancel(number=the_bill(SALMA, SEPTEMBER).number, why="x", actor="u", now=noon("2026-11-01"))


@pytest.mark.parametrize("typed", ["1e99999", "1e999999", "-1e999999", "-3", "0.0001", "nan", "x"])
def test_a_register_value_that_no_meter_shows_is_refused_in_words(typed: str) -> None:
    with pytest.raises(UserError):
        parse_kwh(typed)


@pytest.mark.parametrize("typed", ["0000-01", "1999-12", "9999-12", "2026-13"])
def test_a_month_that_bill_numbers_cannot_carry_is_refused_in_words(typed: str) -> None:
    with pytest.raises(UserError, match="is not a period"):
        Period.parse(typed)


def test_an_estimate_above_the_next_real_reading_is_set_right_by_cancelling_it() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    settle(NASSER, start=day("2026-09-15"))
    read(NASSER, day("2026-10-14"), 1900)
    bill(OCTOBER)  # Salma was not read: 900 kWh estimated, to 2,800
    read(SALMA, day("2026-11-14"), 2700)
    bill(NOVEMBER)
    assert BillException.objects.get(agreement_id=SALMA).reason == "ESTIMATE_ABOVE_ACTUAL"
    services.cancel(
        number=the_bill(SALMA, OCTOBER).number, why="estimated too high", actor="u", now=noon("2026-11-29")
    )
    number = services.correct(
        period=Period.parse(NOVEMBER),
        agreement_id=SALMA,
        value_wh=2_700_000,
        read_date=day("2026-11-14"),
        actor="u",
        now=noon("2026-11-29"),
    )
    # 14 September to 14 November: 2,700 - 1,900 = 800 kWh; two months of the fee
    found = Bill.objects.get(number=number)
    assert (str(found.start_date), found.energy_wh, found.fixed_minor) == ("2026-09-14", 800_000, 2000)
    # 800 x 0.18 = 144.00; 20.00; VAT 24.60: 188.60, and September's 197.80
    assert services.balance_of(account_id=account_id(SALMA)) == 18860 + 19780


def test_an_account_rejected_for_its_category_is_billed_as_measured_once_the_category_is_right() -> None:
    settle(SALMA, start=day("2026-08-15"), category=99)
    read(SALMA, day("2026-09-14"), 1900)
    assert bill(SEPTEMBER)["accounts"] == {"eligible": 1, "billed": 0, "held": 0, "rejected": 1}
    Agreement.objects.filter(id=SALMA).update(category=1)
    number = services.release(
        period=Period.parse(SEPTEMBER), agreement_id=SALMA, actor="u", now=noon("2026-10-01")
    )
    assert Bill.objects.get(number=number).total_minor == 19780


def test_a_month_without_use_costs_the_fee_and_its_tax() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 1900)
    bill(OCTOBER)  # no use after use: held
    number = services.release(
        period=Period.parse(OCTOBER), agreement_id=SALMA, actor="u", now=noon("2026-10-30")
    )
    # 0 kWh; 10.00; VAT 1.50
    assert Bill.objects.get(number=number).total_minor == 1150


def test_the_use_of_the_calendar_year_starts_anew_in_january() -> None:
    settle(SALMA, start=day("2026-11-15"))
    for month, kwh in (("2026-12", 1900), ("2027-01", 2800), ("2027-02", 3700)):
        read(SALMA, day(f"{month}-14"), kwh)
        bill(month)
    assert [the_bill(SALMA, month).year_wh for month in ("2026-12", "2027-01", "2027-02")] == [
        900_000,
        900_000,
        1_800_000,
    ]


# ------------------------------------------------------------------------------------------ readings that lack


def test_a_period_of_which_no_reading_came_is_refused_instead_of_estimating_everybody() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    with pytest.raises(UserError, match=r"No reading of 2026-10"):
        bill(OCTOBER)
    assert BillRun.objects.count() == 1


def test_readings_taken_after_the_last_issue_day_count_for_the_next_period() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-09-29"), 2350)  # the round of October began early
    bill(OCTOBER)
    assert the_bill(SALMA, OCTOBER).energy_wh == 450_000


# ------------------------------------------------------------------------------------------------- rehearsals


def test_a_dry_run_says_what_the_run_will_bill_and_writes_nothing(settings: Any) -> None:
    settings.DATABASE_URL = database_url()
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 2700)
    settle(NASSER, start=day("2026-09-15"))
    read(NASSER, day("2026-10-14"), 90000)
    with clock.at(noon("2026-10-30")):
        rehearsed = dry_run(period=Period.parse(OCTOBER), profile=saudi())
    assert (Bill.objects.count(), BillRun.objects.count(), BillException.objects.count()) == (1, 1, 0)
    certified = bill(OCTOBER)
    assert {key: rehearsed[key] for key in ("accounts", "energy_wh", "money", "tariffs")} == {
        key: certified[key] for key in ("accounts", "energy_wh", "money", "tariffs")
    }
    assert rehearsed["accounts"] == {"eligible": 2, "billed": 1, "held": 1, "rejected": 0}


def test_a_dry_run_of_a_month_without_readings_is_refused(settings: Any) -> None:
    settings.DATABASE_URL = database_url()
    september_of_salma()
    with clock.at(noon("2026-10-30")), pytest.raises(UserError, match="No reading of 2026-10"):
        dry_run(period=Period.parse(OCTOBER), profile=saudi())


# -------------------------------------------------------------------------------------------- at the same moment


def while_october_is_under_way(call: Callable[[], Any]) -> None:
    """Plan October and claim its chunk, call, and then let a worker finish."""
    with connect(database_url()) as raw:
        run_id = run.plan(raw, period=Period.parse(OCTOBER), profile=saudi(), now=noon("2026-10-30"))
        facts = run.facts_of(raw, run_id, saudi())
        lease = chunks.claim(raw, run_id)
        assert lease
        result = run.compute(raw, facts, lease.first_account_id, lease.end_account_id)
        chunks.publish_count(raw, lease, result.bills.height)
        try:
            call()
        finally:
            run.write(raw, facts, lease, result, 1, noon("2026-10-30"))


def test_a_bill_cannot_be_cancelled_while_a_run_stands_on_it() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 2700)
    number = the_bill(SALMA, SEPTEMBER).number
    with pytest.raises(UserError, match="2026-10 is under way"):
        while_october_is_under_way(
            lambda: services.cancel(number=number, why="x", actor="u", now=noon("2026-10-30"))
        )
    bill(OCTOBER)
    assert days_billed(SALMA)[-1] == ("2026-09-14", "2026-10-14")


def test_nobody_moves_out_while_the_run_is_billing_him() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 2700)
    with pytest.raises(UserError, match="2026-10 is under way"):
        while_october_is_under_way(
            lambda: services.move_out(
                agreement_id=SALMA,
                end_date=day("2026-10-20"),
                value_wh=2_800_000,
                actor="u",
                now=noon("2026-10-30"),
            )
        )
    bill(OCTOBER)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Call all at once, each over a connection of its own; their results, or what they raised."""
    results: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def one(place: int) -> None:
        try:
            barrier.wait()
            results[place] = calls[place]()
        except Exception as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_of_two_reviewers_at_the_same_moment_one_bills_and_the_other_is_told() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 9900)
    bill(OCTOBER)
    asked = {"period": Period.parse(OCTOBER), "agreement_id": SALMA, "actor": "u", "now": noon("2026-10-29")}
    results = together(lambda: services.release(**asked), lambda: services.estimate(**asked))
    assert sorted(type(result).__name__ for result in results) == ["UserError", "int"]


def test_a_rebill_and_a_correction_at_the_same_moment_do_not_wait_for_each_other_in_a_circle() -> None:
    for person in (SALMA, NASSER, HUDA):
        settle(person, start=day("2026-08-15"))
        read(person, day("2026-09-14"), 1900)
    bill(SEPTEMBER)
    read(NASSER, day("2026-10-14"), 27000)
    read(HUDA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    number = the_bill(SALMA, OCTOBER).number

    def correct() -> int:
        return services.correct(
            period=Period.parse(OCTOBER),
            agreement_id=NASSER,
            value_wh=2_700_000,
            read_date=day("2026-10-14"),
            actor="u",
            now=noon("2026-10-30"),
        )

    def release() -> int:
        return services.release(
            period=Period.parse(OCTOBER), agreement_id=HUDA, actor="u", now=noon("2026-10-30")
        )

    def rebill() -> tuple[int, int]:
        return services.rebill(number=number, why="misread", actor="u", now=noon("2026-10-30"))

    errors = [result for result in together(correct, release, rebill) if isinstance(result, Exception)]
    assert errors == []
