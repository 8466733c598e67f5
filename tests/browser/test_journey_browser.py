"""The way of a new subscriber, Arabic, on a phone: sign up, activate, claim as tenant, the bill, WhatsApp, a relative.

And the same way where somebody else holds the account. The authority is scripted; staff decide through the services.
With TAYYAR_SCREENSHOTS every page on the way is kept as a picture, light and dark.
"""

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import NOW, PHONE, Site
from tests.browser.test_claim_browser import a_bill, lease, number_of_account
from tests.browser.test_join_browser import (
    Scripted,
    fits,
    give_details,
    keep,
    national_id,
    newest_code,
    say_who,
    type_code,
)
from tests.browser.test_wishes_browser import committed
from tests.scenarios import cast

from tayyar.billing.models import Bill
from tayyar.claims import disputes
from tayyar.claims.models import Claim
from tayyar.config.authorities import configured
from tayyar.core import clock, crypto
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, Delegate, Preference
from tayyar.identity import authorities
from tayyar.identity.authorities import Authorities
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.portal.ask_words import ASK_WORDS
from tayyar.portal.claim_words import CLAIM_WORDS
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.me_words import ME_WORDS
from tayyar.portal.settings_words import SETTINGS_WORDS
from tayyar.portal.views import OPENINGS
from tayyar.requests import services as requests
from tayyar.requests.models import ServiceRequest

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
MOMENT = clock.parse_moment(NOW)
JOIN, CLAIM, ME = JOIN_WORDS["ar"], CLAIM_WORDS["ar"], ME_WORDS["ar"]
SET, ASK = SETTINGS_WORDS["ar"], ASK_WORDS["ar"]


@pytest.fixture
def phone(chromium: Browser, site: Site) -> Iterator[Page]:
    """A phone in Arabic; the authority knows everybody, and nothing is asked of another host."""
    OPENINGS.clear()
    scripted = Scripted()
    authorities.use(lambda: Authorities(identity=(scripted,), address=scripted))
    context = chromium.new_context(viewport=PHONE, locale="ar")
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    authorities.use(configured)
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []


def sign_up(page: Page, site: Site, mobile: str, email: str) -> None:
    """From the front door to the page that says it is done."""
    page.goto(f"{site.url}/?lang=ar")
    keep(page, "journey-01-front")
    say_who(page, site, national_id())
    keep(page, "journey-02-code")
    type_code(page, newest_code())
    give_details(page, mobile, email=email)
    keep(page, "journey-03-mobile")
    type_code(page, newest_code())
    expect(page.locator("h1")).to_have_text(JOIN["done_title"])
    keep(page, "journey-04-done")


def activate(page: Page, site: Site) -> None:
    """Open the link of the e-mail and press its button."""
    payload = Payload.objects.filter(kind=MessageKind.EMAIL_CHECK).latest("ref")
    raw = json.loads(crypto.unseal(bytes(payload.facts_sealed), field=PAYLOAD_FIELD))
    page.goto(f"{site.url}/join/email/{raw['url'].rsplit('/', 1)[1]}?lang=ar")
    page.get_by_role("button", name=JOIN["email_confirm"]).click()
    expect(page.locator("h1")).to_have_text(JOIN["email_done"])
    keep(page, "journey-05-email")


def claim_as_tenant(page: Page, site: Site, number: str, day: str) -> str:
    """From the empty home to the claim's reference."""
    page.goto(f"{site.url}/me?lang=ar")
    keep(page, "journey-06-home-empty")
    page.get_by_role("link", name=ME["claim_account"]).click()
    page.locator("[name=role][value=TENANT]").check()
    page.fill("[name=account]", number)
    keep(page, "journey-07-claim-account")
    page.get_by_role("button", name=CLAIM["next"]).click()
    page.locator("[name=is_beneficiary][value=YES]").check()
    page.fill("[name=start_date]", day)
    keep(page, "journey-08-claim-review")
    page.get_by_role("button", name=CLAIM["next"]).click()
    page.set_input_files("[name=paper]", lease())  # type: ignore[arg-type]
    page.locator("[name=terms]").check()
    keep(page, "journey-09-claim-finish")
    page.get_by_role("button", name=CLAIM["finish"]).click()
    expect(page.locator("h1")).to_have_text(CLAIM["done_title"])
    keep(page, "journey-10-claim-sent")
    assert fits(page)
    return page.locator("#reference").inner_text()


def test_a_new_subscriber_goes_the_whole_way(phone: Page, site: Site) -> None:
    bill = a_bill()
    sign_up(phone, site, "0556660001", "rana@mail.example")
    activate(phone, site)
    reference = claim_as_tenant(phone, site, number_of_account(bill), bill.end_date.isoformat())
    claim = Claim.objects.get(request__reference=reference)
    committed(lambda: disputes.give_way(claim_id=claim.pk, person=None, now=MOMENT))
    committed(
        lambda: requests.decide(
            request_id=claim.request_id, is_approved=True, text="", actor="user:1", now=MOMENT
        )
    )
    committed(lambda: cast.bill("2026-10"))
    claim.refresh_from_db()
    assert claim.holding is not None
    number = claim.holding.account.number
    _see_the_bill(phone, site, claim.holding.account, first=bill.end_date)
    _set_whatsapp(phone, site, number)
    _add_a_relative(phone, number)
    _find(phone, site, reference)


def _see_the_bill(page: Page, site: Site, account: CustomerAccount, *, first: dt.date) -> None:
    page.goto(f"{site.url}/me?lang=ar")
    expect(page.locator(".due")).to_contain_text("ريال")
    keep(page, "journey-11-home")
    page.locator("#last ~ .list .entry").click()
    expect(page.locator("h1")).to_contain_text("أكتوبر 2026")
    expect(page.locator("main")).to_contain_text(str(account.number))
    keep(page, "journey-12-bill")
    own = Bill.objects.get(account_id=account.pk)
    assert (own.period, own.start_date) == (202610, first)


def _set_whatsapp(page: Page, site: Site, number: int) -> None:
    page.goto(f"{site.url}/me/settings?lang=ar")
    page.locator(f"main a[href$='/me/settings/{number}']").click()
    page.get_by_role("link", name=SET["whatsapp_link"]).click()
    keep(page, "journey-13-whatsapp")
    page.locator("form:has([name=own]) .button").click()
    expect(page.locator(".told").last).to_have_text(SET["done_whatsapp"])
    page.select_option("[name=first]", "WHATSAPP")
    page.locator("main form.form .button").first.click()
    expect(page.locator("[name=first]")).to_have_value("WHATSAPP")
    keep(page, "journey-14-wishes")
    assert Preference.objects.get(account_id=number // 100).channels[0] == "WHATSAPP"
    reached = ContactPoint.objects.filter(account_id=number // 100, channel=Channel.WHATSAPP, is_active=True)
    assert reached.filter(verified_at__isnull=False).exists()


def _add_a_relative(page: Page, number: int) -> None:
    page.get_by_role("link", name=SET["delegates_add"]).click()
    page.fill("[name=name]", "نور العتيبي")
    page.select_option("[name=relation]", "RELATIVE")
    page.fill("[name=address]", "0500000044")
    keep(page, "journey-15-relative")
    page.locator("main form .button").click()
    expect(page.locator("#delegates-title ~ .people")).to_contain_text("نور العتيبي")
    keep(page, "journey-16-relative-added")
    assert Delegate.objects.get(account_id=number // 100).relation == "RELATIVE"


def _find(page: Page, site: Site, reference: str) -> None:
    page.goto(f"{site.url}/me/requests?lang=ar")
    page.fill("[name=number]", reference.lower().replace("-", " "))
    keep(page, "journey-17-find")
    page.get_by_role("button", name=ASK["find_go"]).click()
    expect(page.locator("main")).to_contain_text(reference)
    expect(page.locator(".me-head .state")).to_have_text(ASK["state_APPROVED"])
    keep(page, "journey-18-request")
    assert fits(page)


def test_an_account_that_somebody_else_holds_changes_nothing_when_they_object(
    phone: Page, site: Site
) -> None:
    bill = a_bill()
    holder = CustomerAccount.objects.select_related("customer").get(id=bill.account_id).customer
    sign_up(phone, site, "0556660002", "")
    reference = claim_as_tenant(phone, site, number_of_account(bill), "2026-11-02")
    expect(phone.locator("main")).to_contain_text(CLAIM["state_DISPUTED"])
    expect(phone.locator("main")).not_to_contain_text(holder.name)
    claim = Claim.objects.get(request__reference=reference)
    objection = committed(
        lambda: disputes.object_to(claim_id=claim.pk, person=None, text="أسكن هنا منذ سنين.", now=MOMENT)
    )
    committed(
        lambda: requests.decide(
            request_id=objection.pk, is_approved=True, text="", actor="user:1", now=MOMENT
        )
    )
    phone.reload()
    expect(phone.locator("main")).to_contain_text(CLAIM["about_REFUSED"])
    expect(phone.locator("main")).not_to_contain_text(holder.name)
    keep(phone, "journey-20-refused")
    phone.goto(f"{site.url}/me/accounts/{number_of_account(bill)}?lang=ar")
    expect(phone.locator(".due")).to_have_count(0)
    phone.goto(f"{site.url}/me?lang=ar")
    expect(phone.locator("main")).to_contain_text(ME["none_title"])
    assert ServiceRequest.objects.get(reference=reference).state == "REFUSED"
    assert CustomerAccount.objects.get(id=bill.account_id).customer_id == holder.pk
