"""pywa, a WhatsApp client that is not ours: it writes the same payloads, and reads what our Graph server sends."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pywa import WhatsApp
from pywa.types import MessageStatus
from pywa.types.templates import BodyText, HeaderDocument, TemplateLanguage, URLButton
from pywa.utils import webhook_updates_validator

from tayyar.gateways.graph.server import GraphPeer
from tayyar.gateways.http_peer.faults import Faults
from tayyar.gateways.http_peer.messages import Call, Event, Message
from tayyar.gateways.whatsapp.payload import message
from tayyar.gateways.whatsapp.webhook import parse_statuses
from tayyar.notifications.ports import WhatsAppContent

ECHO = "202611.1.123.0.1.1"
# Meta reads these in any case; its documentation writes them small, pywa in capitals, and the index as a number.
_FREE_CASE = ("type", "sub_type", "index")


def _sent_by_pywa(name: str, language: TemplateLanguage, parameters: list[Any]) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        contact = {"input": "966500000001", "wa_id": "966500000001"}
        answered = {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": "wamid.1"}]}
        return httpx.Response(200, json=answered)

    client = WhatsApp(phone_id="1", token="t", session=httpx.Client(transport=httpx.MockTransport(answer)))
    client.send_template("966500000001", name, language, parameters, tracker=ECHO)
    return sent[0]


def _in_one_case(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_in_one_case(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: str(value).lower() if name in _FREE_CASE else _in_one_case(value)
        for name, value in tree.items()
    }


def test_a_bill_with_document_and_button_is_the_payload_pywa_writes():
    content = WhatsAppContent("bill_issued", ("276.00 ريال", "11"), "https://u.example/p", "ف.pdf", "t0k3n")
    ours = message(content, to="+966500000001", language_code="ar", echo=ECHO)
    parameters = [
        HeaderDocument.params(document="https://u.example/p", filename="ف.pdf"),
        BodyText.params("276.00 ريال", "11"),
        URLButton.params(url_variable="t0k3n", index=0),
    ]
    assert _in_one_case(ours) == _in_one_case(
        _sent_by_pywa("bill_issued", TemplateLanguage.ARABIC, parameters)
    )


def test_named_parameters_are_the_payload_pywa_writes():
    content = WhatsAppContent("code", ("Sign in", "123456"))
    ours = message(
        content, to="+966500000001", language_code="en_US", echo=ECHO, parameter_names=("what", "code")
    )
    parameters = [BodyText.params(what="Sign in", code="123456")]
    assert _in_one_case(ours) == _in_one_case(_sent_by_pywa("code", TemplateLanguage.ENGLISH_US, parameters))


@pytest.mark.parametrize("state", ["sent", "delivered", "read", "failed"])
def test_pywa_and_our_webhook_read_the_simulated_statuses_alike(tmp_path: Path, state: str):
    call = _status_call(tmp_path / "log", state)
    assert webhook_updates_validator("s3", call.body, call.headers["X-Hub-Signature-256"])
    theirs = MessageStatus.from_update(WhatsApp(phone_id="1", token="t"), json.loads(call.body))
    (ours,) = parse_statuses(json.loads(call.body))
    assert (theirs.status, theirs.id, theirs.tracker) == (state, ours.provider_ref, ours.key.text())
    assert theirs.timestamp.timestamp() == ours.at.timestamp()
    assert (theirs.error is not None) == (state == "failed") == (ours.reason == "NOT_ON_WHATSAPP")


def _status_call(log: Path, state: str) -> Call:
    graph = GraphPeer(
        phone_number_id="1",
        access_token="t",
        app_secret="s3",
        templates={},
        log=log,
        callback_url="",
        faults=Faults(),
        most_per_call=1,
    )
    return graph.call([Event(Message("966500000001", ECHO), 7, state, 0)])
