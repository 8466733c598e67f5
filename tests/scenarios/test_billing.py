"""The bill run and the corrections after it, on committed books, with the money worked out by hand."""

import json

import pytest
from django.db import connection
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
    settle,
    the_bill,
)

from tayyar.billing import certificate, numbers, services
from tayyar.billing.models import Bill, BillException, BillKind
from tayyar.billing.queries import bill_by_number
from tayyar.billing.worker import connect
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.ledger.models import SystemAccount, Transfer, TransferKind
from tayyar.ledger.services import IdempotencyError, Posting, post
from tayyar.metering.models import Meter, MeterInstallation, ReadingQuality

pytestmark = pytest.mark.usefixtures("books")
SEPTEMBER, OCTOBER = "2026-09", "2026-10"


def september_of_salma() -> None:
    """Salma moves in on 15 August at 1,000 kWh and is read on 14 September: 30 days, 900 kWh."""
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)


def test_a_month_is_charged_as_worked_out_by_hand() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    salma = the_bill(SALMA, SEPTEMBER)
    # 900 kWh x 0.18 = 162.00; 60 A breaker 10.00; VAT 15 % of 172.00 = 25.80; total 197.80
    assert (salma.energy_minor, salma.fixed_minor, salma.tax_minor, salma.total_minor) == (
        16200,
        1000,
        2580,
        19780,
    )
    assert (salma.start_date, salma.end_date) == (day("2026-08-15"), day("2026-09-14"))


def test_an_issue_day_on_a_weekend_moves_to_the_next_working_day() -> None:
    settle(SALMA, start=day("2026-07-15"))
    read(SALMA, day("2026-08-14"), 1900)
    bill("2026-08")  # 28 August 2026 is a Friday; the week begins again on Sunday
    august = the_bill(SALMA, "2026-08")
    assert (august.issue_date, august.due_date) == (day("2026-08-30"), day("2026-09-14"))


def test_a_second_run_of_the_same_period_changes_nothing() -> None:
    september_of_salma()
    first = bill(SEPTEMBER)
    assert bill(SEPTEMBER) == first
    assert Bill.objects.count() == 1


def test_what_was_not_paid_is_the_balance_before_the_next_bill() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 2700)
    bill(OCTOBER)
    october = the_bill(SALMA, OCTOBER)
    # 800 kWh x 0.18 = 144.00; fee 10.00; VAT 23.10; total 177.10; before it 197.80 unpaid
    assert (october.total_minor, october.balance_before_minor) == (17710, 19780)


def test_a_payment_lowers_the_balance_before_the_next_bill() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    payment = Posting(
        Period.parse(OCTOBER),
        TransferKind.PAYMENT,
        1,
        SystemAccount.CASH.value,
        account_id(SALMA),
        19780,
    )
    post(postings=[payment], now=noon("2026-10-02"))
    read(SALMA, day("2026-10-14"), 2700)
    bill(OCTOBER)
    assert the_bill(SALMA, OCTOBER).balance_before_minor == 0


def test_the_same_transfer_again_changes_nothing_and_another_content_is_an_error() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    payment = Posting(
        Period.parse(OCTOBER), TransferKind.PAYMENT, 1, SystemAccount.CASH.value, account_id(SALMA), 5000
    )
    assert post(postings=[payment], now=noon("2026-10-02")) == 1
    assert post(postings=[payment], now=noon("2026-10-03")) == 0
    other = Posting(
        Period.parse(OCTOBER), TransferKind.PAYMENT, 1, SystemAccount.CASH.value, account_id(SALMA), 5001
    )
    with pytest.raises(IdempotencyError):
        post(postings=[other], now=noon("2026-10-03"))
    assert services.balance_of(account_id=account_id(SALMA)) == 19780 - 5000


def test_a_missing_reading_is_estimated_and_trued_up_by_the_next_one() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    settle(NASSER, start=day("2026-09-15"))
    read(NASSER, day("2026-10-14"), 1900)
    bill(OCTOBER)  # Salma was not read: 900 kWh / 30 days = 30 kWh a day from 14 September to 14 October
    october = the_bill(SALMA, OCTOBER)
    assert october.energy_wh == 900_000
    read(SALMA, day("2026-11-14"), 3800)  # 1,900 kWh since the last real reading, of which 900 are billed
    bill("2026-11")
    assert the_bill(SALMA, "2026-11").energy_wh == 1_000_000


def test_use_far_above_the_usual_is_held_and_never_silently_billed() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 9900)
    certified = bill(OCTOBER)
    assert certified["accounts"] == {"eligible": 1, "billed": 0, "held": 1, "rejected": 0}
    assert BillException.objects.get().reason == "HIGH_USE"


def test_a_held_bill_is_released_once_as_it_was_measured() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 9900)
    bill(OCTOBER)
    asked = {
        "period": Period.parse(OCTOBER),
        "agreement_id": SALMA,
        "actor": "user:1",
        "now": noon("2026-10-29"),
    }
    number = services.release(**asked)
    # 8,000 kWh in 30 days: 6,000 x 0.18 = 1,080.00; 2,000 x 0.30 = 600.00; fee 10.00; VAT 253.50; total 1,943.50
    released = Bill.objects.get(number=number)
    assert (released.total_minor, released.balance_before_minor) == (194350, 19780)
    with pytest.raises(UserError, match="decided already"):
        services.release(**asked)


def test_a_mistyped_reading_is_corrected_and_the_next_bill_starts_from_the_right_one() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    number = services.correct(
        period=Period.parse(OCTOBER),
        agreement_id=SALMA,
        value_wh=2_700_000,
        read_date=day("2026-10-14"),
        actor="user:1",
        now=noon("2026-10-29"),
    )
    assert Bill.objects.get(number=number).energy_wh == 800_000
    read(SALMA, day("2026-11-14"), 3600)
    bill("2026-11")
    assert the_bill(SALMA, "2026-11").energy_wh == 900_000


def test_a_held_account_can_be_billed_by_an_estimate() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    number = services.estimate(
        period=Period.parse(OCTOBER), agreement_id=SALMA, actor="user:1", now=noon("2026-10-29")
    )
    assert Bill.objects.get(number=number).energy_wh == 900_000


def test_a_dismissed_account_is_billed_for_both_months_by_the_next_run() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-14"), 27000)
    bill(OCTOBER)
    services.dismiss(
        period=Period.parse(OCTOBER),
        agreement_id=SALMA,
        why="meter to be tested",
        actor="user:1",
        now=noon("2026-10-29"),
    )
    read(SALMA, day("2026-11-14"), 3700)
    bill("2026-11")
    november = the_bill(SALMA, "2026-11")
    assert (november.start_date, november.energy_wh) == (day("2026-09-14"), 1_800_000)


def test_numbers_have_no_gap_although_an_account_between_is_held() -> None:
    for person in (SALMA, NASSER, HUDA):
        settle(person, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900)
    read(NASSER, day("2026-09-14"), 90000)  # 89,000 kWh in a month at a 60 A breaker
    read(HUDA, day("2026-09-14"), 1700)
    bill(SEPTEMBER)
    found = list(Bill.objects.order_by("account_id").values_list("account_id", "number"))
    expected = [numbers.bill_number(Period.parse(SEPTEMBER), numbers.RUN, serial) for serial in (1, 2)]
    assert found == [(account_id(SALMA), expected[0]), (account_id(HUDA), expected[1])]


def test_a_commercial_customer_pays_the_commercial_price() -> None:
    settle(NASSER, start=day("2026-08-15"), category=COMMERCIAL, breaker_a=100)
    read(NASSER, day("2026-09-14"), 2000)
    bill(SEPTEMBER)
    # 1,000 kWh x 0.20 = 200.00; 100 A breaker 15.00; VAT 32.25; total 247.25
    assert the_bill(NASSER, SEPTEMBER).total_minor == 24725


def test_a_meter_exchanged_inside_the_period_bills_both_meters() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    MeterInstallation.objects.filter(id=SALMA).update(removed_on=day("2026-09-30"), closing_wh=2_300_000)
    meter = Meter.objects.create(id=77, serial="M0000000077", digits=6)
    MeterInstallation.objects.create(
        id=77, usage_point_id=SALMA, meter=meter, installed_on=day("2026-09-30"), opening_wh=5_000
    )
    read(SALMA, day("2026-10-14"), 305, meter=77)
    bill(OCTOBER)
    # old meter 1,900 -> 2,300: 400 kWh; new meter 5 -> 305: 300 kWh
    october = the_bill(SALMA, OCTOBER)
    assert october.energy_wh == 700_000
    read(SALMA, day("2026-11-14"), 1105, meter=77)
    bill("2026-11")
    assert the_bill(SALMA, "2026-11").energy_wh == 800_000


def test_who_moves_out_gets_a_final_bill_and_the_next_tenant_pays_only_his_days() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    number = services.move_out(
        agreement_id=SALMA,
        end_date=day("2026-10-05"),
        value_wh=2_400_000,
        actor="user:1",
        now=noon("2026-10-06"),
    )
    final = Bill.objects.get(number=number)
    # 500 kWh x 0.18 = 90.00; fee 10.00; VAT 15.00; total 115.00
    assert (final.kind, final.end_date, final.total_minor) == (BillKind.FINAL, day("2026-10-05"), 11500)
    from tayyar.customers.models import Agreement, Customer, CustomerAccount
    from tayyar.ledger.models import LedgerAccount

    Customer.objects.create(id=NASSER, kind="PERSON", name="ناصر القحطاني")
    CustomerAccount.objects.create(id=account_id(NASSER), customer_id=NASSER, opened_on=day("2026-10-05"))
    LedgerAccount.objects.create(id=account_id(NASSER))
    Agreement.objects.create(
        id=50, account_id=account_id(NASSER), usage_point_id=SALMA, category=1, start_date=day("2026-10-05")
    )
    read(SALMA, day("2026-10-25"), 3000)
    bill(OCTOBER)
    assert list(
        Bill.objects.filter(period=202610).values_list("agreement_id", "energy_wh").order_by("agreement_id")
    ) == [
        (SALMA, 500_000),
        (50, 600_000),
    ]


def test_a_new_customer_without_a_reading_yet_waits_for_the_next_run() -> None:
    settle(SALMA, start=day("2026-09-20"))
    settle(NASSER, start=day("2026-08-15"))
    read(NASSER, day("2026-09-14"), 1900)
    assert bill(SEPTEMBER)["accounts"]["eligible"] == 1
    assert not Bill.objects.filter(agreement_id=SALMA).exists()
    read(SALMA, day("2026-10-14"), 1500)
    bill(OCTOBER)
    assert the_bill(SALMA, OCTOBER).start_date == day("2026-09-20")


def test_a_cancelled_bill_stands_cancelled_by_a_credit_note_over_every_line() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    number = the_bill(SALMA, SEPTEMBER).number
    credit = services.cancel(number=number, why="wrong tariff", actor="user:1", now=noon("2026-10-01"))
    note = Bill.objects.get(number=credit)
    assert (note.revision, note.total_minor) == (1, -19780)
    assert services.balance_of(account_id=account_id(SALMA)) == 0
    with pytest.raises(UserError, match=f"cancelled already, by credit note {credit}"):
        services.cancel(number=number, why="again", actor="user:1", now=noon("2026-10-01"))


def test_a_rebill_charges_the_period_again_by_what_is_known_now() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    number = the_bill(SALMA, SEPTEMBER).number
    from tayyar.metering.corrections import correct_reading

    correct_reading(
        usage_point_id=SALMA,
        value_wh=1_800_000,
        read_date=day("2026-09-14"),
        actor="user:1",
        now=noon("2026-10-01"),
    )
    _, again = services.rebill(number=number, why="misread", actor="user:1", now=noon("2026-10-01"))
    # 800 kWh x 0.18 = 144.00; fee 10.00; VAT 23.10; total 177.10
    assert Bill.objects.get(number=again).total_minor == 17710
    assert services.balance_of(account_id=account_id(SALMA)) == 17710
    read(SALMA, day("2026-10-14"), 2700)
    bill(OCTOBER)
    assert the_bill(SALMA, OCTOBER).energy_wh == 900_000


def test_days_of_a_cancelled_bill_are_billed_with_the_next_run() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    services.cancel(
        number=the_bill(SALMA, SEPTEMBER).number, why="misread", actor="user:1", now=noon("2026-10-01")
    )
    read(SALMA, day("2026-10-14"), 2700)
    bill(OCTOBER)
    october = the_bill(SALMA, OCTOBER)
    assert (october.start_date, october.energy_wh, october.balance_before_minor) == (
        day("2026-08-15"),
        1_700_000,
        0,
    )


def test_a_bill_cannot_be_edited() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_bill SET total_minor = total_minor - 1, energy_minor = energy_minor - 1"
        )


def test_verification_fails_when_one_bill_was_altered_behind_the_database_s_back() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    with connect(database_url()) as raw:
        assert certificate.verify(raw, Period.parse(SEPTEMBER)) == []
        raw.execute("ALTER TABLE billing_bill_202609 DISABLE TRIGGER ALL")
        raw.execute("UPDATE billing_bill_202609 SET due_date = due_date + 1")
        assert any(
            "not what was issued" in problem for problem in certificate.verify(raw, Period.parse(SEPTEMBER))
        )
        raw.execute("UPDATE billing_bill_202609 SET due_date = due_date - 1")
        raw.execute("ALTER TABLE billing_bill_202609 ENABLE TRIGGER ALL")


def test_verification_fails_when_the_certificate_was_altered() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    with connect(database_url()) as raw:
        (stored,) = raw.execute("SELECT certificate FROM billing_billrun").fetchone() or ({},)
        raw.execute(
            "UPDATE billing_billrun SET certificate = %s",
            [json.dumps({**stored, "certified_at": "2020-01-01"})],
        )
        assert any("signature" in problem for problem in certificate.verify(raw, Period.parse(SEPTEMBER)))


def test_a_bill_shows_why_it_changed_to_the_last_halala() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    read(SALMA, day("2026-10-15"), 3140)
    bill(OCTOBER)
    view = bill_by_number(number=the_bill(SALMA, OCTOBER).number)
    # October: 1,240 kWh x 0.18 = 223.20; 10.00; VAT 34.98; total 268.18. September was 197.80: +70.38.
    # Days: 900 x 31/30 = 930 kWh -> 167.40 + 10.00, VAT 26.61 = 204.01: +6.21. Use: 268.18 - 204.01 = +64.17.
    assert [(share.kind.value, share.amount_minor) for share in view.explanation] == [
        ("DAYS", 621),
        ("CONSUMPTION", 6417),
    ]


def test_a_customer_s_own_reading_is_billed_and_shown_as_such() -> None:
    settle(SALMA, start=day("2026-08-15"))
    read(SALMA, day("2026-09-14"), 1900, quality=ReadingQuality.CUSTOMER)
    bill(SEPTEMBER)
    view = bill_by_number(number=the_bill(SALMA, SEPTEMBER).number)
    assert [reading.to_quality.value for reading in view.readings] == ["CUSTOMER"]


def test_a_run_refuses_to_start_while_the_profile_has_open_questions(tmp_path, monkeypatch) -> None:
    from tayyar.billing import run
    from tayyar.profiles import load

    with connect(database_url()) as raw, pytest.raises(UserError, match="COM_GUIDE_FROM"):
        run.plan(raw, period=Period.parse(SEPTEMBER), profile=load("sa"), now=noon("2026-10-01"))


def test_every_bill_of_the_run_and_nothing_else_is_in_the_ledger() -> None:
    september_of_salma()
    bill(SEPTEMBER)
    kinds = Transfer.objects.order_by("kind").values_list("kind", "amount_minor")
    assert list(kinds) == [
        (TransferKind.BILL, 19780),
        (TransferKind.REVENUE_ENERGY, 16200),
        (TransferKind.REVENUE_FIXED, 1000),
        (TransferKind.TAX, 2580),
    ]
