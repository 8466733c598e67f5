"""The app's name."""

from django.apps import AppConfig


class DevicesApp(AppConfig):
    """Machines that stand in service centres."""

    name = "tayyar.devices"
    default_auto_field = "django.db.models.BigAutoField"
