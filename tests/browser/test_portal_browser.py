"""A subscriber opens a bill by its link in a real browser, and everyone else learns nothing."""

import datetime as dt
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.browser.conftest import Site, bill_link

from tayyar.billing.models import Bill
from tayyar.core.links import bill_token
from tayyar.core.models import AuditEntry
from tayyar.core.paths import data_dir
from tayyar.customers.models import CustomerAccount, Language

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db,  # what a test reads is what the site committed; nothing here writes
]


@pytest.fixture
def number(site: Site) -> int:
    """A bill of September whose account reads Arabic."""
    arabic = CustomerAccount.objects.filter(language=Language.ar).values("id")
    return int(Bill.objects.filter(period=202609, account_id__in=arabic).order_by("number")[0].number)


def evidence(number: int, action: str) -> int:
    return AuditEntry.objects.filter(subject=f"bill:{number}", action=action, actor="link").count()


def test_a_bill_opens_in_arabic_on_a_phone_and_leaves_evidence_of_its_reach(
    page: Page, site: Site, number: int
) -> None:
    before = evidence(number, "BILL_OPENED")
    page.goto(bill_link(site, number))
    assert page.locator("html").get_attribute("lang") == "ar"
    assert page.locator("html").get_attribute("dir") == "rtl"
    assert "سبتمبر 2026" in page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert evidence(number, "BILL_OPENED") == before + 1


def test_the_link_page_does_not_say_who_the_holder_is(page: Page, site: Site, number: int) -> None:
    account = CustomerAccount.objects.get(id=Bill.objects.get(period=202609, number=number).account_id)
    page.goto(bill_link(site, number))
    text = page.locator("main").inner_text()
    page.goto(f"{bill_link(site, number)}/bill")
    whole = page.locator("main").inner_text()
    assert "•••" in whole
    text += whole
    assert not any(word in text for word in account.customer.name.split() if len(word) > 2)


def test_the_language_changes_and_the_pdf_follows_it(page: Page, site: Site, number: int) -> None:
    page.goto(bill_link(site, number))
    page.get_by_role("link", name="Français").click()
    assert page.locator("html").get_attribute("lang") == "fr"
    assert page.locator("h1").inner_text() == "Facture d’électricité, septembre 2026"
    assert (page.locator("a[download]").get_attribute("href") or "").endswith("/bill.pdf?lang=fr")


def test_the_pdf_downloads_under_the_bill_number_and_is_kept(page: Page, site: Site, number: int) -> None:
    folder = data_dir() / "cache" / "pdf"
    page.goto(bill_link(site, number) + "?lang=ar")
    with page.expect_download() as caught:
        page.click("a[download]")
    data = Path(caught.value.path()).read_bytes()
    assert caught.value.suggested_filename == f"bill-{number:015d}.pdf"
    assert data.startswith(b"%PDF")
    assert data in [file.read_bytes() for file in folder.glob("*.pdf")]
    assert evidence(number, "BILL_PDF_OPENED") >= 1


def test_wrong_expired_and_unknown_links_get_the_same_answer(page: Page, site: Site, number: int) -> None:
    genuine = bill_link(site, number)
    altered = genuine[:-1] + ("A" if genuine[-1] != "A" else "B")
    expired = bill_link(site, number, expires=dt.date(2026, 11, 2))
    unknown = bill_link(site, 260999999999999)
    bodies = set()
    for address in (altered, expired, unknown, f"{site.url}/b/x"):
        answer = page.goto(address)
        assert answer is not None and answer.status == 404
        bodies.add(page.content())
    assert len(bodies) == 1
    assert "هذا الرابط لم يعد يفتح" in page.inner_text("main")
    assert "This link no longer opens" in page.inner_text("main")
    assert "Ce lien ne s’ouvre plus" in page.inner_text("main")


def test_the_page_behind_a_link_is_not_stored_indexed_framed_or_told_to_others(
    page: Page, site: Site, number: int
) -> None:
    answer = page.goto(bill_link(site, number))
    assert answer is not None
    headers = answer.headers
    assert headers["cache-control"] == "private, no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "set-cookie" not in headers


def test_who_tries_many_wrong_links_waits_a_minute_for_any(page: Page, site: Site, number: int) -> None:
    # 600 points a minute; a wrong link costs 1 + 20: the 29th passes the budget
    answers = [
        page.request.get(f"{site.url}/b/{bill_token(n, expires=dt.date(2020, 1, 1))}") for n in range(29)
    ]
    assert {answer.status for answer in answers[:28]} == {404}
    last = page.request.get(bill_link(site, number))
    assert last.status == 429
    assert last.headers["retry-after"] == "60"


def test_the_health_check_answers_while_the_database_does(page: Page, site: Site) -> None:
    answer = page.request.get(f"{site.url}/healthz")
    assert (answer.status, answer.json()) == (200, {"database": "UP"})


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_of_the_portal_is_accessible(page: Page, site: Site, number: int, lang: str) -> None:
    for address in (f"{site.url}/", bill_link(site, number), f"{site.url}/b/x", f"{site.url}/nothing/here"):
        page.goto(f"{address}?lang={lang}")
        assert page.locator("html").get_attribute("lang") == lang
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert Axe().run(page).response["violations"] == [], address
