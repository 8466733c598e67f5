"""A bill's facts: money, dates, links and digests, as the people of its account read them."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection

from tayyar.billing.telling import bill_issued_facts, bills_digest
from tayyar.core.links import open_bill_token, open_preference_token
from tayyar.core.models import Setting
from tayyar.core.partitions import ensure_partition
from tayyar.core.periods import Period
from tayyar.customers.models import Channel
from tayyar.notifications import content, templates, variables
from tayyar.notifications.content import MessageKey
from tayyar.notifications.kinds import MessageKind

pytestmark = pytest.mark.django_db
TODAY = dt.date(2026, 12, 1)
KIND = MessageKind.BILL_ISSUED


@pytest.fixture(autouse=True)
def _books() -> Iterator[None]:
    Setting.objects.create(key="PROFILE", value="sa")
    templates.forget()
    with connection.cursor() as cursor:
        ensure_partition(cursor, table="billing_bill", period=Period(2026, 11))
    yield


def bill(serial: int, total_minor: int, before_minor: int = 0, due: dt.date = dt.date(2026, 12, 11)) -> int:
    """A bill of account 100000000 + serial; returns its number."""
    number = 261100000000000 + serial
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO billing_bill VALUES (202611, %(s)s, 100000000 + %(s)s, %(number)s, 1, 1, '2026-11-01',
                   '2026-12-01', '2026-11-28', %(due)s, 0, %(total)s, 0, 0, 0, %(total)s, 0, %(before)s, %(total)s,
                   0, 0, 0, 1, 1, '{}', '{}')""",
            {"s": serial, "number": number, "due": due, "total": total_minor, "before": before_minor},
        )
    return number


def key(number: int, *, recipient: int = 0, language: str = "ar") -> MessageKey:
    return MessageKey(202611, KIND, number, recipient, 100000000 + number % 1000, language)


def test_what_is_to_be_paid_is_the_bill_with_the_balance_before_it() -> None:
    (facts,) = bill_issued_facts([key(bill(1, 25_000, 2_600))])  # 250.00 + 26.00
    assert facts.template == "bill_issued"
    assert facts.values["amount_text"] == "276.00 ريال" and facts.values["total_text"] == "250.00 ريال"
    assert facts.values["due_date_text"] == "11 ديسمبر 2026" and facts.values["due_day_text"] == "11 ديسمبر"
    assert facts.values["month_text"] == "نوفمبر" and facts.values["period_text"] == "نوفمبر 2026"


def test_a_credit_that_covers_the_bill_leaves_nothing_to_pay() -> None:
    (facts,) = bill_issued_facts([key(bill(1, 25_000, -26_200), language="en")])  # 250.00 - 262.00
    assert facts.template == "bill_issued_nothing_due"
    assert facts.values["amount_text"] == "12.00 SAR" and "due_date_text" not in facts.values


def test_facts_carry_every_variable_of_their_template_and_no_other() -> None:
    numbers = [bill(1, 25_000), bill(2, 25_000, -30_000)]
    several = [
        *bill_issued_facts([key(number) for number in numbers]),
        bills_digest([key(numbers[0])]),
        bills_digest([key(numbers[1])]),
    ]
    for facts in several:
        assert facts is not None
        assert facts.values.keys() == set(variables.TEMPLATES[facts.template].variables)
        for channel in (Channel.SMS, Channel.EMAIL, Channel.PUSH):
            assert templates.render(facts, channel=channel, language="ar")


def test_the_holder_and_a_delegate_are_each_told_in_their_own_language() -> None:
    number = bill(1, 25_000)
    keys = [key(number), key(number, recipient=2, language="fr")]
    facts = {one.recipient: one for one in bill_issued_facts(keys)}
    assert facts[0].values["month_text"] == "نوفمبر" and facts[2].values["month_text"] == "novembre"
    assert content.facts_of(keys).keys() == {(number, 0), (number, 2)}
    tokens = {who: one.preferences_url.rsplit("/", 1)[1] for who, one in facts.items()}
    assert open_preference_token(tokens[0], today=TODAY) == (100000001, 0)
    assert open_preference_token(tokens[2], today=TODAY) == (100000001, 2)


def test_the_link_opens_the_bill_and_the_document_lies_behind_it() -> None:
    number = bill(1, 25_000)
    (facts,) = bill_issued_facts([key(number)])
    assert facts.url.startswith(f"{settings.SITE_URL}/b/")
    assert open_bill_token(facts.url.rsplit("/", 1)[1], today=TODAY) == number
    assert facts.document_url == f"{facts.url}/bill.pdf"
    assert facts.document_name == f"bill-{number}.pdf"


def test_a_bill_that_does_not_exist_has_nothing_to_say() -> None:
    assert bill_issued_facts([key(261100000009999)]) == []
    assert bills_digest([key(261100000009999)]) is None


def test_a_digest_sums_what_is_due_and_leads_to_what_is_due_first() -> None:
    late, soon = bill(1, 27_600), bill(2, 53_650, due=dt.date(2026, 12, 9))
    credit = bill(3, 10_000, -15_000)
    facts = bills_digest([key(late), key(soon), key(credit)])
    assert facts is not None
    # 276.00 + 536.50; the 50.00 in favour of the third account pay nobody else's bill
    assert facts.values["amount_text"] == "812.50 ريال"
    assert facts.values["count_text"] == "3 فواتير" and facts.values["due_day_text"] == "9 ديسمبر"
    assert open_bill_token(facts.url.rsplit("/", 1)[1], today=TODAY) == soon
    assert (facts.ref, facts.recipient, facts.template) == (late, 0, "bill_issued_digest")
    assert [row.value for row in facts.rows] == ["536.50 ريال", "276.00 ريال", "\u221250.00 ريال"]
    assert content.has_digest(KIND) and content.digest_of([key(late)]) is not None


@pytest.mark.parametrize(("count", "text"), [(2, "فاتورتان"), (3, "3 فواتير"), (11, "11 فاتورة")])
def test_a_digest_counts_as_arabic_does(count: int, text: str) -> None:
    facts = bills_digest([key(bill(serial, 1_000)) for serial in range(1, count + 1)])
    assert facts is not None and facts.values["count_text"] == text


def test_a_digest_of_credits_asks_for_nothing() -> None:
    facts = bills_digest([key(bill(1, 1_000, -2_000)), key(bill(2, 1_000, -2_000))])
    assert facts is not None and facts.template == "bill_issued_digest_nothing_due"
