"""The templates' editor in a real browser: words are looked at with real data, saved, refused and brought back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser.conftest import Site, sign_in

from tayyar.billing.models import Bill
from tayyar.core.models import AuditEntry
from tayyar.core.references import with_check
from tayyar.core.text import format_amount
from tayyar.notifications import templates
from tayyar.notifications.models import TemplateVersion
from tayyar.notifications.variables import TEMPLATES
from tayyar.notifications.words import FIELDS
from tayyar.profiles.installation import installed_profile

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
SMS = "templates/bill_issued/SMS"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """What an earlier test saved stays in the site's database, not in this process."""
    templates.forget()
    yield
    templates.forget()


def shot(page: Page, name: str, folder: Path) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def newest_bill() -> Bill:
    """A bill with something to pay, the newest of its account."""
    due = Bill.objects.filter(period=202609, total_minor__gt=0, balance_before_minor__gte=0)
    return due.order_by("-total_minor")[0]


def test_every_template_is_listed_by_channel_and_language(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/templates?lang=en")
    assert desk.locator("h2").count() == len(TEMPLATES)
    assert desk.locator(".template-list td a").count() == len(TEMPLATES) * len(FIELDS) * 3
    desk.get_by_role("link", name="as it came").first.click()
    assert desk.locator("h1").inner_text() == "New bill, E-mail, العربية"


def test_the_preview_follows_the_typing_with_length_and_parts(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/{SMS}/en?lang=en")
    expect(desk.locator("#preview")).to_contain_text("GSM-7")
    desk.fill("[name=text]", "Bill ✓ {amount_text} by {due_day_text}: {url}")
    expect(desk.locator("#preview")).to_contain_text("Bill ✓ 276.00 SAR by 11 December: https://")
    expect(desk.locator("#preview")).to_contain_text("UCS-2")
    desk.fill("[name=text]", "Bill {amount_text} by {due_dy_text}")
    expect(desk.locator("#preview .notice")).to_contain_text("{due_dy_text}")


def test_the_preview_with_a_real_bill_is_audited_once_however_much_is_typed(desk: Page, site: Site) -> None:
    bill = newest_bill()
    profile = installed_profile()
    shown = format_amount(
        bill.total_minor + bill.balance_before_minor, profile.currency, "ar", profile.formats
    )
    desk.goto(f"{site.url}/console/{SMS}/ar?lang=en")
    desk.fill("[name=account]", str(with_check(bill.account_id)))
    expect(desk.locator("#preview .bubble")).to_contain_text(shown)
    desk.fill("[name=text]", "كهرباء {amount_text} حتى {due_day_text} {url}")
    expect(desk.locator("#preview .bubble")).to_contain_text(f"كهرباء {shown}")
    looks = AuditEntry.objects.filter(action="TEMPLATE_PREVIEWED", subject=f"account:{bill.account_id}")
    assert looks.count() == 1 and looks[0].detail == {"template": "bill_issued"}


def test_a_mistyped_account_is_explained_and_shows_samples(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/{SMS}/ar?lang=en")
    desk.fill("[name=account]", "12345")
    expect(desk.locator("#preview")).to_contain_text("An account number has 11 digits")
    expect(desk.locator("#preview .bubble")).to_contain_text("276.00")


def test_saved_words_become_a_version_and_the_old_ones_can_be_brought_back(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/{SMS}/fr?lang=en")
    before = desk.input_value("[name=text]")
    desk.fill("[name=text]", "Facture {amount_text}, {due_day_text} : {url}")
    desk.get_by_role("button", name="Save and send these words").click()
    expect(desk.locator("[role=status]")).to_contain_text("Version 1 is saved")
    assert TemplateVersion.objects.get(language=3, version=1).words == {
        "text": "Facture {amount_text}, {due_day_text} : {url}"
    }
    desk.get_by_role("link", name="Look: as it came").click()
    assert desk.input_value("[name=text]") == before
    desk.get_by_role("button", name="Bring back: as it came").click()
    expect(desk.locator("[role=status]")).to_contain_text("Version 2 is saved")
    assert desk.input_value("[name=text]") == before
    assert (
        AuditEntry.objects.filter(action="TEMPLATE_SAVED", subject="template:bill_issued.SMS.fr").count() == 2
    )
    expect(desk.locator("#main")).to_contain_text("manager")


def test_words_without_the_amount_are_refused_and_kept(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/{SMS}/en?lang=en")
    desk.fill("[name=text]", "Your bill, {due_day_text}: {url}")
    desk.get_by_role("button", name="Save and send these words").click()
    assert desk.locator("[role=alert]").inner_text() == "Not saved"
    expect(desk.locator("#preview")).to_contain_text("{amount_text}")
    assert desk.input_value("[name=text]") == "Your bill, {due_day_text}: {url}"
    assert not TemplateVersion.objects.filter(language=2).exists()


def test_who_may_not_act_looks_but_cannot_save(page: Page, site: Site) -> None:
    sign_in(page, site, "reader")
    page.goto(f"{site.url}/console/{SMS}/en?lang=en")
    assert page.get_by_role("button", name="Save and send these words").count() == 0
    token = page.locator("form.editor [name=csrfmiddlewaretoken]").input_value()
    answer = page.request.post(
        f"{site.url}/console/{SMS}/en/save",
        form={"csrfmiddlewaretoken": token, "text": "Bill {amount_text} {due_day_text} {url}"},
        headers={"Referer": page.url},
    )
    assert answer.status == 403
    assert not TemplateVersion.objects.filter(language=2).exists()


def test_the_preview_works_without_script(desk: Page, site: Site) -> None:
    context = desk.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    context.add_cookies(desk.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto(f"{site.url}/console/{SMS}/en?lang=en")
    plain.fill("[name=text]", "Plain {amount_text}, {due_day_text} {url}")
    plain.get_by_role("button", name="Show the preview").click()
    assert "Plain 276.00 SAR, 11 December" in plain.locator("#preview").inner_text()
    assert plain.input_value("[name=text]") == "Plain {amount_text}, {due_day_text} {url}"
    context.close()


def test_hostile_words_stay_words_in_the_preview(desk: Page, site: Site) -> None:
    desk.goto(f"{site.url}/console/{SMS}/en?lang=en")
    desk.fill("[name=text]", "<img src=x onerror=alert(1)> {amount_text} {due_day_text} {url}")
    expect(desk.locator("#preview .bubble")).to_contain_text("<img src=x onerror=alert(1)>")
    assert desk.locator("#preview img").count() == 0


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_editor_screen_is_accessible_and_fits_phone_and_desk(
    desk: Page, site: Site, lang: str, tmp_path: Path
) -> None:
    screens = ["templates", *(f"templates/bill_issued/{channel.name}/{lang}" for channel in FIELDS)]
    screens.append("templates/bill_issued_digest/EMAIL/ar")
    for screen in screens:
        desk.set_viewport_size({"width": 1280, "height": 900})
        desk.goto(f"{site.url}/console/{screen}?lang={lang}")
        assert desk.locator("html").get_attribute("lang") == lang
        violations = Axe().run(desk).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == [], screen
        shot(desk, f"{screen.replace('/', '-')}-{lang}-desk", tmp_path)
        desk.set_viewport_size({"width": 360, "height": 740})
        assert desk.evaluate("document.documentElement.scrollWidth") <= 360, screen
        shot(desk, f"{screen.replace('/', '-')}-{lang}-phone", tmp_path)
