"""Home, bills, use, payments and readings of a signed-in person, in Arabic on a phone, as people use them.

With TAYYAR_SCREENSHOTS the pages are kept as pictures, light and dark.
"""

import csv
import datetime as dt
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import NOW, PHONE, Site
from tests.scenarios.login_cast import a_person

from tayyar.billing.models import Bill
from tayyar.claims.models import Holding
from tayyar.core import clock
from tayyar.core.periods import Period
from tayyar.customers.models import Agreement, CustomerAccount
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import Person
from tayyar.ledger.models import SystemAccount, TransferKind
from tayyar.ledger.services import Posting, post
from tayyar.metering.models import MeterReading, ReadingQuality
from tayyar.portal.me_words import ME_WORDS
from tayyar.requests.models import ServiceRequest

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
Written = TypeVar("Written")
MOMENT = clock.parse_moment(NOW)
AR = ME_WORDS["ar"]


def committed(write: Callable[[], Written]) -> Written:
    """Write over a connection of its own, outside the test's transaction, so that the server sees it."""

    def work() -> Written:
        try:
            return write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


@dataclass(frozen=True)
class Cast:
    """Layla holds two accounts, Noor one; `foreign` is a bill of neither. Accounts are eleven-digit numbers."""

    layla: str  # session keys
    noor: str
    flat: int
    shop: int
    single: int
    bill: int
    foreign: int


@pytest.fixture(scope="module")
def people(site: Site, django_db_blocker: object) -> Cast:
    """Two people with holdings; the flat's meter is read daily in October, and something was paid for it."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        return committed(_people)


def _people() -> Cast:
    bills = list(Bill.objects.filter(period=202609, kind=1, total_minor__gt=0).order_by("number")[:60])
    going_on = set(Agreement.objects.filter(end_date=None).values_list("id", flat=True))
    plain = [bill for bill in bills if bill.agreement_id in going_on and len(bill.readings) == 5]
    flat, shop, single, foreign = plain[:4]
    layla = a_person(MOMENT, number="1012345672", mobile="0500000071")
    noor = a_person(MOMENT, number="1098765434", mobile="0500000072", name="نور العتيبي")
    _hold(layla, flat, nickname="شقتي", budget_minor=5000)
    _hold(layla, shop, nickname="")
    _hold(noor, single, nickname="بيتنا")
    _read_daily(flat)
    paid = Posting(
        Period(2026, 10), TransferKind.PAYMENT, 4711, SystemAccount.CASH.value, flat.account_id, 4200
    )
    post(postings=[paid], now=dt.datetime(2026, 10, 20, 9, tzinfo=dt.UTC))
    numbers = [CustomerAccount.objects.get(id=bill.account_id).number for bill in (flat, shop, single)]
    return Cast(_session(layla), _session(noor), *numbers, bill=flat.number, foreign=foreign.number)


def _hold(person: Person, bill: Bill, *, nickname: str, budget_minor: int | None = None) -> None:
    Holding.objects.create(
        account_id=bill.account_id,
        customer=person.customer,
        role="TENANT",
        start_date=dt.date(2020, 1, 1),
        nickname=nickname,
        budget_minor=budget_minor,
        created_at=MOMENT,
    )


def _read_daily(bill: Bill) -> None:
    """A reading at the start of each of 20 days after the bill, 7 to 13 kWh apart."""
    point = Agreement.objects.get(id=bill.agreement_id).usage_point_id
    MeterReading.objects.filter(usage_point_id=point, read_date__gt=bill.end_date).delete()
    meter, value = bill.readings[0], bill.readings[4]
    for at in range(20):
        day = bill.end_date + dt.timedelta(days=at + 1)
        value += (7 + at * 5 % 7) * 1000
        MeterReading.objects.create(
            period=Period.of(day).number,
            usage_point_id=point,
            meter_id=meter,
            read_date=day,
            register=0,
            value_wh=value,
            quality=ReadingQuality.ACTUAL,
            received_at=MOMENT,
        )


def _session(person: Person) -> str:
    client = Client()
    client.force_login(person.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=MOMENT)
    session.save()
    return str(session.session_key)


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open a signed-in phone: visit(session). It asks no other host, and no script of it fails."""
    contexts, asked, faults = [], [], []

    def opened(session: str, *, scripts: bool = True) -> Page:
        context = chromium.new_context(viewport=PHONE, locale="ar", java_script_enabled=scripts)
        context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []
    assert faults == []


def keep(page: Page, name: str) -> None:
    """A picture of the page, light and dark, where somebody asked for pictures."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=True)
        page.emulate_media(color_scheme="light")


def test_one_account_is_its_own_page_with_amount_day_and_the_number_to_copy(
    visit: Callable[..., Page], site: Site, people: Cast
) -> None:
    page = visit(people.noor, scripts=False)
    page.goto(f"{site.url}/me?lang=ar")
    expect(page.locator("h1")).to_have_text("بيتنا")
    expect(page.locator(".due")).to_contain_text("ريال")
    expect(page.locator("#account")).to_have_text(str(people.single))
    expect(page.locator("#pay")).to_contain_text("سداد")
    keep(page, "me-home-one")


def test_several_accounts_are_cards_and_each_opens(
    visit: Callable[..., Page], site: Site, people: Cast
) -> None:
    page = visit(people.layla)
    page.goto(f"{site.url}/me?lang=ar")
    assert page.locator(".card").count() == 2
    assert page.locator(".card .state").count() == 2
    keep(page, "me-home-cards")
    page.get_by_role("link", name="شقتي").click()
    expect(page.locator("h1")).to_have_text("شقتي")
    expect(page.locator("svg.months")).to_be_visible()
    keep(page, "me-account")


def test_the_list_leads_to_the_whole_bill_and_its_pdf(
    visit: Callable[..., Page], site: Site, people: Cast
) -> None:
    page = visit(people.layla)
    page.goto(f"{site.url}/me/bills?account={people.flat}&lang=ar")
    assert page.locator(".list .entry").count() == 2
    keep(page, "me-bills")
    page.locator(".list .entry").first.click()
    expect(page.locator("h1")).to_contain_text("سبتمبر 2026")
    assert page.locator("h1").count() == 1
    keep(page, "me-bill")
    with page.expect_download() as download:
        page.get_by_role("link", name="تنزيل").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")


def test_use_shows_months_days_the_next_bill_and_keeps_a_budget(
    visit: Callable[..., Page], site: Site, people: Cast
) -> None:
    page = visit(people.layla)
    page.goto(f"{site.url}/me/use?account={people.flat}&lang=ar")
    expect(page.locator("svg.months rect.coming")).to_have_count(1)
    expect(page.locator("svg.days rect")).to_have_count(20)
    expect(page.locator("main")).to_contain_text("نتوقع")
    keep(page, "me-use")
    page.fill("[name=budget]", "٣٠٠٫٥")
    page.get_by_role("button", name=AR["budget_save"]).click()
    expect(page.locator("main")).to_contain_text(AR["budget_saved"])
    assert Holding.objects.get(account_id=people.flat // 100).budget_minor == 30050
    page.get_by_role("link", name=AR["by_money"]).click()
    expect(page.locator("svg.months line.budget")).to_have_count(1)
    keep(page, "me-use-money")
    page.fill("[name=budget]", "كثير")
    page.get_by_role("button", name=AR["budget_save"]).click()
    expect(page.locator("main")).to_contain_text(AR["budget_bad"])
    assert Holding.objects.get(account_id=people.flat // 100).budget_minor == 30050


def test_payments_have_a_receipt(visit: Callable[..., Page], site: Site, people: Cast) -> None:
    page = visit(people.layla)
    page.goto(f"{site.url}/me/payments?account={people.flat}&lang=ar")
    keep(page, "me-payments")
    page.locator(".list .entry").click()
    expect(page.locator("main")).to_contain_text("42.00")
    keep(page, "me-receipt")
    page.goto(f"{site.url}/me/payments?account={people.shop}&lang=ar")
    expect(page.locator("main")).to_contain_text(AR["payments_none_title"])


def test_files_are_what_they_say(visit: Callable[..., Page], site: Site, people: Cast) -> None:
    page = visit(people.layla)
    get = page.context.request.get
    bills = get(f"{site.url}/me/use/bills.csv?account={people.flat}&lang=ar").body()
    rows = list(csv.reader(io.StringIO(bills.decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["الشهر", "2026-09", "2026-08"]
    assert get(f"{site.url}/me/use/all.xlsx?account={people.flat}").body().startswith(b"PK")
    assert b"UsageSummary" in get(f"{site.url}/me/use/greenbutton.xml?account={people.flat}").body()
    archive = get(f"{site.url}/me/bills/archive.zip?account={people.flat}&year=2026")
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.body())) as found:
        assert len(found.namelist()) == 2


def test_a_reading_is_mended_then_taken_and_a_photo_opens_a_review(
    visit: Callable[..., Page], site: Site, people: Cast
) -> None:
    page = visit(people.noor)
    page.goto(f"{site.url}/me/readings?lang=ar")
    keep(page, "me-reading")
    page.fill("[name=value]", "12a")
    page.get_by_role("button", name=AR["reading_send"]).click()
    expect(page.locator("[role=alert]")).to_contain_text(AR["reading_NUMBER"])
    keep(page, "me-reading-wrong")
    page.fill("[name=value]", "٩٨٧٦")
    made = io.BytesIO()
    Image.new("RGB", (300, 200), "#d8d2c4").save(made, "PNG")
    page.set_input_files(
        "[name=photo]", {"name": "meter.png", "mimeType": "image/png", "buffer": made.getvalue()}
    )
    page.get_by_role("button", name=AR["reading_send"]).click()
    expect(page.locator("h1")).to_have_text(AR["reading_done_title"])
    keep(page, "me-reading-done")
    request = ServiceRequest.objects.get(type="READING_DISPUTE", account_id=people.single // 100)
    expect(page.locator(".copy")).to_have_text(request.reference)
    assert request.documents.get().media_type == "image/jpeg"
    point = Agreement.objects.get(account_id=people.single // 100).usage_point_id
    stored = MeterReading.objects.get(usage_point_id=point, read_date=MOMENT.date())
    assert (stored.value_wh, stored.quality) == (9_876_000, ReadingQuality.CUSTOMER)


def test_another_persons_account_bill_and_file_are_the_page_of_an_unknown_address(
    visit: Callable[..., Page], site: Site, people: Cast
) -> None:
    get = visit(people.noor).context.request.get
    unknown = get(f"{site.url}/me/nothing/here?lang=en")
    foreign = [
        f"me/accounts/{people.flat}",
        f"me/bills/{people.foreign}",
        f"me/bills/{people.bill}",
        f"me/bills/{people.bill}/bill.pdf",
        f"me/bills?account={people.flat}",
        f"me/bills/archive.zip?account={people.flat}&year=2026",
        f"me/payments?account={people.flat}",
        f"me/payments/{people.flat}/202610-7-4711",
        f"me/payments/{people.single}/202610-7-4711",
        f"me/use?account={people.flat}",
        f"me/use/bills.csv?account={people.flat}",
        f"me/use/all.xlsx?account={people.flat}",
        f"me/use/greenbutton.xml?account={people.flat}",
        f"me/readings?account={people.flat}",
        "me/accounts/12345678901",
        "me/accounts/x",
        "me/bills/0",
        "me/bills/999999999999999",
        "me/bills/x",
        "me/use/other.csv",
    ]
    for address in foreign:
        found = get(f"{site.url}/{address}{'&' if '?' in address else '?'}lang=en")
        assert (found.status, found.text()) == (404, unknown.text()), address


def test_a_visitor_is_sent_to_the_login(page: Page, site: Site, people: Cast) -> None:
    for address in ("me", "me/bills", f"me/bills/{people.bill}", "me/use", "me/payments", "me/readings"):
        found = page.context.request.get(f"{site.url}/{address}", max_redirects=0)
        assert (found.status, found.headers["location"].split("?")[0]) == (302, "/login"), address


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    visit: Callable[..., Page], site: Site, people: Cast, lang: str, scheme: str
) -> None:
    page = visit(people.layla)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for address in (
        "me",
        f"me/accounts/{people.flat}",
        f"me/bills?account={people.flat}",
        f"me/bills/{people.bill}",
        f"me/use?account={people.flat}",
        f"me/use?account={people.flat}&by=money",
        f"me/payments?account={people.flat}",
        f"me/payments/{people.flat}/202610-7-4711",
        f"me/readings?account={people.shop}",
    ):
        page.goto(f"{site.url}/{address}{'&' if '?' in address else '?'}lang={lang}")
        for summary in page.locator("main summary").all():
            summary.click()
        assert page.locator("html").get_attribute("lang") == lang, address
        assert page.locator("h1").count() == 1, address
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        assert Axe().run(page).response["violations"] == [], address
