"""Addresses of the staff screens about requests."""

from django.urls import URLPattern, path

from tayyar.console import requests

_ONE = "requests/<str:reference>"

urlpatterns: list[URLPattern] = [
    path("requests", requests.request_queue, name="requests"),
    path("requests/find", requests.find, name="request_find"),
    path(_ONE, requests.request_page, name="request"),
    path(f"{_ONE}/papers/<int:document_id>", requests.paper, name="request_paper"),
    path(f"{_ONE}/<str:action>", requests.act, name="request_act"),
]
