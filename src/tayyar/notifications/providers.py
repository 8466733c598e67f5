"""Which providers this installation uses: one YAML file, checked when it is read. Never holds a connection.

Each entry names a provider of one channel, its weight beside the others of that channel, how fast it permits us to
be, and what its gateway needs to know (`options`, checked by the gateway). Next: config/wiring.py builds gateways.
"""

import functools
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir
from tayyar.customers.models import Channel

_CODE = re.compile(r"[a-z][a-z0-9-]{0,29}")
_FIELDS = {"code", "channel", "gateway", "weight", "permitted_per_second", "cost_micro", "options"}
_ENVIRONMENT = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider. `permitted_per_second` counts messages (SMS: segments); None: as fast as it takes them.
    `cost_micro` is the price of one (SMS: of a segment), in millionths of the currency's major unit."""

    code: str
    channel: Channel
    gateway: str
    weight: int = 100
    permitted_per_second: int | None = None
    cost_micro: int = 0
    options: dict[str, Any] = field(default_factory=dict)


def read_providers(path: Path) -> list[ProviderConfig]:
    """The providers in `path`. `${NAME}` in an option is replaced by that environment variable, so that secrets stay
    out of the file. UserError says what is wrong and where."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"The providers' file {path} cannot be read: {error}") from None
    if not isinstance(raw, list) or not raw:
        raise UserError(f"{path} must be a list of providers, each with code, channel and gateway.")
    found = [_provider(entry, path) for entry in raw]
    codes = [provider.code for provider in found]
    if len(set(codes)) < len(codes):
        raise UserError(f"{path} names a provider twice: {', '.join(sorted(codes))}.")
    return found


def _provider(entry: Any, path: Path) -> ProviderConfig:
    if not isinstance(entry, dict) or not {"code", "channel", "gateway"} <= entry.keys():
        raise UserError(f"{path}: every provider has a code, a channel and a gateway; one has not.")
    code = str(entry["code"])
    if unknown := set(entry) - _FIELDS:
        raise UserError(f"{path}, {code}: {', '.join(sorted(map(str, unknown)))} is not known.")
    if not _CODE.fullmatch(code):
        raise UserError(f"{path}: the code {code!r} may hold a-z, 0-9 and -, up to 30 letters.")
    if entry["channel"] not in Channel.names:
        raise UserError(f"{path}, {code}: the channel is one of {', '.join(Channel.names)}.")
    weight, permitted = entry.get("weight", 100), entry.get("permitted_per_second")
    cost = entry.get("cost_micro", 0)
    if not _whole(weight, 0, 100):
        raise UserError(f"{path}, {code}: weight is 0 to 100.")
    if permitted is not None and not _whole(permitted, 1, 1_000_000):
        raise UserError(f"{path}, {code}: permitted_per_second is 1 or more, or left out.")
    if not _whole(cost, 0, 10**12):
        raise UserError(f"{path}, {code}: cost_micro is a whole number, millionths of the currency.")
    options = entry.get("options", {})
    if not isinstance(options, dict):
        raise UserError(f"{path}, {code}: options are names with values.")
    return ProviderConfig(
        code=code,
        channel=Channel[entry["channel"]],
        gateway=str(entry["gateway"]),
        weight=weight,
        permitted_per_second=permitted,
        cost_micro=cost,
        options={str(name): _filled(value, path, code) for name, value in options.items()},
    )


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _filled(value: Any, path: Path, code: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, path, code) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, path, code) for inner in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UserError(f"{path}, {code}: the environment variable {match[1]} is not set.")
        return os.environ[match[1]]

    return _ENVIRONMENT.sub(variable, value)


def providers_file() -> Path:
    """Where this installation names its providers: TAYYAR_PROVIDERS, else providers.yaml in the data folder."""
    return Path(os.environ.get("TAYYAR_PROVIDERS") or data_dir() / "providers.yaml")


def configured() -> dict[str, ProviderConfig]:
    """The providers of this installation by code; UserError when there is no file or it is wrong."""
    path = providers_file()
    if not path.exists():
        raise UserError(
            f"No providers are named yet: {path} is missing. docs/delivery.md shows one; for a try on this machine, "
            "`tayyar simulate providers` starts simulated ones and writes it."
        )
    return {provider.code: provider for provider in _read(path, path.stat().st_mtime_ns)}


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> tuple[ProviderConfig, ...]:
    return tuple(read_providers(path))
