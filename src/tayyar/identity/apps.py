"""Registers the module with Django."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """The `identity` module."""

    name = "tayyar.identity"
    label = "identity"
