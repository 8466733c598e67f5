"""HTTP requests to providers: many at once, over connections that last, each ending in an answer or a known loss.

It owns an event loop on a thread of its own. It knows no provider and never repeats a request, because only its
caller knows what a repeat would cost. Next: handover.py, which paces a batch through it.
"""

import asyncio
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
from yarl import URL

CONNECT_SECONDS = 10
_ANSWER_BYTES = 65_536
_LONGEST_PAUSE_SECONDS = 3600

Tag = TypeVar("Tag")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send; `url` is complete and already escaped."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `retry_after_seconds` is the server's wish (Retry-After in seconds), where it had one."""

    status: int
    body: bytes
    retry_after_seconds: float | None = None

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Lost(Enum):
    """No answer came. Could the server have had the request?"""

    NOT_SENT = "no byte of it was written"
    NO_ANSWER = "it was written, at least in part"


class Connections:
    """The connections to one provider. Not for sharing between threads; may be used again after `close`."""

    def __init__(
        self, *, timeout_seconds: float, connect_seconds: float = CONNECT_SECONDS, keep_alive: bool = True
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, connect=min(connect_seconds, timeout_seconds)
        )
        self._keep_alive = keep_alive
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(
        self, requests: Iterable[tuple[Tag, Request]], done: "SimpleQueue[tuple[Tag, Answer | Lost]]"
    ) -> None:
        """Send these at once. Each ends up in `done`, within the time-out."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
            self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, list(requests), done)

    def close(self) -> None:
        """End every connection, and what still waits for an answer."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def _begin(
        self, requests: list[tuple[Tag, Request]], done: "SimpleQueue[tuple[Tag, Answer | Lost]]"
    ) -> None:
        for tag, request in requests:
            task = asyncio.ensure_future(self._settle(tag, request, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _settle(
        self, tag: Tag, request: Request, done: "SimpleQueue[tuple[Tag, Answer | Lost]]"
    ) -> None:
        sent = SimpleNamespace(any=False)
        try:
            done.put((tag, await self._exchange(request, sent)))
        except (
            BaseException
        ) as error:  # whatever it was: a request without an end would be waited for in vain
            done.put((tag, Lost.NO_ANSWER if sent.any else Lost.NOT_SENT))
            if not isinstance(error, Exception):
                raise

    async def _exchange(self, request: Request, sent: SimpleNamespace) -> Answer:
        if self._session is None:
            self._session = self._new_session()
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            trace_request_ctx=sent,
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _ANSWER_BYTES:
                    break
            return Answer(response.status, bytes(body), _seconds(response.headers.get("Retry-After", "")))

    def _new_session(self) -> aiohttp.ClientSession:
        """No limit on connections here, which would count waiting for one as time; no cookies."""
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_mark_sent)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=not self._keep_alive),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            trace_configs=[trace],
        )

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _mark_sent(session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
    """aiohttp calls this just before the first byte is written."""
    context.trace_request_ctx.any = True


def _seconds(text: str) -> float | None:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        return None
    return float(min(int(text), _LONGEST_PAUSE_SECONDS))
