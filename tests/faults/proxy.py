"""A Unix-socket proxy before PostgreSQL that knows the wire protocol well enough to strike at an exact request.

It sees each request of each process, may run an action just before or after forwarding it, and may cut the
connection: before the request is sent, right after it, or when the answer has come but was not handed on. For the
client the three look the same: that is commit-unknown. It changes no byte that it forwards.
"""

import contextlib
import io
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# What a request is, by its text; the first pattern that is found names it. COMMIT is looked at apart.
POINTS = {
    "plan": r"INSERT INTO billing_billrun\b|INSERT INTO billing_billrunchunk",
    "claim": r"SET state = 'LEASED'",
    "count": r"SET counted =",
    "copy": r"COPY billing_bill .*FROM STDIN",
    "done": r"SET state = 'DONE'",
    "index": r"CREATE (UNIQUE )?INDEX",
    "certify": r"SET state = 'CERTIFIED'",
    "release": r"INSERT INTO notifications_messagebatch",
}
_PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in POINTS.items()}
UNSENT, SENT, ANSWERED = "before it is sent", "right after it is sent", "when it was answered"


@dataclass(frozen=True)
class Request:
    """One request on its way. `pid` is the client process, `backend_pid` the server's."""

    point: str
    pid: int
    backend_pid: int


@dataclass
class Trap:
    """Strikes once, at the next request that is one of `points`. `act` runs before forwarding, or after."""

    points: frozenset[str]
    act: Callable[[Request], None] | None = None
    after: bool = False
    cut: str | None = None
    sprung: threading.Event = field(default_factory=threading.Event)
    request: Request | None = None


class Proxy:
    """Listens in `folder` as PostgreSQL would, and forwards to the server's socket in `server_folder`."""

    def __init__(self, folder: Path, server_folder: Path, port: int) -> None:
        name = f".s.PGSQL.{port}"
        self.server = str(server_folder / name)
        self._lock = threading.Lock()
        self._trap: Trap | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / name))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def set_trap(self, trap: Trap | None) -> None:
        """The one trap in force; None takes it away."""
        with self._lock:
            self._trap = trap

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def take(self, request: Request) -> Trap | None:
        """The trap, when it is meant for this request; it is spent then."""
        with self._lock:
            trap = self._trap
            if trap is None or request.point not in trap.points:
                return None
            self._trap, trap.request = None, request
            return trap

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_Link(self, client).run, daemon=True).start()


class _Link:
    """One client's connection."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self.proxy, self.client = proxy, client
        self.server = socket.socket(socket.AF_UNIX)
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.pid = int(struct.unpack("3i", credentials)[0])
        self.backend_pid = 0
        self.withhold = False
        self.in_chunk = False

    def run(self) -> None:
        """Pump until either side ends."""
        try:
            self.server.connect(self.proxy.server)
        except OSError:
            self.client.close()
            return
        threading.Thread(target=self._answers, daemon=True).start()
        with contextlib.suppress(OSError, ValueError, EOFError):
            self._requests()
        self._cut()

    def _requests(self) -> None:
        source = self.client.makefile("rb")
        length = _read(source, 4)
        self.server.sendall(length + _read(source, struct.unpack(">i", length)[0] - 4))
        parsed = ""
        while True:
            head = _read(source, 5)
            body = _read(source, struct.unpack(">i", head[1:])[0] - 4)
            kind = head[:1]
            if kind == b"P":
                parsed = body.split(b"\0")[1].decode(errors="replace")
            if kind not in (b"Q", b"S"):
                self.server.sendall(head + body)
                continue
            text = body[:-1].decode(errors="replace") if kind == b"Q" else parsed
            if self._request(self._point(text), head + body):
                return

    def _point(self, text: str) -> str:
        if text.startswith("COMMIT"):
            ended, self.in_chunk = self.in_chunk, False
            return "commit chunk" if ended else "commit"
        point = next((name for name, pattern in _PATTERNS.items() if pattern.search(text)), "other")
        self.in_chunk = point in ("copy", "done") or (
            self.in_chunk and not text.startswith(("BEGIN", "ROLLBACK"))
        )
        return point

    def _request(self, point: str, message: bytes) -> bool:
        """Forward one request, striking when a trap waits for it. True when the connection is cut."""
        request = Request(point, self.pid, self.backend_pid)
        trap = self.proxy.take(request)
        if trap is None:
            self.server.sendall(message)
            return False
        try:
            if trap.act and not trap.after:
                trap.act(request)
            if trap.cut == UNSENT:
                return True
            self.withhold = trap.cut == ANSWERED
            self.server.sendall(message)
            if trap.act and trap.after:
                trap.act(request)
            return trap.cut == SENT
        finally:
            trap.sprung.set()

    def _answers(self) -> None:
        """Server to client. Reads message heads only, to learn the backend's number and when an answer ends."""
        head, left = b"", 0
        with contextlib.suppress(OSError):
            while data := self.server.recv(1 << 16):
                at = 0
                while at < len(data):
                    if left:
                        step = min(left, len(data) - at)
                        at, left = at + step, left - step
                        continue
                    step = min(9 - len(head) if head[:1] in b"K" and head else 5 - len(head), len(data) - at)
                    head, at = head + data[at : at + step], at + step
                    if len(head) < 5 or (head[:1] == b"K" and len(head) < 9):
                        continue
                    left = struct.unpack(">i", head[1:5])[0] - (len(head) - 1)
                    if head[:1] == b"K":
                        self.backend_pid = struct.unpack(">i", head[5:9])[0]
                    elif head[:1] == b"Z" and self.withhold:
                        self._cut()
                        return
                    head = b""
                if not self.withhold:
                    self.client.sendall(data)
        self._cut()

    def _cut(self) -> None:
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


def _read(source: io.BufferedReader, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data
