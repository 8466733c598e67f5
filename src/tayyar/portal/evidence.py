"""What counts as a person having seen a bill behind its link, and what does not.

The page's HTML alone proves nothing: messengers fetch it for a preview, mail scanners fetch it for a check. A view
counts once something beyond it is asked for by what looks like a browser: the page's own picture, which only a
rendered page loads, or a further step (the whole bill, its PDF, how to pay). Known preview agents, scanners, programs,
prefetches, HEAD and staff never count, nor does a link that somebody called not theirs. A scanner that renders pages
under a common browser's name cannot be told apart; docs/security.md says so. Next: notifications/proof.py.
"""

import re

from django.http import HttpRequest

from tayyar.billing.numbers import bill_period
from tayyar.core import clock
from tayyar.customers.reviews import is_disowned
from tayyar.notifications.models import ReachHow
from tayyar.notifications.proof import record_reach

# Lower case. Previews of messengers and networks, mail scanners, then what programs call themselves.
_MACHINES = re.compile(
    r"whatsapp|telegram|facebookexternalhit|facebot|skypeuripreview|discord|slack|linkedin|pinterest|snap url"
    r"|google-|googleimageproxy|yahoomailproxy|bingpreview|microsoft office|ms-office|msoffice"
    r"|barracuda|proofpoint|mimecast|symantec|trendmicro|trend micro|fireeye|forcepoint|zscaler|sophos"
    r"|ironport|urldefense"
    r"|bot\b|bot/|crawl|spider|slurp|scan|preview|prerender|fetch|monitor|headless|phantomjs|selenium|puppeteer"
    r"|curl|wget|python|java/|jakarta|go-http|okhttp|libwww|httpclient|axios|node-|node/|ruby/|perl/|php/|dart/|winhttp"
)


def is_person(request: HttpRequest) -> bool:
    """Whether this GET looks like a subscriber's own browser."""
    ahead = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    agent = request.headers.get("User-Agent", "").lower()
    if request.method != "GET" or "prefetch" in ahead or not agent or _MACHINES.search(agent):
        return False
    return not request.user.is_staff if request.user.is_authenticated else True


def record_view(
    request: HttpRequest, *, bill_number: int, account_id: int, how: ReachHow, recipient: int = 0
) -> None:
    """Keep the view as evidence of reach, if it is one."""
    if not is_person(request):
        return
    if how == ReachHow.LINK_VIEW and is_disowned(account_id=account_id, subject=f"bill:{bill_number}"):
        return
    record_reach(
        period=bill_period(bill_number),
        ref=bill_number,
        how=how,
        witness="link" if how == ReachHow.LINK_VIEW else "portal",
        recipient=recipient,
        now=clock.now(),
    )
