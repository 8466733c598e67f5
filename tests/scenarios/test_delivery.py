"""The delivery engine over a real PostgreSQL: claims, outcomes, doubt, weights, several workers, death."""

import dataclasses
import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from tests.scenarios import cast
from tests.scenarios.messages import (
    EMAIL,
    KIND,
    NOW,
    PERIOD,
    SMS,
    Scripted,
    account_of,
    address_of,
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

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel, ContactPoint, Language
from tayyar.notifications import consent, content, delivery, health, outbox, queries, rules, services
from tayyar.notifications.models import Delivery, Message, MessageBatch, MessageKind, MessageState, Provider
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    DeliveryKey,
    EmailContent,
    Outcome,
    SendResult,
    SmsContent,
)

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


def claim(
    limit: int = 1000, *, channel: Channel = SMS, now: dt.datetime = NOW, worker: str = "test"
) -> list[outbox.Claim]:
    """The attempts that a claim brings."""
    health.enrol([provider("sms", SMS, Scripted())[0]])
    batch = outbox.claim_batch(
        period=PERIOD.number,
        kind=KIND,
        channel=channel,
        limit=limit,
        provider=health.number_of("sms"),
        now=now,
        worker=worker,
    )
    return batch.claims


def settle(claims: list[outbox.Claim], outcome: Outcome, *, now: dt.datetime = NOW, reason: str = "") -> None:
    """Settle claims all alike."""
    results = [SendResult(c.key, outcome, reason, provider_ref=f"r{c.key.attempt}") for c in claims]
    outbox.settle(results=results, claims={c.key: c for c in claims}, now=now)


def test_each_released_message_is_sent_once_in_its_language_with_its_link():
    settle_people(250, [SMS])
    queue_bills(*range(1, 251))
    gateway = Scripted()
    assert deliver(provider("sms", SMS, gateway)) == {"SENT": 250}
    assert states() == {"SENT": 250}
    assert {out.key.ref for out in gateway.taken} == {ref_of(n) for n in range(1, 251)}
    first = next(out for out in gateway.taken if out.key.ref == ref_of(1))
    assert crypto.unseal(first.address_sealed, field=ADDRESS_FIELD) == address_of(1, SMS)
    assert isinstance(first.content, SmsContent)
    assert "نوفمبر" in first.content.text and f"https://bills.example/b/{ref_of(1)}" in first.content.text
    assert queries.possible_duplicates(PERIOD) == 0


def test_an_account_that_reads_french_gets_french():
    settle_people(1, [EMAIL], language=Language.fr)
    queue_bills(1)
    gateway = Scripted()
    deliver(provider("mail", EMAIL, gateway))
    (mail,) = gateway.taken
    assert isinstance(mail.content, EmailContent) and mail.content.subject.startswith("Facture d’électricité")


def test_nothing_is_claimed_before_the_run_is_certified_and_releases_it():
    settle_people(3, [SMS])
    queue_bills(1, 2, 3, release=False)
    gateway = Scripted()
    assert deliver(provider("sms", SMS, gateway)) == {}
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    assert deliver(provider("sms", SMS, gateway)) == {"SENT": 3}


def test_a_paused_run_sends_nothing_until_it_is_resumed():
    settle_people(2, [SMS])
    queue_bills(1, 2)
    services.pause_batch(period=PERIOD, kind=KIND, actor="user:1", now=NOW)
    assert deliver(provider("sms", SMS, Scripted())) == {}
    services.resume_batch(period=PERIOD, kind=KIND, actor="user:1", now=NOW)
    assert deliver(provider("sms", SMS, Scripted())) == {"SENT": 2}


def test_a_stopped_run_calls_off_what_has_not_begun():
    settle_people(3, [SMS])
    queue_bills(1, 2, 3)
    settle(claim(limit=1), Outcome.SENT)
    assert services.stop_batch(period=PERIOD, kind=KIND, actor="user:1", now=NOW) == 2
    assert states() == {"SENT": 1, "CANCELLED": 2}
    assert deliver(provider("sms", SMS, Scripted())) == {}


def test_a_process_that_cannot_word_a_kind_does_not_claim_it(monkeypatch):
    settle_people(2, [SMS])
    queue_bills(1, 2)
    monkeypatch.delitem(content._providers, KIND)
    assert deliver(provider("sms", SMS, Scripted())) == {}
    assert states() == {"QUEUED": 2}


def test_a_one_time_code_is_claimed_before_a_thousand_bills():
    settle_people(1, [SMS])
    queue_bills(1)
    services.queue_message(
        kind=MessageKind.ONE_TIME_CODE,
        account_id=account_of(1),
        facts={"code": "123456", "minutes_text": "دقيقة"},
        now=NOW,
    )
    assert [kind for _, kind, _ in outbox.waiting(kinds=content.known_kinds(), channels=[SMS])] == [
        MessageKind.ONE_TIME_CODE,
        MessageKind.BILL_ISSUED,
    ]


def test_a_refused_message_goes_on_in_its_plan():
    settle_people(1, [SMS, EMAIL])
    queue_bills(1)
    sms, mail = Scripted(lambda out: Outcome.REFUSED), Scripted()
    assert deliver(provider("sms", SMS, sms), provider("mail", EMAIL, mail)) == {"REFUSED": 1, "SENT": 1}
    assert message_of(1).channel == EMAIL and states() == {"SENT": 1}


def test_an_address_that_does_not_exist_is_marked_and_the_next_one_of_the_person_is_tried():
    settle_people(1, [SMS])
    contact_point(account_of(1), SMS, "+966599999999").save()  # newer: tried first
    queue_bills(1)
    gateway = Scripted()

    def script(outgoing):
        address = crypto.unseal(outgoing.address_sealed, field=ADDRESS_FIELD)
        return Outcome.BAD_CONTACT if address == "+966599999999" else Outcome.SENT

    gateway.script = script
    assert deliver(provider("sms", SMS, gateway)) == {"BAD_CONTACT": 1, "SENT": 1}
    marked = ContactPoint.objects.get(is_active=False)
    assert (marked.mark, marked.marked_at) == ("BOUNCED", NOW)
    assert states() == {"SENT": 1}


def test_a_person_without_contact_points_is_left_to_paper():
    settle_people(1, [])
    queue_bills(1)
    assert deliver(provider("sms", SMS, Scripted())) == {}
    assert message_of(1).channel == Channel.PAPER and states() == {"QUEUED": 1}


def test_a_contact_point_that_is_gone_by_the_time_of_the_claim_moves_the_message_on():
    settle_people(1, [SMS, EMAIL])
    queue_bills(1)
    ContactPoint.objects.filter(channel=SMS).update(is_active=False)
    mail = Scripted()
    assert deliver(provider("sms", SMS, Scripted()), provider("mail", EMAIL, mail)) == {
        "NO_CONTACT": 1,
        "SENT": 1,
    }
    assert len(mail.taken) == 1


def test_a_message_to_be_tried_later_waits_its_time():
    settle_people(1, [SMS])
    queue_bills(1)
    busy, well = Scripted(lambda out: Outcome.TRY_LATER), Scripted()
    assert deliver(provider("sms", SMS, busy)) == {"TRY_LATER": 1}
    assert states() == {"DEFERRED": 1}
    assert deliver(provider("sms", SMS, well), now=NOW + dt.timedelta(seconds=59)) == {}
    assert deliver(provider("sms", SMS, well), now=NOW + MINUTE) == {"SENT": 1}
    attempts = Delivery.objects.order_by("attempt").values_list("attempt", "state", "reason")
    assert list(attempts) == [(1, MessageState.FAILED, "TRY_LATER"), (2, MessageState.SENT, "")]
    assert queries.possible_duplicates(PERIOD) == 0  # the first attempt was refused for certain


def test_a_message_that_is_always_deferred_goes_on_in_its_plan_after_the_last_attempt():
    settle_people(1, [SMS])
    queue_bills(1)
    busy = Scripted(lambda out: Outcome.TRY_LATER)
    for day in range(rules.MAX_ATTEMPTS + 1):
        deliver(provider("sms", SMS, busy), now=NOW + dt.timedelta(days=day))
    assert message_of(1).channel == Channel.CALL
    assert Delivery.objects.count() == rules.MAX_ATTEMPTS


def test_an_attempt_in_doubt_is_made_again_after_the_limit_and_counted_as_a_possible_duplicate():
    settle_people(1, [SMS])
    queue_bills(1)
    limit = rules.doubt_limit(KIND)
    assert deliver(provider("sms", SMS, Scripted(lambda out: Outcome.IN_DOUBT))) == {"IN_DOUBT": 1}
    gateway = Scripted()
    assert deliver(provider("sms", SMS, gateway), now=NOW + limit - MINUTE) == {}
    assert deliver(provider("sms", SMS, gateway), now=NOW + limit + MINUTE) == {"SENT": 1}
    assert queries.possible_duplicates(PERIOD) == 1


def test_both_attempts_at_a_message_carry_the_same_message_id():
    settle_people(1, [SMS])
    queue_bills(1)
    first, second = Scripted(lambda out: Outcome.IN_DOUBT), Scripted()
    deliver(provider("sms", SMS, first))
    deliver(provider("sms", SMS, second), now=NOW + rules.doubt_limit(KIND) + MINUTE)
    assert first.taken[0].message_id == second.taken[0].message_id


def test_a_message_in_doubt_again_and_again_is_parked():
    settle_people(1, [SMS])
    queue_bills(1)
    for hour in range(0, 2 * (rules.MAX_ATTEMPTS + 2), 2):
        deliver(
            provider("sms", SMS, Scripted(lambda out: Outcome.IN_DOUBT)), now=NOW + dt.timedelta(hours=hour)
        )
    assert states() == {"PARKED": 1} and Delivery.objects.count() == rules.MAX_ATTEMPTS


def test_a_provider_that_takes_nothing_costs_no_attempt_and_the_command_says_so():
    settle_people(3, [SMS])
    queue_bills(1, 2, 3)
    with pytest.raises(UserError, match="stays queued"):
        deliver(provider("sms", SMS, Scripted(lambda out: Outcome.NOT_TRIED)))
    assert states() == {"QUEUED": 3} and Delivery.objects.count() == 0


def test_when_one_provider_takes_nothing_the_other_sends_all_and_the_first_loses_weight():
    settle_people(40, [SMS])
    queue_bills(*range(1, 41))
    dead, well = Scripted(lambda out: Outcome.NOT_TRIED), Scripted()
    deliver(
        provider("sms-first", SMS, dead, weight=70),
        provider("sms-second", SMS, well, weight=30),
    )
    assert len(well.taken) == 40 and states() == {"SENT": 40}
    health.note(provider=health.number_of("sms-first"), now=NOW + health.WINDOW, failed=1)
    assert Provider.objects.get(code="sms-first").weight == 60


def test_a_weight_falls_step_by_step_to_the_least_and_drifts_back():
    health.enrol([provider("sms", SMS, Scripted(), weight=70)[0]])
    number, seen = health.number_of("sms"), []
    for window in range(16):
        bad = window < 8
        health.note(
            provider=number, now=NOW + window * health.WINDOW, sent=0 if bad else 50, failed=50 if bad else 0
        )
        seen.append(Provider.objects.get().weight)
    # The first call begins the first window; 70 - 10 a window, never below 1, then + 10 a window up to 70.
    assert seen == [70, 60, 50, 40, 30, 20, 10, 1, 11, 21, 31, 41, 51, 61, 70, 70]


def test_slow_receipts_shift_the_weight_as_errors_do():
    health.enrol([provider("sms", SMS, Scripted(), weight=70)[0]])
    number = health.number_of("sms")
    health.note(provider=number, now=NOW, sent=100)
    health.note(provider=number, now=NOW + health.WINDOW, received=100, slow=60)
    assert Provider.objects.get().weight == 60


def test_batches_are_shared_out_by_weight(monkeypatch):
    monkeypatch.setattr(delivery, "BATCH_SIZE", 1)
    settle_people(100, [SMS])
    queue_bills(*range(1, 101))
    first, second = Scripted(), Scripted()
    deliver(provider("sms-first", SMS, first, weight=70), provider("sms-second", SMS, second, weight=30))
    # A provider with no room is passed over, so the shares are not exact.
    assert len(first.taken) + len(second.taken) == 100 and len(second.taken) >= 15


def test_one_bill_whose_content_fails_stops_no_other(monkeypatch):
    settle_people(5, [SMS])
    queue_bills(1, 2, 3, 4, 5)

    def broken(keys):
        if any(key.ref == ref_of(3) for key in keys):
            raise ValueError("this bill cannot be read")
        return [facts(key) for key in keys]

    monkeypatch.setitem(content._providers, KIND, broken)
    assert deliver(provider("sms", SMS, Scripted())) == {"SENT": 4, "TRY_LATER": 1}
    assert Delivery.objects.get(state=MessageState.FAILED).reason == "CONTENT_ERROR"


def test_a_fact_that_is_missing_parks_that_message(monkeypatch):
    settle_people(2, [SMS])
    queue_bills(1, 2)

    def incomplete(keys):
        found = [facts(key) for key in keys]
        return [
            dataclasses.replace(f, values=dict(f.values) | {"amount_text": ""}) if f.ref == ref_of(1) else f
            for f in found
        ]

    monkeypatch.setitem(content._providers, KIND, incomplete)
    assert deliver(provider("sms", SMS, Scripted())) == {"SENT": 1, "REFUSED": 1}
    assert states() == {"SENT": 1, "PARKED": 1}


def test_a_parked_message_is_sent_when_staff_have_it_retried(monkeypatch):
    settle_people(1, [SMS])
    queue_bills(1)
    monkeypatch.setitem(
        content._providers, KIND, lambda keys: [dataclasses.replace(facts(k), values={}) for k in keys]
    )
    deliver(provider("sms", SMS, Scripted()))
    monkeypatch.setitem(content._providers, KIND, lambda keys: [facts(key) for key in keys])
    assert deliver(provider("sms", SMS, Scripted())) == {}
    states_ = [MessageState.PARKED]
    assert services.retry_messages(period=PERIOD, kind=KIND, states=states_, actor="user:1", now=NOW) == 1
    assert deliver(provider("sms", SMS, Scripted())) == {"SENT": 1}


def test_a_bill_that_is_not_there_any_more_is_called_off(monkeypatch):
    settle_people(1, [SMS])
    queue_bills(1)
    monkeypatch.setitem(content._providers, KIND, lambda keys: [])
    deliver(provider("sms", SMS, Scripted()))
    assert states() == {"CANCELLED": 1}


def test_workers_at_once_never_claim_the_same_message():
    settle_people(200, [SMS])
    queue_bills(*range(1, 201))
    claim(limit=1)

    def take(index: int) -> list[int]:
        taken: list[int] = []
        while got := claim(limit=7, worker=f"w{index}"):
            taken += [c.key.ref for c in got]
        connection.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(take, range(4)))
    every = [ref for part in parts for ref in part]
    assert len(every) == len(set(every)) == 199


def test_a_worker_back_from_the_dead_spares_the_reader_the_second_message():
    settle_people(1, [SMS])
    queue_bills(1)
    old = claim()
    outbox.recover(now=NOW + rules.LEASE + MINUTE)
    assert states() == {"IN_DOUBT": 1}
    outbox.recover(now=NOW + rules.doubt_limit(KIND) + MINUTE)
    assert states() == {"QUEUED": 1}
    settle(old, Outcome.SENT, now=NOW + dt.timedelta(hours=2))
    assert states() == {"SENT": 1} and claim() == []


@pytest.mark.parametrize(
    "outcome", [Outcome.SENT, Outcome.REFUSED, Outcome.TRY_LATER, Outcome.NOT_TRIED, Outcome.BAD_CONTACT]
)
def test_a_worker_back_from_the_dead_cannot_disturb_the_attempt_under_way(outcome):
    settle_people(1, [SMS])
    queue_bills(1)
    old = claim()
    outbox.recover(now=NOW + rules.LEASE + MINUTE)
    outbox.recover(now=NOW + rules.doubt_limit(KIND) + MINUTE)
    later = NOW + rules.doubt_limit(KIND) + 2 * MINUTE
    new = claim(now=later)
    assert [c.key.attempt for c in new] == [2]
    settle(old, outcome, now=later)
    assert states() == {"SENDING": 1}
    assert Delivery.objects.get(attempt=2).state == MessageState.SENDING


def test_a_late_word_that_the_first_attempt_was_refused_takes_back_the_possible_duplicate():
    settle_people(1, [SMS])
    queue_bills(1)
    old = claim()
    outbox.recover(now=NOW + rules.LEASE + MINUTE)
    outbox.recover(now=NOW + rules.doubt_limit(KIND) + MINUTE)
    later = NOW + rules.doubt_limit(KIND) + 2 * MINUTE
    settle(claim(now=later), Outcome.SENT, now=later)
    assert queries.possible_duplicates(PERIOD) == 1
    settle(old, Outcome.REFUSED, now=later)
    assert queries.possible_duplicates(PERIOD) == 0 and states() == {"SENT": 1}


def test_settling_twice_changes_nothing():
    settle_people(1, [SMS])
    queue_bills(1)
    claims = claim()
    settle(claims, Outcome.SENT)
    settle(claims, Outcome.REFUSED, now=NOW + MINUTE)
    assert states() == {"SENT": 1}
    assert Delivery.objects.get().settled_at == NOW


def test_the_gate_closes_when_all_is_over_and_a_new_release_opens_it_again():
    settle_people(2, [EMAIL])
    queue_bills(1, 2)
    deliver(provider("mail", EMAIL, Scripted()))
    outbox.recover(now=NOW + MINUTE)
    assert MessageBatch.objects.get().is_open  # proof may still come; the plan goes on without it
    Message.objects.update(next_at=None)
    outbox.recover(now=NOW + MINUTE)
    assert not MessageBatch.objects.get().is_open
    services.release_messages(period=PERIOD, kind=KIND, now=NOW + MINUTE)
    assert MessageBatch.objects.get().is_open


def test_results_survive_a_database_connection_that_breaks_while_messages_are_sent():
    settle_people(20, [SMS])
    queue_bills(*range(1, 21))

    def script(outgoing):
        if outgoing.key.ref == ref_of(10):
            with connection.cursor() as cursor:  # this thread's own; the engine's is another
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                    "AND datname = current_database()"
                )
            connection.close()
        return Outcome.SENT

    gateway = Scripted(script)
    total = Counter()
    thread = threading.Thread(target=lambda: total.update(deliver(provider("sms", SMS, gateway))))
    thread.start()
    thread.join(60)
    assert total["SENT"] == 20 and len(gateway.taken) == 20
    connection.close()
    assert states() == {"SENT": 20}


_DOOMED = """
import datetime as dt, os, signal, sys
import django
django.setup()
from django.db import connections
connections.databases["default"]["NAME"] = sys.argv[1]
from tests.scenarios import messages
from tayyar.notifications import content
from tayyar.notifications.ports import Outcome
content._providers[messages.KIND] = lambda keys: [messages.facts(key) for key in keys]
count = 0
def script(outgoing):
    global count
    count += 1
    if count == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    print(outgoing.key.ref, flush=True)
    return Outcome.SENT
messages.deliver(messages.provider("sms", messages.SMS, messages.Scripted(script)), worker="doomed")
"""


def test_a_worker_killed_in_mid_batch_loses_nothing_and_its_possible_duplicates_are_counted():
    settle_people(12, [SMS])
    queue_bills(*range(1, 13))
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tayyar.config.settings_for_tests"}
    name = connection.settings_dict["NAME"]
    doomed = subprocess.run(
        [sys.executable, "-c", _DOOMED, name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert doomed.returncode == -signal.SIGKILL, doomed.stderr
    told = doomed.stdout.split()
    assert len(told) == 4
    assert outbox.abandon(worker="doomed") == 12
    gateway = Scripted()
    assert deliver(provider("sms", SMS, gateway), now=NOW + rules.doubt_limit(KIND) + MINUTE) == {"SENT": 12}
    assert states() == {"SENT": 12}
    assert queries.possible_duplicates(PERIOD) == 12  # nobody can know which of them went out


def test_a_provider_that_is_paused_by_staff_is_not_used():
    settle_people(4, [SMS])
    queue_bills(1, 2, 3, 4)
    first, second = Scripted(), Scripted()
    health.enrol([provider("sms-first", SMS, first)[0]])
    health.set_paused(number=health.number_of("sms-first"), is_paused=True)
    deliver(provider("sms-first", SMS, first), provider("sms-second", SMS, second))
    assert (len(first.taken), len(second.taken)) == (0, 4)


def test_a_gateway_that_breaks_leaves_its_batch_in_doubt_and_the_others_go_on():
    settle_people(1, [SMS])
    settle_people(1, [EMAIL])
    queue_bills(1, 2)

    def breaks(outgoing):
        raise RuntimeError("a defect")

    mail = Scripted()
    counts = deliver(provider("sms", SMS, Scripted(breaks)), provider("mail", EMAIL, mail))
    assert counts == {"IN_DOUBT": 1, "SENT": 1} and len(mail.taken) == 1


def test_an_urgent_worker_hears_of_a_code_at_once():
    settle_people(1, [SMS])
    services.queue_message(
        kind=MessageKind.ONE_TIME_CODE,
        account_id=account_of(1),
        facts={"code": "111111", "minutes_text": "دقيقة"},
        now=NOW,
    )
    gateway, stopped = Scripted(), threading.Event()
    engine = delivery.Engine(
        providers=[provider("sms", SMS, gateway)],
        worker="urgent",
        clock=lambda: NOW,
        lane=delivery.Lane.URGENT,
    )

    def work() -> None:
        engine.run(once=False, stopping=stopped.is_set)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        _until(lambda: len(gateway.taken) == 1)
        time.sleep(0.2)
        services.queue_message(
            kind=MessageKind.ONE_TIME_CODE,
            account_id=account_of(1),
            facts={"code": "222222", "minutes_text": "دقيقة"},
            now=NOW,
        )
        _until(lambda: len(gateway.taken) == 2)
    finally:
        stopped.set()
        thread.join(10)
    assert all(out.is_urgent for out in gateway.taken)


def _until(condition) -> None:
    give_up_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_a_key_from_outside_is_read_strictly():
    key = DeliveryKey(202611, 1, 261100000000001, 0, 1, 2)
    assert DeliveryKey.parse(key.text()) == key
    for text in ("", "1.2.3", "1.2.3.4.5.x", "1.2.3.4.5.6.7", "1.2.-3.4.5.6", "1.2.3.4.5.٦"):
        assert DeliveryKey.parse(text) is None


def test_a_code_that_waited_past_its_minute_is_not_sent():
    settle_people(2, [SMS])
    for person, sent_at in ((1, NOW), (2, NOW + dt.timedelta(seconds=30))):
        contact = ContactPoint.objects.get(account_id=account_of(person))
        consent.send_code(
            account_id=account_of(person),
            contact_point_id=contact.pk,
            purpose="WISHES",
            actor="holder",
            now=sent_at,
        )
    gateway = Scripted()
    assert deliver(provider("sms", SMS, gateway), now=NOW + dt.timedelta(seconds=60)) == {
        "SENT": 1,
        "REFUSED": 1,
    }
    (taken,) = gateway.taken
    ended = Message.objects.get(account_id=account_of(1))
    assert taken.key.ref != ended.ref and ended.state == MessageState.EXPIRED
    assert Delivery.objects.get(account_id=account_of(1)).reason == "TOO_LATE"
