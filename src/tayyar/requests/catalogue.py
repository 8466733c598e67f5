"""The types of requests, read from types/*.yaml: what is asked, which papers, which steps, how long it may take.

Never knows what a decision does (registry.py). A file that cannot be used is refused when the process starts, with a
message that names file, key and reason. Next: forms.py checks what was filled in, opening.py opens.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tayyar.core.errors import UserError
from tayyar.profiles.reader import Section, read_yaml

FOLDER = Path(__file__).parent / "types"
FIELD_KINDS = ("TEXT", "LONG", "DATE", "NUMBER", "CHOICE", "YES_NO")
STEP_BY = ("STAFF", "PERSON", "SYSTEM")
OPENED_BY = ("ANYONE", "HOLDER")
USUAL_MAX = {"TEXT": 120, "LONG": 2000, "NUMBER": 10**15 - 1}  # characters; for NUMBER the largest value

Names = Mapping[str, str]  # {"ar": ..., "en": ..., "fr": ...}
Named = TypeVar("Named", "Field", "DocumentKind", "Step", "Choice")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a CHOICE."""

    code: str
    names: Names


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `max`: characters of a text, the largest value of a number."""

    code: str
    kind: str
    names: Names
    is_required: bool
    max: int
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A paper that comes with the request; `max` of its kind."""

    code: str
    names: Names
    is_required: bool
    max: int


@dataclass(frozen=True, slots=True)
class Step:
    """Where a request can stand, and who has to do something there."""

    code: str
    names: Names
    by: str


@dataclass(frozen=True, slots=True)
class RequestType:
    """One kind of request. `working_days` to decide; `most_open` of one person at a time; `handler`: the module that
    registers what a decision does, empty when staff do it by hand."""

    code: str
    names: Names
    summary: Names
    opened_by: str
    working_days: int
    most_open: int
    handler: str
    fields: tuple[Field, ...]
    documents: tuple[DocumentKind, ...]
    steps: tuple[Step, ...]

    def step(self, code: str) -> Step:
        """The step of that code. UserError for another type's."""
        for step in self.steps:
            if step.code == code:
                return step
        raise UserError(
            f"{self.code} has no step {code!r}. Its steps: {', '.join(s.code for s in self.steps)}."
        )

    def document(self, code: str) -> DocumentKind | None:
        """The kind of paper of that code."""
        return next((kind for kind in self.documents if kind.code == code), None)

    def field(self, code: str) -> Field | None:
        """The field of that code."""
        return next((field for field in self.fields if field.code == code), None)


@functools.cache
def request_types() -> Mapping[str, RequestType]:
    """Every type by its code, in the order of their files. UserError for a file that cannot be used."""
    return read_types(FOLDER)


def request_type(code: str) -> RequestType:
    """The type of that code. UserError when there is none."""
    try:
        return request_types()[code]
    except KeyError:
        raise UserError(
            f"There is no request type {code!r}. The types: {', '.join(request_types())}."
        ) from None


def read_types(folder: Path) -> dict[str, RequestType]:
    """The types of a folder, one in each file, the file named as its code in lower case."""
    found: dict[str, RequestType] = {}
    for path in sorted(folder.glob("*.yaml")):
        section = Section(read_yaml(path), f"requests/types/{path.name}")
        made = _type(section)
        if path.stem != made.code.lower():
            raise section.fail("code", f"{made.code} belongs into {made.code.lower()}.yaml")
        found[made.code] = made
    return found


def _type(section: Section) -> RequestType:
    made = RequestType(
        code=_code(section, most=30),
        names=section.names("names"),
        summary=section.names("summary"),
        opened_by=section.choice("opened_by", OPENED_BY),
        working_days=_positive(section, "working_days"),
        most_open=_positive(section, "most_open"),
        handler=section.text("handler", required=False) or "",
        fields=_unique(section, "fields", (_field(part) for part in section.sections("fields"))),
        documents=_unique(section, "documents", (_document(part) for part in section.sections("documents"))),
        steps=_unique(section, "steps", (_step(part) for part in section.sections("steps"))),
    )
    section.done()
    if not made.steps:
        raise section.fail("steps", "a request needs at least one step")
    return made


def _field(section: Section) -> Field:
    kind = section.choice("kind", FIELD_KINDS)
    choices = _unique(section, "choices", (_choice(part) for part in section.sections("choices")))
    if (kind == "CHOICE") != bool(choices):
        raise section.fail("choices", "a CHOICE has choices, and nothing else has")
    limit = section.integer("max", USUAL_MAX.get(kind, 0))
    if section.has("max") and (kind not in USUAL_MAX or limit < 1):
        raise section.fail("max", "is a positive number, and for TEXT, LONG and NUMBER only")
    made = Field(
        code=section.text("name"),
        kind=kind,
        names=section.names("names"),
        is_required=section.flag("required"),
        max=limit,
        choices=choices,
    )
    if not made.code.isidentifier() or not made.code.islower():
        raise section.fail("name", f"{made.code!r} is not a name in lower case, such as start_date")
    section.done()
    return made


def _choice(section: Section) -> Choice:
    made = Choice(_code(section), section.names("names"))
    section.done()
    return made


def _document(section: Section) -> DocumentKind:
    made = DocumentKind(
        code=_code(section, key="kind"),
        names=section.names("names"),
        is_required=section.flag("required"),
        max=_positive(section, "max"),
    )
    section.done()
    return made


def _step(section: Section) -> Step:
    made = Step(_code(section), section.names("names"), section.choice("by", STEP_BY))
    section.done()
    return made


def _code(section: Section, *, key: str = "code", most: int = 30) -> str:
    code: str = section.text(key)
    if not code.isidentifier() or not code.isupper() or len(code) > most:
        raise section.fail(key, f"{code!r} is not a code in upper case of at most {most} letters")
    return code


def _positive(section: Section, key: str) -> int:
    number: int = section.integer(key)
    if number < 1:
        raise section.fail(key, f"expected 1 or more, found {number}")
    return number


def _unique(section: Section, key: str, parts: Iterable[Named]) -> tuple[Named, ...]:
    found = tuple(parts)
    codes = [part.code for part in found]
    for code in codes:
        if codes.count(code) > 1:
            raise section.fail(key, f"{code} is written twice")
    return found
