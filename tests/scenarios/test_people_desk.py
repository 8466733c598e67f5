"""A clerk serves a person: contact points, delegates, wishes and reviews; each read and each change on record."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from tests.scenarios import cast

from tayyar.console.roles import BILLING_MANAGER, CLERK, can_act, can_serve, ensure_roles
from tayyar.core import clock, crypto
from tayyar.core.models import AuditEntry
from tayyar.customers import reviews
from tayyar.customers.models import (
    Channel,
    ContactMark,
    ContactPoint,
    ContactReview,
    Delegate,
    DelegateState,
    Preference,
)
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Message

NOW = dt.datetime(2026, 10, 2, 8, tzinfo=dt.UTC)
ACCOUNT, OTHER = cast.account_id(cast.SALMA), cast.account_id(cast.NASSER)
PEOPLE = f"/console/accounts/{ACCOUNT}/people"
DELEGATE = {
    "name": "سارة",
    "relation": "RELATIVE",
    "channel": "SMS",
    "address": "0500000034",
    "rights": "pay",
    "language": "ar",
    "until": "",
}


def staff(name: str, *groups: str) -> User:
    ensure_roles()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(*Group.objects.filter(name__in=groups))
    return user


@pytest.fixture
def desk(books: None) -> Iterator[Client]:
    """Salma's account with a telephone number that Nasser's account has too; a clerk is signed in."""
    for person in (cast.SALMA, cast.NASSER):
        cast.settle(person, start=cast.day("2026-08-28"))
    with clock.at(NOW):
        for account in (ACCOUNT, OTHER):
            add_contact_point(
                account_id=account,
                channel=Channel.SMS,
                address="+966500000021",
                verified_at=NOW,
                actor="user:1",
                now=NOW,
            )
        client = Client()
        client.force_login(staff("clerk", CLERK))
        yield client


def own() -> ContactPoint:
    return ContactPoint.objects.get(account_id=ACCOUNT, recipient=0, channel=Channel.SMS)


def audited(action: str) -> int:
    return AuditEntry.objects.filter(action=action, actor__startswith="user:").count()


def address(point: ContactPoint) -> str:
    return crypto.unseal(bytes(point.address_sealed), field=ADDRESS_FIELD)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("groups", "serves", "acts"),
    [((), False, False), ((CLERK,), True, False), ((BILLING_MANAGER,), True, True)],
)
def test_clerks_serve_persons_and_only_managers_act_on_runs(
    groups: tuple[str, ...], serves: bool, acts: bool
) -> None:
    user = staff("someone", *groups)
    assert (can_serve(user), can_act(user)) == (serves, acts)


def test_a_clerk_who_left_the_staff_serves_nobody(db: None) -> None:
    user = staff("former", CLERK)
    user.is_staff = False
    assert not can_serve(user)


def test_addresses_are_masked_and_reading_the_page_is_on_record(desk: Client) -> None:
    page = desk.get(PEOPLE).content.decode()
    assert "••• 21" in page and "+966500000021" not in page
    assert audited("PEOPLE_READ") == 1


def test_revealing_an_address_is_on_record(desk: Client) -> None:
    page = desk.post(f"{PEOPLE}/contacts/{own().pk}/reveal").content.decode()
    assert "+966500000021" in page
    entry = AuditEntry.objects.get(action="CONTACT_REVEALED")
    assert (entry.subject, entry.detail) == (f"account:{ACCOUNT}", {"contact_point": own().pk})


def test_a_reader_sees_and_changes_nothing(desk: Client) -> None:
    reader = Client()
    reader.force_login(staff("reader"))
    assert reader.get(PEOPLE).status_code == 200
    for address, form in (
        (f"{PEOPLE}/contacts/{own().pk}/reveal", {}),
        (f"{PEOPLE}/contacts/{own().pk}/remove", {}),
        (f"{PEOPLE}/contacts", {"channel": "EMAIL", "address": "s@mail.example", "verified": "on"}),
        (f"{PEOPLE}/wishes", {"use": ["SMS"]}),
        (f"{PEOPLE}/delegates", DELEGATE),
        ("/console/reviews/1", {"outcome": "KEPT"}),
    ):
        assert reader.post(address, form).status_code == 403, address
    assert own().is_active and not Delegate.objects.exists() and not Preference.objects.exists()


def test_who_is_not_signed_in_is_sent_to_the_door(desk: Client) -> None:
    for address in (PEOPLE, "/console/reviews"):
        answer = Client().get(address)
        assert answer.status_code == 302 and answer["Location"].startswith("/console/login")


def test_a_contact_of_another_account_is_not_touched(desk: Client) -> None:
    foreign = ContactPoint.objects.get(account_id=OTHER)
    assert desk.post(f"{PEOPLE}/contacts/{foreign.pk}/remove").status_code == 409
    assert desk.post(f"{PEOPLE}/contacts/{foreign.pk}/reveal").status_code == 409
    form = {"channel": "SMS", "address": "0500000077", "verified": "on", "replaces": str(foreign.pk)}
    assert desk.post(f"{PEOPLE}/contacts", form).status_code == 409
    foreign.refresh_from_db()
    assert foreign.is_active and ContactPoint.objects.filter(account_id=ACCOUNT).count() == 1


def test_a_corrected_contact_is_verified_at_the_desk_and_takes_the_old_ones_place(desk: Client) -> None:
    old = own()
    form = {"channel": "SMS", "address": "٠٥٠ ٠٠٠ ٠٠٢٢", "replaces": str(old.pk)}
    assert desk.post(f"{PEOPLE}/contacts", form).status_code == 422  # the box is not ticked
    assert desk.post(f"{PEOPLE}/contacts", form | {"verified": "on"}).status_code == 302
    old.refresh_from_db()
    new = ContactPoint.objects.get(account_id=ACCOUNT, is_active=True)
    assert not old.is_active
    assert (address(new), new.verified_at) == ("+966500000022", NOW)


def test_correcting_a_contact_to_itself_keeps_it(desk: Client) -> None:
    form = {"channel": "SMS", "address": "0500000021", "replaces": str(own().pk), "verified": "on"}
    assert desk.post(f"{PEOPLE}/contacts", form).status_code == 302
    assert own().is_active


def test_a_delegate_registered_at_the_desk_waits_for_the_link_unless_a_form_is_signed(desk: Client) -> None:
    assert desk.post(f"{PEOPLE}/delegates", DELEGATE).status_code == 302
    first = Delegate.objects.get()
    assert (first.state, first.may_pay) == (DelegateState.INVITED, True)
    assert Message.objects.filter(kind=MessageKind.DELEGATE_INVITED, recipient=1).count() == 1
    signed = DELEGATE | {"address": "0500000035", "consented": "on"}
    assert desk.post(f"{PEOPLE}/delegates", signed).status_code == 302
    second = Delegate.objects.get(recipient=2)
    assert second.state == DelegateState.ACTIVE and second.invited_by.startswith("user:")
    assert Message.objects.filter(kind=MessageKind.DELEGATE_CHANGED, recipient=2).count() == 1
    assert desk.post(f"{PEOPLE}/delegates/2/end").status_code == 302
    second.refresh_from_db()
    assert second.state == DelegateState.REVOKED and second.ended_by.startswith("user:")


def test_wishes_said_at_the_desk_are_kept_under_the_clerks_name(desk: Client) -> None:
    form = {
        "use": ["SMS"],
        "language": "fr",
        "quiet_from": "21:00",
        "quiet_to": "08:00",
        "tell": ["CAMPAIGN"],
    }
    assert desk.post(f"{PEOPLE}/wishes", form).status_code == 302
    assert Preference.objects.get().excluded == ["WHATSAPP", "EMAIL", "PUSH"]
    assert audited("WISHES_CHANGED") == 1
    assert desk.post(f"{PEOPLE}/wishes", form | {"use": ["EMAIL"]}).status_code == 422


def disowned() -> ContactReview:
    review, _ = reviews.open_review(
        account_id=ACCOUNT, contact_point_id=own().pk, subject="bill:260900000000148", actor="link", now=NOW
    )
    return review


def test_a_review_names_the_other_accounts_with_that_number(desk: Client) -> None:
    review = disowned()
    page = desk.get("/console/reviews").content.decode()
    assert review.reference in page
    assert cast.NAMES[cast.NASSER] in page
    assert audited("REVIEWS_READ") == 1


@pytest.mark.parametrize(
    ("outcome", "is_active", "mark"),
    [
        ("REMOVED", False, ContactMark.NOT_MINE),
        ("KEPT", True, ""),
        ("CORRECTED", False, ContactMark.NOT_MINE),
    ],
)
def test_a_review_is_decided_once(desk: Client, outcome: str, is_active: bool, mark: str) -> None:
    review, point = disowned(), own()
    form = {"outcome": outcome, "channel": "SMS", "address": "0500000022"}
    assert desk.post(f"/console/reviews/{review.pk}", form).status_code == 302
    point.refresh_from_db()
    review.refresh_from_db()
    assert (point.is_active, point.mark, review.outcome) == (is_active, mark, outcome)
    used = [address(found) for found in ContactPoint.objects.filter(account_id=ACCOUNT, is_active=True)]
    assert used == {"REMOVED": [], "KEPT": ["+966500000021"], "CORRECTED": ["+966500000022"]}[outcome]
    assert desk.post(f"/console/reviews/{review.pk}", form).status_code == 409


def test_a_mistyped_correction_leaves_the_review_open(desk: Client) -> None:
    review = disowned()
    form = {"outcome": "CORRECTED", "channel": "SMS", "address": "12"}
    assert desk.post(f"/console/reviews/{review.pk}", form).status_code == 422
    review.refresh_from_db()
    assert review.closed_at is None


@pytest.mark.parametrize("lang", ["ar", "en", "fr"])
def test_the_screens_speak_three_languages(desk: Client, lang: str) -> None:
    disowned()
    desk.post(f"{PEOPLE}/delegates", DELEGATE)
    for address in (PEOPLE, "/console/reviews"):
        assert f'lang="{lang}"' in desk.get(f"{address}?lang={lang}").content.decode()
