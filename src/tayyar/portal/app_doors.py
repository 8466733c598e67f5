"""What stands before allauth's API for apps: an answer of a passkey that has no such shape is refused, not a fault.

Owns no login: allauth's views do that. Next: urls_login.py puts it before them.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from tayyar.identity import passkeys

View = Callable[..., HttpResponse]


def passkey_shaped(view: View) -> View:
    """The view, once the credential in the body can be parsed; 400 before."""

    @csrf_exempt  # as allauth's own: an app proves itself by its token, not by a cookie
    @wraps(view)
    def answer(request: HttpRequest, **address: Any) -> HttpResponse:
        if request.method in ("POST", "PUT") and not _is_shaped(request):
            return JsonResponse(
                {"status": 400, "errors": [{"code": "invalid", "param": "credential"}]}, status=400
            )
        return view(request, **address)

    return answer


def _is_shaped(request: HttpRequest) -> bool:
    """POST under account/ makes a passkey, POST under auth/ uses one, PUT renames one and brings none."""
    try:
        sent = json.loads(request.body or b"{}")
    except ValueError:
        return False
    if not isinstance(sent, dict):
        return False
    if "credential" not in sent:
        return request.method == "PUT"
    return passkeys.is_answer(sent["credential"], to_creation="/account/" in request.path)
