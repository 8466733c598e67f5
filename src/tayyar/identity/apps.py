"""Registers the module with Django."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """The `identity` module."""

    name = "tayyar.identity"
    label = "identity"

    def ready(self) -> None:
        """Listen to what protects a login."""
        from tayyar.identity import login_notices  # noqa: F401
