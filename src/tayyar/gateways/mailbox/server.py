"""An SMTP server on its own thread that stores every mail in a Maildir, and can be told to misbehave."""

import asyncio
import itertools
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from aiosmtpd.smtp import SMTP, Envelope, Session

from tayyar.core.errors import UserError
from tayyar.gateways.mailbox import notices

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, for the demo and for tests. Patterns are regular expressions looked for in the recipient's
    address.

    `refuse_answer` and `defer_answer` are what such recipients are told; `refuse_sender` takes mail from nobody.
    Every `cut_every`-th mail loses its connection: before it is stored, or, with `cut_after_storing`, when it is
    stored but not yet answered. Mails to `bounce` are taken and come back `return_seconds` later as a delivery
    status with `bounce_answer`; those to `complain` are stored, and their reader complains. `permitted_per_second`:
    more mails than that are told to come later; 0 for no limit.
    """

    refuse: str = ""
    refuse_answer: str = "550 5.1.1 No such mailbox"
    defer: str = ""
    defer_answer: str = "451 4.7.1 Try again later"
    bounce: str = ""
    bounce_answer: str = "550 5.1.1 No such mailbox"
    complain: str = ""
    return_seconds: float = 0.0
    refuse_sender: bool = False
    delay_seconds: float = 0.0
    cut_every: int = 0
    cut_after_storing: bool = False
    permitted_per_second: int = 0


class Mailbox:
    """The server. A context manager: listening inside the block; `port` is known then.

    What comes back goes into `bounces`, a Maildir too: by default the folder "bounces" inside `folder`.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, faults: Faults | None = None, bounces: Path | None = None
    ) -> None:
        self.folder, self.port, self.faults = folder, port, faults or Faults()
        self.bounces = bounces or folder / "bounces"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)

    def __enter__(self) -> "Mailbox":
        for maildir in (self.folder, self.bounces):
            for name in ("tmp", "new", "cur"):
                (maildir / name).mkdir(parents=True, exist_ok=True)
        self._thread.start()
        try:
            self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError as error:
            self._end()
            raise UserError(
                f"The mailbox cannot listen on {HOST}:{self.port} ({error.strerror}). "
                "Stop what uses that port, or choose another."
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
        handler = _Store(self)
        return await self._loop.create_server(
            lambda: SMTP(handler, hostname="mailbox.tayyar.example", loop=self._loop), HOST, self.port
        )


class _Store:
    """aiosmtpd's handler: answers recipients and stores mails."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._serial = itertools.count(1)
        self._received = itertools.count(1)
        self._second, self._in_second = 0, 0

    def _faults(self) -> Faults:
        return self._mailbox.faults

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """aiosmtpd reads what is sent ahead, but does not say so."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._faults().refuse_sender:
            return "553 5.7.1 Sender not allowed"
        if self._is_too_fast():
            return "450 4.7.1 Too fast"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        faults = self._faults()
        if _matches(faults.refuse, address):
            return faults.refuse_answer
        if _matches(faults.defer, address):
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
        content = (envelope.original_content or b"").replace(b"\r\n", b"\n")
        is_bounced = any(_matches(faults.bounce, address) for address in envelope.rcpt_tos)
        name = "nowhere" if is_bounced else self._write(self._mailbox.folder, envelope.rcpt_tos, content)
        if is_bounced or any(_matches(faults.complain, address) for address in envelope.rcpt_tos):
            asyncio.get_running_loop().call_later(
                faults.return_seconds, self._return, envelope, content, is_bounced, faults.bounce_answer
            )
        if cut:
            _cut(server)
        return f"250 2.0.0 Ok: queued as {name}"

    def _return(self, envelope: Envelope, content: bytes, is_bounced: bool, answer: str) -> None:
        """Send word of a mail to its envelope's sender."""
        sender = envelope.mail_from or ""
        for recipient in envelope.rcpt_tos:
            if is_bounced:
                notice = notices.bounce(sender=sender, recipient=recipient, answer=answer, original=content)
            else:
                notice = notices.complaint(sender=sender, recipient=recipient, original=content)
            self._write(self._mailbox.bounces, [sender], notice)

    def _write(self, maildir: Path, recipients: list[str], content: bytes) -> str:
        """Into tmp/, then by rename into new/, as a Maildir asks; no fsync, as nobody's only copy is here."""
        name = f"{time.time_ns()}.{os.getpid()}_{next(self._serial)}.mailbox"
        partial = maildir / "tmp" / name
        with open(partial, "wb") as handle:  # noqa: PTH123 - a hot path, thousands a second
            handle.write(b"Delivered-To: " + ", ".join(recipients).encode() + b"\n")
            handle.write(content)
        os.rename(partial, maildir / "new" / name)  # noqa: PTH104
        return name

    def _is_too_fast(self) -> bool:
        """Count this mail in the second it came in, unless that second is full."""
        second, permitted = int(time.time()), self._faults().permitted_per_second
        if second != self._second:
            self._second, self._in_second = second, 0
        if permitted and self._in_second >= permitted:
            return True
        self._in_second += 1
        return False


def _matches(pattern: str, address: str) -> bool:
    return bool(pattern and re.search(pattern, address))


def _cut(server: SMTP) -> None:
    """End the connection without a word, as a crash would."""
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
