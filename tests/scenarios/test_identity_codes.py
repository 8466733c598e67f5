"""Codes to people outside any account: how long they work, how often they may be tried, and how many may be sent."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from tests.scenarios.identity_ground import NOW, audited, last_code, later, messages, wrong

from tayyar.core import crypto
from tayyar.customers.codes import CodeRefused
from tayyar.customers.models import Language
from tayyar.customers.services import add_person_contact
from tayyar.identity import codes
from tayyar.identity.codes import channel_of
from tayyar.identity.models import IdentityCode
from tayyar.notifications.kinds import MessageKind

pytestmark = pytest.mark.usefixtures("books")
SUBJECT = "signup:1:IDENTITY"


def send(
    at: dt.datetime = NOW,
    *,
    subject: str = SUBJECT,
    identity: str = "salma",
    address: str = "+966500000021",
    network: str = "192.0.2.7",
) -> str:
    contact = add_person_contact(
        channel=channel_of(address), address=address, verified_at=None, actor="portal", now=at
    )
    codes.send(
        subject=subject,
        identity_hash=crypto.lookup_hash(identity, field="test"),
        contact_point_id=contact.pk,
        address=address,
        network=network,
        language=Language.en,
        now=at,
    )
    return last_code()


def reason(call: object, *args: object, **more: object) -> tuple[str, int]:
    with pytest.raises(CodeRefused) as caught:
        call(*args, **more)  # type: ignore[operator]
    return caught.value.reason, caught.value.seconds


def check(code: str, at: dt.datetime = NOW, subject: str = SUBJECT) -> bool:
    return codes.check(subject=subject, code=code, now=at)


def test_a_code_has_six_digits_and_says_how_long_it_works() -> None:
    code = send()
    assert len(code) == 6 and code.isdecimal()
    assert messages(MessageKind.ONE_TIME_CODE)[0]["minutes_text"] == "60 seconds"


def test_the_right_code_opens_once() -> None:
    code = send()
    assert check(code)
    assert reason(check, code) == ("EXPIRED", 0)


def test_a_code_typed_in_arabic_digits_with_a_space_is_read() -> None:
    code = send().translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert check(f"{code[:3]} {code[3:]}")


def test_a_code_works_for_sixty_seconds() -> None:
    code = send()
    assert reason(check, code, later(60)) == ("EXPIRED", 0)
    assert check(code, later(59))


def test_after_five_tries_even_the_right_code_opens_nothing() -> None:
    code = send()
    assert [check(wrong(code)) for _ in range(5)] == [False] * 5
    assert reason(check, code) == ("TRIES", 0)
    assert audited("CODE_WRONG") == 5


def test_a_code_confirms_its_own_subject_only() -> None:
    code = send()
    assert reason(check, code, subject="signup:2:IDENTITY") == ("EXPIRED", 0)
    send(subject="signup:2:IDENTITY", identity="nasser", address="+966500000022")
    row = IdentityCode.objects.get(subject="signup:2:IDENTITY")
    row.code_hash = IdentityCode.objects.get(
        subject=SUBJECT
    ).code_hash  # even the same digits have another hash
    row.save()
    assert not check(code, subject="signup:2:IDENTITY")


def test_a_newer_code_ends_the_older_one() -> None:
    first = send()
    second = send(later(30))
    if first != second:
        assert not check(first, later(31))
    assert check(second, later(31))


def test_the_wait_doubles_with_each_code_nobody_confirmed() -> None:
    send()
    assert reason(send, later(29)) == ("WAIT", 1)
    send(later(30))
    assert reason(send, later(89)) == ("WAIT", 1)  # 30 + 60
    send(later(90))
    assert reason(send, later(209)) == ("WAIT", 1)  # 90 + 120
    send(later(210))
    assert IdentityCode.objects.count() == 4


def test_the_wait_holds_for_the_telephone_whoever_asks() -> None:
    send()
    assert reason(send, subject="signup:2:IDENTITY", identity="nasser", network="192.0.2.8")[0] == "WAIT"


def test_after_a_confirmed_code_the_next_step_need_not_wait() -> None:
    assert check(send())
    assert check(send(later(1), subject="signup:1:MOBILE"), later(1), "signup:1:MOBILE")


def test_a_page_can_count_down() -> None:
    assert codes.standing(subject=SUBJECT, now=NOW) is None
    send()
    assert codes.standing(subject=SUBJECT, now=later(1)) == codes.Standing(later(60), later(30))
    send(later(30))
    assert codes.standing(subject=SUBJECT, now=later(31)) == codes.Standing(later(90), later(90))


def hours(number: int) -> dt.datetime:
    return NOW + dt.timedelta(hours=2 * number)


@pytest.mark.parametrize(
    "varied",
    [
        lambda n: {"address": f"+9665000001{n:02d}", "network": f"net{n}"},  # the same identity
        lambda n: {"identity": f"person{n}", "network": f"net{n}"},  # the same address
    ],
)
def test_ten_codes_a_day_for_an_identity_and_for_an_address(varied: object) -> None:
    for number in range(10):
        send(hours(number), **varied(number))  # type: ignore[operator]
    assert reason(send, hours(11), **varied(99))[0] == "BUDGET"  # type: ignore[operator]
    send(NOW + dt.timedelta(days=1, seconds=1), **varied(99))  # type: ignore[operator]


def spread(number: int) -> dict[str, str]:
    """Everybody else: another identity, address and network, of another range of numbers."""
    return {
        "identity": f"person{number}",
        "address": f"+9665{number:02d}000001",
        "network": f"net{number}",
    }


def test_a_network_has_a_budget_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes.MOST_PER_NETWORK_A_DAY == 60
    monkeypatch.setattr(codes, "MOST_PER_NETWORK_A_DAY", 2)
    send(**{**spread(1), "network": "shared"})
    send(**{**spread(2), "network": "shared"})
    assert reason(send, **{**spread(3), "network": "shared"})[0] == "BUDGET"
    send(**spread(4))


def test_a_range_of_numbers_has_a_budget_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes.MOST_PER_PREFIX_AN_HOUR == 300
    monkeypatch.setattr(codes, "MOST_PER_PREFIX_AN_HOUR", 2)
    send(**{**spread(1), "address": "+966512000001"})
    send(**{**spread(2), "address": "+966512999999"})
    assert reason(send, **{**spread(3), "address": "+966512555555"})[0] == "BUDGET"
    send(**{**spread(4), "address": "+966513000001"})
    send(NOW + dt.timedelta(hours=1, seconds=1), **{**spread(3), "address": "+966512555555"})
    assert set(IdentityCode.objects.values_list("prefix", flat=True)) == {"966512", "966513"}


def test_the_installation_has_a_budget_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes.MOST_A_DAY == 100_000
    monkeypatch.setattr(codes, "MOST_A_DAY", 2)
    send(**spread(1))
    send(**spread(2))
    assert reason(send, **spread(3))[0] == "BUDGET"


def test_two_that_are_asked_for_at_one_moment_are_counted_as_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "MOST_PER_IDENTITY_A_DAY", 1)
    together = threading.Barrier(4)
    contacts = [
        add_person_contact(channel=channel_of(one), address=one, verified_at=None, actor="portal", now=NOW)
        for one in (f"+96650000003{number}" for number in range(4))
    ]

    def ask(number: int) -> str:
        together.wait()
        try:
            codes.send(
                subject=f"signup:{number}:IDENTITY",
                identity_hash=b"the same identit",
                contact_point_id=contacts[number].pk,
                address=f"+96650000003{number}",
                network=f"net{number}",
                language=Language.en,
                now=NOW,
            )
            return "SENT"
        except CodeRefused as error:
            return error.reason
        finally:
            connection.close()

    queue_room()
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(ask, range(4))) == ["BUDGET", "BUDGET", "BUDGET", "SENT"]


def queue_room() -> None:
    """The month's table of messages is there before several want to make it."""
    send(address="+966500000099", identity="another", network="another")


def test_an_e_mail_address_takes_codes_and_belongs_to_no_range() -> None:
    send(address="salma@mail.example")
    assert messages(MessageKind.ONE_TIME_CODE)[0]["to"] == "salma@mail.example"
    assert IdentityCode.objects.get().prefix == ""


def test_a_refused_code_leaves_nothing_behind() -> None:
    send()
    assert reason(send, later(1))[0] == "WAIT"
    assert IdentityCode.objects.count() == len(messages(MessageKind.ONE_TIME_CODE)) == 1


def test_neither_code_nor_address_is_kept_in_the_clear() -> None:
    code = send()
    row = IdentityCode.objects.values().get()
    assert code not in str(row) and "500000021" not in str(row)
