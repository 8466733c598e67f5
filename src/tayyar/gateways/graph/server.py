"""The simulated Graph server: `python -m tayyar.gateways.graph.server`.

POST /<version>/<phone_number_id>/messages as in the Cloud API; statuses go to the callback address, signed with the
app secret. Its templates come from a file in the form in which they are registered at Meta.
"""

import contextlib
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from tayyar.core import clock
from tayyar.core.paths import data_dir
from tayyar.gateways.graph.checks import GraphError, Templates, read_templates, refusal
from tayyar.gateways.http_peer import process
from tayyar.gateways.http_peer.faults import Faults
from tayyar.gateways.http_peer.messages import Call, Event, Message, Refused
from tayyar.gateways.http_peer.peer import Peer

PORT, LOG = 2590, "graph.jsonl"
UNDELIVERABLE, RATE_LIMIT, SERVER_ERROR = 131026, 130429, 131000
_STATUS_OF = {190: 401, 10: 403, 368: 403, 131031: 403, RATE_LIMIT: 429, 4: 429, 80007: 429, 131056: 429}
_BUSINESS_ACCOUNT = "102290129340398"


class GraphPeer(Peer):
    """One business account with one number."""

    state_words = ("sent", "delivered", "read", "failed")

    def __init__(
        self,
        *,
        phone_number_id: str,
        access_token: str,
        app_secret: str,
        templates: Templates,
        log: Path,
        callback_url: str,
        faults: Faults,
        most_per_call: int,
    ) -> None:
        super().__init__(log=log, callback_url=callback_url, faults=faults, most_per_call=most_per_call)
        self._phone_number_id, self._access_token = phone_number_id, access_token
        self._app_secret, self._templates = app_secret, templates

    def routes(self) -> list[web.RouteDef]:
        """Its one address."""
        return [web.post(r"/{version:v\d+\.\d+}/{number:\d+}/messages", self.take)]

    def read(self, request: web.Request, body: bytes) -> Message:
        """The message; refused as Meta would: token, number, then the payload."""
        if request.headers.get("Authorization") != f"Bearer {self._access_token}":
            raise _refused(GraphError(401, 190, "Invalid OAuth access token"))
        if request.match_info["number"] != self._phone_number_id:
            raise _refused(GraphError(400, 100, "Object with that ID does not exist"), subcode=33)
        try:
            payload = json.loads(body)
        except ValueError:
            payload = None
        if error := refusal(payload, self._templates):
            raise _refused(error)
        used = payload["template"]
        told = {
            "template": used["name"],
            "language": used["language"]["code"],
            "components": used.get("components", []),
        }
        return Message(
            payload["to"].removeprefix("+"), payload.get("biz_opaque_callback_data", ""), told=told
        )

    def accepted(self, number: int, message: Message) -> dict[str, Any]:
        """Meta's answer to a message it took."""
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": message.to, "wa_id": message.to}],
            "messages": [{"id": _reference(number), "message_status": "accepted"}],
        }

    def server_error(self) -> Refused:
        """500, code 131000."""
        return _refused(GraphError(500, SERVER_ERROR, "Something went wrong"))

    def throttled(self) -> Refused:
        """429, code 130429."""
        return _refused(GraphError(429, RATE_LIMIT, "Rate limit hit"))

    def refusal(self, code: int) -> Refused:
        """The code as Meta answers it, "undeliverable" unless told otherwise."""
        code = code or UNDELIVERABLE
        return _refused(GraphError(_STATUS_OF.get(code, 400), code, "refused as told"))

    def call(self, events: list[Event]) -> Call:
        """A webhook of statuses, signed."""
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550000000", "phone_number_id": self._phone_number_id},
            "contacts": [{"profile": {"name": ""}, "wa_id": event.message.to} for event in events],
            "statuses": [self._status(event) for event in events],
        }
        entry = {"id": _BUSINESS_ACCOUNT, "changes": [{"value": value, "field": "messages"}]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        signature = hmac.new(self._app_secret.encode(), body, hashlib.sha256).hexdigest()
        return Call({"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}, body)

    def _status(self, event: Event) -> dict[str, Any]:
        message = event.message
        status: dict[str, Any] = {
            "id": _reference(event.number),
            "status": event.state,
            "timestamp": str(int(clock.now().timestamp())),
            "recipient_id": message.to,
        }
        if message.key:
            status["biz_opaque_callback_data"] = message.key
        if event.state == "failed":
            code = event.code or UNDELIVERABLE
            status["errors"] = [{"code": code, "title": "Failed", "message": "Failed"}]
        else:
            status["pricing"] = {
                "billable": True,
                "pricing_model": "PMP",
                "category": "utility",
                "type": "regular",
            }
        return status


def _reference(number: int) -> str:
    return f"wamid.SIMULATED{number:012d}"


def _refused(error: GraphError, *, subcode: int = 0) -> Refused:
    content: dict[str, Any] = {
        "message": f"(#{error.code}) {error.details}",
        "type": "OAuthException",
        "code": error.code,
        "error_data": {"messaging_product": "whatsapp", "details": error.details},
        "fbtrace_id": "SIMULATED",
    }
    if subcode:
        content["error_subcode"] = subcode
    return Refused(error.status, error.code, {"error": content})


@contextlib.contextmanager
def running(
    *,
    port: int,
    phone_number_id: str,
    access_token: str,
    app_secret: str,
    templates: Path,
    log: Path | None = None,
    callback_url: str = "",
    faults: Faults | None = None,
    receipts_per_call: int = 100,
) -> Iterator[process.PeerProcess]:
    """The server as a process for the length of the block; `port` 0 takes any free one."""
    more = [
        f"--phone-number-id={phone_number_id}",
        f"--access-token={access_token}",
        f"--app-secret={app_secret}",
    ]
    more += ["--templates", str(templates), "--receipts-per-call", str(receipts_per_call)]
    with process.running(
        "tayyar.gateways.graph.server",
        port=port,
        log=log or data_dir() / LOG,
        callback_url=callback_url,
        faults=faults or Faults(),
        more=more,
    ) as peer:
        yield peer


def main() -> int:
    """Listen until told to end."""
    parser = process.parser("A simulated WhatsApp Graph server.", port=PORT, log=LOG)
    for name in ("--phone-number-id", "--access-token", "--app-secret"):
        parser.add_argument(name, required=True)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--receipts-per-call", type=int, default=100)
    arguments = parser.parse_args()

    def make(faults: Faults) -> Peer:
        return GraphPeer(
            phone_number_id=arguments.phone_number_id,
            access_token=arguments.access_token,
            app_secret=arguments.app_secret,
            templates=read_templates(arguments.templates),
            log=arguments.log,
            callback_url=arguments.callback_url,
            faults=faults,
            most_per_call=arguments.receipts_per_call,
        )

    return process.serve(arguments, make)


if __name__ == "__main__":
    sys.exit(main())
