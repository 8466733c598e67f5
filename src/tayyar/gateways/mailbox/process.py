"""The mailbox as a process of its own: `python -m tayyar.gateways.mailbox.process`, and a way to start it."""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir
from tayyar.gateways.mailbox.server import HOST, Faults, Mailbox


@dataclass(frozen=True, slots=True)
class MailboxProcess:
    """A running mailbox: where it listens and stores."""

    process: subprocess.Popen[str]
    folder: Path
    port: int

    @property
    def bounces(self) -> Path:
        """The Maildir to which it returns bounces and complaints."""
        return self.folder / "bounces"

    def stop(self) -> None:
        """End it and wait for its end."""
        self.process.terminate()
        self.process.wait()


def default_folder() -> Path:
    """The Maildir inside the data folder."""
    return data_dir() / "mailbox"


def start(*, port: int, folder: Path | None = None, faults: Faults | None = None) -> MailboxProcess:
    """Start a mailbox and return once it listens. `port` 0 takes any free one. UserError when it cannot."""
    folder = folder or default_folder()
    knobs = json.dumps(asdict(faults or Faults()))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tayyar.gateways.mailbox.process"),
            *("--folder", folder, "--port", str(port), "--faults", knobs),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening "):
        process.wait()
        raise UserError(line.strip() or "The mailbox ended before it listened.")
    return MailboxProcess(process, folder, int(line.split()[1]))


@contextlib.contextmanager
def running(
    *, port: int, folder: Path | None = None, faults: Faults | None = None
) -> Iterator[MailboxProcess]:
    """A mailbox process for the length of the block."""
    mailbox = start(port=port, folder=folder, faults=faults)
    try:
        yield mailbox
    finally:
        mailbox.stop()


def main() -> int:
    """Listen until told to end (SIGTERM, SIGINT)."""
    parser = argparse.ArgumentParser(
        description=f"A local SMTP server on {HOST} that keeps every mail as a file."
    )
    parser.add_argument("--folder", type=Path, default=default_folder())
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument(
        "--faults", type=_faults, default=Faults(), help='what goes wrong: {"bounce": "7@", ...}'
    )
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with Mailbox(arguments.folder, port=arguments.port, faults=arguments.faults) as mailbox:
            print("listening", mailbox.port, flush=True)
            ended.wait()
    except UserError as error:
        print(error, flush=True)
        return 2
    return 0


def _faults(text: str) -> Faults:
    return Faults(**json.loads(text))


if __name__ == "__main__":
    sys.exit(main())
