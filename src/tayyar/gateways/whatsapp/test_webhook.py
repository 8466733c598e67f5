"""The webhook: genuine by signature, every kind of status read, garbage passed over, stored before acknowledged."""

import datetime as dt
import hashlib
import hmac
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.gateways.whatsapp.webhook import parse_statuses, verify_signature
from tayyar.gateways.whatsapp.webhook_views import MOST_BYTES
from tayyar.notifications import providers, receipts
from tayyar.notifications.ports import DeliveryKey, ReceiptState
from tayyar.notifications.providers import ProviderConfig

VECTORS = Path(__file__).parents[4] / "tests" / "vectors" / "whatsapp"
STATUSES = json.loads((VECTORS / "updates_message_status.json").read_text())
KEY = DeliveryKey(202611, 1, 123, 0, 1, 1)
OPTIONS = {"phone_number_id": "1122334455667", "access_token": "t", "app_secret": "s3", "verify_token": "v"}


def test_a_signature_is_the_hmac_of_the_raw_body():
    # printf '{"a": 1}' | openssl dgst -sha256 -hmac s3
    header = "sha256=114354e29c12e057f90b3d21cf725b838caa0a634959c85190a90768a552b0d2"
    assert verify_signature(b'{"a": 1}', header, "s3")
    assert not verify_signature(b'{"a":1}', header, "s3")


@pytest.mark.parametrize("header", ["", "sha256=", "sha1=00", "sha256=" + "0" * 64, "sha256=é", "\udc80"])
def test_any_other_signature_is_refused(header: str):
    assert not verify_signature(b"{}", header, "s3")


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("sent", ReceiptState.SENT, ""),
        ("delivered", ReceiptState.DELIVERED, ""),
        ("read", ReceiptState.READ, ""),
        ("played", ReceiptState.READ, ""),
        ("failed", ReceiptState.FAILED, "EXPERIMENT"),
        ("with_tracker", ReceiptState.SENT, ""),
    ],
)
def test_every_status_that_meta_documents_is_read(name: str, state: ReceiptState, reason: str):
    (receipt,) = parse_statuses(STATUSES[name])
    assert (receipt.state, receipt.reason) == (state, reason)
    assert (receipt.provider_ref, receipt.address) == ("wamid.xyzxyz", "+972987654321")
    assert receipt.at in (  # `date -u -d @1698266945`, `date -u -d @1689380458`
        dt.datetime(2023, 10, 25, 20, 49, 5, tzinfo=dt.UTC),
        dt.datetime(2023, 7, 15, 0, 20, 58, tzinfo=dt.UTC),
    )


def test_a_group_is_no_address_of_ours():
    (receipt,) = parse_statuses(STATUSES["group"])
    assert (receipt.state, receipt.address) == (ReceiptState.READ, "")


def test_pricing_is_kept_as_it_was_told_and_is_no_amount():
    (receipt,) = parse_statuses(STATUSES["sent"])
    assert receipt.pricing == "service CBP billable"
    assert receipt.cost_micro is None


def test_the_echo_names_the_attempt_and_a_foreign_echo_names_none():
    (foreign,) = parse_statuses(STATUSES["with_tracker"])
    assert foreign.key is None
    (ours,) = parse_statuses(_webhook(biz_opaque_callback_data=KEY.text()))
    assert ours.key == KEY


def test_a_number_that_is_not_on_whatsapp_is_a_bad_contact():
    (receipt,) = parse_statuses(_webhook(status="failed", errors=[{"code": 131026}]))
    assert (receipt.state, receipt.reason) == (ReceiptState.BAD_CONTACT, "NOT_ON_WHATSAPP")


def test_incoming_messages_are_no_receipts():
    for update in json.loads((VECTORS / "updates_message.json").read_text()).values():
        assert parse_statuses(update) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["entry", "changes", "value", "statuses", "status", "id", "errors", "code", "timestamp"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=30,
    )
)
def test_no_shape_of_payload_breaks_it(garbage: object):
    parse_statuses(garbage)
    parse_statuses({"entry": [{"changes": [{"value": {"statuses": [garbage, {"status": garbage}]}}]}]})
    assert all(
        receipt.provider_ref for receipt in parse_statuses(_webhook(errors=garbage, timestamp=garbage))
    )


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, settings: SimpleNamespace) -> list[dict[str, object]]:
    """What the view had stored, with one WhatsApp provider configured."""
    calls: list[dict[str, object]] = []
    settings.ROOT_URLCONF = "tayyar.gateways.urls"
    provider = ProviderConfig("wa", Channel.WHATSAPP, "WHATSAPP", options=OPTIONS)
    other = ProviderConfig("sms-a", Channel.SMS, "HTTP_SMS", options={})
    monkeypatch.setattr(providers, "configured", lambda: {"wa": provider, "sms-a": other})
    monkeypatch.setattr(receipts, "store", lambda **given: calls.append(given))
    return calls


def test_genuine_statuses_are_stored_and_then_acknowledged(stored: list[dict[str, object]]):
    body = json.dumps(_webhook(biz_opaque_callback_data=KEY.text())).encode()
    assert _post(body, _signed(body)).status_code == 200
    (call,) = stored
    assert (call["provider"], [receipt.key for receipt in call["receipts"]]) == ("wa", [KEY])


def test_what_is_not_stored_is_not_acknowledged(
    stored: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
):
    def broken(**given: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(receipts, "store", broken)
    body = json.dumps(_webhook()).encode()
    assert _post(body, _signed(body)).status_code == 500


def test_a_wrong_signature_an_unknown_code_and_another_channels_code_learn_nothing(
    stored: list[dict[str, object]],
):
    body = json.dumps(_webhook()).encode()
    answers = [
        _post(body, "sha256=" + "0" * 64),
        _post(body, _signed(body), "none"),
        _post(body, "", "sms-a"),
    ]
    assert [(answer.status_code, answer.content) for answer in answers] == [
        (403, b""),
        (404, b""),
        (404, b""),
    ]
    assert stored == []


def test_without_a_providers_file_there_is_nothing_here(
    stored: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
):
    def missing() -> None:
        raise UserError("no file")

    monkeypatch.setattr(providers, "configured", missing)
    assert _post(b"{}", _signed(b"{}")).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"entry": 1}'])
def test_signed_garbage_is_acknowledged_and_stores_nothing(stored: list[dict[str, object]], body: bytes):
    assert _post(body, _signed(body)).status_code == 200
    assert stored == []


def test_a_body_beyond_the_bound_is_not_read_to_its_end(stored: list[dict[str, object]]):
    body = b" " * (MOST_BYTES + 1)
    assert _post(body, _signed(body)).status_code == 413


def test_a_body_of_three_megabytes_is_taken_as_meta_may_send_it(stored: list[dict[str, object]]):
    body = json.dumps(_webhook()).encode() + b" " * 3_000_000
    assert _post(body, _signed(body)).status_code == 200
    assert len(stored) == 1


def test_the_handshake_answers_the_challenge_to_who_knows_the_word(stored: list[dict[str, object]]):
    asked = {"hub.mode": "subscribe", "hub.verify_token": "v", "hub.challenge": "1158201444"}
    answer = Client().get("/hooks/whatsapp/wa", asked)
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "w"}, {"hub.mode": "x"}, {"hub.challenge": "1" * 201}):
        assert Client().get("/hooks/whatsapp/wa", asked | wrong).status_code == 403


def _webhook(**status: object) -> dict[str, object]:
    whole = {"id": "wamid.1", "status": "sent", "timestamp": "1698266945", "recipient_id": "966500000001"}
    return {"entry": [{"changes": [{"field": "messages", "value": {"statuses": [whole | status]}}]}]}


def _signed(body: bytes) -> str:
    return "sha256=" + hmac.new(b"s3", body, hashlib.sha256).hexdigest()


def _post(body: bytes, signature: str, code: str = "wa"):
    client = Client(raise_request_exception=False, headers={"X-Hub-Signature-256": signature})
    return client.post(f"/hooks/whatsapp/{code}", body, content_type="application/json")
