"""The binds of one account: opened, replaced and kept alive; who may be used, and why none can.

It holds connections and their back-off, and knows nothing of messages' fates. Next: gateway.py.
"""

import selectors
from collections.abc import Callable, Iterable

from tayyar.gateways.smpp.codec import BIND_RECEIVER, BIND_TRANSCEIVER, BIND_TRANSMITTER
from tayyar.gateways.smpp.connection import Connection, Owner, State
from tayyar.gateways.smpp.flow import Backoff
from tayyar.gateways.smpp.options import Options

_KINDS = {
    "TRANSCEIVER": (BIND_TRANSCEIVER,),
    "SEPARATE": (BIND_TRANSMITTER, BIND_RECEIVER),
    "TRANSMITTER": (BIND_TRANSMITTER,),
}


class _Slot:
    """Room for one connection of one kind."""

    def __init__(self, command: int) -> None:
        self.command = command
        self.connection: Connection | None = None
        self.backoff = Backoff()


class Binds:
    """Connections from batch to batch. `lost` is called for each that ended, with its unanswered flights still in it;
    `reason` says why the last one did."""

    def __init__(self, options: Options, owner: Owner, lost: Callable[[Connection], None]) -> None:
        self._options, self._owner, self._lost = options, owner, lost
        self._selector = selectors.DefaultSelector()
        self._slots = [_Slot(kind) for _ in range(options.binds) for kind in _KINDS[options.bind_as]]
        self._leaving: list[Connection] = []
        self._backoff = Backoff()
        self.reason = ""

    def keep(self, now: float) -> None:
        """Open what is missing and due, forget what ended, enquire where it was silent."""
        for slot in self._slots:
            connection = slot.connection
            if connection is not None:
                connection.tick(now)
                if connection.has_worked and slot.backoff.failures:
                    slot.backoff.reset()
                    self._backoff.reset()
                if connection.state is State.CLOSED:
                    self._ended(slot, connection, now)
            if slot.connection is None and self._may_open(slot, now):
                slot.connection = Connection(self._options, slot.command, self._owner, self._selector, now)
        for connection in [*self._leaving]:
            connection.tick(now)
            if connection.state is State.CLOSED:
                self._leaving.remove(connection)
                self._lost(connection)

    def _ended(self, slot: _Slot, connection: Connection, now: float) -> None:
        slot.connection, self.reason = None, connection.reason
        refused = connection.reason == "BIND_REFUSED"
        slot.backoff.fail(now, refused=refused)
        self._backoff.fail(now, refused=refused)
        if refused:  # perhaps for having too many: those that are being left may be the ones
            for leaving in self._leaving:
                leaving.drop("CLOSED")
        self._lost(connection)

    def _may_open(self, slot: _Slot, now: float) -> bool:
        """After a failure one bind at a time tries, so that an SMSC in trouble is not stormed by all of them."""
        if now < max(slot.backoff.retry_at, self._backoff.retry_at):
            return False
        return not self._backoff.failures or not any(
            other.connection is not None and other.connection.state in (State.CONNECTING, State.BINDING)
            for other in self._slots
        )

    def replace(self, connection: Connection, now: float) -> None:
        """Use it no more, but hear what it still says; another takes its place."""
        for slot in self._slots:
            if slot.connection is connection:
                slot.connection = None
                connection.leave(now)
                self._leaving.append(connection)
        if len(self._leaving) > len(self._slots):
            self._leaving[0].drop("CONNECTION_LOST")

    def poll(self, seconds: float, clock: Callable[[], float]) -> None:
        """Read and write what is ready, waiting at most `seconds` for something to be."""
        events = self._selector.select(seconds)
        if events:
            now = clock()
            for key, mask in events:
                key.data.handle(mask, now)

    def usable(self) -> list[Connection]:
        """Those that take messages now."""
        return [
            slot.connection
            for slot in self._slots
            if slot.connection is not None and slot.connection.can_submit
        ]

    def all(self) -> Iterable[Connection]:
        """Every connection that is not known to have ended."""
        yield from (slot.connection for slot in self._slots if slot.connection is not None)
        yield from self._leaving

    def is_hopeless(self) -> bool:
        """No bind for sending is there or under way: it is no use waiting."""
        return all(slot.connection is None for slot in self._slots if slot.command != BIND_RECEIVER)

    def close(self, clock: Callable[[], float], seconds: float) -> None:
        """Unbind politely, for at most `seconds`, and begin anew when used again."""
        now = clock()
        until = now + seconds
        for connection in self.all():
            connection.leave(now)
            connection.unbind()
        while now < until and any(connection.state is State.LEAVING for connection in self.all()):
            self.poll(until - now, clock)
            now = clock()
        for connection in self.all():
            connection.drop("CLOSED")
            self._lost(connection)
        self._leaving.clear()
        for slot in self._slots:
            slot.connection, slot.backoff = None, Backoff()
        self._backoff = Backoff()
