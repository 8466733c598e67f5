"""The SMTP client: a connection that lasts over batches, and an outcome for each mail.

What is certain and what is not: until the mail's last dot was sent the server has taken nothing, so a connection
that breaks before it costs nothing. After it, only the server's answer tells; without one the mail is in doubt.
"""

import contextlib
import re
import smtplib
import time
from collections.abc import Sequence

from tayyar.core.crypto import unseal
from tayyar.core.errors import UserError
from tayyar.gateways.smtp import verp
from tayyar.gateways.smtp.codes import meaning, queue_name
from tayyar.gateways.smtp.mime import compose
from tayyar.notifications.ports import EmailContent, Outcome, Outgoing, OutgoingEmail, SendResult

TIMEOUT_SECONDS = 60
_CLOSING = 421  # the server closes this connection and took nothing
_ADDRESS_FIELD = "customers.contact_point.address"
# What may stand in an SMTP command: no space, no angle brackets, no control characters.
_ADDRESS = re.compile(r"[!#-;=?A-Z^-~\[\]]{1,64}@[A-Za-z0-9.\-\[\]:]{1,190}")


class _Lost(Exception):
    """The connection broke, or the server said it would. `in_doubt`: the mail may have been taken."""

    def __init__(self, *, in_doubt: bool) -> None:
        super().__init__()
        self.in_doubt = in_doubt


class _SenderRefused(Exception):
    """The server will have no mail from us: not the fault of any recipient."""


class SmtpGateway:
    """Sends through one server. Not for sharing between threads."""

    def __init__(self, *, host: str, port: int, sender: str) -> None:
        self.host, self.port, self.sender = host, port, sender
        self._smtp: smtplib.SMTP | None = None

    def send_batch(self, mails: Sequence[OutgoingEmail], *, stop_at: float) -> list[SendResult]:
        """One result per mail. When the server cannot be reached the rest of the batch comes back NOT_TRIED."""
        results: list[SendResult] = []
        for index, mail in enumerate(mails):
            if time.monotonic() >= stop_at:
                return results + _not_tried(mails[index:], "OUT_OF_TIME")
            try:
                results.append(self._send(mail))
            except _SenderRefused:
                self.close()
                return results + _not_tried(mails[index:], "SENDER_REFUSED")
            except (OSError, smtplib.SMTPException):  # no connection to be had
                return results + _not_tried(mails[index:], "SERVER_UNREACHABLE")
        return results

    def close(self) -> None:
        """End the connection politely."""
        if self._smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
            self._drop()

    def _drop(self) -> None:
        """Forget the connection without another word, which a lost one would wait for in vain."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is None:
            smtp = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
            smtp.ehlo_or_helo_if_needed()
            self._smtp = smtp
        return self._smtp

    def _send(self, mail: OutgoingEmail) -> SendResult:
        try:
            address = unseal(mail.address_sealed, field=_ADDRESS_FIELD)
        except UserError:
            return SendResult(mail.key, Outcome.TRY_LATER, "ADDRESS_SEALED")
        if not _ADDRESS.fullmatch(address):
            return SendResult(mail.key, Outcome.REFUSED, "BAD_ADDRESS")
        try:
            content = compose(
                Outgoing(
                    key=mail.key,
                    address_sealed=mail.address_sealed,
                    language=mail.language,
                    content=(words := EmailContent(mail.sender_name, mail.subject, mail.text, mail.html)),
                    message_id=mail.message_id,
                    dated=mail.dated,
                ),
                words,
                sender=self.sender,
                to=address,
                provider="smtp",
                token=verp.token(mail.key),
            )
        except ValueError:
            return SendResult(mail.key, Outcome.REFUSED, "BAD_CONTENT")
        try:
            code, answer = self._hand_over_once_more_if_lost(address, content)
        except _Lost as lost:
            outcome = Outcome.IN_DOUBT if lost.in_doubt else Outcome.TRY_LATER
            return SendResult(mail.key, outcome, "CONNECTION_LOST")
        if code // 100 == 2:
            return SendResult(mail.key, Outcome.SENT, provider_ref=queue_name(answer))
        self._reset()
        reason, codes = meaning(code, answer)
        outcome = Outcome.REFUSED if code // 100 == 5 else Outcome.TRY_LATER
        return SendResult(mail.key, outcome, reason, codes)

    def _hand_over_once_more_if_lost(self, address: str, content: bytes) -> tuple[int, bytes]:
        """Servers close idle and well-used connections: one loss that left nothing in doubt is no failure."""
        try:
            return self._hand_over(address, content)
        except _Lost as lost:
            if lost.in_doubt:
                raise
            return self._hand_over(address, content)

    def _hand_over(self, address: str, content: bytes) -> tuple[int, bytes]:
        """The dialogue of one mail; returns the answer that settled it. Closes the connection when it is lost."""
        smtp = self._connected()
        handed_over = False
        try:
            code, answer = smtp.docmd(f"MAIL FROM:<{self.sender}>")
            if code // 100 == 5:
                raise _SenderRefused
            if code == 250:
                code, answer = smtp.docmd(f"RCPT TO:<{address}>")
                if code in (250, 251):
                    code, answer = smtp.docmd("DATA")
                    if code == 354:
                        handed_over = True
                        smtp.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                        code, answer = smtp.getreply()
        except (OSError, smtplib.SMTPException):
            self._drop()
            raise _Lost(in_doubt=handed_over) from None
        if code // 100 not in (2, 4, 5):  # no answer that SMTP knows
            self._drop()
            raise _Lost(in_doubt=handed_over)
        if code == _CLOSING:
            self._drop()
            raise _Lost(in_doubt=False)
        return code, answer

    def _reset(self) -> None:
        """Clear the refused mail from the connection; a connection that cannot is dropped."""
        if self._smtp is None:
            return
        try:
            if self._smtp.rset()[0] != 250:
                self._drop()
        except (OSError, smtplib.SMTPException):
            self._drop()


def _not_tried(mails: Sequence[OutgoingEmail], reason: str) -> list[SendResult]:
    return [SendResult(mail.key, Outcome.NOT_TRIED, reason) for mail in mails]
