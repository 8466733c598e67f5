"""The bill page in a real browser at phone width: accessible, nothing cut off, its own fonts, no other host."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from bill_sample import CAST
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Route

import tayyar.portal
from tayyar.billing.documents.page import bill_context

STATIC = Path(tayyar.portal.__file__).parent / "static"
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "lang"), [("sa", "ar"), ("eg", "ar"), ("bh", "en"), ("mr", "fr")])
def test_the_page_is_accessible_and_whole_at_360_pixels(
    chromium: Browser, name: str, lang: str, scheme: str
) -> None:
    html = render_to_string("portal/bill.html", bill_context(CAST[name](), lang))
    asked = []

    def answer(route: Route) -> None:
        address = route.request.url
        asked.append(address)
        if "/static/" in address:
            route.fulfill(path=STATIC / address.split("/static/")[1])
        else:
            route.fulfill(body=html, content_type="text/html; charset=utf-8")

    page = chromium.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    page.route("**/*", answer)
    page.goto("http://bill.test/")
    assert page.evaluate(
        "document.fonts.ready.then(() => document.fonts.check('16px \"Tayyar Sans\"', 'فاتورة'))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('.button, .by').getBoundingClientRect().bottom") <= 740
    assert Axe().run(page).response["violations"] == []
    assert all(address.startswith("http://bill.test/") for address in asked)
    page.close()
