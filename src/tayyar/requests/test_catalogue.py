"""The types of requests as data: what is there is complete, and a file that cannot be used says why."""

from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.requests.catalogue import read_types, request_type, request_types

NAMES = "{ar: ا, en: a, fr: a}"
GOOD = f"""
code: LAMP
names: {NAMES}
summary: {NAMES}
opened_by: ANYONE
most_open: 1
working_days: 3
fields:
  - {{name: street, kind: TEXT, required: true, names: {NAMES}}}
documents:
  - {{kind: PHOTO, max: 1, names: {NAMES}}}
steps:
  - {{code: REVIEW, by: STAFF, names: {NAMES}}}
"""


def read(folder: Path, text: str, *, name: str = "lamp.yaml") -> object:
    (folder / name).write_text(text, encoding="utf-8")
    return read_types(folder)


def test_the_types_of_the_house_are_there() -> None:
    assert set(request_types()) == {
        "ACCOUNT_CLAIM",
        "BILL_COPY",
        "CLAIM_DISPUTE",
        "CONTACT_UPDATE",
        "PAPER_BILL",
        "READING_DISPUTE",
        "TRANSFER",
    }


def test_a_new_type_is_a_file_and_nothing_else(tmp_path: Path) -> None:
    made = read(tmp_path, GOOD)["LAMP"]
    assert (made.working_days, made.fields[0].max, made.handler) == (3, 120, "")
    assert made.step("REVIEW").by == "STAFF" and made.document("PHOTO").max == 1


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("working_days: 3", "working_days: 0", "working_days"),
        ("working_days: 3", "working_days: soon", "working_days"),
        ("working_days: 3", "", "working_days"),
        ("opened_by: ANYONE", "opened_by: NOBODY", "opened_by"),
        ("kind: TEXT", "kind: COLOUR", "fields[1].kind"),
        ("kind: TEXT", "kind: CHOICE", "fields[1].choices"),
        ("name: street", "name: Street", "fields[1].name"),
        ("by: STAFF", "by: MAGIC", "steps[1].by"),
        ("code: REVIEW", "code: review", "steps[1].code"),
        ("code: LAMP", "code: STREET_LAMP", "code"),
        ("summary: {ar: ا, en: a, fr: a}", "summary: {ar: ا, en: a}", "summary.fr"),
        ("most_open: 1", "most_open: 1\nmost_opne: 2", "most_opne"),
        ("documents:", "documents: [", "not valid YAML"),
        ("steps:\n  - {code", "steps: []\nothers:\n  - {code", "steps"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name_and_key(
    tmp_path: Path, old: str, new: str, where: str
) -> None:
    assert old in GOOD
    with pytest.raises(UserError) as refused:
        read(tmp_path, GOOD.replace(old, new))
    assert "requests/types/lamp.yaml" in str(refused.value) or where == "not valid YAML"
    assert "lamp.yaml" in str(refused.value) and where in str(refused.value)


def test_a_field_written_twice_is_refused(tmp_path: Path) -> None:
    line = f"  - {{name: street, kind: TEXT, required: true, names: {NAMES}}}\n"
    with pytest.raises(UserError, match="street is written twice"):
        read(tmp_path, GOOD.replace(line, line * 2))


def test_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no request type 'LAMP'.*PAPER_BILL"):
        request_type("LAMP")


def test_all_words_of_all_types_are_written_in_three_languages() -> None:
    for kind in request_types().values():
        parts = [*kind.fields, *kind.documents, *kind.steps, *(c for f in kind.fields for c in f.choices)]
        for names in (kind.names, kind.summary, *(part.names for part in parts)):
            assert set(names) == {"ar", "en", "fr"} and all(text.strip() for text in names.values())
