"""Sign-up from the identity number to a person with a login, and every way in which it stops cleanly."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from tests.scenarios import identity_ground as ground
from tests.scenarios import messages as mail
from tests.scenarios.identity_ground import NOW, SALMA, Scripted, begin, details, last_code, later, sign_up

from tayyar.core import clock, crypto
from tayyar.core.models import AuditEntry
from tayyar.customers.codes import CodeRefused
from tayyar.customers.models import Channel, ContactPoint, Customer, Language
from tayyar.identity import addresses, authorities, contacts, forgetting, people, signup, tasks
from tayyar.identity.authorities import Authorities
from tayyar.identity.errors import ContactRefused, SignUpRefused
from tayyar.identity.models import IdentityCode, Person, SignUp, SignUpStep, TermsAcceptance
from tayyar.identity.ports import AuthorityError, Way
from tayyar.notifications.kinds import MessageKind


@pytest.fixture
def authority(books: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """It proves by a code to the phone on record, until a test says otherwise."""
    made = Scripted()
    places = ground.Addresses()
    monkeypatch.setattr(authorities, "_factory", lambda: Authorities(identity=(made,), address=places))
    yield made


def refusal(call: object, *args: object, **more: object) -> SignUpRefused:
    with pytest.raises(SignUpRefused) as caught:
        call(*args, **more)  # type: ignore[operator]
    return caught.value


def confirm(found: SignUp, code: str | None = None, *, now: dt.datetime = NOW, **sent: str) -> SignUp:
    return signup.confirm_identity(signup_id=found.pk, code=code, sent=sent, now=now)


# ------------------------------------------------------------------------------------------------------ the whole way


def test_a_new_user_signs_up_and_has_a_login(authority: Scripted) -> None:
    found = begin()
    assert found.step == SignUpStep.IDENTITY
    assert signup.facts(found)["phone_masked"] == "••• 21"
    assert ground.messages(MessageKind.ONE_TIME_CODE)[-1]["to"] == "+966500000021"
    found = confirm(found, last_code())
    assert found.step == SignUpStep.DETAILS and signup.facts(found)["name"] == "سلمى العتيبي"
    found = details(found)
    assert found.step == SignUpStep.MOBILE
    assert ground.messages(MessageKind.ONE_TIME_CODE)[-1]["to"] == "+966500000031"
    person = signup.finish(signup_id=found.pk, code=last_code(), now=NOW)
    assert person.user.check_password(ground.PASSWORD) and not person.user.is_staff
    assert person.user.email == "" and "سلمى" not in person.user.username
    assert (person.customer.name, person.customer.kind, person.customer.is_citizen) == (
        "سلمى العتيبي",
        "PERSON",
        True,
    )
    assert person.customer_id >= 1_000_000_000_000
    assert people.id_number(person) == SALMA and person.birth_date == ground.BORN
    assert contacts.plain_address(person.mobile) == "+966500000031" and person.mobile.verified_at == NOW
    assert person.verified_by == "SCRIPTED" and person.language == Language.en
    accepted = TermsAcceptance.objects.get(person=person)
    assert (accepted.terms, accepted.version) == ("PORTAL", "2026-11")
    assert people.person_of(person.user) == person
    assert people.customers_of(person) == [(person.customer, "SELF")]


def test_the_codes_are_sent_to_people_outside_any_account(authority: Scripted) -> None:
    begin()
    gateway = mail.Scripted()
    mail.deliver(mail.provider("sms", Channel.SMS, gateway), now=later(1))
    assert ground.sent_to(gateway) == ["+966500000021"]
    assert last_code() in str(gateway.taken[0].content)


def test_whom_the_books_know_by_identity_becomes_that_customer(authority: Scripted) -> None:
    known = Customer.objects.create(
        id=7, kind="PERSON", name="سلمى", national_id_hash=people.id_hash("NATIONAL_ID", SALMA)
    )
    assert sign_up().customer == known
    assert Customer.objects.count() == 1


def test_a_business_with_the_same_number_is_not_taken_for_the_person(authority: Scripted) -> None:
    Customer.objects.create(
        id=7, kind="BUSINESS", name="x", national_id_hash=people.id_hash("NATIONAL_ID", SALMA)
    )
    assert sign_up().customer_id != 7


def test_without_a_password_the_login_has_none(authority: Scripted) -> None:
    person = sign_up(password=None)
    assert not person.user.has_usable_password()


def test_every_form_can_be_sent_twice(authority: Scripted) -> None:
    found = begin()
    code = last_code()
    confirm(found, code)
    assert confirm(found, code).step == SignUpStep.DETAILS
    details(found)
    details(found)
    assert len(ground.messages(MessageKind.ONE_TIME_CODE)) == 2  # one for the identity, one for the mobile
    code = last_code()
    first = signup.finish(signup_id=found.pk, code=code, now=NOW)
    assert signup.finish(signup_id=found.pk, code=code, now=NOW) == first
    assert Person.objects.count() == User.objects.count() == 1


def test_an_approval_is_waited_for(authority: Scripted) -> None:
    authority.way, authority.then = Way.APPROVAL, None
    found = begin()
    assert signup.facts(found)["shown"] == "42"
    assert confirm(found).step == SignUpStep.IDENTITY
    authority.then = ""
    assert confirm(found).step == SignUpStep.DETAILS
    assert ground.messages(MessageKind.ONE_TIME_CODE) == []


def test_a_redirect_comes_back_with_what_the_authority_sent(authority: Scripted) -> None:
    authority.way = Way.REDIRECT
    found = begin()
    assert signup.facts(found)["url"].startswith("https://authority.example/")
    assert confirm(found, code="abc").step == SignUpStep.DETAILS
    assert authority.sent == [{}]
    authority.sent.clear()
    other = begin(ground.NASSER)
    signup.confirm_identity(signup_id=other.pk, code=None, sent={"state": "s", "code": "c"}, now=NOW)
    assert authority.sent == [{"state": "s", "code": "c"}]


def test_a_check_that_takes_days_keeps_the_sign_up_open(authority: Scripted) -> None:
    authority.way, authority.then = Way.APPROVAL, None
    authority.expires_at = NOW + dt.timedelta(days=5)
    found = begin()
    authority.then = ""
    after = NOW + dt.timedelta(days=4)
    assert confirm(found, now=after).step == SignUpStep.DETAILS
    assert details(found, now=after).step == SignUpStep.MOBILE


def test_a_name_the_authority_does_not_say_is_asked(authority: Scripted) -> None:
    authority.changes = {"name": ""}
    found = confirm(begin(), last_code())
    assert refusal(details, found).reason == "NAME"
    details(found, name="  سلمى   العتيبي ")
    assert signup.finish(signup_id=found.pk, code=last_code(), now=NOW).customer.name == "سلمى العتيبي"


# ------------------------------------------------------------------------------------------------- what was mistyped


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"id_type": "FISHING_LICENCE"}, "NOT_ACCEPTED"),
        ({"id_type": "COMMERCIAL_REGISTER", "number": ground.REGISTER}, "NOT_ACCEPTED"),
        ({"number": "1012345673"}, "FORMAT"),
        ({"nationality": "FR"}, "NATIONALITY"),
        ({"id_type": "PASSPORT", "number": "AB123456", "nationality": ""}, "NATIONALITY"),
        ({"birth_date": dt.date(2026, 11, 23)}, "BIRTH_DATE"),
        ({"birth_date": dt.date(1890, 1, 1)}, "BIRTH_DATE"),
        ({"birth_date": dt.date(2010, 1, 1)}, "TOO_YOUNG"),
    ],
)
def test_what_cannot_be_is_refused_before_the_authority_is_asked(
    authority: Scripted, given: dict[str, object], reason: str
) -> None:
    assert refusal(begin, **{"number": SALMA, **given}).reason == reason
    assert authority.asked == [] and not SignUp.objects.exists()


def test_a_wrong_number_says_what_was_typed_and_expected(authority: Scripted) -> None:
    cause = refusal(begin, "101234567").detail["cause"]
    assert (cause.reason, cause.count, cause.least) == ("LENGTH", 9, 10)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"mobile": "12"}, "MOBILE"),
        ({"email": "salma"}, "EMAIL"),
        ({"password": "short"}, "PASSWORD"),
        ({"terms_version": "2025-01"}, "TERMS"),
    ],
)
def test_details_that_cannot_be_are_refused_and_nothing_is_sent(
    authority: Scripted, given: dict[str, object], reason: str
) -> None:
    found = confirm(begin(), last_code())
    sent = len(ground.messages(MessageKind.ONE_TIME_CODE))
    assert refusal(details, found, **given).reason == reason
    assert len(ground.messages(MessageKind.ONE_TIME_CODE)) == sent
    assert SignUp.objects.get().step == SignUpStep.DETAILS


def test_a_mistyped_mobile_can_be_given_again_and_its_code_opens_nothing(authority: Scripted) -> None:
    found = confirm(begin(), last_code())
    details(found, mobile="0500000099")
    stale = last_code()
    details(found)
    with pytest.raises((SignUpRefused, CodeRefused)):
        signup.finish(signup_id=found.pk, code=stale, now=NOW)
    person = signup.finish(signup_id=found.pk, code=last_code(), now=NOW)
    assert contacts.plain_address(person.mobile) == "+966500000031"


# ------------------------------------------------------------------------------------------------ what stops cleanly


@pytest.mark.parametrize("reason", ["DOWN", "MISMATCH", "NOT_COVERED"])
def test_an_authority_that_refuses_at_once_ends_the_attempt(authority: Scripted, reason: str) -> None:
    authority.fails = reason
    assert refusal(begin).reason == reason
    ended = SignUp.objects.get()
    assert ended.facts_sealed is None and ended.expires_at == NOW
    assert ground.messages(MessageKind.ONE_TIME_CODE) == []


def test_without_an_authority_a_service_centre_is_named(books: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "_factory", Authorities)
    assert refusal(begin).reason == "NOT_COVERED"


def test_without_a_phone_on_record_no_code_can_be_sent(authority: Scripted) -> None:
    assert refusal(begin, "1000000008").reason == "NO_PHONE"


@pytest.mark.parametrize("reason", ["MISMATCH", "REJECTED", "EXPIRED"])
def test_a_proof_that_failed_ends_the_sign_up(authority: Scripted, reason: str) -> None:
    authority.way, authority.then = Way.APPROVAL, reason
    found = begin()
    assert refusal(confirm, found).reason == reason
    assert SignUp.objects.get().facts_sealed is None
    assert refusal(confirm, found).reason == "EXPIRED"


@pytest.mark.parametrize(
    "changes", [{"number": ground.NASSER}, {"birth_date": dt.date(1990, 5, 13)}, {"id_type": "RESIDENCE"}]
)
def test_another_identity_than_was_typed_is_a_mismatch(
    authority: Scripted, changes: dict[str, object]
) -> None:
    authority.changes = changes
    assert refusal(confirm, begin(), last_code()).reason == "MISMATCH"
    assert not Person.objects.exists()


def test_an_authority_that_is_down_after_the_code_is_asked_again_without_one(authority: Scripted) -> None:
    found = begin()
    authority.then = "DOWN"
    assert refusal(confirm, found, last_code()).reason == "DOWN"
    authority.then = ""
    assert confirm(found).step == SignUpStep.DETAILS


def test_a_wrong_code_proves_nothing_and_counts(authority: Scripted) -> None:
    found = begin()
    assert refusal(confirm, found, ground.wrong(last_code())).reason == "CODE"
    assert IdentityCode.objects.get().tries == 1
    assert authority.sent == []  # the authority was not asked who it is
    assert confirm(found, None).step == SignUpStep.IDENTITY


def test_an_expired_code_is_replaced_by_another(authority: Scripted) -> None:
    found = begin()
    with pytest.raises(CodeRefused) as caught:
        confirm(found, last_code(), now=later(60))
    assert caught.value.reason == "EXPIRED"
    signup.resend(signup_id=found.pk, network=ground.NETWORK, now=later(61))
    assert confirm(found, last_code(), now=later(62)).step == SignUpStep.DETAILS


def test_a_code_is_not_sent_again_before_its_time(authority: Scripted) -> None:
    found = begin()
    standing = signup.code_standing(found, now=NOW)
    assert standing is not None
    assert (standing.expires_at, standing.resend_at) == (later(60), later(30))
    with pytest.raises(CodeRefused) as caught:
        signup.resend(signup_id=found.pk, network=ground.NETWORK, now=later(29))
    assert (caught.value.reason, caught.value.seconds) == ("WAIT", 1)
    signup.resend(signup_id=found.pk, network=ground.NETWORK, now=later(30))
    with pytest.raises(CodeRefused) as caught:
        signup.resend(signup_id=found.pk, network=ground.NETWORK, now=later(60))
    assert caught.value.seconds == 30  # 60 after the second one


def test_a_sign_up_is_over_after_half_an_hour(authority: Scripted) -> None:
    found = begin()
    over = later(30 * 60)
    assert refusal(confirm, found, last_code(), now=over).reason == "EXPIRED"
    assert signup.find(signup_id=found.pk, now=over) is None
    assert signup.find(signup_id=found.pk, now=over - dt.timedelta(seconds=1)) == found


@pytest.mark.parametrize("unknown", ["", "7", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_sign_up_is_the_same_as_one_that_is_over(authority: Scripted, unknown: str) -> None:
    assert (
        refusal(signup.finish, signup_id=unknown, code="123456", now=NOW).reason
        == refusal(details, SignUp(id=unknown)).reason
        == "EXPIRED"
    )


def test_steps_cannot_be_left_out(authority: Scripted) -> None:
    found = begin()
    assert refusal(details, found).reason == "ORDER"
    assert refusal(signup.finish, signup_id=found.pk, code=last_code(), now=NOW).reason == "ORDER"
    confirm(found, last_code())
    assert refusal(signup.finish, signup_id=found.pk, code=last_code(), now=NOW).reason == "ORDER"


def test_attempts_for_one_identity_and_from_one_network_are_bounded(authority: Scripted) -> None:
    authority.fails = "MISMATCH"
    for number in range(10):
        assert refusal(begin, network=f"net{number}").reason == "MISMATCH"
    assert refusal(begin, network="another").reason == "BUDGET"
    assert len(authority.asked) == 10
    assert refusal(begin, now=NOW + dt.timedelta(days=1, seconds=1)).reason == "MISMATCH"


def test_guessing_across_identities_from_one_network_is_bounded(
    authority: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tayyar.identity import proving

    monkeypatch.setattr(proving, "MOST_PER_NETWORK_A_DAY", 2)
    authority.fails = "MISMATCH"
    assert [refusal(begin, number).reason for number in (SALMA, ground.NASSER, ground.HUDA)] == [
        "MISMATCH",
        "MISMATCH",
        "BUDGET",
    ]


# -------------------------------------------------------------------------------------- who has a login already


def test_an_identity_with_a_login_looks_like_any_other_until_it_is_proven(authority: Scripted) -> None:
    person = sign_up()
    at = later(3600)
    known, unknown = begin(now=at), begin(ground.NASSER, now=at)
    shown = [
        {key: value for key, value in signup.facts(one).items() if key not in ("number", "phone_masked")}
        for one in (known, unknown)
    ]
    assert shown[0] == shown[1]
    assert (known.step, known.expires_at, known.person) == (unknown.step, unknown.expires_at, None)
    codes = ground.messages(MessageKind.ONE_TIME_CODE)[-2:]
    assert refusal(confirm, known, ground.wrong(codes[0]["code"]), now=at).reason == "CODE"
    assert signup.proven_person(signup_id=known.pk, now=at) is None
    assert refusal(confirm, known, codes[0]["code"], now=at).reason == "HAS_LOGIN"
    assert signup.proven_person(signup_id=known.pk, now=at) == person
    assert refusal(confirm, known, None, now=at).reason == "HAS_LOGIN"
    assert signup.proven_person(signup_id=known.pk, now=at + dt.timedelta(minutes=30)) is None
    assert SignUp.objects.get(pk=known.pk).facts_sealed is None


def test_after_has_login_the_sign_up_leads_nowhere(authority: Scripted) -> None:
    sign_up()
    found = begin(now=later(3600))
    assert refusal(confirm, found, last_code(), now=later(3600)).reason == "HAS_LOGIN"
    assert refusal(details, found, now=later(3600)).reason == "ORDER"
    assert refusal(signup.finish, signup_id=found.pk, code="1", now=later(3600)).reason == "ORDER"
    assert Person.objects.count() == 1


def test_of_two_sign_ups_of_one_identity_the_second_to_finish_is_refused(authority: Scripted) -> None:
    first = confirm(begin(), last_code())
    second = confirm(begin(now=later(31)), last_code(), now=later(31))
    details(first, now=later(31))
    code = last_code()
    signup.finish(signup_id=first.pk, code=code, now=later(31))
    details(second, mobile="0500000098", now=later(62))
    error = refusal(signup.finish, signup_id=second.pk, code=last_code(), now=later(62))
    assert error.reason == "HAS_LOGIN"
    assert Person.objects.count() == User.objects.count() == 1


# --------------------------------------------------------------------------------------------------------- e-mail


def link() -> str:
    return ground.messages(MessageKind.EMAIL_CHECK)[-1]["url"].rsplit("/", 1)[1]


def test_the_e_mail_counts_once_its_link_was_opened_and_it_opens_once(authority: Scripted) -> None:
    person = sign_up()
    assert person.email is None
    assert ground.messages(MessageKind.EMAIL_CHECK)[-1]["to"] == "salma@mail.example"
    assert contacts.email_of_link(token=link(), now=later(5)) == "s•••@m•••.example"
    confirmed = contacts.confirm_email(token=link(), now=later(6))
    assert confirmed is not None and confirmed.email is not None
    assert contacts.plain_address(confirmed.email) == "salma@mail.example"
    assert contacts.confirm_email(token=link(), now=later(7)) is None
    assert ground.messages(MessageKind.CONTACT_CHANGED) == []  # there was no other to tell


def test_the_link_is_sent_by_e_mail(authority: Scripted) -> None:
    sign_up()
    gateway = mail.Scripted()
    mail.deliver(mail.provider("mail", Channel.EMAIL, gateway), now=later(1))
    assert ground.sent_to(gateway) == ["salma@mail.example"]
    assert link() in str(gateway.taken[0].content)


def test_the_link_works_for_24_hours(authority: Scripted) -> None:
    sign_up()
    end = NOW + contacts.EMAIL_VALID
    assert contacts.email_of_link(token=link(), now=end - dt.timedelta(seconds=1)) is not None
    assert contacts.confirm_email(token=link(), now=end) is None


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t[1:], str.lower]
)
def test_a_link_that_was_altered_opens_nothing(authority: Scripted, spoil: object) -> None:
    sign_up()
    assert contacts.confirm_email(token=spoil(link()), now=NOW) is None  # type: ignore[operator]


def test_without_an_e_mail_no_link_is_sent(authority: Scripted) -> None:
    assert sign_up(email=" ").email is None
    assert ground.messages(MessageKind.EMAIL_CHECK) == []


def test_a_new_e_mail_replaces_the_old_one_when_proven_and_the_old_one_is_told(authority: Scripted) -> None:
    person = sign_up()
    contacts.confirm_email(token=link(), now=later(5))
    contacts.change_email(person=person, address="New@Mail.example", now=later(10))
    stale = link()
    person.refresh_from_db()
    assert person.email is not None and contacts.plain_address(person.email) == "salma@mail.example"
    contacts.change_email(person=person, address="other@mail.example", now=later(20))
    assert contacts.confirm_email(token=stale, now=later(30)) is None  # a newer one waits
    contacts.confirm_email(token=link(), now=later(30))
    person.refresh_from_db()
    assert contacts.plain_address(person.email) == "other@mail.example"
    told = ground.messages(MessageKind.CONTACT_CHANGED)
    assert [entry["to"] for entry in told] == ["salma@mail.example"]
    assert told[0]["change_text"] == "Your e-mail address with us is now o•••@m•••.example."


def test_a_first_e_mail_added_later_is_told_to_the_mobile(authority: Scripted) -> None:
    person = sign_up(email="")
    contacts.change_email(person=person, address="salma@mail.example", now=later(100))
    contacts.confirm_email(token=link(), now=later(101))
    assert [entry["to"] for entry in ground.messages(MessageKind.CONTACT_CHANGED)] == ["+966500000031"]


# ---------------------------------------------------------------------------------------------- afterwards


def test_a_new_mobile_counts_once_its_code_was_typed_and_the_old_one_is_told(authority: Scripted) -> None:
    person = sign_up()
    at = later(100)
    contacts.change_mobile(person=person, address="050 000 0077", network=ground.NETWORK, now=at)
    with pytest.raises(ContactRefused) as caught:
        contacts.confirm_mobile(person=person, code=ground.wrong(last_code()), now=at)
    assert caught.value.reason == "CODE"
    person.refresh_from_db()
    assert contacts.plain_address(person.mobile) == "+966500000031"
    person = contacts.confirm_mobile(person=person, code=last_code(), now=at)
    assert contacts.plain_address(person.mobile) == "+966500000077" and person.mobile.verified_at == at
    told = ground.messages(MessageKind.CONTACT_CHANGED)
    assert [(entry["to"], entry["change_text"]) for entry in told] == [
        ("+966500000031", "Your mobile number with us is now ••• 77.")
    ]
    gateway = mail.Scripted()
    mail.deliver(mail.provider("sms", Channel.SMS, gateway), now=at)
    assert "+966500000031" in ground.sent_to(gateway)
    with pytest.raises(ContactRefused) as caught:
        contacts.confirm_mobile(person=person, code=last_code(), now=at)
    assert caught.value.reason == "EXPIRED"


def test_the_code_of_a_former_new_mobile_confirms_nothing(authority: Scripted) -> None:
    person = sign_up()
    at = later(100)
    contacts.change_mobile(person=person, address="0500000077", network=ground.NETWORK, now=at)
    stale = last_code()
    contacts.change_mobile(person=person, address="0500000078", network=ground.NETWORK, now=at)
    with pytest.raises(ContactRefused):
        contacts.confirm_mobile(person=person, code=stale, now=at)
    person.refresh_from_db()
    assert contacts.plain_address(person.mobile) == "+966500000031"


@pytest.mark.parametrize(
    ("address", "reason"), [("12", "ADDRESS"), ("0500000031", "SAME"), ("+966 50 000 0031", "SAME")]
)
def test_a_mobile_that_is_none_or_the_same_is_refused(authority: Scripted, address: str, reason: str) -> None:
    person = sign_up()
    with pytest.raises(ContactRefused) as caught:
        contacts.change_mobile(person=person, address=address, network=ground.NETWORK, now=later(100))
    assert caught.value.reason == reason


def test_links_to_new_e_mails_are_bounded(authority: Scripted) -> None:
    person = sign_up(email="")
    for number in range(5):
        contacts.change_email(person=person, address=f"a{number}@mail.example", now=later(number))
    with pytest.raises(ContactRefused) as caught:
        contacts.change_email(person=person, address="a6@mail.example", now=later(6))
    assert caught.value.reason == "BUDGET"


def test_a_new_password_is_told_to_every_contact(authority: Scripted) -> None:
    person = sign_up()
    person = contacts.confirm_email(token=link(), now=later(1))
    contacts.tell_change(person=person, what="PASSWORD", now=later(2))
    told = ground.messages(MessageKind.CONTACT_CHANGED)
    assert [entry["to"] for entry in told] == ["+966500000031", "salma@mail.example"]
    assert {entry["change_text"] for entry in told} == {"Your password was changed."}
    assert {entry["complaint_text"] for entry in told} == {"920000000"}


def test_language_and_simple_mode_are_chosen_and_audited_once(authority: Scripted) -> None:
    person = sign_up()
    for _ in range(2):
        people.set_language(person=person, language=Language.fr, now=NOW)
        people.set_simple(person=person, is_simple=True, now=NOW)
    person.refresh_from_db()
    assert (person.language, person.is_simple) == (Language.fr, True)
    assert (ground.audited("LANGUAGE_CHANGED"), ground.audited("SIMPLE_MODE_CHANGED")) == (1, 1)


def test_the_address_is_chosen_from_the_authoritys_list(authority: Scripted) -> None:
    person = sign_up()
    assert [one.code for one in addresses.listed_addresses(person=person)] == ["RRRD2929"]
    addresses.choose_address(person=person, code="RRRD2929", now=NOW)
    person.refresh_from_db()
    assert (person.address["code"], person.address_checked_at) == ("RRRD2929", NOW)
    with pytest.raises(ContactRefused) as caught:
        addresses.choose_address(person=person, code="XXXX0000", now=NOW)
    assert caught.value.reason == "UNKNOWN"


def test_a_typed_address_is_confirmed_where_the_authority_knows_the_building(authority: Scripted) -> None:
    person = sign_up()
    typed = {"building_number": "2929", "street": "Rayhanah", "city": "Riyadh", "postal_code": "13337"}
    assert addresses.add_address(person=person, parts=typed, now=NOW).address["code"] == "RRRD2929"
    person = addresses.add_address(person=person, parts={**typed, "building_number": "1"}, now=NOW)
    assert (person.address["code"], person.address_checked_at) == ("", None)
    assert person.address["parts"]["street"] == "Rayhanah"
    with pytest.raises(ContactRefused):
        addresses.add_address(person=person, parts={"city": "Riyadh"}, now=NOW)


def test_an_address_can_be_typed_while_the_authority_is_down(
    authority: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sign_up()
    down = ground.Addresses(is_down=True)
    monkeypatch.setattr(authorities, "_factory", lambda: Authorities(address=down))
    typed = {"building_number": "2929", "street": "Rayhanah", "city": "Riyadh", "postal_code": "13337"}
    assert addresses.add_address(person=person, parts=typed, now=NOW).address_checked_at is None
    with pytest.raises(AuthorityError):
        addresses.listed_addresses(person=person)


# ------------------------------------------------------------------------------------------------- what is kept


def test_nothing_typed_stays_after_the_end(authority: Scripted) -> None:
    sign_up()
    assert SignUp.objects.get().facts_sealed is None
    person = Person.objects.get()
    assert SALMA.encode() not in bytes(person.id_sealed) and SALMA.encode() not in bytes(person.id_hash)
    assert bytes(person.id_hash) == bytes(person.customer.national_id_hash or b"")
    sealed = bytes(person.customer.national_id_sealed or b"")
    assert crypto.unseal(sealed, field="customers.customer.national_id") == SALMA


def test_the_audit_log_holds_every_step_and_nothing_in_the_clear(authority: Scripted) -> None:
    sign_up()
    contacts.confirm_email(token=link(), now=later(1))
    steps = (
        "SIGN_UP_BEGUN CODE_ISSUED CODE_CONFIRMED IDENTITY_PROVEN SIGN_UP_DETAILS PERSON_ADDED TERMS_ACCEPTED "
        "CUSTOMER_ADDED SIGN_UP_DONE CONTACT_CHANGE_ASKED CONTACT_VERIFIED CONTACT_CHANGED"
    )
    assert set(steps.split()) <= set(AuditEntry.objects.values_list("action", flat=True))
    written = str(list(AuditEntry.objects.values_list("actor", "subject", "detail")))
    for secret in (SALMA, "966500000031", "966500000021", "salma@", ground.PASSWORD, last_code(), "سلمى"):
        assert secret not in written


def test_what_is_over_is_emptied_daily_and_forgotten_after_eight_days(authority: Scripted) -> None:
    person = sign_up()
    begin(ground.NASSER)
    day = NOW + dt.timedelta(days=1)
    assert forgetting.forget_ended(now=later(60)).emptied == 0  # Nasser is still at it
    assert forgetting.forget_ended(now=day).emptied == 1
    assert SignUp.objects.filter(facts_sealed=None).count() == 2
    found = forgetting.forget_ended(now=NOW + dt.timedelta(days=9))
    # Codes: two of Salma, one of Nasser. Contacts: both phones on record, and the e-mail that nobody confirmed.
    assert (found.signups, found.codes, found.contacts) == (2, 3, 3)
    assert [contact.pk for contact in ContactPoint.objects.all()] == [person.mobile_id]
    assert forgetting.forget_ended(now=NOW + dt.timedelta(days=9)).contacts == 0


def test_the_daily_task_forgets(authority: Scripted) -> None:
    begin()
    with clock.at(later(30 * 60)):
        tasks.forget_sign_ups(timestamp=0)
    assert SignUp.objects.get().facts_sealed is None
