"""Registers the module with Django."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The `ledger` module."""

    name = "tayyar.ledger"
    label = "ledger"
