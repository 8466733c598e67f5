"""What Meta refuses in a template message. Pure: a payload and the registered templates in, an error or None out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tayyar.core.errors import UserError

_ALLOWED = {
    *("messaging_product", "recipient_type", "to", "type", "template", "biz_opaque_callback_data"),
}
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_REFUSED_SPACES = re.compile(r"[\n\r\t]| {4,}")


class GraphError(NamedTuple):
    """HTTP status, Meta's code, and what it says."""

    status: int
    code: int
    details: str


@dataclass(frozen=True, slots=True)
class Template:
    """What a registered template asks of a message. `parameters`: its body's placeholders in order."""

    parameters: tuple[str, ...]
    has_document: bool = False
    has_dynamic_url: bool = False

    @property
    def is_named(self) -> bool:
        """Whether its parameters go by name."""
        return any(not name.isdigit() for name in self.parameters)


Templates = Mapping[tuple[str, str], Template]


def read_templates(path: Path) -> Templates:
    """Templates as they are registered at Meta: a JSON list of {"name", "language", "components": [...]}."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        return {(entry["name"], entry["language"]): template(entry["components"]) for entry in raw}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The templates in {path} cannot be read: {error}") from None


def template(components: list[dict[str, Any]]) -> Template:
    """What one registration asks for."""
    parameters: tuple[str, ...] = ()
    has_document = has_dynamic_url = False
    for component in components:
        if component["type"] == "BODY":
            parameters = tuple(dict.fromkeys(_PLACEHOLDER.findall(component["text"])))
        elif component["type"] == "HEADER":
            has_document = component["format"] == "DOCUMENT"
        elif component["type"] == "BUTTONS":
            buttons = component["buttons"]
            has_dynamic_url = bool(buttons) and "{{" in buttons[0].get("url", "")
    return Template(parameters, has_document, has_dynamic_url)


def refusal(payload: Any, templates: Templates) -> GraphError | None:
    """Why Meta would refuse this; None when it would take it."""
    if not isinstance(payload, dict):
        return _bad("the body is no JSON object")
    if unknown := set(payload) - _ALLOWED:
        return _bad(f"Unexpected key {sorted(unknown)[0]!r}")
    if payload.get("messaging_product") != "whatsapp":
        return _bad("messaging_product must be 'whatsapp'")
    if payload.get("recipient_type", "individual") != "individual":
        return _bad("recipient_type must be 'individual'")
    to, echo = payload.get("to"), payload.get("biz_opaque_callback_data", "")
    if not isinstance(to, str) or not re.fullmatch(r"\+?[1-9][0-9]{6,14}", to):
        return GraphError(400, 131009, "Parameter 'to' is not a phone number")
    if not isinstance(echo, str) or len(echo) > 512:
        return _bad("biz_opaque_callback_data is a string of at most 512 characters")
    if payload.get("type") != "template":
        return GraphError(400, 131051, "only templates open a conversation")
    return _template_refusal(payload.get("template"), templates)


def _template_refusal(used: Any, templates: Templates) -> GraphError | None:
    if not isinstance(used, dict) or not set(used) <= {"name", "language", "components"}:
        return _bad("template holds name, language and components")
    language = used.get("language")
    if not isinstance(language, dict) or set(language) - {"code", "policy"}:
        return _bad("language holds code")
    registered = templates.get((str(used.get("name")), str(language.get("code"))))
    if registered is None:
        return GraphError(404, 132001, "template name does not exist in the translation")
    components = used.get("components", [])
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        return _bad("components is a list")
    by_type = {str(item.get("type")).lower(): item for item in components}
    if len(by_type) < len(components) or not set(by_type) <= {"header", "body", "button"}:
        return _bad("a component is given twice or unknown")
    return (
        _header_refusal(by_type.get("header"), registered)
        or _body_refusal(by_type.get("body"), registered)
        or _button_refusal(by_type.get("button"), registered)
    )


def _header_refusal(header: Any, registered: Template) -> GraphError | None:
    if not registered.has_document:
        return GraphError(400, 132000, "header: expected no parameters") if header else None
    parameters = _parameters(header)
    if len(parameters) != 1 or parameters[0].get("type") != "document":
        return GraphError(400, 132012, "header: Format mismatch, expected DOCUMENT")
    document = parameters[0].get("document")
    if not isinstance(document, dict) or not set(document) <= {"link", "filename"}:
        return _bad("document holds link and filename")
    if not re.fullmatch(r"https?://\S+", str(document.get("link", ""))):
        return _bad("document link is no valid URI")
    return None


def _body_refusal(body: Any, registered: Template) -> GraphError | None:
    parameters = _parameters(body)
    if len(parameters) != len(registered.parameters):
        details = (
            f"body: number of localizable_params ({len(parameters)}) does not match the expected number of "
        )
        return GraphError(400, 132000, f"{details}params ({len(registered.parameters)})")
    expected = set(registered.parameters) if registered.is_named else {None}
    if {parameter.get("parameter_name") for parameter in parameters} - expected:
        return _bad("Invalid parameter: parameter name is missing or unknown")
    return _text_refusal(parameters)


def _button_refusal(button: Any, registered: Template) -> GraphError | None:
    if not registered.has_dynamic_url:
        return GraphError(400, 132000, "button: expected no parameters") if button else None
    if button is None or button.get("sub_type") != "url" or str(button.get("index")) != "0":
        return GraphError(400, 131008, "Required parameter is missing: button at index 0 of type Url")
    parameters = _parameters(button)
    if len(parameters) != 1:
        return GraphError(400, 132000, "button: one parameter is expected")
    return _text_refusal(parameters)


def _text_refusal(parameters: list[dict[str, Any]]) -> GraphError | None:
    for parameter in parameters:
        text = parameter.get("text")
        if parameter.get("type") != "text" or set(parameter) - {"type", "text", "parameter_name"}:
            return GraphError(400, 132012, "Format mismatch, expected TEXT")
        if not isinstance(text, str) or not text:
            return _bad("Parameter 'text' is mandatory for component parameter type 'text'")
        if _REFUSED_SPACES.search(text):
            details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
            return GraphError(400, 132018, details)
    return None


def _parameters(component: Any) -> list[dict[str, Any]]:
    parameters = component.get("parameters") if isinstance(component, dict) else None
    if not isinstance(parameters, list):
        return []
    return [item if isinstance(item, dict) else {} for item in parameters]


def _bad(details: str) -> GraphError:
    return GraphError(400, 100, details)
