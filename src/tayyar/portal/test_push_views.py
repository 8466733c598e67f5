"""A browser may hand over its subscription for the person whose own link it has, and for nobody by a bill's link."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.http import HttpResponse
from django.test import Client

from tayyar.core import clock, crypto
from tayyar.core.links import bill_token, preference_token
from tayyar.core.text import LANGUAGES
from tayyar.customers.models import (
    Channel,
    ContactPoint,
    Customer,
    CustomerAccount,
    Delegate,
    DelegateState,
)
from tayyar.customers.push_address import PushAddress, encoded
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.portal import push_views
from tayyar.portal.push_words import PUSH_WORDS
from tayyar.portal.views import OPENINGS

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
BILL, ACCOUNT = 261100000001234, 100_000_001
POINT = (
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
SUBSCRIPTION = {
    "endpoint": "https://push.example/abc",
    "expirationTime": None,
    "keys": {"p256dh": encoded(POINT), "auth": encoded(bytes(16))},
}


@pytest.fixture(autouse=True)
def salma() -> Iterator[None]:
    """One account."""
    customer = Customer.objects.create(id=1, kind="PERSON", name="سلمى")
    CustomerAccount.objects.create(id=ACCOUNT, customer=customer, opened_on=NOW.date())

    OPENINGS.clear()
    with clock.at(NOW):
        yield
    OPENINGS.clear()


def link(account: int = ACCOUNT, recipient: int = 0, *, expires: dt.date = dt.date(2027, 2, 1)) -> str:
    return f"/p/{preference_token(account, recipient, expires=expires)}/push"


def post(
    path: str, body: object = SUBSCRIPTION, *, origin: str | None = "http://testserver", **more: Any
) -> HttpResponse:
    headers = {"Origin": origin} if origin else {}
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    client = Client(enforce_csrf_checks=True)
    answer = client.post(path, data, **{"content_type": "application/json", "headers": headers, **more})
    assert "set-cookie" not in answer.headers
    return answer


def test_a_subscription_becomes_a_verified_contact_of_the_holder() -> None:
    assert post(link()).status_code == 204
    point = ContactPoint.objects.get()
    assert (point.account_id, point.recipient, point.channel) == (ACCOUNT, 0, Channel.PUSH)
    assert point.verified_at == NOW
    stored = crypto.unseal(point.address_sealed, field=ADDRESS_FIELD)
    assert stored == PushAddress.parse(json.dumps(SUBSCRIPTION)).text()
    assert post(link()).status_code == 204
    assert ContactPoint.objects.count() == 1


def test_a_link_that_opens_nothing_says_nothing() -> None:
    altered = link()[:-6] + ("A" if link()[-6] != "A" else "B") + "/push"
    expired = link(expires=dt.date(2026, 11, 2))
    unknown = link(100_000_099)
    nobody = link(recipient=1)
    answers = [post(path) for path in (altered, expired, unknown, nobody, "/p/x/push")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, b"")}


def test_a_bill_s_link_makes_nobody_s_browser_hear_of_later_bills() -> None:
    token = bill_token(BILL, expires=dt.date(2027, 2, 1))
    assert {post(f"/{door}/{token}/push").status_code for door in "bp"} == {404}
    assert not ContactPoint.objects.exists()


def test_a_delegate_s_browser_is_the_delegate_s_and_ends_with_the_delegation() -> None:
    made = Delegate.objects.create(
        account_id=ACCOUNT,
        recipient=1,
        name="n",
        state=DelegateState.ACTIVE,
        invited_at=NOW,
        invited_by="holder",
    )
    assert post(link(recipient=1)).status_code == 204
    assert ContactPoint.objects.get().recipient == 1
    Delegate.objects.filter(pk=made.pk).update(state=DelegateState.REVOKED)
    assert post(link(recipient=1)).status_code == 404


@pytest.mark.parametrize("origin", [None, "null", "https://testserver", "http://evil.example"])
def test_another_site_s_page_is_refused(origin: str | None) -> None:
    assert post(link(), origin=origin).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (" ", 400),
        ("{}", 400),
        (b"\xff\xfe", 400),
        ({**SUBSCRIPTION, "endpoint": "http://127.0.0.1:5432/"}, 400),
        ({**SUBSCRIPTION, "endpoint": "https://10.0.0.1/"}, 400),
        ("x" * 9000, 413),
    ],
)
def test_what_is_no_subscription_is_refused(body: object, status: int) -> None:
    assert post(link(), body).status_code == status
    assert not ContactPoint.objects.exists()


def test_a_form_of_another_kind_is_refused() -> None:
    assert post(link(), "a=b", content_type="application/x-www-form-urlencoded").status_code == 415
    assert Client().get(link()).status_code == 405


def test_who_asks_too_often_waits() -> None:
    # 600 points a minute, 10 for each: the 61st is too many
    assert [post(link()).status_code for _ in range(61)] == [204] * 60 + [429]


def test_a_wrong_link_costs_more() -> None:
    # 10 + 20 points for each
    assert [post("/p/x/push").status_code for _ in range(21)] == [404] * 20 + [429]


def test_the_service_worker_comes_from_the_root_and_is_asked_for_anew() -> None:
    answer = Client().get("/sw.js")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert answer["Cache-Control"] == "no-cache"
    assert b"showNotification" in answer.content


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_button_has_its_words_its_key_and_its_door(lang: str) -> None:
    offer = push_views.push_offer("T" * 36, lang)
    assert offer["subscribe"] == f"/p/{'T' * 36}/push"
    assert (offer["worker"], len(offer["key"])) == ("/sw.js", 87)
    assert offer["w"].keys() == PUSH_WORDS["ar"].keys()
    assert all(text.strip() and "!" not in text for text in offer["w"].values())
