"""Registers the module with Django."""

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    """The `customers` module."""

    name = "tayyar.customers"
    label = "customers"
