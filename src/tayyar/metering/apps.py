"""Registers the module with Django."""

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """The `metering` module."""

    name = "tayyar.metering"
    label = "metering"
