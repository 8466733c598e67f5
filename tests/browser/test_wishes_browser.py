"""Delegates, opt-outs, quiet hours and "this bill is not mine", in Arabic on an old phone, as people do them.

What the messages say is read from the queue, sealed as it is; with TAYYAR_SCREENSHOTS the pages are kept as pictures.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import NOW, PHONE, Site, bill_link

from tayyar.billing.models import Bill
from tayyar.core import clock, crypto
from tayyar.core.links import delegate_token, preference_token
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    ContactReview,
    CustomerAccount,
    Delegate,
    Language,
    OptOut,
    Preference,
)
from tayyar.customers.reviews import open_review
from tayyar.customers.services import add_contact_point
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageState, Payload, Reach
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.portal.views import OPENINGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
Written = TypeVar("Written")
MOMENT = clock.parse_moment(NOW)
SEPTEMBER = Period(2026, 9)
OLD_PHONE = (
    "Mozilla/5.0 (Linux; Android 8.1.0; SM-J260F) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/109.0.5414.117 Mobile Safari/537.36"
)


@dataclass(frozen=True)
class Told:
    """An account whose September bill went out by SMS and e-mail, and its links."""

    account_id: int
    number: int
    sms: int
    bill: str
    wishes: str


def committed(write: Callable[[], Written]) -> Written:
    """Write over a connection of its own, outside the test's transaction, so that the server sees it."""

    def work() -> Written:
        try:
            return write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


@pytest.fixture
def phone(chromium: Browser, site: Site) -> Iterator[Page]:
    """A subscriber's old phone, its scripts switched off; it asks no other host for anything."""
    OPENINGS.clear()
    context = chromium.new_context(
        viewport=PHONE, locale="ar", user_agent=OLD_PHONE, java_script_enabled=False
    )
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []


_taken: list[int] = []


@pytest.fixture
def told(site: Site) -> Told:
    """An Arabic account of its own for the test."""
    return committed(lambda: _tell(site))


def _tell(site: Site) -> Told:
    arabic = CustomerAccount.objects.filter(language=Language.ar).values("id")
    bill = (
        Bill.objects.filter(period=202609, account_id__in=arabic)
        .exclude(account_id__in=_taken)
        .order_by("number")[0]
    )
    _taken.append(bill.account_id)
    points = [
        add_contact_point(
            account_id=bill.account_id,
            channel=channel,
            address=address,
            verified_at=MOMENT,
            actor="user:1",
            now=MOMENT,
        )
        for channel, address in (
            (Channel.SMS, f"+9665{bill.account_id % 10**8:08d}"),
            (Channel.EMAIL, f"holder{bill.account_id}@mail.example"),
        )
    ]
    with connection.cursor() as cursor:
        ensure_partition(cursor, table="notifications_delivery", period=SEPTEMBER)
    Delivery.objects.create(
        period=202609,
        kind=MessageKind.BILL_ISSUED,
        ref=bill.number,
        recipient=0,
        channel=Channel.SMS,
        attempt=1,
        state=MessageState.SENT,
        account_id=bill.account_id,
        contact_point_id=points[0].pk,
        worker="w",
        claimed_at=MOMENT,
        settled_at=MOMENT,
    )
    Message.objects.filter(period=202609, ref=bill.number).update(
        state=MessageState.SENT, channel=Channel.SMS
    )
    token = preference_token(bill.account_id, 0, expires=MOMENT.date().replace(year=2027))
    return Told(
        bill.account_id, bill.number, points[0].pk, bill_link(site, bill.number), f"{site.url}/p/{token}"
    )


def facts(told: Told, kind: MessageKind, recipient: int = 0) -> dict[str, str]:
    """What the newest message of that kind to that person says."""
    refs = Message.objects.filter(kind=kind, account_id=told.account_id, recipient=recipient).values("ref")
    payload = Payload.objects.filter(ref__in=refs, kind=kind).latest("ref")
    raw = json.loads(crypto.unseal(bytes(payload.facts_sealed), field=PAYLOAD_FIELD))
    return {**raw["values"], "url": raw["url"]}


def keep(page: Page, name: str) -> None:
    """Look at the page: no wider than the phone; a picture of it where somebody asked for pictures."""
    assert page.locator("html").get_attribute("dir") == "rtl"
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_the_link_page_is_the_amount_the_day_and_three_buttons(phone: Page, told: Told) -> None:
    phone.goto(told.bill)
    expect(phone.locator("h1")).to_contain_text("سبتمبر 2026")
    buttons = phone.locator(".three a")
    assert buttons.all_inner_texts() == ["طريقة الدفع", "تنزيل الفاتورة PDF", "هذه الفاتورة ليست لي"]
    for place in range(3):
        box = buttons.nth(place).bounding_box()
        assert box is not None and box["height"] >= 56 and box["width"] >= 300
    assert (phone.locator(".three a").first.bounding_box() or {"y": 999})["y"] < PHONE["height"]
    assert phone.locator("table, svg.chart").count() == 0
    keep(phone, "link")
    assert Reach.objects.filter(ref=told.number, witness="link").exists()
    phone.get_by_role("link", name="الفاتورة كاملة").click()
    expect(phone.locator("svg.chart").first).to_be_visible()


def test_how_to_pay_shows_the_account_number_to_copy_and_the_ways(phone: Page, told: Told) -> None:
    phone.goto(told.bill)
    phone.get_by_role("link", name="طريقة الدفع").click()
    account = CustomerAccount.objects.get(id=told.account_id)
    expect(phone.locator("#account")).to_have_text(str(account.number))
    expect(phone.locator("main")).to_contain_text("سداد")
    assert not phone.locator("[data-copy]").is_visible()  # without a script there is nothing to press
    keep(phone, "pay")


def test_the_account_number_is_copied_at_a_press(chromium: Browser, site: Site, told: Told) -> None:
    context = chromium.new_context(viewport=PHONE, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{told.bill}/pay?lang=en")
    page.get_by_role("button", name="Copy the number").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    context.close()
    assert copied == str(CustomerAccount.objects.get(id=told.account_id).number)


def test_not_mine_stops_the_messages_and_gives_a_reference(phone: Page, told: Told) -> None:
    phone.goto(told.bill)
    phone.get_by_role("link", name="هذه الفاتورة ليست لي").click()
    expect(phone.locator("main")).to_contain_text("••• ")
    keep(phone, "not-mine")
    phone.locator(f"[name=contact][value='{told.sms}']").check()
    phone.get_by_role("button", name="أوقفوا الرسائل").click()
    review = ContactReview.objects.get(account_id=told.account_id)
    expect(phone.locator(".copy")).to_have_text(review.reference)
    keep(phone, "not-mine-done")
    assert not ContactPoint.objects.get(pk=told.sms).is_active
    assert not Reach.objects.filter(ref=told.number).exists()
    phone.reload()
    expect(phone.locator(".copy")).to_have_text(review.reference)
    assert ContactReview.objects.filter(account_id=told.account_id).count() == 1


def test_opt_out_quiet_hours_and_order_are_chosen_after_a_code(phone: Page, told: Told) -> None:
    phone.goto(told.bill)
    phone.get_by_role("link", name="كيف نراسلك").click()
    phone.locator(f"[name=contact][value='{told.sms}']").check()
    phone.get_by_role("button", name="أرسل الرمز").click()
    expect(phone.locator("[role=status]:visible").first).to_contain_text("صالح 60 ثانية")
    keep(phone, "code")
    phone.fill("[name=code]", facts(told, MessageKind.ONE_TIME_CODE)["code"])
    phone.get_by_role("button", name="تأكيد").click()
    expect(phone.locator("h1")).to_have_text("كيف نراسلك")
    phone.select_option("[name=first]", "SMS")
    phone.locator("[name=use][value=PUSH]").uncheck()
    phone.locator("[name=tell][value=CAMPAIGN]").uncheck()
    phone.fill("[name=quiet_from]", "22:00")
    phone.fill("[name=quiet_to]", "07:00")
    assert phone.locator("[name=tell][value=BILL_ISSUED]").count() == 0
    keep(phone, "wishes")
    phone.get_by_role("button", name="حفظ").click()
    expect(phone.locator("[role=status]:visible").first).to_have_text("حفظنا اختيارك.")
    stored = Preference.objects.get(account_id=told.account_id)
    assert (stored.channels, stored.excluded) == (["SMS"], ["PUSH"])
    assert (str(stored.quiet_from), str(stored.quiet_to)) == ("22:00:00", "07:00:00")
    off = OptOut.objects.filter(account_id=told.account_id).values_list("kind", flat=True)
    assert list(off) == [MessageKind.CAMPAIGN]
    expect(phone.locator("[name=quiet_from]")).to_have_value("22:00")
    expect(phone.locator("[name=tell][value=CAMPAIGN]")).not_to_be_checked()
    phone.fill("[name=quiet_to]", "")
    phone.get_by_role("button", name="حفظ").click()
    expect(phone.locator("[role=alert]")).to_contain_text("اكتب بداية ساعات الهدوء ونهايتها")


def test_a_delegate_is_invited_accepts_and_ends_it(phone: Page, told: Told, site: Site) -> None:
    phone.goto(told.wishes)
    phone.locator("summary").click()
    phone.fill("[name=name]", "سارة العتيبي")
    phone.fill("[name=address]", "050")
    phone.get_by_role("button", name="متابعة").click()
    expect(phone.locator("[role=alert]")).to_contain_text("رقم الهاتف")
    expect(phone.locator("[name=name]")).to_have_value("سارة العتيبي")
    keep(phone, "invite-mistyped")
    phone.fill("[name=address]", "050 000 0034")
    phone.get_by_role("button", name="متابعة").click()
    expect(phone.locator("main")).to_contain_text("••• 34")
    phone.locator(f"[name=contact][value='{told.sms}']").check()
    phone.get_by_role("button", name="أرسل الرمز").click()
    phone.fill("[name=code]", facts(told, MessageKind.ONE_TIME_CODE)["code"])
    keep(phone, "invite-code")
    phone.get_by_role("button", name="تأكيد").click()
    expect(phone.locator("[role=status]:visible").first).to_contain_text("أرسلنا الدعوة")
    invited = facts(told, MessageKind.DELEGATE_INVITED, recipient=1)
    link = site.url + "/d/" + invited["url"].rsplit("/", 1)[1]
    phone.goto(link)
    expect(phone.locator("h1")).to_have_text("دعوة لاستلام فواتير")
    keep(phone, "delegate-invited")
    phone.get_by_role("button", name="أقبل", exact=True).click()
    expect(phone.locator("h1")).to_have_text("تصلك فواتير حساب آخر")
    assert Delegate.objects.get(account_id=told.account_id).state == "ACTIVE"
    assert "سارة" in facts(told, MessageKind.DELEGATE_CHANGED)["change_text"]
    phone.goto(told.wishes)
    expect(phone.locator(".people")).to_contain_text("يستلم الفواتير")
    keep(phone, "wishes-delegate")
    phone.goto(link)
    phone.get_by_role("button", name="لا ترسلوا إلي بعد الآن").click()
    expect(phone.locator("h1")).to_have_text("انتهى استلام الفواتير")
    keep(phone, "delegate-over")
    assert "لم يعد" in facts(told, MessageKind.DELEGATE_CHANGED)["change_text"]


def test_messages_of_the_last_months_open_their_bills(phone: Page, told: Told) -> None:
    phone.goto(told.wishes)
    phone.get_by_role("link", name="الرسائل في 13 شهرا").click()
    keep(phone, "messages")
    phone.get_by_role("link", name="افتح الفاتورة").first.click()
    expect(phone.locator("svg.chart").first).to_be_visible()
    assert Reach.objects.filter(account_id=told.account_id, witness="portal").exists()


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_of_consent_is_accessible_and_fits_a_phone(
    page: Page, site: Site, told: Told, lang: str
) -> None:
    delegates = committed(
        lambda: [
            Delegate.objects.create(
                account_id=told.account_id,
                recipient=place,
                name="سارة العتيبي",
                language=Language.ar,
                state=state,
                invited_at=MOMENT,
                invited_by="holder",
            )
            for place, state in ((1, "INVITED"), (2, "ACTIVE"), (3, "DECLINED"))
        ]
    )
    expires = MOMENT.date().replace(year=2027)
    own = f"{site.url}/p/{preference_token(told.account_id, 2, expires=expires)}"
    over = f"{site.url}/p/{preference_token(told.account_id, 3, expires=expires)}"
    invitations = [f"{site.url}/d/{delegate_token(found.pk, expires=expires)}" for found in delegates]
    pages = [told.bill, *(f"{told.bill}/{rest}" for rest in ("bill", "pay", "not-mine", "wishes"))]
    for address in (*pages, told.wishes, f"{told.wishes}/messages", own, over, *invitations):
        page.goto(f"{address}?lang={lang}")
        assert page.locator("html").get_attribute("lang") == lang, address
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert Axe().run(page).response["violations"] == [], address


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_the_desks_pages_are_accessible(desk: Page, site: Site, told: Told, lang: str) -> None:
    committed(
        lambda: open_review(
            account_id=told.account_id,
            contact_point_id=told.sms,
            subject=f"bill:{told.number}",
            actor="link",
            now=MOMENT,
        )
    )
    for name, address in (("people", f"accounts/{told.account_id}/people"), ("reviews", "reviews")):
        desk.goto(f"{site.url}/console/{address}?lang={lang}")
        for summary in desk.locator("summary").all():
            summary.click()
        assert Axe().run(desk).response["violations"] == [], address
        if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
            desk.screenshot(path=Path(folder) / f"{name}-{lang}.png", full_page=True)
