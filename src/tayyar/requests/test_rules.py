"""Deadlines in working days, with a weekend of Friday and Saturday and one holiday on Wednesday 23 September."""

import datetime as dt
import re

import pytest

from tayyar.core.text import LANGUAGES
from tayyar.profiles.calendar import HolidayRule, WorkingCalendar
from tayyar.requests.catalogue import Field, RequestType
from tayyar.requests.errors import FormRefused
from tayyar.requests.forms import check_form
from tayyar.requests.rules import due_on, resumed_due_on, working_days_between
from tayyar.requests.words import TOLD

NATIONAL = HolidayRule("NATIONAL", {}, False, 9, 23, 1, 2005, (), (), "HIGH")
CALENDAR = WorkingCalendar(frozenset({4, 5}), (NATIONAL,))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("opened", "days", "due"),
    [
        ("2026-09-20", 1, "2026-09-21"),  # Sunday: the next day
        ("2026-09-20", 3, "2026-09-24"),  # Monday, Tuesday, not Wednesday the 23rd, Thursday
        ("2026-09-24", 1, "2026-09-27"),  # Thursday: Friday and Saturday are free
        ("2026-09-25", 1, "2026-09-27"),  # opened on a free day
    ],
)
def test_a_request_is_due_after_so_many_working_days(opened: str, days: int, due: str) -> None:
    assert due_on(day(opened), days, CALENDAR) == day(due)


def test_working_days_are_counted_without_the_first_and_with_the_last_day() -> None:
    assert working_days_between(day("2026-09-20"), day("2026-09-24"), CALENDAR) == 3
    assert working_days_between(day("2026-09-24"), day("2026-09-20"), CALENDAR) == 0


def test_what_was_left_when_the_person_was_asked_is_left_when_they_answer() -> None:
    # due Thursday the 24th, asked on Monday the 21st: Tuesday and Thursday were left; answered Sunday the 27th
    due = resumed_due_on(
        day("2026-09-24"), asked_on=day("2026-09-21"), answered_on=day("2026-09-27"), calendar=CALENDAR
    )
    assert due == day("2026-09-29")


def test_a_request_that_was_late_already_is_not_made_punctual_by_asking() -> None:
    late = day("2026-09-10")
    due = resumed_due_on(late, asked_on=day("2026-09-21"), answered_on=day("2026-09-27"), calendar=CALENDAR)
    assert due == late


def form_of(kind: str, *, maximum: int = 10) -> RequestType:
    field = Field("one", kind, {}, False, maximum, ())
    return RequestType("X", {}, {}, "ANYONE", 1, 1, "", (field,), (), ())


@pytest.mark.parametrize(
    ("kind", "typed", "stored"),
    [
        ("TEXT", "  two\n words ", "two words"),
        ("LONG", " two\r\nlines ", "two\nlines"),
        ("DATE", "٢٠٢٦-١١-٠٢", "2026-11-02"),
        ("DATE", dt.date(2026, 11, 2), "2026-11-02"),
        ("NUMBER", "٠٠٧", 7),
        ("NUMBER", 10, 10),
        ("YES_NO", "yes", True),
        ("YES_NO", False, False),
    ],
)
def test_a_value_is_stored_in_one_spelling(kind: str, typed: object, stored: object) -> None:
    assert check_form(form_of(kind), {"one": typed}) == {"one": stored}


@pytest.mark.parametrize(
    ("kind", "typed", "reason"),
    [
        ("TEXT", "x" * 11, "LENGTH"),
        ("LONG", "a\0b", "LENGTH"),
        ("TEXT", "\ud800", "LENGTH"),
        ("TEXT", {"a": 1}, "LENGTH"),
        ("DATE", "2026-02-30", "DATE"),
        ("DATE", "soon", "DATE"),
        ("NUMBER", "-1", "NUMBER"),
        ("NUMBER", "11", "NUMBER"),
        ("NUMBER", True, "NUMBER"),
        ("NUMBER", "9" * 5000, "NUMBER"),
        ("CHOICE", "OTHER", "CHOICE"),
        ("CHOICE", ["A"], "CHOICE"),
        ("YES_NO", "perhaps", "YES_NO"),
    ],
)
def test_a_value_that_is_none_says_why(kind: str, typed: object, reason: str) -> None:
    with pytest.raises(FormRefused) as refused:
        check_form(form_of(kind), {"one": typed})
    assert refused.value.errors == {"one": reason}


def test_an_empty_field_is_absent() -> None:
    assert check_form(form_of("TEXT"), {"one": "  "}) == {}


def test_what_is_told_has_the_same_places_in_every_language() -> None:
    assert set(TOLD) == set(LANGUAGES)
    assert TOLD["ar"].keys() == TOLD["en"].keys() == TOLD["fr"].keys()
    for key in TOLD["en"]:
        assert len({tuple(re.findall(r"{(\w+)}", TOLD[lang][key])) for lang in LANGUAGES}) == 1, key
