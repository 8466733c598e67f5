"""How the people of one account are told: the wishes form of the link page, its WhatsApp number, delegates, messages.

Owns the pages under /me/settings/<account>. Who may manage is claims/queries.py's: any other account is the same 404 as
none. Holds no rule: notifications/consent.py keeps wishes and delegates, identity/whatsapp.py the number.
"""

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.claims.queries import Held
from tayyar.core import clock, crypto, web
from tayyar.core.links import preference_token
from tayyar.customers.codes import CodeRefused
from tayyar.customers.delegates import DelegateRefused
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, Delegate, DelegateState, Language
from tayyar.customers.services import ADDRESS_FIELD
from tayyar.customers.wishes import NothingLeft, Wishes, wishes_of
from tayyar.identity import codes, contacts, whatsapp
from tayyar.identity.errors import ContactRefused
from tayyar.notifications import consent
from tayyar.notifications.consent_forms import Invitation, Mistyped, read_invitation, read_wishes
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.me_accounts import choose, named
from tayyar.portal.parts import Field
from tayyar.portal.push_views import push_offer
from tayyar.portal.settings_views import code_page, problem_text
from tayyar.portal.settings_words import SETTINGS_WORDS
from tayyar.portal.wishes_views import message_rows, wishes_context

SESSION_KEY = "whatsapp"  # [account, contact point] whose code is waited for
VISIT_DAYS = 1  # how long the push button of a page that stays open works

View = Callable[..., HttpResponse]


def managed(view: View) -> View:
    """A view of an account that the person may manage, called as view(screen, held, **address); else the same 404."""

    @wraps(view)
    def answer(screen: MyScreen, number: str, **address: Any) -> HttpResponse:
        chosen = choose(screen, number)
        if chosen is None or not chosen.held.may_manage:
            return screen.gone()
        return view(screen, chosen.held, **address)

    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@managed
def wishes(screen: MyScreen, held: Held) -> HttpResponse:
    """How this account is told, and by whom it is received; what is posted are the wishes."""
    words, account_id = screen.words, held.account.pk
    before = wishes_of(account_id=account_id)
    if screen.request.method != "POST":
        return _page(screen, held, before)
    wanted = before
    try:
        wanted = read_wishes(screen.request.POST, before)
        consent.save_wishes(account_id=account_id, wishes=wanted, actor=screen.actor, now=clock.now())
    except NothingLeft:
        return _page(screen, held, wanted, problem=words["wishes_nothing_left"])
    except Mistyped as mistyped:
        return _page(screen, held, before, problem=words[str(mistyped)])
    return _back(held, "saved")


def _page(screen: MyScreen, held: Held, wanted: Wishes, *, problem: str = "") -> HttpResponse:
    account_id, until = held.account.pk, clock.today() + dt.timedelta(days=VISIT_DAYS)
    context = {
        "title": named(held),
        "s": SETTINGS_WORDS[screen.lang],
        "number": held.account.number,
        "nickname": held.nickname,
        "done": _done(screen),
        "problem": problem,
        "push": push_offer(preference_token(account_id, 0, expires=until), screen.lang),
        **wishes_context(account_id, wanted, screen.lang),
    }
    return screen.page("portal/me_settings_account.html", context, status=422 if problem else 200)


def _done(screen: MyScreen) -> str:
    done = screen.request.GET.get("done", "")
    return SETTINGS_WORDS[screen.lang].get(f"done_{done}") or screen.words.get(f"done_{done}", "")


def _back(held: Held, done: str) -> HttpResponse:
    return redirect(f"{reverse('portal:account_settings', args=[held.account.number])}?done={done}")


@require_safe
@signed_in
@managed
def messages(screen: MyScreen, held: Held) -> HttpResponse:
    """What the account's holder was told in the last 13 months."""
    context = {
        "title": screen.words["messages_title"],
        "number": held.account.number,
        "rows": message_rows(held.account.pk, 0, screen.lang),
    }
    return screen.page("portal/me_settings_messages.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
@managed
def invite(screen: MyScreen, held: Held) -> HttpResponse:
    """Invite somebody who receives the bills too. Sent twice, they are invited once."""
    if screen.request.method != "POST":
        return _invite_page(screen, held)
    typed = {name: screen.request.POST.get(name, "").strip() for name in Invitation.__slots__}
    try:
        invitation = read_invitation(
            screen.request.POST, today=clock.today(), calling_code=screen.profile.calling_code
        )
        _invite(screen, held.account.pk, invitation)
    except Mistyped as mistyped:
        return _invite_page(screen, held, typed, problem=screen.words[str(mistyped)])
    except DelegateRefused as refusal:
        problem = screen.words[f"delegate_refused_{refusal.reason}"]
        return _invite_page(screen, held, typed, problem=problem)
    return _back(held, "invited")


@transaction.atomic
def _invite(screen: MyScreen, account_id: int, invitation: Invitation) -> None:
    """Invite, unless whoever has this address is invited or receives the bills already."""
    CustomerAccount.objects.select_for_update().get(id=account_id)
    reached = ContactPoint.objects.filter(
        account_id=account_id,
        recipient__gt=0,
        is_active=True,
        channel=Channel[invitation.channel],
        address_hash=crypto.lookup_hash(invitation.address, field=ADDRESS_FIELD),
    ).values("recipient")
    going_on = (DelegateState.INVITED, DelegateState.ACTIVE)
    if Delegate.objects.filter(account_id=account_id, recipient__in=reached, state__in=going_on).exists():
        return
    consent.invite_delegate(
        account_id=account_id,
        name=invitation.name,
        relation=invitation.relation,
        channel=Channel[invitation.channel],
        address=invitation.address,
        may_pay=invitation.rights == "pay",
        language=Language[invitation.language],
        expires_on=invitation.expires_on,
        actor=screen.actor,
        now=clock.now(),
    )


def _invite_page(
    screen: MyScreen, held: Held, typed: dict[str, str] | None = None, *, problem: str = ""
) -> HttpResponse:
    wanted = wishes_of(account_id=held.account.pk)
    context = {
        "title": screen.words["invite_title"],
        "s": SETTINGS_WORDS[screen.lang],
        "number": held.account.number,
        "problem": problem,
        **wishes_context(held.account.pk, wanted, screen.lang, invitation=typed),
    }
    return screen.page("portal/me_settings_invite.html", context, status=422 if problem else 200)


@require_POST
@signed_in
@managed
def end_delegate(screen: MyScreen, held: Held, recipient: int) -> HttpResponse:
    """End a delegation or take an invitation back. Sent twice, it is over already."""
    found = Delegate.objects.filter(account_id=held.account.pk, recipient=recipient).first()
    if found is None:
        return screen.gone()
    consent.end_delegate(
        delegate_id=found.pk, state=DelegateState.REVOKED, actor=screen.actor, now=clock.now()
    )
    return _back(held, "ended")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
@managed
def whatsapp_number(screen: MyScreen, held: Held) -> HttpResponse:
    """The number for WhatsApp: the person's own mobile at once, another after a code."""
    words, typed, problem = SETTINGS_WORDS[screen.lang], "", ""
    if screen.request.method == "POST":
        typed = screen.request.POST.get("number", "")[:40]
        is_own = screen.request.POST.get("own") == "1"
        try:
            asked = whatsapp.ask_number(
                person=screen.person,
                account_id=held.account.pk,
                address=contacts.plain_address(screen.person.mobile) if is_own else typed,
                network=web.client_address(screen.request),
                now=clock.now(),
            )
        except (ContactRefused, CodeRefused) as refusal:
            problem = problem_text(screen, refusal)
        else:
            if asked is None:
                return _back(held, "whatsapp")
            screen.request.session[SESSION_KEY] = [held.account.pk, asked.pk]
            return redirect("portal:account_whatsapp_code", number=str(held.account.number))
    context = {
        "title": words["whatsapp_title"],
        "s": words,
        "number": held.account.number,
        "mobile": contacts.masked(screen.person.mobile),
        "field": Field(
            "number",
            words["whatsapp_other"],
            typed,
            hint=words["mobile_hint"],
            error=problem,
            type="tel",
            is_code=True,
            inputmode="tel",
            longest=20,
        ),
    }
    return screen.page("portal/me_settings_whatsapp.html", context, status=422 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
@managed
def whatsapp_code(screen: MyScreen, held: Held) -> HttpResponse:
    """The code that came by WhatsApp, or another one."""
    account_id, now = held.account.pk, clock.now()
    kept = screen.request.session.get(SESSION_KEY, [0, 0])
    asked = ContactPoint.objects.filter(pk=kept[1]).first() if kept[0] == account_id else None
    if asked is None:
        return redirect("portal:account_settings", number=str(held.account.number))
    here, problem = reverse("portal:account_whatsapp_code", args=[held.account.number]), ""
    common: dict[str, Any] = {
        "person": screen.person,
        "account_id": account_id,
        "contact": asked,
        "now": now,
    }
    if screen.request.method == "POST":
        try:
            if screen.request.POST.get("again"):
                whatsapp.send_again(network=web.client_address(screen.request), **common)
                return redirect(f"{here}?sent=1")
            whatsapp.confirm_number(code=screen.request.POST.get("code", "")[:40], **common)
            del screen.request.session[SESSION_KEY]
            return _back(held, "whatsapp")
        except (ContactRefused, CodeRefused) as refusal:
            problem = problem_text(screen, refusal)
    return code_page(
        screen,
        codes.standing(subject=whatsapp.subject_of(screen.person, account_id, asked), now=now),
        sent_to=contacts.masked(asked),
        problem=problem,
        back=reverse("portal:account_whatsapp", args=[held.account.number]),
    )
