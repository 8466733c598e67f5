"""The screens of accounts that a run held or rejected: the list, one account, and what a reviewer decides.

Every read of a person's data is recorded here; every decision by the service that makes it. Next: billing/services.py.
"""

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST, require_safe

from tayyar.billing import queries as billing
from tayyar.billing import services
from tayyar.billing.documents.page import bill_context
from tayyar.billing.models import BillException
from tayyar.console import charts, queries
from tayyar.console.screen import Screen, staff
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.periods import Period
from tayyar.core.text import localise_digits
from tayyar.metering.measure import HOLD_REASONS, RELEASABLE
from tayyar.metering.models import MeterReading, ReadingQuality, Register

PAGE = 50
ACTIONS = ("release", "correct", "estimate", "dismiss")


class Mistyped(Exception):
    """A form's field cannot be read; the argument is the key of the words that say so."""


@require_safe
@staff()
def held_list(screen: Screen, period: str) -> HttpResponse:
    """Accounts of one reason or of all, fifty at a time."""
    wanted = Period.parse(period)
    run = billing.find_run(period=wanted)
    reason = screen.request.GET.get("reason", "")
    page = max(1, _whole_number(screen.request.GET.get("page", "1")))
    counts = [row for row in queries.exception_counts(run) if not reason or row["reason"] == reason]
    total = sum(row["accounts"] for row in counts)
    rows = billing.held_list(period=wanted, reason=reason or None, limit=PAGE, offset=(page - 1) * PAGE)
    audit.record(
        actor=screen.actor,
        action="HELD_LIST_READ",
        subject=f"run:{wanted}",
        now=clock.now(),
        reason=reason,
        page=page,
        accounts=len(rows),
    )
    last = max(1, -(-total // PAGE))
    context = {
        "title": screen.say("held_title", month=screen.month(wanted)),
        "period": str(wanted),
        "rows": [_row(screen, row) for row in rows],
        "reason": reason,
        "reasons": [
            {
                "code": row["reason"],
                "text": screen.reason(row["reason"]),
                "accounts": screen.num(row["accounts"]),
            }
            for row in queries.exception_counts(run)
        ],
        "truth": screen.say(
            "held_truth",
            total=screen.num(total),
            waiting=screen.num(sum(row["waiting"] for row in counts)),
        ),
        "pages": screen.say("page_of", page=screen.num(page), last=screen.num(last)),
        "earlier": page - 1 if page > 1 else None,
        "later": page + 1 if page < last else None,
    }
    return screen.page("console/held_list.html", context)


@require_safe
@staff()
def held_account(screen: Screen, period: str, agreement_id: int) -> HttpResponse:
    """One account: its use, its readings, the expected band, and what can be done."""
    return _account_page(screen, Period.parse(period), agreement_id)


@require_POST
@staff(acting=True)
def decide(screen: Screen, period: str, agreement_id: int, action: str) -> HttpResponse:
    """Release, correct, estimate or dismiss; then back to the account with what came of it."""
    wanted = Period.parse(period)
    known = {"period": wanted, "agreement_id": agreement_id, "actor": screen.actor, "now": clock.now()}
    try:
        number = _do(screen, action, known)
    except Mistyped as mistyped:
        return _account_page(screen, wanted, agreement_id, problem=screen.words[str(mistyped)], status=422)
    except UserError as error:
        return _account_page(screen, wanted, agreement_id, refusal=str(error), status=409)
    done = (
        screen.words["done_dismiss"]
        if number is None
        else screen.say("done_billed", number=screen.code(number))
    )
    messages.success(screen.request, done)
    return redirect("console:held", period=period, agreement_id=agreement_id)


@require_safe
@staff()
def bill(screen: Screen, number: int) -> HttpResponse:
    """A bill as its subscriber sees it, the name in full."""
    view = billing.bill_by_number(number=number)
    audit.record(actor=screen.actor, action="BILL_READ", subject=f"bill:{number}", now=clock.now())
    return screen.page("portal/bill.html", {**bill_context(view, screen.lang), "pdf_url": ""})


def _do(screen: Screen, action: str, known: dict[str, Any]) -> int | None:
    """Call the service of an action. The new bill's number, None for a dismissal."""
    form = screen.request.POST
    if action == "release":
        return services.release(**known)
    if action == "estimate":
        return services.estimate(**known)
    if action == "correct":
        value_wh = _kwh_as_wh(form.get("value_kwh", ""))
        return services.correct(value_wh=value_wh, read_date=_date(form.get("read_date", "")), **known)
    if action == "dismiss":
        why = form.get("why", "").strip()
        if not why:
            raise Mistyped("why_missing")
        services.dismiss(why=why, **known)
        return None
    raise UserError(f"There is no action {action!r}. Choose one of: {', '.join(ACTIONS)}.")


def _kwh_as_wh(typed: str) -> int:
    """A register value as people type it: kWh, Arabic digits too, at most three decimals."""
    plain = "".join(str(int(c)) if c.isdecimal() else c for c in typed if not c.isspace() and c not in ",٬")
    try:
        value_wh = Decimal(plain.replace("٫", ".")).scaleb(3)
    except InvalidOperation:
        raise Mistyped("value_mistyped") from None
    if (
        not value_wh.is_finite()
        or value_wh < 0
        or value_wh != value_wh.to_integral_value()
        or value_wh >= 10**15
    ):
        raise Mistyped("value_mistyped")
    return int(value_wh)


def _date(typed: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(typed)
    except ValueError:
        raise Mistyped("date_mistyped") from None
    if day > clock.today():
        raise Mistyped("date_future")
    return day


def _whole_number(typed: str) -> int:
    return int(typed) if typed.isdecimal() and len(typed) < 8 else 1


# ------------------------------------------------------------------------------------------------------------ contexts


def _row(screen: Screen, row: dict[str, Any]) -> dict[str, Any]:
    detail = row["detail"]
    return {
        "agreement_id": row["agreement_id"],
        "account": screen.code(row["account_number"]),
        "name": row["name"],
        "reason": screen.reason(row["reason"]),
        "outcome": screen.words[f"outcome_{row['outcome']}"],
        "measured": screen.energy(_measured(row["reason"], detail), unit=False),
        "band": _band_text(screen, detail),
        "resolution": screen.words[f"resolution_{row['resolution']}"] if row["resolution"] else "",
    }


def _measured(reason: str, detail: dict[str, Any]) -> int | None:
    """Wh that the run measured; None where its reason says that there was nothing to measure by."""
    return None if reason in HOLD_REASONS and reason not in RELEASABLE else detail.get("energy_wh")


def _band(detail: dict[str, Any]) -> tuple[int, int] | None:
    """(low, high) in Wh; from zero where only a ceiling is known; None where neither is."""
    high = detail.get("expected_high_wh")
    return None if high is None else (detail.get("expected_low_wh") or 0, high)


def _band_text(screen: Screen, detail: dict[str, Any]) -> Any:
    band = _band(detail)
    if band is None:
        return screen.energy(None)
    low, high = (screen.energy(edge // 1000 * 1000, unit=False) for edge in band)
    return screen.say("band", low=low, high=high)


def _account_page(
    screen: Screen,
    period: Period,
    agreement_id: int,
    *,
    problem: str = "",
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    found = queries.held_account(period=period, agreement_id=agreement_id)
    exception, detail = found.exception, found.exception.detail
    audit.record(
        actor=screen.actor,
        action="HELD_ACCOUNT_READ",
        subject=f"account:{found.account.pk}",
        now=clock.now(),
        period=str(period),
    )
    category = next((c.names for c in screen.profile.categories if c.number == found.agreement.category), {})
    facts = [
        ("account", screen.code(found.account.number)),
        ("holder", found.account.customer.name),
        ("address", found.agreement.usage_point.address),
        ("category", category.get(screen.lang, "")),
        ("breaker", screen.say("ampere", value=screen.num(found.agreement.usage_point.breaker_a))),
        ("days", _days(screen, detail)),
        ("measured", screen.energy(_measured(exception.reason, detail))),
        ("expected", _band_text(screen, detail)),
    ]
    open_for_action = not exception.resolution
    context = {
        "title": screen.say("account_title", number=screen.code(found.account.number)),
        "period": str(period),
        "month": screen.month(period),
        "agreement_id": agreement_id,
        "reason": screen.reason(exception.reason),
        "outcome": screen.words[f"outcome_{exception.outcome}"],
        "facts": [{"label": screen.words[f"fact_{key}"], "value": value} for key, value in facts],
        "chart": _chart(screen, period, found, detail),
        "history": [
            {"month": screen.month(month), "energy": screen.energy(energy_wh, unit=False)}
            for month, energy_wh in reversed(found.history)
            if energy_wh is not None
        ],
        "readings": _readings(screen, found),
        "decided": _decided(screen, exception) if exception.resolution else "",
        "bill_number": found.bill_number,
        "is_open": open_for_action,
        "can_release": open_for_action and services.can_release(exception),
        "today": clock.today().isoformat(),
        "problem": problem,
        "refusal": refusal,
        "typed": screen.request.POST,
    }
    return screen.page("console/held_account.html", context, status=status)


def _days(screen: Screen, detail: dict[str, Any]) -> Any:
    start, end = detail.get("start_date"), detail.get("end_date")
    if not start or not end:
        return screen.energy(None)
    first, after = dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    days = screen.counted("days", (after - first).days)
    return screen.say("days_from_to", start=screen.day(first), end=screen.day(after), days=days)


def _chart(screen: Screen, period: Period, found: queries.HeldAccount, detail: dict[str, Any]) -> Any:
    measured = _measured(found.exception.reason, detail)
    if measured is None:
        return ""
    months = [month for month, _ in found.history]
    labels = [
        localise_digits(str(month.month), screen.lang, screen.formats.digits) for month in [*months, period]
    ]
    alt = screen.words["chart_alt"].format(value=screen.plain(measured // 1000))
    return mark_safe(  # noqa: S308 - charts escapes every text
        charts.band_svg(
            [energy_wh for _, energy_wh in found.history],
            measured,
            _band(detail),
            labels,
            screen.plain(measured // 1000),
            rtl=screen.rtl,
            alt=alt,
        )
    )


def _readings(screen: Screen, found: queries.HeldAccount) -> list[dict[str, Any]]:
    serials = {installation.meter_id: installation.meter.serial for installation in found.installations}

    def row(reading: MeterReading) -> dict[str, Any]:
        return {
            "day": screen.day(reading.read_date),
            "meter": screen.code(serials.get(reading.meter_id, reading.meter_id)),
            "register": screen.words[f"register_{Register(reading.register).name}"],
            "value": screen.energy(reading.value_wh, unit=False),
            "quality": screen.words[f"quality_{ReadingQuality(reading.quality).name}"],
        }

    return [row(reading) for reading in found.readings]


def _decided(screen: Screen, exception: BillException) -> Any:
    return screen.say(
        "decided",
        what=screen.words[f"resolution_{exception.resolution}"],
        moment=screen.moment(exception.resolved_at) if exception.resolved_at else "",
    )
