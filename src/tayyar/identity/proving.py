"""Proving an identity through its authority: ask, send our code where the authority wants that, wait, compare.

Owns the sign-up's step IDENTITY and its sealed facts. No transaction is open while an authority is spoken to.
It never says what is known of a person before they are proven. Next: signup.py for people, businesses.py for companies.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from tayyar.core import audit, crypto
from tayyar.customers.models import Channel, Language
from tayyar.customers.services import add_person_contact
from tayyar.identity import codes
from tayyar.identity.authorities import authority_for, authority_named
from tayyar.identity.errors import SignUpRefused
from tayyar.identity.models import IdType, SignUp, SignUpStep
from tayyar.identity.people import id_hash
from tayyar.identity.ports import Asked, AuthorityError, Proven, Way
from tayyar.notifications.people import local_zone

FACTS_FIELD = "identity.sign_up.facts"
VALID = dt.timedelta(minutes=30)
# Of proofs begun, whatever became of them: who guesses birth dates for a number is stopped by these.
MOST_PER_IDENTITY_A_DAY = 10
MOST_PER_NETWORK_A_DAY = 60
_ACTOR = "portal"


def start(
    *,
    id_type: IdType,
    number: str,
    nationality: str,
    birth_date: dt.date,
    language: Language,
    network: str,
    back_url: str,
    more: Mapping[str, Any],
    now: dt.datetime,
) -> SignUp:
    """Ask the authority about an identity. `more` joins the facts that are kept.

    SignUpRefused NOT_COVERED, BUDGET, DOWN, MISMATCH, NO_PHONE; CodeRefused WAIT, BUDGET.
    """
    authority = authority_for(id_type)
    if authority is None:
        raise SignUpRefused(
            "NOT_COVERED", "No authority here proves such a document. Go to a service centre."
        )
    facts: dict[str, Any] = {
        "id_type": id_type.value,
        "number": number,
        "nationality": nationality,
        "birth_date": birth_date.isoformat(),
        "language": language.name,
        **more,
    }
    signup = _open(facts, authority.code, id_hash(id_type, number, nationality), network, now)
    try:
        asked = authority.ask(
            id_type=id_type, number=number, birth_date=birth_date, back_url=back_url, now=now
        )
        if asked.way is Way.CODE and not asked.phone:
            raise AuthorityError("NO_PHONE", "The authority has no mobile number on record.")
    except AuthorityError as error:
        end(signup, now)
        raise _refused(error) from None
    return _await(signup, facts, asked, now)


def _open(facts: Mapping[str, Any], authority: str, hashed: bytes, network: str, now: dt.datetime) -> SignUp:
    """The row that counts this attempt, written before the authority is asked."""
    day = now - dt.timedelta(days=1)
    with transaction.atomic(), connection.cursor() as cursor:
        for name in sorted((hashed.hex(), network)):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [name])
        begun = SignUp.objects.filter(started_at__gt=day)
        if (
            begun.filter(id_hash=hashed).count() >= MOST_PER_IDENTITY_A_DAY
            or begun.filter(network=network[:50]).count() >= MOST_PER_NETWORK_A_DAY
        ):
            raise SignUpRefused("BUDGET", "This was tried too often. Come tomorrow, or to a service centre.")
        signup = SignUp.objects.create(
            id=uuid.uuid4(),
            step=SignUpStep.IDENTITY,
            facts_sealed=seal_facts(facts),
            id_hash=hashed,
            authority=authority,
            network=network[:50],
            started_at=now,
            expires_at=now + VALID,
        )
        record(signup, "SIGN_UP_BEGUN", now, authority=authority, id_type=facts["id_type"])
    return signup


def _await(signup: SignUp, facts: Mapping[str, Any], asked: Asked, now: dt.datetime) -> SignUp:
    """Keep what the authority wants us to wait for; where that is our code, send it."""
    with transaction.atomic():
        signup.authority_ref = asked.ref
        signup.facts_sealed = seal_facts(
            {**facts, "way": asked.way.value, "phone": asked.phone, "shown": asked.shown, "url": asked.url}
        )
        if asked.expires_at is not None:  # days, where a service centre looks at the document
            signup.expires_at = max(signup.expires_at, asked.expires_at)
        if asked.way is Way.CODE:
            signup.contact_point = add_person_contact(
                channel=Channel.SMS, address=asked.phone, verified_at=None, actor=_ACTOR, now=now
            )
        signup.save()
    if asked.way is Way.CODE:
        try:
            send_code(signup, address=asked.phone, network=signup.network, now=now)
        except codes.CodeRefused:
            end(signup, now)
            raise
    return signup


def prove(signup: SignUp, *, code: str | None, sent: Mapping[str, str], now: dt.datetime) -> Proven | None:
    """Whom the authority proved; None while it waits. A proof that failed for good ends the sign-up.

    SignUpRefused CODE, DOWN, MISMATCH, REJECTED, EXPIRED; CodeRefused EXPIRED, TRIES.
    """
    facts = open_facts(signup)
    if facts["way"] == Way.CODE and not facts.get("is_code_right"):
        if code is None:
            return None
        if not codes.check(subject=subject_of(signup), code=code, now=now):
            raise SignUpRefused("CODE", "This is not the code that was sent.")
        facts["is_code_right"] = True  # so that an authority that is down now can be asked again without it
        SignUp.objects.filter(pk=signup.pk).update(facts_sealed=seal_facts(facts))
    authority = authority_named(signup.authority)
    if authority is None:
        raise SignUpRefused("DOWN", "The authority is not asked any more. Begin again.")
    try:
        proven = authority.answer(ref=signup.authority_ref, sent=dict(sent), now=now)
    except AuthorityError as error:
        if error.reason != "DOWN":
            end(signup, now)
        raise _refused(error) from None
    if proven is None:
        return None
    typed = (facts["id_type"], facts["number"])
    if (proven.id_type, proven.number) != typed or (
        proven.birth_date is not None
        and facts["id_type"] != IdType.COMMERCIAL_REGISTER
        and proven.birth_date.isoformat() != facts["birth_date"]
    ):
        end(signup, now)
        raise _refused(AuthorityError("MISMATCH", ""))
    return proven


def live(signup_id: uuid.UUID | str, now: dt.datetime, *, lock: bool = False) -> SignUp:
    """The sign-up, while it lasts. SignUpRefused EXPIRED: it is over, or there never was one."""
    rows = SignUp.objects.select_for_update() if lock else SignUp.objects.all()
    try:
        found = rows.filter(pk=uuid.UUID(str(signup_id))).first()
    except ValueError:
        found = None
    if found is None or now >= found.expires_at:
        raise SignUpRefused("EXPIRED", "This sign-up is over. Begin again.")
    return found


def end(signup: SignUp, now: dt.datetime) -> None:
    """It is over: what was typed and said is forgotten, the attempt still counts. One that went on meanwhile, as when
    the way back was loaded twice and the other load proved it, goes on."""
    same = SignUp.objects.filter(pk=signup.pk, step=signup.step, person=None)
    if same.update(facts_sealed=None, expires_at=now):
        signup.facts_sealed, signup.expires_at = None, now
        record(signup, "SIGN_UP_ENDED", now)


def send_code(signup: SignUp, *, address: str, network: str, now: dt.datetime) -> None:
    """Send a code for the sign-up's present step to its contact point. CodeRefused."""
    assert signup.contact_point_id is not None
    codes.send(
        subject=subject_of(signup),
        identity_hash=bytes(signup.id_hash),
        contact_point_id=signup.contact_point_id,
        address=address,
        network=network,
        language=Language[open_facts(signup)["language"]],
        now=now,
    )


def subject_of(signup: SignUp) -> str:
    """What a code sent at the present step confirms."""
    return f"signup:{signup.pk}:{signup.step}"


def seal_facts(facts: Mapping[str, Any]) -> bytes:
    """For SignUp.facts_sealed."""
    return crypto.seal(json.dumps(facts, ensure_ascii=False), field=FACTS_FIELD)


def open_facts(signup: SignUp) -> dict[str, Any]:
    """What was typed and said so far. SignUpRefused EXPIRED when it was forgotten."""
    if signup.facts_sealed is None:
        raise SignUpRefused("EXPIRED", "This sign-up is over. Begin again.")
    facts: dict[str, Any] = json.loads(crypto.unseal(bytes(signup.facts_sealed), field=FACTS_FIELD))
    return facts


def local_day(now: dt.datetime) -> dt.date:
    """The day it is where the utility is."""
    return now.astimezone(local_zone()).date()


def record(signup: SignUp, action: str, now: dt.datetime, **detail: Any) -> None:
    """Into the audit log; who asked is known by network only."""
    audit.record(
        actor=_ACTOR, action=action, subject=f"signup:{signup.pk}", now=now, network=signup.network, **detail
    )


_SAYS = {
    "MISMATCH": "The authority knows no such person. Check the number and the birth date.",
    "DOWN": "The authority does not answer. Try again in a few minutes.",
    "REJECTED": "It was declined in the authority's app. Begin again.",
    "EXPIRED": "The authority waited too long. Begin again.",
    "NO_PHONE": "The authority has no mobile number on record. Go to a service centre.",
}


def _refused(error: AuthorityError) -> SignUpRefused:
    return SignUpRefused(error.reason, _SAYS.get(error.reason, str(error)))
