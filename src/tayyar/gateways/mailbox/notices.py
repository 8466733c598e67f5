"""The notices that a mail server elsewhere would send back: a delivery status (RFC 3464), a complaint (RFC 5965).

Made with the standard library, for the local mailbox only; they go to the envelope's sender, as real ones do.
"""

from email import message_from_bytes, message_from_string
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formatdate, make_msgid

_NAME = "mailbox.tayyar.example"


def bounce(*, sender: str, recipient: str, answer: str, original: bytes) -> bytes:
    """That `recipient` cannot be reached, with the `answer` ("550 5.1.1 ...") of the server that said so."""
    fields = (
        f"Reporting-MTA: dns; {_NAME}\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: {answer.split()[1]}\n"
        f"Diagnostic-Code: smtp; {answer}\n"
    )
    words = f"Your message could not be delivered.\n\n<{recipient}>: {answer}\n"
    return _report("delivery-status", sender, words, fields, original)


def complaint(*, sender: str, recipient: str, original: bytes) -> bytes:
    """That the reader reported the mail as unwanted."""
    fields = (
        f"Feedback-Type: abuse\nUser-Agent: {_NAME}\nVersion: 1\n"
        f"Original-Mail-From: <{sender}>\nOriginal-Rcpt-To: <{recipient}>\n"
    )
    words = "This is a report about a message that its reader does not want.\n"
    return _report("feedback-report", sender, words, fields, original)


def _report(kind: str, to: str, words: str, fields: str, original: bytes) -> bytes:
    report = MIMEMultipart("report")
    report.set_param("report-type", kind)
    report["From"] = f"Mail Delivery System <MAILER-DAEMON@{_NAME}>"
    report["To"] = to
    report["Subject"] = "Undelivered Mail Returned to Sender" if kind == "delivery-status" else "Complaint"
    report["Date"] = formatdate()
    report["Message-ID"] = make_msgid(domain=_NAME)
    report["Auto-Submitted"] = "auto-replied"
    told, returned = Message(), Message()
    told["Content-Type"] = f"message/{kind}"
    told.set_payload([message_from_string(block) for block in fields.split("\n\n")])
    returned["Content-Type"] = "message/rfc822"
    returned.set_payload([message_from_bytes(original)])
    for part in (MIMEText(words), told, returned):
        report.attach(part)
    return report.as_bytes()
