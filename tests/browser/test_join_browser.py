"""The sign-up as a new subscriber does it, in Arabic on a phone, with and without scripts; and how it is refused.

The authority is a scripted one; codes are read from the queue of messages, sealed as they are. With TAYYAR_SCREENSHOTS
the pages are kept as pictures.
"""

import datetime as dt
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import PHONE, Site
from tests.browser.test_wishes_browser import committed

from tayyar.core import crypto
from tayyar.customers.models import ContactPoint
from tayyar.identity import authorities, signup
from tayyar.identity.authorities import Authorities
from tayyar.identity.models import IdentityCode, IdType, Person, SignUp, TermsAcceptance
from tayyar.identity.ports import Asked, AuthorityError, NationalAddress, Proven, Way
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.views import OPENINGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

AR = JOIN_WORDS["ar"]
BORN = dt.date(1990, 5, 12)  # 17 Shawwal 1410
STRONG = "calm-current-7431"
_serials = itertools.count(1)


def national_id() -> str:
    """A fresh Saudi number: 1, eight digits, and the digit that makes the Luhn sum a multiple of ten."""
    body = f"1{next(_serials):08d}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body)]
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return f"{body}{-total % 10}"


class Scripted:
    """An identity and address authority that answers as the test wants."""

    code = "scripted"
    id_types = frozenset(IdType) - {IdType.COMMERCIAL_REGISTER}

    def __init__(self) -> None:
        self.way, self.fault, self.is_approved = Way.CODE, "", False
        self._asked: dict[str, tuple[IdType, str, dt.date]] = {}

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        if self.fault:
            raise AuthorityError(self.fault, self.fault)
        ref = f"ref-{number}"
        self._asked[ref] = (id_type, number, birth_date)
        phone = f"+9665{int(number) % 10**8:08d}" if self.way is Way.CODE else ""
        return Asked(self.way, ref=ref, phone=phone, shown="47", url=f"{back_url}?state={ref}")

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        if self.way is Way.APPROVAL and not self.is_approved:
            return None
        id_type, number, birth_date = self._asked[ref]
        return Proven(id_type, number, "سلمى بنت خالد العتيبي", birth_date, "SA")

    def addresses_of(self, *, id_type: IdType, number: str) -> list[NationalAddress]:
        parts = {"building_number": "8228", "street": "شارع الأمير", "city": "الرياض", "postal_code": "12643"}
        return [NationalAddress("RRRD2929", {"ar": "8228 شارع الأمير، الرياض 12643"}, parts)]

    def find(
        self, *, building_number: str, postal_code: str, additional_number: str
    ) -> NationalAddress | None:
        return None


@pytest.fixture
def authority(site: Site) -> Iterator[Scripted]:
    """The scripted authority in place of the installation's."""
    from tayyar.config.authorities import configured

    scripted = Scripted()
    authorities.use(lambda: Authorities(identity=(scripted,), address=scripted))
    yield scripted
    authorities.use(configured)


@pytest.fixture
def phone(chromium: Browser, site: Site, authority: Scripted) -> Iterator[Page]:
    """A phone in Arabic."""
    yield from _visit(chromium, site, scripts=True)


@pytest.fixture
def old_phone(chromium: Browser, site: Site, authority: Scripted) -> Iterator[Page]:
    """A phone in Arabic whose browser runs no script."""
    yield from _visit(chromium, site, scripts=False)


def _visit(chromium: Browser, site: Site, *, scripts: bool) -> Iterator[Page]:
    OPENINGS.clear()
    context = chromium.new_context(viewport=PHONE, locale="ar", java_script_enabled=scripts)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context.new_page()
    context.close()
    assert [address for address in asked if not address.startswith((site.url, "data:"))] == []


def keep(page: Page, name: str) -> None:
    """A picture of the page, in light and dark, where somebody asked for pictures."""
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=True)
        page.emulate_media(color_scheme="light")


def newest_code() -> str:
    """The digits of the newest one-time code, as the message says them."""
    payload = Payload.objects.filter(kind=MessageKind.ONE_TIME_CODE).latest("ref")
    raw = json.loads(crypto.unseal(bytes(payload.facts_sealed), field=PAYLOAD_FIELD))
    return str(raw["values"]["code"])


def say_who(page: Page, site: Site, number: str, *, born: dt.date = BORN) -> None:
    """Fill in the first page and send it."""
    page.goto(f"{site.url}/join?lang=ar")
    page.fill("[name=number]", number)
    page.locator("[name=calendar][value=GREGORIAN]").check()
    for name, value in (("day", born.day), ("month", born.month), ("year", born.year)):
        page.fill(f"[name={name}]", str(value))
    page.get_by_role("button", name=AR["next"]).click()


def type_code(page: Page, code: str) -> None:
    page.fill("[name=code]", code)
    page.get_by_role("button", name=AR["code_send"]).click()


def give_details(page: Page, mobile: str, *, email: str = "", password: str = STRONG) -> None:
    page.fill("[name=mobile]", mobile)
    page.fill("[name=email]", email)
    page.fill("[name=password]", password)
    page.locator("[name=terms]").check()
    page.get_by_role("button", name=AR["next"]).click()


def fits(page: Page) -> bool:
    """Whether nothing is wider than the phone."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= 360"))


def test_a_new_subscriber_signs_up_and_is_signed_in(phone: Page, site: Site) -> None:
    number = national_id()
    phone.goto(site.url)
    keep(phone, "join-0-front")
    phone.get_by_role("link", name="مستخدم جديد").click()
    assert fits(phone)
    keep(phone, "join-1-who")
    say_who(phone, site, number)
    expect(phone.locator("h1")).to_have_text(AR["code_title"])
    expect(phone.locator("[data-seconds]:visible").first).to_contain_text("يبقى الرمز صالحا")
    keep(phone, "join-2-code")
    type_code(phone, "000000" if newest_code() != "000000" else "111111")
    expect(phone.locator("[role=alert]")).to_have_text(AR["code_wrong"])
    keep(phone, "join-2-code-wrong")
    type_code(phone, newest_code())
    expect(phone.locator("h1")).to_have_text(AR["details_title"])
    expect(phone.locator("main")).to_contain_text("سلمى بنت خالد العتيبي")
    give_details(phone, "050", password="short")
    expect(phone.locator("[role=alert]")).to_contain_text(AR["details_MOBILE"])
    keep(phone, "join-3-details-wrong")
    give_details(phone, "0551234567", email="salma@mail.example")
    expect(phone.locator("h1")).to_have_text(AR["mobile_title"])
    expect(phone.locator("main")).to_contain_text("67")
    keep(phone, "join-4-mobile")
    type_code(phone, newest_code())
    expect(phone.locator("h1")).to_have_text(AR["done_title"])
    expect(phone.locator("main")).to_contain_text(AR["done_email_title"])
    assert fits(phone)
    keep(phone, "join-5-done")
    person = Person.objects.get(
        customer__name="سلمى بنت خالد العتيبي", mobile__address_hash=_hash("+966551234567")
    )
    assert person.birth_date == BORN
    assert person.user.check_password(STRONG)
    assert TermsAcceptance.objects.get(person=person).version == "2026-11"
    phone.get_by_role("link", name=AR["done_address"]).click()
    phone.locator("[name=code][value=RRRD2929]").check()
    keep(phone, "join-6-address")
    phone.get_by_role("button", name=AR["address_use"]).click()
    expect(phone.locator("[role=status]:visible").first).to_have_text(AR["address_saved"])
    person.refresh_from_db()
    assert (person.address["code"], person.address_checked_at is not None) == ("RRRD2929", True)


def _hash(address: str) -> bytes:
    from tayyar.customers.services import ADDRESS_FIELD

    return crypto.lookup_hash(address, field=ADDRESS_FIELD)


def test_without_scripts_and_with_a_hijri_date_it_works_the_same(old_phone: Page, site: Site) -> None:
    number = national_id()
    old_phone.goto(f"{site.url}/join?lang=ar")
    old_phone.fill("[name=number]", number)
    old_phone.locator("[name=calendar][value=HIJRI]").check()
    for name, value in (("day", "17"), ("month", "10"), ("year", "1410")):
        old_phone.fill(f"[name={name}]", value)
    old_phone.get_by_role("button", name=AR["next"]).click()
    expect(old_phone.locator("main")).to_contain_text(AR["code_sent_at"])
    keep(old_phone, "join-2-code-without-scripts")
    type_code(old_phone, newest_code())
    give_details(old_phone, "0551110002")
    type_code(old_phone, newest_code())
    expect(old_phone.locator("h1")).to_have_text(AR["done_title"])
    assert Person.objects.get(mobile__address_hash=_hash("+966551110002")).birth_date == BORN


def test_a_mistyped_number_says_what_is_wrong_and_keeps_what_was_typed(phone: Page, site: Site) -> None:
    right = national_id()
    say_who(phone, site, right[:-1])
    expect(phone.locator("#e-number")).to_contain_text("عدد خانات هذا الرقم 10، وأنت كتبت 9.")
    expect(phone.locator("[name=number]")).to_have_value(right[:-1])
    expect(phone.locator("[name=year]")).to_have_value("1990")
    say_who(phone, site, f"{right[:-1]}{(int(right[-1]) + 1) % 10}")
    expect(phone.locator("#e-number")).to_have_text(AR["number_CHECK"])
    say_who(phone, site, f"2{right[1:]}")
    expect(phone.locator("#e-number")).to_contain_text("يبدأ بالرقم 1")
    keep(phone, "join-1-who-wrong")
    assert not SignUp.objects.filter(id_hash=b"").exists()


def test_a_date_that_is_not_in_its_calendar_is_asked_again(phone: Page, site: Site) -> None:
    phone.goto(f"{site.url}/join?lang=ar")
    phone.fill("[name=number]", national_id())
    phone.locator("[name=calendar][value=HIJRI]").check()
    for name, value in (("day", "12"), ("month", "5"), ("year", "1990")):
        phone.fill(f"[name={name}]", value)
    phone.get_by_role("button", name=AR["next"]).click()
    expect(phone.locator("#e-birth")).to_have_text(AR["birth_wrong"])


@pytest.mark.parametrize("fault", ["MISMATCH", "DOWN"])
def test_an_authority_that_refuses_or_is_down_is_said_with_what_to_do(
    phone: Page, site: Site, authority: Scripted, fault: str
) -> None:
    authority.fault = fault
    say_who(phone, site, national_id())
    expect(phone.locator("[role=alert]")).to_contain_text(AR[f"refused_{fault}"])
    expect(phone.locator("[name=year]")).to_have_value("1990")
    keep(phone, f"join-1-{fault.lower()}")


def test_too_young_is_said_before_anybody_is_asked(phone: Page, site: Site) -> None:
    say_who(phone, site, national_id(), born=dt.date(2012, 1, 1))
    expect(phone.locator("[role=alert]")).to_contain_text(AR["refused_TOO_YOUNG"])


def test_an_expired_code_says_so_and_another_one_can_be_asked_for(phone: Page, site: Site) -> None:
    say_who(phone, site, national_id())
    first = newest_code()
    committed(lambda: IdentityCode.objects.update(issued_at=_ago(120), expires_at=_ago(60)))
    phone.reload()
    expect(phone.locator("main")).to_contain_text(AR["code_over"])
    type_code(phone, first)
    expect(phone.locator("[role=alert]")).to_have_text(AR["code_EXPIRED"])
    keep(phone, "join-2-code-expired")
    phone.get_by_role("button", name=AR["code_again"]).click()
    expect(phone.locator("[role=status]:visible").first).to_have_text(AR["code_resent"])
    type_code(phone, newest_code())
    expect(phone.locator("h1")).to_have_text(AR["details_title"])


def _ago(seconds: int) -> dt.datetime:
    from tayyar.core import clock

    return clock.now() - dt.timedelta(seconds=seconds)


def test_another_code_must_be_waited_for(old_phone: Page, site: Site) -> None:
    say_who(old_phone, site, national_id())
    old_phone.get_by_role("button", name=AR["code_again"]).click()
    expect(old_phone.locator("[role=alert]")).to_contain_text("انتظر 30 ثانية")


def test_going_back_and_sending_twice_change_nothing(phone: Page, site: Site) -> None:
    number = national_id()
    say_who(phone, site, number)
    code = newest_code()
    begun = SignUp.objects.count()
    say_who(phone, site, number)  # back to the first page, the same again
    assert SignUp.objects.count() == begun
    assert newest_code() == code
    type_code(phone, code)
    expect(phone.locator("h1")).to_have_text(AR["details_title"])
    phone.goto(f"{site.url}/join/confirm")  # the page before it moves on to where the sign-up stands
    expect(phone.locator("h1")).to_have_text(AR["details_title"])
    phone.goto(f"{site.url}/join/mobile")
    expect(phone.locator("h1")).to_have_text(AR["details_title"])


def test_who_has_a_login_learns_it_only_after_the_proof(phone: Page, site: Site, chromium: Browser) -> None:
    number = national_id()
    say_who(phone, site, number)
    type_code(phone, newest_code())
    give_details(phone, "0551110003")
    type_code(phone, newest_code())
    expect(phone.locator("h1")).to_have_text(AR["done_title"])
    other = chromium.new_context(viewport=PHONE, locale="ar").new_page()
    say_who(other, site, number)
    expect(other.locator("h1")).to_have_text(AR["code_title"])
    type_code(other, newest_code())
    expect(other.locator("[role=alert]")).to_have_text(AR["refused_HAS_LOGIN"])
    expect(other.get_by_role("link", name=AR["recover"])).to_be_visible()
    keep(other, "join-has-login")
    other.context.close()


def test_an_approval_is_waited_for_and_the_page_moves_on_by_itself(
    phone: Page, site: Site, authority: Scripted
) -> None:
    authority.way = Way.APPROVAL
    say_who(phone, site, national_id())
    expect(phone.locator(".shown")).to_have_text("47")
    keep(phone, "join-2-approval")
    authority.is_approved = True
    expect(phone.locator("h1")).to_have_text(AR["details_title"], timeout=8000)


def test_an_approval_works_without_scripts(old_phone: Page, site: Site, authority: Scripted) -> None:
    authority.way = Way.APPROVAL
    say_who(old_phone, site, national_id())
    old_phone.get_by_role("button", name=AR["approval_check"]).click()
    expect(old_phone.locator("[role=alert]")).to_have_text(AR["approval_not_yet"])
    authority.is_approved = True
    old_phone.get_by_role("button", name=AR["approval_check"]).click()
    expect(old_phone.locator("h1")).to_have_text(AR["details_title"])


def test_the_session_keeps_the_sign_ups_id_alone(phone: Page, site: Site) -> None:
    from django.contrib.sessions.models import Session

    say_who(phone, site, national_id())
    cookie = next(found for found in phone.context.cookies() if found["name"] == "sessionid")
    kept = Session.objects.get(session_key=cookie["value"]).get_decoded()
    assert kept.keys() == {"join"}
    assert signup.find(signup_id=kept["join"], now=_ago(0)) is not None


def test_the_link_to_an_e_mail_needs_a_press_and_an_unknown_one_opens_nothing(
    phone: Page, site: Site
) -> None:
    say_who(phone, site, national_id())
    type_code(phone, newest_code())
    give_details(phone, "0551110004", email="huda@mail.example")
    type_code(phone, newest_code())
    expect(phone.locator("h1")).to_have_text(AR["done_title"])
    payload = Payload.objects.filter(kind=MessageKind.EMAIL_CHECK).latest("ref")
    raw = json.loads(crypto.unseal(bytes(payload.facts_sealed), field=PAYLOAD_FIELD))
    link = site.url + "/join/email/" + raw["url"].rsplit("/", 1)[1]
    phone.goto(link)
    assert not ContactPoint.objects.filter(address_hash=_hash("huda@mail.example"), verified_at__isnull=False)
    phone.get_by_role("button", name=AR["email_confirm"]).click()
    expect(phone.locator("h1")).to_have_text(AR["email_done"])
    assert Person.objects.filter(email__address_hash=_hash("huda@mail.example")).exists()
    answer = phone.goto(f"{site.url}/join/email/{'a' * 48}")
    assert answer is not None and answer.status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_is_accessible_and_fits_a_phone(
    chromium: Browser, site: Site, authority: Scripted, lang: str, scheme: str
) -> None:
    OPENINGS.clear()
    context = chromium.new_context(viewport=PHONE, locale=lang, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    words = JOIN_WORDS[lang]
    try:
        for address in ("/", "/open?text=nothing", "/terms", "/offline", "/join/email/unknown"):
            page.goto(f"{site.url}{address}{'&' if '?' in address else '?'}lang={lang}")
            _clean(page, lang)
        page.goto(f"{site.url}/join?lang={lang}")
        _clean(page, lang)
        page.get_by_role("button", name=words["next"]).click()
        expect(page.locator("[role=alert]")).to_be_visible()
        _clean(page, lang)
        page.fill("[name=number]", national_id())
        page.locator("[name=calendar][value=GREGORIAN]").check()
        for name, value in (("day", "12"), ("month", "5"), ("year", "1990")):
            page.fill(f"[name={name}]", value)
        page.get_by_role("button", name=words["next"]).click()
        expect(page.locator("h1")).to_have_text(words["code_title"])
        _clean(page, lang)
        page.fill("[name=code]", newest_code())
        page.get_by_role("button", name=words["code_send"]).click()
        _clean(page, lang)
        page.fill("[name=mobile]", f"05522{next(_serials):05d}")
        page.fill("[name=password]", STRONG)
        page.locator("[name=terms]").check()
        page.get_by_role("button", name=words["next"]).click()
        expect(page.locator("h1")).to_have_text(words["mobile_title"])
        _clean(page, lang)
        page.fill("[name=code]", newest_code())
        page.get_by_role("button", name=words["code_send"]).click()
        expect(page.locator("h1")).to_have_text(words["done_title"])
        _clean(page, lang)
        for address in ("/join/address", "/join/business"):
            page.goto(f"{site.url}{address}?lang={lang}")
            _clean(page, lang)
        keep(page, f"join-business-{lang}")
    finally:
        context.close()


def _clean(page: Page, lang: str) -> None:
    assert page.locator("html").get_attribute("lang") == lang, page.url
    assert fits(page), page.url
    found = Axe().run(page).response["violations"]
    assert found == [], (page.url, json.dumps(found)[:2000])


def test_targets_of_a_thumb_are_large_enough(phone: Page, site: Site) -> None:
    for address in ("/", "/join"):
        phone.goto(f"{site.url}{address}?lang=ar")
        small = [
            (found.inner_text(), box)
            for found in phone.locator(
                "button:visible, a.button:visible, summary:visible, label.pick:visible"
            ).all()
            if (box := found.bounding_box()) and (box["height"] < 44 or box["width"] < 44)
        ]
        assert small == []


def test_it_can_be_done_with_the_keyboard_alone(phone: Page, site: Site) -> None:
    phone.goto(f"{site.url}/?lang=ar")
    phone.keyboard.press("Tab")
    assert phone.evaluate("document.activeElement.className") == "skip"
    phone.keyboard.press("Enter")
    phone.keyboard.press("Tab")
    phone.keyboard.press("Tab")
    assert phone.evaluate("document.activeElement.textContent") == "مستخدم جديد"
    phone.keyboard.press("Enter")
    expect(phone).to_have_url(f"{site.url}/join")


def test_simple_mode_is_one_tap_away_and_larger(phone: Page, site: Site) -> None:
    phone.goto(f"{site.url}/?lang=ar")
    plain = phone.evaluate("getComputedStyle(document.querySelector('h1')).fontSize")
    phone.get_by_role("button", name="مبسّط").click()
    expect(phone.locator("html.simple")).to_have_count(1)
    larger = phone.evaluate("getComputedStyle(document.querySelector('h1')).fontSize")
    assert float(larger[:-2]) == 1.25 * float(plain[:-2])
    assert fits(phone)
    expect(phone.locator("#care-title")).to_be_hidden()
    keep(phone, "front-simple")
    phone.goto(f"{site.url}/join?lang=ar")
    assert fits(phone)
    keep(phone, "join-1-who-simple")
    phone.get_by_role("button", name="مبسّط").click()
    expect(phone.locator("html.simple")).to_have_count(0)
