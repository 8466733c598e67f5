"""One bind: a non-blocking socket, the bind itself, what is unanswered on it, and keeping it alive.

It never waits and never decides what an answer means for a message: its owner, the gateway, is told of each. Bytes
that the kernel never took were not handed over; of everything else only an answer tells.
"""

import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from tayyar.gateways.smpp import codec
from tayyar.gateways.smpp.codec import (
    DELIVER_SM,
    DELIVER_SM_RESP,
    ENQUIRE_LINK,
    GENERIC_NACK,
    RESPONSE,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    UNBIND,
    CodecError,
    Pdu,
    pack_header,
)
from tayyar.gateways.smpp.codes import INVALID_COMMAND, UNKNOWN_ERROR
from tayyar.gateways.smpp.message import Message
from tayyar.gateways.smpp.options import Options

CONNECT_SECONDS: Final = 10.0
ENQUIRE_SECONDS: Final = 30.0  # of silence, after which the SMSC is asked whether it is there
LINGER_SECONDS: Final = 10.0  # in which a bind that is being left may still answer
_RECEIVE_OCTETS: Final = 262_144


class State(Enum):
    """Where a connection is in its life."""

    CONNECTING = 1
    BINDING = 2
    BOUND = 3
    LEAVING = 4  # takes no more messages; late answers may come
    CLOSED = 5


class Flight(NamedTuple):
    """A part that waits for its answer. `begins` is its place in all the octets of the connection."""

    message: Message
    part: int
    sent_at: float
    begins: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom to tell: of a submit's answer (connection, flight, status, body), of one after it was given up (flight,
    status, body), and of a deliver_sm (connection, sequence, body)."""

    answered: Callable[["Connection", Flight, int, bytes], None]
    answered_late: Callable[[Flight, int, bytes], None]
    delivered: Callable[["Connection", int, bytes], None]


class Connection:
    """A bind to the SMSC. `reason` says why it is CLOSED; `has_worked` that an answer came after the bind's."""

    def __init__(
        self, options: Options, command: int, owner: Owner, selector: selectors.BaseSelector, now: float
    ) -> None:
        self._options, self._command, self._owner, self._selector = options, command, owner, selector
        self.state, self.reason = State.CONNECTING, ""
        self.has_worked = False
        self.flights: dict[int, Flight] = {}
        self.late: dict[int, Flight] = {}  # given up, but an answer may come yet
        self.unconfirmed: set[int] = set()  # sequences of receipts that are not stored yet
        self._sequence = 0
        self._read = b""
        self._out: list[bytes] = []
        self._queued_octets = self._sent_octets = 0
        self._since = self._heard_at = now
        self._enquired_at = 0.0
        self._unbound = False
        self._events = selectors.EVENT_WRITE
        self._socket: socket.socket | None = None
        self._open()

    @property
    def can_submit(self) -> bool:
        """Bound for sending."""
        return self.state is State.BOUND and self._command != codec.BIND_RECEIVER

    def submit(self, message: Message, part: int, now: float) -> None:
        """Put a part in the queue to the socket; `flush` sends."""
        self._sequence = sequence = self._next()
        body = message.bodies[part]
        self.flights[sequence] = Flight(message, part, now, self._queued_octets)
        self._out.append(pack_header(16 + len(body), SUBMIT_SM, 0, sequence) + body)
        self._queued_octets += 16 + len(body)

    def was_handed_over(self, flight: Flight) -> bool:
        """Whether any of it may have reached the SMSC."""
        return flight.begins < self._sent_octets

    def answer_delivery(self, sequence: int) -> None:
        """Tell the SMSC that a deliver_sm is safe with us; `flush` sends."""
        self.unconfirmed.discard(sequence)
        self._queue(DELIVER_SM_RESP, sequence, b"\0")

    def flush(self) -> None:
        """Give the kernel what it takes now; the rest goes when it has room."""
        if self._socket is None or not self._out:
            return
        octets = b"".join(self._out)
        try:
            sent = self._socket.send(octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop("CONNECTION_LOST")
            return
        self._sent_octets += sent
        self._out = [octets[sent:]] if sent < len(octets) else []
        self._watch(selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0))

    def handle(self, mask: int, now: float) -> None:
        """The socket is ready: `mask` as of selectors."""
        if self.state is State.CONNECTING:
            self._connected(now)
            return
        if mask & selectors.EVENT_READ:
            self._receive(now)
        if mask & selectors.EVENT_WRITE:
            self.flush()

    def tick(self, now: float) -> None:
        """Whatever is due by time alone."""
        if self.state in (State.CONNECTING, State.BINDING):
            if now - self._since > CONNECT_SECONDS:
                self.drop("SERVER_UNREACHABLE")
        elif self.state is State.LEAVING:
            is_over = now - self._since > LINGER_SECONDS
            if is_over or not (self.flights or self.late):
                self.unbind()
            if is_over:
                self.drop("CLOSED")
        elif self._enquired_at:
            if now - self._enquired_at > self._options.answer_timeout_seconds:
                self.drop("CONNECTION_LOST")
        elif now - self._heard_at > ENQUIRE_SECONDS:
            self._enquired_at = now
            self._queue(ENQUIRE_LINK, self._next())
            self.flush()

    def overdue(self, now: float) -> list[Flight]:
        """Flights that waited too long; they are given up, though a late answer is still heard."""
        found = []
        oldest_allowed = now - self._options.answer_timeout_seconds
        while self.flights:
            sequence = next(iter(self.flights))  # the oldest: they are in the order of sending
            if self.flights[sequence].sent_at > oldest_allowed:
                break
            self.late[sequence] = self.flights.pop(sequence)
            found.append(self.late[sequence])
        return found

    def leave(self, now: float) -> None:
        """Take no more messages; unbind when nothing is waited for, not even what was given up."""
        if self.state is State.BOUND:
            self.state, self._since = State.LEAVING, now
            self.tick(now)
        elif self.state is not State.LEAVING:
            self.drop("CLOSED")

    def unbind(self) -> None:
        """Say goodbye, once."""
        if not self._unbound and self.state is State.LEAVING:
            self._unbound = True
            self._queue(UNBIND, self._next())
            self.flush()

    def drop(self, reason: str) -> None:
        """Close the socket now. What is in `flights` stays there for the owner to judge."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
        if self.state is not State.CLOSED:
            self.state, self.reason = State.CLOSED, reason

    def _open(self) -> None:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self._options.host, self._options.port, type=socket.SOCK_STREAM
            )[0]
            self._socket = socket.socket(family, kind, protocol)
        except OSError:
            self.drop("SERVER_UNREACHABLE")
            return
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._socket, self._events, self)
        self._socket.connect_ex(address)  # how that ends is asked when the socket is ready

    def _connected(self, now: float) -> None:
        assert self._socket is not None
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.drop("SERVER_UNREACHABLE")
            return
        self.state = State.BINDING
        self._queue(
            self._command, self._next(), codec.bind_body(self._options.system_id, self._options.password)
        )
        self.flush()

    def _receive(self, now: float) -> None:
        assert self._socket is not None
        try:
            octets = self._socket.recv(_RECEIVE_OCTETS)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self.drop("CONNECTION_LOST")
            return
        self._heard_at, self._enquired_at = now, 0.0
        was_bound = self.state is State.BOUND
        if self._read:
            octets = self._read + octets
        try:
            pdus, used = codec.split(octets)
        except CodecError:
            self.drop("CONNECTION_LOST")
            return
        self._read = octets[used:]
        pop, answered, delivered = self.flights.pop, self._owner.answered, self._owner.delivered
        for pdu in pdus:
            command, status, sequence, body = pdu
            if command == SUBMIT_SM_RESP:
                flight = pop(sequence, None)
                if flight is not None:
                    answered(self, flight, status, body)
                else:
                    self._answered_late(sequence, status, body)
            elif command == DELIVER_SM:
                delivered(self, sequence, body)
            else:
                self._handle_rare(pdu)
                if self.state is State.CLOSED:
                    return
        self.has_worked = self.has_worked or was_bound
        self.flush()

    def _handle_rare(self, pdu: Pdu) -> None:
        """Everything but messages and their answers."""
        command, status, sequence, _ = pdu
        if command == ENQUIRE_LINK:
            self._queue(ENQUIRE_LINK | RESPONSE, sequence)
        elif command == self._command | RESPONSE or (command == GENERIC_NACK and self.state is State.BINDING):
            if self.state is not State.BINDING:
                return
            if status or command == GENERIC_NACK:
                self.drop("BIND_REFUSED")
                return
            self.state = State.BOUND
        elif command == UNBIND:
            self._queue(UNBIND | RESPONSE, sequence)
            self.flush()
            self.drop("CONNECTION_LOST")
            return
        elif command == UNBIND | RESPONSE:
            self.drop("CLOSED")
            return
        elif command == GENERIC_NACK:
            flight = self.flights.pop(sequence, None)
            if flight is not None:
                self._owner.answered(self, flight, status or UNKNOWN_ERROR, b"")
            else:
                self._answered_late(sequence, status or UNKNOWN_ERROR, b"")
        elif not command & RESPONSE:
            self._queue(GENERIC_NACK, sequence, status=INVALID_COMMAND)

    def _answered_late(self, sequence: int, status: int, body: bytes) -> None:
        """An answer to what was given up; one to nothing we asked, or a second one, is passed over."""
        flight = self.late.pop(sequence, None)
        if flight is not None:
            self._owner.answered_late(flight, status, body)

    def _next(self) -> int:
        self._sequence = self._sequence + 1 if self._sequence < codec.LARGEST_SEQUENCE else 1
        return self._sequence

    def _queue(self, command: int, sequence: int, body: bytes = b"", *, status: int = 0) -> None:
        self._out.append(pack_header(16 + len(body), command, status, sequence) + body)
        self._queued_octets += 16 + len(body)

    def _watch(self, events: int) -> None:
        if events != self._events and self._socket is not None:
            self._events = events
            self._selector.modify(self._socket, events, self)
