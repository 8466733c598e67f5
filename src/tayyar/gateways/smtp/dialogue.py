"""One SMTP connection's conversation, without a socket: bytes of the server in, settled mails and bytes for it out.

With PIPELINING (RFC 2920) a mail's content, its dot and the next mail's MAIL, RCPT and DATA leave in one write, so a
mail costs one round trip. It knows at each moment which mail the server may have taken. Next: link.py, which moves
the bytes.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

_CLOSING = 421  # the server closes this connection and took nothing
_GO_AHEAD = 354
_LONGEST_LINE = 8192
_ANSWER_LINES = 20  # kept of an answer; its first tells


class Envelope(NamedTuple):
    """One mail to hand over; `number` is its place in the batch."""

    number: int
    sender: str
    recipient: str
    content: bytes  # with CRLF line ends, dots not yet doubled


class Step(Enum):
    """What an answer of the server answers."""

    RESET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    EMPTY = auto()  # the lone dot that ends a DATA which nobody was to receive


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that settled a mail: taken, when it is a 2xx to CONTENT, else refused at `step`."""

    mail: Envelope
    step: Step
    code: int
    text: bytes


@dataclass(slots=True)
class _Current:
    """The mail whose commands are under way, and the answer that refused it."""

    mail: Envelope
    refused: Answer | None = None


class Dialogue:
    """After the greeting, EHLO and login. `ended` is why it can go no further, "" while it can."""

    def __init__(self, *, pipelining: bool) -> None:
        self.ended = ""
        self.out = bytearray()
        self.handed_out = 0  # how many bytes, over all, may have left for the server
        self.settled = 0  # how many mails, over all
        self.put_out = 0  # how many bytes, over all, were put into `out`
        self._pipelining = pipelining
        self._inbox = bytearray()
        self._lines: list[bytes] = []
        self._expected: deque[Step] = deque()
        self._commands: deque[tuple[Step, bytes]] = deque()
        self._current: _Current | None = None
        self._handed: Envelope | None = None  # its content was written
        self._dot_at = 0
        self._needs_reset = False

    @property
    def is_busy(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._expected)

    @property
    def is_ready(self) -> bool:
        """Whether a mail may begin: at rest, or (pipelining) behind a content whose answer is still to come."""
        return not self.ended and self._current is None and (self._pipelining or not self._expected)

    def begin(self, mail: Envelope) -> None:
        """Hand `mail` over. Only when `is_ready`."""
        self._current = _Current(mail)
        if self._needs_reset:
            self._commands.append((Step.RESET, b"RSET\r\n"))
            self._needs_reset = False
        self._commands.append((Step.MAIL, f"MAIL FROM:<{mail.sender}>\r\n".encode("ascii")))
        self._commands.append((Step.RCPT, f"RCPT TO:<{mail.recipient}>\r\n".encode("ascii")))
        self._commands.append((Step.DATA, b"DATA\r\n"))
        self._say_on()

    def receive(self, data: bytes) -> list[Answer]:
        """Take what the server said; the mails that it settled, in order."""
        self._inbox += data
        answers: list[Answer] = []
        while not self.ended and (end := self._inbox.find(b"\n")) >= 0:
            line = bytes(self._inbox[:end]).rstrip(b"\r")
            del self._inbox[: end + 1]
            self._take_line(line, answers.append)
        if len(self._inbox) > _LONGEST_LINE:
            self.ended = "CONNECTION_LOST"
        self.settled += len(answers)
        return answers

    def leftover(self) -> list[tuple[Envelope, bool]]:
        """When the connection is gone: the mails not settled, in order, each with whether it may have been taken."""
        left = []
        if self._handed is not None:
            left.append((self._handed, self.handed_out >= self._dot_at and self.ended != "THROTTLED"))
        if self._current is not None:
            left.append((self._current.mail, False))
        return left

    def _say_on(self) -> None:
        """Put commands out: all there are with pipelining, else the next one when nothing is awaited."""
        while self._commands and (self._pipelining or not self._expected):
            step, line = self._commands.popleft()
            self._expected.append(step)
            self._put(line)

    def _put(self, data: bytes) -> None:
        self.out += data
        self.put_out += len(data)

    def _take_line(self, line: bytes, settle: Callable[[Answer], None]) -> None:
        if len(line) < 3 or not line[:3].isdigit() or line[3:4] not in (b"", b" ", b"-"):
            self.ended = "CONNECTION_LOST"
            return
        if len(self._lines) < _ANSWER_LINES:
            self._lines.append(line[4:])
        if line[3:4] == b"-":
            return
        text, self._lines = b"\n".join(self._lines), []
        code = int(line[:3])
        if code == _CLOSING:
            self.ended = "THROTTLED"
        elif not self._expected or code // 100 not in (2, 3, 4, 5):
            self.ended = "CONNECTION_LOST"
        else:
            self._take_answer(self._expected.popleft(), code, text, settle)
            self._say_on()

    def _take_answer(self, step: Step, code: int, text: bytes, settle: Callable[[Answer], None]) -> None:
        if code // 100 == 3 and step is not Step.DATA:
            self.ended = "CONNECTION_LOST"
        elif step is Step.CONTENT:
            assert self._handed is not None
            settle(Answer(self._handed, step, code, text))
            self._handed = None
        elif step is Step.DATA:
            self._take_data_answer(code, text, settle)
        elif step in (Step.RESET, Step.EMPTY):
            if step is Step.RESET and code // 100 != 2:
                self.ended = "CONNECTION_LOST"
        elif code // 100 != 2:
            self._refuse(step, code, text, settle)

    def _refuse(self, step: Step, code: int, text: bytes, settle: Callable[[Answer], None]) -> None:
        """MAIL or RCPT was refused. With pipelining the answers to the rest of its group are still to come."""
        assert self._current is not None
        if self._current.refused is None:
            self._current.refused = Answer(self._current.mail, step, code, text)
        if not self._pipelining:
            self._commands.clear()
            self._end_current(settle)

    def _take_data_answer(self, code: int, text: bytes, settle: Callable[[Answer], None]) -> None:
        assert self._current is not None
        mail, refused = self._current.mail, self._current.refused
        if code != _GO_AHEAD:
            if code // 100 in (2, 3):
                self.ended = "CONNECTION_LOST"
                return
            self._current.refused = refused or Answer(mail, Step.DATA, code, text)
            self._end_current(settle)
        elif refused is None:
            self._put(mail.content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            self._handed, self._dot_at, self._current = mail, self.put_out, None
            self._expected.append(Step.CONTENT)
        elif (
            refused.step is Step.RCPT
        ):  # RFC 2920, 3.1: an empty mail to nobody, which the server then refuses
            self._put(b".\r\n")
            self._expected.append(Step.EMPTY)
            self._end_current(settle)
        else:
            self._end_current(settle)
            self.ended = "CONNECTION_LOST"  # a server that takes a mail whose sender it refused: leave it

    def _end_current(self, settle: Callable[[Answer], None]) -> None:
        assert self._current is not None and self._current.refused is not None
        settle(self._current.refused)
        self._current = None
        self._needs_reset = True
