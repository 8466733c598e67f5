"""Registers the module with Django."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The `console` module."""

    name = "tayyar.console"
    label = "console"
