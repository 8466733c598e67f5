"""Addresses of the staff screens about contact points, delegates and reviews."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
