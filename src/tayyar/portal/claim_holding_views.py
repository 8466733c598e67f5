"""An account's own settings for its holder: name and budget, who uses the supply, and the end of a tenancy.

Owns the page and the words of what is refused. Who may set them, and what the end of a tenancy bills, claims decides; a
foreign account is the same 404 as none. Every form is safe to send twice. Next: claims/services.py.
"""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tayyar.billing.services import RunUnderWay
from tayyar.claims import queries, services
from tayyar.claims.errors import ClaimRefused
from tayyar.claims.models import ClaimRole
from tayyar.claims.queries import Held
from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.text import format_amount
from tayyar.portal.claim_form import read_day
from tayyar.portal.claim_parts import words_of
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import choose, local_now, named
from tayyar.portal.parts import Field

_LATIN = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫", "01234567890123456789.")
LONGEST_NUMBER = 12
FORMS = ("describe", "use", "end")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def holding(screen: MyScreen, number: str) -> HttpResponse:
    """The account's settings; each of their forms posts here with its name in `do`."""
    chosen = choose(screen, number)
    if chosen is None or not chosen.held.may_manage:
        return screen.gone()
    held, errors = chosen.held, dict[str, str]()
    if screen.request.method == "POST":
        form = screen.request.POST.get("do", "")
        if form == "end" and not held.is_open:
            return _saved(held, form)  # sent twice: it ended at the first
        if form not in FORMS or (form != "describe" and not held.is_open):
            return screen.gone()
        errors = {"describe": _describe, "use": _use, "end": _end}[form](screen, held)
        if not errors:
            return _saved(held, form)
    return _page(screen, held, errors)


def _saved(held: Held, form: str) -> HttpResponse:
    address = reverse("portal:holding", args=[held.account.number])
    return redirect(f"{address}?{urlencode({'saved': form})}")


def _typed(screen: MyScreen, name: str) -> str:
    """A number as typed, in Latin digits."""
    return screen.request.POST.get(name, "").translate(_LATIN).strip()[:LONGEST_NUMBER]


def _describe(screen: MyScreen, held: Held) -> dict[str, str]:
    """Keep name and budget; empty removes them."""
    typed = _typed(screen, "budget")
    try:
        services.describe_holding(
            person=screen.person,
            holding_id=held.holding_id,
            nickname=screen.request.POST.get("nickname", ""),
            budget_minor=screen.profile.currency.parse(typed) if typed else None,
            now=clock.now(),
        )
    except UserError:
        return {"nickname": words_of(screen)["describe_bad"]}
    return {}


def _use(screen: MyScreen, held: Held) -> dict[str, str]:
    """The holder uses the supply from a day on."""
    words = words_of(screen)
    day = read_day(screen.request.POST.get("use_start", ""))
    if day is None:
        return {"use_start": words["use_day"]}
    try:
        services.declare_beneficiary(
            person=screen.person, account_id=held.account.pk, start_date=day, now=clock.now()
        )
    except ClaimRefused as refused:
        return {"use_start": words.get(f"use_{refused.reason}", words["use_START_EARLY"])}
    return {}


def _end(screen: MyScreen, held: Held) -> dict[str, str]:
    """The tenant leaves on a day, with the reading of that day where they know it."""
    words, value = words_of(screen), _typed(screen, "end_value")
    day = read_day(screen.request.POST.get("end_day", ""))
    errors: dict[str, str] = {}
    if held.role != ClaimRole.TENANT or day is None:
        errors["end_day"] = words["end_END"]
    if value and not (value.isascii() and value.isdecimal() and len(value) <= 9):
        errors["end_value"] = words["end_value_wrong"]
    if screen.request.POST.get("sure") != "1":
        errors["sure"] = words["end_sure_missing"]
    if errors or day is None:
        return errors
    try:
        services.end_holding(
            person=screen.person,
            account_id=held.account.pk,
            end_date=day,
            value_wh=int(value) * 1000 if value else None,
            now=clock.now(),
        )
    except RunUnderWay:
        return {"": words["end_RUN"]}
    except ClaimRefused:
        return {"end_day": words["end_END"]}
    except UserError:
        return {"end_value": words["end_other"]}
    return {}


def _page(screen: MyScreen, held: Held, errors: dict[str, str]) -> HttpResponse:
    words, today = words_of(screen), local_now(screen).date()
    saved = screen.request.GET.get("saved", "")
    user = queries.beneficiaries_of(held.account.pk).filter(end_date=None).first()
    context: dict[str, Any] = {
        "title": words["holding_title"],
        "c": words,
        "name": named(held),
        "number": held.account.number,
        "saved": words[f"saved_{saved}"] if saved in FORMS and not errors else "",
        "problems": list(errors.items()),
        "describe": _describe_fields(screen, held, errors),
        "used_by": words["use_now"].format(day=screen.day(user.start_date))
        if user and user.customer_id == held.customer_id
        else "",
        "use_start": _day_field(screen, "use_start", words["use_start"], today, errors)
        if held.is_open
        else None,
        "end": _end_fields(screen, today, errors) if held.is_open and held.role == ClaimRole.TENANT else None,
        "sure_error": errors.get("sure", ""),
    }
    return screen.page("portal/claim_holding.html", context, status=422 if errors else 200)


def _describe_fields(screen: MyScreen, held: Held, errors: dict[str, str]) -> list[Field]:
    words, posted = words_of(screen), screen.request.POST
    kept = (
        format_amount(held.budget_minor, screen.profile.currency, "en", screen.formats).replace(",", "")
        if held.budget_minor
        else ""
    )
    return [
        Field(
            "nickname",
            words["nickname"],
            posted.get("nickname", held.nickname)[:200],
            hint=words["nickname_hint"],
            error=errors.get("nickname", ""),
            longest=services.LONGEST_NICKNAME,
            required=False,
        ),
        Field(
            "budget",
            words["budget"],
            posted.get("budget", kept)[:LONGEST_NUMBER],
            hint=words["budget_hint"],
            is_code=True,
            inputmode="decimal",
            longest=LONGEST_NUMBER,
            required=False,
        ),
    ]


def _day_field(screen: MyScreen, name: str, label: str, today: dt.date, errors: dict[str, str]) -> Field:
    typed = screen.request.POST.get(name, today.isoformat())[:10]
    return Field(name, label, typed, error=errors.get(name, ""), type="date")


def _end_fields(screen: MyScreen, today: dt.date, errors: dict[str, str]) -> list[Field]:
    words = words_of(screen)
    return [
        _day_field(screen, "end_day", words["end_day"], today, errors),
        Field(
            "end_value",
            words["end_value"],
            _typed(screen, "end_value"),
            hint=words["end_value_hint"],
            error=errors.get("end_value", ""),
            is_code=True,
            inputmode="numeric",
            longest=9,
            required=False,
        ),
    ]
