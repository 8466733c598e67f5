"""An SMTP server on its own thread that stores every mail in a Maildir, and can be told to misbehave."""

import asyncio
import itertools
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from aiosmtpd.smtp import SMTP, Envelope, Session

from tayyar.core.errors import UserError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, for tests. Patterns are regular expressions looked for in the recipient's address.

    `refuse_answer` and `defer_answer` are what such recipients are told; `refuse_sender` takes mail from nobody.
    Every `cut_every`-th mail loses its connection: before it is stored, or, with `cut_after_storing`, when it is
    stored but not yet answered.
    """

    refuse: str = ""
    refuse_answer: str = "550 5.1.1 No such mailbox"
    defer: str = ""
    defer_answer: str = "451 4.7.1 Try again later"
    refuse_sender: bool = False
    delay_seconds: float = 0.0
    cut_every: int = 0
    cut_after_storing: bool = False


class Mailbox:
    """The server. A context manager: listening inside the block; `port` is known then."""

    def __init__(self, folder: Path, *, port: int = 0, faults: Faults | None = None) -> None:
        self.folder, self.port, self.faults = folder, port, faults or Faults()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)

    def __enter__(self) -> "Mailbox":
        for name in ("tmp", "new", "cur"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._thread.start()
        try:
            self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise UserError(
                f"The mailbox cannot listen on {HOST}:{self.port} ({error.strerror}). "
                "Stop what uses that port, or choose another with TAYYAR_SMTP_PORT."
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        handler = _Store(self.folder, lambda: self.faults)
        return await self._loop.create_server(
            lambda: SMTP(handler, hostname="mailbox.tayyar.example", loop=self._loop), HOST, self.port
        )


class _Store:
    """aiosmtpd's handler: answers recipients and stores mails."""

    def __init__(self, folder: Path, faults: Callable[[], Faults]) -> None:
        self._folder, self._faults = folder, faults
        self._serial = itertools.count(1)
        self._received = itertools.count(1)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._faults().refuse_sender:
            return "553 5.7.1 Sender not allowed"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        faults = self._faults()
        if faults.refuse and re.search(faults.refuse, address):
            return faults.refuse_answer
        if faults.defer and re.search(faults.defer, address):
            return faults.defer_answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        faults = self._faults()
        if faults.delay_seconds:
            await asyncio.sleep(faults.delay_seconds)
        cut = faults.cut_every and next(self._received) % faults.cut_every == 0
        if cut and not faults.cut_after_storing:
            _cut(server)
            return "421 4.3.0 Cut"
        name = self._write(envelope)
        if cut:
            _cut(server)
        return f"250 2.0.0 Ok: queued as {name}"

    def _write(self, envelope: Envelope) -> str:
        """Into tmp/, then by rename into new/, as a Maildir asks; no fsync, as nobody's only copy is here."""
        name = f"{time.time_ns()}.{os.getpid()}_{next(self._serial)}.mailbox"
        partial = self._folder / "tmp" / name
        content = envelope.original_content or b""
        with open(partial, "wb") as handle:  # noqa: PTH123 - a hot path, thousands a second
            handle.write(b"Delivered-To: " + ", ".join(envelope.rcpt_tos).encode() + b"\n")
            handle.write(content.replace(b"\r\n", b"\n"))
        os.rename(partial, self._folder / "new" / name)  # noqa: PTH104
        return name


def _cut(server: SMTP) -> None:
    """End the connection without a word, as a crash would."""
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
