"""A person's own settings: mobile, e-mail, language, what they agreed to, and the way to each account's settings.

Owns /me/settings and the pages that change a mobile or an e-mail, which ask for a fresh proof first. Holds no rule:
identity/contacts.py sends the code and the link and tells the old contact. Next: account_settings_views.py.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.core import clock, web
from tayyar.customers.codes import CodeRefused
from tayyar.customers.models import Channel, Language
from tayyar.identity import codes, contacts, people
from tayyar.identity.errors import ContactRefused
from tayyar.identity.models import TermsAcceptance
from tayyar.portal import join_form, shell
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.join_words import JOIN_WORDS
from tayyar.portal.me_accounts import every_account, named
from tayyar.portal.parts import Card, Field
from tayyar.portal.settings_words import SETTINGS_WORDS


@require_safe
@signed_in
def overview(screen: MyScreen) -> HttpResponse:
    """Everything about the person, and the accounts that they may manage."""
    words, person, now = SETTINGS_WORDS[screen.lang], screen.person, clock.now()
    waiting = contacts.pending(person=person, channel=Channel.EMAIL, now=now)
    context = {
        "title": words["title"],
        "s": words,
        "done": words.get(f"done_{screen.request.GET.get('done', '')}", ""),
        "name": person.customer.name,
        "mobile": contacts.masked(person.mobile),
        "email": contacts.masked(person.email) if person.email else "",
        "email_waits": format_html(
            words["email_waits"],
            address=format_html('<bdi dir="ltr">{}</bdi>', contacts.masked(waiting.contact_point)),
        )
        if waiting and waiting.contact_point
        else "",
        "has_address": bool(person.address),
        "spoken": [{"code": language.name, "name": language.label} for language in Language],
        "language_now": Language(person.language).name,
        "terms": [
            {
                "name": words[f"terms_{found.terms}"],
                "version": found.version,
                "day": screen.moment(found.accepted_at),
            }
            for found in TermsAcceptance.objects.filter(person=person).order_by("-accepted_at", "-id")
        ],
        "cards": [
            Card(
                title=named(held),
                href=reverse("portal:account_settings", args=[held.account.number]),
                lines=[screen.code(held.account.number)] if held.nickname else [],
            )
            for held in every_account(screen)
            if held.may_manage
        ],
    }
    response = screen.page("portal/me_settings.html", context)
    return shell.remember_language(screen.request, response, screen.lang)


@require_POST
@signed_in
def language(screen: MyScreen) -> HttpResponse:
    """In which language the person is shown and told everything."""
    wanted = screen.request.POST.get("language", "")
    if wanted not in Language.__members__:
        return redirect("portal:settings")
    people.set_language(person=screen.person, language=Language[wanted], now=clock.now())
    return redirect(f"{reverse('portal:settings')}?done=language&lang={wanted}")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def mobile(screen: MyScreen) -> HttpResponse:
    """A new mobile number; a code goes there."""
    if screen.request.method != "POST":
        return _address_page(screen, "mobile", "", "")
    typed = screen.request.POST.get("mobile", "")[:40]
    try:
        contacts.change_mobile(
            person=screen.person, address=typed, network=web.client_address(screen.request), now=clock.now()
        )
    except (ContactRefused, CodeRefused) as refusal:
        return _address_page(screen, "mobile", typed, problem_text(screen, refusal))
    return redirect("portal:settings_mobile_code")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def mobile_code(screen: MyScreen) -> HttpResponse:
    """The code that came to the new mobile, or another one."""
    now = clock.now()
    waiting = contacts.pending(person=screen.person, channel=Channel.SMS, now=now)
    if waiting is None or waiting.contact_point is None:
        return redirect("portal:settings")
    problem = ""
    if screen.request.method == "POST":
        try:
            if screen.request.POST.get("again"):
                contacts.change_mobile(
                    person=screen.person,
                    address=contacts.plain_address(waiting.contact_point),
                    network=web.client_address(screen.request),
                    now=now,
                )
                return redirect(f"{reverse('portal:settings_mobile_code')}?sent=1")
            contacts.confirm_mobile(
                person=screen.person, code=screen.request.POST.get("code", "")[:40], now=now
            )
            return redirect(f"{reverse('portal:settings')}?done=mobile")
        except (ContactRefused, CodeRefused) as refusal:
            problem = problem_text(screen, refusal)
    standing = contacts.code_standing(waiting, now=now)
    return code_page(
        screen,
        standing,
        sent_to=contacts.masked(waiting.contact_point),
        problem=problem,
        back=reverse("portal:settings_mobile"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def email(screen: MyScreen) -> HttpResponse:
    """A new e-mail address; a link goes there, and once more where `again` asks so."""
    if screen.request.method != "POST":
        return _address_page(screen, "email", "", "")
    typed, now = screen.request.POST.get("email", "")[:254], clock.now()
    if screen.request.POST.get("again"):
        waiting = contacts.pending(person=screen.person, channel=Channel.EMAIL, now=now)
        if waiting is None or waiting.contact_point is None:
            return redirect("portal:settings")
        typed = contacts.plain_address(waiting.contact_point)
    try:
        contacts.change_email(person=screen.person, address=typed, now=now)
    except ContactRefused as refusal:
        return _address_page(screen, "email", typed, problem_text(screen, refusal))
    return redirect(f"{reverse('portal:settings')}?done=email")


def _address_page(screen: MyScreen, name: str, typed: str, problem: str) -> HttpResponse:
    words, is_mobile = SETTINGS_WORDS[screen.lang], name == "mobile"
    field = Field(
        name,
        words[f"{name}_new"],
        typed,
        hint=words[f"{name}_hint"],
        error=problem,
        type="tel" if is_mobile else "email",
        is_code=True,
        inputmode="tel" if is_mobile else "email",
        autocomplete="tel-national" if is_mobile else "email",
        longest=20 if is_mobile else 254,
    )
    context = {
        "title": words[f"{name}_change"],
        "s": words,
        "lead": words[f"{name}_lead"],
        "field": field,
        "button": words[f"{name}_send"],
        "back": reverse("portal:settings"),
    }
    return screen.page("portal/me_settings_address.html", context, status=422 if problem else 200)


def code_page(
    screen: MyScreen, standing: codes.Standing | None, *, sent_to: str, problem: str, back: str
) -> HttpResponse:
    """Where a code is typed: how long it works, and from when another may be sent. It posts `code` or `again`."""
    words, join, now = SETTINGS_WORDS[screen.lang], JOIN_WORDS[screen.lang], clock.now()
    left = _seconds(standing.expires_at, now) if standing else 0
    wait = _seconds(standing.resend_at, now) if standing else 0

    def counting(key: str, seconds: int) -> SafeString:
        return format_html(join[key], seconds=format_html("<b data-left>{}</b>", screen.plain(seconds)))

    is_resent = screen.request.GET.get("sent") == "1" and left > 0
    arab = screen.lang == "ar" and screen.formats.digits == "arab"
    context: dict[str, Any] = {
        "title": join["code_title"],
        "s": words,
        "j": join,
        "lead": format_html(join["mobile_lead"], phone=format_html('<bdi dir="ltr">{}</bdi>', sent_to)),
        "problem": problem,
        "told": join["code_resent"] if is_resent and not problem else "",
        "code": join_form.code_field(screen.lang),
        "clock": left,
        "clock_text": counting("code_left", left),
        "wait": wait,
        "wait_text": counting("code_again_in", wait),
        "digits": "ar-u-nu-arab" if arab else "en-u-nu-latn",
        "back": back,
    }
    return screen.page("portal/me_settings_code.html", context, status=422 if problem else 200)


def problem_text(screen: MyScreen, refusal: ContactRefused | CodeRefused) -> str:
    """Why a contact is not taken, or a code not sent or not right."""
    if isinstance(refusal, CodeRefused):
        text: str = JOIN_WORDS[screen.lang][f"code_{refusal.reason}"]
        return text.format(seconds=screen.plain(refusal.seconds))
    words: Mapping[str, str] = SETTINGS_WORDS[screen.lang]
    return (
        JOIN_WORDS[screen.lang]["code_wrong"]
        if refusal.reason == "CODE"
        else words[f"refused_{refusal.reason}"]
    )


def _seconds(until: dt.datetime, now: dt.datetime) -> int:
    """Whole seconds until then, never below 0."""
    return max(0, -((now - until) // dt.timedelta(seconds=1)))
