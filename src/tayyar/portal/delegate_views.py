"""Inviting a delegate, and what the invited person's link opens: accept, decline, end.

Owns the form's reading and the addresses of delegations. Holds no rule: notifications/consent.py invites and tells.
A holder's invitation is confirmed by a code to the holder's own contact point, bound to exactly what was typed.
"""

import datetime as dt
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from tayyar.billing.documents.present import masked
from tayyar.core import clock, web
from tayyar.core.links import open_delegate_token
from tayyar.core.references import with_check
from tayyar.core.text import format_date
from tayyar.customers.addresses import masked_address
from tayyar.customers.delegates import DelegateRefused, is_over
from tayyar.customers.models import Channel, ContactPoint, CustomerAccount, Delegate, DelegateState, Language
from tayyar.customers.wishes import wishes_of
from tayyar.notifications import consent
from tayyar.notifications.consent_forms import Invitation, Mistyped, read_invitation
from tayyar.portal import people, views
from tayyar.portal.wishes_views import Person, back_to_wishes, holder_page, personal
from tayyar.portal.words import WORDS
from tayyar.profiles.installation import installed_profile


@csrf_exempt
@require_POST
@personal(points=views.FORM_POINTS)
def invite(request: HttpRequest, person: Person) -> HttpResponse:
    """The form, then the code, then the invitation goes out."""
    words = WORDS[person.lang]
    if person.recipient:
        return views.gone(request)
    typed = {name: request.POST.get(name, "").strip() for name in Invitation.__slots__}
    try:
        invitation = read_invitation(
            request.POST, today=clock.today(), calling_code=installed_profile().calling_code
        )
    except Mistyped as mistyped:
        wanted = wishes_of(account_id=person.account_id)
        return holder_page(request, person, wanted, problem=words[str(mistyped)], invitation=typed)

    def go_on(_: ContactPoint) -> HttpResponse:
        try:
            _invite(person, invitation)
        except DelegateRefused as refusal:
            wanted = wishes_of(account_id=person.account_id)
            problem = words[f"delegate_refused_{refusal.reason}"]
            return holder_page(request, person, wanted, problem=problem, invitation=typed)
        return back_to_wishes(person, "invited")

    return people.confirm_by_code(
        request,
        lang=person.lang,
        account_id=person.account_id,
        contacts=people.contacts_for_codes(person.account_id, recipient=0),
        purpose="DELEGATE",
        subject=invitation.fingerprint,
        kept=asdict(invitation),
        lead=words["code_invite"].format(
            name=invitation.name,
            address=masked_address(invitation.address, channel=Channel[invitation.channel]),
        ),
        back=reverse("portal:wishes", args=[person.token]),
        then=go_on,
    )


def _invite(person: Person, invitation: Invitation) -> None:
    consent.invite_delegate(
        account_id=person.account_id,
        name=invitation.name,
        relation=invitation.relation,
        channel=Channel[invitation.channel],
        address=invitation.address,
        may_pay=invitation.rights == "pay",
        language=Language[invitation.language],
        expires_on=invitation.expires_on,
        actor="holder",
        now=clock.now(),
    )


@csrf_exempt
@require_POST
@personal(points=views.FORM_POINTS)
def end_by_holder(request: HttpRequest, person: Person, recipient: int) -> HttpResponse:
    """The holder ends a delegation or takes an invitation back."""
    found = Delegate.objects.filter(account_id=person.account_id, recipient=recipient).first()
    if person.recipient or found is None:
        return views.gone(request)
    consent.end_delegate(delegate_id=found.pk, state=DelegateState.REVOKED, actor="holder", now=clock.now())
    return back_to_wishes(person, "ended")


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def delegate(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites, what one would see, and the two answers; later, the way to end it."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    delegate_id = open_delegate_token(token, today=clock.today())
    found = Delegate.objects.filter(id=delegate_id).first() if delegate_id is not None else None
    if found is None:
        views.OPENINGS.spend(request, views.WRONG_POINTS)
        return views.gone(request)
    lang = web.language(request, known=Language(found.language).name)
    problem = ""
    if request.method == "POST":
        try:
            _answer(found, request.POST.get("action", ""))
            return redirect(reverse("portal:delegate", args=[token]) + f"?lang={lang}")
        except DelegateRefused:
            problem = WORDS[lang]["delegate_refused_NOT_OPEN"]
            found.refresh_from_db()
    return views.show(
        request, "portal/delegate.html", _context(found, lang, problem), lang, status=422 if problem else 200
    )


def _answer(found: Delegate, action: str) -> None:
    known: dict[str, Any] = {"delegate_id": found.pk, "actor": "delegate", "now": clock.now()}
    if action == "accept":
        consent.accept_delegate(**known)
    elif action == "decline":
        consent.end_delegate(state=DelegateState.DECLINED, **known)
    elif action == "end":
        consent.end_delegate(state=DelegateState.REVOKED, **known)


def _context(found: Delegate, lang: str, problem: str) -> dict[str, Any]:
    words, profile = WORDS[lang], installed_profile()
    account = CustomerAccount.objects.select_related("customer").get(id=found.account_id)
    over = found.state not in (DelegateState.INVITED, DelegateState.ACTIVE) or is_over(found, now=clock.now())
    state = "over" if over else "active" if found.state == DelegateState.ACTIVE else "invited"
    shown_state = found.state if found.ended_at or not over else DelegateState.EXPIRED
    holder = account.customer.name
    last = found.expires_on - dt.timedelta(days=1) if found.expires_on else None
    return {
        "title": words[f"delegate_title_{state}"],
        "lead": words[f"delegate_lead_{state}"].format(
            # Who holds a declined or ended link need not know the name any more.
            holder=masked(holder) if over else holder,
            state=words[f"delegate_{shown_state}"],
        ),
        "state": state,
        "rights": words["may_pay" if found.may_pay else "may_see"],
        "account": f"{with_check(found.account_id)}"[-4:],
        "until": format_date(last, lang, profile.formats) if last else "",
        "problem": problem,
    }
