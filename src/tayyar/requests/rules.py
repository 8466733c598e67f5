"""When a request is due, in working days of the country. Pure: no database."""

import datetime as dt

from tayyar.profiles.calendar import WorkingCalendar


def due_on(opened_on: dt.date, working_days: int, calendar: WorkingCalendar) -> dt.date:
    """The last day to decide: the `working_days`-th working day after the day of opening."""
    day = opened_on
    for _ in range(working_days):
        day = calendar.move(day + dt.timedelta(days=1), "NEXT_WORKING_DAY")
    return day


def working_days_between(first: dt.date, last: dt.date, calendar: WorkingCalendar) -> int:
    """How many working days lie in (first, last]; 0 when `last` is not later."""
    days = (first + dt.timedelta(days=step) for step in range(1, (last - first).days + 1))
    return sum(calendar.is_working_day(day) for day in days)


def resumed_due_on(
    due: dt.date, *, asked_on: dt.date, answered_on: dt.date, calendar: WorkingCalendar
) -> dt.date:
    """`due` after the person was waited for: the working days that were left when they were asked, from their answer.

    A request that was late when the person was asked stays as late as it was.
    """
    left = working_days_between(asked_on, due, calendar)
    return due if due < asked_on else due_on(answered_on, left, calendar)
