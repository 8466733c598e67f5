"""The SMTP gateway: one mail server behind the port of notifications, with its connections and its bounces.

It unseals the address, gives the mail its bytes and hands it over (sending.py); what comes back of it is read by
bounce_box.py. Results and receipts go to notifications.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from tayyar.core.crypto import unseal
from tayyar.core.errors import UserError
from tayyar.gateways.smtp import verp
from tayyar.gateways.smtp.bounce_box import BounceBox
from tayyar.gateways.smtp.dialogue import Envelope
from tayyar.gateways.smtp.link import Link, connect
from tayyar.gateways.smtp.mime import compose
from tayyar.gateways.smtp.options import ADDRESS, Options
from tayyar.gateways.smtp.sending import Sending, without_idle
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    EmailContent,
    Outcome,
    Outgoing,
    Pace,
    Receipt,
    SendResult,
)
from tayyar.notifications.providers import ProviderConfig

_IDLE_SECONDS = 20.0


class SmtpGateway:
    """Sends through one server. Not for sharing between threads. UserError when an option is wrong."""

    def __init__(self, *, code: str, options: Mapping[str, Any]) -> None:
        self.code = code
        self.options = Options.parse(code, options)
        self._links: list[Link] = []
        self._box = BounceBox(self.options.bounces_maildir) if self.options.bounces_maildir else None

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """One result per mail; NOT_TRIED with the reason when the server cannot be reached or takes nothing of us."""
        sending = Sending(
            batch,
            prepare=self._prepare,
            connect=functools.partial(connect, self.options),
            links=self._links,
            most_links=self.options.connections,
            timeout_seconds=self.options.timeout_seconds,
            pace=pace,
            stop_at=stop_at,
        )
        return sending.run()

    def receipts(self) -> list[Receipt]:
        """Bounces and complaints that came; connections at rest for long are ended."""
        self._links = without_idle(self._links, idle_seconds=_IDLE_SECONDS)
        return self._box.receipts() if self._box else []

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """Stored: their mails are removed from the bounces' Maildir."""
        if self._box:
            self._box.confirm(receipts)

    def close(self) -> None:
        """End the connections politely."""
        self._links = without_idle(self._links, idle_seconds=-1.0)
        if self._box:
            self._box.close()

    def _prepare(self, number: int, mail: Outgoing) -> Envelope | SendResult:
        try:
            address = unseal(mail.address_sealed, field=ADDRESS_FIELD)
        except UserError:
            return SendResult(mail.key, Outcome.TRY_LATER, "ADDRESS_SEALED")
        if not ADDRESS.fullmatch(address):
            return SendResult(mail.key, Outcome.BAD_CONTACT, "BAD_ADDRESS")
        if not isinstance(mail.content, EmailContent):
            return SendResult(mail.key, Outcome.REFUSED, "BAD_CONTENT")
        sender, token = self.options.sender, verp.token(mail.key)
        try:
            content = compose(mail, mail.content, sender=sender, to=address, provider=self.code, token=token)
        except ValueError:
            return SendResult(mail.key, Outcome.REFUSED, "BAD_CONTENT")
        if self.options.verp:
            sender = verp.envelope_sender(token, self.options.bounce_address)
        return Envelope(number, sender, address, content)


def build(config: ProviderConfig) -> SmtpGateway:
    """The gateway of one entry in the providers' file."""
    return SmtpGateway(code=config.code, options=config.options)
