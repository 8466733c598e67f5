"""OpenID Connect: a person goes to a provider that runs here and comes back; a forged or stale return is refused."""

import base64
import datetime as dt
import hashlib
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.authority.entry import AuthorityEntry
from tayyar.gateways.oidc.client import build
from tayyar.identity.models import IdType
from tayyar.identity.ports import AuthorityError, Way

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
NUMBER, BORN = "500100000", dt.date(1950, 1, 15)
BACK = "https://tayyar.example/join/back"
TYPES = frozenset({IdType.NATIONAL_ID})


class Provider:
    """The provider's side: it notes what it was asked for and redeems each code once, with its verifier."""

    def __init__(self, server, signer):
        self.server, self.signer = server, signer
        self.claims, self.says, self.userinfo = {}, {}, {}
        self.asked: dict[str, dict[str, str]] = {}
        server.on["/.well-known/openid-configuration"] = lambda heard: (200, self.configuration())
        server.on["/jwks"] = lambda heard: (200, {"keys": [signer.jwk()]})
        server.on["/token"] = self.redeem
        server.on["/userinfo"] = lambda heard: (200, self.userinfo)

    def configuration(self):
        url = self.server.url
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks",
            "userinfo_endpoint": f"{url}/userinfo",
            **self.says,
        }

    def approve(self, url):
        """The person agrees at `url`; the query that their browser brings back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.asked)}"
        self.asked[code] = query
        return {"code": code, "state": query["state"], "iss": self.server.url}

    def redeem(self, heard):
        form = heard.form()
        asked = self.asked.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if asked is None or challenge.decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(NOW.timestamp())
        claims = {
            "iss": self.server.url,
            "aud": "us",
            "sub": NUMBER,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "name": "Ali Hassan",
            "birthdate": "1950-01-15",
            "phone_number": "+97333000001",
            **self.claims,
        }
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.signer.token(claims)}


@pytest.fixture
def provider(scripted, signer):
    return Provider(scripted, signer)


def adapter(provider, **options):
    usual = {
        "issuer": provider.server.url,
        "client_id": "us",
        "client_secret": "secret",
        "timeout_seconds": 2,
    }
    return build(AuthorityEntry("ekey", "OIDC", TYPES, {**usual, **options}))


def ask(authority):
    return authority.ask(id_type=IdType.NATIONAL_ID, number=NUMBER, birth_date=BORN, back_url=BACK, now=NOW)


def come_back(provider, authority, now=NOW):
    asked = ask(authority)
    return authority.answer(ref=asked.ref, sent=provider.approve(asked.url), now=now)


def reason(question):
    with pytest.raises(AuthorityError) as caught:
        question()
    return caught.value.reason


def test_a_person_goes_there_comes_back_and_is_proven(provider):
    authority = adapter(provider)
    asked = ask(authority)
    assert asked.way is Way.REDIRECT
    query = parse_qs(urlsplit(asked.url).query)
    assert query["redirect_uri"] == [BACK] and query["code_challenge_method"] == ["S256"]
    assert "openid" in query["scope"][0].split()
    assert authority.answer(ref=asked.ref, sent={}, now=NOW) is None
    proven = authority.answer(ref=asked.ref, sent=provider.approve(asked.url), now=NOW)
    assert (proven.number, proven.name, proven.birth_date) == (NUMBER, "Ali Hassan", BORN)
    assert proven.phone == "+97333000001"
    redeemed = next(heard for heard in provider.server.heard if heard.path == "/token")
    assert redeemed.headers["Authorization"] == "Basic " + base64.b64encode(b"us:secret").decode()


def test_no_number_and_no_secret_goes_through_the_browser(provider):
    asked = ask(adapter(provider))
    assert NUMBER not in asked.url and "secret" not in asked.url and NUMBER not in asked.ref


def test_a_return_with_the_state_of_another_attempt_is_refused(provider):
    authority = adapter(provider)
    first, second = ask(authority), ask(authority)
    stolen = provider.approve(first.url)
    assert reason(lambda: authority.answer(ref=second.ref, sent=stolen, now=NOW)) == "EXPIRED"
    forged = {**provider.approve(second.url), "state": ""}
    assert reason(lambda: authority.answer(ref=second.ref, sent=forged, now=NOW)) == "EXPIRED"
    assert "/token" not in provider.server.paths()


def test_a_code_of_another_attempt_is_worthless_even_with_the_right_state(provider):
    authority = adapter(provider)
    first, second = ask(authority), ask(authority)
    injected = {**provider.approve(second.url), "code": provider.approve(first.url)["code"]}
    assert reason(lambda: authority.answer(ref=second.ref, sent=injected, now=NOW)) == "EXPIRED"


def test_a_return_that_is_replayed_is_refused(provider):
    authority = adapter(provider)
    asked = ask(authority)
    sent = provider.approve(asked.url)
    assert authority.answer(ref=asked.ref, sent=sent, now=NOW) is not None
    assert reason(lambda: authority.answer(ref=asked.ref, sent=sent, now=NOW)) == "EXPIRED"


def test_a_return_that_comes_too_late_is_refused(provider):
    authority = adapter(provider)
    late = NOW + dt.timedelta(minutes=10, seconds=1)
    assert reason(lambda: come_back(provider, authority, late)) == "EXPIRED"


def test_a_return_from_another_provider_is_refused(provider):
    authority = adapter(provider)
    asked = ask(authority)
    sent = {**provider.approve(asked.url), "iss": "https://evil.example"}
    assert reason(lambda: authority.answer(ref=asked.ref, sent=sent, now=NOW)) == "EXPIRED"


def test_a_provider_that_always_names_itself_must_do_so(provider):
    provider.says = {"authorization_response_iss_parameter_supported": True}
    authority = adapter(provider)
    asked = ask(authority)
    sent = {name: value for name, value in provider.approve(asked.url).items() if name != "iss"}
    assert reason(lambda: authority.answer(ref=asked.ref, sent=sent, now=NOW)) == "EXPIRED"


def test_a_person_who_said_no_is_rejected_and_another_error_is_the_provider_s(provider):
    authority = adapter(provider)
    asked = ask(authority)
    state = provider.approve(asked.url)["state"]
    for error, means in (("access_denied", "REJECTED"), ("temporarily_unavailable", "DOWN")):
        sent = {"error": error, "state": state}
        assert reason(lambda sent=sent: authority.answer(ref=asked.ref, sent=sent, now=NOW)) == means


@pytest.mark.parametrize(
    ("claims", "means"),
    [
        ({"aud": "another"}, "DOWN"),
        ({"aud": ["us", "another"]}, "DOWN"),
        ({"azp": "another"}, "DOWN"),
        ({"iss": "https://evil.example"}, "DOWN"),
        ({"nonce": "of another attempt"}, "DOWN"),
        ({"exp": int(NOW.timestamp()) - 120}, "EXPIRED"),
        ({"sub": "500100001"}, "MISMATCH"),
        ({"birthdate": "1950-01-16"}, "MISMATCH"),
    ],
)
def test_a_token_that_is_not_for_this_attempt_proves_nobody(provider, claims, means):
    provider.claims = claims
    assert reason(lambda: come_back(provider, adapter(provider))) == means


def test_a_token_with_a_wrong_signature_proves_nobody(provider, stranger):
    authority = adapter(provider)
    provider.signer = stranger
    assert reason(lambda: come_back(provider, authority)) == "DOWN"


def test_a_number_that_only_userinfo_tells_is_asked_for_there(provider):
    provider.userinfo = {"sub": NUMBER, "cpr": NUMBER}
    authority = adapter(provider, claims={"number": "cpr"})
    assert come_back(provider, authority).number == NUMBER
    asked = next(heard for heard in provider.server.heard if heard.path == "/userinfo")
    assert asked.headers["Authorization"] == "Bearer at"


def test_userinfo_of_another_person_proves_nobody(provider):
    provider.userinfo = {"sub": "somebody else", "cpr": NUMBER}
    assert reason(lambda: come_back(provider, adapter(provider, claims={"number": "cpr"}))) == "DOWN"


def test_userinfo_cannot_replace_what_was_signed(provider):
    provider.userinfo = {"sub": NUMBER, "cpr": NUMBER, "birthdate": "1950-01-15"}
    provider.claims = {"birthdate": "1999-09-09"}
    assert reason(lambda: come_back(provider, adapter(provider, claims={"number": "cpr"}))) == "MISMATCH"


def test_a_client_without_a_secret_names_itself_in_the_form(provider):
    assert come_back(provider, adapter(provider, client_secret="")) is not None
    redeemed = next(heard for heard in provider.server.heard if heard.path == "/token")
    assert redeemed.form()["client_id"] == "us" and "Authorization" not in redeemed.headers


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example/token"},
        {"jwks_uri": ""},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        {"issuer": None},
    ],
)
def test_a_provider_that_says_what_cannot_be_trusted_is_down(provider, says):
    provider.says = says
    assert reason(lambda: ask(adapter(provider))) == "DOWN"


def test_a_provider_whose_name_ends_in_a_slash_is_taken_by_its_name(provider):
    name = provider.server.url + "/"
    provider.says, provider.claims = {"issuer": name}, {"iss": name}
    authority = adapter(provider, issuer=name)
    asked = ask(authority)
    sent = {**provider.approve(asked.url), "iss": name}
    assert authority.answer(ref=asked.ref, sent=sent, now=NOW) is not None


def test_a_slow_provider_is_down_in_time(provider):
    authority = adapter(provider, timeout_seconds=1)
    asked = ask(authority)
    sent = provider.approve(asked.url)
    provider.server.on["/token"] = lambda heard: time.sleep(3) or (200, {})
    began = time.monotonic()
    assert reason(lambda: authority.answer(ref=asked.ref, sent=sent, now=NOW)) == "DOWN"
    assert time.monotonic() - began < 2.5
    assert provider.server.paths().count("/token") == 1  # a code is never sent twice


def test_the_provider_is_asked_about_itself_once(provider):
    authority = adapter(provider)
    ask(authority)
    ask(authority)
    assert provider.server.paths() == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "options",
    [{"scope": "profile"}, {"claims": {"number": ""}}, {"claims": {"size": "x"}}, {"issuer": "http://a.b"}],
)
def test_an_entry_that_cannot_work_is_refused(provider, options):
    with pytest.raises(UserError, match="ekey"):
        adapter(provider, **options)
