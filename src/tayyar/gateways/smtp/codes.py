"""What an SMTP server's refusal means: codes as data. Only codes are kept; its text may repeat the address.

The same tables read an answer given at once and one that comes back later in a bounce.
"""

import re

from tayyar.notifications.ports import Outcome, ReceiptState

# Enhanced status code (RFC 3463, the IANA registry) without its class digit -> our reason.
_BY_STATUS = {
    "1.0": "NO_SUCH_MAILBOX",
    "1.1": "NO_SUCH_MAILBOX",
    "1.2": "NO_SUCH_DOMAIN",
    "1.3": "BAD_ADDRESS",
    "1.4": "BAD_ADDRESS",
    "1.6": "MAILBOX_MOVED",
    "1.7": "SENDER_REFUSED",
    "1.8": "SENDER_REFUSED",
    "1.10": "NO_SUCH_DOMAIN",
    "2.1": "MAILBOX_DISABLED",
    "2.2": "MAILBOX_FULL",
    "2.3": "TOO_LARGE",
    "3.4": "TOO_LARGE",
    "4.4": "NO_ROUTE",
    "4.7": "GAVE_UP",
    "7.28": "TOO_MANY",
}
# Reply code (RFC 5321, RFC 7504) where no enhanced code was given or known.
_BY_REPLY = {
    421: "SERVER_CLOSING",
    450: "MAILBOX_BUSY",
    451: "SERVER_ERROR",
    452: "SERVER_FULL",
    521: "NO_SUCH_DOMAIN",
    551: "MAILBOX_MOVED",
    552: "MAILBOX_FULL",
    556: "NO_SUCH_DOMAIN",
}
# These speak of the address itself. A bare 550 or 553 does not: servers say it of policy too.
_BAD_CONTACT = {"NO_SUCH_MAILBOX", "NO_SUCH_DOMAIN", "BAD_ADDRESS", "MAILBOX_MOVED", "MAILBOX_DISABLED"}
_STATUS = re.compile(rb"\s*([245])\.(\d{1,3}\.\d{1,3})\b")


def meaning(code: int, answer: bytes) -> tuple[str, str]:
    """(reason, the codes alone) of an answer: 550, b"5.1.1 <a@b> unknown" -> ("NO_SUCH_MAILBOX", "550 5.1.1")."""
    match = _STATUS.match(answer)
    reason = _BY_REPLY.get(code, "TRY_LATER" if code // 100 == 4 else "REFUSED")
    if match is None:
        return reason, str(code)
    status = match[2].decode()
    return _reason(status) or reason, f"{code} {match[1].decode()}.{status}"


def outcome(code: int, reason: str) -> Outcome:
    """How a mail ended that was answered by a 4xx or 5xx with this reason. A full mailbox is always for now only."""
    if code // 100 == 4 or reason == "MAILBOX_FULL":
        return Outcome.TRY_LATER
    return Outcome.BAD_CONTACT if reason in _BAD_CONTACT else Outcome.REFUSED


def bounced(status: str, reply: int | None) -> tuple[ReceiptState, str]:
    """What it means that a server gave a mail up: status "5.1.1", with the reply code behind it where one is known.

    A class 4 status in a final notice is a server that tried for days and stopped.
    """
    kind, _, subject = status.partition(".")
    reason = _reason(subject) or (_BY_REPLY.get(reply) if reply else None) or "REFUSED"
    if kind == "4" or subject == "4.7":
        return ReceiptState.EXPIRED, reason if reason != "REFUSED" else "GAVE_UP"
    return (ReceiptState.BAD_CONTACT if reason in _BAD_CONTACT else ReceiptState.FAILED), reason


def queue_name(answer: bytes) -> str:
    """The name a server gave to a mail it took ("2.0.0 Ok: queued as 4Bx9"), if it told one."""
    match = re.search(rb"queued as ([\w.\-]{1,80})", answer)
    return match[1].decode() if match else ""


def _reason(status: str) -> str | None:
    """Of "1.1", without the class; every 7.x is policy."""
    return _BY_STATUS.get(status) or ("REFUSED_BY_POLICY" if status.startswith("7.") else None)
