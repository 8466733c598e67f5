"""A raw client of an SMSC, which the engine is measured against: N messages through windows, answers and receipts
counted. Written without the gateway's code, so that one mistake cannot be in both.

`raw_loop` is what anybody would write with asyncio: every message with its own number and text, every answer matched
to its message and every receipt to its answer. `bare_floor` does not even that: one prepared message again and again,
written in blocks; it shows what the sockets, the interpreter and the SMSC alone permit.
"""

import asyncio
import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

_HEADER = struct.Struct(">IIII")
_BIND = b"raw\0raw\0\0\x34\0\0\0"
_BODY = b"\0\5\0Tayyar\0\1\1%b\0\0\0\0\0\0\1\0\x08\0%c%b"
_TEXT = "فاتورة الكهرباء رقم {} لشهر نوفمبر 123.45 ريال"
_WAIT_SECONDS = 10


def raw_loop(*, host: str, port: int, messages: int, binds: int = 2, window: int = 100) -> dict[str, Any]:
    """Submit `messages` Arabic texts of one part with asyncio; returns messages, receipts, seconds until the last
    receipt, rate per second and CPU microseconds per message."""
    return _measured(messages, lambda: asyncio.run(_raw(host, port, messages, binds, window)))


def bare_floor(*, host: str, port: int, messages: int, binds: int = 2, window: int = 100) -> dict[str, Any]:
    """As `raw_loop`, without any work for a message."""
    return _measured(messages, lambda: _bare(host, port, messages, binds, window))


def _measured(messages: int, work: Callable[[], tuple[int, int]]) -> dict[str, Any]:
    began, cpu = time.perf_counter(), time.process_time()
    answered, receipts = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "messages": answered,
        "receipts": receipts,
        "seconds": seconds,
        "per_second": messages / seconds,
        "cpu_us_per_message": cpu / messages * 1e6,
    }


async def _raw(host: str, port: int, messages: int, binds: int, window: int) -> tuple[int, int]:
    numbers = iter(range(messages))
    taken: set[bytes] = set()
    receipted: set[bytes] = set()
    all_receipted = asyncio.Event()

    async def bind() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(_HEADER.pack(16 + len(_BIND), 9, 0, 1) + _BIND)
        room = asyncio.Semaphore(window)
        reading = asyncio.create_task(read(reader, writer, room))
        for number in numbers:
            await room.acquire()
            text = _TEXT.format(number).encode("utf-16-be")
            body = _BODY % (b"9665%08d" % number, len(text), text)
            writer.write(_HEADER.pack(16 + len(body), 4, 0, number + 2) + body)
        await asyncio.wait_for(all_receipted.wait(), _WAIT_SECONDS)
        reading.cancel()
        writer.close()

    async def read(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, room: asyncio.Semaphore
    ) -> None:
        while True:
            length, command, status, sequence = _HEADER.unpack(await reader.readexactly(16))
            body = await reader.readexactly(length - 16)
            if command == 0x80000004 and status == 0:
                taken.add(body[:-1])
                room.release()
            elif command == 5:
                at = body.index(b"id:") + 3
                receipted.add(body[at : body.index(b" ", at)])
                writer.write(_HEADER.pack(17, 0x80000005, 0, sequence) + b"\0")
                if len(receipted) == messages:
                    all_receipted.set()

    await asyncio.gather(*(bind() for _ in range(binds)))
    return len(taken), len(receipted & taken)


def _bare(host: str, port: int, messages: int, binds: int, window: int) -> tuple[int, int]:
    text = _TEXT.format(1).encode("utf-16-be")
    body = _BODY % (b"966512345678", len(text), text)
    selector = selectors.DefaultSelector()
    sockets = [_bound(host, port) for _ in range(binds)]
    unread = dict.fromkeys(sockets, b"")
    unanswered = dict.fromkeys(sockets, 0)
    for connection in sockets:
        selector.register(connection, selectors.EVENT_READ, connection)
    sent = answered = receipts = 0
    while receipts < messages:
        for connection in sockets:
            count = min(window - unanswered[connection], messages - sent)
            connection.sendall(
                b"".join(_HEADER.pack(16 + len(body), 4, 0, sent + n + 1) + body for n in range(count))
            )
            sent += count
            unanswered[connection] += count
        ready = selector.select(_WAIT_SECONDS)
        if not ready:
            raise TimeoutError(
                f"{answered} answers and {receipts} receipts of {messages} messages, and no more"
            )
        for key, _ in ready:
            connection = key.data
            buffer = unread[connection] + connection.recv(262_144)
            at, confirmations = 0, []
            while len(buffer) - at >= 16:
                length, command, status, sequence = _HEADER.unpack_from(buffer, at)
                if len(buffer) - at < length:
                    break
                if command == 0x80000004 and status == 0:
                    answered += 1
                    unanswered[connection] -= 1
                elif command == 5:
                    receipts += 1
                    confirmations.append(_HEADER.pack(17, 0x80000005, 0, sequence) + b"\0")
                at += length
            unread[connection] = buffer[at:]
            connection.sendall(b"".join(confirmations))
    for connection in sockets:
        connection.close()
    return answered, receipts


def _bound(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=_WAIT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(_HEADER.pack(16 + len(_BIND), 9, 0, 1) + _BIND)
    if _HEADER.unpack_from(connection.recv(1024))[1:3] != (0x80000009, 0):
        raise ConnectionError("the bind was refused")
    return connection
