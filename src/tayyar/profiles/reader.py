"""Reads YAML exactly and checks it: numbers as Decimal, and every complaint names file, key and reason.

Owns the one way a profile or tariff file becomes Python values. Never knows what a key means.
The flow goes next to `profiles.loader` and, a floor higher, to `tariffs.parse`.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tayyar.core.errors import UserError

LANGUAGES = ("ar", "en", "fr")
T = TypeVar("T")


class ProfileError(UserError):
    """A profile or tariff file that cannot be used. The message is `file: key: reason`."""


class _ExactLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML in which 0.18 is Decimal("0.18"), only true/false are booleans, and keys are unique."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    problem = f"the key {key.value!r} is written twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return dict(mapping)


def _decimal(loader: Any, node: Any) -> Decimal:
    return Decimal(loader.construct_scalar(node))


_ExactLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_ExactLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_ExactLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9]\d*)$"), list("-0123456789")
)
_ExactLoader.add_implicit_resolver("!decimal", re.compile(r"^-?\d+\.\d+$"), list("-0123456789"))
_ExactLoader.add_implicit_resolver(
    "tag:yaml.org,2002:timestamp", re.compile(r"^\d{4}-\d\d-\d\d$"), list("0123456789")
)
_ExactLoader.add_constructor("!decimal", _decimal)


def parse_yaml(text: str, file: str) -> Any:
    """The values in `text`. `file` is used in the message of a ProfileError only."""
    try:
        return yaml.load(text, Loader=_ExactLoader)  # noqa: S506  (a SafeLoader underneath)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        reason = getattr(error, "problem", None) or str(error)
        raise ProfileError(f"{file}: {where}: not valid YAML: {reason}") from None
    except ValueError as error:
        raise ProfileError(f"{file}: the file: {error}") from None


def read_yaml(path: Path) -> Any:
    """The values of a YAML file. Raises ProfileError when it is missing or not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{path}: the file: cannot be read ({error.strerror})") from None
    return parse_yaml(text, str(path))


class Section:
    """One mapping of a file being read: take every key by its type, then `done()` refuses leftovers.

    `file` and `path` ("blocks[2].price") go into the message of each ProfileError.
    """

    def __init__(self, values: Any, file: str, path: str = "") -> None:
        if not isinstance(values, Mapping):
            raise ProfileError(f"{file}: {path or 'the file'}: expected keys with values, found {values!r}")
        self.values, self.file, self.path = values, file, path
        self._taken: set[str] = set()

    def where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def fail(self, key: str, reason: str) -> ProfileError:
        """The error to raise about `key`."""
        return ProfileError(f"{self.file}: {self.where(key)}: {reason}")

    def has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def take(self, key: str) -> Any:
        """The raw value of `key`, None when absent; marks it as known."""
        self._taken.add(key)
        return self.values.get(key)

    def _typed(self, key: str, kind: type[T] | tuple[type, ...], words: str, default: Any) -> Any:
        value = self.take(key)
        if value is None:
            if default is _REQUIRED:
                raise self.fail(key, f"is missing; write {words}")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(key, f"expected {words}, found {value!r}")
        return value

    def text(self, key: str, default: Any = None, *, required: bool = True) -> Any:
        return self._typed(key, str, "text", _REQUIRED if required and default is None else default)

    def integer(self, key: str, default: Any = None, *, required: bool = True) -> Any:
        return self._typed(key, int, "a whole number", _REQUIRED if required and default is None else default)

    def flag(self, key: str, default: bool | None = False) -> Any:
        return self._typed(key, bool, "true or false", default)

    def date(self, key: str, *, required: bool = False) -> Any:
        return self._typed(key, dt.date, "a date like 2026-01-31", _REQUIRED if required else None)

    def number(self, key: str, *, required: bool = True) -> Any:
        """An exact number as Decimal; whole numbers are welcome."""
        value = self._typed(key, (Decimal, int), "a number like 0.18", _REQUIRED if required else None)
        return None if value is None else Decimal(value)

    def choice(self, key: str, choices: tuple[str, ...], default: Any = None) -> Any:
        value = self.text(key, default)
        if value not in choices:
            raise self.fail(key, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of texts; a single text counts as a list of one."""
        value = self.take(key)
        if value is None:
            if required:
                raise self.fail(key, "is missing; write a text or a list of texts")
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
            raise self.fail(key, f"expected a list of texts, found {value!r}")
        return tuple(items)

    def names(self, key: str) -> dict[str, str]:
        """A text in Arabic, English and French, all three present."""
        inner = self.section(key)
        found = {language: inner.text(language) for language in LANGUAGES}
        inner.done()
        return found

    def section(self, key: str) -> "Section":
        value = self.take(key)
        if value is None:
            raise self.fail(key, "is missing")
        return Section(value, self.file, self.where(key))

    def sections(self, key: str) -> Iterator["Section"]:
        """Each mapping of a list; an absent list is empty."""
        value = self.take(key)
        if value is not None and not isinstance(value, list):
            raise self.fail(key, f"expected a list, found {value!r}")
        for position, item in enumerate(value or (), start=1):
            yield Section(item, self.file, f"{self.where(key)}[{position}]")

    def done(self) -> None:
        """Every key was understood; a misspelt key is an error, not a silence."""
        unknown = [str(key) for key in self.values if key not in self._taken]
        if unknown:
            known = ", ".join(sorted(self._taken))
            raise self.fail(unknown[0], f"is not a key known here (known: {known})")


_REQUIRED: Any = object()
