"""Questions to an authority over HTTP: each ends within its time, whatever the other side does.

It owns the connections and the one retry. It never logs an address, a body or an answer: all may hold an identity
number. Next: the adapters, which know what an answer means.
"""

import atexit
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlencode

from tayyar.gateways.authority.errors import refusal
from tayyar.gateways.http import Answer, Connections, Lost, Request
from tayyar.identity.ports import AuthorityError

CONNECT_SECONDS = 3
_log = logging.getLogger(__name__)


class Inquiry:
    """The way to one authority. For all threads of a process, and for the children it forks.

    `until` of each question is a moment of time.monotonic(), usually `deadline()` of the call it belongs to, so that
    several questions together take no longer than `timeout_seconds`. AuthorityError DOWN when there is no answer by
    then, the connection fails, or the other side says that it is its own fault (5xx, 429).
    """

    def __init__(self, code: str, *, timeout_seconds: float) -> None:
        self.code, self.timeout_seconds = code, timeout_seconds
        self._lock = threading.Lock()
        self._connections: Connections | None = None
        self._process = 0

    def deadline(self) -> float:
        """When a call that begins now must be over."""
        return time.monotonic() + self.timeout_seconds

    def get(
        self,
        url: str,
        *,
        until: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET; asked once more where the connection broke."""
        whole = f"{url}?{urlencode(query)}" if query else url
        return self._ask(Request("GET", whole, dict(headers or {})), until=until, may_repeat=True)

    def post_json(
        self,
        url: str,
        content: Mapping[str, Any],
        *,
        until: float,
        headers: Mapping[str, str] | None = None,
        may_repeat: bool,
    ) -> Answer:
        """POST of a JSON object. `may_repeat`: nothing happens twice over there when it is asked twice."""
        body = json.dumps(content, ensure_ascii=False).encode()
        all_headers = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
        request = Request("POST", url, {**all_headers, **(headers or {})}, body)
        return self._ask(request, until=until, may_repeat=may_repeat)

    def post_form(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        until: float,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST of a form; never repeated once it was sent."""
        all_headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        request = Request("POST", url, {**all_headers, **(headers or {})}, urlencode(fields).encode())
        return self._ask(request, until=until, may_repeat=False)

    def close(self) -> None:
        """End the connections of this process; a later question opens them again."""
        with self._lock:
            if self._connections is not None and self._process == os.getpid():
                self._connections.close()
            self._connections = None

    def down(self, why: str) -> AuthorityError:
        """DOWN, and a line in the log that says why to whoever runs the place."""
        _log.warning("Identity authority %s: %s", self.code, why)
        return refusal("DOWN")

    def content(self, answer: Answer) -> dict[str, Any]:
        """The JSON object of a good answer; DOWN for anything else."""
        found = answer.json()
        if not 200 <= answer.status <= 299 or not isinstance(found, dict):
            raise self.down(f"an answer that cannot be read, status {answer.status}")
        return found

    def _ask(self, request: Request, *, until: float, may_repeat: bool) -> Answer:
        answer = self._once(request, until)
        if answer is Lost.NOT_SENT or (answer is Lost.NO_ANSWER and may_repeat):
            answer = self._once(request, until)
        if isinstance(answer, Lost):
            raise self.down("the connection failed")
        if answer.status >= 500 or answer.status == 429:
            raise self.down(f"status {answer.status}")
        return answer

    def _once(self, request: Request, until: float) -> Answer | Lost:
        left = until - time.monotonic()
        done: SimpleQueue[tuple[None, Answer | Lost]] = SimpleQueue()
        if left > 0:
            self._submit(request, done)
            try:
                return done.get(timeout=left)[1]
            except Empty:
                pass
        raise self.down(f"no answer within {self.timeout_seconds} s")

    def _submit(self, request: Request, done: "SimpleQueue[tuple[None, Answer | Lost]]") -> None:
        with self._lock:
            if (
                self._connections is None or self._process != os.getpid()
            ):  # a fork has no thread of its parent's
                self._connections = Connections(
                    timeout_seconds=self.timeout_seconds, connect_seconds=CONNECT_SECONDS, keep_alive=False
                )
                self._process = os.getpid()
                atexit.register(self.close)
            self._connections.submit([(None, request)], done)
