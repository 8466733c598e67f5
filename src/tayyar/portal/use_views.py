"""How much a person uses: months against last year and their budget, days where the meter is read daily, the next bill;
and the files to take along.

Owns /me/use. Holds no rule: figures from billing/consumption.py, files from billing/exports, the budget is kept by
claims. Next: templates/portal/me_use.html.
"""

import re
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tayyar.billing.consumption import DayUse, Forecast, MonthUse, daily, forecast, monthly
from tayyar.billing.exports.csv_ import csv_bytes
from tayyar.billing.exports.greenbutton import greenbutton
from tayyar.billing.exports.tables import Table, bills_table, days_table, payments_table
from tayyar.billing.exports.xlsx import xlsx_bytes
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.queries import Held
from tayyar.claims.services import describe_holding
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.money import divide_half_up
from tayyar.core.periods import Period
from tayyar.core.text import currency_word
from tayyar.portal.bills_views import file_answer
from tayyar.portal.charts import Bar, days_svg, months_svg
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import (
    Chosen,
    bill_budget,
    choose,
    is_rtl,
    local_now,
    money_days,
    say,
    short_day,
    words_of,
)
from tayyar.portal.parts import Chart, Field

MONTHS, DAYS = 13, 60
GREEN_BUTTON_MONTHS = 25
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
@signed_in
def use(screen: MyScreen) -> HttpResponse:
    """One account's use, in energy or (`?by=money`) in money."""
    typed = screen.request.GET.get("account")
    chosen = choose(screen, typed)
    if chosen is None:
        if typed is not None:
            return screen.gone()
        words = words_of(screen)
        return screen.page("portal/me_use.html", {"title": words["use_title"], "m": words})
    return _use(screen, chosen)


@require_POST
@signed_in
def budget(screen: MyScreen) -> HttpResponse:
    """Keep what the person means to spend in a month; empty removes it. Sending it again changes nothing."""
    chosen = choose(screen, screen.request.POST.get("account", ""))
    if chosen is None:
        return screen.gone()
    typed, words = _latin(screen.request.POST.get("budget", ""), screen.lang), words_of(screen)
    try:
        amount = screen.profile.currency.parse(_plain(typed)) if typed else None
        describe_holding(
            person=screen.person,
            holding_id=chosen.held.holding_id,
            nickname=chosen.held.nickname,
            budget_minor=amount,
            now=clock.now(),
        )
    except ClaimRefused as refused:
        if refused.reason == "NOT_YOURS":
            return screen.gone()
        return _use(screen, chosen, problem=words["budget_bad"], typed=typed)
    except UserError:
        return _use(screen, chosen, problem=words["budget_bad"], typed=typed)
    query = urlencode({"account": chosen.held.account.number, "saved": 1})
    return redirect(f"{reverse('portal:my_use')}?{query}")


@require_safe
@signed_in
def export(screen: MyScreen, form: str) -> HttpResponse:
    """One account as a file: bills.csv, payments.csv, days.csv, all.xlsx or greenbutton.xml."""
    chosen = choose(screen, screen.request.GET.get("account", ""))
    if chosen is None:
        return screen.gone()
    held, now = chosen.held, local_now(screen)
    name = f"{held.account.number}-{form}"
    currency = screen.profile.currency
    if form == "greenbutton.xml":
        last = Period.of(now.date())
        first = last.plus(1 - GREEN_BUTTON_MONTHS)
        data = greenbutton(held.account.pk, first, last, now=clock.now(), sees=held.sees_days)
        return file_answer(screen, data, "application/atom+xml", name)
    if form == "all.xlsx":
        tables = [_table(screen, held, key) for key in ("bills", "payments", "days")]
        return file_answer(screen, xlsx_bytes(tables, currency, screen.lang, now=clock.now()), XLSX, name)
    key = form.removesuffix(".csv")
    if key == form or key not in ("bills", "payments", "days"):
        return screen.gone()
    data = csv_bytes(_table(screen, held, key), currency)
    return file_answer(screen, data, "text/csv; charset=utf-8", name)


def _table(screen: MyScreen, held: Held, key: str) -> Table:
    id = held.account.pk
    if key == "bills":
        return bills_table(id, screen.lang, sees=held.sees_days)
    if key == "days":
        return days_table(id, screen.lang, today=local_now(screen).date(), sees=held.sees_days)
    first, end = money_days(held)
    return payments_table(id, screen.lang, first=first, end=end)


def _use(screen: MyScreen, chosen: Chosen, *, problem: str = "", typed: str | None = None) -> HttpResponse:
    held, words, today = chosen.held, words_of(screen), local_now(screen).date()
    used = monthly(held.account.pk, MONTHS + 13, today=today, sees=held.sees_days)
    ahead = forecast(held.account.pk, today) if held.is_open else None
    by_money = screen.request.GET.get("by") == "money"
    days = daily(held.account.pk, DAYS, today=today, sees=held.sees_days)
    number = held.account.number
    unit = currency_word(screen.profile.currency, screen.lang, screen.formats)
    if typed is None:
        typed = screen.profile.currency.format(held.budget_minor) if held.budget_minor else ""
    context: dict[str, Any] = {
        "title": words["use_title"],
        "m": words,
        "choose": chosen.field(words),
        "number": number,
        "by_money": by_money,
        "months": _months(screen, held, used, ahead, by_money=by_money) if used else None,
        "days": _days(screen, days, by_money=by_money) if days else None,
        "ahead": _ahead(screen, ahead) if ahead else None,
        "saved": words["budget_saved"] if screen.request.GET.get("saved") == "1" else "",
        "may_manage": held.may_manage,
        "budget": Field(
            "budget",
            words["budget_label"].format(unit=unit),
            value=typed,
            hint=words["budget_hint"],
            error=problem,
            required=False,
            is_code=True,
            inputmode="decimal",
            longest=15,
        ),
        "bills_href": f"{reverse('portal:my_bills')}?account={number}",
    }
    return screen.page("portal/me_use.html", context, status=422 if problem else 200)


def _months(
    screen: MyScreen, held: Held, used: list[MonthUse], ahead: Forecast | None, *, by_money: bool
) -> Chart:
    """13 months with the mark of the year before, the expected one, and the budget where money is shown."""
    words, figure = words_of(screen), screen.money if by_money else screen.energy
    of = {one.period: (one.amount_minor if by_money else one.energy_wh) for one in used}
    last = used[-1].period
    months = [last.plus(back) for back in range(1 - MONTHS, 1)]
    bars = [Bar(of.get(m), of.get(m.plus(-12)), tick=screen.plain(m.month)) for m in months]
    rows = [
        [screen.month(m), _cell(screen, of.get(m), by_money), _cell(screen, of.get(m.plus(-12)), by_money)]
        for m in months
    ]
    looks = [("now", words["legend_now"])]
    if any(bar.before is not None for bar in bars):
        looks.append(("before", words["legend_before"]))
    if ahead:
        middle, low, high = (
            (ahead.amount_minor, ahead.low_minor, ahead.high_minor)
            if by_money
            else (ahead.energy_wh, ahead.low_wh, ahead.high_wh)
        )
        coming = last.plus(1)
        bars.append(
            Bar(middle, of.get(coming.plus(-12)), tick=screen.plain(coming.month), low=low, high=high)
        )
        rows.append(
            [
                words["coming"],
                _cell(screen, middle, by_money),
                _cell(screen, of.get(coming.plus(-12)), by_money),
            ]
        )
        looks.append(("coming", words["legend_coming"]))
    budget_minor = bill_budget(screen, held) if by_money else None
    if budget_minor:
        looks.append(("budget", words["legend_budget"]))
    now, before = of[last], of.get(last.plus(-12))
    unit = currency_word(screen.profile.currency, screen.lang, screen.formats)
    return Chart(
        sentence=_compared(screen, figure(now), now, before),
        svg=months_svg(bars, budget=budget_minor, rtl=is_rtl(screen)),
        summary=words["show_table"],
        columns=[
            words["month"],
            words["amount_column"].format(unit=unit) if by_money else words["energy_column"],
            words["before_column"],
        ],
        rows=rows[::-1],
        legend=looks,
    )


def _compared(screen: MyScreen, shown: object, now: int, before: int | None) -> str:
    words = words_of(screen)
    if not before or before <= 0:
        return say(words["use_now"], now=shown)
    key = "use_more" if now > before else "use_less" if now < before else "use_same"
    percent = screen.percent(before + abs(now - before), before)
    return say(words[key], now=shown, percent=percent)


def _cell(screen: MyScreen, value: int | None, by_money: bool) -> str:
    if value is None:
        return screen.energy(None)
    return screen.money(value, unit=False) if by_money else screen.energy(value, unit=False)


def _days(screen: MyScreen, days: list[DayUse], *, by_money: bool) -> Chart:
    """The days that were read; in money once a bill has come for one of them."""
    words = words_of(screen)
    by_money = by_money and any(one.amount_minor is not None for one in days)
    of = {one.day: (one.amount_minor if by_money else one.energy_wh) for one in days}
    first, last = days[0].day, days[-1].day
    span = [first.fromordinal(at) for at in range(first.toordinal(), last.toordinal() + 1)]
    most = max(days, key=lambda one: one.energy_wh)
    unit = currency_word(screen.profile.currency, screen.lang, screen.formats)
    return Chart(
        sentence=say(
            words["days_sentence"],
            days=screen.counted("days", len(days)),
            total=screen.energy(sum(one.energy_wh for one in days)),
            most=screen.energy(most.energy_wh),
            day=short_day(screen, most.day),
        ),
        svg=days_svg(
            [of.get(day) for day in span],
            [screen.plain(day.day) if day.day in (1, 8, 15, 22) else "" for day in span],
            rtl=is_rtl(screen),
        ),
        summary=words["show_table"],
        columns=[words["day"], words["energy_column"], words["share_column"].format(unit=unit)],
        rows=[
            [
                short_day(screen, one.day),
                screen.energy(one.energy_wh, unit=False),
                _cell(screen, one.amount_minor, True),
            ]
            for one in reversed(days)
        ],
    )


def _ahead(screen: MyScreen, ahead: Forecast) -> dict[str, Any]:
    """The forecast in sentences: how much, of what, how it was made."""
    words = words_of(screen)
    return {
        "sentence": say(
            words["forecast_sentence"],
            amount=screen.money(ahead.amount_minor),
            low=screen.money(ahead.low_minor),
            high=screen.money(ahead.high_minor),
            day=short_day(screen, ahead.until),
        ),
        "energy": say(
            words["forecast_energy"], energy=screen.energy(divide_half_up(ahead.energy_wh, 1000) * 1000)
        ),
        "method": words[f"method_{ahead.method}"],
        "known": words["known_until"].format(day=short_day(screen, ahead.known_until))
        if ahead.known_until
        else "",
    }


def _latin(typed: str, lang: str) -> str:
    """An amount as people type it: Arabic digits and separators, spaces. A comma before three digits parts thousands
    ("1,000" is no 1), but in French, where it begins the decimals."""
    table = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫،٬", "01234567890123456789.,,")
    text = "".join(typed.translate(table).split())
    if lang != "fr":
        text = re.sub(r",(?=[0-9]{3}(?![0-9]))", "", text)
    return text.replace(",", ".")[:15]


def _plain(typed: str) -> str:
    """Digits and one point; UserError for what a number can be besides ("1e9")."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,3})?", typed):
        raise UserError(f"{typed!r} is not an amount. Write it like 123.45.")
    return typed
