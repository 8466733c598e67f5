"""The API itself: its operations under /api/v1, who may call them, how they refuse, and its OpenAPI document.

Owns the list of routers. Next: door.py and problems.py for every call, then each router's own file.
"""

import functools
import json

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from tayyar.api import accounts, bills, claims, me, readings, service_requests, sign_up, use, wishes
from tayyar.api.document import document_of
from tayyar.api.door import AUTH, guarded
from tayyar.api.problems import Problem, answer, not_found, render
from tayyar.core.errors import UserError

ROOT = "api/v1/"

api = NinjaAPI(
    title="Tayyar",
    version="1",
    description=(
        "What a signed-in person can do at their electricity utility. Sign in through /_allauth/app/v1 and send the "
        "session's token as X-Session-Token. docs/api.md tells the rest."
    ),
    auth=AUTH,
    docs_url=None,
    openapi_url=None,
    urls_namespace="api",
)
for module in (me, accounts, bills, use, readings, claims, service_requests, wishes, sign_up):
    api.add_router("", module.router)
for refusal in (Problem, UserError, ValidationError, AuthenticationError, HttpError):
    api.add_exception_handler(refusal, answer)


@functools.lru_cache(maxsize=1)
def document() -> bytes:
    """The OpenAPI document as JSON."""
    return json.dumps(document_of(api, f"/{ROOT}"), ensure_ascii=False).encode()


def openapi(request: HttpRequest) -> HttpResponse:
    """The document; anybody may read it."""
    if request.method not in ("GET", "HEAD"):
        refused = render(Problem(405, "METHOD"))
        refused["Allow"] = "GET, HEAD"
        return refused
    return HttpResponse(document(), content_type="application/json")


def missing(request: HttpRequest) -> HttpResponse:
    """No operation at this address."""
    return render(not_found())


def _patterns() -> list[URLPattern]:
    found = [
        URLPattern(one.pattern, guarded(one.callback), one.default_args, one.name)
        for one in api.urls[0]
        if isinstance(one, URLPattern) and one.name != "api-root"
    ]
    return [path("openapi.json", guarded(openapi)), *found, re_path(r"", guarded(missing))]


urlpatterns = _patterns()
