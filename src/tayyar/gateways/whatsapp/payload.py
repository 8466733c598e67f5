"""The Cloud API's payload of a template message. Pure; it changes only what Meta would refuse for its spaces."""

import re
from collections.abc import Sequence
from typing import Any

from tayyar.notifications.ports import WhatsAppContent

# Meta refuses a parameter with a line break, a tab or more than four spaces in a row.
_BREAKS = re.compile(r"[ ]*[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+[ \t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]*")
_SPACES = re.compile(r" {4,}")


def one_line(text: str) -> str:
    """The text as Meta takes it: breaks and long runs of spaces become one space. No-break spaces stay."""
    return _SPACES.sub(" ", _BREAKS.sub(" ", text)).strip(" ")


def message(
    content: WhatsAppContent, *, to: str, language_code: str, echo: str, parameter_names: Sequence[str] = ()
) -> dict[str, Any]:
    """The payload. `to` is E.164; `echo` comes back with each status; with `parameter_names` (one for each) the
    body's parameters go by name, else by place."""
    template: dict[str, Any] = {"name": content.template, "language": {"code": language_code}}
    if components := _components(content, parameter_names):
        template["components"] = components
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to.removeprefix("+"),
        "type": "template",
        "template": template,
        "biz_opaque_callback_data": echo,
    }


def _components(content: WhatsAppContent, parameter_names: Sequence[str]) -> list[dict[str, Any]]:
    components: list[dict[str, Any]] = []
    if content.document_url:
        document = {"link": content.document_url, "filename": one_line(content.document_name)}
        components.append(
            {"type": "header", "parameters": [{"type": "document", "document": document}]},
        )
    if content.parameters:
        texts = [{"type": "text", "text": one_line(value)} for value in content.parameters]
        if parameter_names:
            texts = [
                {**text, "parameter_name": name} for text, name in zip(texts, parameter_names, strict=True)
            ]
        components.append({"type": "body", "parameters": texts})
    if content.button_suffix:
        components.append(
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": content.button_suffix}],
            }
        )
    return components
