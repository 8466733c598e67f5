"""A token is believed only when it is signed, for us, and good now; and strangers cannot make us fetch keys."""

import base64
import datetime as dt
import json

import jwt
import pytest

from tayyar.gateways.authority.tokens import SigningKeys, TokenRefused, verified
from tayyar.gateways.conftest import Signer

NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)


def claims(**changed):
    now = int(NOW.timestamp())
    return {"aud": "tayyar", "iss": "https://id.example", "iat": now, "exp": now + 300, **changed}


def keys_of(*signers):
    fetched = []

    def fetch(until):
        fetched.append(until)
        return {"keys": [signer.jwk() for signer in signers]}

    keys = SigningKeys(fetch)
    keys.fetched = fetched
    return keys


def check(token, keys, now=NOW):
    return verified(
        token,
        keys=keys,
        algorithms=("RS256",),
        audience="tayyar",
        issuer="https://id.example",
        now=now,
        until=0,
    )


def refused(token, keys, now=NOW):
    with pytest.raises(TokenRefused) as caught:
        check(token, keys, now)
    return caught.value.reason


def test_a_good_token_gives_its_claims(signer):
    assert check(signer.token(claims(name="x")), keys_of(signer))["name"] == "x"


def test_a_token_signed_by_another_key_of_the_same_name_is_refused(signer, stranger):
    assert refused(stranger.token(claims()), keys_of(signer)) == "SIGNATURE"


def test_a_token_that_was_changed_after_signing_is_refused(signer):
    head, _, signature = signer.token(claims()).split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(name="y")).encode()).decode().rstrip("=")
    assert refused(f"{head}.{body}.{signature}", keys_of(signer)) == "SIGNATURE"


def test_an_unsigned_token_is_refused(signer):
    assert refused(jwt.encode(claims(), None, algorithm="none"), keys_of(signer)) == "ALGORITHM"


def test_the_public_key_used_as_a_shared_secret_is_refused(signer):
    forged = jwt.encode(claims(), signer.jwk()["n"], algorithm="HS256", headers={"kid": "first"})
    assert refused(forged, keys_of(signer)) == "ALGORITHM"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "another"}, "AUDIENCE"),
        ({"iss": "https://other.example"}, "ISSUER"),
        ({"exp": int(NOW.timestamp()) - 61}, "EXPIRED"),
        ({"iat": int(NOW.timestamp()) + 90}, "EARLY"),
        ({"nbf": int(NOW.timestamp()) + 90}, "EARLY"),
        ({"exp": "tomorrow"}, "CLAIMS"),
        ({"exp": True}, "CLAIMS"),
    ],
)
def test_a_signed_token_that_is_not_for_us_or_not_for_now_is_refused(signer, changed, reason):
    assert refused(signer.token(claims(**changed)), keys_of(signer)) == reason


def test_a_token_without_an_end_is_refused(signer):
    endless = {name: value for name, value in claims().items() if name != "exp"}
    assert refused(signer.token(endless), keys_of(signer)) == "CLAIMS"


def test_the_time_that_counts_is_ours_and_a_minute_s_difference_is_borne(signer):
    token, keys = signer.token(claims()), keys_of(signer)
    assert check(token, keys, NOW + dt.timedelta(seconds=359))
    assert refused(token, keys, NOW + dt.timedelta(seconds=360)) == "EXPIRED"


def test_keys_are_fetched_once_and_strangers_tokens_do_not_make_us_fetch_more(signer):
    keys = keys_of(signer)
    for _ in range(3):
        assert check(signer.token(claims()), keys)
    assert refused(Signer("unheard-of").token(claims()), keys) == "KEY"
    assert len(keys.fetched) == 1


def test_a_new_key_is_found_once_a_minute_went_by(signer):
    published = [signer]
    keys = SigningKeys(lambda until: {"keys": [one.jwk() for one in published]})
    assert check(signer.token(claims()), keys)
    second = Signer("second")
    published.append(second)
    keys._fetched_at -= 61
    assert check(second.token(claims()), keys)


@pytest.mark.parametrize("token", ["", "a.b.c", "x", "é.é.é"])
def test_what_is_no_token_is_refused(signer, token):
    assert refused(token, keys_of(signer)) == "FORM"


def test_a_set_with_keys_that_we_do_not_read_still_gives_the_others(signer):
    keys = SigningKeys(lambda until: {"keys": [{"kty": "odd"}, 7, signer.jwk()]})
    assert check(signer.token(claims()), keys)
