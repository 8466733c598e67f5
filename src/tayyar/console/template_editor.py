"""The templates' editor: which words are sent by kind, channel and language, and how they are changed.

Owns the screens; saving is for billing managers. Whose data a preview shows is recorded. Next:
notifications/template_versions.py stores.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from tayyar.billing.documents.words import LANGUAGE_NAMES
from tayyar.console.screen import Screen, staff
from tayyar.console.template_preview import preview as build_preview
from tayyar.console.template_preview import problems
from tayyar.core import audit, clock
from tayyar.core.errors import UserError
from tayyar.core.references import parse_number, with_check, without_check
from tayyar.core.text import LANGUAGES, RTL_LANGUAGES
from tayyar.customers.models import Channel
from tayyar.notifications import templates, variables
from tayyar.notifications import words as words_of
from tayyar.notifications.template_versions import Version, edited_versions, save_version, versions
from tayyar.notifications.words import Words

_ONE_LINE = frozenset({"subject", "headline", "number", "button", "template", "header", "title"})
_CODES = frozenset({"template", "header"})  # not for a reader: left to right in any language
_ROWS = {"text": 5, "body": 5, "script": 6, "details": 4}
_SESSION_KEY = "template_preview"


@require_safe
@staff()
def overview(screen: Screen) -> HttpResponse:
    """Every template with its channels and languages, and which version of each is sent."""
    edited = edited_versions()
    groups = []
    for template in variables.TEMPLATES:
        rows = []
        for channel in words_of.FIELDS:
            cells = []
            for language in LANGUAGES:
                version = edited.get((template, channel, language), 0)
                text = (
                    screen.say("tpl_edited", version=screen.num(version))
                    if version
                    else screen.words["tpl_as_shipped"]
                )
                cells.append({"language": language, "text": text, "is_edited": version > 0})
            rows.append(
                {
                    "channel": channel.name,
                    "label": screen.words[f"tpl_channel_{channel.name}"],
                    "cells": cells,
                }
            )
        groups.append({"template": template, "name": screen.words[f"tpl_name_{template}"], "rows": rows})
    context = {
        "title": screen.words["tpl_title"],
        "groups": groups,
        "names": [LANGUAGE_NAMES[code] for code in LANGUAGES],
    }
    return screen.page("console/templates.html", context)


@require_safe
@staff()
def edit(screen: Screen, template: str, channel: str, language: str) -> HttpResponse:
    """The words in use, or those of ?version=, with their preview."""
    found = _channel(template, channel, language)
    history = versions(template, found, language)
    wanted = screen.request.GET.get("version", "")
    looked_at = next((one for one in history if str(one.version) == wanted), None)
    words = looked_at.words if looked_at else templates.in_use(template, found, language)[1]
    return _page(screen, template, found, language, words, looked_at=looked_at)


@require_POST
@staff()
def preview(screen: Screen, template: str, channel: str, language: str) -> HttpResponse:
    """The preview of typed words: alone for htmx, with the whole page for a browser without script."""
    found = _channel(template, channel, language)
    words = _typed(screen, found)
    if screen.request.headers.get("HX-Request") != "true":
        return _page(screen, template, found, language, words)
    context = {"preview": _preview(screen, template, found, language, words)}
    return screen.page("console/template_preview.html", context)


@require_POST
@staff(acting=True)
def save(screen: Screen, template: str, channel: str, language: str) -> HttpResponse:
    """Store typed words; where they cannot be used the page says why and keeps them."""
    found = _channel(template, channel, language)
    words = _typed(screen, found)
    if problems(screen, template, found, words):
        return _page(screen, template, found, language, words, status=409, is_refused=True)
    return _save(screen, template, found, language, words)


@require_POST
@staff(acting=True)
def restore(screen: Screen, template: str, channel: str, language: str) -> HttpResponse:
    """Make an earlier version the newest."""
    found = _channel(template, channel, language)
    wanted = screen.request.POST.get("version", "")
    version = next((one for one in versions(template, found, language) if str(one.version) == wanted), None)
    if version is None:
        raise Http404
    return _save(screen, template, found, language, version.words)


def _save(screen: Screen, template: str, channel: Channel, language: str, words: Words) -> HttpResponse:
    before = versions(template, channel, language)[0].version
    version = save_version(
        template=template,
        channel=channel,
        language=language,
        words=words,
        actor=screen.actor,
        now=clock.now(),
    )
    key = "tpl_saved" if version > before else "tpl_unchanged"
    messages.success(screen.request, screen.say(key, version=screen.num(version)))
    return redirect("console:template", template=template, channel=channel.name, language=language)


def _channel(template: str, channel: str, language: str) -> Channel:
    """The channel of an address that names something there is."""
    known = {one.name: one for one in words_of.FIELDS}
    if template not in variables.TEMPLATES or channel not in known or language not in LANGUAGES:
        raise Http404
    return known[channel]


def _typed(screen: Screen, channel: Channel) -> dict[str, str]:
    form = screen.request.POST
    return {name: form.get(name, "").replace("\r\n", "\n").strip() for name in words_of.FIELDS[channel]}


def _preview(screen: Screen, template: str, channel: Channel, language: str, words: Words) -> dict[str, Any]:
    typed = (screen.request.POST.get("account") or screen.request.GET.get("account") or "").strip()
    account_id, note = None, screen.words["tpl_with_samples"]
    if typed:
        try:
            account_id = without_check(
                parse_number(typed, what="account number", digits=11), what="account number"
            )
        except UserError:
            note = screen.words["tpl_account_wrong"]
    if account_id is not None:
        _record_look(screen, account_id, template)
    shown = build_preview(screen, template, channel, language, words, account_id)
    if account_id is not None and shown["has_bill"]:
        note = screen.say("tpl_with_account", account=screen.code(with_check(account_id)))
    elif account_id is not None and not shown.get("problems"):
        note = screen.words["tpl_account_none"]
    return {**shown, "note": note}


def _record_look(screen: Screen, account_id: int, template: str) -> None:
    """Once for each account and template that the user turns to, not at every letter typed."""
    look = [account_id, template]
    if screen.request.session.get(_SESSION_KEY) == look:
        return
    screen.request.session[_SESSION_KEY] = look
    audit.record(
        actor=screen.actor,
        action="TEMPLATE_PREVIEWED",
        subject=f"account:{account_id}",
        now=clock.now(),
        template=template,
    )


def _page(
    screen: Screen,
    template: str,
    channel: Channel,
    language: str,
    words: Words,
    *,
    looked_at: Version | None = None,
    status: int = 200,
    is_refused: bool = False,
) -> HttpResponse:
    in_use = templates.in_use(template, channel, language)[0]
    name, label = screen.words[f"tpl_name_{template}"], screen.words[f"tpl_channel_{channel.name}"]
    shown = (looked_at.version if looked_at else in_use, in_use)
    key = "tpl_state_other" if shown[0] != in_use else "tpl_state_edited" if in_use else "tpl_state_shipped"
    known = variables.known_variables()
    context = {
        "title": screen.say(
            "tpl_edit_title", template=name, channel=label, language=LANGUAGE_NAMES[language]
        ),
        "state": screen.say(key, version=screen.num(shown[0])),
        "address": {"template": template, "channel": channel.name, "language": language},
        "fields": [
            {
                "name": field,
                "label": screen.words[_label(channel, field)],
                "text": words.get(field, ""),
                "is_line": field in _ONE_LINE,
                "is_free": is_free,
                "lang": "en" if field in _CODES else language,
                "dir": "ltr" if field in _CODES or language not in RTL_LANGUAGES else "rtl",
                "rows": _ROWS.get(field, 2),
            }
            for field, is_free in words_of.FIELDS[channel].items()
        ],
        "account": screen.request.POST.get("account", ""),
        "required": _required(screen, template, channel),
        "variables": [
            {
                "name": f"{{{one}}}",
                "explain": known[one].explain[screen.lang],
                "sample": known[one].sample[language],
            }
            for one in variables.usable(template)
            if one != "url_path" or channel == Channel.WHATSAPP
        ],
        "sample_lang": language,
        "sample_dir": "rtl" if language in RTL_LANGUAGES else "ltr",
        "preview": _preview(screen, template, channel, language, words),
        "is_refused": is_refused,
        "history": _history(screen, template, channel, language, in_use),
        "languages_of": [
            {"code": code, "name": LANGUAGE_NAMES[code], "current": code == language} for code in LANGUAGES
        ],
    }
    return screen.page("console/template.html", context, status=status)


def _label(channel: Channel, field: str) -> str:
    """The key of a text's name; WhatsApp's button has its words at WhatsApp, only its link's end is ours."""
    return "tpl_field_suffix" if (channel, field) == (Channel.WHATSAPP, "button") else f"tpl_field_{field}"


def _required(screen: Screen, template: str, channel: Channel) -> SafeString | str:
    """What the words may not leave out."""
    spec, comma = variables.TEMPLATES[template], "، " if screen.rtl else ", "
    groups = [
        format_html_join(" / ", '<code dir="ltr">{}</code>', ((f"{{{one}}}",) for one in group))
        for group in spec.must_say
    ]
    if spec.has_link and channel in (Channel.SMS, Channel.WHATSAPP, Channel.EMAIL):
        groups.append(format_html("{}", screen.words["tpl_required_link"]))
    names = format_html_join(comma, "{}", ((group,) for group in groups))
    return screen.say("tpl_required", names=names) if groups else ""


def _history(
    screen: Screen, template: str, channel: Channel, language: str, in_use: int
) -> list[dict[str, Any]]:
    found = versions(template, channel, language)
    ids = [one.written_by.partition(":")[2] for one in found]
    users = {
        f"user:{user.pk}": user.get_username()
        for user in User.objects.filter(pk__in=[i for i in ids if i.isdigit()])
    }
    return [
        {
            "version": one.version,
            "label": screen.num(one.version) if one.version else screen.words["tpl_as_shipped"],
            "when": screen.moment(one.written_at) if one.written_at else "",
            "who": users.get(one.written_by, one.written_by) or "Tayyar",
            "in_use": one.version == in_use,
        }
        for one in found
    ]
