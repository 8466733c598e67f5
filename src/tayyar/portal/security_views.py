"""How a person protects their login: password, passkeys, the app's codes, recovery codes, sessions, last logins.

Owns the pages under /me/security. Every change asks for a proof that is minutes old; passkeys and codes are
django-allauth's, notices to the person identity/login_notices.py's. Next: templates/portal/security*.html.
"""

import json
from collections.abc import Mapping
from typing import Any

from allauth.account.internal.flows import password_change
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal import flows as recovery_codes
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import flows as totp_flows
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from allauth.mfa.webauthn.internal import flows as webauthn
from allauth.usersessions.internal.flows import sessions as session_flows
from allauth.usersessions.models import UserSession
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tayyar.billing.documents.qr import qr_svg
from tayyar.core import clock
from tayyar.identity import passkeys, sign_in
from tayyar.identity.models import SignIn
from tayyar.portal.agents import agent_name
from tayyar.portal.door import MyScreen, signed_in
from tayyar.portal.login_views import factor_problem
from tayyar.portal.login_words import LOGIN_WORDS
from tayyar.portal.passwords import password_problem
from tayyar.portal.security_words import SECURITY_WORDS

LAST_LOGINS = 10


@require_safe
@signed_in
def overview(screen: MyScreen) -> HttpResponse:
    """What protects this login, where it is open, and when it was used."""
    words, user = _words(screen), screen.person.user
    found = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    kinds = {authenticator.type for authenticator in found}
    context = {
        "title": words["title"],
        "done": words.get(f"done_{screen.request.GET.get('done', '')}", ""),
        "has_password": user.has_usable_password(),
        "passkeys": [_passkey(screen, each) for each in found if each.type == Authenticator.Type.WEBAUTHN],
        "has_app": Authenticator.Type.TOTP in kinds,
        "has_codes": Authenticator.Type.RECOVERY_CODES in kinds,
        "sessions": _sessions(screen),
        "logins": [
            _login(screen, each)
            for each in SignIn.objects.filter(user=user).order_by("-at", "-id")[:LAST_LOGINS]
        ],
    }
    return _page(screen, "portal/security.html", context)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def password(screen: MyScreen) -> HttpResponse:
    """Set a new password; every other login of the person ends."""
    words, user, problem = _words(screen), screen.person.user, ""
    if screen.request.method == "POST":
        wanted = screen.request.POST.get("password", "")
        problem = password_problem(wanted, LOGIN_WORDS[screen.lang])
        if not problem:
            password_change.change_password(user, wanted)
            password_change.finalize_password_change(screen.request, user)
            return _back(screen, "password")
    hint = LOGIN_WORDS[screen.lang]["password_hint"]
    context = {"title": words["password_change"], "problem": problem, "hint": hint}
    return _page(screen, "portal/security_password.html", context, status=422 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def add_passkey(screen: MyScreen) -> HttpResponse:
    """Make a passkey of this device."""
    words, user, problem = _words(screen), screen.person.user, ""
    if screen.request.method == "POST":
        form = AddWebAuthnForm(user=user, data={**screen.request.POST.dict(), "passwordless": "on"})
        is_answer = passkeys.is_answer(screen.request.POST.get("credential", ""), to_creation=True)
        if is_answer and form.is_valid():
            name = form.cleaned_data["name"].strip()[:40] or agent_name(_agent(screen), words)
            _, codes = webauthn.add_authenticator(
                screen.request, name=name, credential=form.cleaned_data["credential"]
            )
            return redirect("portal:security_codes") if codes else _back(screen, "passkey")
        problem = words["passkey_failed"]
    context = {
        "title": words["add_passkey"],
        "problem": problem,
        "name": agent_name(_agent(screen), words),
        "options": json.dumps(webauthn.begin_registration(screen.request, user, True)),
    }
    return _page(screen, "portal/security_passkey.html", context, status=422 if problem else 200)


@require_POST
@signed_in(reauth=True)
def remove_passkey(screen: MyScreen, passkey_id: int) -> HttpResponse:
    """Forget one passkey. Sent twice, it is gone already."""
    own = Authenticator.objects.filter(user=screen.person.user, type=Authenticator.Type.WEBAUTHN)
    found = own.filter(pk=passkey_id).first()
    if found is None:
        return screen.gone()
    if not screen.person.user.has_usable_password() and own.count() == 1:
        return _back(screen, "last_passkey")
    webauthn.remove_authenticator(screen.request, found)
    return _back(screen, "passkey_removed")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def app(screen: MyScreen) -> HttpResponse:
    """Codes from an app as the second factor: set it up, or see that it is."""
    words, user, problem = _words(screen), screen.person.user, ""
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
        return _back(screen, "app")
    data = None
    if screen.request.method == "POST":
        digits = "".join(str(int(c)) for c in screen.request.POST.get("code", "")[:40] if c.isdecimal())
        data = {"code": digits}
    form = ActivateTOTPForm(user=user, data=data)
    if data is not None:
        if form.is_valid():
            _, codes = totp_flows.activate_totp(screen.request, form)
            return redirect("portal:security_codes") if codes else _back(screen, "app")
        problem = factor_problem(form, LOGIN_WORDS[screen.lang])
    context = {
        "title": words["app_title"],
        "problem": problem,
        "secret": " ".join(form.secret[i : i + 4] for i in range(0, len(form.secret), 4)),
        "picture": mark_safe(qr_svg(get_adapter().build_totp_url(user, form.secret))),  # noqa: S308 - ours
    }
    return _page(screen, "portal/security_app.html", context, status=422 if problem else 200)


@require_POST
@signed_in(reauth=True)
def remove_app(screen: MyScreen) -> HttpResponse:
    """Ask for the app's codes no more."""
    found = Authenticator.objects.filter(user=screen.person.user, type=Authenticator.Type.TOTP).first()
    if found is not None:
        totp_flows.deactivate_totp(screen.request, found)
    return _back(screen, "app_removed")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in(reauth=True)
def codes(screen: MyScreen) -> HttpResponse:
    """The recovery codes that are left; POST makes new ones, and the old ones stop working."""
    words = _words(screen)
    if not recovery_codes.can_generate_recovery_codes(screen.person.user):
        return _back(screen, "")
    if screen.request.method == "POST":
        recovery_codes.generate_recovery_codes(screen.request)
        return redirect("portal:security_codes")
    found, _ = recovery_codes.view_recovery_codes(screen.request)
    context = {
        "title": words["codes_title"],
        "codes": [f"{code[:4]} {code[4:]}" for code in found.get_unused_codes()] if found else [],
    }
    return _page(screen, "portal/security_codes.html", context)


@require_POST
@signed_in(reauth=True)
def end_session(screen: MyScreen, session_id: int) -> HttpResponse:
    """End one login elsewhere. Sent twice, it is over already."""
    own = UserSession.objects.filter(user=screen.person.user, pk=session_id).first()
    if own is None:
        return screen.gone()
    if own.is_current():
        sign_in.end(screen.request, now=clock.now())
        return redirect("portal:login")
    session_flows.end_sessions(screen.request, [own])
    return _back(screen, "session")


@require_POST
@signed_in(reauth=True)
def end_others(screen: MyScreen) -> HttpResponse:
    """End every login but this one."""
    session_flows.end_other_sessions(screen.request, screen.person.user)
    return _back(screen, "sessions")


def _sessions(screen: MyScreen) -> list[dict[str, Any]]:
    found = UserSession.objects.purge_and_list(screen.person.user)
    return [
        {
            "id": session.pk,
            "name": agent_name(session.user_agent, _words(screen)),
            "current": session.is_current(),
            "seen": screen.moment(session.last_seen_at),
        }
        for session in sorted(found, key=lambda session: (not session.is_current(), -session.pk))
    ]


def _login(screen: MyScreen, found: SignIn) -> dict[str, Any]:
    words = _words(screen)
    return {
        "name": agent_name(found.agent, words),
        "at": screen.moment(found.at),
        "how": words[f"how_{found.how}"],
        "is_new": found.is_new_device,
    }


def _passkey(screen: MyScreen, found: Authenticator) -> dict[str, Any]:
    used = found.last_used_at
    return {
        "id": found.pk,
        "name": found.wrap().name,
        "made": screen.day(found.created_at.date()),
        "used": screen.moment(used) if used else "",
    }


def _agent(screen: MyScreen) -> str:
    return screen.request.META.get("HTTP_USER_AGENT", "")


def _back(screen: MyScreen, done: str) -> HttpResponse:
    return redirect(f"{reverse('portal:security')}?done={done}")


def _words(screen: MyScreen) -> Mapping[str, str]:
    return SECURITY_WORDS[screen.lang]


def _page(screen: MyScreen, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    return screen.page(template, {"s": _words(screen), **context}, status=status)
