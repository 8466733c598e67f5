"""The SMSC as a process of its own: `python -m tayyar.gateways.smsc.process`, and a way to start and ask it."""

import argparse
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tayyar.core.errors import UserError
from tayyar.gateways.smsc.faults import Faults
from tayyar.gateways.smsc.server import HOST, Smsc


@dataclass(frozen=True, slots=True)
class SmscProcess:
    """A running SMSC: where it listens and where it can be asked."""

    process: subprocess.Popen[str]
    port: int
    control_port: int

    def stats(self) -> dict[str, Any]:
        """See Smsc.stats."""
        return self._ask("")

    def set_faults(self, faults: Faults) -> None:
        """From now on it does these wrong, and no others."""
        self._ask(faults.to_json())

    def stop(self) -> None:
        """End it and wait for its end."""
        self.process.terminate()
        self.process.wait()

    def _ask(self, line: str) -> dict[str, Any]:
        with socket.create_connection((HOST, self.control_port), timeout=30) as connection:
            connection.sendall(line.encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        if "error" in answer:
            raise UserError(answer["error"])
        return dict(answer)


def start(*, port: int, faults: Faults | None = None, log: Path | None = None) -> SmscProcess:
    """Start an SMSC and return once it listens. `port` 0 takes any free one. UserError when it cannot."""
    command = [sys.executable, "-m", "tayyar.gateways.smsc.process", "--port", str(port)]
    command += ["--faults", (faults or Faults()).to_json()]
    if log is not None:
        command += ["--log", str(log)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening "):
        process.wait()
        raise UserError(line.strip() or "The SMSC ended before it listened.")
    _, given, control = line.split()
    return SmscProcess(process, int(given), int(control))


@contextlib.contextmanager
def running(*, port: int, faults: Faults | None = None, log: Path | None = None) -> Iterator[SmscProcess]:
    """An SMSC process for the length of the block."""
    smsc = start(port=port, faults=faults, log=log)
    try:
        yield smsc
    finally:
        smsc.stop()


def main() -> int:
    """Listen until told to end (SIGTERM, SIGINT)."""
    parser = argparse.ArgumentParser(description=f"A local SMSC on {HOST} that speaks SMPP 3.4.")
    parser.add_argument("--port", type=int, default=2775)
    parser.add_argument("--faults", default="{}", help='as JSON, such as {"throttle_every": 10}')
    parser.add_argument("--log", type=Path, help="a file to which each message is written as a line of JSON")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        faults = Faults.from_json(arguments.faults)
        with Smsc(port=arguments.port, faults=faults, log=arguments.log) as smsc:
            print("listening", smsc.port, smsc.control_port, flush=True)
            ended.wait()
    except UserError as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
