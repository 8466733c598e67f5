"""The adapter to an OpenID Connect provider. Sources: OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207 (iss)."""

import base64
import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tayyar.core.errors import UserError
from tayyar.gateways.authority.entry import AuthorityEntry, Options
from tayyar.gateways.authority.errors import refusal
from tayyar.gateways.authority.facts import as_date, as_phone, as_text, is_same
from tayyar.gateways.authority.inquiry import Inquiry
from tayyar.gateways.authority.refs import opened_ref, sealed_ref
from tayyar.gateways.authority.tokens import SigningKeys, TokenRefused, verified
from tayyar.gateways.oidc.discovery import Discovery, Provider
from tayyar.identity.models import IdType
from tayyar.identity.ports import Asked, Proven, Way

MINUTES = 10
_CLAIMS = {
    "number": "sub",
    "name": "name",
    "birth_date": "birthdate",
    "phone": "phone_number",
    "nationality": "",
}


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """`claims`: our word -> the provider's claim; `number` is the identity number's. "": the provider has none."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    claims: Mapping[str, str]
    timeout_seconds: int


class OidcAuthority:
    """See identity.ports.IdentityAuthority."""

    def __init__(self, entry: AuthorityEntry, options: OidcOptions) -> None:
        self.code, self.id_types, self.options = entry.code, entry.id_types, options
        self._inquiry = Inquiry(entry.code, timeout_seconds=options.timeout_seconds)
        self._discovery = Discovery(options.issuer, self._inquiry)
        self._keys = SigningKeys(self._fetch_keys)

    def ask(
        self, *, id_type: IdType, number: str, birth_date: dt.date, back_url: str, now: dt.datetime
    ) -> Asked:
        """Where to send the browser. `back_url` must be registered with the provider, letter by letter."""
        if id_type not in self.id_types:
            raise refusal("NOT_COVERED")
        provider = self._discovery.provider(self._inquiry.deadline())
        until = now + dt.timedelta(minutes=MINUTES)
        facts = {
            "id_type": id_type.value,
            "number": number,
            "birth_date": birth_date.isoformat(),
            "state": secrets.token_urlsafe(32),
            "nonce": secrets.token_urlsafe(32),
            "verifier": secrets.token_urlsafe(48),
            "back_url": back_url,
            "until": until.isoformat(),
        }
        query = {
            "response_type": "code",
            "client_id": self.options.client_id,
            "redirect_uri": back_url,
            "scope": self.options.scope,
            "state": facts["state"],
            "nonce": facts["nonce"],
            "code_challenge": _challenge(facts["verifier"]),
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(provider.authorization_url).query else "?"
        url = f"{provider.authorization_url}{joint}{urlencode(query)}"
        return Asked(way=Way.REDIRECT, ref=sealed_ref(self.code, facts), url=url, expires_at=until)

    def answer(self, *, ref: str, sent: dict[str, str], now: dt.datetime) -> Proven | None:
        """Who came back. EXPIRED for a return that belongs to another attempt, or that was used before."""
        facts = opened_ref(self.code, ref)
        if now > dt.datetime.fromisoformat(facts["until"]):
            raise refusal("EXPIRED")
        if not sent:
            return None
        if not is_same(facts["state"], sent.get("state", "")):
            raise refusal("EXPIRED")
        until = self._inquiry.deadline()
        provider = self._discovery.provider(until)
        self._check_sender(provider, sent)
        if error := sent.get("error"):
            raise (
                refusal("REJECTED")
                if error == "access_denied"
                else self._inquiry.down("it sent an error back")
            )
        tokens = self._redeem(provider, sent.get("code", ""), facts, until)
        claims = self._claims(tokens, facts, provider, now, until)
        return self._proven(claims, facts)

    def _check_sender(self, provider: Provider, sent: Mapping[str, str]) -> None:
        named = sent.get("iss", "")
        if (named and named != provider.issuer) or (provider.names_itself and not named):
            raise refusal("EXPIRED")

    def _redeem(
        self, provider: Provider, code: str, facts: Mapping[str, str], until: float
    ) -> dict[str, Any]:
        """The tokens for a code. A code is good once, so this is never repeated."""
        if not code:
            raise refusal("EXPIRED")
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": facts["back_url"],
            "code_verifier": facts["verifier"],
        }
        headers = {}
        secret = self.options.client_secret
        if secret and provider.takes_basic:
            pair = f"{quote(self.options.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            fields["client_id"] = self.options.client_id
            if secret:
                fields["client_secret"] = secret
        answer = self._inquiry.post_form(provider.token_url, fields, headers=headers, until=until)
        content = answer.json()
        if answer.status == 400 and isinstance(content, dict) and content.get("error") == "invalid_grant":
            raise refusal("EXPIRED")
        return self._inquiry.content(answer)

    def _claims(
        self,
        tokens: Mapping[str, Any],
        facts: Mapping[str, str],
        provider: Provider,
        now: dt.datetime,
        until: float,
    ) -> dict[str, Any]:
        """The ID token's claims, with those of the userinfo address where a wanted one is not among them."""
        try:
            claims = verified(
                as_text(tokens.get("id_token")),
                keys=self._keys,
                algorithms=provider.algorithms,
                audience=self.options.client_id,
                issuer=provider.issuer,
                now=now,
                until=until,
            )
        except TokenRefused as error:
            if error.reason == "EXPIRED":
                raise refusal("EXPIRED") from None
            raise self._inquiry.down(str(error)) from None
        if not is_same(facts["nonce"], as_text(claims.get("nonce"))):
            raise self._inquiry.down("a token of another attempt")
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != self.options.client_id:
            raise self._inquiry.down("a token made out to another party as well")
        wanted = {name for name in self.options.claims.values() if name}
        access_token = as_text(tokens.get("access_token"))
        if wanted <= claims.keys() or not provider.userinfo_url or not access_token:
            return claims
        answer = self._inquiry.get(
            provider.userinfo_url,
            headers={"Authorization": f"Bearer {access_token}", "Accept": "application/json"},
            until=until,
        )
        more = self._inquiry.content(answer)
        if as_text(more.get("sub")) != as_text(claims.get("sub")):
            raise self._inquiry.down("userinfo of another person")
        return {**more, **claims}

    def _proven(self, claims: Mapping[str, Any], facts: Mapping[str, str]) -> Proven:
        def told(what: str) -> str:
            return as_text(claims.get(self.options.claims[what]))

        birth_date = as_date(told("birth_date"))
        if not is_same(facts["number"], told("number")):
            raise refusal("MISMATCH")
        if birth_date is not None and birth_date.isoformat() != facts["birth_date"]:
            raise refusal("MISMATCH")
        nationality = told("nationality").upper()
        return Proven(
            id_type=IdType(facts["id_type"]),
            number=facts["number"],
            name=told("name"),
            birth_date=birth_date,
            nationality=nationality if len(nationality) == 2 else "",
            phone=as_phone(told("phone")),
        )

    def _fetch_keys(self, until: float) -> Any:
        answer = self._inquiry.get(self._discovery.provider(until).keys_url, until=until)
        return self._inquiry.content(answer)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def build(entry: AuthorityEntry) -> OidcAuthority:
    """The adapter of an entry; UserError says what the entry lacks."""
    options = Options(entry)
    found = OidcOptions(
        issuer=options.url("issuer"),
        client_id=options.secret("client_id"),
        client_secret=options.secret("client_secret", needed=False),
        scope=options.text("scope", "openid profile phone"),
        claims=options.names("claims", _CLAIMS),
        timeout_seconds=options.seconds("timeout_seconds", 10, most=30),
    )
    options.done()
    if "openid" not in found.scope.split():
        raise UserError(f"Authority {entry.code}: scope holds openid.")
    if not found.claims["number"]:
        raise UserError(f"Authority {entry.code}: claims names the claim with the identity number.")
    return OidcAuthority(entry, found)
