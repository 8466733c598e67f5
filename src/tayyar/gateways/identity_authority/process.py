"""The local authority as a process of its own: `python -m tayyar.gateways.identity_authority.process`."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tayyar.core.errors import UserError
from tayyar.gateways.identity_authority import HOST
from tayyar.gateways.identity_authority.faults import Faults

PORT = 8040
_KEY = "TAYYAR_LOCAL_AUTHORITY_KEY"  # not an argument: those are shown to everybody on the machine


@dataclass(frozen=True, slots=True)
class IdentityPeerProcess:
    """A running local authority: where it listens, and what it tells."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://{HOST}:{self.port}"

    def set_faults(self, faults: Faults) -> None:
        """From the next request on it behaves like this."""
        body = json.dumps(asdict(faults)).encode()
        request = urllib.request.Request(f"{self.url}/faults", body, method="PUT")  # noqa: S310
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - our own address
            pass

    def stats(self) -> dict[str, int]:
        """Requests by what became of them; see server.IdentityPeer."""
        with urllib.request.urlopen(f"{self.url}/stats", timeout=5) as answer:  # noqa: S310
            return dict(json.load(answer))

    def stop(self) -> None:
        """End it and wait for its end."""
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def running(
    *, key: str, country: str, port: int = PORT, faults: Faults | None = None, known: Path | None = None
) -> Iterator[IdentityPeerProcess]:
    """A local authority for the length of the block; `port` 0 takes any free one, `known` names the file of the
    demo's people. UserError when it cannot listen."""
    told = json.dumps(asdict(faults or Faults()))
    command = [sys.executable, "-m", "tayyar.gateways.identity_authority.process"]
    command += ["--port", str(port), "--country", country, "--faults", told]
    process = subprocess.Popen(
        [*command, *(["--known", str(known)] if known else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, _KEY: key},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening "):
        process.wait()
        raise UserError(line.strip() or "The local authority ended before it listened.")
    peer = IdentityPeerProcess(process, int(line.split()[1]))
    try:
        yield peer
    finally:
        peer.stop()


def main() -> int:
    """Listen until told to end (SIGTERM, SIGINT)."""
    parser = argparse.ArgumentParser(description=f"A local identity authority on {HOST}.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--country", default="sa", help="the profile whose people it makes up")
    parser.add_argument("--faults", type=json.loads, default={}, help="the fields of Faults as JSON")
    parser.add_argument("--known", type=Path, help="a JSON file of people: number -> name, phone")
    arguments = parser.parse_args()
    _set_up()
    from tayyar.gateways.identity_authority.server import IdentityPeer, read_known

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    known = read_known(arguments.known) if arguments.known else {}
    try:
        with IdentityPeer(
            key=os.environ[_KEY],
            country=arguments.country,
            port=arguments.port,
            faults=Faults(**arguments.faults),
            known=known,
        ) as peer:
            print("listening", peer.port, flush=True)
            ended.wait()
    except UserError as error:
        print(error, flush=True)
        return 2
    return 0


def _set_up() -> None:
    """Django's settings: the types of documents stand in a model. No database is asked."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tayyar.config.settings")
    django.setup()


if __name__ == "__main__":
    sys.exit(main())
