"""Facts into words: one message's text for one channel, thousands of times a second.

Owns which words are in use (the newest edited version, else those that came with Tayyar) and the refusal of a message
whose variable is missing. Never sends. Next: delivery.py hands the content to a gateway.
"""

import functools
import html
import threading
import time
import tomllib
from collections.abc import Mapping

from django.db import InterfaceError, OperationalError
from django.db.models import Max

from tayyar.core.errors import UserError
from tayyar.core.text import NBSP
from tayyar.customers.models import Channel, Language
from tayyar.notifications import words as words_of
from tayyar.notifications.content import Facts
from tayyar.notifications.models import TemplateVersion
from tayyar.notifications.ports import (
    Attachment,
    Content,
    EmailContent,
    PushContent,
    SmsContent,
    WhatsAppContent,
)
from tayyar.notifications.variables import FOLDER
from tayyar.notifications.words import Compiled, Words

FRESH_SECONDS = 5.0  # how long an edited template may still be sent with its former words

_Key = tuple[str, Channel, str]


class _InUse:
    """The words in use in this process. Versions are only ever added, so the highest id tells whether any is new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Read everything again when it is next asked for."""
        self.fresh_until, self._newest_id = 0.0, -1
        self.edited: dict[_Key, tuple[int, Words]] = {}
        self.compiled: dict[_Key, Compiled] = {}

    def refresh(self) -> None:
        """Notice new versions. While the database is away, what was read before stays in use."""
        with self._lock:
            if time.monotonic() < self.fresh_until:
                return
            try:
                newest_id = TemplateVersion.objects.aggregate(newest=Max("id"))["newest"] or 0
                if newest_id != self._newest_id:
                    self.edited, self.compiled = _edited(), {}
                    self._newest_id = newest_id
            except (OperationalError, InterfaceError):
                if self._newest_id < 0:
                    raise
            self.fresh_until = time.monotonic() + FRESH_SECONDS


def _edited() -> dict[_Key, tuple[int, Words]]:
    """The newest version of whatever was edited, as long as it still fits its template's variables."""
    order = ("template", "channel", "language")
    found: dict[_Key, tuple[int, Words]] = {}
    for row in TemplateVersion.objects.order_by(*order, "-version").distinct(*order):
        channel = Channel(row.channel)
        if not words_of.problems(row.template, channel, row.words):
            words = words_of.complete(channel, row.words)
            found[row.template, channel, Language(row.language).name] = (row.version, words)
    return found


_in_use = _InUse()
forget = _in_use.forget


def in_use(template: str, channel: Channel, language: str) -> tuple[int, Words]:
    """The version and the words that are sent at present; version 0: those that came with Tayyar."""
    _in_use.refresh()
    edited = _in_use.edited.get((template, channel, language))
    return edited or (0, words_of.shipped(template, language)[channel])


def render(facts: Facts, *, channel: Channel, language: str, attachment: Attachment | None = None) -> Content:
    """The message's content for EMAIL, SMS, WHATSAPP or PUSH, in the words in use.

    UserError naming template, language and variable when a value that the words need is missing.
    """
    return fill(facts, _compiled(facts.template, channel, language), channel, language, attachment)


def call_script(facts: Facts, language: str) -> str:
    """What a caller says, for the call sheet."""
    compiled = _compiled(facts.template, Channel.CALL, language)
    return compiled.patterns["script"] % _values(facts, compiled, language)


def paper_text(facts: Facts, language: str) -> str:
    """What a printed letter says where the message tells of no document: the e-mail's text."""
    mail = fill(facts, _compiled(facts.template, Channel.EMAIL, language), Channel.EMAIL, language)
    assert isinstance(mail, EmailContent)
    return mail.text


def fill(
    facts: Facts, compiled: Compiled, channel: Channel, language: str, attachment: Attachment | None = None
) -> Content:
    """The content that `compiled` words make of the facts; UserError as `render`."""
    values = _values(facts, compiled, language)
    patterns = compiled.patterns
    if channel == Channel.SMS:
        # A no-break space, which French amounts hold, would turn the whole message into UCS-2 at twice the price.
        return SmsContent((patterns["text"] % values).replace(NBSP, " "))
    if channel == Channel.WHATSAPP:
        if patterns["header"] and not facts.document_url:
            raise _missing(facts, language, "document_url")
        return WhatsAppContent(
            template=patterns["template"],
            parameters=tuple([values[name] for name in compiled.parameters]),
            document_url=facts.document_url if patterns["header"] else "",
            document_name=facts.document_name if patterns["header"] else "",
            button_suffix=patterns["button"] % values,
        )
    if channel == Channel.PUSH:
        return PushContent(
            title=patterns["title"] % values,
            body=patterns["body"] % values,
            url=facts.url,
            tag=f"{facts.template}.{facts.ref}",
        )
    if channel == Channel.EMAIL:
        return _mail(facts, compiled, values, language, attachment)
    raise UserError(f"{channel.name} messages are not sent by a gateway; they are printed or read out.")


def _values(facts: Facts, compiled: Compiled, language: str) -> dict[str, str]:
    values = {**facts.values, "url": facts.url, "utility_name": facts.utility_name}
    if facts.url:
        if not facts.url.startswith(("https://", "http://")):
            raise UserError(
                f"The message {facts.template} in {language} about {facts.ref} has no usable url: a web address "
                "begins with https://."
            )
        values["url_path"] = facts.url.split("/", 3)[-1]
    for name in compiled.needs:
        if not values.get(name):
            raise _missing(facts, language, name)
    return values


def _missing(facts: Facts, language: str, name: str) -> UserError:
    return UserError(
        f"The template {facts.template} in {language} needs {name}, and the message about {facts.ref} has none. "
        "Supply it, or take it out of the words."
    )


def _mail(
    facts: Facts, compiled: Compiled, values: dict[str, str], language: str, attachment: Attachment | None
) -> EmailContent:
    needs, patterns = compiled.needs, compiled.patterns
    subject = patterns["subject"] % values
    if "\n" in subject or "\r" in subject:  # a header is one line
        subject = " ".join(subject.split())
    escape = html.escape
    shown = {name: escape(values[name]) for name in needs}
    shown["utility_name"] = escape(facts.utility_name)
    if facts.url:
        shown["url"] = escape(facts.url)
    values["rows_text"] = values["preferences_text"] = shown["rows"] = shown["preferences"] = ""
    if facts.rows:
        row = words_of.frame_part("row")
        shown["rows"] = "".join(
            row % {"label": escape(one.label), "value": escape(one.value), "url": escape(one.url)}
            for one in facts.rows
        )
        values["rows_text"] = "".join(f"\n{one.label}: {one.value}\n{one.url}" for one in facts.rows)
    if facts.preferences_url:
        label, url = _frame_words()["preferences"][language], facts.preferences_url
        shown["preferences"] = words_of.frame_part("preferences") % {
            "label": escape(label),
            "url": escape(url),
        }
        values["preferences_text"] = f"{label}: {url}\n"
    return EmailContent(
        sender_name=facts.utility_name,
        subject=subject,
        text=patterns["text"] % values,
        html=patterns["page"] % shown,
        preferences_url=facts.preferences_url,
        attachments=(attachment,) if attachment else (),
    )


@functools.cache
def _frame_words() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((FOLDER / "frame.toml").read_text("utf-8"))


def _compiled(template: str, channel: Channel, language: str) -> Compiled:
    if time.monotonic() >= _in_use.fresh_until:
        _in_use.refresh()
    key = (template, channel, language)
    found = _in_use.compiled.get(key)
    if found is None:
        words = in_use(template, channel, language)[1]
        found = _in_use.compiled[key] = words_of.compile_words(channel, language, words)
    return found
