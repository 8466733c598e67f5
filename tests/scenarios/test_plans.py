"""A message's way through its plan, over a real PostgreSQL: waits, evidence, wishes, its end, staff's hand in it."""

import datetime as dt

import pytest
from tests.scenarios.messages import (
    EMAIL,
    KIND,
    NOW,
    PERIOD,
    PUSH,
    SMS,
    WHATSAPP,
    account_of,
    contact_point,
    message_of,
    queue_bills,
    ref_of,
    settle_people,
    states,
)
from tests.scenarios.ways import (
    DAY,
    DIGITAL,
    HOUR,
    MINUTE,
    NOTICE,
    Ways,
    add_delegate,
    attempts,
    messages_of,
    prepare,
    reach_of,
    say,
    share_digest,
    standing,
)

from tayyar.core.errors import UserError
from tayyar.customers.models import (
    Agreement,
    ContactPoint,
    Delegate,
    DelegateState,
    OptOut,
    Preference,
)
from tayyar.metering.models import ServiceCentre, UsagePoint
from tayyar.notifications import outbox, proof, services, sheets
from tayyar.notifications.models import Message, MessageBatch, MessageState, ReachHow
from tayyar.notifications.ports import Outcome, Receipt, ReceiptState

LONG = 30 * DAY


@pytest.fixture(autouse=True)
def ground(transactional_db, monkeypatch):
    yield from prepare(monkeypatch)


def wish(person: int = 1, **columns: object) -> None:
    Preference.objects.update_or_create(account_id=account_of(person), defaults=columns)


def own_plan(*steps: tuple[str, int, str], kind: str = "BILL_ISSUED", person: int = 1) -> None:
    """Staff's plan for one account: (channel, wait in minutes, until)."""
    plan = [{"channel": c, "wait_minutes": wait, "until": until} for c, wait, until in steps]
    wish(person, plans={kind: plan})


def notice(person: int = 1) -> None:
    services.queue_message(kind=NOTICE, account_id=account_of(person), facts={}, now=NOW)


# -- from step to step


def test_a_bill_that_nothing_proves_goes_from_push_to_whatsapp_sms_mail_call_and_paper():
    settle_people(1, DIGITAL)
    queue_bills(1)
    ways, now = Ways(), NOW
    assert ways.deliver(now) == ["PUSH"]
    for wait, channel in ((60 * MINUTE, "WHATSAPP"), (2 * HOUR, "SMS"), (12 * HOUR, "EMAIL")):
        assert ways.deliver(now + wait - MINUTE) == []
        now += wait
        assert ways.deliver(now) == [channel]
    now += 2 * DAY
    assert ways.deliver(now) == [] and standing() == ("QUEUED", "CALL")
    assert ways.deliver(now + 3 * DAY - MINUTE) == [] and standing() == ("QUEUED", "CALL")
    assert ways.deliver(now + 3 * DAY) == [] and standing() == ("QUEUED", "PAPER")
    assert ways.deliver(now + LONG) == [] and standing() == ("QUEUED", "PAPER")
    assert [state for _, _, state in attempts()] == ["SENT"] * 4


@pytest.mark.parametrize("channel", DIGITAL)
def test_a_receipt_stops_the_plan_of_a_bill(channel):
    settle_people(1, [channel])
    queue_bills(1)
    ways = Ways()
    ways.deliver()
    ways.tell(channel, now=NOW + MINUTE)
    assert standing() == ("DELIVERED", channel.name) and message_of(1).next_at is None
    assert ways.deliver(NOW + LONG) == [] and standing() == ("DELIVERED", channel.name)
    assert not MessageBatch.objects.get().is_open


def test_a_step_without_a_wait_tells_at_once_through_the_next_channel_too():
    settle_people(1, [SMS, EMAIL])
    own_plan(("SMS", 0, "DELIVERED"), ("EMAIL", 0, "SENT"))
    queue_bills(1)
    ways = Ways()
    assert [ways.deliver(), ways.deliver()] == [["SMS"], ["EMAIL"]]


@pytest.mark.parametrize(
    ("until", "evidence", "goes_on"),
    [
        ("SENT", None, False),
        ("DELIVERED", None, True),
        ("DELIVERED", ReceiptState.DELIVERED, False),
        ("DELIVERED", ReceiptState.READ, False),
        ("READ", ReceiptState.DELIVERED, True),
        ("READ", ReceiptState.READ, False),
    ],
)
def test_a_step_wants_what_it_says_and_more_is_enough(until, evidence, goes_on):
    settle_people(1, [SMS, EMAIL])
    own_plan(("SMS", 10, until), ("EMAIL", 0, "SENT"), kind="PAYMENT_RECEIVED")
    notice()
    ways = Ways()
    assert ways.deliver() == ["SMS"]
    if evidence:
        ways.tell(SMS, evidence)
    assert ways.deliver(NOW + 9 * MINUTE) == []
    assert ways.deliver(NOW + 10 * MINUTE) == (["EMAIL"] if goes_on else [])


def test_for_a_bill_proof_that_it_arrived_is_enough_where_its_step_wants_it_read():
    settle_people(1, [PUSH, SMS])
    queue_bills(1)
    ways = Ways()
    ways.deliver()
    ways.tell(PUSH)
    assert message_of(1).next_at is None and ways.deliver(NOW + LONG) == []


def test_a_receipt_before_the_answer_leaves_a_plan_that_wants_more_its_wait():
    settle_people(1, [SMS, EMAIL])
    own_plan(("SMS", 10, "READ"), ("EMAIL", 0, "SENT"), kind="PAYMENT_RECEIVED")
    notice()
    ways = Ways()

    def overtaken(outgoing):
        say(SMS, Receipt(ReceiptState.DELIVERED, key=outgoing.key))
        return Outcome.SENT

    ways[SMS].script = overtaken
    assert ways.deliver() == ["SMS"] and messages_of(NOTICE) == ["DELIVERED"]
    assert ways.deliver(NOW + 10 * MINUTE) == ["EMAIL"]


# -- the end


def test_at_the_end_of_its_plan_what_was_sent_and_never_proven_is_expired():
    settle_people(1, [SMS])
    own_plan(("SMS", 10, "DELIVERED"), kind="PAYMENT_RECEIVED")
    notice()
    ways = Ways()
    ways.deliver()
    ways.deliver(NOW + 10 * MINUTE)
    assert messages_of(NOTICE) == ["EXPIRED"]


def test_at_the_end_of_its_plan_what_was_refused_everywhere_has_failed():
    settle_people(1, [WHATSAPP, SMS, EMAIL])
    notice()
    ways = Ways().refuse(WHATSAPP, SMS, EMAIL)
    assert ways.deliver() == [] and messages_of(NOTICE) == ["FAILED"]


def test_a_notice_that_was_delivered_and_not_read_ends_as_delivered():
    settle_people(1, [PUSH, SMS])
    notice()
    ways = Ways().refuse(SMS)
    ways.deliver()
    ways.tell(PUSH)
    ways.deliver(NOW + HOUR)
    assert messages_of(NOTICE) == ["DELIVERED"]


def test_a_bill_that_was_read_while_it_was_being_sent_ends_as_read():
    settle_people(1, [SMS, EMAIL])
    queue_bills(1)
    ways = Ways()

    def looked_at(outgoing):
        proof.record_reach(
            period=PERIOD, ref=ref_of(1), how=ReachHow.LINK_VIEW, witness="link", now=NOW + MINUTE
        )
        return Outcome.SENT

    ways[SMS].script = looked_at
    ways.deliver()
    assert ways.deliver(NOW + LONG) == [] and standing() == ("READ", "SMS")


def test_a_late_receipt_of_an_earlier_step_stops_one_that_is_refused():
    settle_people(1, [SMS, EMAIL])
    own_plan(("SMS", 10, "DELIVERED"), ("EMAIL", 10, "DELIVERED"), kind="PAYMENT_RECEIVED")
    wish(
        1,
        plans={
            "PAYMENT_RECEIVED": [{"channel": c, "wait_minutes": 10} for c in ("SMS", "EMAIL", "WHATSAPP")]
        },
    )
    settle_people(0, [])
    contact_point(account_of(1), WHATSAPP, "+966500000001").save()
    notice()
    ways = Ways()
    ways.deliver()

    def overtaken(outgoing):
        ways.tell(SMS, now=NOW + 10 * MINUTE)
        return Outcome.REFUSED

    ways[EMAIL].script = overtaken
    assert ways.deliver(NOW + 10 * MINUTE) == [] and messages_of(NOTICE) == ["DELIVERED"]


# -- delegates and the work of hands


def test_a_bill_that_reached_a_delegate_is_neither_called_for_nor_printed_for_the_holder():
    settle_people(1, [SMS])
    add_delegate(1, EMAIL)
    queue_bills(1)
    ways = Ways()
    assert sorted(ways.deliver()) == ["EMAIL", "SMS"]
    ways.tell(EMAIL)
    assert reach_of(1).recipient == 1
    assert ways.deliver(NOW + 12 * HOUR) == []
    assert standing() == ("EXPIRED", "SMS") and standing(recipient=1) == ("DELIVERED", "EMAIL")


def test_a_bill_that_reached_a_delegate_still_goes_on_to_the_holders_other_channels():
    settle_people(1, [SMS, EMAIL])
    add_delegate(1, EMAIL)
    queue_bills(1)
    ways = Ways()
    ways.deliver()
    ways.tell(EMAIL)
    assert ways.deliver(NOW + 12 * HOUR) == ["EMAIL"]


def test_a_delegate_without_a_way_ends_at_once_and_waits_for_no_paper():
    settle_people(1, [SMS])
    add_delegate(1, SMS)
    ContactPoint.objects.filter(recipient=1).update(is_active=False)
    queue_bills(1)
    assert standing(recipient=1)[0] == "FAILED"


def test_a_call_with_which_a_plan_begins_is_given_up_like_any_other():
    settle_people(1, [SMS])
    wish(1, excluded=["SMS", "WHATSAPP", "EMAIL", "PUSH"])
    queue_bills(1)
    assert standing() == ("QUEUED", "CALL")
    outbox.recover(now=NOW + 3 * DAY - MINUTE)
    assert standing() == ("QUEUED", "CALL")
    outbox.recover(now=NOW + 3 * DAY)
    assert standing() == ("QUEUED", "PAPER")


# -- wishes


def test_the_channels_that_the_people_prefer_come_first():
    settle_people(1, DIGITAL)
    wish(1, channels=["EMAIL", "SMS"])
    queue_bills(1)
    ways = Ways()
    assert ways.deliver() == ["EMAIL"]
    assert ways.deliver(NOW + 2 * DAY) == ["SMS"]
    assert ways.deliver(NOW + 2 * DAY + 12 * HOUR) == ["PUSH"]


def test_an_excluded_channel_is_passed_over_at_every_step():
    settle_people(1, DIGITAL)
    wish(1, excluded=["PUSH", "SMS"])
    queue_bills(1)
    ways = Ways()
    assert ways.deliver() == ["WHATSAPP"]
    assert ways.deliver(NOW + 2 * HOUR) == ["EMAIL"]


def test_an_accounts_own_plan_is_followed_and_a_broken_one_stops_nobody():
    settle_people(2, [SMS, EMAIL])
    own_plan(("EMAIL", 5, "DELIVERED"), ("SMS", 5, "SENT"))
    wish(2, plans={"BILL_ISSUED": [{"channel": "PIGEON"}]})
    queue_bills(1, 2)
    ways = Ways()
    assert sorted(ways.deliver()) == ["EMAIL", "SMS"]
    assert (standing(1), standing(2)) == (("SENT", "EMAIL"), ("SENT", "SMS"))
    assert ways.deliver(NOW + 5 * MINUTE) == ["SMS"]


# -- paper as well


def live_in(person: int) -> int:
    """An agreement at a service centre; its id."""
    centre, _ = ServiceCentre.objects.get_or_create(
        code="C01", defaults={"name_ar": "الرياض", "name_en": "Riyadh", "name_fr": "Riyad"}
    )
    point = UsagePoint.objects.create(id=person, service_centre=centre, breaker_a=60, address="12")
    Agreement.objects.create(
        id=person, account_id=account_of(person), usage_point=point, category=1, start_date=NOW.date()
    )
    return int(centre.pk)


def printed(centre: int, now: dt.datetime = NOW) -> int:
    sheet = sheets.make_paper_sheet(period=PERIOD, service_centre_id=centre, actor="user:7", now=NOW)
    outbox.recover(now=NOW + 3 * DAY)
    assert standing() == ("SENDING", "PAPER") and printed(centre) == 0  # that sheet's, and no other
    sheets.close_paper_sheet(sheet_id=sheet.pk, returned={}, actor="user:7", now=NOW + 4 * DAY)
    assert standing() == ("DELIVERED", "PAPER") and reach_of(1).how == ReachHow.PAPER
    outbox.recover(now=NOW + 4 * DAY)
    assert not MessageBatch.objects.get().is_open


def test_a_wish_for_paper_delays_no_code_and_no_token():
    settle_people(1, [SMS])
    wish(1, wants_paper=True)
    notice()
    assert Message.objects.get(kind=NOTICE).channel == SMS


# -- what changes on the way


def test_a_new_contact_point_is_used_for_a_bill_that_waited_for_paper():
    settle_people(1, [])
    queue_bills(1)
    assert standing() == ("QUEUED", "PAPER")
    contact_point(account_of(1), SMS, "+966500000001").save()
    services.replan_account(account_id=account_of(1), now=NOW)
    assert Ways().deliver() == ["SMS"]


def test_a_changed_wish_does_not_tell_twice_through_the_same_contact_point():
    settle_people(1, [WHATSAPP, SMS])
    queue_bills(1)
    ways = Ways()
    ways.deliver()
    ways.deliver(NOW + 2 * HOUR)
    outbox.recover(now=NOW + 14 * HOUR)
    assert standing() == ("QUEUED", "CALL")
    wish(1, channels=["SMS", "WHATSAPP"])
    services.replan_account(account_id=account_of(1), now=NOW + 15 * HOUR)
    assert ways.deliver(NOW + 15 * HOUR) == [] and standing() == ("QUEUED", "CALL")
    contact_point(account_of(1), SMS, "+966500000077").save()  # the newer one comes first
    services.replan_account(account_id=account_of(1), now=NOW + 16 * HOUR)
    assert ways.deliver(NOW + 16 * HOUR) == ["SMS"]


def test_a_message_that_waits_to_be_tried_again_follows_a_changed_wish():
    settle_people(1, [SMS, EMAIL])
    queue_bills(1)
    ways = Ways().refuse(SMS, outcome=Outcome.TRY_LATER)
    ways.deliver()
    assert standing() == ("DEFERRED", "SMS")
    wish(1, excluded=["SMS"])
    services.replan_account(account_id=account_of(1), now=NOW)
    assert ways.deliver() == ["EMAIL"]


def test_what_failed_for_want_of_a_contact_point_is_told_once_there_is_one():
    settle_people(1, [])
    notice()
    ways = Ways()
    assert ways.deliver() == [] and messages_of(NOTICE) == ["FAILED"]
    contact_point(account_of(1), EMAIL, "a@mail.example").save()
    services.replan_account(account_id=account_of(1), now=NOW)
    assert ways.deliver() == ["EMAIL"]


def test_what_failed_although_it_was_tried_is_not_tried_again_by_a_change():
    settle_people(1, [SMS])
    notice()
    ways = Ways().refuse(SMS)
    ways.deliver()
    services.replan_account(account_id=account_of(1), now=NOW)
    assert messages_of(NOTICE) == ["FAILED"]


def test_an_opt_out_calls_off_what_is_queued_or_deferred_and_no_bill():
    settle_people(1, [SMS])
    queue_bills(1)
    notice()
    Ways().refuse(SMS, outcome=Outcome.TRY_LATER).deliver()
    assert states() == {"DEFERRED": 2}
    for kind in (KIND, NOTICE):
        OptOut.objects.create(account_id=account_of(1), kind=kind, since=NOW)
    services.replan_account(account_id=account_of(1), now=NOW)
    assert messages_of(NOTICE) == ["CANCELLED"] and standing() == ("QUEUED", "SMS")


def test_a_message_to_one_contact_point_and_no_other_follows_no_wish():
    settle_people(1, [SMS, EMAIL])
    point = ContactPoint.objects.get(channel=SMS)
    services.queue_message(
        kind=NOTICE, account_id=account_of(1), facts={}, now=NOW, contact_point_id=point.pk
    )
    wish(1, excluded=["SMS"])
    services.replan_account(account_id=account_of(1), now=NOW)
    ways = Ways().refuse(SMS)
    assert ways.deliver() == [] and messages_of(NOTICE) == ["FAILED"]


def test_a_second_release_begins_no_plan_anew():
    settle_people(2, [WHATSAPP, SMS])
    wish(1, channels=["SMS"])
    queue_bills(1)
    ways = Ways()
    assert ways.deliver() == ["SMS"]
    outbox.recover(now=NOW + 12 * HOUR)
    assert standing() == ("QUEUED", "WHATSAPP")
    queue_bills(2)
    assert standing(1) == ("QUEUED", "WHATSAPP")
    assert ways.deliver(NOW + 12 * HOUR) == ["WHATSAPP", "WHATSAPP"]


def test_a_revoked_delegate_gets_nothing_that_was_still_queued():
    settle_people(1, [SMS])
    delegate = add_delegate(1, EMAIL)
    queue_bills(1)
    Delegate.objects.filter(pk=delegate.pk).update(state=DelegateState.REVOKED)
    services.replan_account(account_id=account_of(1), now=NOW)
    assert standing(recipient=1)[0] == "CANCELLED" and Ways().deliver() == ["SMS"]


# -- staff's hand


def test_resent_a_message_begins_its_plan_again_and_counts_its_attempts_on():
    settle_people(1, [SMS])
    queue_bills(1)
    ways = Ways()
    ways.deliver()
    ways.tell(SMS)
    services.resend(period=PERIOD, kind=KIND, ref=ref_of(1), recipient=0, actor="user:7", now=NOW + DAY)
    assert ways.deliver(NOW + DAY) == ["SMS"]
    assert attempts() == [("SMS", 1, "DELIVERED"), ("SMS", 2, "SENT")]


def test_what_became_of_the_first_sending_does_not_disturb_the_second():
    settle_people(1, [SMS, EMAIL])
    queue_bills(1)
    ways = Ways()
    ways.deliver()
    services.resend(period=PERIOD, kind=KIND, ref=ref_of(1), recipient=0, actor="user:7", now=NOW + MINUTE)
    ways.deliver(NOW + MINUTE)
    ways.tell(SMS, ReceiptState.EXPIRED, index=0, now=NOW + HOUR)
    assert standing() == ("SENT", "SMS")
    ways.tell(SMS, ReceiptState.EXPIRED, index=1, now=NOW + HOUR)
    assert standing() == ("QUEUED", "EMAIL")


def test_nothing_is_resent_while_it_is_being_sent():
    settle_people(1, [SMS])
    queue_bills(1)
    Ways().refuse(SMS, outcome=Outcome.IN_DOUBT).deliver()
    with pytest.raises(UserError, match="being sent right now"):
        services.resend(period=PERIOD, kind=KIND, ref=ref_of(1), recipient=0, actor="user:7", now=NOW)
    with pytest.raises(UserError, match="no such message"):
        services.resend(period=PERIOD, kind=KIND, ref=1, recipient=0, actor="user:7", now=NOW)


def test_what_failed_is_tried_again_when_staff_say_so_and_nothing_else():
    settle_people(2, [SMS])
    own = ("SMS", 10, "DELIVERED")
    for person in (1, 2):
        own_plan(own, person=person)
    queue_bills(1, 2)
    ways = Ways()
    ways[SMS].script = lambda out: Outcome.REFUSED if out.key.ref == ref_of(1) else Outcome.SENT
    ways.deliver()
    assert states() == {"FAILED": 1, "SENT": 1}
    arguments = {"period": PERIOD, "kind": KIND, "actor": "user:7", "now": NOW + MINUTE}
    with pytest.raises(UserError, match="can be tried again"):
        services.retry_messages(states=[MessageState.SENT], **arguments)
    assert services.retry_messages(states=[MessageState.FAILED], **arguments) == 1
    ways[SMS].script = lambda out: Outcome.SENT
    assert ways.deliver(NOW + MINUTE) == ["SMS"] and states() == {"SENT": 2}


def test_what_is_called_off_is_not_sent_and_can_be_taken_up_again():
    settle_people(1, [SMS])
    queue_bills(1)
    arguments = {"period": PERIOD, "kind": KIND, "actor": "user:7", "now": NOW}
    with pytest.raises(UserError, match="can be called off"):
        services.cancel_messages(states=[MessageState.SENT], **arguments)
    assert services.cancel_messages(states=[MessageState.QUEUED], **arguments) == 1
    ways = Ways()
    assert ways.deliver() == []
    assert services.retry_messages(states=[MessageState.CANCELLED], **arguments) == 1
    assert ways.deliver() == ["SMS"]


def test_of_a_stopped_run_nothing_more_is_sent_and_all_of_it_ends():
    settle_people(3, [SMS, EMAIL])
    queue_bills(1, 2, 3)
    ways = Ways()
    ways[SMS].script = lambda out: {ref_of(1): Outcome.SENT, ref_of(2): Outcome.TRY_LATER}.get(
        out.key.ref, Outcome.IN_DOUBT
    )
    ways.deliver()
    services.stop_batch(period=PERIOD, kind=KIND, actor="user:7", now=NOW)
    assert states() == {"SENT": 1, "CANCELLED": 1, "IN_DOUBT": 1}
    for hour in (2, 13, 14):
        assert ways.deliver(NOW + hour * HOUR) == []
    assert states() == {"EXPIRED": 1, "CANCELLED": 2}
    assert not MessageBatch.objects.get().is_open


# -- digests and hands


def test_a_digest_that_comes_to_paper_lets_each_of_its_bills_be_printed():
    settle_people(2, [SMS])
    share_digest(1, 2)
    queue_bills(1, 2)
    assert standing(2)[0] == "MERGED"
    ways = Ways()
    assert ways.deliver() == ["SMS"]
    outbox.recover(now=NOW + 12 * HOUR)
    assert (standing(1), standing(2)) == (("QUEUED", "CALL"), ("QUEUED", "CALL"))
    outbox.recover(now=NOW + 4 * DAY)
    assert (standing(1), standing(2)) == (("QUEUED", "PAPER"), ("QUEUED", "PAPER"))
