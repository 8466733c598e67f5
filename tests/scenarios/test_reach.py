"""Reach, counted from rows as the engine leaves them: each bill once, and figures that add up."""

import datetime as dt
import json
import random
import threading
from collections import Counter

import pytest
from django.db import connection
from tests.scenarios import cast
from tests.scenarios import reach_ground as ground
from tests.scenarios.reach_ground import FIRST_REF, NOW, PERIOD

from tayyar.config import cli
from tayyar.core.errors import UserError
from tayyar.core.references import with_check
from tayyar.customers.models import FIRST_ACCOUNT_ID, Channel
from tayyar.notifications import history_queries, queries, reach_queries
from tayyar.notifications.models import MessageKind, MessageState, ReachHow, Snapshot
from tayyar.notifications.reach_queries import ReachSummary, Standing, reach_summary, unreached
from tayyar.notifications.snapshots import snapshot

S = MessageState
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def month(transactional_db):
    """A Saudi utility, and the month's empty tables. Its messages tell of bills that nobody made."""
    ground.empty()
    cast.answer_profile()
    ground.partitions()
    yield
    ground.empty()


def standings(**wanted: int) -> dict[str, int]:
    return dict.fromkeys(map(str, Standing), 0) | wanted


def test_a_bill_with_evidence_is_reached_whatever_its_message_says():
    ground.accounts(2)
    ground.message(1, S.DELIVERED)
    ground.evidence(1)
    ground.message(2, S.FAILED)
    ground.evidence(2, ReachHow.CLERK, channel=None)
    found = reach_summary(PERIOD)
    assert found.standings == standings(REACHED=2)
    assert found.hows == {"RECEIPT": 1, "CLERK": 1}
    assert found.channels == {"SMS": 1, "": 1}


@pytest.mark.parametrize(
    ("state", "waits", "standing"),
    [
        (S.QUEUED, False, "UNDER_WAY"),
        (S.SENDING, False, "UNDER_WAY"),
        (S.IN_DOUBT, False, "UNDER_WAY"),
        (S.DEFERRED, True, "UNDER_WAY"),
        (S.SENT, True, "UNDER_WAY"),
        (S.DELIVERED, True, "UNDER_WAY"),  # a push that was to be read
        (S.SENT, False, "AT_END"),  # the last step asked for no evidence
        (S.FAILED, False, "AT_END"),
        (S.EXPIRED, False, "AT_END"),
        (S.PARKED, False, "PARKED"),
        (S.CANCELLED, False, "CANCELLED"),
        (S.MERGED, False, "AT_END"),  # told by nothing
    ],
)
def test_a_bill_without_evidence_stands_where_its_plan_does(state, waits, standing):
    ground.accounts(1)
    ground.message(1, state, next_at=NOW + HOUR if waits else None)
    assert reach_summary(PERIOD).standings == standings(**{standing: 1})


def test_a_merged_bill_stands_where_the_message_does_that_told_it():
    ground.account(1, customer=7)
    ground.account(2, customer=7)
    ground.account(3, customer=8)
    ground.message(1, S.DELIVERED)
    ground.message(2, S.MERGED)
    ground.message(3, S.QUEUED)
    assert reach_summary(PERIOD).standings == standings(AT_END=2, UNDER_WAY=1)
    ground.evidence(1, ReachHow.LINK_VIEW, channel=Channel.EMAIL)
    found = reach_summary(PERIOD)
    assert found.standings == standings(REACHED=2, UNDER_WAY=1) and found.merged == 1
    assert found.channels == {"EMAIL": 2}


def test_what_a_merged_bill_has_of_its_own_comes_first():
    ground.account(1, customer=7)
    ground.account(2, customer=7)
    ground.message(1, S.FAILED)
    ground.message(2, S.MERGED)
    ground.evidence(2, ReachHow.CALLER, channel=Channel.CALL)
    found = reach_summary(PERIOD)
    assert found.standings == standings(REACHED=1, AT_END=1) and found.hows == {"CALLER": 1}


def test_messages_to_delegates_are_no_bills_but_their_cost_counts():
    number = ground.provider("sms-one")
    ground.accounts(1)
    ground.message(1, S.DELIVERED)
    ground.message(1, S.DELIVERED, recipient=1)
    ground.attempt(1, S.DELIVERED, provider=number, segments=2, cost_micro=60_000)
    ground.attempt(1, S.DELIVERED, provider=number, segments=3, cost_micro=90_000, recipient=1)
    found = reach_summary(PERIOD)
    assert found.bills == 1
    (cost,) = found.costs
    # 2 + 3 segments at 0.03: 0.15
    assert (cost.channel, cost.provider, cost.attempts) == ("SMS", "sms-one", 2)
    assert (cost.segments, cost.cost_micro) == (5, 150_000)


def test_a_bill_told_by_two_kinds_is_one_bill():
    ground.accounts(1)
    ground.message(1, S.CANCELLED)
    ground.message(1, S.QUEUED, kind=MessageKind.SINGLE_BILL_ISSUED)
    ground.message(1, S.QUEUED, kind=MessageKind.DUE_SOON)
    assert reach_summary(PERIOD).standings == standings(CANCELLED=1)


def test_hours_are_those_of_the_utilitys_clock():
    ground.release()
    ground.accounts(3)
    for index, minutes in ((1, 5), (2, 59), (3, 60)):
        ground.message(index, S.DELIVERED)
        ground.evidence(index, at=NOW + dt.timedelta(minutes=minutes))
    found = reach_summary(PERIOD)
    assert found.hours == {"2026-11-28T09": 2, "2026-11-28T10": 1}  # Riyadh is three hours ahead
    assert found.released_at == "2026-11-28T09:00:00+03:00"


def test_the_funnel_shows_at_which_step_bills_stand():
    ground.accounts(3)
    ground.message(1, S.DELIVERED, step=0, channel=Channel.PUSH)
    ground.evidence(1, channel=Channel.PUSH)
    ground.message(2, S.SENT, step=2, channel=Channel.SMS, next_at=NOW + HOUR)
    ground.message(3, S.FAILED, step=2, channel=Channel.SMS)
    steps = [(row.step, row.channel, dict(row.standings)) for row in reach_summary(PERIOD).steps]
    assert steps == [(1, "PUSH", {"REACHED": 1}), (3, "SMS", {"UNDER_WAY": 1, "AT_END": 1})]


def test_a_bill_not_reached_says_what_was_tried_last():
    ground.accounts(2)
    ground.message(1, S.FAILED)
    ground.attempt(1, S.FAILED, reason="ABSENT", at=NOW)
    ground.attempt(1, S.FAILED, channel=Channel.EMAIL, reason="NO_SUCH_MAILBOX", at=NOW + HOUR)
    ground.message(2, S.FAILED)
    found = {(t.standing, t.state, t.channel, t.reason, t.bills) for t in reach_summary(PERIOD).tried}
    assert found == {
        ("AT_END", "FAILED", "EMAIL", "NO_SUCH_MAILBOX", 1),
        ("AT_END", "FAILED", "", "", 1),
    }


def test_an_account_belongs_to_the_centre_that_supplied_it_in_the_period():
    ground.account(1, at="")
    ground.move_in(1, at="C01", start=dt.date(2024, 1, 1), end=dt.date(2026, 10, 1), number=1)
    ground.move_in(1, at="C02", start=dt.date(2026, 10, 1), number=2)
    ground.move_in(1, at="C03", start=dt.date(2026, 12, 1), number=3)  # not yet
    ground.account(2, at="")
    ground.message(1, S.FAILED)
    ground.message(2, S.FAILED)
    assert {c.code: c.unreached for c in reach_summary(PERIOD).centres} == {"C02": 1, "": 1}
    assert reach_summary(PERIOD, centre="C02").bills == 1
    assert reach_summary(PERIOD, centre="C01").bills == 0


def test_one_centre_and_all_the_others_add_up_to_all():
    ground.accounts(30, centres=["C01", "C02", "C03"])
    number = ground.provider("sms-one")
    for index in range(1, 31):
        ground.message(index, S.FAILED)
        ground.attempt(index, S.FAILED, provider=number, cost_micro=30_000)
    parts = [reach_summary(PERIOD, centre=code) for code in ("C01", "C02", "C03")]
    assert [part.bills for part in parts] == [10, 10, 10]
    assert [[c.code for c in part.centres] for part in parts] == [["C01"], ["C02"], ["C03"]]
    assert sum(cost.cost_micro for part in parts for cost in part.costs) == 900_000


def scatter(seed: int, count: int = 150) -> None:
    """Bills in every state, with and without evidence, attempts of every kind, some customers with several accounts."""
    chance = random.Random(seed)
    numbers = [ground.provider(f"provider-{n}") for n in range(3)]
    for index in range(1, count + 1):
        owner = 1000 + chance.randrange(count // 2)
        ground.account(index, customer=owner, at=chance.choice(["", "C01", "C02", "C03"]))
        kind = chance.choice([MessageKind.BILL_ISSUED] * 5 + [MessageKind.SINGLE_BILL_ISSUED])
        ground.message(
            index,
            chance.choice(list(S)),
            kind=kind,
            step=chance.randrange(4),
            channel=chance.choice(list(Channel)),
            next_at=chance.choice([None, NOW + HOUR]),
        )
        if chance.random() < 0.2:
            ground.message(index, chance.choice(list(S)), kind=kind, recipient=1)
        if chance.random() < 0.1:
            ground.message(index, chance.choice(list(S)), kind=MessageKind(3 - kind))
        for channel in chance.sample(list(Channel), chance.randrange(4)):
            ground.attempt(
                index,
                chance.choice([S.SENDING, S.SENT, S.DELIVERED, S.READ, S.FAILED, S.EXPIRED, S.IN_DOUBT]),
                channel=channel,
                kind=kind,
                reason=chance.choice(["", "ABSENT", "NO_SUCH_NUMBER"]),
                provider=chance.choice([None, *numbers]),
                segments=chance.randrange(4),
                cost_micro=chance.randrange(100_000),
                at=NOW + chance.randrange(100) * HOUR,
            )
        if chance.random() < 0.5:
            ground.evidence(
                index,
                chance.choice(list(ReachHow)),
                channel=chance.choice([None, *Channel]),
                at=NOW + chance.randrange(100) * HOUR,
            )


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_add_up_whatever_the_states(seed):
    scatter(seed)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(DISTINCT ref) FROM notifications_message
                WHERE period = %s AND kind IN (1, 2) AND recipient = 0""",
            [PERIOD.number],
        )
        bills = cursor.fetchone()[0]
        cursor.execute("SELECT count(*), sum(cost_micro), sum(segments) FROM notifications_delivery")
        attempts, cost_micro, segments = cursor.fetchone()
    found = reach_summary(PERIOD)
    assert found.bills == bills == 150
    assert found.reached == sum(found.hows.values()) == sum(found.channels.values())
    assert found.reached == sum(found.hours.values()) > 0
    assert sum(row.bills for row in found.tried) == bills - found.reached
    by_standing = Counter[str]()
    for row in found.tried:
        by_standing[row.standing] += row.bills
    assert by_standing == {k: v for k, v in found.standings.items() if v and k != "REACHED"}
    for rows in (found.steps, found.centres):
        added = Counter[str]()
        for row in rows:
            added.update(row.standings)
        assert added == {k: v for k, v in found.standings.items() if v}
    assert sum(row.attempts for row in found.costs) == attempts
    assert sum(row.cost_micro for row in found.costs) == cost_micro
    assert sum(row.segments for row in found.costs) == segments
    listed = list(unreached(PERIOD))
    assert len(listed) == sum(found.standings[s] for s in reach_queries.UNREACHED)
    assert len({bill.bill_number for bill in listed}) == len(listed)
    assert reach_queries.standings(PERIOD) == found.standings
    for code in ("C01", "C02", "C03"):
        part = reach_summary(PERIOD, centre=code)
        (whole,) = [row for row in found.centres if row.code == code]
        assert {k: v for k, v in part.standings.items() if v} == dict(whole.standings)
        assert len(list(unreached(PERIOD, centre=code))) == whole.unreached
    assert ReachSummary.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_the_list_of_the_unreached_says_what_was_tried_and_names_no_address():
    ground.accounts(2)
    ground.message(1, S.FAILED)
    ground.attempt(1, S.FAILED, reason="ABSENT", at=NOW)
    ground.attempt(1, S.EXPIRED, channel=Channel.EMAIL, at=NOW + HOUR)
    ground.message(2, S.QUEUED)
    (bill,) = unreached(PERIOD)
    assert bill.account_number == with_check(FIRST_ACCOUNT_ID + 1) and bill.bill_number == FIRST_REF + 1
    assert (bill.centre, bill.standing, bill.state) == ("C01", "AT_END", "FAILED")
    assert bill.tried == "SMS FAILED ABSENT; EMAIL EXPIRED"


# ----------------------------------------------------------------------------------------------------------- snapshots


def counted(count, *, name="x", at=NOW):
    return snapshot(period=PERIOD, name=name, count=count, now=at).data


def test_a_snapshot_is_served_until_it_is_too_old():
    runs = []

    def count():
        runs.append(1)
        return {"n": len(runs)}

    assert counted(count) == {"n": 1}
    assert counted(count, at=NOW + dt.timedelta(seconds=5)) == {"n": 1}
    assert counted(count, at=NOW + dt.timedelta(seconds=6)) == {"n": 2}
    Snapshot.objects.update(cost_ms=2000)  # ten times two seconds
    assert counted(count, at=NOW + dt.timedelta(seconds=25)) == {"n": 2}
    assert counted(count, at=NOW + dt.timedelta(seconds=27)) == {"n": 3}
    assert counted(count, name="y") == {"n": 4}
    assert counted(count) == {"n": 5}  # a clock that was set back makes nothing fresh for ever


def test_while_one_session_counts_another_gets_what_is_stored():
    counted(lambda: {"n": 1})
    later, entered, leave, got = NOW + HOUR, threading.Event(), threading.Event(), []

    def slow():
        entered.set()
        assert leave.wait(10)
        return {"n": 2}

    def first():
        got.append(counted(slow, at=later))
        connection.close()

    counting = threading.Thread(target=first)
    counting.start()
    assert entered.wait(10)
    try:
        assert counted(lambda: pytest.fail("counted twice"), at=later) == {"n": 1}
    finally:
        leave.set()
        counting.join()
    assert got == [{"n": 2}]
    assert counted(lambda: pytest.fail("counted twice"), at=later) == {"n": 2}


# --------------------------------------------------------------------------------------------- delivery, history, marks


def test_the_delivery_summary_counts_states_and_the_last_reason_of_what_failed():
    ground.release()
    ground.accounts(3)
    ground.message(1, S.FAILED)
    ground.attempt(1, S.FAILED, reason="ABSENT", at=NOW)
    ground.attempt(1, S.FAILED, reason="NO_SUCH_MAILBOX", channel=Channel.EMAIL, at=NOW + HOUR)
    ground.message(2, S.SENT)
    ground.attempt(2, S.EXPIRED)
    ground.attempt(2, S.SENT, number=2)
    ground.message(3, S.PARKED)
    found = queries.delivery_summary(PERIOD)
    assert found.is_released and found.total == 3
    assert {name: n for name, n in found.states.items() if n} == {"FAILED": 1, "SENT": 1, "PARKED": 1}
    assert found.failures == {"NO_SUCH_MAILBOX": 1} and found.possible_duplicates == 1


def test_the_rate_is_that_of_the_last_minute():
    number = ground.provider("sms-one", weight=70)
    ground.accounts(4)
    for index, seconds in ((1, 1), (2, 30), (3, 61)):
        ground.attempt(index, S.SENT, provider=number, at=NOW - dt.timedelta(seconds=seconds))
    ground.attempt(4, S.SENDING, provider=number)
    (found,) = queries.provider_figures(PERIOD, now=NOW)
    assert found.per_second_milli == 2000 // 60  # two in sixty seconds
    assert (found.code, found.channel, found.weight, found.is_paused) == ("sms-one", Channel.SMS, 70, False)


def test_paused_and_stopped_batches_have_nothing_that_a_worker_could_take():
    ground.accounts(2)
    ground.message(1)
    ground.message(2, S.SENT)
    assert queries.queued_count() == 0
    ground.release()
    assert queries.queued_count() == 1 and queries.open_periods() == [PERIOD]
    from tayyar.notifications.models import MessageBatch

    MessageBatch.objects.update(paused_at=NOW)
    assert queries.queued_count() == 0
    (gate,) = queries.gates(PERIOD)
    assert gate.is_open and gate.is_paused and not gate.is_stopped


def test_an_accounts_history_tells_each_message_with_its_attempts_and_evidence():
    number = ground.provider("sms-one")
    ground.accounts(2)
    phone = ground.contact(1, Channel.SMS, "+966500000021")
    old = PERIOD.plus(-14)
    ground.partitions(old)
    ground.message(1, S.DELIVERED)
    ground.attempt(1, S.FAILED, reason="ABSENT", provider=number, contact_point_id=phone.pk)
    ground.attempt(1, S.DELIVERED, number=2, provider=number, contact_point_id=phone.pk, at=NOW + HOUR)
    ground.evidence(1)
    ground.message(1, S.READ, kind=MessageKind.DUE_SOON, created_at=NOW + 3 * HOUR)
    ground.message(1, S.READ, period=old)  # fourteen months back: not of the last fourteen
    ground.message(2, S.READ)
    newest, bill = history_queries.message_history(FIRST_ACCOUNT_ID + 1, today=NOW.date())
    assert newest.kind == MessageKind.DUE_SOON and newest.deliveries == () and newest.reach is None
    assert [d.state for d in bill.deliveries] == [S.FAILED, S.DELIVERED]
    assert {(d.provider, d.address) for d in bill.deliveries} == {("sms-one", "••• 21")}
    assert bill.reach is not None and bill.reach.how == ReachHow.RECEIPT


def test_marked_contact_points_are_listed_by_centre_with_their_address_hidden():
    ground.accounts(3, centres=["C01", "C02"])
    ground.contact(1, Channel.SMS, "+966500000021", mark="NOT_MINE")
    ground.contact(2, Channel.EMAIL, "salma@mail.example", mark="BOUNCED")
    ground.contact(3, Channel.SMS, "+966500000099")
    when = {"since": NOW - HOUR, "today": NOW.date()}
    assert history_queries.marked_counts(**when) == [
        ("C01", "EMAIL", "BOUNCED", 1),
        ("C02", "SMS", "NOT_MINE", 1),
    ]
    mail, phone = history_queries.marked_contacts(**when)
    assert (mail.address, phone.address) == ("s•••@m•••.example", "••• 21")
    assert [c.account_number for c in history_queries.marked_contacts(**when, centre="C02")] == [
        with_check(FIRST_ACCOUNT_ID + 1)
    ]
    assert list(history_queries.marked_contacts(since=NOW + HOUR, today=NOW.date())) == []


# ------------------------------------------------------------------------------------------------------------ commands


def run(*arguments: str) -> int:
    """The command, in this process, on the tests' database."""
    parsed = cli.build_parser().parse_args(arguments)
    return cli.kindly(lambda: int(parsed.run(parsed)))


def test_the_reach_command_prints_figures_that_add_up(capsys):
    scatter(9, count=40)
    assert run("reach", "2026-11", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["bills"] == 40 == sum(printed["standings"].values())
    assert run("reach", "2026-11") == 0
    text = capsys.readouterr().out
    assert f"{printed['standings']['REACHED']:,} of 40 bills reached" in text
    assert run("reach", "2026-11", "--centre", "C01") == 0


def test_the_reach_command_refuses_what_it_does_not_know(capsys):
    assert run("reach", "2026-10") == 2
    assert "tayyar billrun 2026-10" in capsys.readouterr().err
    ground.centre("C01")
    assert run("reach", "2026-11", "--centre", "C99") == 2
    assert "There are: C01" in capsys.readouterr().err
    with pytest.raises(UserError):
        reach_summary(cast.Period(2026, 9))


def test_the_messages_command_queues_again_what_failed_and_calls_off_what_waits(capsys):
    ground.release()
    ground.accounts(3)
    for index, state in ((1, S.FAILED), (2, S.PARKED), (3, S.DELIVERED)):
        ground.message(index, state)
    assert run("messages", "retry", "2026-11", "--state", "FAILED", "--json") == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 1
    assert run("messages", "cancel", "2026-11") == 0
    assert "Cancelled: 2 messages" in capsys.readouterr().out
    states = queries.delivery_summary(PERIOD).states
    assert {name: n for name, n in states.items() if n} == {"CANCELLED": 2, "DELIVERED": 1}


def test_the_messages_command_refuses_what_it_does_not_know(capsys):
    assert run("messages", "retry", "2026-11", "--state", "LOST") == 2
    assert "'LOST' is no state of a message" in capsys.readouterr().err
    assert run("messages", "cancel", "2026-11", "--kind", "POSTCARD") == 2
    assert run("messages", "retry", "2026-11", "--state", "DELIVERED") == 2
    assert "can be tried again" in capsys.readouterr().err
