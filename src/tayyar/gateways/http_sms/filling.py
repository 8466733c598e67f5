"""Filling in a provider's request: values go into a tree or a form that is escaped as a whole, never into its text.

So no message can break out of its field. Also the way back: a value in an answer by its path. Pure.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tayyar.core.errors import UserError

_SLOT = re.compile(r"\$\{([^}]*)\}")


def check_slots(template: Any, known: Collection[str], where: str) -> None:
    """UserError when the template holds a ${slot} that is not among `known`."""
    for slot in _slots(template):
        if slot not in known:
            offered = ", ".join(f"${{{name}}}" for name in sorted(known))
            raise UserError(f"{where}: ${{{slot}}} is not known here. There are {offered}.")


def uses(template: Any, slot: str) -> bool:
    """Whether ${slot} stands anywhere in the template."""
    return slot in _slots(template)


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with its slots filled in; its names and everything but texts stay as they are."""
    if isinstance(template, str):
        return _SLOT.sub(lambda match: values[match[1]], template)
    if isinstance(template, Mapping):
        return {name: filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    return template


def filled_url(template: str, values: Mapping[str, str]) -> str:
    """The address with its slots filled in, each value percent-encoded whole."""
    return _SLOT.sub(lambda match: quote(values[match[1]], safe=""), template)


def as_json(tree: Any) -> bytes:
    """The tree as JSON."""
    return json.dumps(tree, ensure_ascii=False).encode()


def as_form(fields: Mapping[str, Any]) -> str:
    """The fields as application/x-www-form-urlencoded."""
    return urlencode({name: str(value) for name, value in fields.items()}, quote_via=quote)


def value_at(content: Any, path: str) -> Any:
    """What lies at "messages.0.id"; None when nothing does. A name that holds a dot is found as it is."""
    if isinstance(content, dict) and path in content:
        return content[path]
    for step in path.split("."):
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and step.isascii() and step.isdigit() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def text_at(content: Any, path: str) -> str:
    """The text or number at `path` as a text of at most 200 characters; "" for anything else."""
    value = value_at(content, path) if path else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value) if isinstance(value, str) or abs(value) < 10**40 else ""
    return text if len(text) <= 200 and "\0" not in text else ""


def _slots(template: Any) -> set[str]:
    if isinstance(template, str):
        return set(_SLOT.findall(template))
    if isinstance(template, Mapping):
        return set().union(*(_slots(value) for value in template.values()))
    if isinstance(template, list):
        return set().union(*(_slots(value) for value in template))
    return set()
