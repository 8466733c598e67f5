"""What a provider says of itself under .well-known (OpenID Connect Discovery 1.0), read once an hour and checked."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tayyar.gateways.authority.entry import is_safe_url
from tayyar.gateways.authority.facts import as_text
from tayyar.gateways.authority.inquiry import Inquiry

GOOD_SECONDS = 3600
ALGORITHMS = ("RS256", "PS256", "ES256")


@dataclass(frozen=True, slots=True)
class Provider:
    """Its name letter by letter, its addresses, how it wants our secret, and what it signs with."""

    issuer: str
    authorization_url: str
    token_url: str
    keys_url: str
    userinfo_url: str
    takes_basic: bool
    names_itself: bool  # RFC 9207: it says who it is when the browser comes back
    algorithms: tuple[str, ...]


class Discovery:
    """The provider at `issuer`. For all threads."""

    def __init__(self, issuer: str, inquiry: Inquiry) -> None:
        self._issuer, self._inquiry = issuer, inquiry
        self._lock = threading.Lock()
        self._found: tuple[float, Provider] | None = None

    def provider(self, until: float) -> Provider:
        """What it says of itself; AuthorityError DOWN when it does not say it, or says what cannot be trusted."""
        with self._lock:
            found = self._found
        if found is not None and time.monotonic() - found[0] < GOOD_SECONDS:
            return found[1]
        answer = self._inquiry.get(f"{self._issuer}/.well-known/openid-configuration", until=until)
        provider = self._read(self._inquiry.content(answer))
        with self._lock:
            self._found = (time.monotonic(), provider)
        return provider

    def _read(self, content: dict[str, Any]) -> Provider:
        issuer = as_text(content.get("issuer"))
        if issuer.rstrip("/") != self._issuer:
            raise self._inquiry.down("it calls itself by another name than issuer says")
        urls = {
            name: content.get(name, "")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        }
        for name, url in urls.items():
            if not isinstance(url, str) or not (
                is_safe_url(url) or (not url and name == "userinfo_endpoint")
            ):
                raise self._inquiry.down(f"its {name} is missing or not https")
        offered = content.get("id_token_signing_alg_values_supported", ALGORITHMS)
        algorithms = tuple(name for name in ALGORITHMS if isinstance(offered, Sequence) and name in offered)
        if not algorithms:
            raise self._inquiry.down(f"it signs with none of {', '.join(ALGORITHMS)}")
        methods = content.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Provider(
            authorization_url=urls["authorization_endpoint"],
            token_url=urls["token_endpoint"],
            keys_url=urls["jwks_uri"],
            userinfo_url=urls["userinfo_endpoint"],
            issuer=issuer,
            takes_basic=isinstance(methods, list) and "client_secret_basic" in methods,
            names_itself=content.get("authorization_response_iss_parameter_supported") is True,
            algorithms=algorithms,
        )
