"""The form of a request's type: its fields and papers to show, what was sent read back, and a value in words.

Owns no page and checks nothing: requests/forms.py and documents.py do. Next: ask_views.py.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from tayyar.portal.ask_words import ASK_WORDS
from tayyar.portal.door import MyScreen
from tayyar.portal.parts import Choice, Field
from tayyar.requests import catalogue
from tayyar.requests.catalogue import RequestType
from tayyar.requests.documents import MOST_BYTES, Upload, UploadRefused
from tayyar.requests.errors import RequestRefused
from tayyar.requests.papers import MOST_DOCUMENTS

ACCEPTED = "image/jpeg,image/png,image/webp,application/pdf"


@dataclass(frozen=True, slots=True)
class PaperField:
    """A kind of paper, to choose files for."""

    name: str
    label: str
    hint: str
    error: str
    is_required: bool
    is_many: bool
    accept: str = ACCEPTED


def fields_of(
    kind: RequestType, lang: str, typed: Mapping[str, str], errors: Mapping[str, str]
) -> list[Field]:
    """The type's fields with what was typed and what is wrong with it."""
    return [
        _field(field, lang, typed.get(field.code, ""), errors.get(field.code, "")) for field in kind.fields
    ]


def _field(field: catalogue.Field, lang: str, value: str, error: str) -> Field:
    words = ASK_WORDS[lang]
    choices: list[Choice] = [Choice(choice.code, choice.names[lang]) for choice in field.choices]
    if field.kind == "YES_NO":
        choices = [Choice("YES", words["yes"]), Choice("NO", words["no"])]
    is_text, is_number = field.kind in ("TEXT", "LONG"), field.kind == "NUMBER"
    label = field.names[lang] if field.is_required else f"{field.names[lang]} {words['optional']}"
    return Field(
        field.code,
        label,
        value[: field.max] if is_text else value[:40],
        error=error,
        type={"LONG": "textarea", "DATE": "date"}.get(field.kind, "text"),
        required=field.is_required,
        is_code=is_number,
        inputmode="numeric" if is_number else "",
        longest=field.max if is_text else 0,
        choices=choices,
        is_radio=bool(choices),
    )


def papers_of(
    kind: RequestType, lang: str, errors: Mapping[str, str], *, is_required: bool = True
) -> list[PaperField]:
    """The papers that go with the type; `is_required` False where they were given before."""
    words = ASK_WORDS[lang]
    return [
        PaperField(
            f"paper_{paper.code}",
            paper.names[lang]
            if paper.is_required and is_required
            else f"{paper.names[lang]} {words['optional']}",
            words["paper_hint"],
            errors.get(f"paper_{paper.code}", ""),
            paper.is_required and is_required,
            paper.max > 1,
        )
        for paper in kind.documents
    ]


def first_paper(kind: RequestType) -> str:
    """The field at which a refused paper is said; "" for a type without papers."""
    return f"paper_{kind.documents[0].code}" if kind.documents else ""


def uploads_of(request: HttpRequest, kind: RequestType) -> list[Upload]:
    """The files that were sent. RequestRefused DOCUMENTS, UploadRefused SIZE before anything large is read."""
    sent = [
        (paper.code, file)
        for paper in kind.documents
        for file in request.FILES.getlist(f"paper_{paper.code}")
    ]
    if len(sent) > MOST_DOCUMENTS:
        raise RequestRefused("DOCUMENTS", f"A request takes {MOST_DOCUMENTS} papers at most.")
    if any((file.size or 0) > MOST_BYTES for _, file in sent):
        raise UploadRefused("SIZE")
    return [Upload(code, file.read()) for code, file in sent]


def reason_text(words: Mapping[str, str], reason: str) -> str:
    """What is wrong with a field; a handler's own reason that has no words yet is said in general."""
    return words.get(f"field_{reason}", words["field_OTHER"])


def shown_value(field: catalogue.Field, value: Any, screen: MyScreen, words: Mapping[str, str]) -> str:
    """A stored value in the reader's words."""
    if field.kind == "YES_NO":
        return words["yes" if value else "no"]
    if field.kind == "CHOICE":
        return next(
            (choice.names[screen.lang] for choice in field.choices if choice.code == value), str(value)
        )
    if field.kind == "DATE":
        return screen.day(dt.date.fromisoformat(value))
    return str(value)
