"""What a review of the delivery engine found, each kept from coming back: lost, doubled or wrongly proven messages."""

import datetime as dt
import time

import psycopg
import pytest
from django.db import connection, transaction
from tests.scenarios import cast
from tests.scenarios.messages import (
    EMAIL,
    FIRST_REF,
    KIND,
    NOW,
    PERIOD,
    SMS,
    Scripted,
    account_of,
    deliver,
    facts,
    message_of,
    provider,
    queue_bills,
    settle_people,
)

from tayyar.customers.models import Preference
from tayyar.notifications import content, delivery, health, rules, services
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.models import Delivery, Message, MessageState
from tayyar.notifications.pace import ProviderPace

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
    pace = ProviderPace(number=health.number_of("sms"), permitted_per_second=1000)
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
