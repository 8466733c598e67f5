"""A mail server posts what came back: taken from whoever knows the secret, and stored before the answer."""

from pathlib import Path

import pytest
from django.test import RequestFactory

from tayyar.gateways.mailbox import notices
from tayyar.gateways.smtp import verp, webhook_views
from tayyar.notifications.ports import DeliveryKey, Receipt, ReceiptState

KEY = DeliveryKey(202611, 1, 77, 0, 0, 1)
SECRET = "a-long-shared-secret-of-the-mta"
BOUNCE = notices.bounce(
    sender=f"bounces+{verp.token(KEY)}@utility.example",
    recipient="a@b.example",
    answer="550 5.1.1 no",
    original=b"Subject: x\n\n",
)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Receipt]]]:
    file = tmp_path / "providers.yaml"
    file.write_text(f"""
- code: mta
  channel: EMAIL
  gateway: SMTP
  options: {{host: mx.example, sender: bills@utility.example, webhook_secret: {SECRET}}}
- code: silent
  channel: EMAIL
  gateway: SMTP
  options: {{host: mx.example, sender: bills@utility.example}}
- code: other
  channel: SMS
  gateway: SMPP
  options: {{webhook_secret: {SECRET}}}
""")
    monkeypatch.setenv("TAYYAR_PROVIDERS", str(file))
    calls: list[tuple[str, list[Receipt]]] = []
    monkeypatch.setattr(
        webhook_views.receipts,
        "store",
        lambda *, provider, receipts, now: calls.append((provider, list(receipts))),
    )
    return calls


def _post(body: bytes, *, code: str = "mta", authorization: str = f"Bearer {SECRET}") -> int:
    request = RequestFactory(headers={"Authorization": authorization}).post(
        f"/hooks/mail/{code}", body, content_type="message/rfc822"
    )
    return webhook_views.webhook(request, code).status_code


def test_a_bounce_is_stored_under_its_provider(stored):
    assert _post(BOUNCE) == 204
    assert stored == [("mta", [Receipt(ReceiptState.BAD_CONTACT, key=KEY, reason="NO_SUCH_MAILBOX")])]


def test_a_mail_that_tells_nothing_is_taken_so_that_it_does_not_come_again(stored):
    assert _post(b"From: sara@x.example\n\nHello\n") == 204
    assert stored == []


@pytest.mark.parametrize("authorization", ["", "Bearer ", f"Bearer {SECRET}x", SECRET, "Bearer \xff"])
def test_without_the_secret_nothing_is_read(stored, authorization: str):
    assert _post(BOUNCE, authorization=authorization) == 403
    assert stored == []


@pytest.mark.parametrize("code", ["silent", "other", "unknown"])
def test_a_provider_without_a_secret_has_no_such_address(stored, code: str):
    assert _post(BOUNCE, code=code, authorization="Bearer ") == 404
    assert _post(BOUNCE, code=code) == 404
    assert stored == []


def test_it_is_only_posted_to(stored):
    assert webhook_views.webhook(RequestFactory().get("/hooks/mail/mta"), "mta").status_code == 405
