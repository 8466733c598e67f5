"""Staff at work in a real browser: sign in, watch a run to its certificate, decide about held accounts."""

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from playwright.sync_api import Page, expect
from tests.browser.conftest import PASSWORD, Site, sign_in

from tayyar.billing.certificate import canonical
from tayyar.billing.models import Bill, BillException, BillRun
from tayyar.core.models import AuditEntry
from tayyar.metering.models import MeterInstallation, MeterReading

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db,  # what a test reads is what the site committed; nothing here writes
]


def open_hold(*, reason: str = "HIGH_USE") -> BillException:
    """A held account that nobody decided about yet."""
    found = BillException.objects.filter(reason=reason, resolution="").order_by("-period").first()
    assert found is not None
    return found


def period_text(period: int) -> str:
    return f"{period // 100}-{period % 100:02d}"


def held_address(site: Site, held: BillException) -> str:
    return f"{site.url}/console/runs/{period_text(held.period)}/held/{held.agreement_id}"


def audited(action: str, subject: str) -> int:
    return AuditEntry.objects.filter(action=action, subject=subject).count()


def test_the_console_asks_who_is_there_and_brings_the_visitor_where_he_wanted(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/console/runs/2026-09?lang=ar")
    assert "/console/login" in page.url
    page.fill("[name=username]", "manager")
    page.fill("[name=password]", "not-the-password")
    page.click("main button")
    assert "غير صحيح" in page.locator("[role=alert]").inner_text()
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    assert page.locator("h1").inner_text() == "إصدار سبتمبر 2026"


def test_who_is_not_staff_stays_outside(page: Page, site: Site) -> None:
    sign_in(page, site, "customer")
    assert page.locator("[role=alert]").count() == 1
    page.goto(f"{site.url}/console/")
    assert "/console/login" in page.url


def test_the_run_page_tells_the_truth_in_one_line_and_adds_up_the_tariffs(desk: Page, site: Site) -> None:
    run = BillRun.objects.get(period=202609)
    accounts = run.certificate["accounts"]
    desk.goto(f"{site.url}/console/runs/2026-09")
    assert desk.locator(".truth").first.inner_text() == (
        f"Accounts: {accounts['billed']} of {accounts['eligible']} billed, {accounts['held']} held, "
        f"{accounts['rejected']} rejected"
    )
    total = f"{run.certificate['money']['total_minor'] / 100:,.2f}"
    assert total in desk.locator("tr.sum").inner_text()
    assert total in desk.locator("#certificate").inner_text()


def test_the_certificate_downloads_as_json_that_its_signature_fits_and_as_pdf(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/runs/2026-09")
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="Certificate JSON").click()
    content = json.loads(Path(caught.value.path()).read_bytes())
    public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(content["certificate"]["public_key"]))
    public_key.verify(bytes.fromhex(content["signature"]), canonical(content["certificate"]))
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="Certificate PDF").click()
    assert Path(caught.value.path()).read_bytes().startswith(b"%PDF")


def test_a_worker_verifies_every_bill_and_the_page_says_so_by_itself(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/runs/2026-08")
    desk.get_by_role("button", name="Verify every bill").click()
    expect(desk.locator("#verification")).to_contain_text("Waiting for a worker")
    site.work()
    expect(desk.locator("#verification")).to_contain_text("every bill is as it was issued", timeout=10_000)


def test_a_run_is_started_from_the_console_and_shown_until_it_is_certified(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/")
    desk.get_by_role("link", name="Start the run").click()
    assert desk.locator("h1").inner_text() == "Start the run of October 2026"
    desk.get_by_role("button", name="Start the run").click()
    expect(desk.locator("#live")).to_contain_text("Waiting for a worker")
    assert audited("BILL_RUN_ASKED", "run:2026-10") == 1
    site.work()
    expect(desk.locator("#certificate")).to_be_visible(timeout=15_000)
    assert BillRun.objects.get(period=202610).state == "CERTIFIED"


def test_a_held_account_is_released_from_the_browser(desk: Page, site: Site) -> None:
    held = open_hold()
    desk.goto(held_address(site, held))
    assert audited("HELD_ACCOUNT_READ", f"account:{held.account_id}") >= 1
    desk.get_by_role("button", name="Bill as measured").click()
    bill = Bill.objects.get(period=held.period, agreement_id=held.agreement_id)
    expect(desk.locator("[role=status]")).to_have_text(f"Bill {bill.number} is issued.")
    assert bill.energy_wh == held.detail["energy_wh"]
    assert audited("HELD_BILL_RELEASED", f"agreement:{held.agreement_id}") == 1
    desk.get_by_role("link", name="Open the bill").click()
    assert desk.locator(".due strong").is_visible()
    assert audited("BILL_READ", f"bill:{bill.number}") == 1


def test_a_mistyped_reading_is_explained_and_keeps_what_was_typed(desk: Page, site: Site) -> None:
    held = open_hold()
    desk.goto(held_address(site, held))
    desk.keyboard.press("c")  # the key shown beside the field
    desk.keyboard.type("12x")
    desk.fill("[name=read_date]", "2026-10-20")
    desk.get_by_role("button", name="Correct and bill").click()
    assert "A register value is a number" in desk.locator("[role=alert]").inner_text()
    assert desk.input_value("[name=value_kwh]") == "12x"
    assert not BillException.objects.get(pk=held.pk).resolution


def test_a_held_account_is_billed_by_a_corrected_reading_typed_in_arabic_digits(
    desk: Page, site: Site
) -> None:
    held = open_hold()
    desk.goto(held_address(site, held))
    meter = MeterInstallation.objects.get(usage_point_id=held.agreement_id)
    read = MeterReading.objects.filter(usage_point_id=held.agreement_id, period__lt=held.period)
    last = read.order_by("-read_date").first()
    right_kwh = (last.value_wh if last else meter.opening_wh) // 1000 + 120
    desk.fill("[name=value_kwh]", str(right_kwh).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    desk.fill("[name=read_date]", held.detail["end_date"])
    desk.get_by_role("button", name="Correct and bill").click()
    expect(desk.locator("[role=status]")).to_contain_text("is issued")
    assert BillException.objects.get(pk=held.pk).resolution == "CORRECTED"
    bill = Bill.objects.get(period=held.period, agreement_id=held.agreement_id)
    assert bill.energy_wh == 120_000 * meter.multiplier


def test_an_account_left_for_next_month_says_why_in_the_audit_log(desk: Page, site: Site) -> None:
    held = open_hold(reason="NO_HISTORY")
    desk.goto(held_address(site, held))
    assert desk.get_by_role("button", name="Bill as measured").count() == 0
    desk.fill("[name=why]", "The meter is being exchanged")
    desk.get_by_role("button", name="Leave for next month").click()
    expect(desk.locator("[role=status]")).to_contain_text("without a bill")
    entry = AuditEntry.objects.get(action="HELD_BILL_DISMISSED", subject=f"agreement:{held.agreement_id}")
    assert entry.detail["why"] == "The meter is being exchanged"


def test_a_reader_sees_everything_and_changes_nothing(page: Page, site: Site) -> None:
    sign_in(page, site, "reader")
    held = open_hold()
    page.goto(held_address(site, held))
    assert page.locator("main form").count() == 0
    token = page.evaluate("document.querySelector('[name=csrfmiddlewaretoken]').value")
    answer = page.request.post(
        f"{held_address(site, held)}/release",
        form={"csrfmiddlewaretoken": token},
        headers={"Origin": site.url},
    )
    assert answer.status == 403
    assert not BillException.objects.get(pk=held.pk).resolution


def test_the_run_page_is_whole_without_script(desk: Page, site: Site) -> None:
    context = desk.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    context.add_cookies(desk.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto(f"{site.url}/console/runs/2026-09")
    assert plain.locator(".truth").first.is_visible()
    assert plain.locator("#certificate").is_visible()
    context.close()


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_staff_screen_is_accessible_and_fits_phone_and_desk(desk: Page, site: Site, lang: str) -> None:
    held = BillException.objects.filter(period=202609).order_by("id")[0]
    console = f"{site.url}/console"
    screens = [
        *("", "runs/2026-09", "runs/2026-09/held", "runs/2026-09/start", "runs/2020-01"),
        f"runs/2026-09/held/{held.agreement_id}",
    ]
    for screen in screens:
        desk.set_viewport_size({"width": 1280, "height": 900})
        desk.goto(f"{console}/{screen}?lang={lang}")
        assert desk.locator("html").get_attribute("lang") == lang
        assert Axe().run(desk).response["violations"] == [], screen
        desk.set_viewport_size({"width": 360, "height": 740})
        assert desk.evaluate("document.documentElement.scrollWidth") <= 360, screen
    desk.context.clear_cookies()
    desk.goto(f"{console}/login?lang={lang}")
    assert Axe().run(desk).response["violations"] == []
