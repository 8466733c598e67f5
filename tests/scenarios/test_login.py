"""Signing in to the portal: who gets in, who is slowed down, what ends a login, and what a login never opens."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from tests.scenarios import cast
from tests.scenarios.login_cast import (
    PASSWORD,
    a_person,
    code_of,
    number_of,
    post_login,
    recovery_codes_of,
    with_app,
)

from tayyar.console.account import ATTEMPTS
from tayyar.core import clock, crypto, passwords
from tayyar.core.models import AuditEntry
from tayyar.customers.models import ContactPoint
from tayyar.identity import attempts, recovery, sessions, sign_in
from tayyar.identity.models import IdentityCode, Person, SignIn, SignInTry
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message, Payload
from tayyar.notifications.payloads import PAYLOAD_FIELD
from tayyar.portal.views import OPENINGS

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)
NUMBER, MOBILE = number_of(4711), "+966500000021"
SECURITY = "/me/security"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[None]:
    """A chosen country, no budgets spent by another test, answers that do not take their usual time."""
    cast.answer_profile()
    OPENINGS.clear()
    ATTEMPTS.clear()
    cache.clear()
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", 0)
    with clock.at(NOW):
        yield


@pytest.fixture
def layla() -> Person:
    return a_person(NOW, number=NUMBER, mobile=MOBILE)


@pytest.fixture
def home(layla: Person) -> Client:
    """Layla's browser, signed in."""
    client = Client()
    assert post_login(client, NUMBER).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get(SECURITY).status_code == 200


def told(kind: MessageKind) -> list[dict[str, str]]:
    """The values of every message of that kind, in order."""
    refs = Message.objects.filter(kind=kind).order_by("ref").values_list("ref", flat=True)
    found = {payload.ref: payload for payload in Payload.objects.filter(kind=kind)}
    return [
        json.loads(crypto.unseal(bytes(found[ref].facts_sealed), field=PAYLOAD_FIELD))["values"]
        for ref in refs
    ]


# Who gets in


@pytest.mark.parametrize("typed", [NUMBER, MOBILE, "050 000 0021", "٠٥٠٠٠٠٠٠٢١"])
def test_identity_number_and_mobile_open_the_login_in_any_spelling(layla: Person, typed: str) -> None:
    client = Client()
    answer = post_login(client, typed)
    assert (answer.status_code, answer["Location"]) == (302, "/me")
    assert is_in(client)


def test_a_verified_email_opens_the_login_and_an_unverified_one_does_not(layla: Person) -> None:
    email = ContactPoint.objects.get(pk=layla.mobile_id)
    email.pk, email.channel, email.verified_at = None, 0, None
    email.address_hash = crypto.lookup_hash("layla@mail.example", field=sign_in.ADDRESS_FIELD)
    email.save()
    Person.objects.filter(pk=layla.pk).update(email=email)
    assert post_login(Client(), "Layla@mail.example").status_code == 403
    ContactPoint.objects.filter(pk=email.pk).update(verified_at=NOW)
    assert post_login(Client(), "Layla@mail.example").status_code == 302


def test_unknown_person_and_wrong_password_get_the_same_answer(layla: Person) -> None:
    wrong, unknown = post_login(Client(), NUMBER, "wrong"), post_login(Client(), number_of(99), "wrong")
    assert wrong.status_code == unknown.status_code == 403
    anonymous = lambda answer, typed: _without_tokens(answer).replace(typed, "")  # noqa: E731
    assert anonymous(wrong, NUMBER) == anonymous(unknown, number_of(99))


def _without_tokens(answer: Any) -> str:
    lines = answer.content.decode().splitlines()
    return "\n".join(line for line in lines if "csrfmiddlewaretoken" not in line)


def test_the_session_key_is_new_after_the_login(layla: Person) -> None:
    client = Client()
    client.get("/login/passkey")  # the visitor has a session already: somebody may have planted it
    planted = client.cookies["sessionid"].value
    post_login(client, NUMBER)
    assert client.cookies["sessionid"].value != planted
    other = Client()
    other.cookies["sessionid"] = planted
    assert not is_in(other)


def test_next_leads_back_into_this_site_only(layla: Person) -> None:
    form = {"typed": NUMBER, "password": PASSWORD}
    assert Client().post("/login", {**form, "next": "/me/bills"})["Location"] == "/me/bills"
    assert Client().post("/login", {**form, "next": "https://evil.example/"})["Location"] == "/me"


def test_the_login_page_needs_its_own_form(layla: Person) -> None:
    client = Client(enforce_csrf_checks=True)
    assert post_login(client, NUMBER).status_code == 403
    assert not SignInTry.objects.exists()


def test_staff_and_people_stay_on_their_own_sides(layla: Person) -> None:
    User.objects.create_user("manager", password=PASSWORD, is_staff=True)
    desk = Client()
    assert desk.post("/console/login", {"username": "manager", "password": PASSWORD}).status_code == 302
    assert desk.get("/console/").status_code == 200
    assert desk.get(SECURITY).status_code == 302
    assert post_login(Client(), "manager").status_code == 403
    user = {"username": layla.user.username, "password": PASSWORD}
    assert Client().post("/console/login", user).status_code == 403
    person = Client()
    post_login(person, NUMBER)
    assert person.get("/console/").status_code == 302


def test_a_person_who_became_staff_does_not_come_through_the_portal(home: Client, layla: Person) -> None:
    User.objects.filter(pk=layla.user_id).update(is_staff=True)
    assert not is_in(home)
    assert post_login(Client(), NUMBER).status_code == 403


def test_apps_sign_in_through_the_headless_api_alone(layla: Person) -> None:
    client, address = Client(), "/_allauth/app/v1/auth"
    User.objects.create_user("manager", password=PASSWORD, is_staff=True)
    send = lambda name: client.post(  # noqa: E731
        f"{address}/login", {"username": name, "password": PASSWORD}, content_type="application/json"
    )
    assert send("manager").status_code == 400
    answer = send(NUMBER)
    assert answer.status_code == 200
    token = answer.json()["meta"]["session_token"]
    assert client.get(f"{address}/session", headers={"X-Session-Token": token}).status_code == 200
    assert client.get(f"{address}/session").status_code == 401
    for closed in ("/_allauth/browser/v1/config", "/accounts/login/", f"{address}/signup"):
        assert client.get(closed).status_code == 404, closed


# Guessing


def test_wrong_passwords_make_one_wait_longer_each_time_and_the_right_one_waits_too(layla: Person) -> None:
    moment = NOW
    for _ in range(4):
        assert post_login(Client(), NUMBER, "wrong").status_code == 403
    # 4 wrong: 30 s; a 5th: 60 s.
    assert post_login(Client(), NUMBER).status_code == 429
    with clock.at(moment + dt.timedelta(seconds=30)):
        assert post_login(Client(), NUMBER, "wrong").status_code == 403
        answer = post_login(Client(), NUMBER)
        assert (answer.status_code, "60 seconds" in answer.content.decode()) == (429, True)
    with clock.at(moment + dt.timedelta(seconds=90)):
        assert post_login(Client(), NUMBER).status_code == 302
        assert post_login(Client(), NUMBER, "wrong").status_code == 403


def test_nobody_waits_longer_than_a_quarter_of_an_hour() -> None:
    assert attempts.wait_after(3, attempts.How.PASSWORD) == dt.timedelta(0)
    assert attempts.wait_after(60, attempts.How.PASSWORD) == dt.timedelta(minutes=15)


def test_the_wait_is_the_same_for_somebody_who_does_not_exist() -> None:
    unknown = number_of(99)
    for _ in range(4):
        assert post_login(Client(), unknown, "wrong").status_code == 403
    assert post_login(Client(), unknown, "wrong").status_code == 429


def test_number_and_mobile_share_one_count(layla: Person) -> None:
    for typed in (NUMBER, MOBILE, NUMBER, MOBILE):
        post_login(Client(), typed, "wrong")
    assert post_login(Client(), NUMBER).status_code == 429


def test_a_guesser_elsewhere_does_not_lock_the_holders_own_browser(home: Client, layla: Person) -> None:
    home.post("/logout")
    for _ in range(5):
        post_login(Client(), NUMBER, "wrong")
    assert post_login(Client(), NUMBER).status_code == 429
    assert post_login(home, NUMBER).status_code == 302


def test_a_forged_browser_cookie_is_a_strangers(layla: Person) -> None:
    forger = Client()
    for _ in range(4):
        post_login(Client(), NUMBER, "wrong")
    forger.cookies["tayyar_browser"] = json.dumps({"b": "x", "u": [layla.user_id]})
    assert post_login(forger, NUMBER).status_code == 429


def test_a_network_that_tries_many_people_is_stopped_for_all_but_known_browsers(
    home: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MOST_OF_A_NETWORK", 3)
    home.post("/logout")
    for place in range(3):
        assert post_login(Client(), number_of(100 + place), "wrong").status_code == 403
    assert post_login(Client(), NUMBER).status_code == 429
    assert post_login(Client(), NUMBER, REMOTE_ADDR="10.9.9.9").status_code == 302
    assert post_login(home, NUMBER).status_code == 302


def test_attempts_are_kept_outside_the_process_and_forgotten_after_a_week(layla: Person) -> None:
    post_login(Client(), NUMBER, "wrong")
    kept = SignInTry.objects.get()
    assert (kept.is_right, kept.network) == (False, "127.0.0.1")
    assert NUMBER.encode() not in bytes(kept.subject_hash)
    assert attempts.forget(now=NOW + dt.timedelta(days=6)) == 0
    assert attempts.forget(now=NOW + dt.timedelta(days=8)) == 1


# Passwords


@pytest.fixture
def counted(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The real hasher, and a list that grows by one with each hash it computes."""
    settings.PASSWORD_HASHERS = ["tayyar.core.passwords.Argon2"]
    found: list[int] = []
    in_line = passwords.in_line

    def count(compute: Any) -> Any:
        found.append(1)
        return in_line(compute)

    monkeypatch.setattr(passwords, "in_line", count)
    return found


def test_a_hash_is_computed_at_login_and_change_and_in_no_other_request(counted: list[int]) -> None:
    a_person(NOW, number=NUMBER, mobile=MOBILE)
    client = Client()
    for address in ("/", "/login", "/login/passkey", "/login/forgotten", SECURITY):
        client.get(address)
    counted.clear()
    post_login(client, NUMBER)
    assert len(counted) == 1
    for address in ("/", "/login", SECURITY, f"{SECURITY}/password", f"{SECURITY}/app", "/me", "/me/bills"):
        client.get(address)
    client.post(f"{SECURITY}/sessions/end")
    assert len(counted) == 1
    client.post(f"{SECURITY}/password", {"password": "short"})
    assert len(counted) == 1
    client.post(f"{SECURITY}/password", {"password": "another-current-99"})
    assert len(counted) == 2


def test_somebody_unknown_costs_exactly_as_many_hashes(counted: list[int]) -> None:
    a_person(NOW, number=NUMBER, mobile=MOBILE)
    a_person(NOW, number=number_of(2), mobile="+966500000022", password=None)
    for typed in (NUMBER, number_of(2), number_of(99), "nobody@mail.example", ""):
        counted.clear()
        post_login(Client(), typed, "wrong")
        assert len(counted) == 1, typed


def test_a_full_line_answers_busy_and_counts_no_attempt(
    layla: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: User, password: str) -> bool:
        raise passwords.PasswordsBusy("busy")

    monkeypatch.setattr(User, "check_password", busy)
    answer = post_login(Client(), NUMBER)
    assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert "Many people are signing in" in answer.content.decode()
    assert not SignInTry.objects.exists()
    api = Client().post(
        "/_allauth/app/v1/auth/login",
        {"username": NUMBER, "password": PASSWORD},
        content_type="application/json",
    )
    assert api.status_code == 503


def test_the_line_holds_two_at_work_and_one_waiting() -> None:
    gate, entered = threading.Event(), threading.Semaphore(0)
    line = passwords._Line()

    def work() -> bool:
        entered.release()
        return gate.wait(10)

    callers = [threading.Thread(target=line.run, args=(work,)) for _ in range(3)]
    for caller in callers:
        caller.start()
    assert entered.acquire(timeout=5)
    assert entered.acquire(timeout=5)
    while line._places._value:  # until the third stands in line
        threading.Event().wait(0.01)
    with pytest.raises(passwords.PasswordsBusy):
        line.run(work)
    gate.set()
    for caller in callers:
        caller.join()
    assert line.run(lambda: True) is True


def test_a_password_set_before_argon2_opens_and_is_hashed_anew(settings: Any, layla: Person) -> None:
    settings.PASSWORD_HASHERS = ["tayyar.core.passwords.OldPBKDF2"]
    layla.user.set_password(PASSWORD)
    layla.user.save()
    settings.PASSWORD_HASHERS = ["tayyar.core.passwords.Argon2", "tayyar.core.passwords.OldPBKDF2"]
    assert post_login(Client(), NUMBER).status_code == 302
    assert User.objects.get(pk=layla.user_id).password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_changing_the_password_ends_every_other_login_and_is_told(home: Client, layla: Person) -> None:
    elsewhere = Client()
    post_login(elsewhere, NUMBER)
    before = len(told(MessageKind.CONTACT_CHANGED))
    for weak in ("short", "password1234"):
        assert home.post(f"{SECURITY}/password", {"password": weak}).status_code == 422
    assert home.post(f"{SECURITY}/password", {"password": "another-current-99"}).status_code == 302
    assert is_in(home)
    assert not is_in(elsewhere)
    assert post_login(Client(), NUMBER).status_code == 403
    assert len(told(MessageKind.CONTACT_CHANGED)) == before + 1
    assert AuditEntry.objects.filter(action="PASSWORD_CHANGED", subject=f"person:{layla.pk}").exists()


# How long a login lasts


def test_a_login_is_over_after_half_an_hour_without_use(home: Client) -> None:
    with clock.at(NOW + dt.timedelta(minutes=29)):
        assert is_in(home)
    with clock.at(NOW + dt.timedelta(minutes=58)):
        assert is_in(home)
    with clock.at(NOW + dt.timedelta(minutes=88)):
        assert not is_in(home)
    assert not is_in(home)  # it ended, and turning the clock back does not bring it back


def test_a_login_is_over_after_twelve_hours_of_use(home: Client) -> None:
    for step in range(1, 12 * 3):
        with clock.at(NOW + dt.timedelta(minutes=20 * step)):
            assert is_in(home)
    with clock.at(NOW + dt.timedelta(hours=12)):
        assert not is_in(home)


def test_a_page_writes_to_the_session_at_most_once_in_five_minutes(home: Client) -> None:
    session = home.session
    assert not sessions.touch(session, now=NOW + dt.timedelta(minutes=4))
    assert sessions.touch(session, now=NOW + dt.timedelta(minutes=5))


def test_a_session_that_never_began_by_a_login_is_over(layla: Person) -> None:
    client = Client()
    client.force_login(layla.user, backend=sign_in.BACKEND)
    assert not is_in(client)


def test_cookies_are_for_http_and_this_site_alone(layla: Person) -> None:
    answer = post_login(Client(), NUMBER)
    for name in ("sessionid", "tayyar_browser"):
        assert (answer.cookies[name]["httponly"], answer.cookies[name]["samesite"]) == (True, "Lax")


def test_signing_out_ends_the_session_on_the_server(home: Client) -> None:
    key = home.cookies["sessionid"].value
    assert home.get("/logout").status_code == 405
    assert home.post("/logout").status_code == 302
    thief = Client()
    thief.cookies["sessionid"] = key
    assert not is_in(thief)
    assert not UserSession.objects.exists()


def test_one_session_or_all_others_can_be_ended_and_nobody_elses(home: Client, layla: Person) -> None:
    others = [Client(), Client()]
    for other in others:
        post_login(other, NUMBER)
    keys = [other.cookies["sessionid"].value for other in others]
    first = UserSession.objects.get(session_key=keys[0])
    home.post(f"{SECURITY}/sessions/{first.pk}/end")
    assert [is_in(other) for other in others] == [False, True]
    home.post(f"{SECURITY}/sessions/end")
    assert [is_in(other) for other in others] == [False, False]
    assert is_in(home)
    stranger = a_person(NOW, number=number_of(7), mobile="+966500000077")
    away = Client()
    post_login(away, number_of(7))
    theirs = UserSession.objects.get(user=stranger.user)
    foreign = home.post(f"{SECURITY}/sessions/{theirs.pk}/end")
    missing = home.post(f"{SECURITY}/sessions/999999/end")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert _without_tokens(foreign) == _without_tokens(missing)
    assert is_in(away)


# Proving it again


def test_a_sensitive_change_asks_again_after_five_minutes(
    home: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.get(f"{SECURITY}/password").status_code == 200
    monkeypatch.setattr(sign_in, "FRESH_SECONDS", -1)
    asked = home.get(f"{SECURITY}/password")
    assert asked["Location"] == "/login/again?next=%2Fme%2Fsecurity%2Fpassword"
    assert home.post(f"{SECURITY}/password", {"password": "another-current-99"}).status_code == 302
    assert post_login(Client(), NUMBER).status_code == 302  # nothing changed
    monkeypatch.setattr(sign_in, "FRESH_SECONDS", 300)
    key = home.cookies["sessionid"].value
    assert home.post("/login/again", {"password": "wrong"}).status_code == 403
    proved = home.post("/login/again", {"password": PASSWORD, "next": f"{SECURITY}/password"})
    assert proved["Location"] == f"{SECURITY}/password"
    assert home.cookies["sessionid"].value != key
    assert UserSession.objects.filter(session_key=home.cookies["sessionid"].value).exists()


def test_what_a_stranger_posts_to_prove_it_again_leads_to_the_login() -> None:
    assert Client().post("/login/again", {"password": PASSWORD})["Location"].startswith("/login?next=")


# Second factor


def test_after_the_password_comes_the_code_and_each_code_works_once(layla: Person) -> None:
    secret = with_app(layla)
    client = Client()
    assert post_login(client, NUMBER)["Location"] == "/login/second"
    assert not is_in(client)
    assert client.post("/login/second", {"code": "000000"}).status_code == 403
    code = code_of(secret)
    assert client.post("/login/second", {"code": code})["Location"] == "/login/trust"
    assert client.post("/login/trust", {"trust": "no"})["Location"] == "/me"
    assert is_in(client)
    again = Client()
    post_login(again, NUMBER)
    assert again.post("/login/second", {"code": code}).status_code == 403


def test_a_recovery_code_works_once_in_digits_of_either_kind(layla: Person) -> None:
    with_app(layla)
    code = recovery_codes_of(layla)[0]
    arabic = code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    for typed, expected in ((arabic, 302), (code, 403)):
        client = Client()
        post_login(client, NUMBER)
        assert client.post("/login/second", {"code": typed}).status_code == expected


def test_wrong_codes_are_bounded_for_the_person_over_all_sessions(layla: Person) -> None:
    secret = with_app(layla)
    for _ in range(5):
        client = Client()
        post_login(client, NUMBER)
        client.post("/login/second", {"code": "000000"})
    client = Client()
    post_login(client, NUMBER)
    answer = client.post("/login/second?lang=en", {"code": code_of(secret)})
    assert "Wait five minutes" in answer.content.decode()


def test_a_trusted_browser_is_not_asked_for_the_code_until_something_changes(layla: Person) -> None:
    secret = with_app(layla)
    client = Client()
    post_login(client, NUMBER)
    client.post("/login/second", {"code": code_of(secret)})
    client.post("/login/trust", {"trust": "yes"})
    client.post("/logout")
    assert post_login(client, NUMBER)["Location"] == "/me"
    client.post(f"{SECURITY}/password", {"password": "another-current-99"})
    client.post("/logout")
    assert post_login(client, NUMBER, "another-current-99")["Location"] == "/login/second"


def test_the_app_is_set_up_with_a_code_and_its_secret_is_sealed(
    home: Client, layla: Person, django_capture_on_commit_callbacks: Any
) -> None:
    page = home.get(f"{SECURITY}/app")
    secret = page.context["secret"].replace(" ", "")
    assert home.post(f"{SECURITY}/app", {"code": "123"}).status_code == 422
    with django_capture_on_commit_callbacks(execute=True):
        answer = home.post(f"{SECURITY}/app", {"code": code_of(secret)})
    assert answer["Location"] == f"{SECURITY}/codes"
    kept = Authenticator.objects.get(user=layla.user, type=Authenticator.Type.TOTP)
    assert secret not in json.dumps(kept.data)
    shown = home.get(f"{SECURITY}/codes").context["codes"]
    assert len(shown) == 10
    with django_capture_on_commit_callbacks(execute=True):
        home.post(f"{SECURITY}/codes")
    assert home.get(f"{SECURITY}/codes").context["codes"] != shown
    home.post(f"{SECURITY}/app/remove")
    home.post(f"{SECURITY}/app/remove")
    assert not Authenticator.objects.filter(user=layla.user).exists()
    actions = AuditEntry.objects.filter(subject=f"person:{layla.pk}").values_list("action", flat=True)
    assert {"TOTP_ADDED", "TOTP_REMOVED", "RECOVERY_CODES_RENEWED"} <= set(actions)


def test_a_passkey_that_nobody_has_opens_nothing() -> None:
    client = Client()
    options = client.get("/login/passkey").json()["publicKey"]
    assert options["userVerification"] == "required"
    for credential in ("", "{}", "[1]", "null", '{"id": "x", "response": {"userHandle": "MQ"}}'):
        answer = client.post("/login/passkey", {"credential": credential})
        assert answer.status_code == 403, credential
        sent = {"credential": json.loads(credential or "0")}
        address = "/_allauth/app/v1/auth/webauthn/login"
        assert client.post(address, sent, content_type="application/json").status_code == 400, credential
    assert client.post(f"{SECURITY}/passkey/1/remove").status_code == 302


# New browsers


def test_a_login_from_a_new_browser_is_told_and_from_a_known_one_is_not(home: Client) -> None:
    assert told(MessageKind.CONTACT_CHANGED) == []  # the first login ever
    home.post("/logout")
    post_login(home, NUMBER)
    assert told(MessageKind.CONTACT_CHANGED) == []
    post_login(Client(), NUMBER)
    (notice,) = told(MessageKind.CONTACT_CHANGED)
    assert notice["change_text"] == "دخل جهاز جديد إلى حسابك."
    logins = SignIn.objects.order_by("id").values_list("is_new_device", flat=True)
    assert list(logins) == [True, False, True]


def test_the_last_logins_name_browser_and_device(layla: Person) -> None:
    client = Client()
    agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36"
    post_login(client, NUMBER, HTTP_USER_AGENT=agent)
    assert "Chrome, Android" in client.get(f"{SECURITY}?lang=en").content.decode()


# A forgotten password


def ask(client: Client, number: str, mobile: str) -> Any:
    return client.post("/login/forgotten?lang=en", {"number": number, "mobile": mobile})


def save(client: Client, code: str, password: str = "another-current-99") -> Any:
    return client.post("/login/forgotten/code?lang=en", {"code": code, "password": password})


def test_number_and_mobile_get_a_code_and_the_code_a_new_password(home: Client, layla: Person) -> None:
    client = Client()
    assert ask(client, NUMBER, "0500000021")["Location"].startswith("/login/forgotten/code")
    (values,) = told(MessageKind.ONE_TIME_CODE)
    assert save(client, values["code"], "short").status_code == 422
    assert save(client, values["code"])["Location"] == "/login?done=recovered&lang=en"
    assert not is_in(home)
    assert not is_in(client)  # a code sets a password; it does not sign in
    assert post_login(Client(), NUMBER, "another-current-99").status_code == 302
    assert len(told(MessageKind.CONTACT_CHANGED)) == 2  # the password; then a browser not seen before
    assert save(client, values["code"]).status_code == 302  # nothing is left to confirm


def test_recovery_answers_alike_whether_or_not_there_is_such_a_person(layla: Person) -> None:
    pairs = [(NUMBER, MOBILE), (NUMBER, "+966500000099"), (number_of(9), MOBILE), (number_of(9), "12")]
    asked, saved, again = set(), set(), set()
    for number, mobile in pairs:
        client = Client()
        answer = ask(client, number, mobile)
        asked.add((answer.status_code, answer["Location"], _without_tokens(client.get(answer["Location"]))))
        wrong = save(client, "000000")
        saved.add((wrong.status_code, _without_tokens(wrong)))
        soon = ask(client, number, mobile)
        again.add((soon.status_code, _without_tokens(soon).replace(number, "").replace(mobile, "")))
    assert [len(found) for found in (asked, saved, again)] == [1, 1, 1]
    assert {status for status, _ in again} == {429}
    assert IdentityCode.objects.count() == 1


def test_recovery_takes_its_time_for_everybody(layla: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(recovery, "ANSWER_SECONDS", 5)
    monkeypatch.setattr(recovery.time, "sleep", slept.append)
    for number in (NUMBER, number_of(9)):
        client = Client()
        ask(client, number, MOBILE)
        save(client, "000000")
    assert len(slept) == 4
    assert all(0 < seconds < 5 for seconds in slept)


def test_recovery_leaves_the_second_factor_on(layla: Person) -> None:
    with_app(layla)
    client = Client()
    ask(client, NUMBER, MOBILE)
    (values,) = told(MessageKind.ONE_TIME_CODE)
    save(client, values["code"])
    assert post_login(Client(), NUMBER, "another-current-99")["Location"] == "/login/second"


def test_the_session_between_the_two_steps_holds_no_identifier_in_the_clear(layla: Person) -> None:
    client = Client()
    ask(client, NUMBER, MOBILE)
    assert NUMBER not in json.dumps(dict(client.session.items()))


def test_a_code_for_recovery_is_tried_five_times_at_most(layla: Person) -> None:
    client = Client()
    ask(client, NUMBER, MOBILE)
    (values,) = told(MessageKind.ONE_TIME_CODE)
    wrong = f"{(int(values['code']) + 1) % 10**6:06d}"
    for _ in range(5):
        assert save(client, wrong).status_code == 422
    assert save(client, values["code"]).status_code == 422


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_every_page_is_whole_in_every_language(home: Client, lang: str) -> None:
    pages = ["", "/password", "/passkey", "/app"]
    for client, addresses in (
        (Client(), ["/login", "/login/forgotten"]),
        (home, [f"{SECURITY}{rest}" for rest in pages] + ["/login/again"]),
    ):
        for address in addresses:
            answer = client.get(f"{address}?lang={lang}")
            assert answer.status_code == 200, address
            assert f'<html lang="{lang}"' in answer.content.decode()
            assert answer["Referrer-Policy"] == "same-origin"
            assert "<style" not in answer.content.decode()
            assert "onclick" not in answer.content.decode()
