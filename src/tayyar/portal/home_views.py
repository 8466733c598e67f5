"""What I owe, when, and how to pay: all accounts as cards, or the one account's own page.

Owns /me and /me/accounts/<number>. Holds no rule: who may see from claims, figures from billing. The cards of 400
accounts cost as many queries as one. Next: templates/portal/me_home.html.
"""

import datetime as dt
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from tayyar.billing.account_queries import Standing, standing, standings
from tayyar.billing.consumption import Forecast, forecast, months_of
from tayyar.claims.queries import Held
from tayyar.core.periods import Period
from tayyar.portal.charts import Bar, months_svg, trend_svg
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import (
    Chosen,
    account_state,
    bill_budget,
    bill_state,
    choose,
    every_account,
    is_rtl,
    local_now,
    named,
    say,
    short_day,
    shows_balance,
    words_of,
)
from tayyar.portal.parts import Card, Chart
from tayyar.portal.pwa_views import keep_offline

CARDS = 30  # on one page
FINDABLE_FROM = 8  # accounts: fewer are found by looking
TREND_MONTHS = 13


@require_safe
@signed_in
def home(screen: MyScreen) -> HttpResponse:
    """Every account as a card; the one account's page where there is one only."""
    every = every_account(screen)
    if len(every) == 1:
        return _account(screen, Chosen(every[0], every))
    return _cards(screen, every)


@require_safe
@signed_in
def account(screen: MyScreen, number: str) -> HttpResponse:
    """One account."""
    chosen = choose(screen, number)
    return _account(screen, chosen) if chosen else screen.gone()


def _cards(screen: MyScreen, every: list[Held]) -> HttpResponse:
    words, now = words_of(screen), local_now(screen)
    wanted = screen.request.GET.get("q", "").strip()[:60]
    found = [held for held in every if _matches(held, wanted)]
    standing_of = standings([held.account.pk for held in every], now)
    owed = [standing_of[held.account.pk] for held in every if shows_balance(held)]
    found.sort(key=lambda held: _urgency(standing_of[held.account.pk], held))
    first = _whole(screen.request.GET.get("from", "0"))
    shown = found[first : first + CARDS]
    total = sum(max(0, one.balance_minor) for one in owed)
    overdue = sum(one.overdue_minor for one in owed)
    context: dict[str, Any] = {
        "title": words["home_title"],
        "m": words,
        "has_accounts": bool(every),
        "owed": screen.money(total) if total else "",
        "overdue": say(words["owe_overdue"], amount=screen.money(overdue)) if overdue else "",
        "cards": [_card(screen, held, standing_of[held.account.pk], now.date()) for held in shown],
        "may_find": len(every) >= FINDABLE_FROM,
        "wanted": wanted,
        "newer": max(0, first - CARDS) if first else None,
        "older": first + CARDS if len(found) > first + CARDS else None,
    }
    return keep_offline(
        screen.page("portal/me_home.html", context), person=screen.person, title=words["home_title"]
    )


def _matches(held: Held, wanted: str) -> bool:
    return wanted.casefold() in f"{held.nickname} {held.account.number}".casefold()


def _urgency(one: Standing, held: Held) -> tuple[bool, int, dt.date]:
    order = {"OVERDUE": 0, "DUE": 1}.get(one.state, 2)
    return not shows_balance(held), order, one.due_date or dt.date.max


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _card(screen: MyScreen, held: Held, one: Standing, today: dt.date) -> Card:
    state, tone = account_state(screen, held, one)
    number = str(held.account.number)
    figure = screen.money(abs(one.balance_minor)) if shows_balance(held) else ""
    return Card(
        title=named(held),
        href=reverse("portal:account", args=[number]),
        figure=figure,
        state=state,
        tone=tone,
        lines=[screen.code(number)] if held.nickname else [],
        picture=trend_svg(_trend(held, one, today), rtl=is_rtl(screen)),
    )


def _trend(held: Held, one: Standing, today: dt.date) -> list[int | None]:
    """Energy of the last months, oldest first, up to the newest bill."""
    used = {
        use.period: use.energy_wh
        for use in months_of(b for b in one.bills if held.sees_days(b.start_date, b.end_date))
    }
    last = max(used, default=Period.of(today))
    return [used.get(last.plus(-back)) for back in range(TREND_MONTHS - 1, -1, -1)]


def _account(screen: MyScreen, chosen: Chosen) -> HttpResponse:
    held, words, now = chosen.held, words_of(screen), local_now(screen)
    one = standing(held.account.pk, now)
    number = str(held.account.number)
    seen = [b for b in one.bills if held.sees_days(b.start_date, b.end_date)]
    newest = next((bill for bill in seen if bill.stands), None)
    ahead = forecast(held.account.pk, now.date()) if held.is_open else None
    context: dict[str, Any] = {
        "title": named(held),
        "m": words,
        "held": held,
        "number": number,
        "is_one": len(chosen.every) == 1,
        "hero": _hero(screen, held, one),
        "alerts": _alerts(screen, held, one, ahead),
        "ended": ""
        if shows_balance(held) or not held.end_date
        else words["ended"].format(day=screen.day(held.end_date)),
        "tenant": words["tenant_since"].format(day=screen.day(held.tenant_since))
        if held.tenant_since
        else "",
        "chart": _chart(screen, _trend(held, one, now.date()), newest.period if newest else None),
        "may_read": held.is_open and held.may_manage,
        "ways": [
            {"name": way.names[screen.lang], "how": way.how[screen.lang]}
            for way in screen.profile.payment_ways
        ],
    }
    if newest:
        state, tone = bill_state(screen, newest, now.date())
        context["bill"] = {
            "href": reverse("portal:my_bill", args=[f"{newest.number:015d}"]),
            "month": screen.month(newest.period),
            "amount": screen.money(newest.total_minor),
            "state": state,
            "tone": tone,
        }
    return keep_offline(screen.page("portal/me_home.html", context), person=screen.person, title=named(held))


def _hero(screen: MyScreen, held: Held, one: Standing) -> dict[str, Any] | None:
    """The answer first: how much and by when."""
    if not shows_balance(held):
        return None
    words = words_of(screen)
    if one.balance_minor <= 0:
        is_credit = one.balance_minor < 0
        label = words["credit"] if is_credit else words["nothing"]
        return {"label": label, "amount": screen.money(-one.balance_minor), "by": "", "tone": "paid"}
    day = one.overdue_since if one.state == "OVERDUE" else one.due_date
    key = "by_late" if one.state == "OVERDUE" else "by"
    by = words[key].format(day=short_day(screen, day)) if day else ""
    return {"label": words["owe"], "amount": screen.money(one.balance_minor), "by": by, "pays": held.may_pay}


def _alerts(screen: MyScreen, held: Held, one: Standing, ahead: Forecast | None) -> list[dict[str, Any]]:
    """What the person should act on, with what to do."""
    words, alerts = words_of(screen), []
    if shows_balance(held) and one.overdue_minor and one.overdue_since:
        title = say(
            words["late_title"],
            amount=screen.money(one.overdue_minor),
            day=short_day(screen, one.overdue_since),
        )
        title = format_html("<span>{}</span>", title)  # one line of the notice
        alerts.append({"title": title, "text": words["late_text"], "is_late": True})
    budget = bill_budget(screen, held)
    if budget and ahead and ahead.amount_minor > budget:
        text = say(
            words["over_budget_text"],
            amount=screen.money(ahead.amount_minor),
            budget=screen.money(budget),
        )
        alerts.append({"title": words["over_budget_title"], "text": text, "is_late": False})
    return alerts


def _chart(screen: MyScreen, values: list[int | None], last: Period | None) -> Chart | None:
    if last is None or not any(values):
        return None
    words = words_of(screen)
    months = [last.plus(at - len(values) + 1) for at in range(len(values))]
    bars = [Bar(value, tick=screen.plain(month.month)) for value, month in zip(values, months, strict=True)]
    return Chart(
        sentence=format_html("{}", screen.energy(values[-1])),
        svg=months_svg(bars, rtl=is_rtl(screen)),
        summary=words["show_table"],
        columns=[words["month"], words["energy_column"]],
        rows=[
            [screen.month(month), screen.energy(value, unit=False)]
            for value, month in reversed(list(zip(values, months, strict=True)))
        ],
    )
