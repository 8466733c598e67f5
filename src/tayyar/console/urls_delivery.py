"""Addresses of the staff screens about delivery and reach."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
