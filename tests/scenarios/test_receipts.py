"""What providers tell afterwards: by key and by name, late, early, twice, out of order; and the proof that follows."""

import datetime as dt
import itertools

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.scenarios.messages import (
    EMAIL,
    KIND,
    NOW,
    PERIOD,
    SMS,
    WHATSAPP,
    Scripted,
    account_of,
    address_of,
    contact_point,
    message_of,
    provider,
    queue_bills,
    ref_of,
    settle_people,
    states,
)
from tests.scenarios.ways import (
    HOUR,
    MINUTE,
    NOTICE,
    Ways,
    add_delegate,
    attempts,
    messages_of,
    name,
    prepare,
    reach_of,
    say,
    share_digest,
    standing,
)

from tayyar.core.models import AuditEntry
from tayyar.customers.models import Channel, ContactMark, ContactPoint, Preference
from tayyar.notifications import health, outbox, proof, receipts, rules, services
from tayyar.notifications.models import (
    Delivery,
    EarlyReceipt,
    Message,
    MessageState,
    Provider,
    Reach,
    ReachHow,
)
from tayyar.notifications.ports import DeliveryKey, Outcome, Receipt, ReceiptState, SendResult

T = ReceiptState
OLD = dt.timedelta(seconds=31)  # so long a receipt that names only an address waits for its answer


@pytest.fixture(autouse=True)
def ground(transactional_db, monkeypatch):
    monkeypatch.setattr(health, "TALLY_SECONDS", 0.0)
    yield from prepare(monkeypatch)


def key(person: int = 1, channel: Channel = SMS, attempt: int = 1) -> DeliveryKey:
    return DeliveryKey(PERIOD.number, KIND, ref_of(person), 0, channel, attempt)


def claim(channel: Channel = SMS, *, limit: int = 100, now: dt.datetime = NOW) -> list[outbox.Claim]:
    """Attempts that the provider of `channel` now makes; nobody has answered yet."""
    health.enrol([provider(name(channel), channel, Scripted())[0]])
    return outbox.claim_batch(
        period=PERIOD.number,
        kind=KIND,
        channel=channel,
        limit=limit,
        provider=health.number_of(name(channel)),
        now=now,
        worker="w",
    ).claims


def answer(
    claims: list[outbox.Claim],
    outcome: Outcome = Outcome.SENT,
    *,
    now: dt.datetime = NOW,
    cost_micro: int = 0,
) -> None:
    """The provider's answer: it calls each message "name of its bill"."""
    results = [
        SendResult(c.key, outcome, provider_ref=f"name of {c.key.ref}" if outcome is Outcome.SENT else "", segments=3)
        for c in claims
    ]  # fmt: skip
    outbox.settle(results=results, claims={c.key: c for c in claims}, now=now, cost_micro=cost_micro)


def named(person: int, state: ReceiptState = T.DELIVERED, **more: object) -> Receipt:
    return Receipt(state, provider_ref=f"name of {ref_of(person)}", **more)  # type: ignore[arg-type]


def settle_early(channel: Channel = SMS, *, now: dt.datetime = NOW) -> int:
    return receipts.settle_early(provider=name(channel), now=now)


def told(people: int = 1, *channels: Channel) -> None:
    """Bills of so many people, each with these channels (SMS alone by itself), released."""
    settle_people(people, channels or [SMS])
    queue_bills(*range(1, people + 1))


# -- which attempt a receipt speaks of


def test_a_receipt_is_matched_by_the_key_it_echoes():
    told()
    answer(claim())
    say(SMS, Receipt(T.DELIVERED, key=key()))
    assert standing() == ("DELIVERED", "SMS") and not EarlyReceipt.objects.exists()


def test_a_receipt_is_matched_by_the_providers_own_name():
    told(2)
    answer(claim())
    say(SMS, named(2))
    assert (standing(1), standing(2)) == (("SENT", "SMS"), ("DELIVERED", "SMS"))


@pytest.mark.parametrize("by", ["name", "key"])
def test_a_receipt_of_another_provider_matches_nothing(by):
    told()
    answer(claim())
    say(WHATSAPP, named(1) if by == "name" else Receipt(T.DELIVERED, key=key()))
    assert standing() == ("SENT", "SMS") and EarlyReceipt.objects.count() == 1
    assert settle_early(WHATSAPP) == 0


def test_a_receipt_for_a_message_that_never_was_is_kept_a_while_and_forgotten():
    told()
    answer(claim())
    say(SMS, Receipt(T.DELIVERED, key=key(77)), Receipt(T.DELIVERED, provider_ref="?"))
    outbox.recover(now=NOW + outbox.KEPT_EARLY_RECEIPTS)
    assert EarlyReceipt.objects.count() == 2
    outbox.recover(now=NOW + outbox.KEPT_EARLY_RECEIPTS + MINUTE)
    assert EarlyReceipt.objects.count() == 0


# -- before the answer


def test_a_receipt_with_the_key_may_come_before_the_answer_which_then_brings_name_and_price():
    told()
    claims = claim()
    say(SMS, Receipt(T.DELIVERED, key=key(), at=NOW))
    assert standing() == ("DELIVERED", "SMS")
    answer(claims, cost_micro=45_000, now=NOW + MINUTE)
    attempt = Delivery.objects.get()
    assert (attempt.state, attempt.provider_ref) == (MessageState.DELIVERED, f"name of {ref_of(1)}")
    assert (attempt.segments, attempt.cost_micro) == (3, 135_000)  # 3 segments of 0.045
    assert standing() == ("DELIVERED", "SMS") and message_of(1).next_at is None


@pytest.mark.parametrize("state", [T.SENT, T.FAILED])
def test_also_of_an_attempt_that_is_on_its_way_or_failed_the_late_answer_brings_name_and_price(state):
    told()
    claims = claim()
    say(SMS, Receipt(state, key=key(), reason="R"))
    before = standing()
    answer(claims, cost_micro=45_000)
    attempt = Delivery.objects.get()
    assert (attempt.state, attempt.cost_micro) == (MessageState[state.value], 135_000)
    assert attempt.provider_ref == f"name of {ref_of(1)}" and standing() == before


def test_a_price_that_the_receipt_named_before_the_answer_stands():
    told()
    claims = claim()
    say(SMS, Receipt(T.DELIVERED, key=key(), cost_micro=99_000))
    answer(claims, cost_micro=45_000)
    assert Delivery.objects.get().cost_micro == 99_000


def test_a_receipt_by_name_before_the_answer_is_kept_and_applied_once_the_answer_is_there():
    told()
    claims = claim()
    say(SMS, named(1))
    say(SMS, named(1))  # and again
    assert EarlyReceipt.objects.count() == 1 and standing() == ("SENDING", "SMS")
    assert settle_early() == 0
    answer(claims)
    assert settle_early() == 1
    assert standing() == ("DELIVERED", "SMS") and not EarlyReceipt.objects.exists()
    assert reach_of().witness == "provider:sms"


def test_receipts_that_never_fit_stand_before_no_newer_one(monkeypatch):
    monkeypatch.setattr(receipts, "_PAGE", 3)
    told()
    claims = claim()
    say(SMS, *(Receipt(T.DELIVERED, provider_ref=f"stranger {n}") for n in range(7)), named(1))
    answer(claims)
    assert settle_early() == 1 and standing() == ("DELIVERED", "SMS")
    assert EarlyReceipt.objects.count() == 7


def test_the_engine_holds_a_receipt_that_overtook_its_answer_and_confirms_it_when_it_is_stored():
    told()
    ways = Ways(SMS)

    def script(outgoing):
        ways[SMS].says.append(ways[SMS].receipt(outgoing))
        return Outcome.SENT

    ways[SMS].script = script
    ways.deliver()
    assert standing() == ("DELIVERED", "SMS")
    assert [receipt.state for receipt in ways[SMS].confirmed] == [T.DELIVERED]


# -- in doubt


def doubtful(people: int = 1) -> None:
    told(people)
    answer(claim(), Outcome.IN_DOUBT)


def test_an_attempt_in_doubt_is_settled_by_a_receipt_with_its_key():
    doubtful()
    say(SMS, Receipt(T.SENT, key=key(), provider_ref="late name"))
    assert standing() == ("SENT", "SMS") and message_of(1).next_at == NOW + 12 * HOUR
    say(SMS, Receipt(T.DELIVERED, provider_ref="late name"))
    assert standing() == ("DELIVERED", "SMS")
    outbox.recover(now=NOW + 2 * HOUR)
    assert attempts() == [("SMS", 1, "DELIVERED")]


def test_the_only_attempt_in_doubt_to_an_address_is_settled_by_a_receipt_with_that_address():
    doubtful(2)
    say(SMS, Receipt(T.DELIVERED, provider_ref="lost name", address=address_of(2, SMS)))
    assert settle_early(now=NOW + OLD - dt.timedelta(seconds=2)) == 0  # its answer may still come
    assert settle_early(now=NOW + OLD) == 1
    assert (standing(1)[0], standing(2)[0]) == ("IN_DOUBT", "DELIVERED")
    assert Delivery.objects.get(ref=ref_of(2)).provider_ref == "lost name"


def test_of_two_attempts_in_doubt_to_one_address_none_is_settled_by_it():
    told(2)
    ContactPoint.objects.filter(account_id=account_of(2)).delete()
    contact_point(account_of(2), SMS, address_of(1, SMS)).save()
    answer(claim(), Outcome.IN_DOUBT)
    say(SMS, Receipt(T.DELIVERED, address=address_of(1, SMS)))
    assert settle_early(now=NOW + OLD) == 0 and states() == {"IN_DOUBT": 2}


def test_receipts_with_nothing_but_addresses_are_told_apart_by_them():
    doubtful(3)
    say(SMS, *(Receipt(T.DELIVERED, address=address_of(person, SMS)) for person in (1, 2)))
    assert EarlyReceipt.objects.count() == 2
    assert settle_early(now=NOW + OLD) == 2
    assert [standing(person)[0] for person in (1, 2, 3)] == ["DELIVERED", "DELIVERED", "IN_DOUBT"]


def test_a_receipt_belongs_to_the_attempt_of_its_name_before_any_in_doubt_to_its_address():
    told(2)
    ContactPoint.objects.filter(account_id=account_of(2)).delete()
    contact_point(account_of(2), SMS, address_of(1, SMS)).save()
    first, second = claim()
    answer([first], Outcome.IN_DOUBT)
    say(SMS, named(2, address=address_of(1, SMS)))
    answer([second])
    assert settle_early(now=NOW + OLD) == 1
    assert (standing(1)[0], standing(2)[0]) == ("IN_DOUBT", "DELIVERED")


def test_a_receipt_that_came_before_an_attempt_says_nothing_of_it():
    told()
    health.enrol([provider(name(SMS), SMS, Scripted())[0]])
    say(SMS, Receipt(T.DELIVERED, provider_ref="another's", address=address_of(1, SMS)))
    answer(claim(now=NOW + MINUTE), Outcome.IN_DOUBT, now=NOW + MINUTE)
    assert settle_early(now=NOW + HOUR) == 0 and states() == {"IN_DOUBT": 1}


def test_an_attempt_in_doubt_is_not_proven_by_what_may_be_the_receipt_of_one_that_was_given_up():
    told(2)
    ContactPoint.objects.filter(account_id=account_of(2)).delete()
    contact_point(account_of(2), SMS, address_of(1, SMS)).save()
    answer(claim(limit=1), Outcome.IN_DOUBT)
    later = NOW + rules.doubt_limit(KIND) + MINUTE
    outbox.recover(now=later)
    again, other = claim(now=later)
    answer([again], now=later)
    answer([other], Outcome.IN_DOUBT, now=later)
    say(SMS, Receipt(T.DELIVERED, provider_ref="lost name", address=address_of(1, SMS)), now=later + MINUTE)
    assert settle_early(now=later + HOUR) == 0 and states() == {"SENT": 1, "IN_DOUBT": 1}


def test_nor_is_it_when_the_clock_was_set_back_between_them():
    told(2)
    ContactPoint.objects.filter(account_id=account_of(2)).delete()
    contact_point(account_of(2), SMS, address_of(1, SMS)).save()
    answer(claim(limit=1), Outcome.IN_DOUBT)
    answer(claim(now=NOW + HOUR), Outcome.IN_DOUBT, now=NOW + HOUR)
    say(SMS, Receipt(T.DELIVERED, provider_ref="lost name", address=address_of(1, SMS)), now=NOW + MINUTE)
    assert settle_early(now=NOW + HOUR) == 0 and states() == {"IN_DOUBT": 2}


@pytest.mark.parametrize(("answered", "receipted"), [("93FEB0DFCC", "635633197004"), ("2587", "A1B")])
def test_a_receipt_whose_name_is_spelled_in_another_base_finds_its_attempt_by_the_address(
    answered, receipted
):
    told(2)
    claims = claim()
    results = [
        SendResult(c.key, Outcome.SENT, provider_ref=answered if c.key.ref == ref_of(1) else "7")
        for c in claims
    ]
    outbox.settle(results=results, claims={c.key: c for c in claims}, now=NOW)
    say(SMS, Receipt(T.DELIVERED, provider_ref=receipted, address=address_of(2, SMS)))
    assert settle_early(now=NOW + OLD) == 0  # the number fits, the address does not
    say(SMS, Receipt(T.DELIVERED, provider_ref=receipted, address=address_of(1, SMS)))
    assert settle_early(now=NOW + OLD) == 1
    assert (standing(1)[0], standing(2)[0]) == ("DELIVERED", "SENT")


# -- order and repetition


def test_receipts_that_come_twice_change_nothing_more():
    told()
    answer(claim())
    for minute in range(3):
        say(SMS, named(1, at=NOW + minute * MINUTE), named(1, at=NOW), now=NOW + minute * MINUTE)
    assert standing() == ("DELIVERED", "SMS")
    assert Reach.objects.get().reached_at == NOW and Delivery.objects.get().received_at == NOW


def test_read_and_then_delivered_stays_read():
    told()
    answer(claim())
    say(SMS, named(1, T.READ))
    say(SMS, named(1, T.DELIVERED))
    say(SMS, named(1, T.SENT))
    assert standing() == ("READ", "SMS") and attempts() == [("SMS", 1, "READ")]
    assert reach_of().how == ReachHow.READ_RECEIPT


@pytest.mark.parametrize("state", [T.FAILED, T.EXPIRED, T.BAD_CONTACT])
def test_what_was_delivered_fails_no_more(state):
    told(1, SMS, EMAIL)
    answer(claim())
    say(SMS, named(1))
    say(SMS, named(1, state))
    assert standing() == ("DELIVERED", "SMS") and attempts() == [("SMS", 1, "DELIVERED")]


def test_a_failure_goes_on_at_once_and_a_late_delivery_calls_the_next_step_off():
    told(1, SMS, EMAIL)
    answer(claim())
    say(SMS, named(1, T.FAILED, reason="ABSENT"))
    assert standing() == ("QUEUED", "EMAIL") and Delivery.objects.get().reason == "ABSENT"
    say(SMS, named(1))
    assert standing() == ("DELIVERED", "EMAIL") and claim(EMAIL) == []


def test_an_expired_message_goes_on_in_its_plan():
    told(1, SMS, EMAIL)
    answer(claim())
    say(SMS, named(1, T.EXPIRED))
    assert standing() == ("QUEUED", "EMAIL") and attempts() == [("SMS", 1, "EXPIRED")]


def test_a_failure_of_an_earlier_step_does_not_disturb_the_present_one():
    told(1, SMS, EMAIL)
    answer(claim())
    outbox.recover(now=NOW + 12 * HOUR)
    answer(claim(EMAIL, now=NOW + 12 * HOUR), now=NOW + 12 * HOUR)
    say(SMS, named(1, T.FAILED), now=NOW + 13 * HOUR)
    assert standing() == ("SENT", "EMAIL")


def test_a_delivery_of_one_step_and_a_failure_of_another_told_at_once_are_a_delivery():
    settle_people(1, [SMS, EMAIL, WHATSAPP])
    Preference.objects.create(account_id=account_of(1), channels=["SMS", "EMAIL", "WHATSAPP"])
    services.queue_message(kind=NOTICE, account_id=account_of(1), facts={}, now=NOW)
    ways = Ways(SMS, EMAIL)
    ways.deliver()
    ways[EMAIL].script = lambda out: Outcome.SENT
    ways.deliver(NOW + 12 * HOUR)
    assert messages_of(NOTICE) == ["SENT"]
    one = provider("sms", SMS, Scripted())[0]
    health.enrol([one])
    Delivery.objects.update(provider=health.number_of("sms"))  # both through one provider
    say(SMS, ways[EMAIL].receipt(ways[EMAIL].taken[0], T.FAILED), ways[SMS].receipt(ways[SMS].taken[0]))
    assert messages_of(NOTICE) == ["DELIVERED"]
    assert Message.objects.get(kind=NOTICE).next_at is None


# -- contact points


def test_a_bad_contact_is_marked_and_the_other_contact_point_of_the_channel_is_tried():
    told()
    contact_point(account_of(1), SMS, "+966599999999").save()  # newer: tried first
    answer(claim())
    say(SMS, named(1, T.BAD_CONTACT, reason="UNKNOWN_SUBSCRIBER"))
    marked = ContactPoint.objects.get(is_active=False)
    assert (marked.mark, marked.marked_at) == (ContactMark.BOUNCED, NOW)
    assert marked.pk == Delivery.objects.get().contact_point_id
    (again,) = claim()
    assert again.key.attempt == 2
    assert Delivery.objects.get(attempt=2).contact_point_id != marked.pk


def test_a_bad_contact_without_another_goes_on_in_the_plan():
    told(1, SMS, EMAIL)
    answer(claim())
    say(SMS, named(1, T.BAD_CONTACT))
    assert claim() == [] and standing() == ("QUEUED", "EMAIL")


def test_a_bounce_told_again_marks_no_address_that_was_verified_meanwhile():
    told()
    answer(claim())
    say(SMS, named(1, T.BAD_CONTACT))
    ContactPoint.objects.update(is_active=True, mark="", marked_at=None, verified_at=NOW + HOUR)
    say(SMS, named(1, T.BAD_CONTACT), now=NOW + 2 * HOUR)
    assert ContactPoint.objects.get().is_active
    assert AuditEntry.objects.filter(action="CONTACT_MARKED").count() == 1


def test_a_complaint_marks_the_contact_and_proves_that_the_bill_arrived():
    told()
    answer(claim())
    say(SMS, named(1, T.COMPLAINED))
    assert ContactPoint.objects.get().mark == ContactMark.COMPLAINED
    assert standing() == ("DELIVERED", "SMS") and reach_of().how == ReachHow.RECEIPT


# -- price and pace


def test_what_a_receipt_says_it_cost_is_recorded():
    told()
    answer(claim(), cost_micro=45_000)
    assert Delivery.objects.get().cost_micro == 135_000
    say(SMS, named(1, T.SENT, cost_micro=120_000))
    assert Delivery.objects.get().cost_micro == 120_000


def test_a_receipt_later_than_five_minutes_is_slow_and_a_late_reader_is_not():
    told(3)
    answer(claim())
    late = NOW + health.SLOW + MINUTE
    say(SMS, named(1, at=late), named(2, at=NOW + MINUTE), named(3, T.READ, at=late), now=late)
    counted = Provider.objects.get(code="sms")
    assert (counted.window_received, counted.window_slow) == (3, 1)


# -- proof


def test_the_first_evidence_is_the_record_and_says_how_when_through_whom():
    told()
    answer(claim())
    say(SMS, named(1, at=NOW + MINUTE), now=NOW + HOUR)
    say(SMS, named(1, T.READ, at=NOW + HOUR), now=NOW + 2 * HOUR)
    assert not proof.record_reach(
        period=PERIOD, ref=ref_of(1), how=ReachHow.PORTAL_VIEW, witness="portal", now=NOW + 3 * HOUR
    )
    reach = Reach.objects.get()
    assert (reach.how, reach.channel, reach.recipient) == (ReachHow.RECEIPT, SMS, 0)
    assert (reach.reached_at, reach.witness) == (NOW + MINUTE, "provider:sms")
    assert (reach.kind, reach.account_id) == (KIND, account_of(1))


def test_of_evidence_told_at_once_the_earliest_is_the_record():
    told()
    add_delegate(1, SMS)
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    answer(claim())
    theirs = DeliveryKey(PERIOD.number, KIND, ref_of(1), 1, SMS, 1)
    say(
        SMS, Receipt(T.DELIVERED, key=key(), at=NOW + HOUR), Receipt(T.DELIVERED, key=theirs, at=NOW + MINUTE)
    )
    assert (reach_of().recipient, reach_of().reached_at) == (1, NOW + MINUTE)


@pytest.mark.parametrize(
    ("how", "state"),
    [
        (ReachHow.LINK_VIEW, "READ"),
        (ReachHow.PORTAL_VIEW, "READ"),
        (ReachHow.PAYMENT, "DELIVERED"),
        (ReachHow.CLERK, "DELIVERED"),
        (ReachHow.CALLER, "DELIVERED"),
    ],
)
def test_other_evidence_ends_the_plan_wherever_it_stands(how, state):
    told(3, SMS, EMAIL)
    answer(claim(limit=2)[:1])
    for person in (1, 2, 3):
        assert proof.record_reach(period=PERIOD, ref=ref_of(person), how=how, witness="user:7", now=NOW)
    assert standing(1) == (state, "SMS") and standing(3) == (state, "SMS")
    assert standing(2) == ("SENDING", "SMS")  # its answer comes first
    assert claim() == [] and reach_of(3).witness == "user:7"


def test_evidence_for_a_bill_that_nobody_is_told_of_is_none():
    told()
    assert not proof.record_reach(period=PERIOD, ref=1, how=ReachHow.CLERK, witness="user:7", now=NOW)
    assert not Reach.objects.exists()


def test_withdrawn_a_record_makes_room_for_a_better_one_and_a_clerks_word_stays():
    told(2)
    for person, how in ((1, ReachHow.LINK_VIEW), (2, ReachHow.CLERK)):
        proof.record_reach(period=PERIOD, ref=ref_of(person), how=how, witness="w", now=NOW)
    assert [proof.withdraw_reach(period=PERIOD, ref=ref_of(person), now=NOW) for person in (1, 2)] == [
        True,
        False,
    ]
    assert proof.record_reach(period=PERIOD, ref=ref_of(1), how=ReachHow.PAYMENT, witness="w", now=NOW)


def test_a_digest_that_arrived_proves_all_its_bills():
    settle_people(3, [SMS])
    share_digest(1, 2)
    queue_bills(1, 2, 3)
    answer(claim())
    say(SMS, named(1))
    assert [reach_of(person) is not None for person in (1, 2, 3)] == [True, True, False]
    assert reach_of(2).account_id == account_of(2)


def test_who_opens_one_bill_of_a_digest_has_the_digest():
    settle_people(2, [SMS, EMAIL])
    share_digest(1, 2)
    queue_bills(1, 2)
    answer(claim())
    proof.record_reach(period=PERIOD, ref=ref_of(2), how=ReachHow.LINK_VIEW, witness="link", now=NOW)
    assert reach_of(1) is not None and reach_of(2) is not None
    assert standing(1) == ("READ", "SMS") and message_of(1).next_at is None


def test_a_payment_of_one_bill_of_a_digest_proves_that_bill_alone():
    settle_people(2, [SMS])
    share_digest(1, 2)
    queue_bills(1, 2)
    answer(claim())
    proof.record_reach(period=PERIOD, ref=ref_of(2), how=ReachHow.PAYMENT, witness="bank", now=NOW)
    assert reach_of(1) is None and standing(1) == ("SENT", "SMS")


# -- any order


EVENTS = ("answer", "SENT", "DELIVERED", "READ")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS[1:]), max_size=2), st.booleans())
def test_whatever_the_order_of_answer_and_receipts_all_ends_alike(order, again, with_key):
    Message.objects.all().delete()
    Delivery.objects.all().delete()
    Reach.objects.all().delete()
    EarlyReceipt.objects.all().delete()
    if not ContactPoint.objects.exists():
        settle_people(1, [SMS])
    with transaction.atomic():
        queue_bills(1)
    claims = claim()
    for event in (*order, *again):
        if event == "answer":
            answer(claims, cost_micro=45_000)
        elif with_key:
            say(SMS, Receipt(T[event], key=key(), provider_ref=f"name of {ref_of(1)}", at=NOW))
        else:
            say(SMS, named(1, T[event], at=NOW))
    settle_early()
    attempt = Delivery.objects.get()
    assert (standing(), message_of(1).next_at) == (("READ", "SMS"), None)
    assert (attempt.state, attempt.segments, attempt.cost_micro) == (MessageState.READ, 3, 135_000)
    assert attempt.provider_ref == f"name of {ref_of(1)}" and not EarlyReceipt.objects.exists()
    assert Reach.objects.count() == 1 and attempt.settled_at is not None


FAILURES = ("answer", "FAILED", "DELIVERED")


@pytest.mark.parametrize("order", list(itertools.permutations(FAILURES)), ids="-".join)
def test_whatever_the_order_what_was_delivered_is_delivered(order):
    told(1, SMS, EMAIL)
    claims = claim()
    for event in order:
        if event == "answer":
            answer(claims)
        else:
            say(SMS, Receipt(T[event], key=key(), at=NOW))
    assert standing()[0] == "DELIVERED" and attempts() == [("SMS", 1, "DELIVERED")]
    assert message_of(1).next_at is None and claim(EMAIL) == []


def test_a_doubt_given_up_and_then_answered_spares_the_second_message():
    doubtful()
    outbox.recover(now=NOW + rules.doubt_limit(KIND) + MINUTE)
    assert standing() == ("QUEUED", "SMS")
    say(SMS, Receipt(T.DELIVERED, key=key()), now=NOW + 2 * HOUR)
    assert claim(now=NOW + 2 * HOUR) == [] and attempts() == [("SMS", 1, "DELIVERED")]
