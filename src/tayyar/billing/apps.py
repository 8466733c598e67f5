"""Registers the module with Django, and its bills with the messages that tell of them."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """The `billing` module."""

    name = "tayyar.billing"
    label = "billing"

    def ready(self) -> None:
        """Supply what messages about bills say, the bill itself, and how several become one message."""
        from tayyar.billing.telling import bill_document, bill_issued_facts, bills_digest
        from tayyar.notifications import content
        from tayyar.notifications.kinds import BILL_KINDS

        for kind in BILL_KINDS:
            content.register_content(kind, bill_issued_facts)
            content.register_document(kind, bill_document)
            content.register_digest(kind, bills_digest)
