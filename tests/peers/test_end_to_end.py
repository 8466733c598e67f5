"""From a real bill to somebody else's machine and back: the whole engine between the bill run and peers not ours.

An SMS through the npm package `smpp`, a mail that a real Postfix cannot deliver, a WhatsApp payload that pywa writes
alike. Each is skipped, with the reason, where its peer is missing.
"""

import datetime as dt
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from pywa.types.templates import BodyText, HeaderDocument, TemplateLanguage, URLButton
from tests.peers.test_postfix import BOUNCES, DOMAIN, POSTFIX, Postfix, postfix
from tests.peers.test_smpp_npm import Peer, installed, peer
from tests.scenarios import cast
from tests.scenarios.conftest import books
from tests.scenarios.messages import Scripted, deliver

from tayyar.core import clock, crypto
from tayyar.core.links import open_bill_token
from tayyar.core.periods import Period
from tayyar.core.references import with_check
from tayyar.customers.models import Channel, ContactMark, ContactPoint, Preference
from tayyar.customers.services import add_contact_point
from tayyar.gateways.graph import server
from tayyar.gateways.simulated import registrations
from tayyar.gateways.smpp.gateway import SmppGateway
from tayyar.gateways.smtp.gateway import SmtpGateway
from tayyar.gateways.whatsapp import client as whatsapp
from tayyar.gateways.whatsapp.test_against_pywa import _in_one_case, _sent_by_pywa
from tayyar.notifications import delivery, health
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageState, Reach, ReachHow
from tayyar.notifications.ports import ADDRESS_FIELD
from tayyar.notifications.providers import ProviderConfig, configured
from tayyar.notifications.services import release_messages, replan_account
from tayyar.portal.views import OPENINGS

__all__ = ["books", "installed", "peer", "postfix"]  # fixtures
SEPTEMBER, NOW = Period(2026, 9), dt.datetime(2026, 9, 30, 6, tzinfo=dt.UTC)
PHONE, MAIL = "+966500000021", f"nobody@{DOMAIN}"
READER = (
    "Mozilla/5.0 (Linux; Android 8.1.0; SM-J260F) AppleWebKit/537.36 Chrome/109.0.0.0 Mobile Safari/537.36"
)
VECTORS = Path(__file__).parents[1] / "vectors" / "whatsapp"
# Salma, 15 August to 14 September: 900 kWh x 0.18 = 162.00; service 10.00; VAT 15 % of 172.00 = 25.80: 197.80.
AMOUNT = "197.80"


@pytest.fixture
def issue(books: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Runs and releases Salma's real bill of September, in Arabic, for the contact points she has; its number.

    The clock stands at NOW.
    """
    health.number_of.cache_clear()
    OPENINGS.clear()
    monkeypatch.setattr(delivery, "_LINGER_SECONDS", 0.5)

    def run(**addresses: str) -> int:
        cast.settle(cast.SALMA, start=cast.day("2026-08-15"))
        cast.read(cast.SALMA, cast.day("2026-09-14"), 1900)
        for channel, address in addresses.items():
            add_contact_point(
                account_id=cast.account_id(cast.SALMA),
                channel=Channel[channel],
                address=address,
                verified_at=NOW,
                actor="user:1",
                now=NOW,
            )
        cast.bill(str(SEPTEMBER))
        release_messages(period=SEPTEMBER, kind=MessageKind.BILL_ISSUED, now=NOW)
        return int(issued().number)

    with clock.at(NOW):
        yield run


def issued() -> Any:
    """Salma's bill."""
    return cast.the_bill(cast.SALMA, str(SEPTEMBER))


def message() -> Message:
    return Message.objects.get(kind=MessageKind.BILL_ISSUED)


def reach() -> Reach:
    return Reach.objects.get(period=SEPTEMBER.number)


# -- SMS


def test_an_arabic_bill_is_read_at_a_foreign_smsc_its_link_opens_it_and_the_receipt_proves_it(
    issue: Callable[..., int], peer: Callable[..., Peer]
) -> None:
    bill = issue(SMS=PHONE)
    there = peer()
    options = {
        "host": "127.0.0.1",
        "port": there.port,
        "system_id": "tayyar",
        "password": "secret",
        "source": "Tayyar",
    }
    gateway = SmppGateway(code="npm", options=options)
    counts = deliver((ProviderConfig("npm", Channel.SMS, "SMPP", cost_micro=45_000), gateway), now=NOW)
    assert counts == {"SENT": 1}
    (arrived,) = there.messages
    assert (arrived["to"], arrived["coding"]) == (PHONE[1:], 8)
    url = re.search(r"https?://\S+", arrived["text"])
    assert url is not None
    words = f"فاتورة كهرباء سبتمبر: {AMOUNT} ريال، تُدفع حتى {due_day()}. {url[0]}"
    assert arrived["text"] == words

    path = "/" + url[0].split("/", 3)[3]
    token = path.removeprefix("/b/")
    assert open_bill_token(token, today=NOW.date()) == bill
    page = Client(headers={"user-agent": READER}).get(path)
    assert page.status_code == 200 and AMOUNT in page.content.decode()

    assert (message().state, message().next_at) == (MessageState.DELIVERED, None)
    proof = reach()
    assert (proof.ref, proof.how, proof.channel) == (bill, ReachHow.RECEIPT, Channel.SMS)
    assert proof.witness == "provider:npm"
    attempt = Delivery.objects.get()
    # 70 UCS-2 letters alone, 67 each in parts
    parts = 1 if len(words) <= 70 else -(-len(words) // 67)
    assert (attempt.segments, attempt.cost_micro) == (parts, parts * 45_000)


def due_day() -> str:
    """The day as the bill says it: "14 أكتوبر"."""
    months = {9: "سبتمبر", 10: "أكتوبر", 11: "نوفمبر"}
    due = issued().due_date
    return f"{due.day} {months[due.month]}"


# -- mail


@pytest.mark.skipif(POSTFIX is None, reason="Debian's postfix is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master process can only be started by root")
def test_a_mail_that_postfix_bounces_marks_the_address_and_the_bill_goes_on_by_sms(
    issue: Callable[..., int], postfix: Postfix
) -> None:
    issue(EMAIL=MAIL, SMS=PHONE)
    Preference.objects.create(account_id=cast.account_id(cast.SALMA), channels=["EMAIL", "SMS"])
    replan_account(account_id=cast.account_id(cast.SALMA), now=NOW)
    bounces = {"maildir": str(postfix.bounces), "address": f"bounces@{BOUNCES}"}
    options = {"host": "127.0.0.1", "port": postfix.lax, "sender": "bills@utility.example", "verp": True}
    sms, until = Scripted(), time.monotonic() + 30
    while not sms.taken and time.monotonic() < until:
        gateway = SmtpGateway(code="mta", options={**options, "bounces": bounces})
        deliver(
            (ProviderConfig("mta", Channel.EMAIL, "SMTP"), gateway),
            (ProviderConfig("sms", Channel.SMS, "SCRIPTED"), sms),
            now=NOW,
        )
    (outgoing,) = sms.taken
    assert crypto.unseal(outgoing.address_sealed, field=ADDRESS_FIELD) == PHONE
    mail = Delivery.objects.get(channel=Channel.EMAIL)
    assert (mail.state, mail.reason) == (MessageState.FAILED, "NO_SUCH_MAILBOX")
    marked = ContactPoint.objects.get(channel=Channel.EMAIL)
    assert (marked.is_active, marked.mark) == (False, ContactMark.BOUNCED)
    assert mail.contact_point_id == marked.pk
    assert ContactPoint.objects.get(channel=Channel.SMS).is_active
    assert list((postfix.bounces / "new").iterdir()) == []  # stored, so the notice is done with
    assert not Reach.objects.filter(period=SEPTEMBER.number).exists()


# -- WhatsApp

IDENTITY = {"phone_number_id": "1122334455667", "access_token": "T0K3N", "app_secret": "s3"}


def test_the_payload_of_a_bill_is_the_one_pywa_writes_and_metas_statuses_move_the_message(
    issue: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bill = issue(WHATSAPP=PHONE)
    ours: list[dict[str, Any]] = []
    write = whatsapp.message
    monkeypatch.setattr(whatsapp, "message", lambda *a, **k: ours.append(write(*a, **k)) or ours[-1])
    templates = tmp_path / "templates.json"
    templates.write_text(json.dumps(registrations("http://127.0.0.1:8000")), "utf-8")
    with server.running(port=0, templates=templates, log=tmp_path / "graph.jsonl", **IDENTITY) as graph:
        entry = {
            "code": "wa",
            "channel": "WHATSAPP",
            "gateway": "WHATSAPP",
            "options": {**IDENTITY, "verify_token": "v", "base_url": graph.url},
        }
        config = configure(entry, tmp_path, monkeypatch)
        assert deliver((config, whatsapp.build(config)), now=NOW) == {"SENT": 1}
    attempt = Delivery.objects.get()
    (payload,) = ours
    assert _in_one_case(payload) == _in_one_case(expected(bill, payload))
    assert payload["to"] == PHONE[1:]
    assert message().state == MessageState.SENT

    # Of Meta's statuses, as pywa keeps them, with our message's name in them.
    assert post("delivered", attempt.provider_ref, secret="wrong") == 403
    assert message().state == MessageState.SENT
    assert post("delivered", attempt.provider_ref) == 200
    assert message().state == MessageState.DELIVERED and reach().how == ReachHow.RECEIPT
    assert post("read", attempt.provider_ref) == 200
    assert message().state == MessageState.READ
    for late in ("delivered", "sent", "failed", "read"):
        assert post(late, attempt.provider_ref) == 200
    assert (message().state, Reach.objects.count()) == (MessageState.READ, 1)
    assert reach().witness == "provider:wa" and ContactPoint.objects.get().is_active


def configure(entry: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> ProviderConfig:
    """A providers' file with one entry, in use; what it says."""
    path = folder / "providers.yaml"
    path.write_text(yaml.safe_dump([entry]), "utf-8")
    monkeypatch.setenv("TAYYAR_PROVIDERS", str(path))
    return configured()[entry["code"]]


def expected(bill: int, payload: dict[str, Any]) -> dict[str, Any]:
    """What pywa writes for the same bill. The token alone is taken from ours: it differs from day to day."""
    button = next(part for part in payload["template"]["components"] if part["type"] == "button")
    path = button["parameters"][0]["text"]
    assert open_bill_token(path.removeprefix("b/"), today=NOW.date()) == bill
    number = str(with_check(cast.account_id(cast.SALMA)))
    parameters = [
        HeaderDocument.params(
            document=f"http://127.0.0.1:8000/{path}/bill.pdf", filename=f"bill-{bill:015d}.pdf"
        ),
        BodyText.params("سبتمبر 2026", number, f"{AMOUNT} ريال", f"{due_day()} 2026"),
        URLButton.params(url_variable=path, index=0),
    ]
    theirs = _sent_by_pywa("bill_issued", TemplateLanguage.ARABIC, parameters)
    return theirs | {"to": PHONE[1:], "biz_opaque_callback_data": f"{SEPTEMBER.number}.1.{bill}.0.2.1"}


def post(status: str, reference: str, *, secret: str = "s3") -> int:
    """Meta's webhook with that status of our message; the answer's status."""
    update = json.loads((VECTORS / "updates_message_status.json").read_text())[status]
    told = update["entry"][0]["changes"][0]["value"]["statuses"][0]
    told.update(id=reference, recipient_id=PHONE[1:], timestamp=str(int(NOW.timestamp()) + 60))
    body = json.dumps(update).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signature}"}
    answer = Client().post("/hooks/whatsapp/wa", data=body, content_type="application/json", headers=headers)
    return int(answer.status_code)
