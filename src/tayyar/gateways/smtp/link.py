"""One connection to the mail server: opened with greeting, TLS and login, then moving a Dialogue's bytes unblocked.

It decides nothing about mails. Next: sending.py, which drives several of these at once.
"""

import contextlib
import functools
import smtplib
import socket
import ssl
import time

from tayyar.gateways.smtp.dialogue import Answer, Dialogue
from tayyar.gateways.smtp.options import Options, StartTls

_CONNECT_SECONDS = 10
_GOODBYE_SECONDS = 1.0
_READ_BYTES = 65536


class CannotConnect(Exception):
    """No connection to be had. `reason`: our upper-case code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Link:
    """A connection. `last_moved`: when bytes last moved (time.monotonic())."""

    def __init__(self, sock: socket.socket, *, pipelining: bool) -> None:
        self.dialogue = Dialogue(pipelining=pipelining)
        self.last_moved = time.monotonic()
        self._socket = sock
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)

    def fileno(self) -> int:
        """For `selectors`."""
        return self._socket.fileno()

    def flush(self) -> None:
        """Write what can be written now. What cannot be written any more ends the dialogue."""
        out = self.dialogue.out
        while out and not self.dialogue.ended:
            chunk = bytes(out[:_READ_BYTES])
            moved = self._moved()
            if self._is_tls:  # of a record that was begun one cannot know how much left
                self.dialogue.handed_out = max(self.dialogue.handed_out, moved + len(chunk))
            try:
                count = self._socket.send(chunk)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            except OSError:
                self.dialogue.ended = "CONNECTION_LOST"
                return
            del out[:count]
            self.dialogue.handed_out = max(self.dialogue.handed_out, moved + count)
            self.last_moved = time.monotonic()

    def receive(self) -> list[Answer]:
        """Read what came; the mails it settled. A lost connection ends the dialogue."""
        answers: list[Answer] = []
        while not self.dialogue.ended:
            try:
                data = self._socket.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                data = b""
            if not data:
                self.dialogue.ended = "CONNECTION_LOST"
                break
            self.last_moved = time.monotonic()
            answers += self.dialogue.receive(data)
            if len(data) < _READ_BYTES and not self._is_tls:
                break
        return answers

    def quit(self) -> None:
        """End politely a connection at rest."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(_GOODBYE_SECONDS)
            self._socket.sendall(b"QUIT\r\n")
            self._socket.recv(_READ_BYTES)
        self.drop()

    def drop(self) -> None:
        """Forget the connection without another word, which a lost one would wait for in vain."""
        self._socket.close()

    def _moved(self) -> int:
        """How many bytes, over all, were written for certain."""
        return self.dialogue.put_out - len(self.dialogue.out)


def connect(options: Options) -> Link:
    """A new connection, ready for mail. The handshake blocks; CannotConnect says why there is none."""
    smtp: smtplib.SMTP | None = None
    try:
        smtp = _greeted(options)
        if options.username:
            smtp.login(options.username, options.password)
        sock, smtp.sock = smtp.sock, None
        assert sock is not None
        return Link(sock, pipelining=smtp.has_extn("pipelining"))
    except smtplib.SMTPAuthenticationError:
        raise CannotConnect("LOGIN_REFUSED") from None
    except smtplib.SMTPResponseException as error:
        raise CannotConnect("THROTTLED" if error.smtp_code // 100 == 4 else "SERVER_REFUSED") from None
    except (ssl.SSLError, smtplib.SMTPNotSupportedError):
        raise CannotConnect("TLS_FAILED") from None
    except (OSError, smtplib.SMTPException):
        raise CannotConnect("SERVER_UNREACHABLE") from None
    finally:
        if smtp is not None:
            smtp.close()


def _greeted(options: Options) -> smtplib.SMTP:
    timeout, name = min(_CONNECT_SECONDS, options.timeout_seconds), _own_name()
    if options.implicit_tls:
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            options.host, options.port, name, timeout=timeout, context=context
        )
    else:
        smtp = smtplib.SMTP(options.host, options.port, name, timeout=timeout)
    try:
        smtp.ehlo_or_helo_if_needed()
        if options.implicit_tls or options.starttls is StartTls.NEVER:
            return smtp
        if options.starttls is StartTls.REQUIRED or smtp.has_extn("starttls"):
            context = ssl.create_default_context()
            if (
                options.starttls is StartTls.IF_OFFERED
            ):  # only against listeners: without TLS it would go on, too
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
        return smtp
    except BaseException:
        smtp.close()
        raise


@functools.lru_cache(maxsize=1)
def _own_name() -> str:
    """For EHLO; asked once, as the answer may take a name server seconds."""
    name = socket.getfqdn()
    return name if "." in name else "[127.0.0.1]"
