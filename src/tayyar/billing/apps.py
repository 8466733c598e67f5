"""Registers the module with Django."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """The `billing` module."""

    name = "tayyar.billing"
    label = "billing"
