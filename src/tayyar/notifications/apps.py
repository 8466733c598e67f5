"""Registers the module with Django, and the content of the messages whose facts it keeps itself."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """The `notifications` module."""

    name = "tayyar.notifications"
    label = "notifications"

    def ready(self) -> None:
        """Supply what messages say whose facts are sealed with them."""
        from tayyar.notifications.content import register_content
        from tayyar.notifications.payloads import KINDS, payload_facts

        for kind in KINDS:
            register_content(kind, payload_facts)
