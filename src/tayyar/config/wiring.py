"""Which gateway stands behind which port: the one place that knows both."""

from django.conf import settings

from tayyar.gateways.smtp.client import SmtpGateway
from tayyar.notifications.ports import EmailGateway


def email_gateway() -> EmailGateway:
    """The gateway that sends e-mail, with a connection of its own."""
    return SmtpGateway(host=settings.EMAIL_HOST, port=settings.EMAIL_PORT, sender=settings.EMAIL_FROM)
