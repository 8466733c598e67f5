"""What every face needs to know of a request: the reader's language, the client's address, and a bound on both.

Owns nothing that outlives the process. Never decides who may see what. Next: the views of portal and console.
"""

import ipaddress
import threading
import time

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from tayyar.core.text import LANGUAGES

_MOST_ADDRESSES = 100_000


def language(request: HttpRequest, *, known: str | None = None) -> str:
    """ "ar", "en" or "fr": what `?lang=` asks, else `known` (the account's), else the browser's, else Arabic."""
    for candidate in (request.GET.get("lang"), known, (get_language() or "")[:2]):
        if candidate in LANGUAGES:
            return candidate
    return LANGUAGES[0]


def client_address(request: HttpRequest) -> str:
    """Whom to count a request against: the address that the outermost trusted proxy saw; an IPv6 client's network.

    Whatever a client writes into X-Forwarded-For itself stands before that place and is not believed.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TRUSTED_PROXIES:
        forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        if len(forwarded) >= settings.TRUSTED_PROXIES:
            address = forwarded[-settings.TRUSTED_PROXIES].strip()
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


class Throttle:
    """At most `budget` points for each client address in every `seconds`, counted in this process alone.

    With W web processes an address gets up to W times the budget: it bounds load and guessing without asking the
    database, and is no accounting. Memory is bounded; addresses beyond that share one budget.
    """

    def __init__(self, *, budget: int, seconds: int) -> None:
        self.budget, self.seconds = budget, seconds
        self._lock = threading.Lock()
        self._window, self._spent = 0, dict[str, int]()

    def spend(self, request: HttpRequest, points: int = 1) -> bool:
        """Take points from the budget of the request's address; False when it is used up."""
        return self.spend_for(client_address(request), points)

    def spend_for(self, address: str, points: int = 1) -> bool:
        """The same for a budget of any other name: a person's."""
        window = int(time.monotonic()) // self.seconds
        with self._lock:
            if window != self._window:
                self._window, self._spent = window, {}
            if address not in self._spent and len(self._spent) >= _MOST_ADDRESSES:
                address = "others"
            self._spent[address] = self._spent.get(address, 0) + points
            return self._spent[address] <= self.budget

    def clear(self) -> None:
        """Forget what was spent."""
        with self._lock:
            self._spent = {}
