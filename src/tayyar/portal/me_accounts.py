"""Which of a person's accounts a page of /me is about, how it is called, and what of it the person may see.

Owns the choice by `?account=` and the words of a bill's or account's state. Who may see what is claims/queries.py's: an
unknown, malformed or foreign number is None, for the same 404. Next: home_, bills_, use_ and readings_views.py.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tayyar.billing.account_queries import BillRow, Standing
from tayyar.claims.queries import Held, accounts_of
from tayyar.core import clock, references
from tayyar.core.errors import UserError
from tayyar.core.text import RTL_LANGUAGES, format_date
from tayyar.portal.door import MyScreen
from tayyar.portal.me_words import ME_WORDS
from tayyar.portal.parts import Choice, Field
from tayyar.portal.queries import local_zone

TONES: Mapping[str, str] = {
    "PAID": "paid",
    "CLEAR": "paid",
    "CREDIT": "paid",
    "DUE": "pending",
    "OVERDUE": "overdue",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The account of a page, and all accounts of the person, open ones first."""

    held: Held
    every: list[Held]

    def field(self, words: Mapping[str, str]) -> Field | None:
        """The select to choose another one; None where there is one only."""
        if len(self.every) < 2:
            return None
        choices = [Choice(str(held.account.number), named(held)) for held in self.every]
        return Field("account", words["choose_account"], value=str(self.held.account.number), choices=choices)


def words_of(screen: MyScreen) -> Mapping[str, str]:
    """The words of these pages in the reader's language."""
    return ME_WORDS[screen.lang]


def is_rtl(screen: MyScreen) -> bool:
    """Whether charts run from right to left."""
    return screen.lang in RTL_LANGUAGES


def local_now(screen: MyScreen) -> dt.datetime:
    """The moment by the utility's clocks: its date is the subscriber's today."""
    return clock.now().astimezone(local_zone(screen.profile))


def every_account(screen: MyScreen) -> list[Held]:
    """All accounts that the person may see."""
    return accounts_of(screen.person, today=local_now(screen).date())


def choose(screen: MyScreen, typed: str | None) -> Chosen | None:
    """The account asked for, else the first; None when it is not theirs, unknown or malformed, or there is none."""
    every = every_account(screen)
    if typed is None:
        return Chosen(every[0], every) if every else None
    id = account_id(typed)
    return next((Chosen(held, every) for held in every if held.account.pk == id), None)


def account_id(typed: str) -> int | None:
    """The account of an eleven-digit number with right check digits."""
    try:
        return references.parse_number(typed, what="account number", digits=11) // 100
    except UserError:
        return None


def named(held: Held) -> str:
    """What the person calls the account, else its number."""
    return held.nickname or str(held.account.number)


def shows_balance(held: Held) -> bool:
    """Whether what the account owes today is theirs to know; a former holder keeps the bills of their time alone."""
    return held.is_open or held.in_their_name


def money_days(held: Held) -> tuple[dt.date | None, dt.date | None]:
    """The days [first, end) whose payments are theirs to see."""
    return (None, None) if held.in_their_name else (held.start_date, held.end_date)


def bill_budget(screen: MyScreen, held: Held) -> int | None:
    """What the person means to spend in the months of one bill, as their budget is of a month; None without one."""
    return held.budget_minor * screen.profile.months_per_bill if held.budget_minor else None


def bill_state(screen: MyScreen, row: BillRow, today: dt.date) -> tuple[str, str]:
    """A bill's state in words, and its tone."""
    state = row.state(today)
    text = words_of(screen)[f"state_{state}"].format(day=short_day(screen, row.due_date))
    return text, TONES.get(state, "")


def account_state(screen: MyScreen, held: Held, standing: Standing) -> tuple[str, str]:
    """An account's state in words, and its tone."""
    words = words_of(screen)
    if not shows_balance(held) and held.end_date:
        return words["state_ENDED"].format(day=screen.day(held.end_date)), ""
    day = standing.overdue_since if standing.state == "OVERDUE" else standing.due_date
    if standing.state in ("DUE", "OVERDUE") and day is None:
        return words["owe"], TONES[standing.state]
    text = words[f"state_{standing.state}"].format(day=short_day(screen, day) if day else "")
    return text, TONES[standing.state]


def say(text: str, **values: object) -> SafeString:
    """A sentence with figures as markup set in."""
    return format_html(text, **values)


def short_day(screen: MyScreen, day: dt.date) -> str:
    """A date in words; its year only when it is not this one."""
    this_year = local_now(screen).year == day.year
    return format_date(day, screen.lang, screen.formats, year=not this_year)
