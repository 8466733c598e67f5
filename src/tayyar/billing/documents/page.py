"""The template context of the bill's page.

Owns the step from plain texts to safe markup: isolated numbers, charts, QR. Never knows a request.
Next: portal/views.py renders "portal/bill.html" with it.
"""

from typing import Any
from urllib.parse import quote

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tayyar.billing.documents import chart
from tayyar.billing.documents.present import HeadPresenter, Tree, present
from tayyar.billing.documents.qr import qr_svg
from tayyar.billing.documents.view import BillHead, BillView
from tayyar.billing.documents.words import LANGUAGE_NAMES


def bill_context(view: BillView, lang: str) -> dict[str, Any]:
    """Context of "portal/bill.html" for `lang` (ar, en, fr; else UserError)."""
    tree = dict(present(view, lang))
    rtl = tree["dir"] == "rtl"
    bars = tree["chart"]
    if bars is not None:
        bars["svg"] = mark_safe(  # noqa: S308 - built by chart.svg, which escapes every text
            chart.svg(
                [month.energy_wh for month in view.history],
                [bar["tick"] for bar in bars["bars"]],
                [bar["shown"] for bar in bars["bars"]],
                rtl=rtl,
                alt=bars["sentence"],
            )
        )
    for line in tree["lines"]:
        fill = line["fill"]
        line["fill"] = None if fill is None else mark_safe(chart.fill_svg(fill, rtl=rtl))  # noqa: S308 - numbers only
    for contact in tree["help"]["contacts"]:
        contact["href"] = contact_href(contact)
    context: dict[str, Any] = isolate(tree)
    context["qr"] = mark_safe(qr_svg(view.page_url))  # noqa: S308 - segno writes paths only
    context["pdf_url"] = f"{view.pdf_url}?lang={lang}" if view.pdf_url else ""
    context["languages"] = [
        {"code": code, "name": name, "href": f"?lang={code}", "current": code == lang}
        for code, name in LANGUAGE_NAMES.items()
    ]
    return context


def head_context(head: BillHead, lang: str) -> dict[str, Any]:
    """What pages about a bill say of it in `lang` (ar, en, fr; else UserError): bill_title, notice, hero, pay.

    `pay` is whether there is something to pay.
    """
    words = HeadPresenter(head, lang)
    return {
        "bill_title": words.title(),
        "notice": words.notice(),
        "hero": isolate(words.hero()),
        "pay": words.payable,
    }


def contact_href(contact: Tree) -> str:
    """A link that calls, writes or opens; none for an office."""
    kind, value = contact["kind"], contact["value"]
    if kind == "PHONE":
        return "tel:" + "".join(c for c in value if c.isdigit() or c == "+")
    if kind == "EMAIL":
        return "mailto:" + quote(value, safe="@.+-_")
    if kind == "WEB":
        return value if value.startswith(("https://", "http://")) else "https://" + value
    return ""


def isolate(node: Any) -> Any:
    """Every {"n", "u"} of a tree as markup that keeps its digits left to right in any text."""
    if isinstance(node, dict):
        if node.keys() == {"n", "u"}:
            return number_html(node["n"], node["u"])
        return {key: isolate(value) for key, value in node.items()}
    if isinstance(node, list):
        return [isolate(value) for value in node]
    return node


def number_html(number: str, unit: str) -> SafeString:
    """<bdi> around the digits and sign, the unit after them, never broken between lines."""
    return format_html('<span class="money"><bdi dir="ltr">{}</bdi> <small>{}</small></span>', number, unit)
