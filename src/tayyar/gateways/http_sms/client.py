"""The HTTP SMS gateway: texts to a provider as its description says, many at once, an outcome for each.

The provider splits and charges the text; what it will charge is counted here, so that the pace holds in segments.
Receipts come by callback. Next: handover.py paces, codes.py judges the answers.
"""

import re
from collections.abc import Sequence

from tayyar.core.crypto import unseal
from tayyar.core.errors import UserError
from tayyar.core.sms_text import segments
from tayyar.gateways.handover import Job, hand_over
from tayyar.gateways.http import Connections, Request
from tayyar.gateways.http_sms.filling import as_form, as_json, filled, filled_url
from tayyar.gateways.http_sms.options import HttpSmsOptions, read_options
from tayyar.notifications.ports import (
    ADDRESS_FIELD,
    Outcome,
    Outgoing,
    Pace,
    Receipt,
    SendResult,
    SmsContent,
)
from tayyar.notifications.providers import ProviderConfig

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class HttpSmsGateway:
    """Sends through one provider. Not for sharing between threads."""

    def __init__(self, *, code: str, options: HttpSmsOptions) -> None:
        self.code, self.options = code, options
        self._connections = Connections(timeout_seconds=options.timeout_seconds)

    def send_batch(self, batch: Sequence[Outgoing], *, pace: Pace, stop_at: float) -> list[SendResult]:
        """One result per message; `pace` counts segments."""
        prepared = [self._prepared(outgoing) for outgoing in batch]
        results = [item for item in prepared if isinstance(item, SendResult)]
        return results + hand_over(
            [item for item in prepared if isinstance(item, Job)],
            connections=self._connections,
            judge=self.options.answer.judge(),
            concurrency=self.options.concurrency,
            pace=pace,
            stop_at=stop_at,
        )

    def receipts(self) -> list[Receipt]:
        """None: they come by callback."""
        return []

    def confirm(self, receipts: Sequence[Receipt]) -> None:
        """Nothing to do: the callback's answer confirmed them."""

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
        if not isinstance(content, SmsContent) or not content.text:
            return SendResult(key, Outcome.REFUSED, "BAD_CONTENT")
        try:
            units = segments(content.text)
        except UserError:  # too long, or no proper Unicode
            return SendResult(key, Outcome.REFUSED, "BAD_CONTENT")
        return Job(key, self._request(address, content.text, key.text()), units)

    def _request(self, address: str, text: str, key: str) -> Request:
        options = self.options
        values = {"to": address, "to_digits": address[1:], "text": text, "key": key}
        values |= {"from": options.sender, "token": options.token}
        url = filled_url(options.url, values)
        headers = {name: filled(value, values) for name, value in options.headers.items()}
        body = filled(options.body, values)
        if options.format == "query":
            return Request(options.method, url + ("&" if "?" in url else "?") + as_form(body), headers)
        if options.format == "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return Request(options.method, url, headers, as_form(body).encode())
        headers["Content-Type"] = "application/json"
        return Request(options.method, url, headers, as_json(body))


def build(config: ProviderConfig) -> HttpSmsGateway:
    """The gateway of an entry in the providers' file; UserError says what the entry lacks."""
    return HttpSmsGateway(code=config.code, options=read_options(config))
