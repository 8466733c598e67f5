"""Claiming an account, answering a claim and an account's settings, in Arabic on a phone, with and without scripts.

With TAYYAR_SCREENSHOTS the pages are kept as pictures, light and dark.
"""

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import segno
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import NOW, PHONE, Site, bill_link
from tests.browser.test_join_browser import keep
from tests.browser.test_wishes_browser import committed
from tests.scenarios.login_cast import a_person, number_of

from tayyar.billing.models import Bill
from tayyar.claims.models import Beneficiary, Claim, ClaimState, Holding
from tayyar.core import clock
from tayyar.core.links import claim_token
from tayyar.customers.models import Agreement, Customer, CustomerAccount, Language
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import MemberRole, Membership, Person
from tayyar.identity.people import set_language
from tayyar.portal.claim_words import CLAIM_WORDS
from tayyar.portal.views import OPENINGS
from tayyar.requests import services as requests
from tayyar.requests.models import ServiceRequest

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
MOMENT = clock.parse_moment(NOW)
AR = CLAIM_WORDS["ar"]
LEASE = {"name": "lease.png", "mimeType": "image/png"}


@dataclass(frozen=True)
class Claimant:
    """A person with a login: their session's key."""

    person: Person
    session: str


_places = iter(range(501, 600))
_bills: list[int] = []


def a_claimant(name: str = "ليلى الحربي") -> Claimant:
    """A new person, signed in."""

    def make() -> Claimant:
        place = next(_places)
        person = a_person(MOMENT, number=number_of(place), mobile=f"0570000{place}", name=name)
        client = Client()
        client.force_login(person.user, backend=sign_in.BACKEND)
        session = client.session
        sessions.begin(session, now=MOMENT)
        session.save()
        return Claimant(person, str(session.session_key))

    return committed(make)


def a_bill() -> Bill:
    """The September bill of an account that goes on and that no test has touched.

    Read over a connection of its own: a test that has read bills would hold up whoever makes a month's first one.
    """

    def find() -> Bill:
        going_on = Agreement.objects.filter(end_date=None).values("id")
        found = Bill.objects.filter(period=202609, kind=1, agreement_id__in=going_on, total_minor__gt=0)
        return (
            found.exclude(account_id__in=Holding.objects.values("account"))
            .exclude(number__in=_bills)
            .latest("number")
        )

    bill = committed(find)
    _bills.append(bill.number)
    return bill


def number_of_account(bill: Bill) -> str:
    return str(CustomerAccount.objects.get(id=bill.account_id).number)


def in_books_of(claimant: Claimant, bill: Bill) -> None:
    """The books have the bill's account under the person."""
    committed(
        lambda: CustomerAccount.objects.filter(id=bill.account_id).update(
            customer_id=claimant.person.customer_id
        )
    )


def lease() -> dict[str, object]:
    held = io.BytesIO()
    Image.new("RGB", (300, 200), "#d8d2c4").save(held, "PNG")
    return {**LEASE, "buffer": held.getvalue()}


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open a phone: visit(claimant). It asks no other host, and no script of it fails."""
    OPENINGS.clear()
    contexts, asked, faults = [], [], []

    def opened(claimant: Claimant | None, *, scripts: bool = True, **more: str) -> Page:
        context = chromium.new_context(viewport=PHONE, locale="ar", java_script_enabled=scripts, **more)
        if claimant:
            context.add_cookies([{"name": "sessionid", "value": claimant.session, "url": site.url}])
        context.on("request", lambda request: asked.append(request.url))
        context.on("weberror", lambda error: faults.append(str(error.error)))
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []
    assert faults == []


def name_account(page: Page, site: Site, number: str, *, role: str = "TENANT") -> None:
    """The first page, filled in and sent."""
    page.goto(f"{site.url}/me/claim?lang=ar")
    page.locator(f"[name=role][value={role}]").check()
    page.fill("[name=account]", number)
    page.get_by_role("button", name=AR["next"]).click()


def review(page: Page, *, day: str = "") -> None:
    """The second page, filled in and sent."""
    expect(page.locator("h1")).to_have_text(AR["review_title"])
    page.locator("[name=is_beneficiary][value=YES]").check()
    if day:
        page.fill("[name=start_date]", day)
    page.get_by_role("button", name=AR["next"]).click()


def send(page: Page) -> None:
    """The last page: the lease, the terms."""
    expect(page.locator("h1")).to_have_text(AR["finish_title"])
    page.set_input_files("[name=paper]", lease())  # type: ignore[arg-type]
    page.locator("[name=terms]").check()
    page.get_by_role("button", name=AR["finish"]).click()


def claim_of(claimant: Claimant) -> Claim:
    return Claim.objects.select_related("request", "holding").get(person=claimant.person)


def test_an_account_in_ones_name_is_claimed_from_its_offer_without_papers(
    visit: Callable[..., Page], site: Site
) -> None:
    layla, bill = a_claimant(), a_bill()
    in_books_of(layla, bill)
    page = visit(layla, scripts=False)
    page.goto(f"{site.url}/me/claim?lang=ar")
    expect(page.locator("#offers")).to_be_visible()
    keep(page, "claim-1-offer")
    page.get_by_role("button", name=AR["offer"]).click()
    expect(page.locator("main")).to_contain_text(AR["owed"])
    expect(page.locator("[name=start_date]")).to_have_count(0)
    page.get_by_role("button", name=AR["next"]).click()
    expect(page.locator("[role=alert]")).to_contain_text(AR["beneficiary_missing"])
    page.locator("[name=role][value=OWNER]").check()
    keep(page, "claim-2-review-own")
    review(page)
    keep(page, "claim-3-finish-own")
    page.get_by_role("button", name=AR["finish_own"]).click()
    expect(page.locator("[role=alert]")).to_contain_text(AR["terms_missing"])
    page.locator("[name=terms]").check()
    page.get_by_role("button", name=AR["finish_own"]).click()
    expect(page.locator("h1")).to_have_text(AR["own_title"])
    claim = claim_of(layla)
    expect(page.locator("#reference")).to_have_text(claim.request.reference)
    keep(page, "claim-4-own")
    assert (claim.state, claim.evidence, claim.holding.account_id) == (
        "APPROVED",
        "AUTHORITY",
        bill.account_id,
    )
    page.get_by_role("link", name=AR["open_account"]).click()
    expect(page.locator(".due")).to_be_visible()


def test_a_foreign_account_is_claimed_with_a_lease_and_its_holder_is_asked(
    visit: Callable[..., Page], site: Site
) -> None:
    layla, bill = a_claimant(), a_bill()
    page = visit(layla, scripts=False)
    page.goto(f"{site.url}/me/claim?lang=ar")
    keep(page, "claim-1-start")
    page.get_by_role("button", name=AR["next"]).click()
    expect(page.locator("[role=alert]")).to_contain_text(AR["role_missing"])
    keep(page, "claim-1-start-wrong")
    name_account(page, site, number_of_account(bill)[:-1])
    expect(page.locator("#e-account")).to_contain_text("وأنت كتبت 10")
    name_account(page, site, number_of_account(bill))
    expect(page.locator("main")).to_contain_text(AR["review_unknown_title"])
    assert AR["owed"] not in page.locator("main").inner_text()
    keep(page, "claim-2-review-unknown")
    review(page, day="2020-01-01")
    expect(page.locator("#e-start_date")).to_contain_text("1 سبتمبر 2026")
    review(page, day="2026-11-02")
    page.get_by_role("button", name=AR["finish"]).click()
    expect(page.locator("#e-paper")).to_have_text(AR["paper_missing"])
    keep(page, "claim-3-finish-wrong")
    send(page)
    expect(page.locator("h1")).to_have_text(AR["done_title"])
    claim = claim_of(layla)
    expect(page.locator("#reference")).to_have_text(claim.request.reference)
    expect(page.locator("main")).to_contain_text(AR["state_DISPUTED"])
    keep(page, "claim-4-disputed")
    assert (claim.state, claim.evidence, claim.holding) == ("DISPUTED", "LEASE", None)
    assert claim.request.documents.get().kind == "LEASE"


def test_a_wrong_file_says_what_to_do_and_nothing_was_claimed(visit: Callable[..., Page], site: Site) -> None:
    layla, bill = a_claimant(), a_bill()
    page = visit(layla)
    name_account(page, site, number_of_account(bill))
    review(page)
    page.set_input_files(
        "[name=paper]", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"not a paper"}
    )
    page.locator("[name=terms]").check()
    page.get_by_role("button", name=AR["finish"]).click()
    expect(page.locator("#e-paper")).to_have_text(AR["upload_TYPE"])
    expect(page.locator("[name=terms]")).to_be_checked()
    assert not Claim.objects.filter(person=layla.person).exists()


def test_going_back_reloading_and_sending_twice_make_one_claim(
    visit: Callable[..., Page], site: Site
) -> None:
    layla, bill = a_claimant(), a_bill()
    page = visit(layla)
    name_account(page, site, number_of_account(bill))
    review(page)
    address = page.url
    send(page)
    expect(page.locator("h1")).to_have_text(AR["done_title"])
    page.go_back()
    expect(page.locator("#reference")).to_be_visible()
    page.goto(address)
    expect(page.locator("#reference")).to_have_text(claim_of(layla).request.reference)
    assert ServiceRequest.objects.filter(person=layla.person).count() == 1
    page.goto(f"{site.url}/me/claim?lang=ar")
    expect(page.locator("#mine ~ .cards .card")).to_have_count(1)
    keep(page, "claim-1-mine")


def test_a_bills_link_or_a_picture_of_its_code_names_the_account_and_shows_it_masked(
    visit: Callable[..., Page], site: Site
) -> None:
    layla, bill = a_claimant(), a_bill()
    page = visit(layla)
    code = io.BytesIO()
    segno.make(bill_link(site, bill.number)).save(code, kind="png", scale=6)
    for name, fill in (
        ("link", lambda: page.fill("[name=link]", f"فاتورتك {bill_link(site, bill.number)} شكرا")),
        (
            "photo",
            lambda: page.set_input_files(
                "[name=photo]", {"name": "bill.png", "mimeType": "image/png", "buffer": code.getvalue()}
            ),
        ),
    ):
        page.goto(f"{site.url}/me/claim?lang=ar")
        page.locator("[name=role][value=OWNER]").check()
        page.locator("main details summary").click()
        fill()
        page.get_by_role("button", name=AR["next"]).click()
        expect(page.locator("h1")).to_have_text(AR["review_title"])
        expect(page.locator("main")).to_contain_text(number_of_account(bill))
        expect(page.locator("main")).to_contain_text("•••")
        keep(page, f"claim-2-review-{name}")
    page.goto(f"{site.url}/me/claim?lang=ar")
    page.locator("[name=role][value=OWNER]").check()
    page.locator("main details summary").click()
    page.set_input_files("[name=photo]", lease())  # type: ignore[arg-type]
    page.get_by_role("button", name=AR["next"]).click()
    expect(page.locator("#e-photo")).to_have_text(AR["photo_none"])


def test_the_holder_objects_by_the_link_without_a_login_and_gets_a_reference(
    visit: Callable[..., Page], site: Site
) -> None:
    layla, bill = a_claimant(), a_bill()
    page = visit(layla)
    name_account(page, site, number_of_account(bill))
    review(page)
    send(page)
    expect(page.locator("h1")).to_have_text(AR["done_title"])
    claim = claim_of(layla)
    holder = visit(None, scripts=False)
    holder.goto(f"{site.url}/c/{claim_token(claim.pk, expires=dt.date(2026, 12, 1))}?lang=ar")
    expect(holder.locator("h1")).to_have_text(AR["contest_title"])
    expect(holder.locator("main")).not_to_contain_text("ليلى")
    keep(holder, "contest-1")
    holder.get_by_role("button", name=AR["contest_give_way_send"]).click()
    expect(holder.locator("[role=alert]")).to_contain_text(AR["contest_sure_missing"])
    holder.get_by_role("button", name=AR["contest_send"]).click()
    expect(holder.locator("[role=alert]")).to_contain_text(AR["contest_text_missing"])
    holder.fill("[name=text]", "أسكن هنا منذ سنين.")
    holder.set_input_files("[name=paper]", lease())  # type: ignore[arg-type]
    holder.get_by_role("button", name=AR["contest_send"]).click()
    expect(holder.locator("h1")).to_have_text(AR["contest_OBJECTED"])
    objection = ServiceRequest.objects.get(type="CLAIM_DISPUTE", account_id=bill.account_id)
    expect(holder.locator(".copy")).to_have_text(objection.reference)
    keep(holder, "contest-2-objected")
    claim.refresh_from_db()
    assert (claim.answer, claim.state) == ("OBJECTED", "DISPUTED")
    holder.goto(f"{site.url}/c/{claim_token(claim.pk, expires=dt.date(2026, 12, 1))}?lang=ar")
    expect(holder.get_by_role("button", name=AR["contest_send"])).to_have_count(0)
    page.reload()
    expect(page.locator("main")).to_contain_text(AR["state_OPEN"])


def test_the_holder_who_is_signed_in_gives_way_and_staff_pass_the_account_on(
    visit: Callable[..., Page], site: Site
) -> None:
    layla, noor, bill = a_claimant(), a_claimant("نور العتيبي"), a_bill()
    in_books_of(noor, bill)
    page = visit(layla)
    name_account(page, site, number_of_account(bill))
    review(page)
    send(page)
    expect(page.locator("h1")).to_have_text(AR["done_title"])
    claim = claim_of(layla)
    other = visit(noor)
    other.goto(f"{site.url}/me/claim?lang=ar")
    keep(other, "contest-0-list")
    other.get_by_role("link", name=AR["contest_title"]).click()
    other.locator("[name=sure]").check()
    other.get_by_role("button", name=AR["contest_give_way_send"]).click()
    expect(other.locator("h1")).to_have_text(AR["contest_GAVE_WAY"])
    committed(
        lambda: requests.decide(
            request_id=claim.request_id, is_approved=True, text="", actor="user:1", now=MOMENT
        )
    )
    page.reload()
    claim = claim_of(layla)
    assert claim.state == ClaimState.APPROVED and claim.holding is not None
    assert claim.holding.account_id != bill.account_id
    expect(page.locator("h1")).to_have_text(AR["own_title"])
    expect(page.locator("main")).to_contain_text(str(claim.holding.account.number))
    keep(page, "claim-4-passed-on")


def test_an_administrator_chooses_for_which_business(visit: Callable[..., Page], site: Site) -> None:
    layla, bill = a_claimant(), a_bill()

    def employ() -> Customer:
        business = Customer.objects.create(id=990_000, kind="BUSINESS", name="مخابز الواحة")
        Membership.objects.create(
            business=business,
            person=layla.person,
            role=MemberRole.ADMIN,
            invited_at=MOMENT,
            accepted_at=MOMENT,
        )
        CustomerAccount.objects.filter(id=bill.account_id).update(customer=business)
        return business

    business = committed(employ)
    page = visit(layla)
    page.goto(f"{site.url}/me/claim?lang=ar")
    expect(page.locator(".card").first).to_contain_text("مخابز الواحة")
    page.locator(f"[name=customer][value='{business.pk}']").check()
    page.locator("[name=role][value=TENANT]").check()
    page.fill("[name=account]", number_of_account(bill))
    keep(page, "claim-1-business")
    page.get_by_role("button", name=AR["next"]).click()
    review(page)
    expect(page.locator("main")).to_contain_text(AR["no_papers"])
    page.locator("[name=terms]").check()
    page.get_by_role("button", name=AR["finish_own"]).click()
    expect(page.locator("h1")).to_have_text(AR["own_title"])
    assert claim_of(layla).customer_id == business.pk


def a_tenant() -> tuple[Claimant, Holding]:
    """A tenant since the first of September, under the number of the books."""
    layla, bill = a_claimant(), a_bill()
    in_books_of(layla, bill)
    holding = committed(
        lambda: Holding.objects.create(
            account_id=bill.account_id,
            customer=layla.person.customer,
            role="TENANT",
            start_date=dt.date(2026, 9, 1),
            created_at=MOMENT,
        )
    )
    return layla, holding


def test_name_budget_and_use_of_an_account_are_kept(visit: Callable[..., Page], site: Site) -> None:
    layla, holding = a_tenant()
    page = visit(layla, scripts=False)
    page.goto(f"{site.url}/me?lang=ar")
    page.get_by_role("link", name=AR["holding_title"]).click()
    page.fill("[name=nickname]", "شقتي")
    page.fill("[name=budget]", "٣٠٠٫٥")
    page.get_by_role("button", name=AR["save"]).click()
    expect(page.locator("[role=status]:visible")).to_have_text(AR["saved_describe"])
    expect(page.locator("[name=budget]")).to_have_value("300.50")
    page.fill("[name=budget]", "كثير")
    page.get_by_role("button", name=AR["save"]).click()
    expect(page.locator("[role=alert]")).to_contain_text(AR["describe_bad"])
    keep(page, "holding-wrong")
    page.fill("[name=use_start]", "2026-10-01")
    page.get_by_role("button", name=AR["use_send"]).click()
    expect(page.locator("main")).to_contain_text("1 أكتوبر 2026")
    keep(page, "holding")
    holding.refresh_from_db()
    assert (holding.nickname, holding.budget_minor) == ("شقتي", 30050)
    assert Beneficiary.objects.get(account=holding.account_id).customer_id == layla.person.customer_id


def test_a_tenant_ends_the_tenancy_and_gets_the_final_bill(visit: Callable[..., Page], site: Site) -> None:
    layla, holding = a_tenant()
    page = visit(layla)
    page.goto(f"{site.url}/me/accounts/{holding.account.number}/details?lang=ar")
    page.fill("[name=end_day]", "2026-10-20")
    page.get_by_role("button", name=AR["end_send"]).click()
    expect(page.locator("[role=alert]")).to_contain_text(AR["end_sure_missing"])
    page.locator("[name=sure]").check()
    page.get_by_role("button", name=AR["end_send"]).click()
    expect(page.locator("[role=status]:visible").first).to_have_text(AR["saved_end"])
    keep(page, "holding-ended")
    holding.refresh_from_db()
    assert holding.end_date == dt.date(2026, 10, 20)
    last = Bill.objects.filter(account_id=holding.account_id).latest("end_date")
    assert last.end_date == dt.date(2026, 10, 20)


def test_what_is_anothers_is_the_page_of_an_unknown_address(visit: Callable[..., Page], site: Site) -> None:
    layla, holding = a_tenant()
    stranger, bill = a_claimant("هدى القحطاني"), a_bill()
    page = visit(layla)
    name_account(page, site, number_of_account(bill))
    review(page)
    send(page)
    expect(page.locator("h1")).to_have_text(AR["done_title"])
    reference = claim_of(layla).request.reference
    get = visit(stranger).context.request.get
    unknown = get(f"{site.url}/me/nothing/here?lang=en").text()
    for address in (
        f"me/claim/done/{reference}",
        "me/claim/done/R-0000-0000",
        "me/claim/done/x",
        f"me/claim/against/{reference}",
        "me/claim/against/x",
        f"me/accounts/{holding.account.number}/details",
        "me/accounts/x/details",
        "me/claim/no-such-draft",
        "me/claim/no-such-draft/finish",
    ):
        found = get(f"{site.url}/{address}?lang=en")
        assert (found.status, found.text()) == (404, unknown), address
    gone = get(f"{site.url}/c/{'a' * 36}?lang=en")
    assert gone.status == 404
    expired = get(f"{site.url}/c/{claim_token(claim_of(layla).pk, expires=dt.date(2026, 11, 2))}?lang=en")
    assert (expired.status, expired.text()) == (404, gone.text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_is_accessible_and_fits_a_phone(
    visit: Callable[..., Page], site: Site, lang: str, scheme: str
) -> None:
    layla, holding = a_tenant()
    offered, bill = a_bill(), a_bill()
    in_books_of(layla, offered)
    words = CLAIM_WORDS[lang]
    committed(lambda: set_language(person=layla.person, language=Language[lang], now=MOMENT))
    page = visit(layla, color_scheme=scheme)

    def clean(address: str = "") -> None:
        if address:
            page.goto(f"{site.url}/{address}?lang={lang}")
        for summary in page.locator("main summary").all():
            if not page.locator("main details[open]").count():
                summary.click()
        assert page.locator("html").get_attribute("lang") == lang, page.url
        assert page.locator("h1").count() == 1, page.url
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url
        found = Axe().run(page).response["violations"]
        assert found == [], (page.url, json.dumps(found)[:2000])

    clean("me/claim")
    page.get_by_role("button", name=words["next"]).click()
    clean()
    page.locator("[name=role][value=TENANT]").check()
    page.fill("[name=account]", number_of_account(bill))
    page.get_by_role("button", name=words["next"]).click()
    clean()
    page.get_by_role("button", name=words["next"]).click()
    clean()
    page.locator("[name=is_beneficiary][value=NO]").check()
    page.get_by_role("button", name=words["next"]).click()
    clean()
    page.get_by_role("button", name=words["finish"]).click()
    clean()
    page.set_input_files("[name=paper]", lease())  # type: ignore[arg-type]
    page.locator("[name=terms]").check()
    page.get_by_role("button", name=words["finish"]).click()
    expect(page.locator("#reference")).to_be_visible()
    clean()
    token = claim_token(claim_of(layla).pk, expires=dt.date(2026, 12, 1))
    clean(f"c/{token}")
    page.get_by_role("button", name=words["contest_send"]).click()
    clean()
    clean(f"me/accounts/{holding.account.number}/details")
    page.get_by_role("button", name=words["end_send"]).click()
    clean()
