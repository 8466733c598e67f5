"""Registers the module with Django, and its bills with the messages that tell of them."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """The `billing` module."""

    name = "tayyar.billing"
    label = "billing"

    def ready(self) -> None:
        """Supply what messages about bills say."""
        from tayyar.billing.telling import bill_issued_facts
        from tayyar.notifications.content import register_content
        from tayyar.notifications.models import MessageKind

        for kind in (MessageKind.BILL_ISSUED, MessageKind.SINGLE_BILL_ISSUED):
            register_content(kind, bill_issued_facts)
