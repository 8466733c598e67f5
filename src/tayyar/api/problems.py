"""Every refusal as RFC 9457 problem+json: a stable code, a sentence in the caller's language, what is wrong by field.

Owns which reason is which status. Foreign, unknown and malformed names are one answer. Next: app.py registers `answer`.
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language
from ninja.errors import AuthenticationError, HttpError, ValidationError

from tayyar.api.words import WORDS
from tayyar.claims.errors import ClaimRefused
from tayyar.core.errors import UserError
from tayyar.core.passwords import PasswordsBusy
from tayyar.core.text import LANGUAGES
from tayyar.customers.codes import CodeRefused
from tayyar.customers.delegates import DelegateRefused
from tayyar.customers.wishes import NothingLeft
from tayyar.identity.errors import ContactRefused, SignUpRefused
from tayyar.identity.ports import AuthorityError
from tayyar.metering.services import ReadingRefused
from tayyar.requests.documents import UploadRefused
from tayyar.requests.errors import FormRefused, RequestRefused

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 60
_STATUS: Mapping[str, int] = {
    **dict.fromkeys(("BUDGET", "WAIT", "TRIES", "TOO_MANY", "NETWORK", "TOO_FAST"), 429),
    **dict.fromkeys(
        ("ENDED", "OTHER_FORM", "HELD", "OPEN", "MOVED_ON", "HAS_LOGIN", "ORDER", "SAME", "OTHER_VALUE"), 409
    ),
    "DOWN": 503,
}
# Reasons that would tell that something exists, or that it is another's.
_NOTHING_THERE = {
    ("CLAIM", "NOT_YOURS"),
    ("CLAIM", "NOT_OPEN"),
    ("REQUEST", "NOT_YOURS"),
    ("REQUEST", "GONE"),
}
_KINDS: tuple[tuple[type[UserError], str], ...] = (
    (ClaimRefused, "CLAIM"),
    (RequestRefused, "REQUEST"),
    (UploadRefused, "UPLOAD"),
    (SignUpRefused, "SIGN_UP"),
    (ContactRefused, "CONTACT"),
    (CodeRefused, "CODE"),
    (DelegateRefused, "DELEGATE"),
    (AuthorityError, "AUTHORITY"),
)


class Problem(Exception):
    """A refusal: `code` for programs, `errors` the code of each field, `kind` where words differ by module."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        kind: str = "",
        errors: Mapping[str, str] | None = None,
        retry_seconds: int | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.kind = status, code, kind
        self.errors, self.retry_seconds = errors or {}, retry_seconds


def not_found() -> Problem:
    """What is unknown, malformed or another's."""
    return Problem(404, "NOT_FOUND")


def invalid(**errors: str) -> Problem:
    """Fields that cannot be taken, each with its code."""
    return Problem(422, "INVALID", errors=errors)


def problem_of(error: Exception) -> Problem:
    """The problem that an exception is; one of ours without a reason is REFUSED."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return Problem(422, "INVALID", errors=_fields(error.errors))
    if isinstance(error, FormRefused):
        return Problem(422, "INVALID", errors={f"form.{name}": code for name, code in error.errors.items()})
    if isinstance(error, Http404):
        return not_found()
    if isinstance(error, AuthenticationError):
        return Problem(401, "UNAUTHENTICATED")
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "TOO_LARGE")
    if isinstance(error, HttpError | SuspiciousOperation):
        return Problem(400, "MALFORMED")
    if isinstance(error, PasswordsBusy):
        return Problem(503, "BUSY", retry_seconds=3)
    if isinstance(error, NothingLeft):
        return Problem(422, "NOTHING_LEFT")
    if isinstance(error, ReadingRefused):
        return Problem(_STATUS.get(error.code, 422), error.code)
    for known, kind in _KINDS:
        if isinstance(error, known):
            return _refused(kind, error)
    return Problem(422, "REFUSED")


def _refused(kind: str, error: Any) -> Problem:
    reason, seconds = str(error.reason), int(getattr(error, "seconds", 0))
    if (kind, reason) in _NOTHING_THERE:
        return not_found()
    if kind == "DELEGATE" and reason == "NOT_OPEN":
        return Problem(409, reason)
    return Problem(_STATUS.get(reason, 422), reason, kind=kind, retry_seconds=seconds or None)


def answer(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """The problem as JSON."""
    return render(problem_of(error if isinstance(error, Exception) else error()))


def render(problem: Problem) -> JsonResponse:
    """The problem in the language that the request asks for."""
    lang = language()
    body: dict[str, Any] = {
        "type": f"urn:tayyar:problem:{problem.code}",
        "title": say(lang, problem.code, problem.kind),
        "status": problem.status,
        "code": problem.code,
        "errors": [
            {"field": name, "code": code, "message": say(lang, code, "FIELD")}
            for name, code in sorted(problem.errors.items())
        ],
    }
    response = JsonResponse(
        body, status=problem.status, content_type=MEDIA_TYPE, json_dumps_params={"ensure_ascii": False}
    )
    if problem.status in (429, 503):
        response["Retry-After"] = str(problem.retry_seconds or RETRY_SECONDS)
    if problem.status == 401:
        response["WWW-Authenticate"] = "X-Session-Token"
    response["Cache-Control"] = "private, no-store"
    response["Content-Language"] = lang
    return response


def say(lang: str, code: str, kind: str = "") -> str:
    """The sentence of a code; a reason that has none yet is said generally, and its code stays."""
    words = WORDS[lang]
    general = "FIELD.INVALID" if kind == "FIELD" else "REFUSED"
    return words.get(f"{kind}.{code}") or words.get(code) or words[general]


def language() -> str:
    """ "ar", "en" or "fr": the first that Accept-Language names, else Arabic."""
    asked = (get_language() or "")[:2]
    return asked if asked in LANGUAGES else LANGUAGES[0]


_CODES = {
    "missing": "MISSING",
    "extra_forbidden": "UNKNOWN",
    "string_too_long": "LENGTH",
    "string_too_short": "LENGTH",
    "literal_error": "CHOICE",
    "enum": "CHOICE",
    "bool_parsing": "YES_NO",
    "bool_type": "YES_NO",
}


def _fields(found: list[dict[str, Any]]) -> dict[str, str]:
    """The code of each field that could not be read; the parts of its place that only the server knows left out."""
    fields = {}
    for one in found:
        place = [str(part) for part in one["loc"]]
        place = place[2:] if place[:1] == ["body"] and len(place) > 2 else place[1:] or place
        kind = str(one["type"])
        code = _CODES.get(kind) or (
            "DATE"
            if "date" in kind
            else "NUMBER"
            if kind.startswith(("int", "greater", "less", "multiple"))
            else "INVALID"
        )
        fields[".".join(place)] = code
    return fields
