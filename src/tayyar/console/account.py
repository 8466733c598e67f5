"""Signing in and out of the console.

Owns the door's own page and its bound on guessing. Passwords and sessions are Django's. Next: runs.py.
"""

from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME, authenticate, login, logout
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tayyar.console.roles import can_read
from tayyar.console.screen import Screen
from tayyar.core import audit, clock, web
from tayyar.core.errors import UserError
from tayyar.profiles.installation import installed_profile

ATTEMPTS = web.Throttle(budget=10, seconds=60)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page, and what it posts."""
    screen = _screen(request)
    if request.method != "POST":
        if can_read(request.user):
            return redirect(_next(request))
        return _page(screen, "", status=200)
    name, password = request.POST.get("username", ""), request.POST.get("password", "")
    if not ATTEMPTS.spend(request):
        return _page(screen, "login_busy", status=429)
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User) or not can_read(user):
        known = User.objects.filter(username=name).values_list("pk", flat=True).first()
        audit.record(
            actor="visitor", action="SIGN_IN_REFUSED", subject=f"user:{known or 'unknown'}", now=clock.now()
        )
        return _page(screen, "login_wrong", status=403)
    login(request, user)
    audit.record(actor=f"user:{user.pk}", action="SIGNED_IN", subject=f"user:{user.pk}", now=clock.now())
    return redirect(_next(request))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    if request.user.is_authenticated:
        actor = f"user:{request.user.pk}"
        audit.record(actor=actor, action="SIGNED_OUT", subject=actor, now=clock.now())
    logout(request)
    return redirect("console:login")


def _screen(request: HttpRequest) -> Screen:
    try:
        return Screen(request, installed_profile())
    except UserError:
        return Screen(request, None)


def _next(request: HttpRequest) -> str:
    """Where the visitor wanted to go, if that is on this site."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else reverse("console:home")


def _page(screen: Screen, problem: str, *, status: int) -> HttpResponse:
    request = screen.request
    context: dict[str, Any] = {
        "title": screen.words["login_title"],
        "problem": screen.words[problem] if problem else "",
        "username": request.POST.get("username", ""),
        "next": _next(request),
    }
    return screen.page("console/login.html", context, status=status)
