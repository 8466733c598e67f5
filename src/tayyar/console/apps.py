"""Registers the module with Django, and makes its roles when the schema is brought up to date."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConsoleConfig(AppConfig):
    """The `console` module."""

    name = "tayyar.console"
    label = "console"

    def ready(self) -> None:
        """The groups are there wherever the tables are."""
        post_migrate.connect(_ensure_roles, sender=self)


def _ensure_roles(**_: Any) -> None:
    from tayyar.console.roles import ensure_roles

    ensure_roles()
