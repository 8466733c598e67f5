"""Delivery from queued message to mailbox, over a real PostgreSQL and a real SMTP server that misbehaves on command."""

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
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction

from tayyar.core import crypto
from tayyar.core.errors import UserError
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import (
    FIRST_ACCOUNT_ID,
    Channel,
    ContactPoint,
    Customer,
    CustomerAccount,
    Language,
)
from tayyar.gateways.mailbox.reading import count_mails, read_mails
from tayyar.gateways.mailbox.server import Faults, Mailbox
from tayyar.gateways.smtp.client import SmtpGateway
from tayyar.notifications import content, delivery, queries, rules, services
from tayyar.notifications.models import Delivery, Message, MessageBatch, MessageKind, MessageState
from tayyar.notifications.ports import DeliveryKey, Outcome, SendResult

PERIOD = Period(2026, 11)
NOW = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)
KIND = MessageKind.BILL_ISSUED
SENDER = "bills@tayyar.example"
FIRST_REF = 261100000000001


def facts(key: content.MessageKey) -> content.BillIssuedFacts:
    """A bill's facts that name the message, so that mails can be told apart."""
    return content.BillIssuedFacts(
        ref=key.ref,
        amount_text="276.00 ريال" if key.language == "ar" else "276.00 SAR",
        due_date_text="11 ديسمبر" if key.language == "ar" else "11 December",
        account_number=str(key.account_id),
        period_text="نوفمبر" if key.language == "ar" else "November",
        total_text="276.00 SAR",
        bill_url=f"https://bills.example/b/{key.ref}",
        utility_name="الكهرباء",
        complaint_text="933",
    )


@pytest.fixture(autouse=True)
def ground(transactional_db, monkeypatch):
    """A provider of content, and empty tables: workers see what is committed only."""
    monkeypatch.setitem(content._providers, KIND, lambda keys: [facts(key) for key in keys])

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_message, notifications_delivery, notifications_messagebatch")
    yield
    connection.close()


@pytest.fixture
def mailbox(tmp_path):
    """A mailbox that listens."""
    with Mailbox(tmp_path / "mailbox") as server:
        yield server


@pytest.fixture
def gateway(mailbox):
    """The SMTP gateway in front of it."""
    gateway = SmtpGateway(host="127.0.0.1", port=mailbox.port, sender=SENDER)
    yield gateway
    gateway.close()


def queue(
    count: int, *, release: bool = True, language: Language = Language.ar, verified: bool = True
) -> None:
    """`count` customers with an e-mail address (person1@mail.example, ...) and a bill message each."""
    customer, _ = Customer.objects.get_or_create(id=1, defaults={"kind": "PERSON", "name": "سلمى"})
    ids = [FIRST_ACCOUNT_ID + index for index in range(count)]
    CustomerAccount.objects.bulk_create(
        CustomerAccount(id=id, customer=customer, opened_on=NOW.date(), language=language) for id in ids
    )
    field = "customers.contact_point.address"
    ContactPoint.objects.bulk_create(
        ContactPoint(
            account_id=id,
            channel=Channel.EMAIL,
            address_sealed=crypto.seal(address, field=field),
            address_hash=crypto.lookup_hash(address, field=field),
            verified_at=NOW if verified else None,
        )
        for index, id in enumerate(ids, 1)
        for address in [f"person{index}@mail.example"]
    )
    with transaction.atomic(), connection.cursor() as cursor:
        ensure_partition(cursor, table="notifications_message", period=PERIOD)
        Message.objects.bulk_create(
            Message(
                period=PERIOD.number,
                kind=KIND,
                ref=FIRST_REF + index,
                recipient=0,
                account_id=id,
                language=language,
                channels=1,
                priority=5,
                state=MessageState.QUEUED,
                created_at=NOW,
            )
            for index, id in enumerate(ids)
        )
    if release:
        services.release_messages(period=PERIOD, kind=KIND, now=NOW)


def deliver(gateway: SmtpGateway, *, now: dt.datetime = NOW, limit: int = 100) -> Counter[str]:
    """Recover, then rounds until nothing is queued."""
    services.recover(now=now)
    total: Counter[str] = Counter()
    while counts := delivery.deliver_batch(gateway=gateway, worker="test", clock=lambda: now, limit=limit):
        total += counts
    return total


def states() -> dict[str, int]:
    """Messages by state, without zeros."""
    return {name: n for name, n in queries.delivery_summary(PERIOD).states.items() if n}


def claim(limit: int = 1000, *, now: dt.datetime = NOW, worker: str = "test") -> list[services.Claim]:
    """The attempts that a claim brings."""
    return services.claim_batch(limit=limit, now=now, worker=worker).claims


def test_each_released_message_arrives_once_in_its_language_with_its_link(gateway, mailbox):
    queue(250)
    assert deliver(gateway) == {"SENT": 250}
    assert states() == {"SENT": 250}
    mails = list(read_mails(mailbox.folder))
    assert {mail["To"] for mail in mails} == {f"person{n}@mail.example" for n in range(1, 251)}
    assert len(mails) == 250 == len({mail["Message-ID"] for mail in mails})
    first = next(mail for mail in mails if mail["To"] == "person1@mail.example")
    assert first["Subject"] == "فاتورة كهرباء نوفمبر: 276.00 ريال، تُدفع حتى 11 ديسمبر"
    assert first["Content-Language"] == "ar"
    assert f"https://bills.example/b/{FIRST_REF}" in first.get_body(("plain",)).get_content()
    assert 'dir="rtl"' in first.get_body(("html",)).get_content()
    assert queries.possible_duplicates(PERIOD) == 0


def test_an_account_that_reads_french_gets_french(gateway, mailbox):
    queue(1, language=Language.fr)
    deliver(gateway)
    (mail,) = read_mails(mailbox.folder)
    assert mail["Subject"].startswith("Facture d’électricité") and mail["Content-Language"] == "fr"


def test_nothing_is_claimed_before_the_run_is_certified_and_releases_it(gateway, mailbox):
    queue(3, release=False)
    assert deliver(gateway) == {}
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    assert deliver(gateway) == {"SENT": 3}
    assert count_mails(mailbox.folder) == 3


def test_a_process_that_cannot_word_a_kind_does_not_claim_it(monkeypatch):
    queue(2)
    monkeypatch.delitem(content._providers, KIND)
    assert claim() == []
    assert states() == {"QUEUED": 2}


def test_the_more_urgent_message_is_claimed_first():
    queue(5)
    Message.objects.filter(ref=FIRST_REF + 3).update(priority=0)
    assert [c.key.ref - FIRST_REF for c in claim(limit=3)] == [3, 0, 1]


def test_an_account_without_a_verified_address_ends_as_failed_with_that_reason(gateway, mailbox):
    queue(2, verified=False)
    assert deliver(gateway) == {"NO_CONTACT": 2}
    summary = queries.delivery_summary(PERIOD)
    assert states() == {"FAILED": 2} and summary.failures == {"NO_CONTACT": 2}
    assert count_mails(mailbox.folder) == 0


def test_a_refused_address_fails_for_good_and_its_words_are_not_kept(gateway, mailbox):
    queue(3)
    mailbox.faults = Faults(refuse="person2@", refuse_answer="550 5.1.1 <person2@mail.example> unknown")
    assert deliver(gateway) == {"SENT": 2, "REFUSED": 1}
    assert queries.delivery_summary(PERIOD).failures == {"NO_SUCH_MAILBOX": 1}
    row = Delivery.objects.get(state=MessageState.FAILED)
    assert row.provider_ref == "550 5.1.1"
    assert deliver(gateway, now=NOW + dt.timedelta(days=2)) == {}


def test_a_deferred_mail_waits_its_time_and_is_then_sent_by_a_second_attempt(gateway, mailbox):
    queue(2)
    mailbox.faults = Faults(defer="person1@")
    assert deliver(gateway) == {"SENT": 1, "TRY_LATER": 1}
    mailbox.faults = Faults()
    assert states() == {"SENT": 1, "DEFERRED": 1}
    assert deliver(gateway, now=NOW + dt.timedelta(seconds=59)) == {}
    assert deliver(gateway, now=NOW + dt.timedelta(seconds=60)) == {"SENT": 1}
    attempts = Delivery.objects.filter(ref=FIRST_REF).order_by("attempt")
    assert [(d.attempt, MessageState(d.state).name, d.reason) for d in attempts] == [
        (1, "FAILED", "REFUSED_BY_POLICY"),
        (2, "SENT", ""),
    ]
    assert queries.possible_duplicates(PERIOD) == 0  # the first attempt was refused for certain


def test_a_mail_that_is_always_deferred_is_given_up_after_the_last_attempt(gateway, mailbox):
    queue(1)
    mailbox.faults = Faults(defer=".")
    for day in range(rules.MAX_ATTEMPTS + 3):
        deliver(gateway, now=NOW + dt.timedelta(days=day))
    assert states() == {"FAILED": 1}
    assert Delivery.objects.count() == rules.MAX_ATTEMPTS


@pytest.mark.parametrize("stored", [True, False])
def test_a_connection_cut_after_the_last_dot_leaves_one_mail_in_doubt_and_sends_the_rest(
    gateway, mailbox, stored
):
    queue(10)
    mailbox.faults = Faults(cut_every=4, cut_after_storing=stored)
    assert deliver(gateway) == {"SENT": 8, "IN_DOUBT": 2}
    assert states() == {"SENT": 8, "IN_DOUBT": 2}
    mailbox.faults = Faults()
    assert deliver(gateway, now=NOW + rules.DOUBT_LIMIT - dt.timedelta(seconds=1)) == {}
    assert deliver(gateway, now=NOW + rules.DOUBT_LIMIT + dt.timedelta(seconds=1)) == {"SENT": 2}
    assert states() == {"SENT": 10}
    assert queries.possible_duplicates(PERIOD) == 2  # nobody can know; both cases count
    mails = list(read_mails(mailbox.folder))
    assert len(mails) == (12 if stored else 10)
    assert len({mail["Message-ID"] for mail in mails}) == 10  # a mailbox can see that the second is the same


def test_a_server_that_is_away_costs_no_attempt_and_the_command_says_so(mailbox, monkeypatch):
    queue(3)
    monkeypatch.setattr(delivery, "_PATIENCE_SECONDS", (0.0,))
    nobody = SmtpGateway(host="127.0.0.1", port=1, sender=SENDER)
    with pytest.raises(UserError, match="stays queued"):
        delivery.run_worker(
            gateway=nobody,
            worker="w",
            clock=lambda: NOW,
            once=True,
            stopping=lambda: False,
            report=lambda _: None,
        )
    assert states() == {"QUEUED": 3}
    assert Delivery.objects.count() == 0


def test_a_server_that_refuses_our_sender_fails_no_recipient(gateway, mailbox):
    queue(3)
    mailbox.faults = Faults(refuse_sender=True)
    assert delivery.deliver_batch(gateway=gateway, worker="w", clock=lambda: NOW) == {"NOT_TRIED": 3}
    assert states() == {"QUEUED": 3}


def test_mails_not_begun_in_time_go_back_to_the_queue(gateway):
    queue(3)
    mails, _ = delivery._worded(claim(), now=NOW)
    results = gateway.send_batch(mails, stop_at=time.monotonic())
    assert {result.outcome for result in results} == {Outcome.NOT_TRIED}
    services.settle(results=results, now=NOW)
    assert states() == {"QUEUED": 3}


def test_one_bill_whose_content_fails_stops_no_other(gateway, mailbox, monkeypatch):
    queue(5)

    def provider(keys):
        if any(key.ref == FIRST_REF for key in keys):
            raise ZeroDivisionError
        return [facts(key) for key in keys if key.ref != FIRST_REF + 1]

    monkeypatch.setitem(content._providers, KIND, provider)
    assert deliver(gateway) == {"SENT": 3, "TRY_LATER": 1, "REFUSED": 1}
    assert queries.delivery_summary(PERIOD).failures == {"NO_CONTENT": 1}
    assert Delivery.objects.get(ref=FIRST_REF).reason == "CONTENT_ERROR"


def test_a_fact_that_is_missing_fails_that_message(gateway, monkeypatch):
    queue(2)
    monkeypatch.setitem(
        content._providers,
        KIND,
        lambda keys: [
            dataclasses.replace(facts(key), amount_text="" if key.ref == FIRST_REF else "1.00")
            for key in keys
        ],
    )
    assert deliver(gateway) == {"SENT": 1, "REFUSED": 1}
    assert queries.delivery_summary(PERIOD).failures == {"BAD_CONTENT": 1}


def test_an_address_that_could_carry_an_smtp_command_is_never_put_on_the_wire(gateway, mailbox):
    queue(1)
    evil = "a@b.example>\r\nRCPT TO:<evil@x.example"
    ContactPoint.objects.update(address_sealed=crypto.seal(evil, field="customers.contact_point.address"))
    assert deliver(gateway) == {"REFUSED": 1}
    assert count_mails(mailbox.folder) == 0


def test_workers_at_once_never_claim_the_same_message():
    queue(300)
    start = threading.Barrier(4)

    def work(name: str) -> list[services.Claim]:
        claimed: list[services.Claim] = []
        start.wait()
        while got := claim(limit=7, worker=name):
            claimed += got
        connection.close()
        return claimed

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, f"w{n}") for n in range(4)]
    keys = [c.key for worker in workers for c in worker.result()]
    assert len(keys) == len(set(keys)) == 300


def _attempt(number: int) -> DeliveryKey:
    return DeliveryKey(PERIOD.number, KIND, FIRST_REF, 0, Channel.EMAIL, number)


def _given_up_and_queued_again() -> dt.datetime:
    """One message whose first attempt was claimed and never heard of again; now it is queued a second time."""
    queue(1)
    claim()
    later = NOW + rules.LEASE + dt.timedelta(seconds=1)
    services.recover(now=later)
    assert states() == {"IN_DOUBT": 1}
    later = NOW + rules.DOUBT_LIMIT + dt.timedelta(seconds=1)
    services.recover(now=later)
    assert states() == {"QUEUED": 1}
    return later


def test_a_worker_back_from_the_dead_spares_the_reader_the_second_mail(gateway, mailbox):
    later = _given_up_and_queued_again()
    services.settle(results=[SendResult(_attempt(1), Outcome.SENT)], now=later)
    assert states() == {"SENT": 1}
    assert deliver(gateway, now=later) == {}
    assert queries.possible_duplicates(PERIOD) == 0


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_worker_back_from_the_dead_cannot_disturb_the_attempt_under_way(outcome):
    later = _given_up_and_queued_again()
    (second,) = claim(now=later)
    assert second.key == _attempt(2)
    services.settle(results=[SendResult(_attempt(1), outcome)], now=later)
    assert states() == {"SENDING": 1}
    services.settle(results=[SendResult(_attempt(2), Outcome.REFUSED, "REFUSED")], now=later)
    assert states() == {"FAILED": 1}


def test_two_attempts_that_were_both_taken_are_counted_as_a_duplicate():
    later = _given_up_and_queued_again()
    claim(now=later)
    assert queries.possible_duplicates(PERIOD) == 1  # already while the second is under way
    both = [SendResult(_attempt(1), Outcome.SENT), SendResult(_attempt(2), Outcome.SENT)]
    services.settle(results=both, now=later)
    assert queries.possible_duplicates(PERIOD) == 1


def test_a_late_word_that_the_first_attempt_was_refused_takes_back_the_possible_duplicate():
    later = _given_up_and_queued_again()
    claim(now=later)
    services.settle(results=[SendResult(_attempt(1), Outcome.REFUSED)], now=later)
    assert queries.possible_duplicates(PERIOD) == 0


def test_settling_twice_changes_nothing():
    queue(1)
    claim()
    services.settle(results=[SendResult(_attempt(1), Outcome.SENT, provider_ref="A")], now=NOW)
    services.settle(results=[SendResult(_attempt(1), Outcome.REFUSED, "LATE")], now=NOW)
    assert states() == {"SENT": 1}
    assert Delivery.objects.get().provider_ref == "A"


def test_a_message_in_doubt_again_and_again_ends_as_expired(gateway, mailbox):
    queue(1)
    mailbox.faults = Faults(cut_every=1)
    for day in range(rules.MAX_ATTEMPTS + 2):
        deliver(gateway, now=NOW + dt.timedelta(days=day))
    assert states() == {"EXPIRED": 1}
    assert queries.possible_duplicates(PERIOD) == rules.MAX_ATTEMPTS - 1


def test_the_gate_closes_when_all_is_settled_and_a_new_release_opens_it_again(gateway):
    queue(1)
    claim()
    services.recover(now=NOW)
    assert MessageBatch.objects.get().is_open  # one is under way
    services.settle(results=[SendResult(_attempt(1), Outcome.SENT)], now=NOW)
    services.recover(now=NOW)
    assert not MessageBatch.objects.get().is_open
    Message.objects.update(state=MessageState.QUEUED)
    assert deliver(gateway) == {}
    services.release_messages(period=PERIOD, kind=KIND, now=NOW)
    assert deliver(gateway) == {"SENT": 1}


def test_results_survive_a_database_connection_that_breaks_while_mails_are_sent(mailbox):
    queue(3)

    class Breaking(SmtpGateway):
        def send_batch(self, mails, *, stop_at):
            results = super().send_batch(mails, stop_at=stop_at)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
            with connection.copy().cursor() as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
            return results

    gateway = Breaking(host="127.0.0.1", port=mailbox.port, sender=SENDER)
    assert delivery.deliver_batch(gateway=gateway, worker="w", clock=lambda: NOW) == {"SENT": 3}
    gateway.close()
    assert states() == {"SENT": 3}


WORKER = """
import datetime as dt, sys
import django
django.setup()
from tayyar.notifications import content, delivery
from tayyar.notifications.models import MessageKind
from tayyar.gateways.smtp.client import SmtpGateway

def provider(keys):
    return [content.BillIssuedFacts(k.ref, "1", "1", "1", "1", "1", "https://b.example/", "U", "c") for k in keys]

content.register_content(MessageKind.BILL_ISSUED, provider)
delivery.run_worker(
    gateway=SmtpGateway(host="127.0.0.1", port=int(sys.argv[1]), sender="bills@tayyar.example"),
    worker=sys.argv[2],
    clock=lambda: dt.datetime.fromisoformat(sys.argv[3]),
    once=True,
    stopping=lambda: False,
    report=lambda counts: None,
)
"""


def start_worker(mailbox: Mailbox, name: str) -> "subprocess.Popen[bytes]":
    """A delivery worker in a process of its own, on the database of the tests."""
    database = connection.settings_dict
    options = {
        key: str(value) for key, value in (("host", database["HOST"]), ("port", database["PORT"])) if value
    }
    login = database["USER"] + (f":{database['PASSWORD']}" if database["PASSWORD"] else "")
    url = f"postgresql://{login}@/{database['NAME']}?{urlencode(options)}"
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tayyar.config.settings"}
    command = [sys.executable, "-c", WORKER, str(mailbox.port), name, NOW.isoformat()]
    return subprocess.Popen(command, env=environment)


@pytest.mark.fault
def test_a_worker_killed_in_mid_batch_loses_nothing_and_its_possible_duplicates_are_counted(gateway, mailbox):
    queue(260)
    mailbox.faults = Faults(delay_seconds=0.01)
    worker = start_worker(mailbox, "doomed")
    while count_mails(mailbox.folder) < 130:  # one batch is settled, the second is being sent
        assert worker.poll() is None
        time.sleep(0.005)
    worker.send_signal(signal.SIGKILL)
    assert worker.wait() == -signal.SIGKILL
    mailbox.faults = Faults()
    time.sleep(0.2)  # what the server had in hand is stored
    before = count_mails(mailbox.folder)
    assert states() == {"SENT": 100, "SENDING": 100, "QUEUED": 60}

    assert services.abandon(worker="somebody else") == 0
    assert services.abandon(worker="doomed") == 100
    assert deliver(gateway) == {"SENT": 60}
    assert states() == {"SENT": 160, "IN_DOUBT": 100}  # in doubt: not sent again before the limit
    assert deliver(gateway, now=NOW + rules.DOUBT_LIMIT + dt.timedelta(seconds=1)) == {"SENT": 100}

    assert states() == {"SENT": 260}
    received = Counter(mail["To"] for mail in read_mails(mailbox.folder))
    assert len(received) == 260  # nothing lost
    twice = sum(1 for count in received.values() if count > 1)
    assert max(received.values()) <= 2 and twice == before - 100
    assert 0 < twice <= queries.possible_duplicates(PERIOD) == 100  # one window, and the count says so
