"""Questions to an authority end in time, are repeated only where that is safe, and leave no trace of a person."""

import logging
import socket
import time

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.authority.entry import AuthorityEntry, Options
from tayyar.gateways.authority.inquiry import Inquiry
from tayyar.gateways.authority.refs import opened_ref, sealed_ref
from tayyar.identity.ports import AuthorityError

NUMBER = "1000482719"


def reason(question):
    with pytest.raises(AuthorityError) as caught:
        question()
    return caught.value.reason


def test_a_slow_authority_is_down_when_the_time_is_over_and_no_later(scripted):
    scripted.on["/person"] = lambda heard: time.sleep(3) or (200, {})
    inquiry = Inquiry("slow", timeout_seconds=0.4)
    began = time.monotonic()
    assert reason(lambda: inquiry.get(scripted.url + "/person", until=inquiry.deadline())) == "DOWN"
    assert 0.3 < time.monotonic() - began < 1.5


def test_several_questions_of_one_call_share_its_time(scripted):
    scripted.on["/a"] = lambda heard: time.sleep(0.3) or (200, {})
    inquiry = Inquiry("slow", timeout_seconds=0.5)
    until = inquiry.deadline()
    assert inquiry.get(scripted.url + "/a", until=until).status == 200
    assert reason(lambda: inquiry.get(scripted.url + "/a", until=until)) == "DOWN"


def test_an_authority_that_nobody_listens_for_is_down():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inquiry = Inquiry("gone", timeout_seconds=2)
    assert reason(lambda: inquiry.get(f"http://127.0.0.1:{port}/", until=inquiry.deadline())) == "DOWN"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_authority_that_says_it_is_its_own_fault_is_down(scripted, status):
    scripted.on["/person"] = lambda heard: (status, {})
    inquiry = Inquiry("ill", timeout_seconds=2)
    assert reason(lambda: inquiry.get(scripted.url + "/person", until=inquiry.deadline())) == "DOWN"
    assert len(scripted.heard) == 1


def test_what_is_safe_to_repeat_is_asked_once_more_after_a_broken_connection(scripted):
    answers = [None, (200, {"name": "x"})]
    scripted.on["/person"] = lambda heard: answers.pop(0)
    inquiry = Inquiry("shaky", timeout_seconds=2)
    asked = inquiry.post_json(scripted.url + "/person", {}, until=inquiry.deadline(), may_repeat=True)
    assert inquiry.content(asked) == {"name": "x"}


def test_what_is_not_safe_to_repeat_is_asked_once(scripted):
    scripted.on["/request"] = lambda heard: None
    inquiry = Inquiry("shaky", timeout_seconds=2)
    question = {"until": inquiry.deadline(), "may_repeat": False}
    assert reason(lambda: inquiry.post_json(scripted.url + "/request", {}, **question)) == "DOWN"
    assert len(scripted.heard) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b""])
def test_an_answer_that_is_no_object_is_down(scripted, body):
    scripted.on["/person"] = lambda heard: (200, body)
    inquiry = Inquiry("odd", timeout_seconds=2)
    answer = inquiry.get(scripted.url + "/person", until=inquiry.deadline())
    assert reason(lambda: inquiry.content(answer)) == "DOWN"


def test_nothing_of_a_person_reaches_the_log(scripted, caplog):
    scripted.on["/person"] = lambda heard: (503, {"echo": NUMBER})
    inquiry = Inquiry("ill", timeout_seconds=2)
    with caplog.at_level(logging.DEBUG):
        reason(
            lambda: inquiry.post_json(
                f"{scripted.url}/person?n={NUMBER}", {"n": NUMBER}, until=inquiry.deadline(), may_repeat=True
            )
        )
    assert "503" in caplog.text and NUMBER not in caplog.text


def test_a_reference_shows_nothing_and_only_its_authority_opens_it():
    ref = sealed_ref("nafath", {"number": NUMBER})
    assert NUMBER not in ref and opened_ref("nafath", ref) == {"number": NUMBER}
    for other, text in (("oidc", ref), ("nafath", ref[:-8] + "AAAAAAA="), ("nafath", ""), ("nafath", "é")):
        assert reason(lambda other=other, text=text: opened_ref(other, text)) == "EXPIRED"


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example",
        "https://",
        "https://u:p@auth.example",
        "ftp://auth.example",
        "https://a.example/?x",
    ],
)
def test_an_address_that_others_could_read_is_refused(url):
    with pytest.raises(UserError, match="https://"):
        Options(AuthorityEntry("a", "OIDC", options={"url": url})).url("url")


def test_an_option_that_nobody_asked_for_is_named():
    options = Options(AuthorityEntry("a", "OIDC", options={"url": "https://a.example/", "colour": "red"}))
    assert options.url("url") == "https://a.example"
    with pytest.raises(UserError, match="colour"):
        options.done()
