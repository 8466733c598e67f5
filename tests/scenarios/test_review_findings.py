"""What a review of the delivery engine found, each kept from coming back: lost, doubled or wrongly proven messages."""

import datetime as dt
import importlib
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction
from tests.scenarios import cast
from tests.scenarios.messages import (
    CALL,
    EMAIL,
    FIRST_REF,
    KIND,
    NOW,
    PAPER,
    PERIOD,
    PUSH,
    SMS,
    WHATSAPP,
    Scripted,
    account_of,
    contact_point,
    deliver,
    facts,
    message_of,
    provider,
    queue_bills,
    ref_of,
    settle_people,
    states,
)

from tayyar.customers.models import ContactMark, ContactPoint, Customer, CustomerAccount, OptOut, Preference
from tayyar.customers.services import mark_contacts
from tayyar.notifications import (
    content,
    delivery,
    health,
    outbox,
    people,
    proof,
    queries,
    receipts,
    rules,
    services,
    walk,
)
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageBatch, MessageState, Reach, ReachHow
from tayyar.notifications.pace import ProviderPace
from tayyar.notifications.ports import DeliveryKey, Receipt, ReceiptState

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def ground(transactional_db, monkeypatch):
    """A provider of content, empty tables, and no patience."""
    cast.empty_big_tables()
    cast.answer_profile()
    health.number_of.cache_clear()
    monkeypatch.setitem(content._providers, KIND, lambda keys: [facts(key) for key in keys])
    monkeypatch.setattr(delivery, "_LINGER_SECONDS", 0.15)
    monkeypatch.setattr(delivery, "_RESTS_SECONDS", (0.05,))
    yield
    connection.close()


def test_a_document_that_cannot_be_made_defers_its_message_and_stops_no_other(monkeypatch):
    settle_people(3, [EMAIL])
    Preference.objects.create(account_id=account_of(2), attaches_pdf=True)

    def breaks(key):
        raise ValueError("a defect of the printer")

    monkeypatch.setitem(content._documents, KIND, breaks)
    queue_bills(1, 2, 3)
    assert deliver(provider("mail", EMAIL, Scripted())) == {"SENT": 2, "TRY_LATER": 1}
    assert Delivery.objects.get(state=MessageState.FAILED).reason == rules.CONTENT_ERROR
    assert message_of(2).state == MessageState.DEFERRED


def test_the_pace_outlives_the_loss_of_its_database_connection():
    health.enrol([provider("sms", SMS, Scripted(), permitted_per_second=1000)[0]])
    pace = ProviderPace(number=health.number_of("sms"), permitted_per_second=100)  # one message in a slice
    assert _granted(pace) > 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with _other_connection() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert pace.allowance(5) == 0 and 0 < pace.wait_seconds() <= 1
    assert _granted(pace) > 0


def _granted(pace: ProviderPace) -> int:
    """What the pace grants within some seconds."""
    give_up_at = time.monotonic() + 5
    while time.monotonic() < give_up_at:
        if granted := pace.allowance(5):
            return granted
        time.sleep(pace.wait_seconds())
    return 0


def test_a_code_is_queued_while_a_run_writes_its_messages_of_the_same_month():
    settle_people(1, [SMS])
    _code(NOW)  # the month's gate is there
    with _other_connection() as other:
        other.execute(
            f"""INSERT INTO notifications_message (period, kind, ref, recipient, account_id, language, step, channel,
                                                   state, created_at)
                VALUES ({PERIOD.number}, 1, {FIRST_REF}, 0, {account_of(1)}, 1, 0, 1, 0, now())"""
        )
        other.execute("SELECT pg_advisory_xact_lock(hashtext('notifications_message'))")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            _code(NOW + MINUTE)
        other.rollback()
    assert Message.objects.filter(kind=MessageKind.ONE_TIME_CODE).count() == 2


def _code(now: dt.datetime) -> None:
    services.queue_message(
        kind=MessageKind.ONE_TIME_CODE,
        account_id=account_of(1),
        facts={"code": "123456", "minutes_text": "دقيقة"},
        now=now,
    )


def _other_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """To the test's own database, in a transaction of its own."""
    own = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    return psycopg.connect(**{name: own[name] for name in names if own.get(name)})


def test_releasing_again_while_workers_claim_takes_no_message_back(monkeypatch):
    settle_people(1, [SMS])
    Preference.objects.create(account_id=account_of(1), channels=["SMS"])
    queue_bills(1)
    claimed: list[outbox.Claim] = []
    wishes_of = people.wishes_of

    def meanwhile(cursor, accounts):
        with ThreadPoolExecutor(1) as pool:
            claimed.extend(pool.submit(_claim_apart).result())
        return wishes_of(cursor, accounts)

    health.enrol([provider("sms", SMS, Scripted())[0]])
    monkeypatch.setattr(people, "wishes_of", meanwhile)
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    monkeypatch.setattr(people, "wishes_of", wishes_of)
    assert len(claimed) + len(_claim()) == 1


def _claim(now: dt.datetime = NOW) -> list[outbox.Claim]:
    return outbox.claim_batch(
        period=PERIOD.number,
        kind=KIND,
        channel=SMS,
        limit=100,
        provider=health.number_of("sms"),
        now=now,
        worker="test",
    ).claims


def _claim_apart() -> list[outbox.Claim]:
    """A claim by another worker, on a connection of its own."""
    try:
        return _claim()
    finally:
        connection.close()


def _one_customer_for(*persons: int) -> None:
    """One customer, who wants one message for all, holds these persons' accounts."""
    Customer.objects.filter(id=persons[0]).update(wants_digest=True)
    CustomerAccount.objects.filter(id__in=[account_of(n) for n in persons]).update(customer_id=persons[0])


def test_a_digest_that_was_put_together_still_tells_all_when_the_wish_for_it_ends(monkeypatch):
    settle_people(2, [SMS])
    _one_customer_for(1, 2)
    told: list[int] = []

    def digest(keys):
        told.extend(key.ref for key in keys)
        return facts(keys[0])

    monkeypatch.setitem(content._digests, KIND, digest)
    queue_bills(1, 2)
    assert states() == {"QUEUED": 1, "MERGED": 1}
    Customer.objects.update(wants_digest=False)
    deliver(provider("sms", SMS, Scripted()))
    assert sorted(told) == [ref_of(1), ref_of(2)]


def test_bills_of_a_digest_that_nobody_got_go_on_for_themselves_when_the_wish_for_it_ended():
    settle_people(2, [])
    settle_people(2, [SMS])
    _one_customer_for(3, 4)
    queue_bills(3, 4)
    Customer.objects.update(wants_digest=False)
    ContactPoint.objects.update(is_active=False)
    with connection.cursor() as cursor:
        walk.advance(cursor, period=PERIOD.number, kind=KIND, keys=[(ref_of(3), 0)], now=NOW)
    assert [(message_of(n).state, message_of(n).channel) for n in (3, 4)] == [
        (MessageState.QUEUED, PAPER)
    ] * 2


@pytest.mark.parametrize(
    ("how", "reached"),
    [(ReachHow.RECEIPT, 2), (ReachHow.LINK_VIEW, 2), (ReachHow.PORTAL_VIEW, 1), (ReachHow.PAYMENT, 1)],
)
def test_only_what_shows_that_the_digest_arrived_proves_the_bills_it_speaks_for(how, reached):
    settle_people(2, [SMS])
    _one_customer_for(1, 2)
    queue_bills(1, 2)
    proof.record_reach(period=PERIOD, ref=ref_of(1), how=how, witness="w", now=NOW)
    assert Reach.objects.count() == reached


def test_when_the_evidence_of_a_digest_is_void_it_is_void_for_all_its_bills():
    settle_people(2, [SMS])
    _one_customer_for(1, 2)
    queue_bills(1, 2)
    proof.record_reach(period=PERIOD, ref=ref_of(1), how=ReachHow.LINK_VIEW, witness="link", now=NOW)
    assert proof.withdraw_reach(period=PERIOD, ref=ref_of(1), now=NOW)
    assert not Reach.objects.exists()


def test_what_comes_back_after_the_gate_closed_is_sent_all_the_same():
    settle_people(1, [SMS, EMAIL])
    queue_bills(1)
    deliver(provider("sms", SMS, Scripted()))
    Message.objects.update(next_at=None)  # as where the plan wants no more than that it was sent
    outbox.recover(now=NOW + MINUTE)
    assert not MessageBatch.objects.get().is_open
    sent = Delivery.objects.get()
    failed = Receipt(ReceiptState.FAILED, provider_ref=sent.provider_ref)
    receipts.store(provider="sms", receipts=[failed], now=NOW + 2 * MINUTE)
    later = NOW + 3 * MINUTE
    assert deliver(provider("mail", EMAIL, Scripted()), now=later) == {"SENT": 1}


def test_a_call_that_was_put_off_is_given_up_too():
    settle_people(1, [SMS])
    queue_bills(1)
    Message.objects.update(step=4, channel=CALL, state=MessageState.DEFERRED, next_at=NOW)
    outbox.recover(now=NOW)
    assert message_of(1).state == MessageState.QUEUED and message_of(1).next_at is not None
    outbox.recover(now=NOW + dt.timedelta(days=30))
    assert message_of(1).channel == PAPER


def test_a_receipt_through_a_contact_that_somebody_called_not_theirs_proves_nothing():
    settle_people(1, [SMS])
    queue_bills(1)
    deliver(provider("sms", SMS, Scripted()))
    contact = ContactPoint.objects.get()
    mark_contacts(ids=[contact.pk], mark=ContactMark.NOT_MINE, now=NOW, actor="link")
    sent = Delivery.objects.get()
    said = Receipt(ReceiptState.READ, provider_ref=sent.provider_ref)
    receipts.store(provider="sms", receipts=[said], now=NOW + MINUTE)
    assert not Reach.objects.exists()
    assert message_of(1).state == MessageState.SENT and message_of(1).next_at is not None


def test_a_key_with_numbers_that_no_attempt_can_have_fits_nothing():
    health.enrol([provider("sms", SMS, Scripted())[0]])
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    key = DeliveryKey.parse(f"{PERIOD.number}.1.{FIRST_REF}.0.1.70000")
    assert key is None
    assert DeliveryKey.parse(f"{PERIOD.number}.70000.{FIRST_REF}.0.1.1") is None


def test_an_attempt_of_the_version_without_providers_is_given_up_at_the_upgrade():
    settle_people(2, [EMAIL])
    queue_bills(1, 2)
    Message.objects.update(state=MessageState.SENDING)
    for person, worker in ((1, "host-1"), (2, "sheet:1")):
        Delivery.objects.create(
            period=PERIOD.number,
            kind=KIND,
            ref=ref_of(person),
            recipient=0,
            channel=EMAIL,
            attempt=1,
            state=MessageState.SENDING,
            account_id=account_of(person),
            worker=worker,
            claimed_at=NOW,
        )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE notifications_reach_202611")
        cursor.execute(_UPGRADE.OPEN_MONTHS_AND_GIVE_UP)
    assert [message_of(n).state for n in (1, 2)] == [MessageState.QUEUED, MessageState.SENDING]
    assert deliver(provider("mail", EMAIL, Scripted())) == {"SENT": 1}
    assert queries.possible_duplicates(PERIOD) == 1
    assert proof.record_reach(period=PERIOD, ref=ref_of(1), how=ReachHow.LINK_VIEW, witness="link", now=NOW)


_UPGRADE = importlib.import_module("tayyar.notifications.migrations.0010_attempts_of_the_former_version")


def test_who_opts_out_is_told_no_further_step_of_what_was_sent():
    settle_people(1, [SMS, EMAIL])
    services.queue_message(
        kind=MessageKind.LOW_BALANCE,
        account_id=account_of(1),
        facts={"balance_text": "5.00 SAR", "account_number": "1", "complaint_text": "933"},
        now=NOW,
    )
    Message.objects.update(state=MessageState.SENT, next_at=NOW + MINUTE)
    OptOut.objects.create(account_id=account_of(1), kind=MessageKind.LOW_BALANCE, since=NOW)
    services.replan_account(account_id=account_of(1), now=NOW)
    outbox.recover(now=NOW + 2 * MINUTE)
    found = Message.objects.get()
    assert (found.state, found.channel, found.next_at) == (MessageState.SENT, SMS, None)


def test_a_channel_that_has_no_provider_is_passed_over():
    settle_people(1, [PUSH, WHATSAPP, SMS])
    queue_bills(1)
    assert message_of(1).channel == PUSH
    assert deliver(provider("sms", SMS, Scripted())) == {"NO_CONTACT": 2, "SENT": 1}


def test_a_provider_that_is_only_away_is_waited_for():
    settle_people(1, [WHATSAPP, SMS])
    health.enrol([provider("whatsapp", WHATSAPP, Scripted())[0]])
    queue_bills(1)
    assert deliver(provider("sms", SMS, Scripted())) == {}
    assert message_of(1).channel == WHATSAPP and states() == {"QUEUED": 1}


def test_a_notice_that_nobody_prints_fails_in_sight_instead_of_waiting_for_paper():
    settle_people(1, [])
    services.queue_message(kind=MessageKind.FINAL_NOTICE, account_id=account_of(1), facts={}, now=NOW)
    assert states() == {"FAILED": 1}
    ContactPoint.objects.bulk_create([contact_point(account_of(1), SMS, "+966500000001")])
    services.replan_account(account_id=account_of(1), now=NOW)
    assert states() == {"QUEUED": 1} and Message.objects.get().channel == SMS
