"""The providers' file is checked when it is read; a wrong entry says what is wrong."""

from pathlib import Path

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.smtp.options import Options, StartTls

LEAST = {"host": "mx.utility.example", "sender": "bills@utility.example"}


def test_the_least_is_a_host_and_a_sender():
    options = Options.parse("mta", LEAST)
    assert (options.port, options.starttls, options.connections) == (25, StartTls.IF_OFFERED, 4)
    assert options.bounce_address == "bounces@utility.example" and options.bounces_maildir is None


def test_bounces_may_have_a_domain_of_their_own():
    bounces = {"address": "b@mail.utility.example", "maildir": "/var/mail/bounces"}
    options = Options.parse("mta", {**LEAST, "verp": True, "bounces": bounces, "port": "587"})
    assert options.bounce_address == "b@mail.utility.example"
    assert (options.bounces_maildir, options.port) == (Path("/var/mail/bounces"), 587)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hots": "x"}, "hots is not an option"),
        ({"sender": "no address"}, "'no address' is not an e-mail address"),
        ({"sender": "a@b.example\r\nDATA"}, "is not an e-mail address"),
        ({"starttls": "MAYBE"}, "starttls is one of REQUIRED, IF_OFFERED, NEVER"),
        ({"connections": 0}, "connections is a whole number from 1 to 50"),
        ({"port": "smtp"}, "port is a whole number"),
        ({"verp": "yes"}, "verp is true or false"),
        ({"bounces": "/var/mail"}, "bounces holds maildir and address"),
        ({"username": "u", "password": "p"}, "a password is only sent where"),
        ({"webhook_secret": "short"}, "webhook_secret needs 20 letters"),
    ],
)
def test_a_wrong_entry_says_what_is_wrong(change: dict[str, object], words: str):
    with pytest.raises(UserError, match=words):
        Options.parse("mta", {**LEAST, **change})


def test_a_host_and_a_sender_are_asked_for():
    with pytest.raises(UserError, match="host and sender must be given"):
        Options.parse("mta", {})
