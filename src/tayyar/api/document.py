"""The OpenAPI document: ninja's own, with refusals as problem+json and files as what they are.

Owns what ninja cannot say by itself. Next: app.py serves it.
"""

import json
from collections.abc import Iterator
from typing import Any

from ninja import NinjaAPI

from tayyar.api.problems import MEDIA_TYPE

_METHODS = ("get", "put", "post", "patch", "delete")
_PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}
_RETRY = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait."}}
_CSRF = "The session of the site's own pages. Calls that change something need the form's token in X-CSRFToken as well."


def document_of(api: NinjaAPI, prefix: str) -> dict[str, Any]:
    """The whole document as plain JSON values."""
    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=prefix)))
    for operation in _operations(found):
        _tell_problems(operation)
        _tell_files(operation)
        for parameter in operation["parameters"]:
            parameter.pop("examples", None)  # a list here is none of OpenAPI's; the schema has it
    schemes = found["components"]["securitySchemes"]
    schemes["SiteCookie"]["description"] = _CSRF
    schemes["SessionToken"]["description"] = "Of allauth's API for apps: /_allauth/app/v1/auth/login."
    return found


def _operations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in found["paths"].values():
        for method in _METHODS:
            if method in methods:
                yield methods[method]


def _tell_problems(operation: dict[str, Any]) -> None:
    for status, described in operation["responses"].items():
        if int(status) < 400:
            continue
        described["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
        if status in ("429", "503"):
            described["headers"] = _RETRY
    if "security" not in operation:
        operation["security"] = []


def _tell_files(operation: dict[str, Any]) -> None:
    """A form with files is sent in parts; ninja calls forms without files urlencoded, and both are taken."""
    body = operation.get("requestBody")
    if body and "application/x-www-form-urlencoded" in body["content"]:
        body["content"]["multipart/form-data"] = body["content"]["application/x-www-form-urlencoded"]
