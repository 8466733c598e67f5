"""Signing in as people do it, in Arabic on a phone: passkeys through Chromium's virtual authenticator, the app's codes,
a forgotten password; every page accessible in three languages, light and dark, and usable by keyboard."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Browser, CDPSession, Page, expect
from tests.browser.conftest import NOW, PHONE, Site
from tests.scenarios.login_cast import PASSWORD, a_person, code_of, number_of, recovery_codes_of, with_app

from tayyar.core import clock, crypto
from tayyar.identity.models import Person, SignInTry
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.portal.views import OPENINGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
Written = TypeVar("Written")
MOMENT = clock.parse_moment(NOW)
_places = iter(range(5001, 6000))


def committed(write: Callable[[], Written]) -> Written:
    """What `write` does, in a thread of its own: committed, so that the server sees it."""
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(write).result()


@pytest.fixture
def someone(site: Site) -> Iterator[tuple[Person, str]]:
    """A person with a password, and their identity number; nobody has tried anything yet."""
    place = next(_places)
    OPENINGS.clear()

    def write() -> Person:
        cache.clear()
        SignInTry.objects.all().delete()
        return a_person(MOMENT, number=number_of(place), mobile=f"+9665{place:08d}")

    yield committed(write), number_of(place)


@pytest.fixture
def local(chromium: Browser, site: Site) -> Iterator[Page]:
    """A phone that knows the site by a name: passkeys belong to a name, never to an address in numbers."""
    context = chromium.new_context(viewport=PHONE, locale="ar")
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert faults == []


def named(site: Site) -> str:
    return site.url.replace("127.0.0.1", "localhost")


def authenticator(page: Page) -> CDPSession:
    """A device with a fingerprint reader, whose owner is there and agrees."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return session


def sign_in(
    page: Page, url: str, number: str, password: str = PASSWORD, *, then: str = "/me/security"
) -> None:
    page.goto(f"{url}/login?next={then}")
    page.fill("[name=typed]", number)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="دخول", exact=True).click()


def keep(page: Page, name: str) -> None:
    """Look at the page: no wider than the phone; a picture of it where somebody asked for pictures."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_passkey_is_added_and_opens_the_login_without_a_password(
    local: Page, site: Site, someone: tuple[Person, str]
) -> None:
    url, (_, number) = named(site), someone
    authenticator(local)
    sign_in(local, url, number)
    expect(local.locator("h1")).to_have_text("حماية دخولك")
    keep(local, "security")
    local.get_by_role("link", name="أضف مفتاح مرور").click()
    keep(local, "security-passkey")
    local.get_by_role("button", name="أضف مفتاح مرور").click()
    expect(local.locator("h1")).to_have_text("الرموز الاحتياطية")
    expect(local.locator(".recovery-codes li")).to_have_count(10)
    keep(local, "security-codes")
    local.get_by_role("link", name="رجوع").click()
    expect(local.get_by_role("button", name="احذف")).to_have_count(1)
    local.context.clear_cookies()
    local.goto(f"{url}/login?next=/me/security")
    keep(local, "login")
    local.get_by_role("button", name="الدخول بمفتاح المرور").click()
    expect(local.locator("h1")).to_have_text("حماية دخولك")
    expect(local.locator("[aria-labelledby=logins-title] li").first).to_contain_text("بمفتاح المرور")


def test_with_a_passkey_the_password_alone_is_not_enough(
    local: Page, site: Site, someone: tuple[Person, str]
) -> None:
    url, (_, number) = named(site), someone
    authenticator(local)
    sign_in(local, url, number, then="/me/security/passkey")
    local.get_by_role("button", name="أضف مفتاح مرور").click()
    expect(local.locator(".recovery-codes li")).to_have_count(10)
    local.context.clear_cookies()
    sign_in(local, url, number)
    expect(local.locator("h1")).to_have_text("خطوة ثانية للدخول")
    keep(local, "login-second")
    local.get_by_role("button", name="الدخول بمفتاح المرور").click()
    expect(local.locator("h1")).to_have_text("هل هذا جهازك؟")
    keep(local, "login-trust")
    local.get_by_role("button", name="لا، اسألني كل مرة").click()
    expect(local.locator("h1")).to_have_text("حماية دخولك")


def test_a_device_without_the_passkey_says_so_and_the_password_still_works(
    local: Page, site: Site, someone: tuple[Person, str]
) -> None:
    url, (_, number) = named(site), someone
    authenticator(local)  # it holds nothing
    local.goto(f"{url}/login")
    local.get_by_role("button", name="الدخول بمفتاح المرور").click()
    expect(local.locator("[data-passkey] [role=status]")).to_contain_text("لم يُقبل مفتاح المرور")
    sign_in(local, url, number)
    expect(local.locator("h1")).to_have_text("حماية دخولك")


def test_the_apps_code_is_set_up_and_asked_for(page: Page, site: Site, someone: tuple[Person, str]) -> None:
    person, number = someone
    sign_in(page, site.url, number, then="/me/security/app")
    keep(page, "security-app")
    secret = page.locator(".copy").inner_text().replace(" ", "")
    page.fill("[name=code]", code_of(secret))
    page.get_by_role("button", name="فعّل").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    page.context.clear_cookies()
    sign_in(page, site.url, number)
    page.fill("[name=code]", "000000")
    page.get_by_role("button", name="تأكيد").click()
    expect(page.locator("[role=alert]")).to_contain_text("الرمز غير صحيح")
    page.fill("[name=code]", committed(lambda: recovery_codes_of(person))[0])
    page.get_by_role("button", name="تأكيد").click()
    page.get_by_role("button", name="نعم، جهازي").click()
    expect(page.locator("h1")).to_have_text("حماية دخولك")


def test_a_forgotten_password_is_set_anew_with_a_code(
    page: Page, site: Site, someone: tuple[Person, str]
) -> None:
    _, number = someone
    page.goto(f"{site.url}/login")
    page.get_by_role("link", name="نسيت كلمة المرور").click()
    keep(page, "login-forgotten")
    page.fill("[name=number]", number)
    page.fill("[name=mobile]", f"05{int(number[1:9]):08d}")
    page.get_by_role("button", name="أرسل الرمز").click()
    expect(page.locator("h1")).to_have_text("اكتب الرمز")
    keep(page, "login-code")
    newest = committed(lambda: Payload.objects.filter(kind=MessageKind.ONE_TIME_CODE).latest("ref"))
    values = json.loads(crypto.unseal(bytes(newest.facts_sealed), field=PAYLOAD_FIELD))["values"]
    page.fill("[name=code]", values["code"])
    page.fill("[name=password]", "another-current-99")
    page.get_by_role("button", name="احفظ").click()
    expect(page.locator("[role=status]:visible").first).to_have_text("حفظنا كلمة المرور الجديدة. ادخل بها.")
    sign_in(page, site.url, number, "another-current-99")
    expect(page.locator("h1")).to_have_text("حماية دخولك")


def test_another_device_is_signed_out_from_here(
    chromium: Browser, page: Page, site: Site, someone: tuple[Person, str]
) -> None:
    _, number = someone
    elsewhere = chromium.new_context(viewport=PHONE, locale="ar").new_page()
    sign_in(elsewhere, site.url, number)
    sign_in(page, site.url, number)
    expect(page.get_by_role("button", name="أنهِ الدخول هنا")).to_have_count(1)
    page.get_by_role("button", name="أنهِ الدخول هنا").click()
    expect(page.locator("[role=status]:visible").first).to_have_text("أنهينا الدخول في ذلك الجهاز.")
    elsewhere.reload()
    expect(elsewhere.locator("h1")).to_have_text("الدخول إلى حسابي")
    elsewhere.context.close()


def test_the_login_works_by_keyboard_alone(page: Page, site: Site, someone: tuple[Person, str]) -> None:
    _, number = someone
    page.goto(f"{site.url}/login?next=/me/security")
    page.locator("[name=typed]").focus()
    page.keyboard.type(number)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("حماية دخولك")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_of_the_login_is_accessible_and_fits_a_phone(
    page: Page, site: Site, someone: tuple[Person, str], lang: str, scheme: str
) -> None:
    person, number = someone
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    def look(address: str) -> None:
        page.goto(f"{site.url}{address}{'&' if '?' in address else '?'}lang={lang}")
        assert page.locator("html").get_attribute("lang") == lang, address
        check(address)

    def check(address: str) -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        found = Axe().run(page).response["violations"]
        assert found == [], (address, [(v["id"], [n["html"] for n in v["nodes"]]) for v in found])

    look("/login")
    look("/login/forgotten")
    sign_in_form = page.goto(f"{site.url}/login?lang={lang}")
    assert sign_in_form is not None
    page.fill("[name=typed]", number)
    page.fill("[name=password]", "wrong")
    page.locator("form.form button").first.click()
    check("/login wrong")
    page.fill("[name=password]", PASSWORD)
    page.locator("form.form button").first.click()
    for address in ("", "/password", "/passkey", "/app"):
        look(f"/me/security{address}")
    look("/login/again")
    committed(lambda: with_app(person))
    look("/me/security")
    look("/me/security/codes")
    page.context.clear_cookies()
    page.goto(f"{site.url}/login?lang={lang}")
    page.fill("[name=typed]", number)
    page.fill("[name=password]", PASSWORD)
    page.locator("form.form button").first.click()
    look("/login/second")
