"""Addresses of the staff screens about the templates' editor."""

from django.urls import URLPattern, path

from tayyar.console import template_editor

_ONE = "templates/<str:template>/<str:channel>/<str:language>"
urlpatterns: list[URLPattern] = [
    path("templates", template_editor.overview, name="templates"),
    path(_ONE, template_editor.edit, name="template"),
    path(f"{_ONE}/preview", template_editor.preview, name="template_preview"),
    path(f"{_ONE}/save", template_editor.save, name="template_save"),
    path(f"{_ONE}/restore", template_editor.restore, name="template_restore"),
]
