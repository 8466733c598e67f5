"""A simulated provider: takes messages over HTTP, commits its faults, logs what it was handed, sends receipts.

What a message and an answer look like belongs to its subclasses. One event loop; `process.py` runs it.
"""

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import re
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from tayyar.core.errors import UserError
from tayyar.gateways.http_peer.faults import Dice, Faults, read_faults
from tayyar.gateways.http_peer.messages import Call, Event, Message, Refused
from tayyar.gateways.http_peer.receipts import ReceiptSender

HOST = "127.0.0.1"


class Peer(ABC):
    """The provider. `state_words` are its words for sent, delivered, read and failed."""

    state_words: ClassVar[tuple[str, str, str, str]]

    def __init__(self, *, log: Path, callback_url: str, faults: Faults, most_per_call: int) -> None:
        self.faults = faults
        self._log = log.open("a", buffering=1)
        self._dice = Dice()
        self._callback_url, self._most_per_call = callback_url, most_per_call
        self._serial = itertools.count(1)
        self._last_second: deque[tuple[float, int]] = deque()
        self._units_last_second = 0
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Where it takes messages; the handler is `take`."""

    @abstractmethod
    def read(self, request: web.Request, body: bytes) -> Message:
        """The message in a request; raises Refused as the real one would."""

    @abstractmethod
    def accepted(self, number: int, message: Message) -> dict[str, Any]:
        """The answer to a message taken under this number."""

    @abstractmethod
    def server_error(self) -> Refused:
        """The answer of a bad moment."""

    @abstractmethod
    def throttled(self) -> Refused:
        """The answer to one that came too fast."""

    @abstractmethod
    def refusal(self, code: int) -> Refused:
        """The answer to a number that matches `refuse`; code 0 is its own choice."""

    @abstractmethod
    def call(self, events: list[Event]) -> Call:
        """The call that tells these events."""

    def application(self) -> web.Application:
        """The web application, with /faults (PUT) and /stats (GET) beside the provider's own addresses."""
        app = web.Application(client_max_size=256 * 1024)
        app.add_routes([*self.routes(), web.put("/faults", self._set_faults), web.get("/stats", self._stats)])
        app.cleanup_ctx.append(self._receipts_while_serving)
        return app

    async def take(self, request: web.Request) -> web.StreamResponse:
        """One message: read, judged by the faults, taken, answered."""
        self.counts["requests"] += 1
        body = await request.read()
        message, faults, from_port = None, self.faults, _port(request)
        try:
            message = self.read(request, body)
            self._fail(message, faults)
        except Refused as refused:
            self.counts["refused"] += 1
            self._write(message, refused.status, from_port=from_port, error=refused.code)
            return web.json_response(refused.content, status=refused.status)
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        hangs, is_cut = self._dice.hits(faults.hang_share), self._dice.hits(faults.cut_share)
        if (hangs or is_cut) and not faults.lost_after_taking:
            self._write(message, 0, from_port=from_port, error="LOST")
        else:
            number = next(self._serial)
            self._write(message, 0 if hangs or is_cut else 200, from_port=from_port, number=number)
            await self._take(message, number, faults)
        if hangs:
            await asyncio.sleep(faults.hang_seconds)
        if hangs or is_cut:
            self.counts["lost"] += 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.json_response(self.accepted(number, message))

    def _fail(self, message: Message, faults: Faults) -> None:
        if faults.refuse and re.search(faults.refuse, message.to):
            raise self.refusal(faults.refuse_code)
        if self._dice.hits(faults.error_share):
            raise self.server_error()
        if self._dice.hits(faults.throttle_share) or not self._is_within_rate(message.units, faults):
            self.counts["throttled"] += 1
            raise self.throttled()

    def _is_within_rate(self, units: int, faults: Faults) -> bool:
        """Whether the last second, this message included, stays within the permitted rate."""
        now = time.monotonic()
        while self._last_second and self._last_second[0][0] <= now - 1:
            self._units_last_second -= self._last_second.popleft()[1]
        if faults.permitted_per_second and self._units_last_second + units > faults.permitted_per_second:
            return False
        self._last_second.append((now, units))
        self._units_last_second += units
        self.counts["most_in_a_second"] = max(self.counts["most_in_a_second"], self._units_last_second)
        return True

    async def _take(self, message: Message, number: int, faults: Faults) -> None:
        self.counts["taken"] += 1
        self.counts["units"] += message.units
        sent, delivered, read, failed = self.state_words
        states = [sent, delivered] + ([read] if self._dice.hits(faults.read_share) else [])
        if faults.undeliverable and re.search(faults.undeliverable, message.to):
            states = [failed]
        is_early = self._dice.hits(faults.early_share)
        self._sender.plan(message, number, states=states, faults=faults, is_early=is_early)
        if is_early:
            await asyncio.sleep(0.2 + 2 * faults.receipt_delay_seconds)

    def _write(self, message: Message | None, status: int, **more: object) -> None:
        line: dict[str, Any] = {"at": dt.datetime.now(dt.UTC).isoformat(), "status": status, **more}
        if message is not None:
            line |= {"to": message.to, "key": message.key, "units": message.units, **message.told}
        self._log.write(json.dumps(line, ensure_ascii=False) + "\n")

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults = read_faults(json.loads(await request.read()))
        except (UserError, ValueError) as error:
            return web.Response(status=400, text=str(error))
        return web.Response(status=204)

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(
            {**self.counts, "receipts_told": self._sender.told, "receipts_waiting": self._sender.waiting}
        )

    async def _receipts_while_serving(self, app: web.Application) -> AsyncIterator[None]:
        self._sender = ReceiptSender(
            self._callback_url, self.call, most_per_call=self._most_per_call, dice=self._dice
        )
        running = asyncio.ensure_future(self._sender.run())
        yield
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        self._log.close()


def _port(request: web.Request) -> int:
    """The caller's port: the same for all that came over one connection."""
    peername = request.transport.get_extra_info("peername") if request.transport is not None else None
    return int(peername[1]) if peername else 0
