"""The desk's queue of requests in a real browser: found, taken, asked, decided, by keyboard and at phone width.

With TAYYAR_SCREENSHOTS the pages are kept as pictures.
"""

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.db import connection
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, StorageState, expect
from tests.browser.conftest import NOW, PHONE, Site, _visitor

from tayyar.core import clock, crypto
from tayyar.customers.models import Agreement, Channel, ContactPoint, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.identity.models import Person
from tayyar.requests import services
from tayyar.requests.documents import Upload
from tayyar.requests.models import RequestState, ServiceRequest, Via

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
Written = TypeVar("Written")
MOMENT = clock.parse_moment(NOW)
LONG_AGO = clock.parse_moment("2026-09-20T08:00:00+00:00")
_taken: list[int] = []


def committed(write: Callable[[], Written]) -> Written:
    """Write over a connection of its own, outside the test's transaction, so that the server sees it."""

    def work() -> Written:
        try:
            return write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def photo() -> bytes:
    """What a telephone makes of a meter."""
    made, drawn = io.BytesIO(), Image.new("RGB", (900, 1200), "#d8d2c4")
    pen = ImageDraw.Draw(drawn)
    pen.rounded_rectangle((150, 250, 750, 950), 60, fill="#f7f7f2", outline="#333333", width=12)
    pen.rectangle((230, 400, 670, 540), fill="#222222")
    for place in range(6):
        pen.rectangle((250 + 70 * place, 420, 305 + 70 * place, 520), fill="#eeeeee")
    drawn.save(made, "JPEG")
    return made.getvalue()


def pdf() -> bytes:
    writer, made = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(595, 842)
    writer.write(made)
    return made.getvalue()


@pytest.fixture
def asked(site: Site) -> ServiceRequest:
    """A reading dispute of somebody with a login, its deadline long past, with a photo and a PDF."""
    return committed(_ask)


def _ask() -> ServiceRequest:
    agreement = Agreement.objects.select_related("account").exclude(account_id__in=_taken).order_by("id")[0]
    account, place = agreement.account, len(_taken) + 1
    _taken.append(account.pk)
    number = f"+9665100000{place:02d}"
    mobile = ContactPoint.objects.create(
        channel=Channel.SMS,
        address_sealed=crypto.seal(number, field=ADDRESS_FIELD),
        address_hash=crypto.lookup_hash(number, field=ADDRESS_FIELD),
        verified_at=MOMENT,
    )
    person = Person.objects.create(
        user=User.objects.create_user(f"asker{account.pk}"),
        customer_id=account.customer_id,
        id_type="NATIONAL_ID",
        id_sealed=b"-",
        id_hash=account.pk.to_bytes(16, "big"),
        nationality="SA",
        birth_date=MOMENT.date().replace(year=1980),
        language=Language.ar,
        mobile=mobile,
        verified_by="LOCAL",
        verified_at=MOMENT,
        created_at=MOMENT,
    )
    request = services.open_request(
        type_code="READING_DISPUTE",
        person=None,
        account_id=account.pk,
        form={
            "read_on": "2026-09-18",
            "value_kwh": "48213",
            "text": "قرأت العداد بنفسي.\nالرقم في الفاتورة أعلى مما يعرضه.",
        },
        documents=[Upload("METER_PHOTO", photo()), Upload("METER_PHOTO", pdf())],
        via=Via.BRANCH,
        language=Language.ar,
        once_key=None,
        now=LONG_AGO,
        actor=f"person:{person.pk}",
    )
    ServiceRequest.objects.filter(pk=request.pk).update(person=person)
    request.refresh_from_db()
    return request


@pytest.fixture
def hand(chromium: Browser, site: Site, session: StorageState) -> Iterator[Page]:
    """The manager with a telephone in hand."""
    yield from _visitor(chromium, site, PHONE, session)


def keep(page: Page, name: str) -> None:
    """A picture, where pictures are kept."""
    if folder := os.environ.get("TAYYAR_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def stored(request: ServiceRequest) -> ServiceRequest:
    return committed(lambda: ServiceRequest.objects.get(pk=request.pk))


def test_a_request_is_found_taken_asked_about_and_refused_by_keyboard_alone(
    desk: Page, site: Site, asked: ServiceRequest
) -> None:
    desk.goto(f"{site.url}/console/requests?lang=ar")
    keep(desk, "requests-ar-1280")
    desk.keyboard.press("f")
    desk.keyboard.type(asked.reference.lower().replace("-", ""))
    desk.keyboard.press("Enter")
    expect(desk.locator("h1")).to_contain_text(asked.reference)
    expect(desk.locator(".truth .overdue")).to_have_text("متأخر")
    desk.locator(".papers img").scroll_into_view_if_needed()
    desk.wait_for_function("document.querySelector('.papers img').naturalWidth > 0")
    keep(desk, "request-ar-1280")

    desk.keyboard.press("t")
    expect(desk.locator("[role=status]")).to_have_text("الطلب عندك الآن.")
    desk.keyboard.press("q")
    desk.keyboard.press("Tab")
    if desk.evaluate("document.activeElement.tagName") != "TEXTAREA":  # the summary itself came first
        desk.locator("details[open] textarea").focus()
    desk.keyboard.type("صورة أقرب للعداد")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.locator(".truth")).to_contain_text("ينتظر صاحبه")
    assert stored(asked).state == RequestState.WAITING

    desk.keyboard.press("r")
    desk.locator("details[open] textarea").fill("القراءة في الفاتورة صحيحة.")
    desk.locator("details[open] button").click()
    expect(desk.locator("[role=status]")).to_contain_text("رفض الطلب")
    assert stored(asked).state == RequestState.REFUSED
    expect(desk.locator("summary")).to_have_count(1)  # a note is all that is left
    keep(desk, "request-refused-ar-1280")


def test_a_paper_is_seen_in_the_page_and_a_pdf_is_a_file(
    desk: Page, site: Site, asked: ServiceRequest
) -> None:
    desk.goto(f"{site.url}/console/requests/{asked.reference}?lang=en")
    desk.locator(".papers img").scroll_into_view_if_needed()
    desk.wait_for_function("document.querySelector('.papers img').naturalWidth > 0")
    with desk.expect_download() as caught:
        desk.get_by_role("link", name="Download the PDF").click()
    assert caught.value.suggested_filename.startswith(asked.reference)
    assert len(pypdf.PdfReader(caught.value.path()).pages) == 1


def test_the_pages_fit_a_phone_and_their_targets_a_thumb(
    hand: Page, site: Site, asked: ServiceRequest
) -> None:
    for name, address in (
        ("requests", "requests"),
        ("request", f"requests/{asked.reference}"),
        ("request-find", "requests/find?reference=R-0007"),
    ):
        hand.goto(f"{site.url}/console/{address}{'&' if '?' in address else '?'}lang=ar")
        assert hand.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        for target in hand.locator("main .button, main summary").all():
            box = target.bounding_box()
            assert box is None or box["height"] >= 44, address
        keep(hand, f"{name}-ar-360")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_the_pages_are_accessible(
    desk: Page, site: Site, asked: ServiceRequest, lang: str, scheme: str
) -> None:
    desk.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for name, address in (
        ("requests", "requests?mine=1"),
        ("requests", "requests?state=WAITING"),
        ("requests-all", "requests?"),
        ("request", f"requests/{asked.reference}?"),
        ("request-find", "requests/find?reference=nonsense"),
    ):
        desk.goto(f"{site.url}/console/{address}&lang={lang}")
        for summary in desk.locator("summary").all():
            summary.click()
        assert Axe().run(desk).response["violations"] == [], address
        keep(desk, f"{name}-{lang}-{scheme}")
