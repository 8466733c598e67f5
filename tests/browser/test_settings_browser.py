"""Requests, settings and businesses in a real browser: Arabic on a phone, without scripts, and what axe finds.

With TAYYAR_SCREENSHOTS the pages are kept as pictures, light and dark.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pytest
from allauth.account.internal.userkit import user_id_to_str
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import NOW, PHONE, Site
from tests.browser.test_me_browser import keep
from tests.scenarios.identity_ground import last_code
from tests.scenarios.login_cast import a_person

from tayyar.billing.models import Bill
from tayyar.claims.bulk import Outcome
from tayyar.claims.models import ClaimFile, Holding
from tayyar.core import clock
from tayyar.customers.models import Channel, ContactPoint, Customer, Delegate, Language
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import MemberRole, Membership
from tayyar.portal.ask_words import ASK_WORDS
from tayyar.portal.members_words import MEMBERS_WORDS
from tayyar.portal.settings_words import SETTINGS_WORDS
from tayyar.requests import services
from tayyar.requests.models import ServiceRequest, Via

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
Written = TypeVar("Written")
MOMENT = clock.parse_moment(NOW)
ASK, SET, MEMBERS = ASK_WORDS["ar"], SETTINGS_WORDS["ar"], MEMBERS_WORDS["ar"]


def committed(write: Callable[[], Written]) -> Written:
    """Work over a connection of its own, outside the test's transaction, as the server does."""

    def work() -> Written:
        try:
            return write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


@dataclass(frozen=True)
class Cast:
    """Layla's session key, her account's number, her business, a request that waits for her, a file's results."""

    session: str
    number: int
    business: int
    reference: str
    file: int


@pytest.fixture(scope="module")
def layla(site: Site, django_db_blocker: object) -> Cast:
    """Layla holds an account, is admin of a business, and was asked about a request."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        return committed(_layla)


def _layla() -> Cast:
    bill = Bill.objects.filter(period=202609, kind=1, total_minor__gt=0).order_by("number")[3]
    person = a_person(MOMENT, number="1012345672", mobile="+966500000071")
    held = Holding.objects.create(
        account_id=bill.account_id,
        customer=person.customer,
        role="OWNER",
        start_date=MOMENT.date().replace(year=2020),
        nickname="شقتي",
        created_at=MOMENT,
    )
    firm = Customer.objects.create(id=990_000, kind="BUSINESS", name="مخابز الرياض")
    Membership.objects.create(
        business=firm, person=person, role=MemberRole.ADMIN, invited_at=MOMENT, accepted_at=MOMENT
    )
    Membership.objects.create(business=firm, role=MemberRole.PAYER, invited_hash=b"-" * 16, invited_at=MOMENT)
    asked = services.open_request(
        type_code="READING_DISPUTE",
        person=person,
        account_id=bill.account_id,
        form={"read_on": "2026-11-01", "value_kwh": "1234"},
        via=Via.WEB,
        language=Language.ar,
        once_key=None,
        now=MOMENT,
    )
    services.ask_person(
        request_id=asked.pk, text="أي العدادين قرأت، الأيمن أم الأيسر؟", actor="user:1", now=MOMENT
    )
    file = ClaimFile.objects.create(
        customer=firm,
        person=person,
        name="accounts.csv",
        sha256="0" * 64,
        terms_version="2026-11",
        language=Language.ar,
        rows=2,
        results=[
            [2, "10000000165", Outcome.EVIDENCE, "", ""],
            [3, "12", Outcome.INVALID, "NUMBER", ""],
        ],
        sent_at=MOMENT,
        done_at=MOMENT,
    )
    client = Client()
    client.force_login(person.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=MOMENT)
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = user_id_to_str(person.user)
    session.save()
    return Cast(str(session.session_key), held.account.number, firm.pk, asked.reference, file.pk)


@pytest.fixture
def visit(chromium: Browser, site: Site, layla: Cast) -> Iterator[Callable[..., Page]]:
    """Layla's phone. It asks no other host, and no script of it fails."""
    contexts, asked, faults = [], [], []

    def opened(*, scripts: bool = True) -> Page:
        context = chromium.new_context(viewport=PHONE, locale="ar", java_script_enabled=scripts)
        context.add_cookies([{"name": "sessionid", "value": layla.session, "url": site.url}])
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []
    assert faults == []


def pages_of(layla: Cast) -> dict[str, str]:
    """Every page here, by the name of its picture."""
    settings, business = f"/me/settings/{layla.number}", f"/me/members/{layla.business}"
    return {
        "requests": "/me/requests",
        "request": f"/me/requests/{layla.reference}",
        "request-new": "/me/requests/new/reading_dispute",
        "request-contact": "/me/requests/new/contact_update",
        "settings": "/me/settings",
        "settings-mobile": "/me/settings/mobile",
        "settings-email": "/me/settings/email",
        "settings-account": settings,
        "settings-whatsapp": f"{settings}/whatsapp",
        "settings-delegates": f"{settings}/delegates",
        "settings-messages": f"{settings}/messages",
        "members": "/me/members",
        "members-business": business,
        "members-invite": f"{business}/invite",
        "members-send": f"{business}/file",
        "members-file": f"/me/members/files/{layla.file}",
    }


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_fits_a_phone_and_axe_finds_nothing(
    visit: Callable[..., Page], site: Site, layla: Cast, lang: str
) -> None:
    page = visit()
    for name, address in pages_of(layla).items():
        answer = page.goto(f"{site.url}{address}?lang={lang}")
        assert answer is not None and answer.status == 200, address
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        keep(page, f"me-{name}-{lang}")


def test_a_request_is_asked_answered_and_withdrawn_without_scripts(
    visit: Callable[..., Page], site: Site, layla: Cast
) -> None:
    page = visit(scripts=False)
    page.goto(f"{site.url}/me/requests?lang=ar")
    page.click("a[href$='/reading_dispute']")
    page.click("main form .button")
    expect(page.locator(".notice")).to_contain_text(ASK["field_MISSING"])
    page.fill("[name=read_on]", "2026-11-01")
    page.fill("[name=value_kwh]", "4321")
    page.click("main form .button")
    expect(page.locator(".told[role=status]").last).to_have_text(ASK["done_opened"])
    page.click(f"summary:has-text('{ASK['withdraw_title']}')")
    page.click(f"button:has-text('{ASK['withdraw']}')")
    expect(page.locator(".me-head .state")).to_have_text(ASK["state_WITHDRAWN"])
    page.goto(f"{site.url}/me/requests?lang=ar")
    page.fill("[name=number]", layla.reference.lower().replace("-", " "))
    page.click(f"button:has-text('{ASK['find_go']}')")
    page.fill("[name=text]", "الأيسر")
    page.click(f"button:has-text('{ASK['send_answer']}')")
    expect(page.locator(".me-head .state")).to_have_text(ASK["state_OPEN"])
    states = committed(lambda: sorted(ServiceRequest.objects.values_list("state", flat=True)))
    assert states == ["OPEN", "WITHDRAWN"]


def test_whatsapp_is_set_by_a_code_whose_seconds_are_counted_and_a_relative_is_added(
    visit: Callable[..., Page], site: Site, layla: Cast
) -> None:
    page = visit()
    page.goto(f"{site.url}/me/settings?lang=ar")
    page.click("a:has-text('شقتي')")
    page.click(f"a:has-text('{SET['whatsapp_link']}')")
    page.fill("[name=number]", "0500000077")
    page.click(f"button:has-text('{SET['whatsapp_send']}')")
    expect(page.locator("[role=timer]")).to_be_visible()
    expect(page.locator("#resend")).to_be_disabled()
    assert Axe().run(page).violations_count == 0
    keep(page, "me-settings-code-ar")
    page.fill("[name=code]", committed(last_code))
    page.click("main form:first-of-type .button")
    expect(page.locator(".told").last).to_have_text(SET["done_whatsapp"])
    page.click(f"a:has-text('{SET['delegates_add']}')")
    page.fill("[name=name]", "نور")
    page.fill("[name=address]", "0500000044")
    page.click("main form .button")
    expect(page.locator("#delegates-title ~ .people")).to_contain_text("نور")
    used = ContactPoint.objects.filter(
        account_id=layla.number // 100, channel=Channel.WHATSAPP, verified_at__isnull=False
    )
    assert committed(used.exists) and committed(Delegate.objects.count) == 1


def test_a_mobile_is_changed_and_the_settings_show_the_new_one(
    visit: Callable[..., Page], site: Site, layla: Cast
) -> None:
    page = visit(scripts=False)
    page.goto(f"{site.url}/me/settings?lang=ar")
    page.click(f"a:has-text('{SET['mobile_change']}')")
    page.fill("[name=mobile]", "0500000083")
    page.click("main form .button")
    page.fill("[name=code]", committed(last_code))
    page.click("main form:first-of-type .button")
    expect(page.locator(".told").last).to_have_text(SET["done_mobile"])
    expect(page.locator(".facts").first).to_contain_text("83")


def test_a_role_is_changed_with_the_keyboard_alone(
    visit: Callable[..., Page], site: Site, layla: Cast
) -> None:
    page = visit()
    page.goto(f"{site.url}/me/members/{layla.business}?lang=ar")
    page.locator(f"summary:has-text('{MEMBERS['manage']}')").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".told").last).to_have_text(MEMBERS["done_role"])
