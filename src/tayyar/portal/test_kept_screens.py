"""A kept first screen is the answer to the same link alone, and counts as an opening like any other."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tayyar.core import clock
from tayyar.core.links import bill_token
from tayyar.portal import kept_screens, openings, views
from tayyar.portal.kept_screens import KeptScreens

NUMBER, OTHER = 261000000000159, 261000000000256
NOW = dt.datetime(2026, 11, 1, 8, tzinfo=dt.UTC)


class Answer(list[bytes]):
    def close(self) -> None:
        """What Django's answers have."""


class Site:
    """Answers each request with how many it was asked, and lets its answer be kept."""

    def __init__(self, *, status: str = "200 OK", cookie: bool = False) -> None:
        self.asked, self.status, self.cookie = 0, status, cookie

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked += 1
        environ[kept_screens._MARK] = (NUMBER, "ar")
        headers = [("Content-Language", "ar")] + [("Set-Cookie", "a=b")] * self.cookie
        start_response(self.status, headers)
        return Answer([f"answer {self.asked}".encode()])


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The bills whose opening was recorded. The clock stands; nobody has spent anything."""
    numbers: list[int] = []
    monkeypatch.setattr(openings, "record", lambda number, *_, **__: numbers.append(number))
    views.OPENINGS.clear()
    with clock.at(NOW):
        yield numbers
    views.OPENINGS.clear()


def link(number: int = NUMBER, *, expires: dt.date = dt.date(2026, 12, 1)) -> str:
    return f"/b/{bill_token(number, expires=expires)}"


def ask(kept: KeptScreens, path: str, **environ: str) -> str:
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "REMOTE_ADDR": "10.1.1.1", **environ}
    return b"".join(kept(asked, lambda *_: None)).decode()


def test_the_same_link_again_is_answered_from_what_is_kept_and_recorded(recorded: list[int]) -> None:
    kept = KeptScreens(Site())
    assert [ask(kept, link()) for _ in range(3)] == ["answer 1"] * 3
    assert recorded == [NUMBER, NUMBER]  # the first was recorded by the view


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_COOKIE": "sessionid=x"},
        {"HTTP_ACCEPT_LANGUAGE": "fr"},
        {"QUERY_STRING": "lang=en"},
        {"HTTP_HOST": "elsewhere.example"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_SEC_PURPOSE": "prefetch"},
        {"REQUEST_METHOD": "HEAD"},
    ],
)
def test_what_asks_in_another_way_is_not_answered_from_it(
    recorded: list[int], environ: dict[str, str]
) -> None:
    kept = KeptScreens(Site())
    ask(kept, link())
    assert ask(kept, link(), **environ) == "answer 2"


def test_another_link_is_another_answer_even_to_the_same_bill(recorded: list[int]) -> None:
    kept = KeptScreens(Site())
    ask(kept, link())
    assert ask(kept, link(OTHER)) == "answer 2"
    assert ask(kept, link(expires=dt.date(2026, 12, 2))) == "answer 3"


def test_a_link_that_expired_meanwhile_goes_to_the_site(recorded: list[int]) -> None:
    kept = KeptScreens(Site())
    ask(kept, link())
    with clock.at(dt.datetime(2026, 12, 1, tzinfo=dt.UTC)):
        assert ask(kept, link()) == "answer 2"
    assert recorded == []


def test_an_address_that_used_up_its_budget_goes_to_the_site(
    recorded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptScreens(Site())
    ask(kept, link())
    monkeypatch.setattr(views.OPENINGS, "budget", 1)
    assert ask(kept, link()) == "answer 1"
    assert ask(kept, link()) == "answer 2"
    assert ask(kept, link(), REMOTE_ADDR="10.1.1.2") == "answer 1"


def test_an_answer_is_kept_for_a_minute(recorded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptScreens(Site())
    ask(kept, link())
    passed = kept_screens.time.monotonic() + kept_screens.SECONDS
    monkeypatch.setattr(kept_screens.time, "monotonic", lambda: passed)
    assert ask(kept, link()) == "answer 2"


@pytest.mark.parametrize("site", [Site(status="404 Not Found"), Site(cookie=True)])
def test_refusals_and_answers_with_a_cookie_are_not_kept(recorded: list[int], site: Site) -> None:
    kept = KeptScreens(site)
    ask(kept, link())
    assert ask(kept, link()) == "answer 2"
