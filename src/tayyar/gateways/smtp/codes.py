"""What an SMTP server's refusal means: codes as data. Only codes are kept; its text may repeat the address."""

import re

# Enhanced status code (RFC 3463, the IANA registry) without its class digit -> our reason.
_BY_STATUS = {
    "1.1": "NO_SUCH_MAILBOX",
    "1.2": "NO_SUCH_DOMAIN",
    "1.3": "BAD_ADDRESS",
    "1.6": "MAILBOX_MOVED",
    "1.10": "NO_SUCH_DOMAIN",
    "2.1": "MAILBOX_DISABLED",
    "2.2": "MAILBOX_FULL",
    "3.4": "TOO_LARGE",
    "4.4": "NO_ROUTE",
    "7.0": "REFUSED_BY_POLICY",
    "7.1": "REFUSED_BY_POLICY",
    "7.26": "REFUSED_BY_POLICY",
    "7.28": "TOO_MANY",
}
# Reply code (RFC 5321) where no enhanced code was given or known.
_BY_REPLY = {
    421: "SERVER_CLOSING",
    450: "MAILBOX_BUSY",
    451: "SERVER_ERROR",
    452: "SERVER_FULL",
    550: "REFUSED",
    551: "MAILBOX_MOVED",
    552: "MAILBOX_FULL",
    553: "BAD_ADDRESS",
}
_STATUS = re.compile(rb"\s*([245])\.(\d{1,3}\.\d{1,3})\b")


def meaning(code: int, answer: bytes) -> tuple[str, str]:
    """(reason, the codes alone) of an answer: 550, b"5.1.1 <a@b> unknown" -> ("NO_SUCH_MAILBOX", "550 5.1.1")."""
    match = _STATUS.match(answer)
    reason = _BY_REPLY.get(code, "TRY_LATER" if code // 100 == 4 else "REFUSED")
    if match is None:
        return reason, str(code)
    status = match[2].decode()
    return _BY_STATUS.get(status, reason), f"{code} {match[1].decode()}.{status}"


def queue_name(answer: bytes) -> str:
    """The name a server gave to a mail it took ("2.0.0 Ok: queued as 4Bx9"), if it told one."""
    match = re.search(rb"queued as ([\w.\-]{1,80})", answer)
    return match[1].decode() if match else ""
