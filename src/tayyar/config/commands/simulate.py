"""`tayyar simulate`: the outside world on this machine, for a try, the demo and the tests."""

import argparse
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tayyar.core.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from tayyar.gateways.simulated import Simulated

_LOOK_EVERY_SECONDS = 1.0
_LINE_EVERY_SECONDS = 5.0


class _Listing(argparse.ArgumentParser):
    """Lists the faults in its help; read only then, as that means to load every provider."""

    def format_help(self) -> str:
        """The help with the faults below it."""
        self.epilog = fault_list()
        return super().format_help()


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    parser = sub.add_parser(
        "simulate",
        help="run simulated SMS, mail, WhatsApp and push providers and an identity authority on this machine",
        description="The outside world on this machine.",
    )
    inner = parser.add_subparsers(
        title="what", metavar="WHAT", required=True, parser_class=_Listing, prog="tayyar simulate"
    )
    providers = inner.add_parser(
        "providers",
        help="start the simulated providers and write the files that point at them",
        description="Start simulated providers and a local identity authority at 127.0.0.1, write a providers' file "
        "and an authorities' file that point at them, and show what they count until stopped (Ctrl-C). They reach "
        "nobody.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    providers.add_argument(
        "--port", action="append", default=[], metavar="NAME=N", help="where one listens, such as push=8031"
    )
    providers.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME:FAULT=VALUE",
        help="what one does wrong, such as whatsapp:hang_share=0.01; may be given often",
    )
    providers.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="the providers' file (default: the one that deliver and worker read); authorities.yaml goes beside it",
    )
    providers.add_argument(
        "--profile", default="sa", metavar="CODE", help="whose people the authority makes up (default sa)"
    )
    providers.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start them and show what they count until stopped."""
    _set_up()
    from django.conf import settings

    from tayyar.config.authorities import FILE_NAME, authorities_file
    from tayyar.core.paths import data_dir
    from tayyar.gateways.simulated import PEERS, simulated_providers
    from tayyar.notifications.providers import providers_file
    from tayyar.profiles import load

    ports, faults = read_ports(arguments.port), read_faults(arguments.fault)
    country = load(arguments.profile).code
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with simulated_providers(
            data_dir() / "simulated",
            site_url=settings.SITE_URL,
            ports=ports,
            faults=faults,
            write=arguments.write or providers_file(),
            write_authorities=arguments.write.parent / FILE_NAME if arguments.write else authorities_file(),
            country=country,
        ) as simulated:
            for name, port in simulated.ports.items():
                print(f"{name:<11} 127.0.0.1:{port:<6} {PEERS[name].what}")
            print(
                f"\nThey stand in {simulated.providers_file} and {simulated.authorities_file}. Stop with Ctrl-C.",
                flush=True,
            )
            try:
                _show(simulated)
            except KeyboardInterrupt:
                print("\nStopped.")
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def read_ports(given: Sequence[str]) -> dict[str, int]:
    """["push=8031"] -> {"push": 8031}. UserError says what is wrong."""
    ports = {}
    for text in given:
        name, _, port = text.partition("=")
        _known(name)
        if not port.isdigit() or int(port) > 65_535:
            raise UserError(f"--port {text}: write a name and a port, such as push=8031.")
        ports[name] = int(port)
    return ports


def read_faults(given: Sequence[str]) -> dict[str, Any]:
    """["whatsapp:hang_share=0.01", ...] -> the Faults of each named provider. A share may leave out `_share`."""
    from tayyar.gateways.simulated import PEERS

    found: dict[str, dict[str, Any]] = {}
    for text in given:
        name, _, rest = text.partition(":")
        fault, is_set, value = rest.partition("=")
        _known(name)
        knobs = {knob.name: knob.type for knob in dataclasses.fields(PEERS[name].faults)}
        fault = fault if fault in knobs else f"{fault}_share"
        if not is_set or fault not in knobs:
            raise UserError(
                f"--fault {text}: {name} can do {', '.join(knobs)}; write {name}:{next(iter(knobs))}=VALUE."
            )
        found.setdefault(name, {})[fault] = read = _value(value, knobs[fault], text)
        if fault.endswith("_share") and not 0 <= read <= 1:
            raise UserError(f"--fault {text}: a share is from 0 to 1.")
    return {name: PEERS[name].faults(**values) for name, values in found.items()}


def _value(text: str, kind: Any, given: str) -> Any:
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        raise UserError(f"--fault {given}: write true or false.")
    try:
        return kind(text) if kind is not int else int(text, 0)
    except ValueError:
        raise UserError(f"--fault {given}: {text!r} is no number.") from None


def _known(name: str) -> None:
    from tayyar.gateways.simulated import PEERS

    if name not in PEERS:
        raise UserError(f"There is no simulated provider {name!r}. There are {', '.join(PEERS)}.")


def fault_list() -> str:
    """Every fault of every provider with its usual value, for the help."""
    _set_up()
    from tayyar.gateways.simulated import PEERS

    lines = []
    for peer in PEERS.values():
        lines.append(f"faults of {peer.name}, {peer.what} (port {peer.port}):")
        for knob in dataclasses.fields(peer.faults):
            usual = f'"{knob.default}"' if isinstance(knob.default, str) else knob.default
            lines.append(f"  {peer.name}:{knob.name}={usual}")
    return "\n".join(lines)


def _set_up() -> None:
    """Django's settings and models, without a database: no provider needs one."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tayyar.config.settings")
    django.setup()


def _show(simulated: "Simulated") -> None:
    """Counts until interrupted: a table that moves on a terminal, elsewhere a line whenever something happened."""
    if sys.stdout.isatty():
        from rich.live import Live

        with Live(_table({}), auto_refresh=False) as live:
            while True:
                live.update(_table(simulated.stats()), refresh=True)
                time.sleep(_LOOK_EVERY_SECONDS)
    shown = simulated.stats()
    while True:
        time.sleep(_LINE_EVERY_SECONDS)
        counts = simulated.stats()
        for name, told in counts.items():
            if told != shown[name]:
                print(f"{name}: {_sentence(told)}", flush=True)
        shown = counts


def _table(counts: Mapping[str, Mapping[str, int]]) -> "Table":
    from rich.table import Table

    table = Table()
    table.add_column("provider")
    table.add_column("taken", justify="right")
    table.add_column("and")
    for name, told in counts.items():
        rest = {what: count for what, count in told.items() if what != "taken"}
        table.add_row(name, f"{told['taken']:,}", _sentence(rest))
    return table


def _sentence(told: Mapping[str, int]) -> str:
    """ "taken 1,204, throttled 3"."""
    return ", ".join(f"{what.replace('_', ' ')} {count:,}" for what, count in told.items())
