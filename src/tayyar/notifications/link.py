"""One provider in a thread of its own: batches in, results and receipts out. The thread touches no table but the pace.

A provider has two of them in each worker: while one waits for its batch's last answers the other sends, so that the
provider never waits for us. Next: delivery.py, which owns the links.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import connection

from tayyar.notifications import rules
from tayyar.notifications.ports import BatchPace, Gateway, Outcome, Outgoing, Receipt, SendResult
from tayyar.notifications.providers import ProviderConfig

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05  # how long receipts may lie unread in an idle connection


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch has ended."""

    link: "Link"
    results: list[SendResult]


@dataclass(frozen=True, slots=True)
class Received:
    """The provider told something; the link waits to hear that it is stored."""

    link: "Link"
    receipts: list[Receipt]


@dataclass(frozen=True, slots=True)
class Wake:
    """Somebody waits with the phone in hand."""


Event = Sent | Received | Wake


class Link(threading.Thread):
    """A provider's thread. The engine alone calls its methods; `number` is the provider's row."""

    def __init__(
        self,
        *,
        config: ProviderConfig,
        number: int,
        gateway: Gateway,
        pace: BatchPace,
        batch_size: int,
        events: "queue.SimpleQueue[Event]",
    ) -> None:
        super().__init__(name=f"link {config.code}", daemon=True)
        self.config, self.number, self.batch_size = config, number, batch_size
        self.weight, self.given, self.is_paused = config.weight, 0, False
        self.in_flight, self.failures, self.rests_until = False, 0, 0.0
        self._gateway, self._pace, self._events = gateway, pace, events
        self._commands: queue.SimpleQueue[Sequence[Outgoing] | Sequence[Receipt] | None] = queue.SimpleQueue()

    @property
    def has_room(self) -> bool:
        """Whether a batch may be given to it now."""
        return not self.in_flight and not self.is_paused and time.monotonic() >= self.rests_until

    def send(self, batch: Sequence[Outgoing]) -> None:
        """Hand a batch over to the thread."""
        self.in_flight = True
        self._commands.put(batch)

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """These are stored."""
        self._commands.put(receipts)

    def stop(self) -> None:
        """End the thread when it has done what it was given."""
        self._commands.put(None)

    def run(self) -> None:
        """The thread: commands as they come, receipts in between."""
        try:
            while True:
                try:
                    command = self._commands.get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    command = ()
                if command is None:
                    return
                self._obey(command)
                self._listen()
        finally:
            self._quietly(self._gateway.close)
            connection.close()

    def _obey(self, command: Sequence[Outgoing] | Sequence[Receipt]) -> None:
        batch = [entry for entry in command if isinstance(entry, Outgoing)]
        receipts = [entry for entry in command if isinstance(entry, Receipt)]
        if receipts:
            self._quietly(lambda: self._gateway.confirm(receipts))
        if batch:
            self._pace.begin()
            stop_at = time.monotonic() + rules.SENDING_WINDOW.total_seconds()
            try:
                results = self._gateway.send_batch(batch, pace=self._pace, stop_at=stop_at)
            except Exception:  # a gateway's defect must not end the others
                log.exception("the gateway of %s failed", self.config.code)
                results = [SendResult(message.key, Outcome.IN_DOUBT, "GATEWAY_ERROR") for message in batch]
            self._events.put(Sent(self, results))

    def _listen(self) -> None:
        try:
            receipts = self._gateway.receipts()
        except Exception:
            log.exception("the gateway of %s failed to read receipts", self.config.code)
            time.sleep(1)
            return
        if receipts:
            self._events.put(Received(self, receipts))

    def _quietly(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            log.exception("the gateway of %s failed", self.config.code)
