"""The app's name."""

from django.apps import AppConfig


class KioskApp(AppConfig):
    """Pages of self-service machines."""

    name = "tayyar.kiosk"
    default_auto_field = "django.db.models.BigAutoField"
