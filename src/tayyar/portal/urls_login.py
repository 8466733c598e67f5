"""Addresses of the way in, of what protects a login, and of allauth's API for apps.

`urlpatterns` belong to the portal's namespace; `allauth_names` are those that allauth asks for by name; `app_api`
is the part of its headless API that people need: no sign-up, no change of address, which identity/ does with proof.
"""

from allauth.headless.account import views as account
from allauth.headless.base import views as base
from allauth.headless.constants import Client
from allauth.headless.mfa import views as mfa
from allauth.headless.usersessions import views as usersessions
from django.urls import URLPattern, path

from tayyar.portal import login_views, security_views
from tayyar.portal.app_doors import passkey_shaped

urlpatterns = [
    path("login", login_views.login, name="login"),
    path("login/passkey", login_views.passkey, name="login_passkey"),
    path("login/again", login_views.again, name="login_again"),
    path("login/forgotten", login_views.forgotten, name="login_forgotten"),
    path("login/forgotten/code", login_views.code, name="login_code"),
    path("logout", login_views.sign_out, name="logout"),
    path("me/security", security_views.overview, name="security"),
    path("me/security/password", security_views.password, name="security_password"),
    path("me/security/passkey", security_views.add_passkey, name="security_passkey"),
    path(
        "me/security/passkey/<int:passkey_id>/remove",
        security_views.remove_passkey,
        name="security_remove_passkey",
    ),
    path("me/security/app", security_views.app, name="security_app"),
    path("me/security/app/remove", security_views.remove_app, name="security_remove_app"),
    path("me/security/codes", security_views.codes, name="security_codes"),
    path(
        "me/security/sessions/<int:session_id>/end", security_views.end_session, name="security_end_session"
    ),
    path("me/security/sessions/end", security_views.end_others, name="security_end_others"),
]

allauth_names = [
    path("login", login_views.login, name="account_login"),
    path("login/again", login_views.again, name="account_reauthenticate"),
    path("login/second", login_views.second_factor, name="mfa_authenticate"),
    path("login/trust", login_views.trust_browser, name="mfa_trust"),
]


def _api(address: str, view: type) -> URLPattern:
    opened = view.as_api_view(client=Client.APP)  # type: ignore[attr-defined]
    return path(f"_allauth/app/v1/{address}", passkey_shaped(opened) if "webauthn" in address else opened)


app_api = [
    _api("config", base.ConfigView),
    _api("auth/session", account.SessionView),
    _api("auth/login", account.LoginView),
    _api("auth/reauthenticate", account.ReauthenticateView),
    _api("auth/2fa/authenticate", mfa.AuthenticateView),
    _api("auth/2fa/reauthenticate", mfa.ReauthenticateView),
    _api("auth/webauthn/login", mfa.LoginWebAuthnView),
    _api("auth/webauthn/authenticate", mfa.AuthenticateWebAuthnView),
    _api("auth/webauthn/reauthenticate", mfa.ReauthenticateWebAuthnView),
    _api("auth/sessions", usersessions.SessionsView),
    _api("account/password/change", account.ChangePasswordView),
    _api("account/authenticators", mfa.AuthenticatorsView),
    _api("account/authenticators/totp", mfa.ManageTOTPView),
    _api("account/authenticators/recovery-codes", mfa.ManageRecoveryCodesView),
    _api("account/authenticators/webauthn", mfa.ManageWebAuthnView),
]
