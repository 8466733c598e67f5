"""Registers the module with Django."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The `portal` module."""

    name = "tayyar.portal"
    label = "portal"
