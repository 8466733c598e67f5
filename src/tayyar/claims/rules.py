"""What is true of claims without a database: days of liability, what may be shown, whose days are whose. Pure."""

import datetime as dt
import re

from tayyar.claims.errors import ClaimRefused

MOST_AHEAD_DAYS = 60
ANSWER_WORKING_DAYS = 5  # where the profile does not say (consumer_rules.claim_answer_working_days)
DOTS = "•••"
_WORD = re.compile(r"\w+", re.UNICODE)


def check_start(start_date: dt.date, *, first: dt.date, today: dt.date) -> None:
    """ClaimRefused START_EARLY before `first`, where the current bill's period began, START_LATE too far ahead.

    `first` is the same for every account: a refusal tells nothing of the one that was asked about.
    """
    if start_date < first:
        raise ClaimRefused(
            "START_EARLY", f"The first day can be {first} or later. Earlier bills are settled."
        )
    last = today + dt.timedelta(days=MOST_AHEAD_DAYS)
    if start_date > last:
        raise ClaimRefused(
            "START_LATE", f"The first day can be at most {MOST_AHEAD_DAYS} days ahead: {last}."
        )


def masked_place(address: str) -> str:
    """Enough of an address for one who knows it: the first letter of each word, no number. "ش••• ا••• •••"."""
    return " ".join(DOTS if word[0].isdecimal() else f"{word[0]}{DOTS}" for word in _WORD.findall(address))


def initials(name: str) -> str:
    """The first letter of each word of a name: "س. ع."."""
    return " ".join(f"{word[0]}." for word in _WORD.findall(name))


def covers(start_date: dt.date, end_date: dt.date | None, first: dt.date, last: dt.date) -> bool:
    """Whether the days [first, last) lie in [start_date, end_date)."""
    return start_date <= first and (end_date is None or last <= end_date)


def touches(start_date: dt.date, end_date: dt.date | None, first: dt.date, last: dt.date) -> bool:
    """Whether the days [first, last) and [start_date, end_date) have one in common."""
    return max(start_date, first) < (last if end_date is None else min(end_date, last))
