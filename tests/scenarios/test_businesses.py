"""Businesses: the register's word makes an admin, admins invite by identity, one admin always stays."""

import datetime as dt
from collections.abc import Iterator

import pytest
from tests.scenarios import identity_ground as ground
from tests.scenarios.identity_ground import HUDA, NASSER, NOW, REGISTER, SALMA, Scripted, last_code, later

from tayyar.customers.models import Customer
from tayyar.identity import authorities, businesses, forgetting, people, signup
from tayyar.identity.authorities import Authorities
from tayyar.identity.errors import BusinessRefused, SignUpRefused
from tayyar.identity.models import MemberRole, Membership, Person, SignUp
from tayyar.identity.ports import Way

ADMIN, PAYER, VIEWER = MemberRole.ADMIN, MemberRole.PAYER, MemberRole.VIEWER


@pytest.fixture
def authority(books: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """It proves people and registers by a code."""
    made = Scripted()
    monkeypatch.setattr(authorities, "_factory", lambda: Authorities(identity=(made,)))
    yield made


def begin(person: Person, number: str = REGISTER, *, now: dt.datetime = NOW) -> SignUp:
    return businesses.begin_business(
        person=person, register_number=number, network="192.0.2.7", back_url="https://t.example", now=now
    )


def confirm(person: Person, proof: SignUp, code: str | None, *, now: dt.datetime = NOW) -> Membership | None:
    return businesses.confirm_business(person=person, signup_id=proof.pk, code=code, sent={}, now=now)


def founded(person: Person) -> Membership:
    made = confirm(person, begin(person), last_code())
    assert made is not None
    return made


def invite(admin: Person, business: int, number: str, role: MemberRole = PAYER, **more: object) -> Membership:
    given = {"id_type": "NATIONAL_ID", "nationality": "SA", "now": NOW, **more}
    return businesses.invite(
        person=admin,
        business_id=business,
        number=number,
        role=role,
        **given,  # type: ignore[arg-type]
    )


def joined(admin: Person, business: int, member: Person, number: str, role: MemberRole) -> Membership:
    invitation = invite(admin, business, number, role)
    return businesses.answer(person=member, membership_id=invitation.pk, accepts=True, now=NOW)


def reason(call: object, *args: object, **more: object) -> str:
    with pytest.raises((BusinessRefused, SignUpRefused)) as caught:
        call(*args, **more)  # type: ignore[operator]
    return str(caught.value.reason)


# ------------------------------------------------------------------------------------------------------ the register


def test_who_reads_the_registers_code_becomes_admin_of_the_business(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    proof = begin(salma)
    assert signup.facts(proof)["phone_masked"] == "••• 90"
    assert confirm(salma, proof, None) is None
    membership = confirm(salma, proof, last_code())
    assert membership is not None and membership.role == ADMIN
    business = membership.business
    assert (business.kind, business.name) == ("BUSINESS", "مخابز الرياض")
    assert business.id >= 1_000_000_000_000
    assert people.customers_of(salma) == [(salma.customer, "SELF"), (business, "ADMIN")]
    assert confirm(salma, proof, last_code()) == membership  # sent twice
    assert Membership.objects.count() == 1 and SignUp.objects.filter(facts_sealed=None).count() == 2


def test_a_business_in_the_books_is_found_by_its_register(authority: Scripted) -> None:
    known = Customer.objects.create(
        id=9, kind="BUSINESS", name="مخابز", national_id_hash=people.id_hash("COMMERCIAL_REGISTER", REGISTER)
    )
    assert founded(ground.sign_up(SALMA)).business == known


def test_whom_the_register_confirms_becomes_admin_beside_others_and_a_viewer_is_raised(
    authority: Scripted,
) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    business = founded(salma).business_id
    viewer = joined(salma, business, nasser, NASSER, VIEWER)
    raised = confirm(nasser, begin(nasser, now=later(60)), last_code(), now=later(60))
    assert raised is not None and (raised.pk, raised.role) == (viewer.pk, ADMIN)


@pytest.mark.parametrize("failure", ["DOWN", "MISMATCH"])
def test_a_register_that_does_not_confirm_makes_nobody_admin(authority: Scripted, failure: str) -> None:
    salma = ground.sign_up(SALMA)
    authority.then = failure
    proof = begin(salma)
    assert reason(confirm, salma, proof, last_code()) == failure
    assert not Membership.objects.exists() and not Customer.objects.filter(kind="BUSINESS").exists()


def test_a_register_number_is_checked_before_it_is_asked(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    authority.asked.clear()
    assert reason(begin, salma, "12") == "FORMAT"
    assert authority.asked == []


def test_another_person_cannot_use_a_proof(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    proof = begin(salma)
    assert reason(confirm, nasser, proof, last_code()) == "EXPIRED"
    assert confirm(salma, proof, last_code()) is not None
    assert reason(confirm, nasser, proof, None) == "EXPIRED"


def test_the_proof_of_a_business_opens_no_login(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    authority.way = Way.APPROVAL
    proof = begin(salma)
    ways = (
        lambda: signup.confirm_identity(signup_id=proof.pk, code=None, sent={}, now=NOW),
        lambda: ground.details(proof),
        lambda: signup.finish(signup_id=proof.pk, code="123456", now=NOW),
    )
    assert [reason(way) for way in ways] == ["EXPIRED"] * 3
    assert confirm(salma, proof, None) is not None
    assert [reason(way) for way in ways] == ["EXPIRED"] * 3
    assert signup.proven_person(signup_id=proof.pk, now=NOW) is None


def test_the_sign_up_of_a_person_founds_no_business(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    other = ground.begin(NASSER)
    assert reason(confirm, salma, other, last_code()) == "EXPIRED"


# ---------------------------------------------------------------------------------------------------------- members


def test_an_invited_identity_joins_with_its_role(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    business = founded(salma).business_id
    invitation = invite(salma, business, NASSER)
    assert businesses.role_in(person=nasser, business_id=business) is None
    assert businesses.invitations_of(person=nasser, now=NOW) == [invitation]
    first = businesses.answer(person=nasser, membership_id=invitation.pk, accepts=True, now=NOW)
    assert businesses.answer(person=nasser, membership_id=invitation.pk, accepts=True, now=NOW) == first
    assert businesses.role_in(person=nasser, business_id=business) == PAYER
    assert businesses.invitations_of(person=nasser, now=NOW) == []
    members = businesses.members_of(person=salma, business_id=business, now=NOW)
    assert [(member.person, member.role) for member in members] == [(salma, ADMIN), (nasser, PAYER)]


def test_an_invitation_waits_for_whoever_has_no_login_yet(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    business = founded(salma).business_id
    invitation = invite(salma, business, HUDA, VIEWER)
    huda = ground.sign_up(HUDA)
    assert businesses.invitations_of(person=huda, now=NOW) == [invitation]


def test_inviting_says_nothing_of_who_has_a_login(authority: Scripted) -> None:
    salma, _ = ground.sign_up(SALMA), ground.sign_up(NASSER)
    business = founded(salma).business_id
    known, unknown = invite(salma, business, NASSER), invite(salma, business, HUDA)
    shown = [(one.person, one.role, one.accepted_at, one.invited_at) for one in (known, unknown)]
    assert shown[0] == shown[1]


def test_invited_again_the_invitation_has_the_new_role(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    business = founded(salma).business_id
    assert invite(salma, business, HUDA, VIEWER).pk == invite(salma, business, HUDA, PAYER).pk
    assert Membership.objects.get(person=None).role == PAYER


def test_an_invitation_is_answered_by_the_invited_alone(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    invitation = invite(salma, founded(salma).business_id, HUDA)
    with pytest.raises(Membership.DoesNotExist):
        businesses.answer(person=nasser, membership_id=invitation.pk, accepts=True, now=NOW)


def test_a_declined_invitation_is_over(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    business = founded(salma).business_id
    invitation = invite(salma, business, NASSER)
    for _ in range(2):
        businesses.answer(person=nasser, membership_id=invitation.pk, accepts=False, now=NOW)
    again = {"person": nasser, "membership_id": invitation.pk, "accepts": True, "now": NOW}
    assert reason(businesses.answer, **again) == "ENDED"
    assert businesses.role_in(person=nasser, business_id=business) is None


def test_an_invitation_waits_thirty_days(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    invitation = invite(salma, founded(salma).business_id, NASSER)
    end = NOW + dt.timedelta(days=30)
    late = {"person": nasser, "membership_id": invitation.pk, "accepts": True, "now": end}
    assert businesses.invitations_of(person=nasser, now=end) == []
    assert reason(businesses.answer, **late) == "EXPIRED"
    assert forgetting.forget_ended(now=end).invitations == 1
    assert reason(businesses.answer, **late) == "ENDED"


def test_a_member_cannot_be_invited_again(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    business = founded(salma).business_id
    assert reason(invite, salma, business, SALMA) == "MEMBER"


@pytest.mark.parametrize(
    ("given", "number"), [({}, "1012345673"), ({"id_type": "COMMERCIAL_REGISTER"}, REGISTER)]
)
def test_an_invitation_needs_the_number_of_a_person(
    authority: Scripted, given: dict[str, str], number: str
) -> None:
    salma = ground.sign_up(SALMA)
    assert reason(invite, salma, founded(salma).business_id, number, **given) == "FORMAT"


def test_only_an_admin_invites_changes_and_ends_others(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    admin = founded(salma)
    business = admin.business_id
    joined(salma, business, nasser, NASSER, PAYER)
    change = {"person": nasser, "membership_id": admin.pk, "now": NOW}
    assert reason(invite, nasser, business, HUDA) == "NOT_ADMIN"
    assert reason(businesses.members_of, person=nasser, business_id=business, now=NOW) == "NOT_ADMIN"
    assert reason(businesses.change_role, **change, role=VIEWER) == "NOT_ADMIN"
    assert reason(businesses.end, **change) == "NOT_ADMIN"


def test_to_a_stranger_a_business_and_its_members_do_not_exist(authority: Scripted) -> None:
    salma, huda = ground.sign_up(SALMA), ground.sign_up(HUDA)
    admin = founded(salma)
    strange = {"person": huda, "membership_id": admin.pk, "now": NOW}
    for call in (
        lambda: invite(huda, admin.business_id, NASSER),
        lambda: businesses.members_of(person=huda, business_id=admin.business_id, now=NOW),
        lambda: businesses.members_of(person=huda, business_id=1, now=NOW),
        lambda: businesses.change_role(**strange, role=VIEWER),
        lambda: businesses.end(**strange),
        lambda: businesses.end(**{**strange, "membership_id": 999}),
    ):
        with pytest.raises(Membership.DoesNotExist):
            call()


def test_a_business_keeps_one_admin(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    admin = founded(salma)
    other = joined(salma, admin.business_id, nasser, NASSER, VIEWER)
    alone = {"person": salma, "membership_id": admin.pk, "now": NOW}
    assert reason(businesses.end, **alone) == "LAST_ADMIN"
    assert reason(businesses.change_role, **alone, role=PAYER) == "LAST_ADMIN"
    businesses.change_role(person=salma, membership_id=other.pk, role=ADMIN, now=NOW)
    businesses.change_role(**alone, role=PAYER)
    assert businesses.role_in(person=salma, business_id=admin.business_id) == PAYER
    only = {"person": nasser, "membership_id": other.pk, "now": NOW}
    assert reason(businesses.end, **only) == "LAST_ADMIN"


def test_an_invited_admin_who_has_not_accepted_does_not_count_as_one(authority: Scripted) -> None:
    salma = ground.sign_up(SALMA)
    admin = founded(salma)
    invite(salma, admin.business_id, NASSER, ADMIN)
    assert reason(businesses.end, person=salma, membership_id=admin.pk, now=NOW) == "LAST_ADMIN"


def test_a_member_leaves_and_may_come_back(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    business = founded(salma).business_id
    member = joined(salma, business, nasser, NASSER, PAYER)
    for _ in range(2):
        businesses.end(person=nasser, membership_id=member.pk, now=NOW)
    assert people.customers_of(nasser) == [(nasser.customer, "SELF")]
    joined(salma, business, nasser, NASSER, VIEWER)
    assert businesses.role_in(person=nasser, business_id=business) == VIEWER


def test_every_step_is_audited(authority: Scripted) -> None:
    salma, nasser = ground.sign_up(SALMA), ground.sign_up(NASSER)
    business = founded(salma).business_id
    member = joined(salma, business, nasser, NASSER, PAYER)
    businesses.change_role(person=salma, membership_id=member.pk, role=VIEWER, now=NOW)
    businesses.end(person=salma, membership_id=member.pk, now=NOW)
    actions = ("BUSINESS_CONFIRMED", "MEMBER_INVITED", "MEMBER_JOINED", "MEMBER_ROLE_CHANGED", "MEMBER_ENDED")
    assert [ground.audited(action) for action in actions] == [1] * 5
