"""An SMSC on an asyncio loop of its own thread: takes binds and messages, answers, sends receipts, misbehaves.

It keeps receipts that were not confirmed and sends them again over another bind, as a real one does. Counts and the
rate it saw are in `stats()`; with a log file it writes down each message, put together. Next: process.py.
"""

import asyncio
import datetime as dt
import heapq
import itertools
import json
import random
import threading
import time
from collections import Counter, deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

from tayyar.core.errors import UserError
from tayyar.core.sms_text import decode_sms
from tayyar.gateways.smpp import codec
from tayyar.gateways.smpp.codec import (
    DELIVER_SM,
    DELIVER_SM_RESP,
    RESPONSE,
    SUBMIT_SM,
    SUBMIT_SM_RESP,
    CodecError,
    ShortMessage,
    pack_header,
)
from tayyar.gateways.smsc.faults import Faults
from tayyar.gateways.smsc.rate import Rate

HOST: Final = "127.0.0.1"
_TICK_SECONDS: Final = 0.005
_WINDOW: Final = 2_000  # receipts sent over a bind and not confirmed
_MOST_PARTIAL: Final = 10_000
_DELIVERED, _UNDELIVERABLE = b"\x02", b"\x05"
_BIND_FAILED, _BAD_DESTINATION, _BAD_COMMAND = 0x0D, 0x0B, 0x03
_OK_TAIL: Final = b"\0"


class Smsc:
    """The server. A context manager: listening inside the block; `port` and `control_port` are known then.

    `faults` may be changed at any time. `received` holds the last messages that were put together, (destination,
    text), when `keep` is set; `log` is a file of JSON lines with the same and the time.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        faults: Faults | None = None,
        log: Path | None = None,
        keep: bool = False,
        seed: int = 1,
    ) -> None:
        self.port, self.control_port = port, 0
        self.faults = faults or Faults()
        self.received: deque[tuple[str, str]] = deque(maxlen=100_000)
        self.counts: Counter[str] = Counter()
        self._log_path, self._keep = log, keep
        self._random = random.Random(seed)  # noqa: S311 - faults are to be the same in each run
        self._ids = itertools.count(1_000_000 + time.time_ns() // 1000 % 10**9 * 1000)
        self._sessions: dict[_Session, None] = {}
        self._due: list[tuple[float, int, bytes]] = []  # receipts that wait for their time
        self._waiting: deque[bytes] = deque()  # receipts that wait for a bind with room
        self._order = itertools.count()
        self._parts: dict[tuple[str, str, bytes], dict[int, bytes]] = {}
        self._rate = Rate()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smsc", daemon=True)
        self._log: TextIO | None = None
        self._minute = b"2601010000"  # now, made anew once a tick

    def __enter__(self) -> "Smsc":
        if self._log_path is not None:
            self._log = self._log_path.open("a", encoding="utf-8")
        self._thread.start()
        try:
            self._servers = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise UserError(
                f"The SMSC cannot listen on {HOST}:{self.port} ({error.strerror}). "
                "Stop what uses that port, or choose another."
            ) from None
        self.port, self.control_port = (server.sockets[0].getsockname()[1] for server in self._servers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._end()

    def stats(self) -> dict[str, Any]:
        """Counts since the start; `most_in_a_second` messages in any second, `per_100ms` as (second, messages)."""
        return {
            **self.counts,
            "binds": len(self._sessions),
            "receipts_waiting": len(self._due) + len(self._waiting),
            "most_in_a_second": self._rate.most,
            "per_100ms": sorted((tenth / 10, count) for tenth, count in self._rate.tenths.items()),
            "cpu_seconds": time.process_time(),
        }

    def say_from_phone(self, source: str, destination: str, text: str) -> None:
        """A subscriber writes to a number of ours: goes to one bind."""
        body = codec.short_message_body(
            source=source, source_ton=1, source_npi=1, destination=destination, text=text.encode("ascii")
        )
        self._loop.call_soon_threadsafe(self._push, body)

    async def _listen(self) -> list[asyncio.Server]:
        servers = [
            await self._loop.create_server(lambda: _Session(self), HOST, self.port),
            await self._loop.create_server(lambda: _Control(self), HOST, 0),
        ]
        self._ticking = self._loop.create_task(self._tick())
        return servers

    async def _stop(self) -> None:
        self._ticking.cancel()
        for server in self._servers:
            server.close()
        for session in [*self._sessions]:
            session.cut()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._log is not None:
            self._log.close()

    # ---- receipts ----

    def _receipt(self, number: int, message: ShortMessage, now: float) -> None:
        faults, chance = self.faults, self._random.random
        if faults.missing_receipt_share and chance() < faults.missing_receipt_share:
            return
        unknown = faults.unknown_suffix and message.destination.endswith(faults.unknown_suffix)
        failed = unknown or (faults.undeliverable_share and chance() < faults.undeliverable_share)
        body = self._receipt_body(number, message, b"001" if unknown else b"006" if failed else b"000")
        delay = faults.receipt_delay_seconds
        copies = 2 if faults.duplicate_receipt_share and chance() < faults.duplicate_receipt_share else 1
        for _ in range(copies):
            if delay or faults.reordered_receipts:
                at = now + delay * (chance() if faults.reordered_receipts else 1)
                heapq.heappush(self._due, (at, next(self._order), body))
            else:
                self._waiting.append(body)

    def _receipt_body(self, number: int, message: ShortMessage, err: bytes) -> bytes:
        """As in SMPP 3.4, appendix B: a deliver_sm from the number the message went to."""
        stat, state = (b"DELIVRD", _DELIVERED) if err == b"000" else (b"UNDELIV", _UNDELIVERABLE)
        name, done = b"%d" % number, self._minute
        text = b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:" % (
            name, b"001" if err == b"000" else b"000", done, done, stat, err,
        )  # fmt: skip
        tlvs = b""
        if self.faults.tlvs:
            tlvs = b"\x04\x27\x00\x01%b\x00\x1e\x00%c%b\0" % (state, len(name) + 1, name)
        return b"\0\1\1%b\0\5\0%b\0\4\0\0\0\0\0\0\0\0%c%b%b" % (
            message.destination.encode(), message.source.encode(), len(text), text, tlvs,
        )  # fmt: skip

    async def _tick(self) -> None:
        while True:
            self._minute = dt.datetime.now(dt.UTC).strftime("%y%m%d%H%M").encode()
            now = time.monotonic()
            due, waiting = self._due, self._waiting
            while due and due[0][0] <= now:
                waiting.append(heapq.heappop(due)[2])
            self.send_receipts()
            await asyncio.sleep(_TICK_SECONDS)

    def send_receipts(self) -> None:
        """Receipts that wait go out over binds with room."""
        waiting = self._waiting
        if not waiting:
            return
        for session in self._sessions:
            room = _WINDOW - len(session.unconfirmed) if session.takes_receipts else 0
            if room > 0:
                session.deliver([waiting.popleft() for _ in range(min(room, len(waiting)))])
                if not waiting:
                    return

    def _push(self, body: bytes) -> None:
        self._waiting.append(body)
        self.send_receipts()

    # ---- messages ----

    def submits(self, session: "_Session", pdus: list[tuple[int, bytes]], now: float) -> list[bytes]:
        """Messages that came together, as (sequence, body): takes them and returns the answers."""
        self._rate.add(now, len(pdus))
        self.counts["submits"] += len(pdus)
        answers = []
        faults = self.faults
        is_usual = faults == _USUAL
        for sequence, body in pdus:
            try:
                message = codec.parse_short_message(body)
            except CodecError:
                answers.append(pack_header(17, SUBMIT_SM_RESP, 0x02, sequence) + _OK_TAIL)
                continue
            status = 0 if is_usual else self._status(faults, message, now)
            if status:
                self.counts["throttled" if status == faults.throttle_status else "refused"] += 1
                answers.append(pack_header(16, SUBMIT_SM_RESP, status, sequence))
                continue
            if faults.hang_share and self._random.random() < faults.hang_share:
                self.counts["hung"] += 1
                continue
            number = next(self._ids)
            self.counts["taken"] += 1
            if message.registered_delivery & 1:
                self._receipt(number, message, now)
            if self._log is not None or self._keep:
                self._record(message)
            session.submitted += 1
            if faults.disconnect_after and session.submitted >= faults.disconnect_after:
                self.counts["cut"] += 1
                session.cut()
                break
            if faults.lost_answer_share and self._random.random() < faults.lost_answer_share:
                self.counts["lost_answers"] += 1
                continue
            name = b"%X" % number if faults.hex_ids else b"%d" % number
            answers.append(pack_header(17 + len(name), SUBMIT_SM_RESP, 0, sequence) + name + b"\0")
        return answers

    def _status(self, faults: Faults, message: ShortMessage, now: float) -> int:
        if faults.permitted_per_second and not self._rate.permits(now, faults.permitted_per_second):
            return faults.throttle_status
        if (
            faults.throttle_every
            and self.counts["asked"] % faults.throttle_every == faults.throttle_every - 1
        ):
            self.counts["asked"] += 1
            return faults.throttle_status
        self.counts["asked"] += 1
        if faults.refused_suffix and message.destination.endswith(faults.refused_suffix):
            return _BAD_DESTINATION
        if faults.fail_share and self._random.random() < faults.fail_share:
            return faults.fail_status
        return 0

    def _record(self, message: ShortMessage) -> None:
        octets = message.octets()
        if message.esm_class & codec.UDHI:
            head = octets[1 : 1 + octets[0]]
            if len(head) == 5 and head[:2] == b"\0\3":
                key = (message.source, message.destination, head[2:4])
                if len(self._parts) > _MOST_PARTIAL:
                    del self._parts[next(iter(self._parts))]
                parts = self._parts.setdefault(key, {})
                parts[head[4]] = octets[6:]
                if len(parts) < head[3]:
                    return
                del self._parts[key]
                octets = b"".join(parts[number] for number in sorted(parts))
        text = decode_sms("UCS2" if message.data_coding == 8 else "GSM7", octets)
        if self._keep:
            self.received.append((message.destination, text))
        if self._log is not None:
            at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
            line = {"at": at, "to": message.destination, "from": message.source, "text": text}
            self._log.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._log.flush()


_USUAL: Final = Faults()


class _Session(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self.takes_receipts = False
        self.submitted = 0
        self.unconfirmed: dict[int, bytes] = {}
        self._bound = False
        self._read = b""
        self._sequence = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._smsc._sessions.pop(self, None)
        self._smsc._waiting.extendleft(reversed(self.unconfirmed.values()))  # they come again
        self.unconfirmed.clear()

    def cut(self) -> None:
        """End the connection without a word, as a crash would."""
        self._transport.abort()

    def deliver(self, bodies: list[bytes]) -> None:
        """Send deliver_sm's."""
        out = []
        for body in bodies:
            self._sequence += 1
            self.unconfirmed[self._sequence] = body
            out.append(pack_header(16 + len(body), DELIVER_SM, 0, self._sequence) + body)
        self._smsc.counts["receipts"] += len(bodies)
        self._transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        try:
            pdus, used = codec.split(self._read + data if self._read else data)
        except CodecError:
            self.cut()
            return
        self._read = (self._read + data)[used:]
        submits: list[tuple[int, bytes]] = []
        for command, _, sequence, body in pdus:
            if command == SUBMIT_SM and self._bound:
                submits.append((sequence, body))
            elif command == DELIVER_SM_RESP:
                if self.unconfirmed.pop(sequence, None) is not None:
                    self._smsc.counts["confirmed"] += 1
            else:
                self._handle_rare(command, sequence, body)
        if submits:
            self._answer(submits)

    def _answer(self, submits: list[tuple[int, bytes]]) -> None:
        smsc = self._smsc
        answers = smsc.submits(self, submits, time.monotonic())
        if smsc.faults.receipts_first:
            smsc.send_receipts()
        if self._transport.is_closing():
            return
        if smsc.faults.answer_delay_seconds:
            smsc._loop.call_later(smsc.faults.answer_delay_seconds, self._write, b"".join(answers))
        else:
            self._transport.write(b"".join(answers))
        if not smsc.faults.receipts_first:
            smsc.send_receipts()

    def _write(self, octets: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(octets)

    def _handle_rare(self, command: int, sequence: int, body: bytes) -> None:
        if command in codec.BIND_COMMANDS:
            refused = self._smsc.faults.refuse_binds
            self._smsc.counts["refused_binds" if refused else "accepted_binds"] += 1
            status = _BIND_FAILED if refused else 0
            self._transport.write(
                codec.pdu(command | RESPONSE, status, sequence, b"" if refused else b"smsc\0")
            )
            if not refused:
                self._bound = command != codec.BIND_RECEIVER
                self.takes_receipts = command != codec.BIND_TRANSMITTER
                self._smsc._sessions[self] = None
                self._smsc.send_receipts()
        elif command == codec.ENQUIRE_LINK:
            self._smsc.counts["enquiries"] += 1
            self._transport.write(codec.pdu(command | RESPONSE, 0, sequence))
        elif command == codec.UNBIND:
            self._transport.write(codec.pdu(command | RESPONSE, 0, sequence))
            self._transport.close()
        elif command == SUBMIT_SM:
            self._transport.write(codec.pdu(SUBMIT_SM_RESP, 0x04, sequence))
        elif not command & RESPONSE:
            self._transport.write(codec.pdu(codec.GENERIC_NACK, _BAD_COMMAND, sequence))


class _Control(asyncio.Protocol):
    """A connection that asks: a line {"faults": {...}} sets those, any line is answered with the counts."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\n" in self._read:
            line, _, self._read = self._read.partition(b"\n")
            try:
                if line.strip():
                    self._smsc.faults = Faults.from_json(line.decode())
                answer = self._smsc.stats()
            except (UserError, UnicodeDecodeError) as error:
                answer = {"error": str(error)}
            self._transport.write(json.dumps(answer).encode() + b"\n")
