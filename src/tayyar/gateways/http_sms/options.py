"""The description of an HTTP SMS provider, read from its entry in the providers' file and checked.

The least that is needed:
    url: https://sms.example/v1/messages
    sender: TAYYAR
    token: ${SMS_TOKEN}
    headers: {Authorization: "Bearer ${token}"}
    callback_secret: ${SMS_CALLBACK_SECRET}
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tayyar.core.errors import UserError
from tayyar.gateways.http_sms.callback import DEFAULT_STATES, CallbackRules
from tayyar.gateways.http_sms.codes import AnswerRules, Meaning
from tayyar.gateways.http_sms.filling import check_slots, uses
from tayyar.notifications.ports import Outcome, ReceiptState
from tayyar.notifications.providers import ProviderConfig

_SLOTS = frozenset({"to", "to_digits", "text", "from", "key", "token"})
_HEADER_SLOTS = frozenset({"from", "key", "token"})  # none that a line break could be in
_BODY = {"to": "${to}", "from": "${from}", "text": "${text}", "reference": "${key}"}
_FORMATS = ("json", "form", "query")
_CALLBACK_NAMES = {"check", "name", "items", "key", "id", "state", "to", "at", "reason", "cost", "states"}
_NAMES = {
    *("url", "method", "format", "headers", "body", "sender", "token", "concurrency", "timeout_seconds"),
    *("accepted", "message_id", "error_code", "errors", "statuses", "callback", "callback_secret"),
}


@dataclass(frozen=True, slots=True)
class HttpSmsOptions:
    """The request, with ${to} (E.164), ${to_digits} (without +), ${text}, ${from}, ${key}, ${token} to be filled in.

    `format`: the body goes as JSON, as a form, or in the address's query. `concurrency`: how many requests may be
    under way; about the permitted rate times the seconds an answer takes.
    """

    url: str
    method: str = "POST"
    format: str = "json"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = field(default_factory=lambda: dict(_BODY))
    sender: str = ""
    token: str = field(default="", repr=False)
    concurrency: int = 32
    timeout_seconds: int = 30
    answer: AnswerRules = field(default_factory=AnswerRules)
    callback: CallbackRules | None = None


def read_options(config: ProviderConfig) -> HttpSmsOptions:
    """The entry's options; UserError names what is wrong."""
    raw, where = config.options, f"Provider {config.code}"
    if unknown := set(raw) - _NAMES:
        raise UserError(f"{where}: {', '.join(sorted(unknown))} is no option of http_sms.")
    url = _text(raw, "url", where)
    if not re.fullmatch(r"https?://[!-~]+", url):
        raise UserError(f"{where} needs url, which begins with https:// and holds no space.")
    method, form = raw.get("method", "POST"), raw.get("format", "json")
    if method not in ("GET", "POST", "PUT") or form not in _FORMATS or (method == "GET" and form != "query"):
        raise UserError(
            f"{where}: method is GET, POST or PUT; format is json, form or query, and query for GET."
        )
    options = HttpSmsOptions(
        url=url,
        method=method,
        format=form,
        headers=_texts(raw, "headers", where),
        body=_body(raw.get("body", dict(_BODY)), form, where),
        sender=_text(raw, "sender", where),
        token=_text(raw, "token", where),
        concurrency=_whole(raw, "concurrency", 32, 1000, where),
        timeout_seconds=_whole(raw, "timeout_seconds", 30, 300, where),
        answer=_answer(raw, where),
        callback=_callback(raw, where),
    )
    _check_slots(options, where)
    return options


def _check_slots(options: HttpSmsOptions, where: str) -> None:
    check_slots(options.url, _SLOTS, f"{where}, url")
    check_slots(options.body, _SLOTS, f"{where}, body")
    check_slots(options.headers, _HEADER_SLOTS, f"{where}, headers")
    whole = [options.url, options.body, options.headers]
    for slot, value, name in (("from", options.sender, "sender"), ("token", options.token, "token")):
        if uses(whole, slot) and not value:
            raise UserError(f"{where}: ${{{slot}}} is used, so {name} must be given.")
    if not uses(whole, "text") or not (uses(whole, "to") or uses(whole, "to_digits")):
        raise UserError(f"{where}: ${{text}} and ${{to}} or ${{to_digits}} must stand in body or url.")
    if not re.fullmatch(r"[ -~]*", options.sender + options.token + "".join(options.headers.values())):
        raise UserError(f"{where}: sender, token and headers hold letters without accents only.")


def _body(raw: Any, form: str, where: str) -> Any:
    if form == "json":
        if not isinstance(raw, dict | list):
            raise UserError(f"{where}: body is a map or a list, as it is to be in JSON.")
        return raw
    if not isinstance(raw, dict) or any(isinstance(value, dict | list) for value in raw.values()):
        raise UserError(f"{where}: body is a map of plain values, as format is {form}.")
    return raw


def _answer(raw: Mapping[str, Any], where: str) -> AnswerRules:
    accepted = raw.get("accepted")
    if accepted is not None and not (
        isinstance(accepted, dict)
        and accepted.keys() == {"path", "equals"}
        and isinstance(accepted["path"], str)
    ):
        raise UserError(f"{where}: accepted is written {{path: status, equals: [ok, queued]}}.")
    rule = None
    if accepted is not None:
        values = accepted["equals"] if isinstance(accepted["equals"], list) else [accepted["equals"]]
        rule = (
            accepted["path"],
            frozenset(str(value).lower() if isinstance(value, bool) else str(value) for value in values),
        )
    return AnswerRules(
        accepted=rule,
        message_id=_text(raw, "message_id", where, "id"),
        error_code=_text(raw, "error_code", where, "error.code"),
        errors=_meanings(raw, "errors", where),
        statuses=_meanings(raw, "statuses", where),
    )


def _meanings(raw: Mapping[str, Any], name: str, where: str) -> dict[str, Meaning]:
    table = raw.get(name, {})
    complaint = (
        f"{where}: {name} maps a code to [REASON, OUTCOME]; OUTCOME is REFUSED, BAD_CONTACT, TRY_LATER, IN_DOUBT, "
        "NOT_TRIED or THROTTLED."
    )
    if not isinstance(table, dict):
        raise UserError(complaint)
    meanings = {}
    for code, entry in table.items():
        if not (
            isinstance(entry, list)
            and len(entry) == 2
            and re.fullmatch(r"[A-Z][A-Z0-9_]{0,39}", str(entry[0]))
        ):
            raise UserError(complaint)
        reason, word = entry
        if not isinstance(word, str) or word not in {*Outcome, "THROTTLED"} - {Outcome.SENT}:
            raise UserError(complaint)
        is_throttled = word == "THROTTLED"
        meanings[str(code)] = Meaning(
            reason, Outcome.TRY_LATER if is_throttled else Outcome(word), is_throttled
        )
    return meanings


def _callback(raw: Mapping[str, Any], where: str) -> CallbackRules | None:
    secret, given = _text(raw, "callback_secret", where), raw.get("callback", {})
    if not isinstance(given, dict) or set(given) - _CALLBACK_NAMES:
        raise UserError(f"{where}: callback is a map of {', '.join(sorted(_CALLBACK_NAMES))}.")
    if not secret:
        if given:
            raise UserError(f"{where}: callback needs callback_secret, or anybody could send receipts.")
        return None
    fields = {name: value for name, value in given.items() if name != "states"}
    if not all(isinstance(value, str) for value in fields.values()):
        raise UserError(f"{where}: callback's paths are texts like data.0.status.")
    if fields.get("check", "header") not in ("header", "query", "hmac"):
        raise UserError(f"{where}: callback's check is header, query or hmac.")
    states = given.get("states", {})
    if not isinstance(states, dict) or not all(value in list(ReceiptState) for value in states.values()):
        raise UserError(f"{where}: callback's states map its words to {', '.join(ReceiptState)}.")
    own = {str(word).upper(): ReceiptState(state) for word, state in states.items()}
    return CallbackRules(
        secret=secret, states={**DEFAULT_STATES, **own}, errors=_meanings(raw, "errors", where), **fields
    )


def _text(raw: Mapping[str, Any], name: str, where: str, default: str = "") -> str:
    value = raw.get(name, default)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UserError(f"{where}: {name} is a text.")
    return str(value)


def _texts(raw: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    value = raw.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise UserError(f"{where}: {name} is a map of texts.")
    return {str(key): text for key, text in value.items()}


def _whole(raw: Mapping[str, Any], name: str, default: int, most: int, where: str) -> int:
    value = raw.get(name, default)
    if type(value) is not int or not 1 <= value <= most:
        raise UserError(f"{where}: {name} is a whole number from 1 to {most}.")
    return value
