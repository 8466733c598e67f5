"""A real browser asks to be told, shows what is pushed to it, and opens the bill that the push names."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, CDPSession, Page, expect
from tests.browser.conftest import PHONE, Site

from tayyar.billing.models import Bill
from tayyar.core import crypto
from tayyar.core.links import preference_token
from tayyar.customers.models import Channel, ContactPoint
from tayyar.customers.push_address import encoded
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.portal.push_words import PUSH_WORDS
from tayyar.portal.views import OPENINGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

POINT = encoded(
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
# No push service can be reached from a test: the browser's own part is there but for the address that it would give.
SUBSCRIBED = """
PushManager.prototype.subscribe = async function (options) {
  window.askedWith = options;
  const keys = { p256dh: "%s", auth: "AAAAAAAAAAAAAAAAAAAAAA" };
  return { toJSON: () => ({ endpoint: "https://push.example/of-this-browser", expirationTime: null, keys }) };
};
"""


class Visit:
    """A visitor's page, and the developer's door into the browser behind it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.door: CDPSession = page.context.new_cdp_session(page)
        self.registrations: list[str] = []
        self.door.on("ServiceWorker.workerRegistrationUpdated", self._noted)
        self.door.send("ServiceWorker.enable")

    def _noted(self, event: dict[str, Any]) -> None:
        self.registrations += [found["registrationId"] for found in event["registrations"]]

    def push(self, site: Site, data: str) -> None:
        """Deliver `data` to the service worker, as the browser does when its push service hands it over."""
        registration = {"origin": site.url, "registrationId": self.registrations[-1], "data": data}
        self.door.send("ServiceWorker.deliverPushMessage", registration)

    def shown(self, count: int) -> list[dict[str, str]]:
        """The notifications on the screen, once there are `count`."""
        self.page.wait_for_function(
            "async (count) => (await (await navigator.serviceWorker.ready).getNotifications()).length === count",
            arg=count,
        )
        found: list[dict[str, str]] = self.page.evaluate(
            """async () => (await (await navigator.serviceWorker.ready).getNotifications())
                 .map(({title, body, tag, data}) => ({title, body, tag, url: data.url}))"""
        )
        return found


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Visit]:
    """A phone whose owner permits notifications."""
    OPENINGS.clear()
    context = chromium.new_context(viewport=PHONE, locale="ar", permissions=["notifications"])
    context.add_init_script(SUBSCRIBED % POINT)
    yield Visit(context.new_page())
    context.close()


@pytest.fixture
def bill(site: Site) -> Bill:
    return Bill.objects.filter(period=202609).order_by("number")[0]


def offer(page: Page, site: Site, bill: Bill, lang: str) -> None:
    """Open the wishes page of the bill's holder, which has the button."""
    token = preference_token(bill.account_id, 0, expires=dt.date(2027, 2, 1))
    page.goto(f"{site.url}/p/{token}?lang={lang}")


def register(visit: Visit, site: Site) -> None:
    visit.page.goto(f"{site.url}/")
    visit.page.evaluate(
        """async () => {
          await navigator.serviceWorker.register("/sw.js", {scope: "/"});
          const worker = (await navigator.serviceWorker.ready).active;
          await new Promise((done) => worker.state === "activated" ? done() : worker.onstatechange = () =>
            worker.state === "activated" && done());
        }"""
    )


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_a_press_on_the_wishes_page_keeps_this_browser_for_its_person(
    visit: Visit, site: Site, bill: Bill, lang: str
) -> None:
    offer(visit.page, site, bill, lang)
    button = visit.page.get_by_role("button", name=PUSH_WORDS[lang]["ask"])
    expect(button).to_be_visible()
    assert Axe().run(visit.page).response["violations"] == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    button.click()
    expect(visit.page.get_by_role("status")).to_have_text(PUSH_WORDS[lang]["done"])
    asked = visit.page.evaluate("window.askedWith")
    assert asked["userVisibleOnly"] is True and len(asked["applicationServerKey"]) == 87
    (point,) = ContactPoint.objects.filter(account_id=bill.account_id, channel=Channel.PUSH)
    stored = json.loads(crypto.unseal(point.address_sealed, field=ADDRESS_FIELD))
    assert stored["endpoint"] == "https://push.example/of-this-browser"
    assert point.verified_at is not None


def test_when_the_link_has_expired_meanwhile_the_reader_is_told_and_may_try_again(
    visit: Visit, site: Site, bill: Bill
) -> None:
    offer(visit.page, site, bill, "en")
    visit.page.locator("[data-push]").evaluate("(place) => { place.dataset.subscribe = '/p/expired/push' }")
    button = visit.page.get_by_role("button", name=PUSH_WORDS["en"]["ask"])
    button.click()
    expect(visit.page.get_by_role("status")).to_have_text(PUSH_WORDS["en"]["failed"])
    expect(button).to_be_enabled()


def test_a_browser_that_cannot_be_pushed_to_shows_no_button(
    chromium: Browser, site: Site, bill: Bill
) -> None:
    OPENINGS.clear()
    context = chromium.new_context(viewport=PHONE)
    context.add_init_script("delete window.PushManager")
    page = context.new_page()
    offer(page, site, bill, "en")
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-push]")).to_be_hidden()
    context.close()


def test_a_push_is_shown_and_a_later_one_of_the_same_tag_replaces_it(visit: Visit, site: Site) -> None:
    register(visit, site)
    told = {"title": "فاتورة نوفمبر", "body": "276.00 ريال", "url": f"{site.url}/b/x", "tag": "b1"}
    visit.push(site, json.dumps(told))
    assert visit.shown(1) == [told]
    visit.push(site, json.dumps({**told, "body": "صدرت من جديد"}))
    visit.page.wait_for_function(
        """async () => (await (await navigator.serviceWorker.ready).getNotifications())
             .some(({body}) => body === "صدرت من جديد")"""
    )
    assert len(visit.shown(1)) == 1
    visit.push(site, json.dumps({**told, "tag": "b2"}))
    assert sorted(shown["tag"] for shown in visit.shown(2)) == ["b1", "b2"]


@pytest.mark.parametrize("data", ["", "not json", "null", '{"body": "no title"}'])
def test_a_push_that_cannot_be_read_still_says_whom_it_is_from(visit: Visit, site: Site, data: str) -> None:
    register(visit, site)
    visit.push(site, data)
    (shown,) = visit.shown(1)
    assert "الكهرباء" in shown["title"]
    assert shown["url"] == f"{site.url}/"


@pytest.mark.parametrize(
    "url", ["https://evil.example/b/x", "javascript:alert(1)", "//evil.example", "http://["]
)
def test_a_push_leads_to_no_other_site(visit: Visit, site: Site, url: str) -> None:
    register(visit, site)
    visit.push(site, json.dumps({"title": "t", "body": "b", "url": url, "tag": "x"}))
    (shown,) = visit.shown(1)
    assert shown["url"] == f"{site.url}/"


def test_a_tap_opens_the_page_that_the_push_names_or_the_window_that_shows_it(
    visit: Visit, site: Site
) -> None:
    register(visit, site)
    for url in (f"{site.url}/?lang=fr", f"{site.url}/"):
        visit.push(site, json.dumps({"title": "t", "body": "b", "url": url, "tag": url}))
    visit.shown(2)
    # a window may be opened only by a finger, of which a test has none: it is asked for, and that is noted
    asked = visit.page.context.service_workers[0].evaluate(
        """async () => {
          const opened = [], focused = [];
          self.clients.openWindow = async (url) => opened.push(url);
          WindowClient.prototype.focus = async function () { focused.push(this.url); };
          for (const notification of await self.registration.getNotifications()) {
            const event = new NotificationEvent("notificationclick", { notification });
            event.waitUntil = (work) => { event.work = work; };
            self.dispatchEvent(event);
            await event.work;
          }
          return { opened, focused };
        }"""
    )
    assert asked == {"opened": [f"{site.url}/?lang=fr"], "focused": [f"{site.url}/"]}
    visit.shown(0)
