"""Registers the module with Django."""

from django.apps import AppConfig


class ClaimsConfig(AppConfig):
    """The `claims` module."""

    name = "tayyar.claims"
    label = "claims"
