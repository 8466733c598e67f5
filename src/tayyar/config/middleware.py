"""Headers that every answer carries (what a page may load; robots keep out), what no request may hold, and the answer
while passwords queue.

Owns no page. Settings put the headers first, so that static files and errors carry them too.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from tayyar.core import passwords
from tayyar.portal import views

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def security_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Everything comes from this host; no inline script or style runs."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault(
            "Content-Security-Policy", POLICY
        )  # a view may only have set a stricter one
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        return response

    return answer


class NoNullCharacters:
    """No address, query or form of ours holds a null character, and the database takes none: 404 before any view.

    Bodies that a view reads by itself and bounds (hooks, APIs) are left to it; our own API refuses in its own form.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer of the site."""
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], address: dict[str, Any]
    ) -> HttpResponse | None:
        """The page of an address that does not exist, where there is a null character."""
        if request.path.startswith("/api/v1/"):
            return None
        sent: list[object] = [*args, *address.values()]
        sent += [text for _, texts in request.GET.lists() for text in texts]
        if not request.path.startswith(("/hooks/", "/_allauth/")):
            sent += [text for _, texts in request.POST.lists() for text in texts]
        return views.not_found(request) if any("\x00" in str(text) for text in sent) else None


class BusyPasswords:
    """Turns PasswordsBusy, wherever a password is checked, into a 503 that says when to try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer of the site."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page for people, JSON for apps."""
        if not isinstance(exception, passwords.PasswordsBusy):
            return None
        answer: HttpResponse
        if request.path.startswith("/_allauth/"):
            answer = JsonResponse({"status": 503, "errors": [{"code": "busy"}]}, status=503)
        else:
            answer = views.refuse(request, "signing_in", status=503)
        answer["Retry-After"] = str(passwords.RETRY_SECONDS)
        return answer
