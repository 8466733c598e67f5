"""The address that Nafath calls when a person decided: its token is checked, kept and then acknowledged."""

import json

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.gateways.hooks import bounded_body
from tayyar.gateways.nafath.client import NafathAuthority
from tayyar.identity.authorities import authority_named
from tayyar.identity.ports import AuthorityError

MOST_BYTES = 64 * 1024


@csrf_exempt  # the token's signature is the proof
@require_POST
def callback(request: HttpRequest, code: str) -> HttpResponse:
    """200 once it is kept; 400 for what is not believed; 503 while Nafath's keys cannot be had."""
    try:
        authority = authority_named(code)
    except UserError:  # the authorities' file is wrong: told to whoever starts the site, not to a stranger
        authority = None
    if not isinstance(authority, NafathAuthority):
        return HttpResponse(status=404)
    body = bounded_body(request, most_bytes=MOST_BYTES)
    if body is None:
        return HttpResponse(status=413)
    try:
        is_kept = authority.heard(json.loads(body), now=clock.now())
    except AuthorityError:
        return HttpResponse(status=503)
    except (ValueError, RecursionError):
        is_kept = False
    return HttpResponse(status=200 if is_kept else 400)
