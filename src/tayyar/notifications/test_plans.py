"""Plans without a database: reading, wishes, which step comes next, quiet hours."""

import datetime as dt
import zoneinfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tayyar.core.errors import UserError
from tayyar.customers.models import Channel
from tayyar.notifications.kinds import SPECS, Lane, MessageClass, MessageKind
from tayyar.notifications.plans import (
    MASKS,
    NO_WISH,
    PAPER,
    Step,
    Until,
    Wish,
    available,
    first_channels,
    next_step,
    quiet_until,
    read_plan,
    read_rules,
)

BILL, CODE, DUE = MessageKind.BILL_ISSUED, MessageKind.ONE_TIME_CODE, MessageKind.DUE_SOON
PAID = MessageKind.PAYMENT_RECEIVED
DIGITAL = ("PUSH", "WHATSAPP", "SMS", "EMAIL")
RULES = read_rules(
    yaml.safe_load(
        """
        plans:
          BILL_ISSUED:
            - {channel: PUSH, wait_minutes: 60, until: READ}
            - {channel: WHATSAPP, wait_minutes: 120}
            - {channel: SMS, wait_minutes: 720}
            - {channel: EMAIL, wait_minutes: 2880}
            - {channel: CALL, wait_minutes: 4320}
            - {channel: PAPER, until: SENT}
          ONE_TIME_CODE: [{channel: SMS, wait_minutes: 1, until: SENT}, {channel: EMAIL, until: SENT}]
          OTHERS: [{channel: SMS, wait_minutes: 720}, {channel: EMAIL, until: SENT}]
        quiet_hours:
          AWARENESS: ["21:00", "09:00"]
          PERSONAL: ["21:00", "09:00"]
        """
    ),
    where="test",
)


def channels(kind: MessageKind, wish: Wish = NO_WISH) -> list[str]:
    return [step.channel.name for step in RULES.plan(kind, wish)]


# -- wishes


def test_without_a_wish_the_plan_is_the_profiles_and_other_kinds_have_that_of_others():
    assert channels(BILL) == ["PUSH", "WHATSAPP", "SMS", "EMAIL", "CALL", "PAPER"]
    assert channels(PAID) == channels(DUE) == ["SMS", "EMAIL"]


def test_preferred_channels_come_first_and_calls_and_paper_stay_last():
    assert channels(BILL, Wish(("EMAIL", "SMS"))) == ["EMAIL", "SMS", "PUSH", "WHATSAPP", "CALL", "PAPER"]


def test_a_preferred_channel_keeps_its_own_wait():
    first = RULES.plan(BILL, Wish(("EMAIL",)))[0]
    assert first == Step(Channel.EMAIL, dt.timedelta(minutes=2880), Until.DELIVERED)


def test_excluded_channels_are_never_used():
    assert channels(BILL, Wish(excluded=("WHATSAPP", "PUSH"))) == ["SMS", "EMAIL", "CALL", "PAPER"]


def test_a_bill_that_nobody_may_send_is_printed():
    everything = (*DIGITAL, "CALL", "PAPER")
    assert RULES.plan(BILL, Wish(excluded=everything)) == (PAPER,)


def test_a_code_that_was_asked_for_is_sent_although_all_its_channels_are_excluded():
    assert channels(CODE, Wish(excluded=DIGITAL)) == ["SMS", "EMAIL"]


def test_what_need_not_be_told_is_not_told_when_all_its_channels_are_excluded():
    assert channels(PAID, Wish(excluded=DIGITAL)) == []


@pytest.mark.parametrize("kind", list(MessageKind))
def test_paper_beside_other_ways_stands_in_no_ones_way(kind):
    assert channels(kind, Wish(wants_paper=True)) == channels(kind)


def test_paper_and_nothing_else_comes_before_a_call():
    assert channels(BILL, Wish(excluded=DIGITAL, wants_paper=True)) == ["PAPER", "CALL"]


def test_an_accounts_own_plan_replaces_that_kinds_and_no_other():
    own = Wish(plans={"BILL_ISSUED": [{"channel": "EMAIL", "wait_minutes": 5}, {"channel": "SMS"}]})
    assert channels(BILL, own) == ["EMAIL", "SMS"]
    assert channels(PAID, own) == ["SMS", "EMAIL"]


@pytest.mark.parametrize("own", [[], "SMS", [{"channel": "PIGEON"}], [{"wait_minutes": 1}], 7, None])
def test_an_own_plan_that_cannot_be_read_counts_for_nothing(own):
    assert channels(BILL, Wish(plans={"BILL_ISSUED": own})) == channels(BILL)


wishes = st.builds(
    Wish,
    channels=st.permutations(DIGITAL).map(tuple),
    excluded=st.lists(st.sampled_from((*DIGITAL, "CALL", "PAPER")), unique=True).map(tuple),
    wants_paper=st.booleans(),
)


@given(st.sampled_from(list(MessageKind)), wishes)
def test_no_wish_makes_what_must_be_told_vanish(kind, wish):
    plan = RULES.plan(kind, wish)
    assert plan or not SPECS[kind].is_statutory
    usual = {step.channel.name for step in RULES.plan(kind)}
    if usual - set(wish.excluded):
        assert not {step.channel.name for step in plan} & set(wish.excluded)


# -- steps


@given(st.sampled_from([RULES.plan(BILL), RULES.plan(CODE), RULES.plan(PAID)]))
def test_for_every_combination_of_contact_points_the_first_channel_is_the_next_step_from_nowhere(plan):
    table = first_channels(plan)
    assert len(table) == MASKS
    for mask, (step, channel) in enumerate(table):
        found = next_step(plan, mask)
        assert step == (len(plan) - 1 if found is None else found)
        assert channel == plan[step].channel


@given(st.integers(0, MASKS - 1), st.integers(-1, 6), st.integers(0, MASKS - 1), st.booleans(), wishes)
def test_the_next_step_is_the_first_one_behind_that_can_be_tried(mask, after, used, by_post, wish):
    plan = RULES.plan(BILL, wish)
    usable = available(mask, by_post=by_post) & ~used
    expected = [i for i, step in enumerate(plan) if i > after and usable & (1 << step.channel)]
    found = next_step(plan, mask, after=after, by_post=by_post, used=used)
    assert found == (expected[0] if expected else None)


def test_paper_needs_no_contact_point_and_a_call_needs_a_telephone():
    bill = RULES.plan(BILL)
    assert bill[next_step(bill, 0)].channel is Channel.PAPER
    assert bill[next_step(bill, 1 << Channel.SMS, after=3)].channel is Channel.CALL
    assert bill[next_step(bill, 1 << Channel.EMAIL, after=3)].channel is Channel.PAPER


def test_nothing_is_printed_for_a_delegate():
    bill = RULES.plan(BILL)
    assert next_step(bill, 0, by_post=False) is None
    assert next_step(bill, 1 << Channel.SMS, after=4, by_post=False) is None


# -- quiet hours

RIYADH = zoneinfo.ZoneInfo("Asia/Riyadh")
NIGHT, NOON = (dt.time(21), dt.time(9)), (dt.time(12), dt.time(15))


def at(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 11, 28, hour, minute, tzinfo=RIYADH)


@pytest.mark.parametrize(
    ("now", "hours", "until"),
    [
        (at(20, 59), NIGHT, None),
        (at(21), NIGHT, dt.datetime(2026, 11, 29, 9, tzinfo=RIYADH)),
        (at(23, 59), NIGHT, dt.datetime(2026, 11, 29, 9, tzinfo=RIYADH)),
        (at(0), NIGHT, at(9)),
        (at(8, 59), NIGHT, at(9)),
        (at(9), NIGHT, None),
        (at(11, 59), NOON, None),
        (at(12), NOON, at(15)),
        (at(15), NOON, None),
        (at(3), None, None),
    ],
)
def test_quiet_hours_end_on_this_or_the_next_day(now, hours, until):
    assert quiet_until(now, hours) == until


def test_a_class_in_its_quiet_hours_is_not_permitted_and_a_code_always_is():
    kinds = [BILL, DUE, MessageKind.CAMPAIGN, MessageKind.DELEGATE_CHANGED, CODE]
    assert RULES.permitted(kinds, at(12)) == kinds
    assert SPECS[CODE].message_class is MessageClass.PERSONAL and SPECS[CODE].lane is Lane.URGENT
    assert RULES.permitted(kinds, at(22)) == [BILL, CODE]


# -- reading

SMS = {"channel": "SMS", "wait_minutes": 5}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"plan": {}}, "f: plan is not known."),
        ({"plans": {"BILLS": [SMS]}}, "f: BILLS is no kind of message."),
        ({"plans": {"TOKEN": []}}, "f, TOKEN: a plan is a list of steps."),
        ({"plans": {"OTHERS": "SMS"}}, "f, OTHERS: a plan is a list of steps."),
        ({"plans": {"OTHERS": ["SMS"]}}, "f, OTHERS: a step has channel, wait_minutes and until; 'SMS' has not."),
        ({"plans": [SMS]}, "f: plans are names with values."),
        (
            {"plans": {"TOKEN": [SMS | {"hours": 1}]}},
            "f, TOKEN: a step has channel, wait_minutes and until; "
            "{'channel': 'SMS', 'wait_minutes': 5, 'hours': 1} has not.",
        ),
        ({"plans": {"TOKEN": [SMS | {"channel": "FAX"}]}}, "f, TOKEN: .* names no known channel"),
        ({"plans": {"TOKEN": [SMS | {"until": "SEEN"}]}}, "f, TOKEN: .* waits for something unknown"),
        ({"plans": {"TOKEN": [SMS | {"wait_minutes": -1}]}}, "f, TOKEN: wait_minutes is 0 to 86,400"),
        ({"plans": {"TOKEN": [SMS | {"wait_minutes": 86401}]}}, "f, TOKEN: wait_minutes is 0 to 86,400"),
        ({"plans": {"TOKEN": [SMS | {"wait_minutes": True}]}}, "f, TOKEN: wait_minutes is 0 to 86,400"),
        ({"plans": {"TOKEN": [SMS | {"wait_minutes": 1.5}]}}, "f, TOKEN: wait_minutes is 0 to 86,400"),
        ({"quiet_hours": {"LOUD": ["21:00", "09:00"]}}, r"f: quiet hours are CLASS: \['21:00', '09:00'\], not LOUD"),
        ({"quiet_hours": {"WARNING": ["21:00"]}}, "f: quiet hours are CLASS: .*, not WARNING"),
        ({"quiet_hours": {"WARNING": "21"}}, "f: quiet hours are CLASS: .*, not WARNING"),
        ({"quiet_hours": {"WARNING": ["25:00", "09:00"]}}, "f: '25:00' is no time like '21:00'."),
    ],
)  # fmt: skip
def test_a_wrong_delivery_file_is_refused_with_what_is_wrong_and_where(raw, says):
    with pytest.raises(UserError, match=says):
        read_rules(raw, where="f")


def test_a_step_waits_not_at_all_for_delivery_unless_it_says_so():
    assert read_plan([{"channel": "SMS"}], where="f") == (
        Step(Channel.SMS, dt.timedelta(0), Until.DELIVERED),
    )


def test_a_profile_without_a_delivery_file_still_tells_everything():
    rules = read_rules({}, where="f")
    assert set(rules.plans) == set(MessageKind) and all(rules.plans.values()) and not rules.quiet
