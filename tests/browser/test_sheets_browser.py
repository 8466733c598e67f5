"""Clerks with paper and telephones, in a real browser: sheets made, printed, closed, calls entered at phone width."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState, expect
from tests.browser.conftest import PHONE, Site, _visitor, sign_in
from tests.scenarios.cast import noon

from tayyar.billing import paper
from tayyar.billing.documents.paper import sheet_code
from tayyar.core.models import AuditEntry
from tayyar.core.periods import Period
from tayyar.customers.models import Channel, ContactMark, ContactPoint
from tayyar.customers.services import add_contact_point
from tayyar.notifications import sheet_queries
from tayyar.notifications.models import Delivery, Message, MessageKind, MessageState, Reach, ReachHow, Sheet

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db,  # what a test reads is what the site committed; nothing here writes
    pytest.mark.usefixtures("waiting"),
]
AUGUST = Period(2026, 8)
RUN = MessageKind.BILL_ISSUED
NOW = noon("2026-11-01")


@pytest.fixture(scope="module")
def waiting(site: Site, django_db_blocker: object) -> Iterator[None]:
    """August is released: who has no address waits for paper, and four of them for a call."""
    from tayyar.notifications import services

    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        services.release_messages(period=AUGUST, kind=RUN, now=NOW)
        on_paper = list(
            Message.objects.filter(period=AUGUST.number, channel=Channel.PAPER, state=MessageState.QUEUED)[:4]
        )
        for index, message in enumerate(on_paper):
            add_contact_point(
                account_id=message.account_id,
                channel=Channel.SMS,
                address=f"+9665555500{index:02d}",
                verified_at=NOW,
                actor="user:1",
                now=NOW,
            )
            services.replan_account(account_id=message.account_id, now=NOW)
            services.advance(keys=[(message.period, message.kind, message.ref, message.recipient)], now=NOW)
        yield


@pytest.fixture
def hand(chromium: Browser, site: Site, session: StorageState) -> Iterator[Page]:
    """The manager with a telephone in hand."""
    yield from _visitor(chromium, site, PHONE, session)


def made(channel: Channel) -> Sheet:
    found = Sheet.objects.filter(channel=channel).order_by("-id").first()
    assert found is not None
    return found


def make_calls(page: Page, site: Site, lang: str = "en") -> Sheet:
    page.goto(f"{site.url}/console/sheets?period=2026-08&lang={lang}")
    page.fill("[name=limit]", "4")
    page.locator("form[action$='/sheets/calls'] button").click()
    return made(Channel.CALL)


def test_a_call_is_made_from_its_card_at_phone_width_in_arabic(hand: Page, site: Site) -> None:
    sheet = make_calls(hand, site, "ar")
    first = sheet_queries.entries_of(sheet)[0]
    card = hand.locator(".card").first
    assert card.locator("a.number").get_attribute("href").startswith("tel:+96655555")
    assert "أغسطس" in card.locator("blockquote").inner_text()
    assert hand.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for button in card.locator(".outcomes button").all():
        assert button.bounding_box()["height"] >= 44
    card.get_by_role("button", name="أبلغته").click()
    expect(hand.locator("[role=status]")).to_contain_text("أبلغته")
    assert Reach.objects.get(ref=first.ref).how == ReachHow.CALLER
    read = AuditEntry.objects.filter(subject=str(sheet), action="SHEET_NUMBERS_READ").first()
    assert (read.detail["purpose"], read.detail["numbers"]) == ("SHOWN", 4)


def test_a_wrong_number_is_marked_and_the_list_is_exported(desk: Page, site: Site) -> None:
    sheet = made(Channel.CALL)
    desk.goto(f"{site.url}/console/sheets/{sheet.pk}?lang=en")
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="List as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(caught.value.path()).read_text("utf-8-sig"))))
    assert len(rows) == 3
    assert all(row["telephone"].startswith("+96655555") and row["script"] for row in rows)
    number = desk.locator(".card").first.locator("a.number").inner_text()
    desk.locator(".card").first.get_by_role("button", name="Another person's number").click()
    expect(desk.locator(".card")).to_have_count(2)
    wrong = Delivery.objects.get(reason="WRONG_NUMBER")
    assert number in {row["telephone"] for row in rows}
    assert ContactPoint.objects.get(id=wrong.contact_point_id).mark == ContactMark.NOT_MINE


def test_a_sheet_of_paper_is_made_printed_sent_and_closed(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/sheets?period=2026-08&lang=en")
    desk.get_by_role("button", name="Make a sheet").first.click()
    sheet = made(Channel.PAPER)
    desk.get_by_role("button", name="Make the files").click()
    expect(desk.locator("#printing")).to_contain_text("Being made")
    site.work()
    expect(desk.get_by_role("link", name="Bills PDF")).to_be_visible(timeout=15_000)
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="Bills PDF").click()
    assert len(pypdf.PdfReader(caught.value.path()).pages) == 2 + 4 * sheet.entries
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="Hand-over list PDF").click()
    assert f"Hand-over list {sheet.pk}" in pypdf.PdfReader(caught.value.path()).pages[0].extract_text()
    desk.get_by_role("button", name="The bills have left").click()
    expect(desk.locator(".truth")).to_have_text("With the carriers")

    walk = [entry for entry, _ in paper.walking_order(sheet)]
    desk.fill("[name=REFUSED]", "261100000000099")
    desk.get_by_role("button", name="Enter and close").click()
    expect(desk.locator("[role=alert]")).to_contain_text("check digits")
    desk.fill("[name=REFUSED]", sheet_code(walk[0].ref, sheet.pk))
    desk.fill("[name=MOVED_AWAY]", f"{walk[1].ref:015d}\n")
    desk.get_by_role("button", name="Enter and close").click()
    expect(desk.locator("[role=alert]")).to_contain_text("Choose what became of the other bills")
    assert desk.input_value("[name=REFUSED]") == sheet_code(walk[0].ref, sheet.pk)
    desk.get_by_label("Handed to people").check()
    desk.get_by_role("button", name="Enter and close").click()
    expect(desk.locator(".truth")).to_have_text("Closed")
    counts = sheet_queries.counts_of(sheet)
    assert (counts.delivered, counts.failed) == (sheet.entries - 2, 2)
    assert Reach.objects.filter(how=ReachHow.PAPER).count() == sheet.entries - 2
    assert {walk[0].ref: "REFUSED", walk[1].ref: "MOVED_AWAY"} == dict(
        Delivery.objects.filter(channel=Channel.PAPER, state=MessageState.FAILED).values_list("ref", "reason")
    )


def test_a_bill_handed_over_at_the_counter_is_reached_by_the_clerks_word(desk: Page, site: Site) -> None:
    message = Message.objects.filter(period=AUGUST.number, state=MessageState.QUEUED).first()
    desk.goto(f"{site.url}/console/bills/{message.ref}/print?lang=en")
    answer = desk.request.get(f"{site.url}/console/bills/{message.ref}/print.pdf")
    assert answer.body().startswith(b"%PDF")
    assert not Reach.objects.filter(ref=message.ref).exists()  # printing alone proves nothing
    desk.get_by_role("button", name="I handed it over").click()
    expect(desk.locator("[role=status]")).to_have_text("The hand-over is entered.")
    reach = Reach.objects.get(ref=message.ref)
    assert reach.how == ReachHow.CLERK
    assert reach.witness.startswith("user:")
    desk.get_by_role("button", name="I handed it over").click()
    expect(desk.locator("[role=status]")).to_contain_text("had arrived before")
    assert AuditEntry.objects.filter(action="BILL_HANDED_OVER", subject=f"bill:{message.ref}").count() == 2


def test_who_may_only_read_sees_counts_and_no_number(page: Page, site: Site) -> None:
    sign_in(page, site, "reader")
    sheet = made(Channel.CALL)
    page.goto(f"{site.url}/console/sheets?period=2026-08&lang=en")
    assert page.locator("main form").count() == 0
    page.goto(f"{site.url}/console/sheets/{sheet.pk}")
    assert page.locator("a.number").count() == 0
    assert page.request.get(f"{site.url}/console/sheets/{sheet.pk}/calls.csv").status == 403


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_the_screens_have_no_axe_fault_and_fit_a_phone(hand: Page, site: Site, lang: str) -> None:
    bill = Message.objects.filter(period=AUGUST.number).first().ref
    for address in (
        "sheets?period=2026-08",
        f"sheets/{made(Channel.PAPER).pk}?",
        f"sheets/{made(Channel.CALL).pk}?",
        f"bills/{bill}/print?",
    ):
        hand.goto(f"{site.url}/console/{address}&lang={lang}")
        assert hand.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        report = Axe().run(hand)
        assert report.violations_count == 0, f"{address}: {report.generate_report()}"
