"""Registers the module with Django."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The `core` module."""

    name = "tayyar.core"
    label = "core"
