"""Bounces by HTTP: a mail server posts each mail to the bounce address as it came (message/rfc822).

For installations whose workers cannot read the mail server's Maildir. Who posts proves it by the provider's
webhook_secret. Next: notifications/receipts.py stores what bounces.py reads.
"""

import hmac

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tayyar.core import clock
from tayyar.gateways.hooks import options_of
from tayyar.gateways.smtp.bounces import MAX_BYTES, receipts_from_message
from tayyar.gateways.smtp.options import Options
from tayyar.notifications import receipts
from tayyar.notifications.providers import ProviderConfig

GATEWAY = "SMTP"


@csrf_exempt  # the secret is the proof
@require_POST
def webhook(request: HttpRequest, code: str) -> HttpResponse:
    """Take one mail. 204 once what it told is stored, also when it told nothing; 404 and 403 say nothing more."""
    options = options_of(code, gateway=GATEWAY, read=_read_options)
    if options is None or not options.webhook_secret:
        return HttpResponse(status=404)
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {options.webhook_secret}".encode()):
        return HttpResponse(status=403)
    told = receipts_from_message(request.read(MAX_BYTES))  # the rest is the mail that came back
    if told:
        receipts.store(provider=code, receipts=told, now=clock.now())
    return HttpResponse(status=204)


def _read_options(config: ProviderConfig) -> Options:
    return Options.parse(config.code, config.options)
