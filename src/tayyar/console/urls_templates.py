"""Addresses of the staff screens about the templates' editor."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
