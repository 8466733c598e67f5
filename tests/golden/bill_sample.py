"""A fixed cast of customers and their bills, for the tests and pictures of the bill.

Owns sample `BillView`s whose figures are worked out by hand below. Never used by the platform itself.
Next: test_bill_page.py, test_bill_pdf.py, tests/benchmarks/bench_pdf.py.
"""

from dataclasses import replace
from datetime import date

from tayyar.billing.documents.view import (
    BillKind,
    BillLineView,
    BillView,
    ChangeKind,
    ChangeShare,
    Contact,
    ContactKind,
    HistoryView,
    LineKind,
    PaymentView,
    PayWay,
    Quality,
    ReadingView,
    Unit,
)
from tayyar.core.money import Currency
from tayyar.core.text import Formats

SAR, EGP, BHD, MRU = Currency("SAR", 2), Currency("EGP", 2), Currency("BHD", 3), Currency("MRU", 2)
KWH = 1000


def history(last: date, *energy_kwh: int | None) -> tuple[HistoryView, ...]:
    """Thirteen months that end with the month of `last`, oldest first."""
    index = last.year * 12 + last.month - 1
    months = [date(i // 12, i % 12 + 1, 1) for i in range(index - len(energy_kwh) + 1, index + 1)]
    return tuple(
        HistoryView(month, None if kwh is None else kwh * KWH)
        for month, kwh in zip(months, energy_kwh, strict=True)
    )


SA_FORMATS = Formats(hijri=True, currency_words={"ar": "ريال"})
EG_FORMATS = Formats(digits="arab", currency_words={"ar": "جنيه"})
BH_FORMATS = Formats(currency_words={"ar": "دينار"})
MR_FORMATS = Formats(
    currency_words={"ar": "أوقية"},
    months={
        "ar": ("يناير", "فبراير", "مارس", "إبريل", "مايو", "يونيو",
               "يوليو", "أغشت", "شتمبر", "أكتوبر", "نوفمبر", "دجمبر"),
    },
)  # fmt: skip


def sa_home() -> BillView:
    """Umm Salman's house in Riyadh, November 2025, paid on time, a warmer month than the last.

    1,277 kWh x 0.18 = 229.86; fee 10.00; VAT 15 % of 239.86 = 35.979 -> 35.98; total 275.84.
    October: 1,020 kWh x 0.18 = 183.60; fee 10.00; VAT 15 % of 193.60 = 29.04; total 222.64 over 31 days.
    Change +53.20. Days: 1,020 x 30/31 = 987.097 kWh, x 0.18 = 177.68, + 10 = 187.68, VAT 28.15 -> 215.83: -6.81.
    Consumption: 275.84 - 215.83 = +60.01.
    """
    return BillView(
        bill_number=202511000000017,
        kind=BillKind.BILL,
        utility_name={"ar": "شركة تيار للكهرباء", "en": "Tayyar Electricity", "fr": "Tayyar Électricité"},
        account_number="30012345678",
        holder_name="نورة عبدالله القحطاني",
        service_address={
            "ar": "حي النرجس، شارع 14، الرياض",
            "en": "Al Narjis, street 14, Riyadh",
            "fr": "Al Narjis, rue 14, Riyad",
        },
        service_centre={"ar": "مركز شمال الرياض", "en": "Riyadh North", "fr": "Riyad Nord"},
        category={"ar": "سكني", "en": "Residential", "fr": "Résidentiel"},
        period_start=date(2025, 11, 1),
        period_end=date(2025, 12, 1),
        issue_date=date(2025, 11, 30),
        due_date=date(2025, 12, 11),
        currency=SAR,
        formats=SA_FORMATS,
        total_minor=27584,
        energy_minor=22986,
        fixed_minor=1000,
        subsidy_minor=0,
        tax_minor=3598,
        balance_before_minor=0,
        amount_due_minor=27584,
        energy_wh=1277 * KWH,
        lines=(
            BillLineView(LineKind.ENERGY, 22986, "", 1277 * KWH, Unit.KWH, 180_000, 0, 6000),
            BillLineView(
                LineKind.FIXED,
                1000,
                {
                    "ar": "خدمة العداد، قاطع 60 أمبير",
                    "en": "Meter service, 60 A breaker",
                    "fr": "Service du compteur, disjoncteur 60 A",
                },
                1000,
                Unit.MONTH,
                10_000_000,
            ),
            BillLineView(
                LineKind.TAX,
                3598,
                {"ar": "ضريبة القيمة المضافة", "en": "Value added tax", "fr": "Taxe sur la valeur ajoutée"},
                15_000,
                Unit.PERCENT,
            ),
        ),
        readings=(
            ReadingView(
                "SA-0071-4429", "1.8.0", date(2025, 11, 1), 48_213 * KWH, Quality.ACTUAL,
                date(2025, 12, 1), 49_490 * KWH, Quality.ACTUAL, 1277 * KWH,
            ),
        ),
        page_url="https://bill.tayyar.example/b/Zk3vT9qLxP2mWn8cR5yH7d",
        history=history(
            date(2025, 11, 1), 1110, 820, 760, 790, 1040, 1490, 2210, 2780, 2960, 2890, 2310, 1020, 1277
        ),
        same_month_last_year_wh=1110 * KWH,
        previous_total_minor=22264,
        payments=(
            PaymentView(date(2025, 11, 6), 22264, {"ar": "دفعة عبر سداد", "en": "By SADAD", "fr": "Par SADAD"}),
        ),
        explanation=(
            ChangeShare(ChangeKind.DAYS, -681, {"days_before": 31, "days_now": 30}),
            ChangeShare(
                ChangeKind.CONSUMPTION, 6001, {"wh_per_day_before": 32_903, "wh_per_day_now": 42_567}
            ),
        ),
        contacts=(
            Contact(ContactKind.PHONE, "920 000 000"),
            Contact(ContactKind.EMAIL, "care@tayyar.example"),
            Contact(ContactKind.WEB, "tayyar.example/help"),
        ),
        ways_to_pay=(
            PayWay(
                {"ar": "سداد", "en": "SADAD", "fr": "SADAD"},
                {
                    "ar": "من تطبيق البنك أو الصراف، المفوتر 002",
                    "en": "in your bank's app or at an ATM, biller 002",
                    "fr": "dans l’application de votre banque ou au distributeur, facturier 002",
                },
            ),
            PayWay(
                {"ar": "مركز الخدمة", "en": "Service centre", "fr": "Agence"},
                {"ar": "نقدا أو بالبطاقة", "en": "in cash or by card", "fr": "en espèces ou par carte"},
            ),
        ),
        pdf_url="/b/Zk3vT9qLxP2mWn8cR5yH7d/bill.pdf",
        issuer_vat_number="300000000000003",
    )  # fmt: skip


def eg_home() -> BillView:
    """A flat in Tanta with Arabic digits, an estimated reading, arrears and four marginal blocks.

    50 x 0.68 = 34.00; 50 x 0.78 = 39.00; 100 x 0.95 = 95.00; 118 x 1.55 = 182.90; energy 350.90.
    Customer service fee 15.00. Total 365.90. Balance before 120.50. Due 486.40.
    Last bill: 300.90. Days +0, consumption +56.00, other +9.00.
    """
    blocks = ((3400, 50, 680_000, 0, 50), (3900, 50, 780_000, 50, 100), (9500, 100, 950_000, 100, 200),
              (18290, 118, 1_550_000, 200, 350))  # fmt: skip
    return replace(
        sa_home(),
        bill_number=202511000048213,
        account_number="0412207719350",
        holder_name="محمود السيد إبراهيم",
        service_address={"ar": "شارع البحر، طنطا", "en": "El Bahr street, Tanta", "fr": "Rue El Bahr, Tanta"},
        service_centre={"ar": "هندسة طنطا أول", "en": "Tanta 1", "fr": "Tanta 1"},
        category={"ar": "منزلي", "en": "Residential", "fr": "Résidentiel"},
        currency=EGP,
        formats=EG_FORMATS,
        total_minor=36590,
        energy_minor=35090,
        fixed_minor=1500,
        tax_minor=0,
        balance_before_minor=12050,
        amount_due_minor=48640,
        energy_wh=318 * KWH,
        lines=(
            *(
                BillLineView(LineKind.ENERGY, amount, "", kwh * KWH, Unit.KWH, price, low, high)
                for amount, kwh, price, low, high in blocks
            ),
            BillLineView(
                LineKind.FIXED,
                1500,
                {"ar": "خدمة العملاء", "en": "Customer service", "fr": "Service client"},
                1000,
                Unit.MONTH,
                15_000_000,
            ),
        ),
        readings=(
            ReadingView(
                "EG-55120", "1.8.0", date(2025, 11, 1), 7_310 * KWH, Quality.CUSTOMER,
                date(2025, 12, 1), 7_628 * KWH, Quality.ESTIMATED, 318 * KWH,
            ),
        ),
        history=history(date(2025, 11, 1), 250, 231, 228, None, 240, 262, 318, 402, 431, 415, 340, 282, 318),
        same_month_last_year_wh=250 * KWH,
        previous_total_minor=30090,
        payments=(PaymentView(date(2025, 11, 9), 20000),),
        explanation=(
            ChangeShare(ChangeKind.CONSUMPTION, 5600, {"wh_per_day_before": 9_400, "wh_per_day_now": 10_600}),
            ChangeShare(ChangeKind.OTHER, 900),
        ),
        support_minor=38_160,
        issuer_vat_number="",
    )  # fmt: skip


def bh_home() -> BillView:
    """A villa in Muharraq with three decimals and a subsidy line, final bill.

    2,400 kWh x 0.029 = 69.600; subsidy -62.400 (from 0.029 to 0.003); fee 0; VAT 10 % of 7.200 = 0.720; total 7.920.
    Change from 6.600: days +0.220, consumption +1.100, subsidy 0; hand-made to show three decimals.
    """
    return replace(
        sa_home(),
        bill_number=202511000000321,
        kind=BillKind.FINAL,
        account_number="1400235519",
        holder_name="فاطمة جاسم",
        service_address={"ar": "مجمع 215، المحرق", "en": "Block 215, Muharraq", "fr": "Bloc 215, Muharraq"},
        service_centre={"ar": "المحرق", "en": "Muharraq", "fr": "Muharraq"},
        currency=BHD,
        formats=BH_FORMATS,
        total_minor=7920,
        energy_minor=69600,
        fixed_minor=0,
        subsidy_minor=-62400,
        tax_minor=720,
        balance_before_minor=0,
        amount_due_minor=7920,
        energy_wh=2400 * KWH,
        lines=(
            BillLineView(LineKind.ENERGY, 69600, "", 2400 * KWH, Unit.KWH, 29_000, 0, 3000),
            BillLineView(LineKind.SUBSIDY, -62400),
            BillLineView(LineKind.TAX, 720, "VAT", 10_000, Unit.PERCENT),
        ),
        readings=(
            ReadingView(
                "BH-9001", "1.8.0", date(2025, 11, 1), 98_800 * KWH, Quality.ACTUAL,
                date(2025, 12, 1), 1_200 * KWH, Quality.ACTUAL, 2400 * KWH,
            ),
        ),
        history=history(
            date(2025, 11, 1), 2110, 1480, 1300, 1320, 1700, 2450, 3620, 4180, 4300, 4050, 3300, 2030, 2400
        ),
        same_month_last_year_wh=2110 * KWH,
        previous_total_minor=6600,
        payments=(),
        explanation=(
            ChangeShare(ChangeKind.DAYS, 220, {"days_before": 29, "days_now": 30}),
            ChangeShare(ChangeKind.CONSUMPTION, 1100, {"wh_per_day_before": 70_000, "wh_per_day_now": 80_000}),
        ),
    )  # fmt: skip


def mr_shop() -> BillView:
    """A new shop in Nouakchott: first bill, no history to compare, in credit after paying ahead.

    180 kWh x 5.90 = 1,062.00; total 1,062.00; paid 1,500.00 ahead: 438.00 in the customer's favour.
    """
    return replace(
        sa_home(),
        bill_number=202512000000009,
        account_number="2207719",
        holder_name="Sidi Ould Ahmed",
        service_address={"ar": "تفرغ زينة، نواكشوط", "en": "Tevragh-Zeina, Nouakchott"},
        service_centre={"ar": "نواكشوط الغربية", "fr": "Nouakchott Ouest", "en": "Nouakchott West"},
        category={"ar": "تجاري", "en": "Commercial", "fr": "Commercial"},
        period_start=date(2025, 12, 10),
        period_end=date(2026, 1, 1),
        issue_date=date(2025, 12, 31),
        due_date=date(2026, 1, 15),
        currency=MRU,
        formats=MR_FORMATS,
        total_minor=106200,
        energy_minor=106200,
        fixed_minor=0,
        tax_minor=0,
        balance_before_minor=-150000,
        amount_due_minor=-43800,
        energy_wh=180 * KWH,
        lines=(BillLineView(LineKind.ENERGY, 106200, "", 180 * KWH, Unit.KWH, 5_900_000, 0, None),),
        readings=(
            ReadingView(
                "MR-77", "1.8.0", date(2025, 12, 10), 0, Quality.ACTUAL,
                date(2026, 1, 1), 180 * KWH, Quality.ACTUAL, 180 * KWH,
            ),
        ),
        history=(),
        same_month_last_year_wh=None,
        previous_total_minor=None,
        payments=(PaymentView(date(2025, 12, 10), 150000),),
        explanation=(),
        issuer_vat_number="",
    )  # fmt: skip


CAST = {"sa": sa_home, "eg": eg_home, "bh": bh_home, "mr": mr_shop}
