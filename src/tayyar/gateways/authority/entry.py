"""An authority's entry in the authorities' file, and its options read one by one. UserError names what is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tayyar.core.errors import UserError
from tayyar.identity.models import IdType

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class AuthorityEntry:
    """One authority of this installation. `id_types`: what it proves here; empty for an address authority."""

    code: str
    gateway: str
    id_types: frozenset[IdType] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Options:
    """The options of an entry. Ask for each by its kind, then say `done`, which refuses what nobody asked for."""

    def __init__(self, entry: AuthorityEntry) -> None:
        self._where = f"Authority {entry.code}"
        self._left = dict(entry.options)

    def text(self, name: str, usual: str | None = None) -> str:
        """A text; needed where there is no usual one."""
        value = self._left.pop(name, usual)
        if not isinstance(value, str) or (not value and usual is None):
            raise UserError(f"{self._where} needs the option {name}, a text.")
        return value

    def secret(self, name: str, *, needed: bool = True) -> str:
        """A key or password, of letters that a header can carry; "" where it is not needed."""
        value = self.text(name, None if needed else "")
        if value and not re.fullmatch(r"[!-~]+", value):
            raise UserError(
                f"{self._where}: {name} holds a space or a letter that no key has. Copy it again."
            )
        return value

    def url(self, name: str, usual: str | None = None) -> str:
        """The beginning of an address, without a slash at its end: https, or any at this machine."""
        value = self.text(name, usual)
        if not is_safe_url(value) or urlsplit(value).query or urlsplit(value).fragment:
            raise UserError(f"{self._where}: {name} begins with https:// and holds no ? or #.")
        return value.rstrip("/")

    def seconds(self, name: str, usual: int, *, most: int) -> int:
        """A whole number of seconds from 1 to `most`."""
        value = self._left.pop(name, usual)
        if type(value) is not int or not 1 <= value <= most:
            raise UserError(f"{self._where}: {name} is a whole number of seconds from 1 to {most}.")
        return value

    def names(self, name: str, usual: Mapping[str, str]) -> dict[str, str]:
        """Our word -> theirs; what is left out is as usual, and no other word may come."""
        value = self._left.pop(name, {})
        if (
            not isinstance(value, dict)
            or not set(value) <= set(usual)
            or not all(isinstance(theirs, str) for theirs in value.values())
        ):
            raise UserError(
                f"{self._where}: {name} maps some of {', '.join(usual)} to the authority's names."
            )
        return {**usual, **value}

    def done(self) -> None:
        """UserError for an option that was not asked for."""
        if self._left:
            raise UserError(f"{self._where}: {', '.join(sorted(map(str, self._left)))} is no option of it.")


def is_safe_url(text: str) -> bool:
    """Whether nobody on the way can read or change what goes there: TLS, or this machine."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)
