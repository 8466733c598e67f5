"""The WhatsApp gateway: templates to the Cloud API, many requests at once, an outcome for each.

A request that was written and not answered is in doubt: Meta knows no idempotency key, so only a status that echoes
the message's key tells. Receipts come by webhook, not here. Next: handover.py paces, codes.py judges the answers.
"""

import json
import re
from collections.abc import Sequence

from tayyar.core.crypto import unseal
from tayyar.core.errors import UserError
from tayyar.gateways.handover import Job, hand_over
from tayyar.gateways.http import Connections, Request
from tayyar.gateways.whatsapp.codes import judge
from tayyar.gateways.whatsapp.options import WhatsAppOptions, read_options
from tayyar.gateways.whatsapp.payload import message
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    Outcome,
    Outgoing,
    Pace,
    Receipt,
    SendResult,
    WhatsAppContent,
)
from tayyar.notifications.providers import ProviderConfig

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class WhatsAppGateway:
    """Sends from one number. Not for sharing between threads."""

    def __init__(self, *, code: str, options: WhatsAppOptions) -> None:
        self.code, self.options = code, options
        self._connections = Connections(timeout_seconds=options.timeout_seconds)
        self._headers = {
            "Authorization": f"Bearer {options.access_token}",
            "Content-Type": "application/json",
        }

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """One result per message. What Meta says it did not take because of us comes back NOT_TRIED, with the rest."""
        prepared = [self._prepared(outgoing) for outgoing in batch]
        results = [item for item in prepared if isinstance(item, SendResult)]
        return results + hand_over(
            [item for item in prepared if isinstance(item, Job)],
            connections=self._connections,
            judge=judge,
            concurrency=self.options.concurrency,
            pace=pace,
            stop_at=stop_at,
        )

    def receipts(self) -> list[Receipt]:
        """None: they come by webhook."""
        return []

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """Nothing to do: the webhook's answer confirmed them."""

    def close(self) -> None:
        """End the connections."""
        self._connections.close()

    def _prepared(self, outgoing: Outgoing) -> Job | SendResult:
        content, key = outgoing.content, outgoing.key
        try:
            address = unseal(outgoing.address_sealed, field=ADDRESS_FIELD)
        except UserError:
            return SendResult(key, Outcome.TRY_LATER, "ADDRESS_SEALED")
        if not _NUMBER.fullmatch(address):
            return SendResult(key, Outcome.BAD_CONTACT, "BAD_ADDRESS")
        if not isinstance(content, WhatsAppContent):
            return SendResult(key, Outcome.REFUSED, "BAD_CONTENT")
        language_code = self.options.languages.get(outgoing.language)
        if language_code is None:
            return SendResult(key, Outcome.REFUSED, "LANGUAGE_NOT_OFFERED")
        names = self.options.parameter_names.get(content.template, ())
        if names and len(names) != len(content.parameters):
            return SendResult(key, Outcome.REFUSED, "TEMPLATE_PARAMETER_COUNT")
        payload = message(
            content, to=address, language_code=language_code, echo=key.text(), parameter_names=names
        )
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
        return Job(key, Request("POST", self.options.messages_url, self._headers, body))


def build(config: ProviderConfig) -> WhatsAppGateway:
    """The gateway of an entry in the providers' file; UserError says what the entry lacks."""
    return WhatsAppGateway(code=config.code, options=read_options(config))
