"""What an editor sees of words: parts, cost and problems, before anything is stored."""

import pytest
from django.test import RequestFactory

from tayyar.console import queries, template_preview
from tayyar.console.screen import Screen
from tayyar.customers.models import Channel
from tayyar.notifications import words
from tayyar.notifications.providers import ProviderConfig
from tayyar.profiles.installation import load_answered


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """An English reader at a Saudi utility with two SMS providers in use, one at rest, and nine million accounts."""
    providers = [
        ProviderConfig("sms-first", Channel.SMS, "smpp", cost_micro=20_000),
        ProviderConfig("sms-second", Channel.SMS, "http_sms", cost_micro=30_000),
        ProviderConfig("sms-old", Channel.SMS, "smpp", weight=0, cost_micro=90_000),
        ProviderConfig("mail", Channel.EMAIL, "smtp"),
    ]
    monkeypatch.setattr(template_preview, "configured", lambda: {one.code: one for one in providers})
    monkeypatch.setattr(queries, "account_estimate", lambda: 9_000_000)
    return Screen(RequestFactory().get("/?lang=en"), load_answered("sa"))


def shown(screen: Screen, channel: Channel, language: str, **change: str) -> dict:
    texts = {**words.shipped("bill_issued", language)[channel], **change}
    return template_preview.preview(screen, "bill_issued", channel, language, texts, None)


def test_the_cost_is_the_dearest_providers_times_the_parts(screen: Screen) -> None:
    cost = shown(screen, Channel.SMS, "ar")["cost"]
    assert cost["one"] == "0.06 SAR"  # 2 parts x 0.03
    assert "540,000.00" in cost["all"]  # x 9,000,000


def test_where_no_price_is_known_no_cost_is_shown(screen: Screen) -> None:
    assert shown(screen, Channel.EMAIL, "ar")["cost"] is None


def test_a_short_message_in_the_cheap_alphabet_is_one_part(screen: Screen) -> None:
    sms = shown(screen, Channel.SMS, "en")["sms"]
    assert sms["encoding"] == "GSM-7" and ">1<" in sms["segments"] and sms["warning"] == ""


def test_three_parts_bring_a_warning(screen: Screen) -> None:
    text = words.shipped("bill_issued", "ar")[Channel.SMS]["text"] + " شكرا" * 10
    assert "3" in shown(screen, Channel.SMS, "ar", text=text)["sms"]["warning"]


def test_problems_are_said_in_the_readers_words_and_nothing_is_rendered(screen: Screen) -> None:
    found = shown(screen, Channel.SMS, "ar", text="{amount_text} {due_day_text} {nobody} {url}")
    assert found["problems"] == [
        "“Text” uses a variable that this message does not have: {nobody}",
    ]
    assert "texts" not in found


def test_a_value_with_markup_is_text_for_the_template_to_escape(screen: Screen) -> None:
    found = shown(screen, Channel.PUSH, "en", title="<b>{amount_text}</b>")
    assert found["texts"]["title"] == "<b>276.00 SAR</b>"
    assert not hasattr(found["texts"]["title"], "__html__")
