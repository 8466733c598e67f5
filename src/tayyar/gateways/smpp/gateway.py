"""The SMPP gateway: messages out through the windows of several binds, answers and receipts in. One thread, no loop
of its own: everything happens inside `send_batch` and `receipts`.

What is certain and what is not: a part whose octets never left us was not handed over; after that only its answer
tells, and without one it is in doubt. An answer that comes too late for the batch comes out as a Receipt.
"""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tayyar.gateways.smpp.binds import Binds
from tayyar.gateways.smpp.codec import cstring
from tayyar.gateways.smpp.codes import OK, THROTTLED, WRONG_BIND_STATE, meaning
from tayyar.gateways.smpp.connection import Connection, Flight, Owner
from tayyar.gateways.smpp.flow import Flow
from tayyar.gateways.smpp.inbox import Inbox
from tayyar.gateways.smpp.message import Composer, Message
from tayyar.gateways.smpp.options import read_options
from tayyar.notifications.ports import Outcome, Outgoing, Pace, Receipt, ReceiptState, SendResult

if TYPE_CHECKING:
    from tayyar.notifications.providers import ProviderConfig

CLOSE_SECONDS: Final = 2.0
_LONGEST_WAIT_SECONDS: Final = 0.2
_REFILLED_FROM: Final = 4  # a window is refilled when a quarter of it is free

_LATE_STATES: Final = {
    Outcome.REFUSED: ReceiptState.FAILED,
    Outcome.BAD_CONTACT: ReceiptState.BAD_CONTACT,
}


def build(config: "ProviderConfig") -> "SmppGateway":
    """The gateway of one provider. UserError names it and the option that is wrong."""
    return SmppGateway(code=config.code, options=config.options)


class SmppGateway:
    """One account at one SMSC; satisfies notifications.ports.Gateway."""

    def __init__(self, *, code: str, options: dict[str, Any]) -> None:
        self.code, self.options = code, read_options(code, options)
        self._composer = Composer(self.options)
        self._flow = Flow(self.options.window)
        self._inbox = Inbox(self.options)
        owner = Owner(self._answered, self._answered_late, self._inbox.delivered)
        self._binds = Binds(self.options, owner, self._lost)
        self._source: Iterator[Outgoing] = iter(())
        self._ready: deque[Message] = deque()  # composed, nothing of them handed over
        self._ready_segments = 0
        self._begun: list[tuple[Connection, Message]] = []  # their other parts have to go the same way
        self._in_flight = 0
        self._results: list[SendResult] = []
        self._was_throttled = False
        self._pace_at = 0.0
        self._turn = 0

    @property
    def counters(self) -> Counter[str]:
        """What else came; see Inbox."""
        return self._inbox.counters

    # ---- the port ----

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """See the port. A message of several parts that has begun is finished after `stop_at`, for at most the time
        an answer may take."""
        self._source, self._results = iter(batch), []
        self._was_throttled, self._pace_at = False, 0.0
        try:
            self._run(pace, stop_at)
            return self._results
        finally:
            self._forget_batch()

    def receipts(self) -> list[Receipt]:
        """See the port."""
        self._binds.poll(0, time.monotonic)
        self._look_after(time.monotonic())
        return self._inbox.take()

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """See the port. Receipts of binds that are gone are left alone: the SMSC sends those again."""
        self._inbox.confirm(receipts)

    def close(self) -> None:
        """See the port."""
        self._binds.close(time.monotonic, CLOSE_SECONDS)
        self._inbox.clear()

    # ---- a batch ----

    def _run(self, pace: Pace, stop_at: float) -> None:
        clock = time.monotonic
        while True:
            now = clock()
            self._look_after(now)
            if now >= stop_at:
                self._give_up("THROTTLED" if self._was_throttled else "OUT_OF_TIME")
                if now >= stop_at + self.options.answer_timeout_seconds:
                    self._cut_begun(None, "OUT_OF_TIME")
            elif self._binds.is_hopeless():
                refused = self._binds.reason == "BIND_REFUSED"
                self._give_up("BIND_REFUSED" if refused else "SERVER_UNREACHABLE")
            wait = self._hand_over(pace, now)
            if not self._in_flight and not self._begun and not self._compose(1):
                return
            self._binds.poll(min(wait, stop_at - now) if now < stop_at else wait, clock)

    def _hand_over(self, pace: Pace, now: float) -> float:
        """Hand over what windows and pace permit; seconds until it is worth looking again, if nothing comes."""
        earliest = max(self._flow.paused_until, self._pace_at)
        if now < earliest:
            return min(earliest - now, _LONGEST_WAIT_SECONDS)
        window = self._flow.window
        usable = self._binds.usable()
        rooms = {connection: window - len(connection.flights) for connection in usable}
        # A window is refilled when a good part of it is free: one large write costs less than many small ones.
        if not usable or (self._in_flight and max(rooms.values()) <= window // _REFILLED_FROM):
            return _LONGEST_WAIT_SECONDS
        wanted = self._wanted(rooms)
        if not wanted:
            return _LONGEST_WAIT_SECONDS
        granted = pace.allowance(wanted)
        wait = _LONGEST_WAIT_SECONDS
        if granted < wanted:
            wait = min(pace.wait_seconds(), wait)
            self._pace_at = now + wait
        if granted > 0:
            granted = self._hand_over_begun(rooms, granted, now)
            self._hand_over_ready(rooms, granted, now)
            for connection in usable:
                connection.flush()
        return wait

    def _wanted(self, rooms: dict[Connection, int]) -> int:
        """How many segments could go at this moment. Parts of begun messages only where their first ones went."""
        left = sum(room for room in rooms.values() if room > 0)
        begun = 0
        if self._begun:
            spare = dict(rooms)
            for connection, message in self._begun:
                taken = max(0, min(len(message.todo), spare.get(connection, 0)))
                if taken:
                    spare[connection] -= taken
                    begun += taken
        return begun + min(left - begun, self._compose(left - begun))

    def _compose(self, segments: int) -> int:
        """Have at least `segments` ready, if there are as many; returns how many are."""
        while self._ready_segments < segments:
            outgoing = next(self._source, None)
            if outgoing is None:
                break
            message = self._composer.compose(outgoing)
            if isinstance(message, SendResult):
                self._results.append(message)
            else:
                self._ready.append(message)
                self._ready_segments += len(message.bodies)
        return self._ready_segments

    def _hand_over_begun(self, rooms: dict[Connection, int], granted: int, now: float) -> int:
        """The other parts of begun messages go first. Returns what is left of `granted`."""
        if not self._begun:
            return granted
        waiting, self._begun = self._begun, []
        for connection, message in waiting:
            if granted and rooms.get(connection, 0) > 0:
                granted -= self._submit(connection, message, rooms, granted, now)
            message.is_begun = bool(message.todo)
            if message.is_begun:
                self._begun.append((connection, message))
        return granted

    def _hand_over_ready(self, rooms: dict[Connection, int], granted: int, now: float) -> None:
        """New messages, spread over the binds in turn, because an operator limits each of them."""
        ready = self._ready
        connections = [connection for connection, room in rooms.items() if room > 0]
        while granted > 0 and ready and connections:
            share = -(-granted // len(connections))
            self._turn = first = (self._turn + granted) % len(connections)
            for connection in connections[first:] + connections[:first]:
                until = max(granted - share, 0)
                while granted > until and ready and rooms[connection] > 0:
                    message = ready.popleft()
                    self._ready_segments -= len(message.bodies)
                    granted -= self._submit(connection, message, rooms, granted, now)
                    if message.todo:
                        message.is_begun = True
                        self._begun.append((connection, message))
            connections = [connection for connection in connections if rooms[connection] > 0]

    def _submit(
        self, connection: Connection, message: Message, rooms: dict[Connection, int], granted: int, now: float
    ) -> int:
        """Hand over as many parts as there is room and leave for; returns how many."""
        count = min(len(message.todo), rooms[connection], granted)
        for _ in range(count):
            connection.submit(message, message.todo.pop(), now)
        message.in_flight += count
        self._in_flight += count
        rooms[connection] -= count
        return count

    # ---- what comes back ----

    def _answered(self, connection: Connection, flight: Flight, status: int, body: bytes) -> None:
        message = flight.message
        message.in_flight -= 1
        self._in_flight -= 1
        if status == OK:
            self._take(flight, body)
            if self._flow.is_shrunk:
                self._flow.taken()
            if not message.todo and not message.in_flight:  # the usual end, without another call
                self._results.append(message.result())
                return
        elif status in THROTTLED:
            self._flow.throttled(sent_at=flight.sent_at, now=time.monotonic())
            self._was_throttled = True
            message.todo.append(flight.part)
        else:
            reason, outcome = meaning(status)
            message.worsen(outcome, reason)
            if status == WRONG_BIND_STATE:
                connection.drop("CONNECTION_LOST")
        self._settle(connection, message)

    def _take(self, flight: Flight, body: bytes) -> None:
        message = flight.message
        message.taken += 1
        if flight.part == len(message.bodies) - 1:
            message.ref = self._inbox.ids.answered(cstring(body))

    def _settle(self, connection: Connection, message: Message) -> None:
        """Report the message if its end is known, else see that what is missing goes out."""
        if message.in_flight:
            return
        if message.outcome is not None or not message.todo:
            if message.is_begun:
                self._begun.remove((connection, message))
            self._results.append(message.result())
        elif not message.is_begun:
            if message.is_untouched:
                self._again(message)
            else:
                message.is_begun = True
                self._begun.append((connection, message))

    def _again(self, message: Message) -> None:
        message.restart()
        self._ready.appendleft(message)
        self._ready_segments += len(message.bodies)

    def _answered_late(self, flight: Flight, status: int, body: bytes) -> None:
        """The doubt about a part ends, and with it perhaps the doubt that was reported about its message."""
        message = flight.message
        message.doubtful -= 1
        if status == OK:
            self._take(flight, body)
        elif status in THROTTLED:
            message.worsen(Outcome.TRY_LATER, "THROTTLED")
        else:
            reason, outcome = meaning(status)
            message.worsen(outcome, reason)
        if message.reported is Outcome.IN_DOUBT:
            if message.outcome in _LATE_STATES:
                state = _LATE_STATES[message.outcome]
                self._inbox.settled(Receipt(state, message.key, reason=message.reason))
                message.reported = message.outcome
            elif message.outcome is None and message.taken == len(message.bodies):
                self._inbox.settled(Receipt(ReceiptState.SENT, message.key, message.ref))
                message.reported = Outcome.SENT

    # ---- what does not ----

    def _look_after(self, now: float) -> None:
        """Give up answers that are overdue, with their binds; keep the others."""
        for connection in [*self._binds.all()]:
            overdue = connection.overdue(now)
            for flight in overdue:
                flight.message.in_flight -= 1
                self._in_flight -= 1
                flight.message.doubt_part("NO_ANSWER")
                self._settle(connection, flight.message)
            if overdue:
                self._cut_begun(connection, "NO_ANSWER")
                self._binds.replace(connection, now)
        self._binds.keep(now)

    def _lost(self, connection: Connection) -> None:
        """A bind is gone: what it had not handed over goes another way, the rest is in doubt."""
        flights = [*connection.flights.values()]
        connection.flights.clear()
        for flight in reversed(flights):
            message = flight.message
            message.in_flight -= 1
            self._in_flight -= 1
            if connection.was_handed_over(flight):
                message.doubt_part("CONNECTION_LOST")
            else:
                message.todo.append(flight.part)
            self._settle(connection, message)
        self._cut_begun(connection, "CONNECTION_LOST")

    def _cut_begun(self, connection: Connection | None, reason: str) -> None:
        """No more parts go over `connection` (None: any): messages that lack some will have to be sent anew."""
        cut = [pair for pair in self._begun if connection is None or pair[0] is connection]
        self._begun = [pair for pair in self._begun if pair not in cut]
        for _, message in cut:
            message.is_begun = False
            if message.is_untouched:
                self._again(message)
            else:
                message.worsen(Outcome.TRY_LATER, reason)
                if not message.in_flight:
                    self._results.append(message.result())

    def _give_up(self, reason: str) -> None:
        """Nothing that was not begun will be."""
        not_tried = Outcome.NOT_TRIED
        for message in self._ready:
            self._results.append(SendResult(message.key, not_tried, reason, segments=len(message.bodies)))
        self._ready.clear()
        self._ready_segments = 0
        self._results.extend(SendResult(outgoing.key, not_tried, reason) for outgoing in self._source)

    def _forget_batch(self) -> None:
        """Only when it was interrupted is there anything to forget: what is out is in doubt, as a crash leaves it."""
        self._source, self._results = iter(()), []
        self._ready.clear()
        self._begun.clear()
        self._ready_segments = self._in_flight = 0
        for connection in self._binds.all():
            for flight in connection.flights.values():
                flight.message.doubt_part("INTERRUPTED")
                flight.message.in_flight -= 1
                flight.message.reported = Outcome.IN_DOUBT
            connection.late.update(connection.flights)
            connection.flights.clear()
