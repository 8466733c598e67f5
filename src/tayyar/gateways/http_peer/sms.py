"""A simulated HTTP SMS provider: `python -m tayyar.gateways.http_peer.sms`.

POST /messages {"to", "from", "text", "reference"} with "Authorization: Bearer <token>"; answers {"id", "status"} or
{"error": {"code", "message"}}. Receipts are POSTed as a JSON list, with X-Callback-Secret. Next: gateways/http_sms.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir
from tayyar.core.sms_text import segments
from tayyar.gateways.http_peer import process
from tayyar.gateways.http_peer.faults import Faults
from tayyar.gateways.http_peer.messages import Call, Event, Message, Refused
from tayyar.gateways.http_peer.peer import Peer

PORT, LOG = 2580, "sms-provider.jsonl"
UNREACHABLE = 1201  # its code for a number that nobody has
_FIELDS = {"to", "from", "text", "reference"}


class SmsPeer(Peer):
    """The provider with one customer, who has `token` and expects `secret` in callbacks."""

    state_words = ("sent", "delivered", "read", "undelivered")

    def __init__(
        self, *, token: str, secret: str, log: Path, callback_url: str, faults: Faults, most_per_call: int
    ) -> None:
        super().__init__(log=log, callback_url=callback_url, faults=faults, most_per_call=most_per_call)
        self._token, self._secret = token, secret

    def routes(self) -> list[web.RouteDef]:
        """Its one address."""
        return [web.post("/messages", self.take)]

    def read(self, request: web.Request, body: bytes) -> Message:
        """The message; 401 for a wrong token, 400 for a body that is not as described."""
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            raise _refused(401, 1001, "unknown token")
        try:
            content = json.loads(body)
            if set(content) != _FIELDS or not all(isinstance(value, str) for value in content.values()):
                raise ValueError
            if not re.fullmatch(r"\+[1-9][0-9]{6,14}", content["to"]) or not 1 <= len(content["from"]) <= 11:
                raise ValueError
            units = segments(content["text"])
        except (ValueError, TypeError, UserError):
            raise _refused(400, 1002, "malformed message") from None
        return Message(content["to"], content["reference"], units, {"text": content["text"]})

    def accepted(self, number: int, message: Message) -> dict[str, Any]:
        """Its answer to a message it took."""
        return {"id": f"sms-{number}", "status": "accepted", "segments": message.units}

    def server_error(self) -> Refused:
        """500."""
        return _refused(500, 1500, "internal error")

    def throttled(self) -> Refused:
        """429."""
        return _refused(429, 1429, "too many messages")

    def refusal(self, code: int) -> Refused:
        """400, "no such subscriber" unless told otherwise."""
        return _refused(400, code or UNREACHABLE, "refused")

    def call(self, events: list[Event]) -> Call:
        """The receipts as a JSON list."""
        items = [self._item(event) for event in events]
        headers = {"Content-Type": "application/json", "X-Callback-Secret": self._secret}
        return Call(headers, json.dumps(items).encode())

    def _item(self, event: Event) -> dict[str, Any]:
        message = event.message
        item = {"id": f"sms-{event.number}", "reference": message.key, "to": message.to}
        item |= {"status": event.state, "at": clock.now().isoformat()}
        if event.state == self.state_words[3]:
            item["error"] = str(event.code or UNREACHABLE)
        return item


def _refused(status: int, code: int, text: str) -> Refused:
    return Refused(status, code, {"error": {"code": code, "message": text}})


@contextlib.contextmanager
def running(
    *,
    port: int,
    token: str,
    secret: str,
    log: Path | None = None,
    callback_url: str = "",
    faults: Faults | None = None,
    receipts_per_call: int = 50,
) -> Iterator[process.PeerProcess]:
    """The provider as a process for the length of the block; `port` 0 takes any free one."""
    more = [f"--token={token}", f"--secret={secret}", f"--receipts-per-call={receipts_per_call}"]
    with process.running(
        "tayyar.gateways.http_peer.sms",
        port=port,
        log=log or data_dir() / LOG,
        callback_url=callback_url,
        faults=faults or Faults(),
        more=more,
    ) as peer:
        yield peer


def main() -> int:
    """Listen until told to end."""
    parser = process.parser("A simulated HTTP SMS provider.", port=PORT, log=LOG)
    parser.add_argument("--token", required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--receipts-per-call", type=int, default=50)
    arguments = parser.parse_args()

    def make(faults: Faults) -> Peer:
        return SmsPeer(
            token=arguments.token,
            secret=arguments.secret,
            log=arguments.log,
            callback_url=arguments.callback_url,
            faults=faults,
            most_per_call=arguments.receipts_per_call,
        )

    return process.serve(arguments, make)


if __name__ == "__main__":
    sys.exit(main())
