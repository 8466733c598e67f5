"""Being told by the browser: its service worker, and the door through which a browser hands over its subscription.

Holds no rule: a person's own link (the wishes page) says who it is, customers/push_address.py what may be stored,
customers/services.py stores it. A bill's link, which people forward, cannot: whoever had it would be told of all the
account's later bills. A wrong, expired or unknown link is one and the same answer. Next: static/portal/push.js, sw.js.
"""

import datetime as dt
from pathlib import Path
from typing import TypedDict

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from tayyar.core import clock
from tayyar.core.errors import UserError
from tayyar.core.links import open_preference_token
from tayyar.core.vapid import vapid_public_key
from tayyar.customers.delegates import is_over
from tayyar.customers.models import Channel, CustomerAccount, Delegate, DelegateState
from tayyar.customers.push_address import LONGEST_TEXT, PushAddress
from tayyar.customers.services import add_contact_point
from tayyar.portal.push_words import PUSH_WORDS
from tayyar.portal.views import OPENINGS, WRONG_POINTS

SUBSCRIBE_POINTS = 10


class PushOffer(TypedDict):
    """What templates/portal/push.html shows."""

    key: str
    subscribe: str
    worker: str
    w: dict[str, str]


def push_offer(token: str, lang: str) -> PushOffer:
    """The button on the wishes page that `token` opens, in "ar", "en" or "fr"."""
    return {
        "key": vapid_public_key(),
        "subscribe": reverse("portal:push", args=[token]),
        "worker": reverse("portal:service_worker"),
        "w": dict(PUSH_WORDS[lang]),
    }


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script, from the root of the site, as its scope is the whole site."""
    found = finders.find("portal/sw.js")
    assert isinstance(found, str)
    response = HttpResponse(Path(found).read_bytes(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


# No cookie is asked, so there is none to abuse: the link is the authority, and the Origin says which page asks.
@csrf_exempt
@require_POST
def subscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Keep a browser's subscription (JSON) for the person whose wishes the link opens.

    204: kept. 400: no subscription that can be used. 403: another site's page asks. 404: the link does not open.
    413, 415, 429: too long, not JSON, too many.
    """
    if not OPENINGS.spend(request, SUBSCRIBE_POINTS):
        return HttpResponse(status=429, headers={"Retry-After": str(OPENINGS.seconds)})
    if request.headers.get("Origin") != f"{request.scheme}://{request.get_host()}":
        return HttpResponse(status=403)
    if request.content_type != "application/json":
        return HttpResponse(status=415)
    now = clock.now()
    person = open_preference_token(token, today=now.date())
    if person is None or not _is_told(*person, now=now):
        OPENINGS.spend(request, WRONG_POINTS)
        return HttpResponse(status=404)
    if int(request.META.get("CONTENT_LENGTH") or 0) > 4 * LONGEST_TEXT:
        return HttpResponse(status=413)
    try:
        address = PushAddress.parse(request.body.decode())
    except (UserError, UnicodeDecodeError):
        return HttpResponse(status=400)
    add_contact_point(
        account_id=person[0],
        recipient=person[1],
        channel=Channel.PUSH,
        address=address.text(),
        verified_at=now,  # only the browser itself could have asked its service for this address
        actor="delegate" if person[1] else "holder",
        now=now,
    )
    return HttpResponse(status=204)


def _is_told(account_id: int, recipient: int, *, now: dt.datetime) -> bool:
    """Whether there is such a person: the holder always, a delegate while the delegation lasts."""
    if recipient == 0:
        return CustomerAccount.objects.filter(id=account_id).exists()
    found = Delegate.objects.filter(account_id=account_id, recipient=recipient).first()
    return found is not None and found.state == DelegateState.ACTIVE and not is_over(found, now=now)
