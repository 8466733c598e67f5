"""Addresses of the staff screens."""

from django.urls import URLPattern

app_name = "console"
urlpatterns: list[URLPattern] = []
