"""The pages of a signed-in person: what they cost in queries, and what a former holder or a viewer may see."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.scenarios.cast import HUDA, NASSER, SALMA, account_id, bill, day, noon, read, settle, the_bill
from tests.scenarios.login_cast import a_person
from tests.scenarios.test_account_queries import pay

from tayyar.claims.models import Holding
from tayyar.core import clock
from tayyar.core.references import with_check
from tayyar.identity import sessions, sign_in
from tayyar.identity.models import Person

pytestmark = pytest.mark.usefixtures("books")
NOW = noon("2026-11-05")


@pytest.fixture
def layla() -> Person:
    """A person without accounts, while Salma, Nasser and Huda were billed for September and October."""
    for person, kwh in ((SALMA, 20), (NASSER, 30), (HUDA, 40)):
        settle(person, start=day("2026-09-01"))
        read(person, day("2026-09-28"), 1000 + kwh * 27)
        read(person, day("2026-10-28"), 1000 + kwh * 57)
    bill("2026-09")
    bill("2026-10")
    return a_person(NOW, number="1012345672", mobile="0500000071")


def hold(layla: Person, person: int, *, start: str = "2020-01-01", end: str | None = None) -> None:
    Holding.objects.create(
        account_id=account_id(person),
        customer=layla.customer,
        role="TENANT",
        start_date=day(start),
        end_date=day(end) if end else None,
        created_at=NOW,
    )


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person.user, backend=sign_in.BACKEND)
    session = client.session
    sessions.begin(session, now=NOW)
    session.save()
    return client


def number(person: int) -> int:
    return with_check(account_id(person))


def get(client: Client, address: str) -> tuple[int, str, int]:
    """Status, text and number of queries, the second time it is asked for."""
    with clock.at(NOW):
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
    return answer.status_code, answer.content.decode(), len(queries)


def test_a_bill_page_costs_a_bounded_number_of_queries(layla: Person) -> None:
    hold(layla, SALMA)
    status, text, queries = get(signed_in(layla), f"/me/bills/{the_bill(SALMA, '2026-10').number}?lang=en")
    assert (status, "October 2026" in text) == (200, True)
    assert queries <= 22


def test_home_costs_the_same_for_three_accounts_as_for_two(layla: Person) -> None:
    client = signed_in(layla)
    hold(layla, SALMA)
    hold(layla, NASSER)
    two = get(client, "/me?lang=en")[2]
    hold(layla, HUDA)
    status, text, three = get(client, "/me?lang=en")
    assert (status, text.count('class="card"')) == (200, 3)
    assert three == two <= 12


def test_a_former_holder_sees_the_bills_of_their_time_and_no_balance(layla: Person) -> None:
    hold(layla, SALMA, start="2026-09-01", end="2026-09-28")
    pay(SALMA, 5000, 1, noon("2026-10-20"))
    client = signed_in(layla)
    own, later = (the_bill(SALMA, period).number for period in ("2026-09", "2026-10"))
    assert get(client, f"/me/bills/{own}")[0] == 200
    assert get(client, f"/me/bills/{later}")[0] == 404
    assert get(client, f"/me/bills/{later}/bill.pdf")[0] == 404
    status, text, _ = get(client, "/me?lang=en")
    assert status == 200
    assert "This account ended on" in text
    assert "To pay now" not in text
    listed = get(client, "/me/bills?lang=en")[1]
    assert (f"{own:015d}" in listed, f"{later:015d}" in listed) == (True, False)
    assert "No payments on record" in get(client, "/me/payments?lang=en")[1]
    assert get(client, "/me/readings")[0] == 404
    exported = get(client, f"/me/use/bills.csv?account={number(SALMA)}")[1]
    assert "2026-09" in exported
    assert "\n2026-10," not in exported


def test_a_later_holder_sees_nothing_of_the_time_before(layla: Person) -> None:
    hold(layla, SALMA, start="2026-09-28")
    client = signed_in(layla)
    own, before = (the_bill(SALMA, period).number for period in ("2026-10", "2026-09"))
    assert (get(client, f"/me/bills/{own}")[0], get(client, f"/me/bills/{before}")[0]) == (200, 404)
    assert f"{before:015d}" not in get(client, "/me/bills?lang=en")[1]


def test_a_budget_sent_twice_is_kept_once_and_a_foreign_one_is_not_found(layla: Person) -> None:
    hold(layla, SALMA)
    client = signed_in(layla)
    with clock.at(NOW):
        for _ in range(2):
            form = {"account": number(SALMA), "budget": "250"}
            assert client.post("/me/use/budget", form).status_code == 302
        assert client.post("/me/use/budget", {"account": number(NASSER), "budget": "1"}).status_code == 404
    assert Holding.objects.get().budget_minor == 25_000


def test_a_reading_that_says_other_than_the_stored_one_asks_for_a_photo(layla: Person) -> None:
    hold(layla, SALMA)
    read(SALMA, day("2026-11-04"), 2400)
    form = {"account": number(SALMA), "point": SALMA, "value": "2500", "day": "2026-11-04", "key": "k"}
    with clock.at(NOW):
        answer = signed_in(layla).post("/me/readings?lang=en", form)
    assert answer.status_code == 422
    assert "Add a photo of the meter" in answer.content.decode()


def test_a_reading_of_another_point_is_not_found(layla: Person) -> None:
    hold(layla, SALMA)
    form = {"account": number(SALMA), "point": NASSER, "value": "2500", "day": "2026-11-04", "key": "k"}
    with clock.at(NOW):
        assert signed_in(layla).post("/me/readings", form).status_code == 404


def test_a_person_without_accounts_is_told_how_to_add_one(layla: Person) -> None:
    client = signed_in(layla)
    for address in ("/me", "/me/bills", "/me/use", "/me/payments", "/me/readings"):
        assert get(client, f"{address}?lang=en")[0] == 200, address
    assert "No accounts here yet" in get(client, "/me?lang=en")[1]
