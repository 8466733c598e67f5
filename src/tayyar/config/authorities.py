"""Which authorities this installation asks: one YAML file, else the profile's list; and the adapters built from it.

Owns the reading of `authorities.yaml` and the choice of adapter. Never asks an authority anything. Next: apps.py gives
`configured` to identity/authorities.py, which every face goes through.
"""

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tayyar.config.sealed import opened_secret
from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir
from tayyar.gateways.authority.entry import AuthorityEntry
from tayyar.gateways.houwiyeti import client as houwiyeti
from tayyar.gateways.identity_authority import client as local
from tayyar.gateways.nafath import client as nafath
from tayyar.gateways.national_address import client as national_address
from tayyar.gateways.oidc import client as oidc
from tayyar.identity.authorities import Authorities
from tayyar.identity.models import IdType
from tayyar.identity.ports import AddressAuthority, IdentityAuthority
from tayyar.profiles.installation import installed_profile

IDENTITY: dict[str, Callable[[AuthorityEntry], IdentityAuthority]] = {
    "NAFATH": nafath.build,
    "OIDC": oidc.build,
    "HOUWIYETI": houwiyeti.build,
    "LOCAL": local.build,
}
ADDRESS: dict[str, Callable[[AuthorityEntry], AddressAuthority]] = {
    "NATIONAL_ADDRESS": national_address.build,
    "LOCAL": local.build,
}
FILE_NAME = "authorities.yaml"
_CODE = re.compile(r"[a-z][a-z0-9-]{0,29}")
_ENVIRONMENT = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class _NotSet(Exception):
    """An environment variable that an entry names is not set."""


def configured() -> Authorities:
    """The authorities of this installation. UserError says what is wrong with its file.

    Without a file it is the profile's list, of which an entry counts once the environment variables it names are set.
    """
    path = authorities_file()
    is_own = path.exists()
    if not is_own:
        path = installed_profile().folder / FILE_NAME
        if not path.exists():
            return Authorities()
    return _read(path, path.stat().st_mtime_ns, is_own)


def authorities_file() -> Path:
    """Where an installation names its authorities: TAYYAR_AUTHORITIES, else authorities.yaml in the data folder."""
    return Path(os.environ.get("TAYYAR_AUTHORITIES") or data_dir() / FILE_NAME)


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int, must_be_whole: bool) -> Authorities:
    """Built once for each state of the file, so that adapters keep what they learn."""
    return read_authorities(path, must_be_whole=must_be_whole)


def read_authorities(path: Path, *, must_be_whole: bool) -> Authorities:
    """The authorities in `path`. Where it need not be whole, entries that name unset variables are left out."""
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"The authorities' file {path} cannot be read: {error}") from None
    if not isinstance(raw, dict) or not raw.keys() <= {"identity", "address"}:
        raise UserError(f"{path} holds a list under identity and one entry under address, and nothing else.")
    listed = raw.get("identity") or []
    if not isinstance(listed, list):
        raise UserError(f"{path}: identity is a list of authorities.")
    entries = [_entry(one, path, must_be_whole, is_identity=True) for one in listed]
    codes = [entry.code for entry in entries if entry is not None]
    if len(set(codes)) < len(codes):
        raise UserError(f"{path} names an authority twice: {', '.join(sorted(codes))}.")
    address = raw.get("address")
    home = _entry(address, path, must_be_whole, is_identity=False) if address is not None else None
    return Authorities(
        identity=tuple(IDENTITY[entry.gateway](entry) for entry in entries if entry is not None),
        address=ADDRESS[home.gateway](home) if home is not None else None,
    )


def _entry(raw: Any, path: Path, must_be_whole: bool, *, is_identity: bool) -> AuthorityEntry | None:
    needed = {"code", "gateway"} | ({"id_types"} if is_identity else set())
    if not isinstance(raw, dict) or not needed <= raw.keys() <= needed | {"options"}:
        raise UserError(
            f"{path}: an authority has {', '.join(sorted(needed))} and options; one has less or more."
        )
    code, known = str(raw["code"]), IDENTITY if is_identity else ADDRESS
    if not _CODE.fullmatch(code):
        raise UserError(f"{path}: the code {code!r} may hold a-z, 0-9 and -, up to 30 letters.")
    if raw["gateway"] not in known:
        raise UserError(f"{path}, {code}: the gateway is one of {', '.join(known)}.")
    types = raw.get("id_types", [])
    if is_identity and (not isinstance(types, list) or not types or not set(types) <= set(IdType.values)):
        raise UserError(f"{path}, {code}: id_types lists some of {', '.join(IdType.values)}.")
    options = raw.get("options") or {}
    if not isinstance(options, dict):
        raise UserError(f"{path}, {code}: options are names with values.")
    try:
        filled = {str(name): _filled(value, path, code) for name, value in options.items()}
    except _NotSet as error:
        if must_be_whole:
            raise UserError(f"{path}, {code}: the environment variable {error} is not set.") from None
        return None
    return AuthorityEntry(code, raw["gateway"], frozenset(map(IdType, types)), filled)


def _filled(value: Any, path: Path, code: str) -> Any:
    """An option with its secrets: ${NAME} is that environment variable, {sealed: ...} what `tayyar keys seal` gave."""
    if isinstance(value, dict) and set(value) == {"sealed"}:
        try:
            return opened_secret(str(value["sealed"]))
        except UserError as error:
            raise UserError(f"{path}, {code}: {error}") from None
    if isinstance(value, dict):
        return {name: _filled(inner, path, code) for name, inner in value.items()}
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise _NotSet(match[1])
        return os.environ[match[1]]

    return _ENVIRONMENT.sub(variable, value)
