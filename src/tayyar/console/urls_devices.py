"""Addresses of the staff screen about self-service machines."""

from django.urls import URLPattern, path

from tayyar.console import devices

urlpatterns: list[URLPattern] = [
    path("devices", devices.devices, name="devices"),
    path("devices/add", devices.add, name="device_add"),
    path("devices/<int:device_id>/code", devices.new_code, name="device_code"),
    path("devices/<int:device_id>/revoke", devices.revoke, name="device_revoke"),
]
