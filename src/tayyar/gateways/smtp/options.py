"""What an SMTP provider's entry in the providers' file may say, checked. Never opens a connection."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tayyar.core.errors import UserError

# What may stand in an SMTP command: no space, no angle brackets, no control characters.
ADDRESS = re.compile(r"[!#-;=?A-Z^-~\[\]]{1,64}@[A-Za-z0-9.\-\[\]:]{1,190}")
_MOST_CONNECTIONS = 50
_LEAST_SECRET_LETTERS = 20


class StartTls(StrEnum):
    """Whether a plain connection turns to TLS. REQUIRED also checks the server's certificate."""

    REQUIRED = "REQUIRED"
    IF_OFFERED = "IF_OFFERED"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class Options:
    """One mail server and how to speak to it.

    `verp`: each mail has an envelope sender of its own, below `bounce_address`, so that a bounce says what bounced.
    `bounces_maildir`: where mail to that address is delivered; None: it comes to the webhook, or nowhere.
    """

    host: str
    port: int = 25
    sender: str = ""
    username: str = ""
    password: str = ""
    starttls: StartTls = StartTls.IF_OFFERED
    implicit_tls: bool = False
    connections: int = 4
    verp: bool = False
    bounce_address: str = ""
    bounces_maildir: Path | None = None
    timeout_seconds: int = 60
    webhook_secret: str = ""

    @classmethod
    def parse(cls, code: str, raw: Mapping[str, Any]) -> "Options":
        """From the file's `options` of the provider `code`. UserError names what is wrong."""

        def fail(what: str) -> UserError:
            return UserError(f"The mail provider {code}: {what}")

        values = dict(raw)
        bounces = values.pop("bounces", {})
        if not isinstance(bounces, dict) or set(bounces) - {"maildir", "address"}:
            raise fail("bounces holds maildir and address, or one of them.")
        known = set(cls.__dataclass_fields__) - {"bounce_address", "bounces_maildir"}
        if unknown := set(values) - known:
            raise fail(f"{', '.join(sorted(map(str, unknown)))} is not an option of an SMTP server.")
        if missing := {"host", "sender"} - values.keys():
            raise fail(f"{' and '.join(sorted(missing))} must be given.")
        if values.get("starttls", "IF_OFFERED") not in list(StartTls):
            raise fail(f"starttls is one of {', '.join(StartTls)}.")
        for name in ("implicit_tls", "verp"):
            if not isinstance(values.get(name, False), bool):
                raise fail(f"{name} is true or false.")
        for name, most in (("port", 65535), ("connections", _MOST_CONNECTIONS), ("timeout_seconds", 600)):
            if name in values:
                values[name] = _whole(values[name])
                if not 1 <= values[name] <= most:
                    raise fail(f"{name} is a whole number from 1 to {most}.")
        for name in ("host", "sender", "username", "password", "webhook_secret"):
            values[name] = str(values.get(name, ""))
        values["starttls"] = StartTls(values.get("starttls", "IF_OFFERED"))
        maildir = bounces.get("maildir")
        address = str(bounces.get("address") or f"bounces@{values['sender'].rpartition('@')[2]}")
        options = cls(**values, bounce_address=address, bounces_maildir=Path(maildir) if maildir else None)
        for found in (options.sender, address):
            if not ADDRESS.fullmatch(found):
                raise fail(f"{found!r} is not an e-mail address.")
        if options.username and not (options.implicit_tls or options.starttls is StartTls.REQUIRED):
            raise fail(
                "a password is only sent where the server's certificate was checked: "
                "set starttls: REQUIRED, or implicit_tls: true."
            )
        if options.webhook_secret and len(options.webhook_secret) < _LEAST_SECRET_LETTERS:
            raise fail(f"webhook_secret needs {_LEAST_SECRET_LETTERS} letters or more.")
        return options


def _whole(value: Any) -> int:
    """`value`, also as text from an environment variable; 0 when it is no whole number."""
    if isinstance(value, bool):
        return 0
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else 0
