"""A self-service machine in a real browser: fingers only, Arabic first, both screen sizes, scripts and network lost.

With TAYYAR_SCREENSHOTS the screens are kept as pictures.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect
from tests.browser.conftest import NOW, Site, bill_link
from tests.browser.test_wishes_browser import committed

from tayyar.billing.models import Bill
from tayyar.core import clock, crypto
from tayyar.core.references import with_check
from tayyar.customers.models import Channel, CustomerAccount, Language
from tayyar.customers.services import add_contact_point
from tayyar.devices.services import add_device
from tayyar.kiosk import views
from tayyar.kiosk.models import Visit
from tayyar.metering.models import ServiceCentre
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message, Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
MOMENT = clock.parse_moment(NOW)
UPRIGHT, WIDE = ViewportSize(width=1080, height=1920), ViewportSize(width=1280, height=1024)
_machines = iter(range(1, 100))
_taken: list[int] = []


def _context(chromium: Browser, size: ViewportSize, *, scripts: bool = True) -> BrowserContext:
    return chromium.new_context(
        viewport=size, locale="en", has_touch=True, java_script_enabled=scripts, accept_downloads=True
    )


def _enrol(context: BrowserContext, site: Site) -> Page:
    """An operator's code, typed with the fingers."""
    views.ENROLMENTS.clear()
    name = f"Hall {next(_machines)}"

    def work() -> str:
        centre = ServiceCentre.objects.order_by("id")[0].pk
        _, code = add_device(
            name=name,
            service_centre_id=centre,
            receipt_printer="",
            prints_pages=True,
            actor="user:1",
            now=MOMENT,
        )
        return code

    page = context.new_page()
    page.goto(f"{site.url}/kiosk/")
    type_in(page, committed(work))
    page.locator(".go").tap()
    expect(page.locator(".door")).to_have_count(3)
    return page


@pytest.fixture(params=[UPRIGHT, WIDE], ids=["upright", "wide"])
def machine(chromium: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An enrolled machine at its doors; it asks no other host for anything, and no script fails."""
    context = _context(chromium, request.param)
    asked: list[str] = []
    faults: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield _enrol(context, site)
    context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []
    assert faults == []


@pytest.fixture
def plain(chromium: Browser, site: Site) -> Iterator[Page]:
    """One whose scripts are lost."""
    context = _context(chromium, WIDE, scripts=False)
    yield _enrol(context, site)
    context.close()


@pytest.fixture
def bill(site: Site) -> Bill:
    """The September bill of an account of its own, whose holder has a phone."""

    def work() -> Bill:
        arabic = CustomerAccount.objects.filter(language=Language.ar).values("id")
        found = Bill.objects.filter(period=202609, account_id__in=arabic).exclude(account_id__in=_taken)
        bill = found.order_by("-number")[0]
        _taken.append(bill.account_id)
        add_contact_point(
            account_id=bill.account_id,
            channel=Channel.SMS,
            address=f"+9665{bill.account_id % 10**8:08d}",
            verified_at=MOMENT,
            actor="user:1",
            now=MOMENT,
        )
        return bill

    return committed(work)


def type_in(page: Page, digits: str) -> None:
    """With a finger, on our own pad."""
    for place, digit in enumerate(digits):
        page.locator(f".digit[value='{digit}']").tap()
        expect(page.locator("[name=number]")).to_have_value(digits[: place + 1])


def sent_code(bill: Bill) -> str:
    ref = Message.objects.filter(kind=MessageKind.ONE_TIME_CODE, account_id=bill.account_id).latest("ref").ref
    sealed = Payload.objects.get(ref=ref).facts_sealed
    return str(json.loads(crypto.unseal(bytes(sealed), field=PAYLOAD_FIELD))["values"]["code"])


def enter(page: Page, bill: Bill, door: int = 0) -> None:
    page.locator(".door").nth(door).tap()
    page.locator(".door", has_text="رقم الحساب").tap()
    type_in(page, str(with_check(bill.account_id)))
    page.locator(".go").tap()
    expect(page.locator("h1")).to_have_text("اكتب الرمز")
    type_in(page, sent_code(bill))
    page.locator(".go").tap()


def look(page: Page, name: str) -> None:
    """Nothing for axe to find, nothing under 72 px to touch, nothing beside the screen; a picture for who wants one."""
    size = page.viewport_size
    assert size is not None
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"kiosk-{name}-{size['width']}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for target in page.locator("a:visible, button:visible:not(.unseen), label.pick:visible").all():
        box = target.bounding_box()
        assert box is not None and box["height"] >= 72 and box["width"] >= 72, target.inner_text()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_bill_is_seen_and_printed_with_the_fingers_alone(machine: Page, bill: Bill) -> None:
    look(machine, "doors")
    machine.locator(".door").first.tap()
    expect(machine.locator("h1")).to_have_text("كيف تريد الدخول؟")
    look(machine, "ways")
    machine.locator(".door", has_text="رقم الحساب").tap()
    type_in(machine, str(with_check(bill.account_id)))
    look(machine, "account")
    machine.locator(".go").tap()
    expect(machine.locator("h1")).to_have_text("اكتب الرمز")
    look(machine, "code")
    type_in(machine, sent_code(bill))
    machine.locator(".go").tap()
    expect(machine.locator("h1")).to_have_text("فواتيرك")
    look(machine, "bills")
    machine.locator(f"a[href$='{bill.number}']").tap()
    expect(machine.locator("h1")).to_contain_text("سبتمبر 2026")
    look(machine, "bill")
    with machine.expect_download() as sheet:
        machine.locator("[value=PAGE]").tap()
    assert sheet.value.suggested_filename.endswith(".pdf")
    machine.locator(".back").tap()
    machine.locator(f"a[href$='{bill.number}']").tap()
    with machine.expect_download() as download:
        machine.locator("[value=SLIP]").tap()
    assert download.value.suggested_filename.endswith(".escpos")
    assert Path(download.value.path()).read_bytes().startswith(b"\x1b@\x1dv0")
    expect(machine.locator("h1")).to_have_text("الطباعة")
    look(machine, "printed")
    machine.locator(".go").tap()
    expect(machine.locator("h1")).to_have_text("ماذا تريد؟")
    assert not Visit.objects.filter(account_id=bill.account_id).exists()


def test_a_request_is_made_and_its_number_shown(machine: Page, bill: Bill) -> None:
    enter(machine, bill, door=1)
    expect(machine.locator("h1")).to_have_text("ماذا تطلب؟")
    look(machine, "requests")
    machine.locator(".door").first.tap()
    expect(machine.locator("h1")).to_have_text("الفاتورة الورقية")
    look(machine, "ask")
    machine.locator(".go").tap()
    expect(machine.locator("h1")).to_have_text("وصلنا طلبك")
    expect(machine.locator(".reference")).to_contain_text("R-")
    look(machine, "asked")


def test_a_scanner_that_types_opens_the_bill(machine: Page, bill: Bill, site: Site) -> None:
    machine.locator(".door").first.tap()
    machine.locator(".door", has_text="رمز الفاتورة").tap()
    expect(machine.locator("h1")).to_have_text("ضع رمز الفاتورة أمام القارئ")
    look(machine, "scan")
    machine.keyboard.type(bill_link(site, bill.number))
    machine.keyboard.press("Enter")
    expect(machine.locator("h1")).to_contain_text("سبتمبر 2026")


def test_the_way_back_shows_nothing_of_the_former_visitor(machine: Page, bill: Bill) -> None:
    enter(machine, bill)
    machine.locator(f"a[href$='{bill.number}']").tap()
    expect(machine.locator("h1")).to_contain_text("سبتمبر")
    machine.locator(".leave").tap()
    expect(machine.locator("h1")).to_have_text("ماذا تريد؟")
    for _ in range(3):
        machine.evaluate("history.back()")
        machine.wait_for_timeout(300)
        expect(machine.locator("h1")).to_have_text("ماذا تريد؟")
    machine.goto(machine.url.replace("/kiosk/", f"/kiosk/bills/{bill.number}"))
    expect(machine.locator("h1")).to_have_text("ماذا تريد؟")


def test_after_60_seconds_without_a_touch_all_is_forgotten(machine: Page, bill: Bill) -> None:
    machine.clock.install()
    enter(machine, bill)
    expect(machine.locator("h1")).to_have_text("فواتيرك")
    machine.clock.run_for(50_000)
    expect(machine.locator("[data-still]")).to_be_visible()
    look(machine, "still")
    machine.locator("h1").tap()
    expect(machine.locator("[data-still]")).to_be_hidden()
    machine.clock.run_for(61_000)
    expect(machine.locator("h1")).to_have_text("ماذا تريد؟")
    assert not Visit.objects.filter(account_id=bill.account_id).exists()


def test_the_language_is_chosen_and_forgotten(machine: Page) -> None:
    machine.locator(".door").nth(2).tap()
    expect(machine.locator("h1")).to_have_text("اختر اللغة")
    look(machine, "language")
    for code, title in (("fr", "Que souhaitez-vous faire ?"), ("en", "What would you like to do?")):
        machine.locator(f"[value={code}]").tap()
        expect(machine.locator("h1")).to_have_text(title)
        look(machine, f"doors-{code}")
        machine.locator(".door").nth(2).tap()
    machine.locator(".leave").tap()
    expect(machine.locator("h1")).to_have_text("ماذا تريد؟")


def test_without_network_the_screen_says_so_and_comes_back_by_itself(machine: Page) -> None:
    machine.evaluate("navigator.serviceWorker.ready.then(() => true)")
    machine.wait_for_function("navigator.serviceWorker.controller !== null")
    machine.context.set_offline(True)
    machine.locator(".door").first.tap()
    expect(machine.locator("h1")).to_have_text("الشبكة مقطوعة")
    look(machine, "offline")
    machine.context.set_offline(False)
    expect(machine.locator("h1")).to_have_text("ماذا تريد؟", timeout=15_000)


def test_everything_works_with_the_scripts_lost(plain: Page, bill: Bill) -> None:
    enter(plain, bill)
    expect(plain.locator("h1")).to_have_text("فواتيرك")
    assert plain.locator(
        "noscript meta[content='60;url=/kiosk/leave'], meta[content='60;url=/kiosk/leave']"
    ).count()
    plain.locator(".leave").tap()
    expect(plain.locator("h1")).to_have_text("ماذا تريد؟")
