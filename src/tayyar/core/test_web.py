"""Whose request it is, in which language, and how many more it may make."""

import pytest
from django.test import RequestFactory, override_settings

from tayyar.core.web import Throttle, client_address, language

GET = RequestFactory().get


@pytest.mark.parametrize(
    ("address", "known", "lang"),
    [("/?lang=fr", "ar", "fr"), ("/?lang=xx", "en", "en"), ("/", "fr", "fr"), ("/?lang=AR", None, "ar")],
)
def test_a_page_is_in_the_language_asked_for_else_that_of_the_account(
    address: str, known: str | None, lang: str
) -> None:
    assert language(GET(address), known=known) == lang


def test_without_proxies_the_address_is_the_connection_s_whatever_the_client_claims() -> None:
    request = GET("/", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="198.51.100.1")
    assert client_address(request) == "203.0.113.9"


@override_settings(TRUSTED_PROXIES=1)
def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_added() -> None:
    request = GET("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="1.1.1.1, 198.51.100.7")
    assert client_address(request) == "198.51.100.7"


def test_an_ipv6_client_is_counted_by_its_network() -> None:
    assert client_address(GET("/", REMOTE_ADDR="2001:db8:1:2:3:4:5:6")) == "2001:db8:1:2::/64"


def test_a_budget_is_spent_by_each_address_apart_and_comes_back_with_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = 600.0
    monkeypatch.setattr("tayyar.core.web.time.monotonic", lambda: moment)
    throttle = Throttle(budget=10, seconds=60)
    one, other = GET("/", REMOTE_ADDR="203.0.113.1"), GET("/", REMOTE_ADDR="203.0.113.2")
    assert [throttle.spend(one, 5) for _ in range(3)] == [True, True, False]
    assert throttle.spend(other, 10)
    moment = 660.0
    assert throttle.spend(one, 10)


def test_beyond_the_most_addresses_the_rest_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tayyar.core.web._MOST_ADDRESSES", 1)
    throttle = Throttle(budget=1, seconds=60)
    answers = [throttle.spend(GET("/", REMOTE_ADDR=f"203.0.113.{last}")) for last in (1, 2, 3)]
    assert answers == [True, True, False]
