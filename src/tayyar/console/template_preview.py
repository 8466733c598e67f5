"""What an editor sees of words while typing: the message with real or sample values, its length and its cost.

Reads only; the view records whose data was looked at. Never stores words. Next: template_editor.py shows it.
"""

from dataclasses import replace
from typing import Any

from django.utils.html import format_html_join

from tayyar.billing.models import Bill
from tayyar.console import queries
from tayyar.console.screen import Screen
from tayyar.core.errors import UserError
from tayyar.core.money import divide_half_up
from tayyar.core.sms_text import describe
from tayyar.core.text import RTL_LANGUAGES, currency_word, format_number
from tayyar.customers.models import Channel, CustomerAccount
from tayyar.notifications import content, templates, variables
from tayyar.notifications import words as words_of
from tayyar.notifications.content import Facts, MessageKey
from tayyar.notifications.kinds import MessageKind
from tayyar.notifications.ports import SmsContent, WhatsAppContent
from tayyar.notifications.providers import configured
from tayyar.notifications.words import Words

MANY_SEGMENTS = 3
_MICRO_DIGITS = 6


def facts_for(template: str, language: str, account_id: int | None) -> tuple[Facts, str]:
    """Sample facts, with the values of the account's newest bill wherever the template has them; and the template
    that bill is really told with, "" when the account has no bill or none was asked for."""
    sample = variables.sample_facts(template, language)
    if account_id is None:
        return sample, ""
    bill = Bill.objects.filter(account_id=account_id).order_by("-period", "-revision").first()
    if bill is None:
        return sample, ""
    key = MessageKey(bill.period, MessageKind.BILL_ISSUED, bill.number, 0, account_id, language)
    real = content.facts_of([key])[bill.number, 0]
    if "digest" in template:
        real = content.digest_of([key]) or real
    values = {**sample.values, **{name: text for name, text in real.values.items() if name in sample.values}}
    if "holder_name" in values:
        values["holder_name"] = (
            CustomerAccount.objects.select_related("customer").get(id=account_id).customer.name
        )
    found = replace(
        real,
        template=template,
        values=values,
        url=real.url if sample.url else "",
        document_url=real.document_url or sample.document_url,
        document_name=real.document_name or sample.document_name,
    )
    return found, real.template


def problems(screen: Screen, template: str, channel: Channel, words: Words) -> list[str]:
    """Why the words cannot be sent, in the reader's language."""
    said: list[str] = []
    for problem in words_of.problems(template, channel, words):
        field = screen.words.get(f"tpl_field_{problem.field}", problem.field)
        said.append(screen.say(f"tpl_problem_{problem.code}", field=field, detail=problem.detail))
    return said


def preview(
    screen: Screen, template: str, channel: Channel, language: str, words: Words, account_id: int | None
) -> dict[str, Any]:
    """The context of the preview: `problems`, or `texts` filled in with what the channel adds to them."""
    if wrong := problems(screen, template, channel, words):
        return {"problems": wrong, "has_bill": False}
    facts, told_with = facts_for(template, language, account_id)
    complete = words_of.complete(channel, words)
    shown: dict[str, Any] = {
        "channel": channel.name,
        "language": language,
        "dir": "rtl" if language in RTL_LANGUAGES else "ltr",
        "utility": screen.profile.utility_names[language],
        "texts": _filled(facts, complete),
        "rows": facts.rows,
    }
    shown["has_bill"] = bool(told_with)
    if told_with and told_with != template:
        shown["other"] = screen.say("tpl_other_words", template=screen.words[f"tpl_name_{told_with}"])
    segments = 1
    if channel != Channel.CALL:
        compiled = words_of.compile_words(channel, language, complete)
        try:
            message = templates.fill(facts, compiled, channel, language)
        except UserError as error:  # a value that this very bill has not
            return {"problems": [str(error)], "is_english": True, "has_bill": True}
        if isinstance(message, SmsContent):
            shown["texts"] = {"text": message.text}
            found = describe(message.text)
            segments = found.segments
            shown["sms"] = {
                "encoding": "UCS-2" if found.encoding == "UCS2" else "GSM-7",
                "length": screen.num(found.length),
                "segments": screen.num(segments),
                "left": screen.num(found.left),
                "warning": screen.say("tpl_too_long", parts=screen.num(segments))
                if segments >= MANY_SEGMENTS
                else "",
            }
        if isinstance(message, WhatsAppContent):
            names = format_html_join(
                " ",
                '<code dir="ltr">{}</code>',
                ((f"{{{{{n}}}}} = {name}",) for n, name in enumerate(compiled.parameters, 1)),
            )
            shown["parameters"] = screen.say(
                "tpl_approval", parameters=names or screen.words["tpl_no_parameters"]
            )
    shown["cost"] = _cost(screen, channel, segments)
    return shown


def _filled(facts: Facts, words: Words) -> dict[str, Any]:
    """Each text with its values, for a look that is the console's own: its pages run no mail's inline style."""
    values = {**facts.values, "url": facts.url, "url_path": facts.url.split("/", 3)[-1]}
    values["utility_name"] = facts.utility_name
    texts: dict[str, Any] = {
        name: words_of.pattern(text) % _Blank(values) for name, text in words.items() if name != "details"
    }
    lines = (words_of.pattern(words.get("details", "")) % _Blank(values)).splitlines()
    texts["details"] = [[part.strip() for part in line.split("|", 1)] for line in lines]
    return texts


class _Blank(dict[str, str]):
    """Values of which one may be missing: `templates.fill` says so."""

    def __missing__(self, key: str) -> str:
        return ""


def _cost(screen: Screen, channel: Channel, segments: int) -> dict[str, Any] | None:
    """What a message costs with the dearest provider in use, and for all accounts; None where no price is known."""
    try:
        prices = [p.cost_micro for p in configured().values() if p.channel == channel and p.weight]
    except UserError:
        return None
    cost_micro = max(prices, default=0) * segments
    if not cost_micro:
        return None
    currency, accounts = screen.profile.currency, queries.account_estimate()
    one = format_number(cost_micro, screen.lang, screen.formats.digits, decimals=_MICRO_DIGITS, trim=True)
    minor = divide_half_up(cost_micro * accounts, 10 ** (_MICRO_DIGITS - currency.minor_digits))
    return {
        "one": f"{one} {currency_word(currency, screen.lang, screen.formats)}",
        "label": screen.say("tpl_cost_all", accounts=screen.num(accounts)),
        "all": screen.money(minor) if accounts else "",
    }
