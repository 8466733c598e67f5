"""A provider's description: filled in without a way out of a field, its answers and callbacks read by its rules."""

import datetime as dt
import hashlib
import hmac
import json
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core.clock import now
from tayyar.core.crypto import seal
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.gateways.handover import Job
from tayyar.gateways.http import Answer, Request
from tayyar.gateways.http_sms.callback import parse_body
from tayyar.gateways.http_sms.client import build
from tayyar.gateways.http_sms.filling import text_at
from tayyar.gateways.http_sms.options import read_options
from tayyar.notifications import providers, receipts
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    DeliveryKey,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptState,
    SendResult,
    SmsContent,
)
from tayyar.notifications.providers import ProviderConfig

KEY = DeliveryKey(202611, 1, 123, 0, 1, 1)
LEAST = {
    "url": "https://sms.example/v1/messages",
    "sender": "TAYYAR",
    "token": "T0K3N",
    "headers": {"Authorization": "Bearer ${token}"},
    "callback_secret": "s3",
}
NASTY = 'فاتورة "}, {"to": "+1"\n&to=+1%00\\ ${token} €'


def _config(**options: object) -> ProviderConfig:
    return ProviderConfig("sms-b", Channel.SMS, "HTTP_SMS", options={**LEAST, **options})


def _prepared(text: str, **options: object) -> Job | SendResult:
    sealed = seal("+966500000001", field=ADDRESS_FIELD)
    outgoing = Outgoing(KEY, sealed, "ar", SmsContent(text), "m1", now())
    return build(_config(**options))._prepared(outgoing)


def _request(text: str, **options: object) -> Request:
    job = _prepared(text, **options)
    assert isinstance(job, Job)
    return job.request


def test_five_lines_describe_a_provider():
    request = _request(NASTY)
    assert (request.method, request.url) == ("POST", "https://sms.example/v1/messages")
    assert request.headers == {"Authorization": "Bearer T0K3N", "Content-Type": "application/json"}
    assert json.loads(request.body) == {
        "to": "+966500000001",
        "from": "TAYYAR",
        "text": NASTY,
        "reference": "202611.1.123.0.1.1",
    }


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300))
def test_no_text_leaves_its_field_whatever_the_format(text: str):
    body = {"msisdn": "${to_digits}", "m": {"parts": ["${text}"]}, "flash": False}
    assert json.loads(_request(text, body=body).body) == {
        "msisdn": "966500000001",
        "m": {"parts": [text]},
        "flash": False,
    }
    form = _request(text, format="form", body={"to": "${to}", "text": "${text}"})
    assert parse_qs(form.body.decode(), strict_parsing=True) == {"to": ["+966500000001"], "text": [text]}
    query = _request(
        text, format="query", method="GET", body={"to": "${to}", "text": "${text}", "k": "${token}"}
    )
    assert parse_qs(urlsplit(query.url).query, strict_parsing=True) == {
        "to": ["+966500000001"],
        "text": [text],
        "k": ["T0K3N"],
    }


def test_a_value_in_the_address_itself_is_one_piece_of_it():
    request = _request("a/b?c&d=é", url="https://x.example/${to}/${text}", body={})
    assert request.url == "https://x.example/%2B966500000001/a%2Fb%3Fc%26d%3D%C3%A9"


def test_what_will_be_charged_is_counted_in_segments():
    # UCS-2: 70 characters in one, 67 in each of several; GSM-7: 160 and 153
    for text, units in (("ف" * 70, 1), ("ف" * 71, 2), ("ف" * 135, 3), ("a" * 160, 1), ("a" * 161, 2)):
        job = _prepared(text)
        assert isinstance(job, Job) and job.units == units


@pytest.mark.parametrize("text", ["", "\ud800", "ف" * 20_000])
def test_a_text_that_no_provider_could_take_is_refused_here(text: str):
    result = _prepared(text)
    assert isinstance(result, SendResult)
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "BAD_CONTENT")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "ftp://x"}, "begins with https://"),
        ({"url": "https://x/${msisdn}"}, r"\$\{msisdn\} is not known here"),
        ({"headers": {"X": "${text}"}}, r"\$\{text\} is not known here"),
        ({"headers": {"X": "${SMS_TOKEN}"}}, r"\$\{SMS_TOKEN\} is not known here"),
        ({"headers": {"X": "a\nb"}}, "without accents"),
        ({"sender": ""}, "sender must be given"),
        ({"token": ""}, "token must be given"),
        ({"body": {"to": "${to}"}}, "must stand in body or url"),
        ({"body": {"a": {"b": "${text}${to}"}}, "format": "form"}, "plain values"),
        ({"method": "GET"}, "query for GET"),
        ({"errors": {"1": ["lower", "REFUSED"]}}, "errors maps a code"),
        ({"errors": {"1": ["GONE", "SENT"]}}, "errors maps a code"),
        ({"errors": {"1": ["GONE", ["x"]]}}, "errors maps a code"),
        ({"accepted": "ok"}, "accepted is written"),
        ({"callback_secret": "", "callback": {"id": "x"}}, "anybody could send receipts"),
        ({"callback": {"check": "trust"}}, "header, query or hmac"),
        ({"callback": {"states": {"OK": "FINE"}}}, "states map its words"),
        ({"callback": {"states": {"OK": []}}}, "states map its words"),
        ({"callback": {"colour": "x"}}, "callback is a map"),
        ({"concurrency": 0}, "1 to 1000"),
        ({"speed": 1}, "speed is no option"),
    ],
)
def test_a_wrong_description_is_named_with_the_way_to_mend_it(wrong: dict[str, object], said: str):
    with pytest.raises(UserError, match=said):
        build(_config(**wrong))


def _verdict(status: int, content: object, **options: object) -> tuple[str, str, str, bool]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    verdict = read_options(_config(**options)).answer.judge()(Answer(status, body))
    return verdict.outcome, verdict.reason, verdict.provider_ref, verdict.is_throttled


def test_any_2xx_is_a_yes_with_the_messages_name_where_it_lies():
    assert _verdict(201, {"id": 77}) == ("SENT", "", "77", False)
    assert _verdict(200, {"messages": [{"messageId": "a"}]}, message_id="messages.0.messageId")[2] == "a"
    assert _verdict(202, b"OK") == ("SENT", "", "", False)


def test_a_yes_may_lie_in_the_body():
    rule = {
        "accepted": {"path": "ok", "equals": True},
        "error_code": "code",
        "errors": {7: ["GONE", "BAD_CONTACT"]},
    }
    assert _verdict(200, {"ok": True, "id": "a"}, **rule) == ("SENT", "", "a", False)
    assert _verdict(200, {"ok": False, "code": 7}, **rule)[:2] == ("BAD_CONTACT", "GONE")
    assert _verdict(200, {"ok": False, "code": 8}, **rule)[:2] == ("REFUSED", "NOT_ACCEPTED")
    assert _verdict(200, b"<html>", **rule)[:2] == ("IN_DOUBT", "ANSWER_UNREADABLE")


def test_the_providers_own_tables_come_before_the_general_one():
    own = {"statuses": {402: ["NO_CREDIT", "NOT_TRIED"], 420: ["CALM_DOWN", "THROTTLED"]}}
    assert _verdict(402, {}, **own)[:2] == ("NOT_TRIED", "NO_CREDIT")
    assert _verdict(420, {}, **own) == ("TRY_LATER", "CALM_DOWN", "", True)
    code = {"errors": {"1203": ["BARRED", "BAD_CONTACT"]}}
    assert _verdict(400, {"error": {"code": 1203}}, **code)[:2] == ("BAD_CONTACT", "BARRED")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (302, "NOT_TRIED"),
        (400, "REFUSED"),
        (401, "NOT_TRIED"),
        (404, "NOT_TRIED"),
        (422, "REFUSED"),
        (500, "TRY_LATER"),
        (502, "IN_DOUBT"),
        (503, "TRY_LATER"),
        (504, "IN_DOUBT"),
    ],
)
def test_without_a_table_the_status_speaks(status: int, outcome: str):
    assert _verdict(status, {})[0] == outcome


def test_429_means_slow_down():
    assert _verdict(429, {})[3]


def _receipts(content: object, **callback: object) -> list[Receipt]:
    rules = read_options(_config(callback=callback, errors={"31": ["BARRED", "BAD_CONTACT"]})).callback
    assert rules is not None
    return rules.receipts(content)


def test_a_receipt_is_read_by_the_descriptions_paths():
    content = {
        "results": [
            {
                "ref": KEY.text(),
                "mid": 5,
                "st": {"name": "Delivrd"},
                "msisdn": "966500000001",
                "price": "0.0421",
            },
            {"ref": "x", "mid": 6, "st": {"name": "ODD"}},
        ]
    }
    paths = {
        "items": "results",
        "key": "ref",
        "id": "mid",
        "state": "st.name",
        "to": "msisdn",
        "cost": "price",
    }
    assert _receipts(content, **paths) == [
        Receipt(ReceiptState.DELIVERED, KEY, "5", "+966500000001", cost_micro=42_100)
    ]


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        ({"status": "undelivered", "error": "31"}, ReceiptState.BAD_CONTACT, "BARRED"),
        ({"status": "undelivered", "error": 32}, ReceiptState.FAILED, "SMS_32"),
        ({"status": "REJECTD", "error": "spam filter"}, ReceiptState.FAILED, "SPAM_FILTER"),
        ({"status": "expired"}, ReceiptState.EXPIRED, "EXPIRED"),
        ({"status": "failed", "error": "to 966500000001"}, ReceiptState.FAILED, "FAILED"),
        ({"status": "failed", "error": "966500000001"}, ReceiptState.FAILED, "FAILED"),
        ({"status": "delivered", "error": "0"}, ReceiptState.DELIVERED, ""),
    ],
)
def test_a_failures_reason_is_a_code_and_never_an_address(
    told: dict[str, object], state: ReceiptState, reason: str
):
    (receipt,) = _receipts({"id": "a", **told})
    assert (receipt.state, receipt.reason) == (state, reason)


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2026-11-28T06:00:00+03:00", dt.datetime(2026, 11, 28, 3, 0, tzinfo=dt.UTC)),
        ("2026-11-28 06:00:00", dt.datetime(2026, 11, 28, 6, 0, tzinfo=dt.UTC)),
        (1698266945, dt.datetime(2023, 10, 25, 20, 49, 5, tzinfo=dt.UTC)),
        ("1698266945000", dt.datetime(2023, 10, 25, 20, 49, 5, tzinfo=dt.UTC)),
        ("9" * 30, None),
        ("yesterday", None),
    ],
)
def test_moments_come_in_several_spellings(at: object, moment: dt.datetime | None):
    assert _receipts({"id": "a", "status": "sent", "at": at})[0].at == moment


@pytest.mark.parametrize(
    ("body", "micro"),
    [
        (b'{"id": "a", "status": "sent", "cost": 0.1}', 100_000),  # no float on the way
        (b'{"id": "a", "status": "sent", "cost": "0,1"}', None),
        (b'{"id": "a", "status": "sent", "cost": "1e999999999"}', None),
        (b'{"id": "a", "status": "sent", "cost": "NaN"}', None),
        (b'{"id": "a", "status": "sent", "cost": -1}', None),
        (b"id=a&status=sent&cost=2", 2_000_000),
    ],
)
def test_a_cost_is_exact_or_none(body: bytes, micro: int | None):
    assert _receipts(parse_body(body, ""), cost="cost")[0].cost_micro == micro


@given(st.binary(max_size=200) | st.text().map(str.encode), st.sampled_from(["", "application/json"]))
def test_no_body_breaks_it(body: bytes, content_type: str):
    _receipts(parse_body(body, content_type))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "status", "at", "to", "error", "cost", "a"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_no_shape_of_receipt_breaks_it(content: object):
    _receipts(content, cost="cost")
    _receipts({"id": "a", "status": "sent", "at": content, "cost": content, "to": content}, cost="cost")
    text_at(content, "a.0.id")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, settings: SimpleNamespace) -> list[list[Receipt]]:
    """What the view had stored; providers by how they prove themselves."""
    calls: list[list[Receipt]] = []
    settings.ROOT_URLCONF = "tayyar.gateways.urls"
    found = {
        "by-header": _config(),
        "by-query": _config(callback={"check": "query", "name": "secret"}),
        "by-hmac": _config(callback={"check": "hmac", "name": "X-Signature"}),
        "without": _config(callback_secret=""),
        "wa": ProviderConfig("wa", Channel.WHATSAPP, "WHATSAPP"),
    }
    monkeypatch.setattr(providers, "configured", lambda: found)
    monkeypatch.setattr(receipts, "store", lambda *, provider, receipts, now: calls.append(receipts))
    return calls


def test_a_callback_is_taken_from_who_knows_the_secret(stored: list[list[Receipt]]):
    told = {"id": "a", "status": "delivered"}
    body, form = json.dumps(told), "application/x-www-form-urlencoded"
    signature = hmac.new(b"s3", body.encode(), hashlib.sha256).hexdigest()
    client = Client()
    answers = [
        client.post("/hooks/sms/by-header", body, "application/json", headers={"X-Callback-Secret": "s3"}),
        client.post("/hooks/sms/by-header", urlencode(told), form, headers={"X-Callback-Secret": "s3"}),
        client.get("/hooks/sms/by-query", {**told, "secret": "s3"}),
        client.post("/hooks/sms/by-hmac", body, "application/json", headers={"X-Signature": signature}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert stored == [[Receipt(ReceiptState.DELIVERED, None, "a")]] * 4


def test_nobody_else_is_heard_and_nothing_is_said(stored: list[list[Receipt]]):
    body, kind, client = '{"id": "a", "status": "sent"}', "application/json", Client()
    answers = [
        client.post("/hooks/sms/by-header", body, kind),
        client.post("/hooks/sms/by-header", body, kind, headers={"X-Callback-Secret": "s4"}),
        client.get("/hooks/sms/by-query", {"id": "a", "status": "sent", "secret": ""}),
        client.post("/hooks/sms/by-hmac", body, kind, headers={"X-Signature": "0" * 64}),
        client.post("/hooks/sms/without", body, kind, headers={"X-Callback-Secret": ""}),
        client.post("/hooks/sms/wa", body, kind),
        client.post("/hooks/sms/none", body, kind),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 404, 404, 404]
    assert {answer.content for answer in answers} == {b""}
    assert stored == []


def test_garbage_from_who_knows_the_secret_stores_nothing(stored: list[list[Receipt]]):
    for body in (b"", b"[", b"\xff", b"[" * 100_000, b"a=1&" * 500, b"null"):
        answer = Client().post(
            "/hooks/sms/by-header", body, "application/json", headers={"X-Callback-Secret": "s3"}
        )
        assert answer.status_code == 200
    assert stored == []
