"""A simulated provider as a process of its own, and the way to start, steer and stop it."""

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir
from tayyar.gateways.http_peer.faults import Faults, read_faults
from tayyar.gateways.http_peer.peer import HOST, Peer


@dataclass(frozen=True, slots=True)
class PeerProcess:
    """A running provider: where it listens and what it writes."""

    process: subprocess.Popen[str]
    log: Path
    port: int

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def set_faults(self, faults: Faults) -> None:
        """From the next message on it behaves like this."""
        body = json.dumps(faults.as_dict()).encode()
        request = urllib.request.Request(f"{self.url}/faults", body, method="PUT")  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass

    def stats(self) -> dict[str, int]:
        """What it counted: requests, taken, units, refused, throttled, lost, most_in_a_second (units),
        receipts_told, receipts_waiting; what never happened is left out."""
        with urllib.request.urlopen(f"{self.url}/stats", timeout=10) as answer:  # noqa: S310
            counts: dict[str, int] = json.load(answer)
        return counts

    def stop(self) -> None:
        """End it and wait for its end."""
        self.process.terminate()
        self.process.wait()


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """Every request it was handed, in order: at, status (0: left without an answer), error, to, key, units, ..."""
    if path.exists():
        with path.open() as lines:
            for line in lines:
                yield json.loads(line)


@contextlib.contextmanager
def running(
    module: str, *, port: int, log: Path, callback_url: str, faults: Faults, more: list[str]
) -> Iterator[PeerProcess]:
    """The provider that `module` is, for the length of the block. `port` 0 takes any free one."""
    command = [sys.executable, "-m", module, "--port", str(port), "--log", str(log), *more]
    command += ["--callback-url", callback_url, "--faults", json.dumps(faults.as_dict())]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening "):
        process.wait()
        raise UserError(line.strip() or "The simulated provider ended before it listened.")
    peer = PeerProcess(process, log, int(line.split()[1]))
    try:
        yield peer
    finally:
        peer.stop()


def parser(description: str, *, port: int, log: str) -> argparse.ArgumentParser:
    """The arguments that every simulated provider has; `log` is its name in the data folder."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--port", type=int, default=port)
    arguments.add_argument("--log", type=Path, default=data_dir() / log)
    arguments.add_argument("--callback-url", default="", help="where receipts go; none without it")
    arguments.add_argument("--faults", default="{}", help='JSON such as {"error_share": 0.1}')
    return arguments


def serve(arguments: argparse.Namespace, make: Callable[[Faults], Peer]) -> int:
    """Listen until told to end (SIGTERM, SIGINT)."""
    try:
        faults = read_faults(json.loads(arguments.faults))
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        asyncio.run(_serve(arguments.port, make(faults)))
    except (UserError, ValueError) as error:
        print(error, flush=True)
        return 2
    return 0


async def _serve(port: int, peer: Peer) -> None:
    runner = web.AppRunner(peer.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise UserError(
            f"The simulated provider cannot listen on {HOST}:{port} ({error.strerror}). "
            "Stop what uses that port, or choose another."
        ) from None
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print("listening", runner.addresses[0][1], flush=True)
    await ended.wait()
    await runner.cleanup()
