"""The address Meta calls: the handshake, and statuses that are stored before they are acknowledged."""

import hmac
import json

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tayyar.core import clock
from tayyar.gateways.hooks import bounded_body, options_of
from tayyar.gateways.whatsapp.options import WhatsAppOptions, read_options
from tayyar.gateways.whatsapp.webhook import parse_statuses, verify_signature
from tayyar.notifications import receipts

GATEWAY = "WHATSAPP"
MOST_BYTES = 4 * 1024 * 1024  # Meta sends up to 3 MB
_CHALLENGE_LENGTH = 200


@csrf_exempt  # the signature is the proof
@require_http_methods(["GET", "POST"])
def webhook(request: HttpRequest, code: str) -> HttpResponse:
    """GET: Meta asks whether this address is ours. POST: statuses, acknowledged (200) once they are stored; without
    the 200 Meta sends them again, for days."""
    options = options_of(code, gateway=GATEWAY, read=read_options)
    if options is None:
        return HttpResponse(status=404)
    if request.method == "GET":
        return _handshake(request, options)
    body = bounded_body(request, most_bytes=MOST_BYTES)
    if body is None:
        return HttpResponse(status=413)
    if not verify_signature(body, request.headers.get("X-Hub-Signature-256", ""), options.app_secret):
        return HttpResponse(status=403)
    try:
        told = parse_statuses(json.loads(body))
    except (ValueError, RecursionError):  # signed, and yet no JSON: to have it again would not help
        return HttpResponse(status=200)
    if told:
        receipts.store(provider=code, receipts=told, now=clock.now())
    return HttpResponse(status=200)


def _handshake(request: HttpRequest, options: WhatsAppOptions) -> HttpResponse:
    token, challenge = request.GET.get("hub.verify_token", ""), request.GET.get("hub.challenge", "")
    is_ours = hmac.compare_digest(token.encode("utf-8", "replace"), options.verify_token.encode())
    if request.GET.get("hub.mode") != "subscribe" or not is_ours or len(challenge) > _CHALLENGE_LENGTH:
        return HttpResponse(status=403)
    return HttpResponse(challenge, content_type="text/plain; charset=utf-8")
