"""Addresses of the staff screens about paper and calls."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
