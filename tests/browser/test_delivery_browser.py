"""Staff watch a run's sending, read whom it reached, and look at one account's messages, in a real browser.

The messages of September are put into the states that a delivery leaves behind: the figures must be theirs.
"""

import csv
import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Page, expect
from tests.browser.conftest import PASSWORD, Site, sign_in

from tayyar.core.models import AuditEntry
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Channel
from tayyar.notifications.models import (
    Delivery,
    Message,
    MessageBatch,
    MessageState,
    Provider,
    Reach,
    ReachHow,
    Snapshot,
)
from tayyar.notifications.reach_queries import reach_summary

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
PERIOD = Period(2026, 9)
S = MessageState
SHOTS = os.environ.get("TAYYAR_SHOTS")


@pytest.fixture(scope="module")
def sent(site: Site, django_db_blocker: object) -> Iterator[Site]:
    """September, sent: most reached by SMS or e-mail, some under way, some at their end, one parked."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        deliver()
        yield site


def deliver() -> None:
    """Give every message of the run a state, its attempts and its evidence, by its place in the run."""
    now = dt.datetime(2026, 11, 2, 7, 59, 30, tzinfo=dt.UTC)
    with connection.cursor() as cursor:
        for table in ("notifications_delivery", "notifications_reach"):
            ensure_partition(cursor, table=table, period=PERIOD)
    sms = Provider.objects.get_or_create(
        code="sms-first", defaults={"channel": Channel.SMS, "weight": 60, "most_weight": 100}
    )[0]
    mail = Provider.objects.get_or_create(
        code="mail", defaults={"channel": Channel.EMAIL, "weight": 100, "most_weight": 100}
    )[0]
    MessageBatch.objects.update_or_create(
        period=PERIOD.number,
        kind=1,
        defaults={"is_open": True, "released_at": now - dt.timedelta(hours=30), "paused_at": None},
    )
    attempts, evidence = [], []
    for index, message in enumerate(Message.objects.filter(period=PERIOD.number).order_by("ref")):
        at = now - dt.timedelta(minutes=index * 4)
        place = index % 10
        state, step, channel = S.DELIVERED, 2, Channel.SMS
        tries = [(Channel.SMS, S.DELIVERED, "", sms)]
        if place == 7:
            state, step, channel = S.READ, 3, Channel.EMAIL
            tries = [(Channel.SMS, S.FAILED, "NO_SUCH_NUMBER", sms), (Channel.EMAIL, S.READ, "", mail)]
        elif place == 8:
            state, tries = S.SENT, [(Channel.SMS, S.SENT, "", sms)]
        elif place == 9:
            state, step, channel = S.FAILED, 3, Channel.EMAIL
            tries = [
                (Channel.SMS, S.FAILED, "ABSENT", sms),
                (Channel.EMAIL, S.FAILED, "NO_SUCH_MAILBOX", mail),
            ]
        if index == 19:
            state = S.PARKED
        Message.objects.filter(period=PERIOD.number, kind=1, ref=message.ref, recipient=0).update(
            state=state,
            step=step,
            channel=channel,
            next_at=now + dt.timedelta(hours=3) if state == S.SENT else None,
        )
        for number, (tried, ended, reason, provider) in enumerate(tries):
            attempts.append(
                Delivery(
                    period=PERIOD.number,
                    kind=1,
                    ref=message.ref,
                    recipient=0,
                    channel=tried,
                    attempt=1,
                    state=ended,
                    account_id=message.account_id,
                    provider=provider.number,
                    worker="test",
                    claimed_at=at + dt.timedelta(seconds=number),
                    settled_at=at + dt.timedelta(seconds=number),
                    reason=reason,
                    segments=2 if tried == Channel.SMS else 0,
                    cost_micro=60_000 if tried == Channel.SMS else 0,
                )
            )
        if state in (S.DELIVERED, S.READ):
            evidence.append(
                Reach(
                    period=PERIOD.number,
                    ref=message.ref,
                    kind=1,
                    account_id=message.account_id,
                    how=ReachHow.LINK_VIEW if place == 7 else ReachHow.RECEIPT,
                    channel=channel,
                    recipient=0,
                    reached_at=at,
                    witness="test",
                )
            )
    Delivery.objects.bulk_create(attempts)
    Reach.objects.bulk_create(evidence)


def commit(change: Callable[[], object]) -> None:
    """Do it in a session of its own, as a test's own changes are never committed."""

    def work() -> None:
        try:
            change()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def move(message: Message, **change: object) -> None:
    """Change a stored message."""
    stored = Message.objects.filter(period=PERIOD.number, kind=1, ref=message.ref, recipient=0)
    commit(lambda: stored.update(**change))


def move_gate(**change: object) -> None:
    """Change the run's gate."""
    commit(lambda: MessageBatch.objects.filter(period=PERIOD.number, kind=1).update(**change))


def console(site: Site, path: str) -> str:
    return f"{site.url}/console/{path}"


def audited(action: str, subject: str) -> int:
    return AuditEntry.objects.filter(action=action, subject=subject).count()


def figures() -> dict[str, str]:
    """The standings, as the page writes them."""
    return {name: f"{count:,}" for name, count in reach_summary(PERIOD).standings.items()}


def unreached_message() -> Message:
    found = Message.objects.filter(period=PERIOD.number, state=S.FAILED).order_by("ref").first()
    assert found is not None
    return found


def history(site: Site, message: Message) -> str:
    return console(site, f"accounts/{message.account_id}/messages")


def test_the_run_page_leads_to_sending_and_that_to_reach(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09"))
    desk.get_by_role("link", name="Open the sending page").click()
    shown, bills = figures(), reach_summary(PERIOD).bills
    truth = (
        f"{shown['REACHED']} of {bills} bills reached, {shown['UNDER_WAY']} under way, "
        f"{shown['BY_HAND']} waiting for a call or paper, "
        f"{shown['AT_END']} at the end of their plan"
    )
    assert desk.locator(".truth").inner_text() == truth
    desk.get_by_role("link", name="Open the reach page").click()
    assert desk.locator(".truth").inner_text() == truth


def test_the_dashboard_follows_what_happens_without_a_click(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/delivery"))
    before = desk.locator(".truth").inner_text()
    message = unreached_message()
    move(message, state=S.QUEUED)
    yesterday = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)  # the clock of this site stands still
    commit(lambda: Snapshot.objects.update(computed_at=yesterday))
    try:
        expect(desk.locator(".truth")).not_to_have_text(before, timeout=12_000)
    finally:
        move(message, state=S.FAILED)
        commit(lambda: Snapshot.objects.all().delete())


def test_a_manager_pauses_and_resumes_sending_and_it_is_recorded(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/delivery"))
    desk.get_by_role("button", name="Pause Bills of the run").click()
    expect(desk.locator("[role=status]")).to_have_text("Sending is paused.")
    assert MessageBatch.objects.get(period=PERIOD.number, kind=1).paused_at is not None
    desk.get_by_role("button", name="Go on Bills of the run").click()
    expect(desk.locator("[role=status]")).to_have_text("Sending goes on.")
    assert MessageBatch.objects.get(period=PERIOD.number, kind=1).paused_at is None
    assert (
        audited("SENDING_PAUSED", "messages:2026-09") == audited("SENDING_RESUMED", "messages:2026-09") == 1
    )


def test_another_manager_who_looks_sees_that_sending_was_paused(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/delivery"))
    move_gate(paused_at=dt.datetime(2026, 11, 2, tzinfo=dt.UTC))
    try:
        expect(desk.get_by_role("button", name="Go on Bills of the run")).to_be_visible(timeout=12_000)
    finally:
        move_gate(paused_at=None)


def test_stopping_asks_once_more(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/delivery"))
    desk.get_by_role("link", name="Stop for good Bills of the run").click()
    assert "0 now" in desk.locator("main").inner_text()  # nothing waits in these messages
    desk.get_by_role("link", name="Back").last.click()
    assert MessageBatch.objects.get(period=PERIOD.number, kind=1).stopped_at is None
    desk.get_by_role("link", name="Stop for good Bills of the run").click()
    desk.get_by_role("button", name="Stop for good").click()
    expect(desk.locator("[role=status]")).to_contain_text("Sending is stopped")
    assert MessageBatch.objects.get(period=PERIOD.number, kind=1).stopped_at is not None
    assert audited("SENDING_STOPPED", "messages:2026-09") == 1
    assert desk.get_by_role("button", name="Pause Bills of the run").count() == 0
    move_gate(stopped_at=None)


def test_a_provider_is_taken_out_of_use_and_back(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/delivery"))
    assert "Weight 60 of 100" in desk.locator("#delivery").inner_text()
    desk.get_by_role("button", name="Pause sms-first").click()
    assert Provider.objects.get(code="sms-first").is_paused
    assert audited("PROVIDER_PAUSED", "provider:sms-first") == 1
    desk.get_by_role("button", name="Go on sms-first").click()
    assert not Provider.objects.get(code="sms-first").is_paused


def test_the_list_of_the_unreached_is_downloaded_whole_and_recorded(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/reach"))
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="List of the unreached, CSV").click()
    rows = list(csv.DictReader(Path(caught.value.path()).read_text("utf-8-sig").splitlines()))
    found = reach_summary(PERIOD)
    assert len(rows) == found.standings["AT_END"] + found.standings["PARKED"] > 1
    message = unreached_message()
    (row,) = [row for row in rows if row["bill_number"] == str(message.ref)]
    assert row["account_number"] == str(with_check(message.account_id))
    assert row["tried"] == "SMS FAILED ABSENT; EMAIL FAILED NO_SUCH_MAILBOX"
    assert audited("UNREACHED_READ", "run:2026-09") == 1


def test_the_reach_of_one_service_centre_is_a_part_of_the_whole(desk: Page, sent: Site) -> None:
    desk.goto(console(sent, "runs/2026-09/reach"))
    row = reach_summary(PERIOD).centres[0]
    desk.select_option("#centre", row.code)
    desk.get_by_role("button", name="Show").click()
    assert f"of {row.bills} bills reached" in desk.locator(".truth").inner_text()


def test_an_account_is_found_by_its_number_and_a_slip_is_explained(desk: Page, sent: Site) -> None:
    message = unreached_message()
    number = str(with_check(message.account_id))
    desk.goto(console(sent, ""))
    desk.fill("[name=number]", number[:-1])
    desk.keyboard.press("Enter")
    expect(desk.locator("[role=alert]")).to_have_text("An account number has 11 digits. You wrote 10.")
    desk.fill("[name=number]", number[:-1] + str((int(number[-1]) + 1) % 10))
    desk.keyboard.press("Enter")
    expect(desk.locator("[role=alert]")).to_contain_text("Look for a wrong digit")
    desk.fill("[name=number]", number.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")))
    desk.keyboard.press("Enter")
    expect(desk.locator("h1")).to_have_text(f"Messages of account {number}")
    assert audited("MESSAGES_READ", f"account:{message.account_id}") == 1


def test_a_message_is_sent_again_from_the_account(desk: Page, sent: Site) -> None:
    message = unreached_message()
    desk.goto(history(sent, message))
    article = desk.locator("article", has_text=str(message.ref))
    assert "NO_SUCH_MAILBOX" in article.inner_text()
    article.get_by_role("link", name="Send again").click()
    desk.get_by_role("button", name="Send again").click()
    expect(desk.locator("[role=status]")).to_have_text("The message is sent again.")
    stored = Message.objects.get(period=PERIOD.number, kind=1, ref=message.ref, recipient=0)
    assert stored.state == S.QUEUED
    assert audited("MESSAGE_RESENT", f"message:{PERIOD.number}.1.{message.ref}.0") == 1
    move(message, state=S.FAILED)


def test_what_was_told_at_the_branch_proves_that_the_bill_arrived(desk: Page, sent: Site) -> None:
    message = unreached_message()
    desk.goto(history(sent, message))
    article = desk.locator("article", has_text=str(message.ref))
    article.locator("summary").click()
    article.get_by_role("button", name="Told at the branch").click()
    expect(desk.locator("[role=status]")).to_have_text("It is recorded that the bill arrived.")
    found = Reach.objects.get(period=PERIOD.number, ref=message.ref)
    assert found.how == ReachHow.CLERK and found.witness.startswith("user:")
    assert "Told at the branch" in desk.locator("article", has_text=str(message.ref)).inner_text()


def test_a_clerk_serves_one_person_and_stops_nothing(page: Page, sent: Site) -> None:
    from django.contrib.auth.models import Group, User

    def hire() -> None:
        clerk = User.objects.create_user("clerk-of-messages", password=PASSWORD, is_staff=True)
        clerk.groups.add(Group.objects.get_or_create(name="CLERK")[0])

    commit(hire)
    sign_in(page, sent, "clerk-of-messages")
    page.goto(history(sent, unreached_message()))
    page.get_by_role("link", name="Send again").first.click()
    assert page.get_by_role("button", name="Send again").is_visible()
    page.goto(console(sent, "runs/2026-09/delivery"))
    assert page.locator("main form").count() == 0
    page.goto(console(sent, "runs/2026-09/delivery/BILL_ISSUED/stop"))
    assert "for billing managers" in page.locator("[role=alert]").inner_text()


def test_a_reader_sees_figures_and_has_no_buttons(page: Page, sent: Site) -> None:
    sign_in(page, sent, "reader")
    message = unreached_message()
    for path in ("runs/2026-09/delivery", f"accounts/{message.account_id}/messages"):
        page.goto(console(sent, path))
        assert page.locator("main form").count() == 0, path
    token = page.evaluate("document.querySelector('[name=csrfmiddlewaretoken]').value")
    for path in ("runs/2026-09/delivery/BILL_ISSUED/stop", "runs/2026-09/delivery/BILL_ISSUED/pause"):
        answer = page.request.post(
            console(sent, path), form={"csrfmiddlewaretoken": token}, headers={"Origin": sent.url}
        )
        assert answer.status == 403
    gate = MessageBatch.objects.get(period=PERIOD.number, kind=1)
    assert gate.paused_at is None and gate.stopped_at is None


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_the_screens_are_accessible_and_fit_phone_and_desk(desk: Page, sent: Site, lang: str) -> None:
    message = unreached_message()
    account = f"accounts/{message.account_id}/messages"
    screens = {
        "home": "",
        "run": "runs/2026-09",
        "delivery": "runs/2026-09/delivery",
        "stop": "runs/2026-09/delivery/BILL_ISSUED/stop",
        "reach": "runs/2026-09/reach",
        "find": "accounts?number=123",
        "messages": account,
        "resend": f"{account}/2026-09/1/{message.ref}/0/resend",
    }
    for name, path in screens.items():
        desk.set_viewport_size({"width": 1280, "height": 900})
        desk.goto(console(sent, f"{path}{'&' if '?' in path else '?'}lang={lang}"))
        for details in desk.locator("main details").all():
            details.locator("summary").click()
        assert Axe().run(desk).response["violations"] == [], name
        shoot(desk, f"{name}-{lang}-1280")
        desk.set_viewport_size({"width": 360, "height": 740})
        assert desk.evaluate("document.documentElement.scrollWidth") <= 360, name
        shoot(desk, f"{name}-{lang}-360")


def shoot(page: Page, name: str) -> None:
    """A picture to look at, where TAYYAR_SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
