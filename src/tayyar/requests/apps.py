"""Registers the module with Django."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """The `requests` module."""

    name = "tayyar.requests"
    label = "requests"
