"""What an HTTP SMS provider's answer means: tables as data, its own before the general one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tayyar.gateways.handover import Judge, Verdict
from tayyar.gateways.http import Answer
from tayyar.gateways.http_sms.filling import text_at, value_at
from tayyar.notifications.ports import Outcome


class Meaning(NamedTuple):
    """Our reason and outcome for one of its codes."""

    reason: str
    outcome: Outcome
    is_throttled: bool = False


# A bad gateway or a time-out there says nothing about what happened behind it.
BY_STATUS: Mapping[str, Meaning] = {
    "400": Meaning("BAD_REQUEST", Outcome.REFUSED),
    "401": Meaning("TOKEN_INVALID", Outcome.NOT_TRIED),
    "402": Meaning("ACCOUNT_UNPAID", Outcome.NOT_TRIED),
    "403": Meaning("NO_PERMISSION", Outcome.NOT_TRIED),
    "404": Meaning("ADDRESS_UNKNOWN", Outcome.NOT_TRIED),
    "405": Meaning("BAD_METHOD", Outcome.NOT_TRIED),
    "408": Meaning("SERVER_UNAVAILABLE", Outcome.TRY_LATER),
    "429": Meaning("THROTTLED", Outcome.TRY_LATER, is_throttled=True),
    "500": Meaning("SERVER_ERROR", Outcome.TRY_LATER),
    "502": Meaning("NO_ANSWER", Outcome.IN_DOUBT),
    "503": Meaning("SERVER_UNAVAILABLE", Outcome.TRY_LATER),
    "504": Meaning("NO_ANSWER", Outcome.IN_DOUBT),
}
# A code of the provider's that is safe to keep: words, or too few digits for a telephone number.
_CODE = re.compile(r"[A-Z][A-Z_]{0,29}|[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """How to read an answer; every path is like "messages.0.id".

    `accepted`: the path and the values there that mean yes; without it any 2xx does. `message_id`: where the
    provider names the message. `error_code`: where it tells why not, looked up in `errors`; `statuses` adds to
    `BY_STATUS`.
    """

    accepted: tuple[str, frozenset[str]] | None = None
    message_id: str = "id"
    error_code: str = "error.code"
    errors: Mapping[str, Meaning] = field(default_factory=dict)
    statuses: Mapping[str, Meaning] = field(default_factory=dict)

    def judge(self) -> Judge:
        """The judge of this provider's answers."""
        return self._verdict

    def _verdict(self, answer: Answer) -> Verdict:
        content = answer.json()
        is_success = 200 <= answer.status <= 299
        known = self.errors.get(text_at(content, self.error_code))
        if is_success and self._is_accepted(content, known):
            return Verdict(Outcome.SENT, provider_ref=text_at(content, self.message_id))
        if known is None:
            known = self.statuses.get(str(answer.status)) or BY_STATUS.get(str(answer.status))
        if known is None:
            known = _unlisted(answer.status, is_readable=content is not None)
        return Verdict(known.outcome, known.reason, is_throttled=known.is_throttled)

    def _is_accepted(self, content: object, known: Meaning | None) -> bool:
        if self.accepted is None:
            return known is None
        path, values = self.accepted
        return _spelled(content, path) in values


def kept_code(text: str) -> str:
    """A code of the provider's as a reason of ours: "rejected by filter" -> "REJECTED_BY_FILTER", "1201" ->
    "SMS_1201"; "" for what might hold more than a code."""
    code = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    if not _CODE.fullmatch(code):
        return ""
    return f"SMS_{code}" if code.isdigit() else code


def _spelled(content: object, path: str) -> str:
    value = value_at(content, path)
    return str(value).lower() if isinstance(value, bool) else text_at(content, path)


def _unlisted(status: int, *, is_readable: bool) -> Meaning:
    if 200 <= status <= 299:
        if is_readable:
            return Meaning("NOT_ACCEPTED", Outcome.REFUSED)
        return Meaning("ANSWER_UNREADABLE", Outcome.IN_DOUBT)
    if status < 400:
        return Meaning(f"HTTP_{status}", Outcome.NOT_TRIED)
    return Meaning(f"HTTP_{status}", Outcome.TRY_LATER if status >= 500 else Outcome.REFUSED)
