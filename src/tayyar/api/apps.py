"""Registers the module with Django."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The `api` module."""

    name = "tayyar.api"
    label = "api"
