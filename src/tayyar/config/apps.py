"""Puts the outside parties behind their ports once Django has its models."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    """The `config` module."""

    name = "tayyar.config"
    label = "config"

    def ready(self) -> None:
        """Give the identity module its authorities."""
        from tayyar.config.authorities import configured
        from tayyar.identity.authorities import use

        use(configured)
