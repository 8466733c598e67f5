"""Sign-up: identity, then details, then the new mobile, and there is a person with a login.

Owns the steps and what each may be given. Before the identity is proven, one that has a login is treated exactly like
one that has not. Next: people.make_person; contacts.py sends the e-mail's link.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from tayyar.customers.addresses import AddressMistyped, clean_address, masked_address
from tayyar.customers.models import Channel, Language
from tayyar.customers.services import add_person_contact
from tayyar.identity import codes, contacts, people, proving, rules
from tayyar.identity.errors import SignUpRefused
from tayyar.identity.models import IdType, Person, SignUp, SignUpStep
from tayyar.identity.people import Identity
from tayyar.identity.ports import Proven, Way
from tayyar.profiles.installation import installed_profile

OLDEST_YEARS = 125
LONGEST_NAME = 120  # as customers keep it


def begin(
    *,
    id_type: str,
    number: str,
    birth_date: dt.date,
    nationality: str,
    language: Language,
    network: str,
    back_url: str,
    now: dt.datetime,
) -> SignUp:
    """Check what was typed and ask the authority. `nationality` may be "" where the document proves one.

    The sign-up stands at IDENTITY; `facts` tells how to go on ("way"). SignUpRefused NOT_ACCEPTED, FORMAT,
    NATIONALITY, BIRTH_DATE, TOO_YOUNG, NOT_COVERED, BUDGET, DOWN, MISMATCH, NO_PHONE; CodeRefused WAIT, BUDGET.
    """
    kind = installed_profile().identity_type(id_type)
    if kind is None or kind.kind != "PERSON":
        raise SignUpRefused("NOT_ACCEPTED", "This document proves no person here. Choose another one.")
    try:
        plain = rules.check_id(kind, number)
    except rules.IdRefused as error:
        raise SignUpRefused("FORMAT", str(error), cause=error) from None
    country = nationality.strip().upper() or kind.nationality
    if (
        len(country) != 2
        or not country.isalpha()
        or (kind.nationalities and country not in kind.nationalities)
    ):
        raise SignUpRefused("NATIONALITY", "This nationality does not go with this document.")
    today = proving.local_day(now)
    if birth_date > today or today.year - birth_date.year > OLDEST_YEARS:
        raise SignUpRefused("BIRTH_DATE", "This birth date cannot be. Check the year.")
    if not rules.is_adult(birth_date, today):
        raise SignUpRefused("TOO_YOUNG", f"A login is for people of {rules.ADULT_YEARS} years or more.")
    if rules.birth_date_in(kind, plain) not in (None, birth_date):
        raise SignUpRefused("MISMATCH", "The number and the birth date do not belong together.")
    return proving.start(
        id_type=IdType(kind.code),
        number=plain,
        nationality=country,
        birth_date=birth_date,
        language=language,
        network=network,
        back_url=back_url,
        more={},
        now=now,
    )


def resend(*, signup_id: uuid.UUID | str, network: str, now: dt.datetime) -> SignUp:
    """Send the present step's code again. Where no code of ours is awaited, nothing happens.

    SignUpRefused EXPIRED; CodeRefused WAIT, BUDGET.
    """
    signup = proving.live(signup_id, now)
    known = proving.open_facts(signup) if signup.step != SignUpStep.DONE else {}
    if signup.step == SignUpStep.MOBILE:
        proving.send_code(signup, address=known["mobile"], network=network, now=now)
    elif signup.step == SignUpStep.IDENTITY and known["way"] == Way.CODE and not known.get("is_code_right"):
        proving.send_code(signup, address=known["phone"], network=network, now=now)
    return signup


def confirm_identity(
    *, signup_id: uuid.UUID | str, code: str | None, sent: Mapping[str, str], now: dt.datetime
) -> SignUp:
    """The code that was typed, or what a redirect brought back (`sent`), or just: is it answered yet?

    At DETAILS once proven; still at IDENTITY while the authority waits. Said again later, it changes nothing.
    SignUpRefused CODE, DOWN (try again), MISMATCH, REJECTED, EXPIRED, HAS_LOGIN; CodeRefused EXPIRED, TRIES.
    """
    signup = _mine(signup_id, now)
    if signup.person_id is not None and signup.step == SignUpStep.IDENTITY:
        raise _has_login()
    if signup.step != SignUpStep.IDENTITY:
        return signup
    proven = proving.prove(signup, code=code, sent=sent, now=now)
    return signup if proven is None else _proven(signup_id, proven, now)


@transaction.atomic
def _store_proof(signup_id: uuid.UUID | str, proven: Proven, now: dt.datetime) -> SignUp:
    signup = proving.live(signup_id, now, lock=True)
    if signup.step != SignUpStep.IDENTITY or signup.person_id is not None:
        return signup
    known = proving.open_facts(signup)
    owner = people.person_with(known["id_type"], known["number"], known["nationality"])
    signup.expires_at = max(signup.expires_at, now + proving.VALID)
    if owner is not None:
        signup.person, signup.facts_sealed = owner, None
        proving.record(signup, "SIGN_UP_HAS_LOGIN", now, person=owner.pk)
    else:
        signup.step, signup.contact_point = SignUpStep.DETAILS, None
        known["name"] = proven.name[:LONGEST_NAME].strip()
        known["nationality"] = known["nationality"] or proven.nationality
        signup.facts_sealed = proving.seal_facts(known)
        proving.record(signup, "IDENTITY_PROVEN", now, authority=signup.authority)
    signup.save()
    return signup


def _proven(signup_id: uuid.UUID | str, proven: Proven, now: dt.datetime) -> SignUp:
    signup = _store_proof(signup_id, proven, now)
    if signup.step == SignUpStep.IDENTITY:
        raise _has_login()
    return signup


def proven_person(*, signup_id: uuid.UUID | str, now: dt.datetime) -> Person | None:
    """After HAS_LOGIN: the person whose identity that sign-up proved, so that recovery need not ask again. None in
    every other case, and when the sign-up is over."""
    try:
        signup = _mine(signup_id, now)
    except SignUpRefused:
        return None
    return signup.person if signup.step == SignUpStep.IDENTITY else None


def give_details(
    *,
    signup_id: uuid.UUID | str,
    mobile: str,
    email: str,
    password: str | None,
    terms_version: str,
    network: str,
    now: dt.datetime,
    name: str = "",
) -> SignUp:
    """What the person chose; a code goes to the new mobile. `email` may be "", `password` None for a passkey.

    At MOBILE, the details can be given again, as when the number was mistyped; the same number gets no second code.
    SignUpRefused ORDER, TERMS, NAME, MOBILE, EMAIL, PASSWORD, EXPIRED; CodeRefused WAIT, BUDGET.
    """
    signup = _mine(signup_id, now)
    if signup.step == SignUpStep.DONE:
        return signup
    if signup.step == SignUpStep.IDENTITY:
        raise SignUpRefused("ORDER", "The identity must be proven first.")
    known = proving.open_facts(signup)
    given = {
        "mobile": _address(mobile, Channel.SMS),
        "email": _address(email, Channel.EMAIL) if email.strip() else "",
        "name": known["name"] or " ".join(name.split()),
        "terms_version": _terms(terms_version),
    }
    if not given["name"] or len(given["name"]) > LONGEST_NAME or "\0" in given["name"]:
        raise SignUpRefused("NAME", f"Type the name as on the document, at most {LONGEST_NAME} letters.")
    given["password_hash"] = "" if password is None else _password(password)
    with transaction.atomic():
        signup = proving.live(signup_id, now, lock=True)
        if signup.step == SignUpStep.DONE:
            return signup
        is_same = signup.step == SignUpStep.MOBILE and known.get("mobile") == given["mobile"]
        signup.step = SignUpStep.MOBILE
        signup.facts_sealed = proving.seal_facts({**known, **given})
        if not is_same:
            signup.contact_point = add_person_contact(
                channel=Channel.SMS, address=given["mobile"], verified_at=None, actor="portal", now=now
            )
        signup.save()
        proving.record(signup, "SIGN_UP_DETAILS", now)
        if not is_same:
            proving.send_code(signup, address=given["mobile"], network=network, now=now)
    return signup


def finish(*, signup_id: uuid.UUID | str, code: str, now: dt.datetime) -> Person:
    """The new mobile's code was typed: the person and the login are made, the link goes to the e-mail address.

    Sent twice, it gives the same person. SignUpRefused ORDER, CODE, HAS_LOGIN, EXPIRED; CodeRefused EXPIRED, TRIES.
    """
    signup = _mine(signup_id, now)
    if signup.step == SignUpStep.DONE and signup.person is not None:
        return signup.person
    if signup.step != SignUpStep.MOBILE:
        raise SignUpRefused("ORDER", "The details must be given first.")
    if not codes.check(subject=proving.subject_of(signup), code=code, now=now):
        raise SignUpRefused("CODE", "This is not the code that was sent.")
    try:
        return _make(signup_id, signup.contact_point_id, now)
    except people.AlreadyThere:
        proving.end(signup, now)
        raise _has_login() from None


@transaction.atomic
def _make(signup_id: uuid.UUID | str, proven_contact: int | None, now: dt.datetime) -> Person:
    signup = proving.live(signup_id, now, lock=True)
    if signup.step == SignUpStep.DONE and signup.person is not None:
        return signup.person
    if (
        signup.contact_point_id != proven_contact
    ):  # another number was given while this one's code was checked
        raise SignUpRefused("ORDER", "The mobile number changed. Type the code that was sent to the new one.")
    known = proving.open_facts(signup)
    assert signup.contact_point is not None
    person = people.make_person(
        identity=Identity(
            id_type=IdType(known["id_type"]),
            number=known["number"],
            name=known["name"],
            birth_date=dt.date.fromisoformat(known["birth_date"]),
            nationality=known["nationality"],
            verified_by=signup.authority,
        ),
        mobile=signup.contact_point,
        password_hash=known["password_hash"],
        terms_version=known["terms_version"],
        language=Language[known["language"]],
        actor="portal",
        now=now,
    )
    signup.step, signup.person, signup.facts_sealed = SignUpStep.DONE, person, None
    signup.save()
    proving.record(signup, "SIGN_UP_DONE", now, person=person.pk)
    if known["email"]:
        contacts.change_email(person=person, address=known["email"], now=now)
    return person


def facts(signup: SignUp) -> dict[str, Any]:
    """What pages may show of a sign-up: "id_type", "number", "birth_date" (ISO), "nationality", "language", "way",
    "shown" (the number to pick in the authority's app), "url" (where a redirect leads), "phone_masked",
    "is_code_right", "name", "mobile", "mobile_masked", "email", "terms_version"; only those known so far.

    Never the password. Empty when the sign-up is over.
    """
    if signup.facts_sealed is None:
        return {}
    known = proving.open_facts(signup)
    known.pop("password_hash", None)
    known.pop("for_person", None)
    phone = known.pop("phone", "")
    shown = {**known, "phone_masked": masked_address(phone, channel=Channel.SMS) if phone else ""}
    if "mobile" in known:
        shown["mobile_masked"] = masked_address(known["mobile"], channel=Channel.SMS)
    return shown


def find(*, signup_id: uuid.UUID | str, now: dt.datetime) -> SignUp | None:
    """The sign-up while it lasts, for a page that is opened again; None when it is over."""
    try:
        return proving.live(signup_id, now)
    except SignUpRefused:
        return None


def code_standing(signup: SignUp, *, now: dt.datetime) -> codes.Standing | None:
    """Until when the present step's code works and from when another may be sent; None where none was sent."""
    return codes.standing(subject=proving.subject_of(signup), now=now)


def _mine(signup_id: uuid.UUID | str, now: dt.datetime) -> SignUp:
    """The sign-up of a person: the proof of a business opens no login. SignUpRefused EXPIRED."""
    signup = proving.live(signup_id, now)
    is_business = (
        signup.person is not None and bytes(signup.person.id_hash) != bytes(signup.id_hash)
        if signup.facts_sealed is None
        else "for_person" in proving.open_facts(signup)
    )
    if is_business:
        raise SignUpRefused("EXPIRED", "This sign-up is over. Begin again.")
    return signup


def _address(text: str, channel: Channel) -> str:
    try:
        return clean_address(text, channel=channel, calling_code=installed_profile().calling_code)
    except AddressMistyped as error:
        reason = "MOBILE" if channel == Channel.SMS else "EMAIL"
        raise SignUpRefused(reason, str(error)) from None


def _terms(version: str) -> str:
    wanted = installed_profile().terms_version
    if version != wanted:
        raise SignUpRefused("TERMS", "Read and accept the terms.", version=wanted)
    return version


def _password(password: str) -> str:
    try:
        validate_password(password)
    except ValidationError as error:
        problems = [problem.code or "" for problem in error.error_list]
        raise SignUpRefused("PASSWORD", " ".join(error.messages), problems=problems) from None
    return make_password(password)


def _has_login() -> SignUpRefused:
    return SignUpRefused("HAS_LOGIN", "This identity has a login already. Sign in, or recover it.")
