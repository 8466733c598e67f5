"""Edited words: checked, stored as a new version, listed.

The only writer of TemplateVersion. A version is never changed; going back is saving old words again. Next:
templates.py sends with the newest.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from tayyar.core import audit
from tayyar.core.errors import UserError
from tayyar.customers.models import Channel, Language
from tayyar.notifications import templates
from tayyar.notifications import words as words_of
from tayyar.notifications.models import TemplateVersion
from tayyar.notifications.words import Words


@dataclass(frozen=True, slots=True)
class Version:
    """One wording. `version` 0 came with Tayyar, and nobody here wrote it."""

    version: int
    words: Words
    written_at: dt.datetime | None = None
    written_by: str = ""


def versions(template: str, channel: Channel, language: str) -> list[Version]:
    """Every wording there was, the newest first, at the end the one that came with Tayyar."""
    rows = TemplateVersion.objects.filter(
        template=template, channel=channel, language=Language[language]
    ).order_by("-version")
    edited = [
        Version(row.version, words_of.complete(channel, row.words), row.written_at, row.written_by)
        for row in rows
    ]
    return [*edited, Version(0, words_of.shipped(template, language)[channel])]


def edited_versions() -> Mapping[tuple[str, Channel, str], int]:
    """The newest version of everything that was ever edited."""
    rows = TemplateVersion.objects.order_by("version").values_list(
        "template", "channel", "language", "version"
    )
    return {
        (template, Channel(channel), Language(language).name): version
        for template, channel, language, version in rows
    }


def save_version(
    *, template: str, channel: Channel, language: str, words: Words, actor: str, now: dt.datetime
) -> int:
    """Store words as the newest version, in use everywhere within seconds; returns its number.

    Words that are in use already are not stored again: their number is returned. UserError says what is wrong with
    words that cannot be used, and when somebody else saved at the same moment.
    """
    if wrong := words_of.problems(template, channel, words):
        reasons = "; ".join(map(words_of.explain, wrong))
        raise UserError(
            f"The template {template} for {channel.name} in {language} was not saved: {reasons}. "
            "Mend it and save again."
        )
    newest, complete = versions(template, channel, language)[0], words_of.complete(channel, words)
    if newest.words == complete:
        return newest.version
    version = newest.version + 1
    try:
        with transaction.atomic():
            TemplateVersion.objects.create(
                template=template,
                channel=channel,
                language=Language[language],
                version=version,
                words=complete,
                written_at=now,
                written_by=actor,
            )
            audit.record(
                actor=actor,
                action="TEMPLATE_SAVED",
                subject=f"template:{template}.{channel.name}.{language}",
                now=now,
                version=version,
            )
    except IntegrityError:
        raise UserError(
            f"Somebody else saved the template {template} for {channel.name} in {language} at this moment. "
            "Look at their words, then save yours again."
        ) from None
    transaction.on_commit(templates.forget)
    return version
