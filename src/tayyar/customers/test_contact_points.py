"""Contact points are sealed, kept once for an account, and bounded where browsers would pile them up."""

import datetime as dt

import pytest

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.core.models import AuditEntry
from tayyar.customers.models import Channel, ContactMark, ContactPoint, Customer, CustomerAccount
from tayyar.customers.services import ADDRESS_FIELD, add_contact_point

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 2, 8, tzinfo=dt.UTC)


@pytest.fixture
def account() -> CustomerAccount:
    customer = Customer.objects.create(id=1, kind="PERSON", name="سلمى")
    return CustomerAccount.objects.create(id=100_000_001, customer=customer, opened_on=NOW.date())


def add(account: CustomerAccount, address: str, *, minute: int = 0, channel: Channel = Channel.PUSH) -> int:
    now = NOW + dt.timedelta(minutes=minute)
    point = add_contact_point(
        account_id=account.pk, channel=channel, address=address, verified_at=now, actor="link", now=now
    )
    return int(point.pk)


def active(account: CustomerAccount) -> list[int]:
    found = ContactPoint.objects.filter(account=account, is_active=True)
    return list(found.order_by("id").values_list("id", flat=True))


def test_an_address_is_sealed_verified_and_audited_without_being_told(account: CustomerAccount) -> None:
    point = ContactPoint.objects.get(pk=add(account, "salma@example.com", channel=Channel.EMAIL))
    assert b"salma" not in bytes(point.address_sealed)
    assert crypto.unseal(point.address_sealed, field=ADDRESS_FIELD) == "salma@example.com"
    assert (point.verified_at, point.is_active) == (NOW, True)
    (entry,) = AuditEntry.objects.filter(subject=f"account:{account.pk}")
    assert (entry.actor, entry.action) == ("link", "CONTACT_ADDED")
    assert entry.detail == {"channel": "EMAIL", "contact_point": point.pk, "recipient": 0}


def test_the_same_address_again_stays_one_contact_and_one_audit_entry(account: CustomerAccount) -> None:
    assert add(account, "a") == add(account, "a", minute=1)
    assert AuditEntry.objects.count() == 1


def test_an_address_that_was_given_up_comes_back(account: CustomerAccount) -> None:
    point = add(account, "a")
    ContactPoint.objects.filter(pk=point).update(is_active=False)
    assert add(account, "a", minute=3) == point
    assert active(account) == [point]
    assert AuditEntry.objects.latest("id").action == "CONTACT_REACTIVATED"


def test_the_sixth_browser_retires_the_oldest_and_no_other_channel(account: CustomerAccount) -> None:
    mail = add(account, "m", channel=Channel.EMAIL)
    browsers = [add(account, f"browser {number}", minute=number) for number in range(6)]
    assert active(account) == [mail, *browsers[1:]]
    entry = AuditEntry.objects.get(action="CONTACT_RETIRED")
    assert entry.detail["contact_point"] == browsers[0]


def test_a_browser_that_comes_back_retires_the_oldest_of_the_others(account: CustomerAccount) -> None:
    browsers = [add(account, f"browser {number}", minute=number) for number in range(6)]
    add(account, "browser 0", minute=10)
    assert active(account) == [browsers[0], *browsers[2:]]


def test_a_delegate_s_browsers_are_counted_apart_from_the_holder_s(account: CustomerAccount) -> None:
    own = [add(account, f"browser {number}", minute=number) for number in range(5)]
    theirs = add_contact_point(
        account_id=account.pk,
        recipient=1,
        channel=Channel.PUSH,
        address="browser 0",
        verified_at=NOW,
        actor="link",
        now=NOW,
    )
    assert sorted(active(account)) == [*own, theirs.pk]


def test_a_marked_address_comes_back_only_when_it_is_verified_anew(account: CustomerAccount) -> None:
    point = add(account, "a")
    ContactPoint.objects.filter(pk=point).update(is_active=False, mark=ContactMark.BOUNCED, marked_at=NOW)
    with pytest.raises(UserError, match="Verify it"):
        add_contact_point(
            account_id=account.pk,
            channel=Channel.PUSH,
            address="a",
            verified_at=None,
            actor="user:1",
            now=NOW,
        )
    assert active(account) == []
    assert add(account, "a", minute=9) == point
    found = ContactPoint.objects.get(pk=point)
    assert (found.is_active, found.mark, found.marked_at) == (True, "", None)
    assert AuditEntry.objects.latest("id").detail["lifted"] == "BOUNCED"


def test_there_is_no_contact_without_an_account() -> None:
    with pytest.raises(CustomerAccount.DoesNotExist):
        add_contact_point(
            account_id=5, channel=Channel.EMAIL, address="a", verified_at=None, actor="link", now=NOW
        )
