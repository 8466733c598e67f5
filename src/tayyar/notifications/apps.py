"""Registers the module with Django."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """The `notifications` module."""

    name = "tayyar.notifications"
    label = "notifications"
