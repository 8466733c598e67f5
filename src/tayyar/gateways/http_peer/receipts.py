"""Telling the receiver what became of messages: in time, as often as told, again until it is taken."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable

import aiohttp

from tayyar.gateways.http_peer.faults import Dice, Faults
from tayyar.gateways.http_peer.messages import Call, Event, Message

_TICK_SECONDS = 0.02
_CALLS_AT_ONCE = 4
_LONGEST_RETRY_SECONDS = 10.0


class ReceiptSender:
    """Sends events when they are due, up to `most_per_call` in a call. `compose` makes the call."""

    def __init__(
        self, url: str, compose: Callable[[list[Event]], Call], *, most_per_call: int, dice: Dice
    ) -> None:
        self._url, self._compose, self._most, self._dice = url, compose, most_per_call, dice
        self._due: list[tuple[float, int, Event]] = []
        self._serial = itertools.count()
        self._places = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._calls: set[asyncio.Task[None]] = set()
        self.told = 0

    def plan(
        self,
        message: Message,
        number: int,
        *,
        states: list[str],
        faults: Faults,
        is_early: bool,
    ) -> None:
        """Schedule the message's receipts, as the faults have it."""
        if not self._url or self._dice.hits(faults.missing_share):
            return
        if self._dice.hits(faults.reorder_share):
            states = states[::-1]
        now = asyncio.get_running_loop().time()
        first = 0.0 if is_early else faults.receipt_delay_seconds
        for place, state in enumerate(states):
            due = now + first + place * faults.receipt_delay_seconds
            event = Event(message, number, state, faults.undeliverable_code)
            self._add(due, event)
            if self._dice.hits(faults.duplicate_share):
                self._add(due + faults.receipt_delay_seconds, event)

    @property
    def waiting(self) -> int:
        """How many receipts are not yet taken."""
        return len(self._due) + len(self._calls)

    async def run(self) -> None:
        """Send until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            try:
                while True:
                    await self._send_due(session)
                    await asyncio.sleep(_TICK_SECONDS)
            finally:
                for task in self._calls:
                    task.cancel()
                await asyncio.gather(*self._calls, return_exceptions=True)

    async def _send_due(self, session: aiohttp.ClientSession) -> None:
        now = asyncio.get_running_loop().time()
        while self._due and self._due[0][0] <= now:
            await self._places.acquire()
            task = asyncio.ensure_future(self._call(session, self._next(now)))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    def _add(self, due: float, event: Event) -> None:
        heapq.heappush(self._due, (due, next(self._serial), event))

    def _next(self, now: float) -> list[Event]:
        events: list[Event] = []
        while self._due and self._due[0][0] <= now and len(events) < self._most:
            events.append(heapq.heappop(self._due)[2])
        return events

    async def _call(self, session: aiohttp.ClientSession, events: list[Event]) -> None:
        call, pause_seconds = self._compose(events), 0.5
        try:
            while not await self._is_taken(session, call):
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_RETRY_SECONDS)
            self.told += len(events)
        finally:
            self._places.release()

    async def _is_taken(self, session: aiohttp.ClientSession, call: Call) -> bool:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with session.post(self._url, data=call.body, headers=call.headers) as response:
                return response.status == 200
        return False
