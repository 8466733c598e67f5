"""The security matrix: every address, whoever asks, whatever is named. The table is security_table.py.

One population for the module; every request is rolled back. What a stranger could compare is compared whole: status,
body, headers, cookies, and for what is sensitive the number of database queries.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker
from tests.scenarios import security_ground as population
from tests.scenarios.security_ground import MALFORMED, Answer, Ground, lines
from tests.scenarios.security_table import (
    ACCOUNT_FIELDS,
    ALLOWED,
    API_ROOT,
    APP,
    FRESH,
    HOOK,
    KIOSK_DOORS,
    LINK,
    OPEN,
    PERSON,
    PERSON_DOORS,
    ROWS,
    STAFF_DOORS,
    VISIT,
    Row,
    routes,
)

WHO = ("nobody", "person", "fresh", "other", "viewer", "machine", "visitor", "reader", "clerk", "manager")
SOURCES = Path(settings.PACKAGE)
THINGS = {
    *("account", "bill", "bill_int", "payment_ref", "recipient", "request", "paper", "passkey", "session"),
    *("business", "member", "file", "bill_link", "person_link", "delegate_link"),
}
BY_ROUTE = {row.route: row for row in ROWS}


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Ground]:
    """The population of all tests here."""
    with django_db_blocker.unblock(), population.ground() as made:
        yield made


@pytest.fixture
def site(committed: Ground, db: None) -> Ground:
    """The same, in a transaction of the test's own."""
    return committed


def ask(site: Ground, who: str, row: Row, method: str, things: str = "own", **instead: object) -> Answer:
    """The row's address, of one person's things."""
    data = dict(row.data)
    if method == "POST" and row.door in KIOSK_DOORS:
        data["visit"] = site.things["own"]["visit"]
    address = row.at(site.things["own"] | site.things[things], **instead)
    return site.ask(who, method, address, data)


# ------------------------------------------------------------------------------------------------------- the table


def test_every_address_of_the_site_has_a_row_and_every_row_an_address() -> None:
    known = {route for route in routes() if not route.startswith(API_ROOT)}
    assert sorted(known - set(BY_ROUTE)) == [], "add a Row in tests/scenarios/security_table.py"
    assert sorted(set(BY_ROUTE) - known) == [], "these rows name no address any more"
    assert len(BY_ROUTE) == len(ROWS)


def test_forms_go_without_a_token_only_where_the_table_says_why() -> None:
    free = {
        route
        for route, patterns in routes().items()
        if not route.startswith(API_ROOT)  # api/door.py asks for it where a cookie opens
        and any(getattr(pattern.callback, "csrf_exempt", False) for pattern in patterns)
    }
    assert free == {row.route for row in ROWS if row.no_token}


# --------------------------------------------------------------------------------------------------------- who asks


def refusal(row: Row, who: str, answer: Answer) -> str:
    """Which refusal this is; "" when the person got in."""
    if answer.status == 302:
        for name, begins in (
            ("CONSOLE", "/console/login?"),
            ("AGAIN", "/login/again?"),
            ("LOGIN", "/login?"),
        ):
            if answer.where.startswith(begins):
                return name
        if row.door in KIOSK_DOORS and answer.where in ("/kiosk/", "/kiosk/leave"):
            return "MACHINE" if answer.where == "/kiosk/" else "VISIT"
    return "ROLE" if answer.status == 403 and row.door in STAFF_DOORS else ""


def expected(row: Row, who: str) -> str:
    """The refusal that the table asks for."""
    if row.door in (OPEN, LINK) or who in ALLOWED.get(row.door, ()):
        return ""
    if row.door in STAFF_DOORS:
        return "ROLE" if who in ALLOWED["READ"] else "CONSOLE"
    if row.door in PERSON_DOORS:
        return "AGAIN" if row.door == FRESH and who in ALLOWED[PERSON] else "LOGIN"
    return "VISIT" if row.door == VISIT and who == "machine" else "MACHINE"


def test_every_address_lets_in_whom_the_table_names_and_nobody_else(site: Ground) -> None:
    wrong = []
    for row in ROWS:
        if row.door in (OPEN, LINK, APP, HOOK):
            continue
        inside = next(who for who in WHO if who in ALLOWED[row.door])  # the least of them stands for all
        kinds = ("nobody", "person", "machine", "reader", "clerk" if row.door in STAFF_DOORS else "visitor")
        for who in (inside, *(who for who in kinds if who not in ALLOWED[row.door])):
            for method in sorted(row.accepts):
                answer = ask(site, who, row, method)
                found = refusal(row, who, answer)
                if found != expected(row, who) or answer.status >= 500:
                    wrong.append(
                        (row.route, method, who, answer.status, answer.where, found, expected(row, who))
                    )
    assert not wrong, lines(wrong)


def test_who_is_refused_learns_nothing_of_what_was_named(site: Ground) -> None:
    wrong = []
    for row in ROWS:
        if not row.names or row.door in (OPEN, LINK, APP, HOOK):
            continue
        for who in ("nobody", "other", "machine", "reader"):
            if who in ALLOWED[row.door] or row.door == FRESH:
                continue
            for method in sorted(row.accepts):
                own, unknown = (ask(site, who, row, method, things) for things in ("own", "unknown"))
                same = (own.status, own.cookies, own.body) == (unknown.status, unknown.cookies, unknown.body)
                if not same or len(own.queries) != len(unknown.queries):
                    wrong.append((row.route, method, who, own.status, unknown.status))
    assert not wrong, lines(wrong)


def test_apps_get_nothing_without_their_token_also_with_a_persons_cookie(site: Ground) -> None:
    for row in (row for row in ROWS if row.door == APP):
        for who in ("nobody", "person", "manager"):
            for method in ("GET", "POST"):
                answer = site.ask(who, method, row.at({}), {}, content_type="application/json")
                is_open = row.route.endswith(
                    ("/config", "/webauthn/login")
                )  # what apps may do, and a challenge
                assert answer.status in (400, 401, 405, 409, *([200] if is_open else [])), (
                    row.route,
                    answer.status,
                )
                assert not answer.cookies, row.route


def test_a_hook_of_nobody_is_one_and_the_same_nothing(site: Ground) -> None:
    for row in (row for row in ROWS if row.door == HOOK):
        for method in sorted(row.accepts):
            answer = site.ask("nobody", method, row.at({}), {"hub.mode": "subscribe"})
            assert (answer.status, answer.body, answer.cookies) == (404, b"", []), row.route


# ----------------------------------------------------------------------------------------------------- what is named


def named(doors: tuple[str, ...]) -> list[Row]:
    """Rows of these doors that name something which belongs to a person."""
    return [row for row in ROWS if row.door in doors and set(row.names.values()) & THINGS]


def wrong_addresses(site: Ground, row: Row) -> Iterator[tuple[str, str]]:
    """(what is wrong, address): foreign and unknown things, each part by itself, and what is no thing at all."""
    own = site.things["own"]
    for things in ("foreign", "unknown"):
        other = site.things[things]
        if row.door != LINK:
            yield things, row.at(own | other)
        for part, thing in row.names.items():
            if thing in other and (row.door != LINK or part != "token" or things == "unknown"):
                yield f"{things} {part}", row.at(own, **{part: other[thing]})
    for part in row.names:
        for text in (*MALFORMED, "9" * 400):
            yield f"malformed {part} {text[:12]}", row.at(own, **{part: text})


def test_foreign_unknown_and_malformed_are_one_answer_for_a_person(site: Ground) -> None:
    """The same 404 as an address that does not exist, to the byte, for each method, also to who may only look."""
    wrong = []
    for row in named(PERSON_DOORS):
        for method in sorted(row.accepts):
            nothing = site.ask("fresh", method, "/me/no/such/page")
            assert nothing.status == 404
            for what, address in wrong_addresses(site, row):
                if own_again(site, row, address):
                    continue
                if site.ask("fresh", method, address).seen != nothing.seen:
                    wrong.append((row.route, method, what))
            if (
                site.ask("viewer", method, row.at(site.things["own"])).seen != nothing.seen
                and row.door == PERSON
            ):
                wrong.append((row.route, method, "a viewer of another's"))
    assert not wrong, lines(wrong)


def own_again(site: Ground, row: Row, address: str) -> bool:
    """A part that is the same for both persons (the month of a payment) makes no foreign address."""
    return address == row.at(site.things["own"])


def test_foreign_and_unknown_cost_a_person_the_same_queries(site: Ground) -> None:
    wrong = []
    for row in named(PERSON_DOORS):
        if not set(row.names.values()) & {"account", "bill", "request", "paper"}:
            continue
        for method in sorted(row.accepts):
            counts = {
                things: len(ask(site, "fresh", row, method, things).queries)
                for things in ("foreign", "unknown")
            }
            if counts["foreign"] != counts["unknown"]:
                wrong.append((row.route, method, counts))
    assert not wrong, lines(wrong)


@pytest.mark.parametrize(("method", "address", "more"), ACCOUNT_FIELDS)
def test_an_account_in_a_query_or_form_answers_alike_unless_it_is_ones_own(
    site: Ground, method: str, address: str, more: dict[str, str]
) -> None:
    nothing = site.ask("fresh", method, "/me/no/such/page")
    own = site.ask("person", method, address, more | {"account": str(site.things["own"]["account"])})
    assert own.status in (200, 302, 422), own.status
    costs = {}
    for wrong in (
        site.things["foreign"]["account"],
        site.things["unknown"]["account"],
        *MALFORMED,
        "",
        "\x00",
    ):
        answer = site.ask("person", method, address, more | {"account": str(wrong)})
        if method == "POST" and wrong == "":
            continue  # a form without an account is about the first
        assert answer.seen == nothing.seen, wrong
        costs[wrong] = len(answer.queries)
    assert costs[site.things["foreign"]["account"]] == costs[site.things["unknown"]["account"]]


def test_a_viewer_sees_the_business_and_changes_nothing(site: Ground) -> None:
    number = str(site.things["business"]["account"])
    assert site.ask("viewer", "GET", f"/me/accounts/{number}").status == 200
    assert site.ask("viewer", "GET", "/me/readings", {"account": number}).status == 404
    form = {"account": number, "value": "1650", "day": "2026-09-30", "key": "k"}
    assert site.ask("viewer", "POST", "/me/readings", form).status == 404
    assert site.ask("viewer", "POST", "/me/use/budget", {"account": number, "budget": "9"}).status == 404


def test_links_that_do_not_open_are_one_answer(site: Ground) -> None:
    """Unknown, altered, of another page, expired or no link at all; and foreign bills under one's own link."""
    own, wrong = site.things["own"], []
    strangers = [own[name] for name in ("bill_link", "person_link", "delegate_link")]
    for row in named((LINK,)):
        for method in sorted(row.accepts):
            token = own[row.names["token"]]
            altered = token[:-1] + ("A" if token[-1] != "A" else "B")
            texts = [altered, token[:-1], token + "A", *(other for other in strangers if other != token)]
            addresses = [row.at(own, token=text) for text in texts]
            addresses += [address for what, address in wrong_addresses(site, row) if "malformed" not in what]
            addresses = [address for address in addresses if not own_again(site, row, address)]
            seen = {ask_link(site, method, address).seen[:2] for address in addresses}
            if len(seen) != 1 or seen.pop()[0] != 404:
                answers = {address: ask_link(site, method, address).status for address in addresses}
                wrong.append((row.route, method, answers))
    assert not wrong, lines(wrong)


def ask_link(site: Ground, method: str, address: str) -> Answer:
    """As a page of ours would: JSON from our own origin is what the door of push asks for."""
    if address.endswith("/push"):
        more = {"content_type": "application/json", "headers": {"origin": "http://testserver"}}
        return site.ask("nobody", method, address, {}, **more)
    return site.ask("nobody", method, address, {"lang": "ar"} if method == "GET" else {})


def test_a_delegates_link_opens_nothing_of_the_holders(site: Ground) -> None:
    own = site.things["own"]
    page = site.ask("nobody", "GET", f"/p/{own['delegate_own_link']}")
    assert page.status == 200 and b'name="quiet' not in page.body
    for action in ("delegates", f"delegates/{own['recipient']}/end"):
        assert site.ask(
            "nobody", "POST", f"/p/{own['delegate_own_link']}/{action}", {"name": "x"}
        ).status in (404, 422)
    foreign = f"/p/{own['delegate_own_link']}/bills/{site.things['foreign']['bill_int']}"
    unknown = f"/p/{own['delegate_own_link']}/bills/{site.things['unknown']['bill_int']}"
    first, second = (site.ask("nobody", "GET", address) for address in (foreign, unknown))
    assert (first.status, first.seen) == (404, second.seen)


def test_a_kiosk_visit_opens_its_own_bill_and_answers_all_others_alike(site: Ground) -> None:
    wrong = []
    for row in (row for row in ROWS if row.door == VISIT and "number" in row.names):
        for method in sorted(row.accepts):
            data = {**row.data, "visit": site.things["own"]["visit"]}
            nothing = site.ask("visitor", method, "/kiosk/no-such-page", data)
            for text in (site.things["foreign"]["bill_int"], site.things["unknown"]["bill_int"], *MALFORMED):
                answer = site.ask("visitor", method, row.at({}, number=text), data)
                if answer.seen != nothing.seen or answer.status != 404:
                    wrong.append((row.route, method, text, answer.status))
    assert not wrong, lines(wrong)


def test_staff_never_break_a_page_whatever_they_name(site: Ground) -> None:
    """Staff may know what exists; an id that does not is refused in words, and no text in an address is a fault."""
    wrong = []
    for row in ROWS:
        if row.door not in STAFF_DOORS or not row.names:
            continue
        texts = ["0", "9" * 40, "²", "%00", "٠١"]
        for part, thing in row.names.items():
            unknown = site.things["unknown"].get(thing, thing)
            for text in (unknown, *texts):
                method = sorted(row.accepts)[0]
                status = site.ask("manager", method, row.at(site.things["own"], **{part: text})).status
                if status >= 500:
                    wrong.append((row.route, method, part, text))
    assert not wrong, lines(wrong)
