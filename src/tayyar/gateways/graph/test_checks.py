"""What the simulated Graph server refuses, one row per mistake; templates are read as Meta registers them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tayyar.core.errors import UserError
from tayyar.gateways.graph.checks import Template, read_templates, refusal, template

VECTORS = Path(__file__).parents[4] / "tests" / "vectors" / "whatsapp"
TEMPLATES = {("bill", "ar"): Template(("1", "2"), has_document=True, has_dynamic_url=True)}
DOCUMENT = {"type": "document", "document": {"link": "https://u.example/p", "filename": "f"}}
GOOD: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "to": "966500000001",
    "type": "template",
    "biz_opaque_callback_data": "k",
    "template": {
        "name": "bill",
        "language": {"code": "ar"},
        "components": [
            {"type": "HEADER", "parameters": [DOCUMENT]},
            {"type": "body", "parameters": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]},
            {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "t"}]},
        ],
    },
}


def test_a_right_payload_is_taken():
    assert refusal(GOOD, TEMPLATES) is None


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("messaging_product", "sms", 100),
        ("recipient_type", "group", 100),
        ("colour", "x", 100),
        ("to", "00966", 131009),
        ("to", 966500000001, 131009),
        ("type", "text", 131051),
        ("biz_opaque_callback_data", "k" * 513, 100),
        ("template", None, 100),
        ("template.name", "other", 132001),
        ("template.language.code", "en", 132001),
        ("template.language", "ar", 100),
        ("template.components", {}, 100),
        ("template.components", [], 132012),
        ("template.components.0.parameters.0.document.link", "/p", 100),
        ("template.components.0.parameters", [], 132012),
        ("template.components.1.parameters", [], 132000),
        ("template.components.1.parameters.0.text", "", 100),
        ("template.components.1.parameters.0.text", "a\nb", 132018),
        ("template.components.1.parameters.0.text", "a\tb", 132018),
        ("template.components.1.parameters.0.text", "a     b", 132018),
        ("template.components.1.parameters.0.type", "currency", 132012),
        ("template.components.1.parameters.0.parameter_name", "amount", 100),
        ("template.components.2.sub_type", "quick_reply", 131008),
        ("template.components.2.parameters", [], 132000),
    ],
)
def test_a_mistake_is_refused_with_metas_code(path: str, value: object, code: int):
    payload: Any = copy.deepcopy(GOOD)
    *steps, last = path.split(".")
    place = payload
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    error = refusal(payload, TEMPLATES)
    assert error is not None and error.code == code


@pytest.mark.parametrize("payload", [None, [], "x", {}])
def test_what_is_no_message_is_refused(payload: object):
    assert refusal(payload, TEMPLATES) is not None


def test_a_template_is_understood_as_it_was_registered():
    registered = json.loads((VECTORS / "templates_buttons_examples.json").read_text())
    assert template(registered["order_confirmation"]["components"]) == Template(("1", "2"), has_document=True)
    assert template(registered["intro_catalog_offer"]["components"]) == Template(("1", "2", "3"))
    named = [{"type": "BODY", "text": "{{amount}} {{due}} {{amount}}"}]
    assert template(named) == Template(("amount", "due"))
    url = [{"type": "BUTTONS", "buttons": [{"type": "URL", "url": "https://u.example/b/{{1}}"}]}]
    assert template(url).has_dynamic_url


def test_a_templates_file_that_cannot_be_read_is_named(tmp_path: Path):
    for content in ("{", '[{"name": "x"}]', "7"):
        (tmp_path / "t.json").write_text(content)
        with pytest.raises(UserError, match=r"t\.json cannot be read"):
            read_templates(tmp_path / "t.json")
