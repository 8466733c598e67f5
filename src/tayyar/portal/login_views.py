"""The way in and out: password, passkey, second factor, a known browser, a forgotten password, proving it again.

Owns these pages alone. Who may sign in is identity/sign_in.py's, the steps of a login are django-allauth's flows.
Next: door.py stands before everything behind the login; security_views.py.
"""

import json
from collections.abc import Mapping
from typing import Any

from allauth.account.internal import flows
from allauth.account.internal.decorators import login_stage_required
from allauth.account.models import Login
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.internal.flows import trust
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage, TrustStage
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm, LoginWebAuthnForm
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal.flows import perform_passwordless_login
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tayyar.core import clock, web
from tayyar.identity import passkeys, recovery, sign_in
from tayyar.identity.adapter import HOME
from tayyar.identity.attempts import SignInRefused
from tayyar.portal import door, shell, views
from tayyar.portal.login_words import LOGIN_WORDS
from tayyar.portal.passwords import password_problem

LONGEST = 254  # of a number or an address; a password is taken whole
_RECOVERY = "tayyar_recovery"


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Identity number, e-mail or mobile with the password; or a passkey."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    if door.person_of(request) is not None:
        return redirect(wanted(request))
    if request.method != "POST":
        return _login_page(request)
    typed, password = request.POST.get("typed", "")[:LONGEST], request.POST.get("password", "")
    try:
        user = authenticate(request, typed=typed, password=password)
    except SignInRefused as refusal:
        return _login_page(request, problem=_too_early(request, refusal), status=429)
    if not isinstance(user, User):
        return _login_page(request, problem=_words(request)["wrong"], status=403)
    return flows.login.perform_password_login(request, {}, Login(user=user, redirect_url=wanted(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def passkey(request: HttpRequest) -> HttpResponse:
    """GET: what the browser asks its passkeys with. POST: what one answered."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    if request.method != "POST":
        return views.private(JsonResponse(webauthn.begin_authentication(None)), _lang(request))
    form = LoginWebAuthnForm(data=request.POST)
    is_answer = passkeys.is_answer(request.POST.get("credential", ""))
    found = form.cleaned_data["credential"] if is_answer and form.is_valid() else None
    if found is None or not sign_in.may_enter(found.user):
        return _login_page(request, problem=_words(request)["passkey_wrong"], status=403)
    return perform_passwordless_login(request, found, Login(user=found.user, redirect_url=wanted(request)))


@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """After the password: a code of the app, a recovery code, or a passkey."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    stage = request._login_stage  # type: ignore[attr-defined]
    user, problem = stage.login.user, ""
    if request.method == "POST":
        form = factor_form(request, user)
        if form.is_valid():
            form.save()
            return stage.exit()
        problem = factor_problem(form, _words(request))
    context = {"title": _words(request)["factor_title"], "problem": problem, **factors(user)}
    return _page(request, "portal/login_factor.html", context, status=403 if problem else 200)


@login_stage_required(stage=TrustStage.key, redirect_urlname="account_login")
@require_http_methods(["GET", "HEAD", "POST"])
def trust_browser(request: HttpRequest) -> HttpResponse:
    """Whether to ask for the second factor again in this browser."""
    if request.method != "POST":
        return _page(request, "portal/login_trust.html", {"title": _words(request)["trust_title"]})
    stage = request._login_stage  # type: ignore[attr-defined]
    user = stage.login.user
    response = stage.exit()
    if request.POST.get("trust") == "yes":
        trust.trust_browser(request, user, response)
    return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this login."""
    if sign_in.person_of(request) is not None:
        sign_in.end(request, now=clock.now())
    return redirect("portal:landing")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def again(request: HttpRequest) -> HttpResponse:
    """Prove once more who one is, before something sensitive."""
    person = door.person_of(request)
    if person is None:
        return redirect(f"{reverse('portal:login')}?next={HOME}")
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    problem, status = "", 200
    if request.method == "POST":
        try:
            problem = _prove_again(request, person.user)
        except SignInRefused as refusal:
            problem, status = _too_early(request, refusal), 429
        if not problem:
            sign_in.renew_key(request)
            return redirect(wanted(request))
        status = max(status, 403)
    context = {
        "title": _words(request)["again_title"],
        "problem": problem,
        "next": wanted(request),
        "has_password": person.user.has_usable_password(),
        **factors(person.user),
    }
    return _page(request, "portal/login_again.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Identity number and mobile; the answer is the same whether or not they belong to somebody."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    words = _words(request)
    number, mobile = request.POST.get("number", "")[:40].strip(), request.POST.get("mobile", "")[:40].strip()
    context = {"title": words["forgotten_title"], "number": number, "mobile": mobile, "problem": ""}
    if request.method != "POST":
        return _page(request, "portal/login_forgotten.html", context)
    if not number or not mobile:
        context["problem"] = words["forgotten_both"]
        return _page(request, "portal/login_forgotten.html", context, status=422)
    try:
        recovery.ask(number=number, mobile=mobile, network=web.client_address(request), now=clock.now())
    except SignInRefused as refusal:
        context["problem"] = _too_early(request, refusal)
        return _page(request, "portal/login_forgotten.html", context, status=429)
    request.session[_RECOVERY] = recovery.seal(number, mobile)
    return redirect(f"{reverse('portal:login_code')}?lang={_lang(request)}")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The code that was sent, if one was, and the new password."""
    if not views.OPENINGS.spend(request, views.FORM_POINTS):
        return views.busy(request)
    sealed = request.session.get(_RECOVERY)
    if not sealed:
        return redirect("portal:login_forgotten")
    words, problem = _words(request), ""
    if request.method == "POST":
        number, mobile = recovery.unseal(sealed)
        password = request.POST.get("password", "")
        problem = password_problem(password, words)
        if not problem and recovery.set_password(
            number=number,
            mobile=mobile,
            code=request.POST.get("code", "")[:20],
            password=password,
            now=clock.now(),
        ):
            del request.session[_RECOVERY]
            return redirect(f"{reverse('portal:login')}?done=recovered&lang={_lang(request)}")
        problem = problem or words["code_wrong"]
    context = {"title": words["code_title"], "problem": problem}
    return _page(request, "portal/login_code.html", context, status=422 if problem else 200)


def wanted(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is on this site."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if safe else HOME


def factors(user: User) -> dict[str, Any]:
    """What a page that asks for a second factor shows: whether codes are known, and the passkeys' question."""
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    has_passkeys = Authenticator.Type.WEBAUTHN in kinds
    return {
        "has_codes": bool(kinds - {Authenticator.Type.WEBAUTHN.value}),
        "has_passkeys": has_passkeys,
        "passkey_options": json.dumps(webauthn.begin_authentication(user)) if has_passkeys else "",
    }


def factor_form(
    request: HttpRequest,
    user: User,
    *,
    by_code: type[AuthenticateForm] = AuthenticateForm,
    by_passkey: type[AuthenticateWebAuthnForm] = AuthenticateWebAuthnForm,
) -> Any:
    """allauth's form for what was posted: a passkey's answer or a code, in digits of either kind."""
    if "credential" in request.POST:
        is_answer = passkeys.is_answer(request.POST["credential"])
        return by_passkey(user=user, data=request.POST if is_answer else {})
    digits = "".join(str(int(c)) for c in request.POST.get("code", "")[:40] if c.isdecimal())
    return by_code(user=user, data={"code": digits})


def factor_problem(form: Any, words: Mapping[str, str]) -> str:
    """What to say of a second factor that was not right."""
    found = [error.code for errors in form.errors.as_data().values() for error in errors]
    if "too_many_login_attempts" in found:
        return words["factor_wait"]
    return words["passkey_wrong" if "credential" in form.fields else "factor_wrong"]


def _prove_again(request: HttpRequest, user: User) -> str:
    """What is wrong with the proof that was posted; "" when it is right. SignInRefused, PasswordsBusy."""
    from allauth.mfa.base.forms import ReauthenticateForm
    from allauth.mfa.webauthn.forms import ReauthenticateWebAuthnForm

    words = _words(request)
    if "password" in request.POST:
        if not sign_in.prove_by_password(request, request.POST["password"], now=clock.now()):
            return words["again_wrong"]
        return ""
    form = factor_form(request, user, by_code=ReauthenticateForm, by_passkey=ReauthenticateWebAuthnForm)
    if not form.is_valid():
        return factor_problem(form, words)
    form.save()
    return ""


def _login_page(request: HttpRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    words = _words(request)
    context = {
        "title": words["title"],
        "problem": problem,
        "done": words.get(f"done_{request.GET.get('done', '')}", ""),
        "typed": request.POST.get("typed", "")[:LONGEST],
        "next": wanted(request),
    }
    return _page(request, "portal/login.html", context, status=status)


def _too_early(request: HttpRequest, refusal: SignInRefused) -> str:
    return _words(request)[f"refused_{refusal.reason}"].format(seconds=refusal.seconds)


def _page(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    lang = _lang(request)
    response = shell.page(request, template, {"l": LOGIN_WORDS[lang], **context}, lang=lang, status=status)
    return shell.remember_language(request, response, lang)


def _lang(request: HttpRequest) -> str:
    return web.language(request)


def _words(request: HttpRequest) -> Mapping[str, str]:
    return LOGIN_WORDS[_lang(request)]
