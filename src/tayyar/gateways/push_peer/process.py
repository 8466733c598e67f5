"""The simulated push service as a process of its own: `python -m tayyar.gateways.push_peer.process`."""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tayyar.core.errors import UserError
from tayyar.gateways.push_peer.faults import Faults
from tayyar.gateways.push_peer.server import HOST, PushPeer

PORT = 8030


@dataclass(frozen=True, slots=True)
class PushPeerProcess:
    """A running push service: where it listens, and what it tells."""

    process: subprocess.Popen[str]
    port: int

    def set_faults(self, faults: Faults) -> None:
        """From the next post on it behaves like this."""
        body = json.dumps(asdict(faults)).encode()
        request = urllib.request.Request(f"http://{HOST}:{self.port}/faults", body, method="PUT")
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - our own address
            pass

    def stats(self) -> dict[str, int]:
        """Posts by what became of them; see server.PushPeer."""
        return dict(self._told("stats"))

    def messages(self) -> list[dict[str, Any]]:
        """The last messages it took, as the browsers opened them."""
        return list(self._told("messages"))

    def _told(self, what: str) -> Any:
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/{what}", timeout=5) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End it and wait for its end."""
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def running(*, port: int = PORT, faults: Faults | None = None) -> Iterator[PushPeerProcess]:
    """A push service for the length of the block; `port` 0 takes any free one. UserError when it cannot listen."""
    told = json.dumps(asdict(faults or Faults()))
    process = subprocess.Popen(
        [sys.executable, "-m", "tayyar.gateways.push_peer.process", "--port", str(port), "--faults", told],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening "):
        process.wait()
        raise UserError(line.strip() or "The push service ended before it listened.")
    peer = PushPeerProcess(process, int(line.split()[1]))
    try:
        yield peer
    finally:
        peer.stop()


def main() -> int:
    """Listen until told to end (SIGTERM, SIGINT)."""
    parser = argparse.ArgumentParser(description=f"A simulated web push service on {HOST}.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--faults", type=json.loads, default={}, help="the fields of Faults as JSON")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with PushPeer(port=arguments.port, faults=Faults(**arguments.faults)) as peer:
            print("listening", peer.port, flush=True)
            ended.wait()
    except UserError as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
