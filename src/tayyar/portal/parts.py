"""What the shared parts of a page (templates/portal/parts) are given: plain values, ready to be shown.

Owns no word and reads nothing. Every text is already in the reader's language, every number already formatted.
Next: the template of the same name as the class; the views of portal and kiosk build these.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a field's answers."""

    value: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """field.html: one input with its label. `is_code`: typed left to right in every language."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    error: str = ""
    type: str = "text"  # an HTML input type, or "textarea"
    required: bool = True
    is_code: bool = False
    inputmode: str = ""
    autocomplete: str = ""
    longest: int = 0  # characters; 0: no limit shown
    accept: str = ""
    choices: Sequence[Choice] = ()
    is_radio: bool = False
    look: str = ""  # a class: "code-input" for one-time codes


@dataclass(frozen=True, slots=True)
class Fact:
    """facts.html: what, and what it is."""

    label: str
    value: str
    note: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """card.html. `tone`: "paid", "pending" or "overdue" colours `state`, which always says it in words."""

    title: str
    href: str = ""
    figure: str = ""
    state: str = ""
    tone: str = ""
    lines: Sequence[str] = ()
    picture: str = ""  # an aria-hidden svg


@dataclass(frozen=True, slots=True)
class Steps:
    """steps.html: where in a form of several pages one is; `now` from 0."""

    names: Sequence[str]
    now: int
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """track.html: something that happened ("past"), happens ("now") or will ("")."""

    name: str
    when: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """chart.html: a picture, the sentence that says the same, and the table behind it. A row begins with its head."""

    sentence: str
    svg: str
    summary: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    legend: Sequence[tuple[str, str]] = ()
