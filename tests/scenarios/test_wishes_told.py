"""What people wish, as the engine sees it: quiet hours, opt-outs, digests, delegates, languages."""

import datetime as dt
from dataclasses import replace

import pytest
from tests.scenarios.messages import (
    EMAIL,
    KIND,
    NOW,
    PERIOD,
    SMS,
    account_of,
    message_of,
    queue_bills,
    ref_of,
    settle_people,
    states,
)
from tests.scenarios.ways import (
    DAY,
    HOUR,
    MINUTE,
    NOTICE,
    Ways,
    add_delegate,
    messages_of,
    prepare,
    reach_of,
    share_digest,
    standing,
    with_document,
)

from tayyar.core.errors import UserError
from tayyar.customers.models import Customer, Delegate, DelegateState, Language, OptOut, Preference
from tayyar.notifications import consent, content, services
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageState, Reach
from tayyar.notifications.ports import Outcome, ReceiptState

RIYADH = dt.timedelta(hours=3)
EVENING = NOW + 15 * HOUR  # 21:00 UTC: midnight in Riyadh


@pytest.fixture(autouse=True)
def ground(transactional_db, monkeypatch):
    for kind in (MessageKind.CAMPAIGN, MessageKind.ONE_TIME_CODE, MessageKind.FINAL_NOTICE):
        monkeypatch.setitem(content._providers, kind, lambda keys: [with_document(key) for key in keys])
    yield from prepare(monkeypatch)


def local(hour: int, minute: int = 0) -> dt.datetime:
    """That time in Riyadh on the day of NOW."""
    return dt.datetime(2026, 11, 28, hour, minute, tzinfo=dt.UTC) - RIYADH


def quiet(start: str, end: str, person: int = 1) -> None:
    hours = {"quiet_from": dt.time.fromisoformat(start), "quiet_to": dt.time.fromisoformat(end)}
    Preference.objects.update_or_create(account_id=account_of(person), defaults=hours)


def queue(kind: MessageKind, *, person: int = 1, now: dt.datetime = NOW) -> services.MessageRef | None:
    return services.queue_message(kind=kind, account_id=account_of(person), facts={}, now=now)


# -- a person's quiet hours


@pytest.mark.parametrize(
    ("start", "end", "now", "until"),
    [
        ("12:00", "15:00", local(12), local(15)),
        ("12:00", "15:00", local(14, 59), local(15)),
        ("21:30", "08:15", local(21, 30), local(8, 15) + DAY),
        ("21:30", "08:15", local(2), local(8, 15)),
    ],
)
def test_a_bill_waits_until_its_persons_quiet_hours_end_in_local_time(start, end, now, until):
    settle_people(1, [SMS])
    quiet(start, end)
    queue_bills(1)
    ways = Ways()
    assert ways.deliver(now) == []
    assert standing() == ("DEFERRED", "SMS") and message_of(1).next_at == until
    assert not Delivery.objects.exists()
    assert ways.deliver(until - MINUTE) == []
    assert ways.deliver(until) == ["SMS"]


@pytest.mark.parametrize("now", [local(11, 59), local(15)])
def test_outside_quiet_hours_nothing_waits(now):
    settle_people(1, [SMS])
    quiet("12:00", "15:00")
    queue_bills(1)
    assert Ways().deliver(now) == ["SMS"]


def test_one_persons_quiet_hours_keep_no_other_waiting():
    settle_people(2, [SMS])
    quiet("08:00", "12:00", person=1)
    queue_bills(1, 2)
    assert Ways().deliver(NOW) == ["SMS"]
    assert (standing(1)[0], standing(2)[0]) == ("DEFERRED", "SENT")


def test_the_next_step_of_a_plan_waits_for_the_end_of_quiet_hours_too():
    settle_people(1, [SMS, EMAIL])
    quiet("20:00", "08:00")
    queue_bills(1)
    ways = Ways()
    assert ways.deliver(local(9)) == ["SMS"]
    assert ways.deliver(local(21)) == [] and standing() == ("DEFERRED", "EMAIL")
    assert ways.deliver(local(8) + DAY) == ["EMAIL"]


def test_a_code_comes_in_quiet_hours():
    settle_people(1, [SMS])
    quiet("21:00", "09:00")
    queue(MessageKind.ONE_TIME_CODE, now=local(23))
    assert Ways().deliver(local(23)) == ["SMS"]


def test_quiet_hours_given_up_free_what_waited_for_their_end():
    settle_people(1, [SMS])
    quiet("20:00", "08:00")
    queue_bills(1)
    ways = Ways()
    assert ways.deliver(local(21)) == []
    Preference.objects.update(quiet_from=None, quiet_to=None)
    services.replan_account(account_id=account_of(1), now=local(22))
    assert ways.deliver(local(22)) == ["SMS"]


# -- a class's quiet hours: in the Saudi profile nothing advertising from 21:00 to 09:00


def test_a_campaign_is_left_alone_in_the_quiet_hours_of_its_class_while_bills_go_on():
    settle_people(1, [SMS])
    queue_bills(1)
    queue(MessageKind.CAMPAIGN)
    before = Message.objects.filter(kind=MessageKind.CAMPAIGN).values().get()
    ways = Ways()
    for now in (local(21), local(23, 59), local(3) + DAY, local(8, 59) + DAY):
        ways.deliver(now)
        assert Message.objects.filter(kind=MessageKind.CAMPAIGN).values().get() == before
    assert {out.key.kind for out in ways[SMS].taken} == {KIND}
    assert ways.deliver(local(9) + DAY)[:1] == ["SMS"] and messages_of(MessageKind.CAMPAIGN) == ["SENT"]


@pytest.mark.parametrize("kind", [MessageKind.ONE_TIME_CODE, MessageKind.FINAL_NOTICE, NOTICE])
def test_codes_warnings_and_service_messages_have_no_quiet_hours_by_class(kind):
    settle_people(1, [SMS])
    queue(kind, now=local(23))
    assert Ways().deliver(local(23)) == ["SMS"]


def test_a_campaign_that_is_not_taken_at_night_does_not_keep_a_command_waiting_for_its_provider():
    settle_people(1, [SMS])
    queue(MessageKind.CAMPAIGN)
    assert Ways().refuse(SMS, outcome=Outcome.NOT_TRIED).deliver(local(23)) == []


# -- opt-outs


def test_who_opted_out_of_a_kind_is_not_told_of_it():
    settle_people(2, [SMS])
    OptOut.objects.create(account_id=account_of(1), kind=NOTICE, since=NOW)
    assert queue(NOTICE) is None
    assert queue(NOTICE, person=2) is not None and queue(MessageKind.CAMPAIGN) is not None


@pytest.mark.parametrize("kind", [MessageKind.FINAL_NOTICE, MessageKind.ONE_TIME_CODE])
def test_what_the_law_or_the_person_demands_is_told_all_the_same(kind):
    settle_people(1, [SMS])
    OptOut.objects.create(account_id=account_of(1), kind=kind, since=NOW)
    assert queue(kind) is not None


def test_a_bill_cannot_be_opted_out_of():
    settle_people(1, [SMS])
    wishes = consent.stored.wishes_of(account_id=account_of(1))
    with pytest.raises(UserError, match="cannot be switched off"):
        consent.save_wishes(
            account_id=account_of(1),
            wishes=replace(wishes, opted_out=frozenset({KIND})),
            actor="holder",
            now=NOW,
        )
    assert not OptOut.objects.exists()


def test_who_excluded_every_way_is_told_nothing_optional():
    settle_people(1, [SMS])
    Preference.objects.create(
        account_id=account_of(1), excluded=["SMS", "WHATSAPP", "EMAIL", "PUSH"], wants_paper=True
    )
    assert queue(NOTICE) is None and not Message.objects.exists()
    queue_bills(1)
    assert standing() == ("QUEUED", "PAPER")


# -- digests


def test_a_person_with_many_accounts_gets_one_message_about_all_of_them(monkeypatch):
    asked = []
    settle_people(4, [SMS])
    share_digest(1, 2, 3)
    queue_bills(1, 2, 3, 4)
    ways = Ways()
    monkeypatch.setitem(content._digests, KIND, lambda keys: asked.append(keys) or with_document(keys[0]))
    assert ways.deliver() == ["SMS", "SMS"]
    assert states() == {"SENT": 2, "MERGED": 2}
    assert [[key.ref for key in keys] for keys in asked] == [[ref_of(1), ref_of(2), ref_of(3)]]
    ways.tell(SMS, index=[out.key.ref for out in ways[SMS].taken].index(ref_of(1)))
    assert [reach_of(person) is not None for person in (1, 2, 3, 4)] == [True, True, True, False]


def test_without_the_wish_each_account_is_told_of_by_itself():
    settle_people(2, [SMS])
    share_digest(1, 2)
    Customer.objects.update(wants_digest=False)
    queue_bills(1, 2)
    assert Ways().deliver() == ["SMS", "SMS"]


def test_a_bill_without_any_way_is_printed_and_speaks_for_no_other():
    settle_people(1, [])
    settle_people(2, [SMS])
    share_digest(1, 2, 3)
    queue_bills(1, 2, 3)
    assert Ways().deliver() == ["SMS"]
    assert [standing(person) for person in (1, 2)] == [("QUEUED", "PAPER"), ("SENT", "SMS")]
    assert standing(3)[0] == "MERGED"


def test_a_delegate_of_one_of_the_accounts_gets_that_bill_alone():
    settle_people(2, [SMS])
    share_digest(1, 2)
    add_delegate(2, EMAIL)
    queue_bills(1, 2)
    assert sorted(Ways().deliver()) == ["EMAIL", "SMS"]
    assert standing(2)[0] == "MERGED" and standing(2, recipient=1) == ("SENT", "EMAIL")


# -- delegates


def test_a_delegate_gets_a_message_of_their_own_in_their_language():
    settle_people(1, [SMS])
    add_delegate(1, EMAIL, language=Language.fr)
    queue_bills(1)
    ways = Ways()
    assert sorted(ways.deliver()) == ["EMAIL", "SMS"]
    assert (ways[SMS].taken[0].language, ways[EMAIL].taken[0].language) == ("ar", "fr")
    ways.tell(EMAIL, ReceiptState.READ)
    assert standing() == ("SENT", "SMS") and standing(recipient=1) == ("READ", "EMAIL")
    assert Reach.objects.get().recipient == 1


@pytest.mark.parametrize(
    ("state", "expires_on", "is_told"),
    [
        (DelegateState.ACTIVE, None, True),
        (DelegateState.ACTIVE, dt.date(2026, 11, 29), True),
        (DelegateState.ACTIVE, dt.date(2026, 11, 28), False),  # the first day without
        (DelegateState.INVITED, None, False),
        (DelegateState.DECLINED, None, False),
        (DelegateState.REVOKED, None, False),
        (DelegateState.EXPIRED, None, False),
    ],
)
def test_only_a_delegate_who_accepted_and_whose_time_has_not_passed_is_told(state, expires_on, is_told):
    settle_people(1, [SMS])
    add_delegate(1, EMAIL, state=state, expires_on=expires_on)
    queue_bills(1)
    assert Message.objects.filter(recipient=1).exists() is is_told


def test_a_delegation_ends_at_midnight_of_the_utility_and_not_of_greenwich():
    settle_people(1, [SMS])
    add_delegate(1, EMAIL, expires_on=dt.date(2026, 11, 29))
    queue_bills(1, release=False)
    services.release_messages(period=PERIOD, kind=KIND, now=EVENING)
    assert not Message.objects.filter(recipient=1).exists()


def test_a_delegate_who_is_revoked_overnight_does_not_get_the_bill_in_the_morning():
    settle_people(1, [SMS])
    delegate = add_delegate(1, EMAIL)
    quiet("20:00", "08:00")
    queue_bills(1)
    ways = Ways()
    assert ways.deliver(local(21)) == []
    assert Message.objects.get(recipient=1).state == MessageState.DEFERRED
    consent.end_delegate(delegate_id=delegate.pk, state=DelegateState.REVOKED, actor="holder", now=local(22))
    assert Message.objects.get(recipient=1, kind=KIND).state == MessageState.CANCELLED
    sent = ways.deliver(local(8) + DAY)
    assert "SMS" in sent and KIND not in {out.key.kind for out in ways[EMAIL].taken}
    assert Delegate.objects.get().state == DelegateState.REVOKED


def test_several_delegates_are_each_told_once_whatever_is_released_again():
    settle_people(1, [SMS])
    add_delegate(1, EMAIL)
    add_delegate(1, SMS)
    queue_bills(1)
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    assert sorted(Ways().deliver()) == ["EMAIL", "SMS", "SMS"]
    services.release_messages(period=PERIOD, kind=KIND, now=NOW + HOUR)
    assert Ways().deliver(NOW + HOUR) == [] and Message.objects.count() == 3
