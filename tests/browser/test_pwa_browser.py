"""The portal as an app: installable, light, readable without a network, and never with another person's pages."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser.conftest import NOW, PHONE, Site, bill_link
from tests.browser.test_wishes_browser import committed
from tests.scenarios import claim_cast

from tayyar.billing.models import Bill
from tayyar.claims.models import ClaimRole, Holding
from tayyar.core import clock
from tayyar.customers.models import CustomerAccount, Language
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import Person
from tayyar.portal.shell_words import SHELL_WORDS
from tayyar.portal.views import OPENINGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

BUDGET_BYTES = 150_000
MOMENT = clock.parse_moment(NOW)
_KEPT = """async () => {
  const names = (await caches.keys()).filter((name) => name.startsWith("kept-"));
  const paths = [];
  for (const name of names) {
    for (const request of await (await caches.open(name)).keys()) paths.push(new URL(request.url).pathname);
  }
  return { names, paths };
}"""
_taken: list[int] = []


def someone(site: Site) -> tuple[Person, Bill]:
    """A person who holds a billed account, each call another one."""
    return committed(_someone)


def _someone() -> tuple[Person, Bill]:
    arabic = CustomerAccount.objects.filter(language=Language.ar).values("id")
    bills = Bill.objects.filter(period=202609, account_id__in=arabic).exclude(account_id__in=_taken)
    bill = bills.order_by("number")[0]
    _taken.append(bill.account_id)
    account = CustomerAccount.objects.get(pk=bill.account_id)
    person = claim_cast.person(account.customer_id, MOMENT)
    Holding.objects.create(
        account=account,
        customer_id=account.customer_id,
        role=ClaimRole.OWNER,
        start_date=MOMENT.date().replace(year=2025),
        created_at=MOMENT,
    )
    return person, bill


def enter(context: BrowserContext, site: Site, person: Person) -> None:
    """Give the browser a session of the person."""

    def begin() -> str:
        client = Client()
        client.force_login(person.user, backend=sign_in.BACKEND)
        session = client.session
        sessions.begin(session, now=clock.now())
        session.save()
        return str(session.session_key)

    context.add_cookies([{"name": "sessionid", "value": committed(begin), "url": site.url}])


@pytest.fixture
def app(chromium: Browser, site: Site) -> Iterator[BrowserContext]:
    """A phone's browser, in Arabic."""
    OPENINGS.clear()
    context = chromium.new_context(viewport=PHONE, locale="ar")
    yield context
    context.close()


def opened(context: BrowserContext, site: Site, path: str) -> Page:
    """A page, once the service worker is in charge of it."""
    page = context.new_page()
    page.goto(f"{site.url}{path}")
    until(page, lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    page.reload()
    return page


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most; the page's policy lets Playwright evaluate nothing by itself."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never came")


def kept(page: Page) -> dict[str, list[str]]:
    """What this browser keeps of persons' pages."""
    found: dict[str, list[str]] = page.evaluate(_KEPT)
    return found


def wait_kept(page: Page, path: str) -> None:
    """Until the page is kept."""
    until(page, lambda: path in kept(page)["paths"])


def test_a_bill_once_opened_is_read_without_a_network(app: BrowserContext, site: Site) -> None:
    person, bill = someone(site)
    enter(app, site, person)
    path = f"/me/bills/{bill.number}"
    page = opened(app, site, path)
    assert page.locator(".kept").is_hidden()
    title = page.locator("h1").inner_text()
    wait_kept(page, path)
    app.set_offline(True)
    page.goto(f"{site.url}{path}")
    expect(page.locator("h1")).to_have_text(title)
    expect(page.locator(".kept")).to_contain_text("لا اتصال بالإنترنت")
    keep(page, "offline-bill")
    page.goto(f"{site.url}/me/use")
    expect(page.locator("h1")).to_have_text(SHELL_WORDS["ar"]["offline_title"])
    expect(page.locator(f"[data-kept-pages] a[href='{path}']")).to_be_visible()
    keep(page, "offline-list")
    page.locator(f"[data-kept-pages] a[href='{path}']").click()
    expect(page.locator("h1")).to_have_text(title)


def test_signing_out_empties_what_was_kept(app: BrowserContext, site: Site) -> None:
    person, bill = someone(site)
    enter(app, site, person)
    path = f"/me/bills/{bill.number}"
    page = opened(app, site, path)
    wait_kept(page, path)
    page.get_by_role("button", name=SHELL_WORDS["ar"]["sign_out"]).click()
    page.wait_for_load_state()
    assert kept(page) == {"names": [], "paths": []}
    app.set_offline(True)
    page.goto(f"{site.url}{path}")
    expect(page.locator("h1")).to_have_text(SHELL_WORDS["ar"]["offline_title"])
    expect(page.locator("[data-none]")).to_be_visible()


def test_another_persons_pages_are_never_kept_beside_the_first_ones(app: BrowserContext, site: Site) -> None:
    first, first_bill = someone(site)
    second, second_bill = someone(site)
    enter(app, site, first)
    page = opened(app, site, f"/me/bills/{first_bill.number}")
    wait_kept(page, f"/me/bills/{first_bill.number}")
    name = kept(page)["names"]
    app.clear_cookies()
    enter(app, site, second)
    page.goto(f"{site.url}/me/bills/{second_bill.number}")
    wait_kept(page, f"/me/bills/{second_bill.number}")
    found = kept(page)
    assert len(found["names"]) == 1 and found["names"] != name
    assert f"/me/bills/{first_bill.number}" not in found["paths"]
    answer = page.goto(f"{site.url}/me/bills/{first_bill.number}")
    assert answer is not None and answer.status == 404
    assert f"/me/bills/{first_bill.number}" not in kept(page)["paths"]


def test_only_pages_that_say_so_are_kept(app: BrowserContext, site: Site) -> None:
    person, _ = someone(site)
    enter(app, site, person)
    page = opened(app, site, "/terms")
    for path in ("/me/use", "/me/bills", "/join/address", "/"):
        page.goto(f"{site.url}{path}")
    page.wait_for_timeout(300)
    assert kept(page)["paths"] == []


def test_no_more_than_the_last_few_are_kept(app: BrowserContext, site: Site) -> None:
    person, bill = someone(site)
    enter(app, site, person)
    path = f"/me/bills/{bill.number}"
    page = opened(app, site, path)
    wait_kept(page, path)
    page.evaluate(
        """async () => {
          const [name] = (await caches.keys()).filter((found) => found.startsWith("kept-"));
          const cache = await caches.open(name);
          for (let i = 0; i < 12; i++) await cache.put(`/older-${i}`, new Response(""));
        }"""
    )
    page.reload()
    until(page, lambda: len(kept(page)["paths"]) == 7)
    assert path in kept(page)["paths"]


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_it_can_be_installed_in_the_readers_language(app: BrowserContext, site: Site, lang: str) -> None:
    page = app.new_page()
    page.goto(f"{site.url}/?lang={lang}")
    address = page.locator("link[rel=manifest]").get_attribute("href")
    answer = app.request.get(f"{site.url}{address}")
    found = answer.json()
    assert answer.headers["content-type"].startswith("application/manifest+json")
    assert (found["lang"], found["dir"]) == (lang, "rtl" if lang == "ar" else "ltr")
    assert found["start_url"] == "/me" and found["display"] == "standalone"
    for icon in found["icons"]:
        assert app.request.get(f"{site.url}{icon['src']}").status == 200, icon
        if icon["type"] == "image/png":
            size = page.evaluate(
                """async (address) => {
                  const image = new Image();
                  image.src = address;
                  await image.decode();
                  return image.naturalWidth;
                }""",
                icon["src"],
            )
            assert icon["sizes"] == f"{size}x{size}"
    problems = app.new_cdp_session(page).send("Page.getAppManifest")["errors"]
    assert problems == []


def test_a_message_shared_to_the_app_opens_its_bill(app: BrowserContext, site: Site) -> None:
    _, bill = someone(site)
    page = app.new_page()
    shared = app.request.get(f"{site.url}/manifest.webmanifest").json()["share_target"]
    assert (shared["method"], shared["params"]["text"]) == ("GET", "text")
    page.goto(f"{site.url}{shared['action']}?title=&text=فاتورتك: {bill_link(site, bill.number)}.")
    expect(page.locator("h1")).to_contain_text("سبتمبر 2026")


def test_the_front_door_opens_links_and_says_what_is_wrong_with_others(
    app: BrowserContext, site: Site
) -> None:
    _, bill = someone(site)
    page = app.new_page()
    page.goto(site.url)
    page.fill("[name=text]", "https://tayyar-bills.example/b/abcdef")
    page.get_by_role("button", name="افتح").click()
    expect(page.locator("[role=alert]")).to_contain_text("ليس من موقعنا")
    keep(page, "front-foreign-link")
    page.fill("[name=text]", bill_link(site, bill.number))
    page.get_by_role("button", name="افتح").click()
    expect(page.locator("h1")).to_contain_text("سبتمبر 2026")


@pytest.mark.parametrize("path", ["/", "/join", "/login", "BILL", "/me"])
def test_the_first_view_is_light(chromium: Browser, site: Site, path: str) -> None:
    person, bill = someone(site)
    context = chromium.new_context(viewport=PHONE, locale="ar", service_workers="block")
    enter(context, site, person) if path in ("BILL", "/me") else None
    page = context.new_page()
    door = context.new_cdp_session(page)
    sizes: list[float] = []
    fonts: list[str] = []
    door.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    door.on("Network.responseReceived", lambda event: fonts.append(event["response"]["url"]))
    door.send("Network.enable")
    page.goto(site.url + (f"/me/bills/{bill.number}" if path == "BILL" else path))
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    context.close()
    assert any(address.endswith(".woff2") for address in fonts)
    assert sum(sizes) <= BUDGET_BYTES, (path, sum(sizes))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_the_shell_is_accessible_and_fits_simple_or_not(
    chromium: Browser, site: Site, lang: str, scheme: Any
) -> None:
    person, bill = someone(site)
    context = chromium.new_context(viewport=PHONE, locale=lang, color_scheme=scheme)
    enter(context, site, person)
    page = context.new_page()
    try:
        for mode in ("plain", "simple"):
            page.goto(f"{site.url}/me/bills/{bill.number}?lang={lang}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            found = Axe().run(page).response["violations"]
            assert found == [], json.dumps(found)[:2000]
            tabs = page.locator(".tabs a")
            assert tabs.count() == (5 if mode == "plain" else 4)
            assert all((box := tab.bounding_box()) and box["height"] >= 44 for tab in tabs.all())
            keep(page, f"shell-{lang}-{mode}-{scheme}")
            page.get_by_role("button", name=SHELL_WORDS[lang]["simple"]).click()
    finally:
        context.close()


def keep(page: Page, name: str) -> None:
    """A picture of what a person sees first, where somebody asked for pictures."""
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
